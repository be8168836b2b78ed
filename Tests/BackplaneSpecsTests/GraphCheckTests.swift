import BackplaneCore
@testable import BackplaneSpecs
import Testing

@Suite struct GraphCheckTests {
  /// x → rms_norm → matmul with w → y
  static func small() throws -> Graph {
    var builder = GraphBuilder()
    let symbol = builder.symbol("tokens", 1...8)
    let x = builder.input("x", .f32, [.symbol(symbol), 32])
    let w = builder.constant("w", .q8_0, [4, 32])
    let h = try builder.rmsNorm(x)
    let y = try builder.matmul(h, w, name: "y")
    builder.output(y)
    return builder.graph
  }

  @Test func aBuiltGraphPasses() throws { try GraphCheckTests.small().check() }

  @Test func aReadBeforeTheWriteIsRefused() throws {
    var graph = try GraphCheckTests.small()
    graph.nodes.swapAt(0, 1)
    let error = #expect(throws: BackplaneError.constraint("matmul", "I0")) { try graph.check() }
    #expect(error?.node == 0)
  }

  @Test func aSecondWriteIsRefused() throws {
    var graph = try GraphCheckTests.small()
    graph.nodes.append(graph.nodes[0])
    #expect(throws: BackplaneError.constraint("rms_norm", "O0")) { try graph.check() }
  }

  @Test func aNodeThatReadsItsOwnOutputIsRefused() throws {
    var graph = try GraphCheckTests.small()
    graph.nodes[0].inputs[0] = graph.nodes[0].outputs[0]
    #expect(throws: BackplaneError.constraint("rms_norm", "I0")) { try graph.check() }
  }

  @Test func aDeclaredOutputIsComparedWithTheInferredOne() throws {
    var graph = try GraphCheckTests.small()
    graph.tensors[3].shape = [3, 4]
    #expect(throws: BackplaneError.constraint("matmul", "O0")) { try graph.check() }
    graph = try GraphCheckTests.small()
    graph.tensors[3].format = .f16
    #expect(throws: BackplaneError.constraint("matmul", "O0")) { try graph.check() }
  }

  @Test func anInputOrConstantIsNeverWritten() throws {
    var graph = try GraphCheckTests.small()
    graph.nodes[0].outputs[0] = graph.inputs[0]
    #expect(throws: BackplaneError.constraint("rms_norm", "O0")) { try graph.check() }
  }

  @Test func numbersOutOfRangeAreRefused() throws {
    let graph = try GraphCheckTests.small()
    let bad = TensorID(99)
    func changed(_ change: (inout Graph) -> Void) -> Graph { var copy = graph; change(&copy); return copy }
    #expect(throws: BackplaneError.constraint("rms_norm", "I0")) { try changed { $0.nodes[0].inputs[0] = bad }.check() }
    #expect(throws: BackplaneError.constraint("rms_norm", "O0")) { try changed { $0.nodes[0].outputs[0] = bad }.check() }
    #expect(throws: BackplaneError(.invalid, "")) { try changed { $0.inputs[0] = bad }.check() }
    #expect(throws: BackplaneError(.invalid, "")) { try changed { $0.outputs[0] = TensorID(-1) }.check() }
  }

  @Test func listsAndRolesAgree() throws {
    let graph = try GraphCheckTests.small()
    func changed(_ change: (inout Graph) -> Void) -> Graph { var copy = graph; change(&copy); return copy }
    #expect(throws: BackplaneError(.invalid, "")) { try changed { $0.inputs = [] }.check() }
    #expect(throws: BackplaneError(.invalid, "")) { try changed { $0.inputs.append($0.inputs[0]) }.check() }
    #expect(throws: BackplaneError(.invalid, "")) { try changed { $0.tensors[0].role = .state }.check() }
    #expect(throws: BackplaneError(.invalid, "")) { try changed { $0.nodes.removeLast() }.check() }
  }

  @Test func aNodeCarriesEveryAttributeInOrder() throws {
    var graph = try GraphCheckTests.small()
    graph.nodes[0].attributes.removeLast()
    #expect(throws: BackplaneError.constraint("rms_norm", "A_weight_offset")) { try graph.check() }
    graph = try GraphCheckTests.small()
    graph.nodes[0].attributes.swapAt(0, 1)
    #expect(throws: BackplaneError.constraint("rms_norm", "A_epsilon")) { try graph.check() }
    graph = try GraphCheckTests.small()
    graph.nodes[0].attributes[0].value = .int(1)
    #expect(throws: BackplaneError.constraint("rms_norm", "A_epsilon")) { try graph.check() }
  }

  @Test func absentOperandsKeepTheirPlace() throws {
    var graph = try GraphCheckTests.small()
    #expect(graph.nodes[1].inputs.count == 4)
    graph.nodes[1].inputs.removeLast()
    #expect(throws: BackplaneError.constraint("matmul", "I3")) { try graph.check() }
    graph = try GraphCheckTests.small()
    graph.nodes[0].outputs = []
    #expect(throws: BackplaneError.constraint("rms_norm", "O0")) { try graph.check() }
    graph.nodes[0].outputs = [nil]
    #expect(throws: BackplaneError.constraint("rms_norm", "O0")) { try graph.check() }
  }

  @Test func anUnknownOperatorOrVersionIsUnsupported() throws {
    var graph = try GraphCheckTests.small()
    graph.nodes[0].op = "frobnicate"
    let unknown = #expect(throws: BackplaneError.self) { try graph.check() }
    #expect(unknown?.kind == .unsupported && unknown?.reason == 1)
    graph = try GraphCheckTests.small()
    graph.nodes[0].version = 2
    let version = #expect(throws: BackplaneError.self) { try graph.check() }
    #expect(version?.kind == .unsupported && version?.reason == 2)
  }

  @Test func aStateIsWrittenOnlyInPlace() throws {
    var builder = GraphBuilder()
    let cache = builder.state("cache", .f16, [16, 8])
    let other = builder.state("other", .f16, [16, 8])
    let update = builder.input("update", .f32, [2, 8])
    let positions = builder.input("positions", .i32, [2])
    let written = try builder.tensorScatter(cache, update: update, positions: positions)
    #expect(written == cache)
    _ = try builder.tensorScatter(cache, update: update, positions: positions)
    try builder.graph.check()
    var graph = builder.graph
    graph.nodes[0].outputs = [other]
    #expect(throws: BackplaneError.constraint("tensor_scatter", "O0")) { try graph.check() }
  }

  @Test func aStateCanBeReadWithoutBeingUpdated() throws {
    var builder = GraphBuilder()
    let state = builder.state("state", .f32, [4])
    #expect(try builder.relu(state) == state)
    let copy = try builder.apply("relu", [state], updatingStates: false)
    #expect(copy != [state])
    try builder.graph.check()
  }

  @Test func aTensorWhoseBytesOverflowIsRefused() throws {
    var builder = GraphBuilder()
    let x = builder.input("x", .f32, [1_099_511_627_776, 1_099_511_627_776])
    builder.output(try builder.abs(x))
    #expect(throws: BackplaneError(.invalid, "")) { try builder.graph.check() }
  }

  @Test func tenThousandNodesPass() throws {
    var builder = GraphBuilder()
    let symbol = builder.symbol("tokens", 1...512)
    var x = builder.input("x", .f32, [.symbol(symbol), 64])
    let w = builder.constant("w", .q8_0, [64, 64])
    for _ in 0..<2500 {
      let norm = try builder.rmsNorm(x)
      let product = try builder.matmul(norm, w)
      x = try builder.add(x, try builder.gatedActivation(product, up: norm))
    }
    builder.output(x)
    #expect(builder.graph.nodes.count == 10_000)
    try builder.graph.check()
  }
}
