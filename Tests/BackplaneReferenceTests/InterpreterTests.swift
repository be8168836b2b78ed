import BackplaneCore
import BackplaneReference
import BackplaneSpecs
import Testing

@Suite struct InterpreterTests {
  /// y = silu(x · w), and a cache that rows of x are written into, with as many rows as the run says.
  private func model() throws -> (graph: Graph, tokens: Symbol) {
    var builder = GraphBuilder()
    let tokens = builder.symbol("tokens", 1...8)
    let x = builder.input("x", .f32, Shape([.symbol(tokens), .fixed(2)]))
    let positions = builder.input("positions", .i32, Shape([.symbol(tokens)]))
    let w = builder.constant("w", .f16, [3, 2])
    let cache = builder.state("cache", .f16, [4, 2])
    let product = try builder.apply("matmul", [x, w])[0]!
    let y = try builder.apply("relu", [product])[0]!
    try builder.apply("tensor_scatter", [cache, x, positions])
    builder.output(y, name: "y")
    return (builder.graph, tokens)
  }

  @Test func aGraphRunsWithSymbolsAndStates() throws {
    let (graph, tokens) = try model()
    let (x, w) = (f32([2, 2], [1, 2, -1, 1]), Memory(.f16, [3, 2], [1, 0, 0, 1, 1, 1]))
    let (cache, positions) = (Memory(.f16, [4, 2], [Double](repeating: 9, count: 8)), i32([3, 0]))
    let bindings = [graph.inputs[0]: x.view, graph.inputs[1]: positions.view, graph.constants[0]: w.view, graph.states[0]: cache.view]
    let y = try withExtendedLifetime((x, w, positions)) { try ReferenceInterpreter().run(graph: graph, bindings: bindings, symbols: [tokens: 2]) }
    #expect(y.count == 1)
    #expect(y[0].shape == [2, 3])
    #expect(y[0].values == [1, 2, 3, 0, 1, 0])
    #expect(cache.decoded() == [-1, 1, 9, 9, 9, 9, 1, 2])
  }

  @Test func everyNodeIsRoundedToItsFormat() throws {
    var builder = GraphBuilder()
    let x = builder.input("x", .f16, [1])
    let once = try builder.apply("scale", [x], [Attribute("factor", .float(1 + 0x1p-11))])[0]!
    let twice = try builder.apply("scale", [once], [Attribute("factor", .float(1 + 0x1p-11))])[0]!
    builder.output(twice)
    let one = f16([1])
    // Each step is a tie that goes back to 1; unrounded they would add up.
    let y = try withExtendedLifetime(one) { try ReferenceInterpreter().run(graph: builder.graph, bindings: [x: one.view]) }
    #expect(y[0].values == [1])
  }

  @Test func nodesAreObservedAndCancelled() throws {
    let (graph, tokens) = try model()
    let memories = [f32([1, 2], [1, 2]), i32([0]), Memory(.f16, [3, 2], [0, 0, 0, 0, 0, 0]), Memory(.f16, [4, 2], [Double](repeating: 0, count: 8))]
    let bindings = Dictionary(uniqueKeysWithValues: zip(graph.abiInputs, memories.map(\.view)))
    try withExtendedLifetime(memories) {
      var seen: [Int] = []
      try ReferenceInterpreter().run(graph: graph, bindings: bindings, symbols: [tokens: 1]) { false } observe: { number, _ in seen.append(number) }
      #expect(seen == [0, 1, 2])
      #expect(throws: BackplaneError(.cancelled, "")) {
        try ReferenceInterpreter().run(graph: graph, bindings: bindings, symbols: [tokens: 1], isCancelled: { true })
      }
    }
  }

  @Test func mistakesAreErrors() throws {
    let (graph, tokens) = try model()
    #expect(throws: BackplaneError(.invalid, "")) { try ReferenceInterpreter().run(graph: graph, bindings: [:], symbols: [tokens: 1]) }
    #expect(throws: (any Error).self) { try evaluate("matmul", [f32([1, 2], [1, 2]), f32([1, 3], [1, 2, 3])]) }
    #expect(throws: (any Error).self) { try evaluate("no_such_operator", [f32([1])]) }
    #expect(throws: (any Error).self) { try evaluate("softmax", [f32([1, 0], [])]) }
    #expect(throws: (any Error).self) { try evaluate("relu", [i32([1])]) }
  }

  @Test func declaredNumericsAreReadFromVerdicts() {
    let declared = Declared([Attribute("act_block", .int(32)), Attribute("operand_round", .string("bf16")), Attribute("p_round", .string("f16")),
                             Attribute("ftz", .int(1)), Attribute("anything_goes", .int(1))])
    #expect(declared == Declared(activationBlock: 32, operandRound: .bf16, weightRound: .f16, flushesSubnormals: true))
    #expect(Declared([]) == .nothing)
  }
}
