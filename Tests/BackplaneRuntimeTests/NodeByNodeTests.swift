import BackplaneCore
import BackplaneRuntime
import BackplaneSpecs
import Testing

@Suite struct NodeByNodeTests {
  @Test func everyNodeIsShownWithItsOperands() throws {
    let (runtime, logs) = try makeRuntime()
    var builder = GraphBuilder()
    let rows = builder.symbol("rows", 1...4)
    let x = builder.input("x", .f32, [.symbol(rows), 2])
    let weight = builder.constant("w", .f32, [2])
    let total = builder.state("total", .f32, [2])
    let a = try builder.apply("add", [x, weight])[0]!
    let b = try builder.apply("neg", [a])[0]!
    let c = try builder.apply("neg", [b])[0]!
    try builder.apply("add", [total, weight])
    builder.output(c)
    let graph = builder.graph
    let runner = try NodeByNodeRunner(runtime, runtime.devices[0], graph, constants: [weight: ConstantSource([10, 20] as [Float])])
    try runner.setInput(x, [1, 2, 3, 4] as [Float])
    var shown: [(op: String, inputs: [[Float]], outputs: [[Float]])] = []
    for _ in 0..<2 {
      shown = []
      try runner.run(symbols: [rows: 2]) { index, node, inputs, outputs in
        func values(_ operands: [NodeByNodeRunner.Operand?]) -> [[Float]] { operands.compactMap { $0.map { Array($0.bytes.assumingMemoryBound(to: Float.self)) } } }
        #expect(graph.nodes[index] == node)
        shown.append((node.op, values(inputs), values(outputs)))
      }
    }
    #expect(shown.map(\.op) == ["add", "neg", "neg", "add"])
    #expect(shown[0].inputs == [[1, 2, 3, 4], [10, 20]])
    #expect(shown[0].outputs == [[11, 22, 13, 24]])
    #expect(shown[1].outputs == [[-11, -22, -13, -24]])
    // The second run: the state before and after the node that adds to it.
    #expect(shown[3].inputs == [[10, 20], [10, 20]])
    #expect(shown[3].outputs == [[20, 40]])
    #expect(try runner.read(c, symbols: [rows: 2]).count == 16)
    // The two nodes `neg` are of one signature and share a program.
    #expect(logs[0].programs.load(ordering: .relaxed) == 3)
  }

  @Test func aNodeThatTheDeviceRefusesIsNamed() throws {
    let (runtime, _) = try makeRuntime([FakeDeviceOptions(ops: ["add"])])
    var builder = GraphBuilder()
    let x = builder.input("x", .f32, [2])
    let y = try builder.apply("add", [x, x])[0]!
    builder.output(try builder.apply("neg", [y])[0]!)
    let error = #expect(throws: BackplaneError.self) { try NodeByNodeRunner(runtime, runtime.devices[0], builder.graph) }
    #expect(error?.node == 1)
    #expect(error?.op == "neg")
  }
}
