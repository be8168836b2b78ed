import BackplaneCore
@testable import BackplaneSpecs
import Testing

@Suite struct CompositionTests {
  static let cases = Accepted.all.filter { OperatorSpec.named($0.op)!.isFused }

  @Test func everyFusedOperatorHasACase() {
    #expect(Set(CompositionTests.cases.map(\.op)) == Set(OperatorSpec.all.filter(\.isFused).map(\.name)))
  }

  @Test(arguments: cases) func thePartsMakeWhatTheFusedOperatorMakes(test: Case) throws {
    var builder = GraphBuilder()
    let inputs = test.inputs.enumerated().map { k, t in t.map { builder.input("in\(k)", $0.format, $0.shape) } }
    let fused = try builder.apply(test.op, inputs, test.attributes)
    let parts = try builder.applyComposition(of: test.op, inputs, test.attributes)
    #expect(fused.count == parts.count)
    for (a, b) in zip(fused, parts) {
      let (a, b) = (try #require(a), try #require(b))
      #expect(builder[a].format == builder[b].format)
      #expect(builder[a].shape == builder[b].shape)
      builder.output(b)
    }
    try builder.graph.check()
  }

  @Test func attributesArePassedOn() throws {
    var builder = GraphBuilder()
    let x = builder.input("x", .f32, [2, 8])
    try builder.applyComposition(of: "add_rms_norm", [x, x], [Attribute("epsilon", .float(0.5))])
    #expect(builder.graph.nodes.map(\.op) == ["add", "rms_norm"])
    #expect(builder.graph.nodes[1][attribute: "epsilon"] == .float(0.5))
  }

  @Test func aPrimitiveOperatorHasNoParts() {
    var builder = GraphBuilder()
    let x = builder.input("x", .f32, [2])
    #expect(throws: BackplaneError(.invalid, "")) { try builder.applyComposition(of: "abs", [x]) }
  }
}
