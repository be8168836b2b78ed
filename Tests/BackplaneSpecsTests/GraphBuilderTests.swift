import BackplaneCore
import BackplaneSpecs
import Testing

@Suite struct GraphBuilderTests {
  @Test func typedMethodsInferShapes() throws {
    var b = GraphBuilder()
    let tokens = b.symbol("tokens", 1...512)
    let x = b.input("x", .f32, [.symbol(tokens), 64])
    let w = b.constant("w", .q4_0, [128, 64])
    let q = try b.reshape(try b.matmul(x, w, name: "q"), shape: [0, 2, 64])
    #expect(b[q].shape == [.symbol(tokens), 2, 64])
    let made = try b.attentionWithLse(q, q, q, causal: 1, window: 512)
    #expect(b[made.y].shape == [.symbol(tokens), 2, 64])
    #expect(b[made.lse].shape == [.symbol(tokens), 2])
    let y = try b.attention(q, q, q, name: "y")
    #expect(b[y].name == "y.y")
    #expect(b.graph.nodes.last!.outputs == [y, nil])
    let (sum, total) = try b.addRmsNorm(x, residual: x, epsilon: 1e-5)
    #expect(b[sum].shape == b[total].shape)
    try b.graph.check()
  }

  @Test func aRefusedNodeLeavesTheGraphAsItWas() {
    var b = GraphBuilder()
    let x = b.input("x", .f32, [2, 3])
    let before = b.graph
    #expect(throws: BackplaneError.constraint("matmul", "S")) { try b.matmul(x, x, transposeB: 0) }
    #expect(throws: BackplaneError.constraint("relu", "I0")) { try b.relu(TensorID(7)) }
    #expect(throws: BackplaneError.constraint("relu", "O")) { try b.apply("relu", [x], optionalOutputs: ["lse"]) }
    #expect(b.graph == before)
  }

  @Test func nodesCarryTheBuildersNumerics() throws {
    var b = GraphBuilder()
    let x = b.input("x", .f32, [2])
    b.numerics = .strict
    _ = try b.exp(x)
    #expect(b.graph.nodes[0].numerics == .strict)
  }

  @Test func tensorsOfAVariadicOperandStandInTheListOfInputs() throws {
    var b = GraphBuilder()
    let x = b.input("x", .f32, [2, 3])
    let y = try b.concat([x, x, x], axis: 1)
    #expect(b[y].shape == [2, 9])
    #expect(b.graph.nodes[0].inputs == [x, x, x])
  }
}
