import BackplaneCore
@testable import BackplaneKernelKit
import BackplanePluginKit
import Testing

/// Walks over dimensions: neighbours join where every operand allows it, extents of 1 broadcast.
@Suite struct WalkTests {
  private func view(_ extents: [Int64], _ strides: [Int64]? = nil, storage: Int = 0) -> OperandView {
    var view = OperandView(format: FormatSize(name: "f32", blockElements: 1, blockBytes: 4), rank: extents.count, storage: storage)
    for (i, extent) in extents.enumerated() { view.extent[i] = extent }
    view.makeDense()
    for (i, stride) in (strides ?? []).enumerated() { view.stride[i] = stride }
    return view
  }

  @Test func rowsWithoutElementsAreRows() {
    func rows(_ extents: [Int64]) -> Formula.Value? { OperandProperty("rows")?.value(of: view(extents)) }
    #expect(rows([2, 3, 0]) == .int(6) && rows([2, 3, 5]) == .int(6) && rows([0, 5]) == .int(0) && rows([5]) == .int(1) && rows([]) == .int(1))
  }

  @Test func denseDimensionsBecomeOne() {
    let walk = Walk([view([3, 5, 7]), view([3, 5, 7])], dropped: [0, 0])
    #expect(walk.outer.extents == SIMD8(1, 1, 1, 1, 1, 1, 1, 105))
    #expect(walk.outer.steps.map { $0[7] } == [4, 4] && walk.outer.count == 105)
  }

  @Test func aBroadcastDimensionStaysApart() {
    let walk = Walk([view([3, 5]), view([5]), view([3, 1])], dropped: [0, 0, 0])
    #expect(walk.outer.extents[6] == 3 && walk.outer.extents[7] == 5)
    #expect(walk.outer.steps[1] == SIMD8(0, 0, 0, 0, 0, 0, 0, 4))
    #expect(walk.outer.steps[2] == SIMD8(0, 0, 0, 0, 0, 0, 4, 0))
  }

  @Test func dimensionsAreLeftOutAtEitherEnd() {
    #expect(Walk([view([3, 5, 7])], dropped: [1]).outer.count == 15)
    let rows = Walk([view([3, 5, 7])], dropped: [-1])
    #expect(rows.outer.count == 35 && rows.outer.steps[0][7] == 4)
  }

  @Test func axesAreWalkedApart() {
    let walk = Walk([view([3, 5, 7]), view([3, 7])], dropped: [0, 0], axes: [1])
    #expect(walk.inner.extents[7] == 5 && walk.inner.steps[0][7] == 28 && walk.inner.count == 5)
    #expect(walk.outer.extents[6] == 3 && walk.outer.extents[7] == 7)
    #expect(walk.outer.steps[1][6] == 28 && walk.outer.steps[1][7] == 4)
  }

  @Test func nothingIsNothing() {
    #expect(Walk([view([3, 0, 7])], dropped: [0]).outer.count == 0)
    #expect(Walk([view([])], dropped: [0]).outer.count == 1)
  }
}
