import BackplaneCore
import BackplaneRegistry
@testable import BackplaneRuntime
import BackplaneSpecs
import Synchronization
import Testing

/// y = a - b, by its parts or by a function.
private func register(_ name: String, composed: Bool) throws {
  let meaning = composed
    ? #""composition": [{"op": "neg", "inputs": ["b"], "outputs": ["c"]}, {"op": "add", "inputs": ["a", "c"], "outputs": ["y"]}], "numerics": {"bound": "composition"}"#
    : #""numerics": {"bound": "rounding", "roundings": 1}"#
  let functions = OperatorFunctions(reference: { inputs, _, outputs in
    guard inputs[0]!.values.first != -1000 else { throw BackplaneError(.invalid, "a begins with -1000") }
    return [OperatorValues(format: outputs[0].format, shape: outputs[0].shape, values: zip(inputs[0]!.values, inputs[1]!.values).map { $0 - $1 })]
  })
  try OperatorSpec.register("""
    {"op": "\(name)", "version": 1, "summary": "Takes one from the other.",
     "inputs": [{"name": "a", "formats": ["@float", "i32"], "shape": "..."}, {"name": "b", "formats": ["=a"], "shape": "..."}],
     "outputs": [{"name": "y", "formats": ["=a"], "shape": "..."}], "semantics": ["y = a - b"], \(meaning)}
    """, functions: composed ? OperatorFunctions() : functions)
}

/// relu(a - b) + b, rows x 2.
private func graph(_ op: String, _ format: ElementFormat = .f32) throws -> (graph: Graph, a: TensorID, b: TensorID, y: TensorID, rows: Symbol) {
  var builder = GraphBuilder()
  let rows = builder.symbol("rows", 0...4)
  let shape = Shape([.symbol(rows), .fixed(2)])
  let (a, b) = (builder.input("a", format, shape), builder.input("b", format, shape))
  let difference = try builder.apply(op, [a, b], name: "difference")[0]!
  let positive = try builder.apply("relu", [difference])[0]!
  let y = try builder.apply("add", [positive, b], name: "y")[0]!
  builder.output(y)
  return (builder.graph, a, b, y, rows)
}

private func run(_ compiled: CompiledGraph, _ g: (graph: Graph, a: TensorID, b: TensorID, y: TensorID, rows: Symbol)) throws -> [Float] {
  let session = try Session(compiled)
  var values = SymbolValues()
  values[g.rows] = 2
  session.write([1, 2, 3, 4] as [Float], to: g.a)
  session.write([2, 1, 5, 0] as [Float], to: g.b)
  try session.run(symbols: values)
  return Array(session.read(g.y, as: Float.self).prefix(4))
}

@Suite struct CustomOperatorTests {
  @Test func itsPartsStandInWhereNoDeviceTakesIt() throws {
    try register("parts.difference", composed: true)
    let messages = Mutex<[String]>([])
    let (runtime, _) = try makeRuntime(log: { message in messages.withLock { $0.append(message.text) } })
    let g = try graph("parts.difference")
    let compiled = try runtime.compile(g.graph)
    #expect(compiled.graph.nodes.map(\.op) == ["neg", "add", "relu", "add"])
    #expect(try run(compiled, g) == [2, 2, 5, 4])
    #expect(compiled.report.entries[0].why.contains("stands in for parts.difference, which fake:0 refuses"), "\(compiled.report.entries[0].why)")
    #expect(!compiled.report.entries[2].why.contains("stands in"))
    #expect(messages.withLock { $0.contains { $0.contains("parts.difference") && $0.contains("runs as its parts") } })
  }

  @Test func anOperatorOfTheCatalogueThatIsComposedHasPartsToo() throws {
    var builder = GraphBuilder()
    let (x, residual) = (builder.input("x", .f32, [3, 8]), builder.input("residual", .f32, [3, 8]))
    for id in try builder.apply("add_rms_norm", [x, residual], optionalOutputs: []) { if let id { builder.output(id) } }
    let (runtime, _) = try makeRuntime([FakeDeviceOptions(ops: ["add", "rms_norm"])])
    #expect(try runtime.compile(builder.graph).graph.nodes.map(\.op) == ["add", "rms_norm"])
  }

  @Test func whereItsPartsAreRefusedTooTheErrorSaysSo() throws {
    try register("refused.difference", composed: true)
    let (runtime, _) = try makeRuntime([FakeDeviceOptions(ops: ["add", "relu"])])
    let g = try graph("refused.difference")
    #expect { try runtime.compile(g.graph) } throws: { error in
      (error as? BackplaneError)?.op == "neg" && (error as? BackplaneError)?.node == 0
    }
  }

  /// A graph that does not know of it reaches a device's own operator, as it does the catalogue's fused ones.
  @Test func partsAreFusedIntoItWhereADeviceTakesIt() throws {
    try register("fused.difference", composed: true)
    var builder = GraphBuilder()
    let rows = builder.symbol("rows", 0...4)
    let shape = Shape([.symbol(rows), .fixed(2)])
    let (a, b) = (builder.input("a", .f32, shape), builder.input("b", .f32, shape))
    let negative = try builder.apply("neg", [b])[0]!
    let difference = try builder.apply("add", [a, negative])[0]!
    let y = try builder.apply("add", [try builder.apply("relu", [difference])[0]!, b], name: "y")[0]!
    builder.output(y)
    let g = (graph: builder.graph, a: a, b: b, y: y, rows: rows)
    let able = FakeDeviceOptions(ops: FakeDeviceOptions.everything.union(["fused.difference"]))

    let fused = try makeRuntime([able]).runtime.compile(g.graph)
    #expect(fused.graph.nodes.map(\.op) == ["fused.difference", "relu", "add"])
    #expect(fused.report.entries[0].members == [0, 1])
    #expect(fused.report.entries[0].why.contains("fused of neg, add"), "\(fused.report.entries[0].why)")
    #expect(try run(fused, g) == [2, 2, 5, 4])
    // Not where it costs more, where nobody has it, or where the caller wants none of it.
    var dear = able
    dear.costs = ["fused.difference": 2001]
    for (options, fuses) in [(dear, true), (FakeDeviceOptions(), true), (able, false)] {
      var compileOptions = CompileOptions()
      compileOptions.fuses = fuses
      let parts = try makeRuntime([options]).runtime.compile(g.graph, compileOptions)
      #expect(parts.graph.nodes.map(\.op) == ["neg", "add", "relu", "add"])
      #expect(try run(parts, g) == [2, 2, 5, 4])
    }
    // And not where somebody else reads what lies between.
    builder.output(negative)
    #expect(try makeRuntime([able]).runtime.compile(builder.graph).graph.nodes.map(\.op) == ["neg", "add", "relu", "add"])
  }

  @Test func pinsGoOnToTheParts() throws {
    try register("pinned.difference", composed: true)
    let (runtime, _) = try makeRuntime([FakeDeviceOptions(cost: 10), FakeDeviceOptions(cost: 1_000_000)])
    var options = CompileOptions(devices: runtime.devices)
    options.pins = [PlacementPin("pinned.difference", device: "fake:1")]
    options.fuses = false
    let report = try runtime.compile(try graph("pinned.difference").graph, options).report
    #expect(report.entries.map(\.device) == ["fake:1", "fake:1", "fake:0", "fake:0"])
  }

  @Test func aFunctionOnTheHostStandsInWhereThereAreNoParts() throws {
    try register("function.difference", composed: false)
    let (runtime, _) = try makeRuntime()
    let g = try graph("function.difference")
    let compiled = try runtime.compile(g.graph)
    #expect(compiled.report.entries.map(\.device) == ["host", "fake:0", "fake:0"])
    #expect(try run(compiled, g) == [2, 2, 5, 4])
    // What it throws is the run's error.
    let session = try Session(compiled)
    var values = SymbolValues()
    values[g.rows] = 1
    session.write([-1000, 0] as [Float], to: g.a)
    #expect { try session.run(symbols: values) } throws: { "\($0)".contains("the reference function failed: a begins with -1000") }
    #expect(!runtime.defaultDevices.contains { $0.id == "host" }, "graphs are placed on it only where they must be")
  }

  @Test func aForbiddenFallbackForbidsTheFunctionButNotTheParts() throws {
    try register("forbidden.function", composed: false)
    try register("forbidden.parts", composed: true)
    let (runtime, _) = try makeRuntime()
    let options = CompileOptions(devices: runtime.devices, fallback: .forbid)
    #expect { try runtime.compile(try graph("forbidden.function").graph, options) } throws: { ($0 as? BackplaneError)?.op == "forbidden.function" }
    #expect(try runtime.compile(try graph("forbidden.parts").graph, options).graph.nodes.count == 4)
  }

  @Test(arguments: [ElementFormat.f16, .bf16, .i32]) func functionsSeeValuesWhateverTheFormat(format: ElementFormat) throws {
    let op = "formats.difference_\(format)"
    try register(op, composed: false)
    var builder = GraphBuilder()
    let (a, b) = (builder.input("a", format, [4]), builder.input("b", format, [4]))
    let y = try builder.apply(op, [a, b])[0]!
    builder.output(y)
    let (runtime, _) = try makeRuntime()
    let session = try Session(runtime.compile(builder.graph))
    func bits(_ values: [Float]) -> [UInt8] {
      values.flatMap { value -> [UInt8] in
        switch format {
        case .f16: withUnsafeBytes(of: Float16(value)) { Array($0) }
        case .bf16: withUnsafeBytes(of: UInt16(truncatingIfNeeded: value.bitPattern >> 16)) { Array($0) }
        default: withUnsafeBytes(of: Int32(value)) { Array($0) }
        }
      }
    }
    session.write(bits([1, 2, -3, 100]), to: a)
    session.write(bits([3, 2, 1, 1]), to: b)
    try session.run()
    #expect(session.read(y, as: UInt8.self) == bits([-2, 0, -4, 99]))
  }
}
