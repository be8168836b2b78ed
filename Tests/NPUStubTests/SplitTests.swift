import BackplaneCore
import BackplaneModels
import BackplaneReference
import BackplaneRegistry
import BackplaneRuntime
import BackplaneSpecs
import Foundation
import Testing
import _TestSupport

/// One operator on the CPU and on another device at once, judged by the oracle.
@Suite(.serialized) struct SplitTests {
  static let runtime = makeRuntime(libraries: ["BackplaneNPUStub", "BackplaneCPU", "BackplaneOpenCL"])
  /// The second devices that are there.
  static let seconds = ["npu", "opencl"].filter { (try? runtime.device($0)) != nil }

  private func options(_ second: String, _ policy: SplitPolicy, on runtime: Runtime = SplitTests.runtime) throws -> CompileOptions {
    var options = CompileOptions(devices: [try runtime.device("cpu"), try runtime.device(second)], fallback: .allow)
    // However small, a part is worth a program of its own.
    (options.splits, options.validates, options.switchNanoseconds) = (policy, true, 0)
    return options
  }

  /// Compiles with the operator in two parts, runs, and judges each output by what the oracle says of the whole operator, within the bounds of what both
  /// devices declare.
  private func judge(_ graph: Graph, _ second: String, _ policy: SplitPolicy, _ values: [TensorID: [UInt8]], sourceLocation: SourceLocation = #_sourceLocation) throws -> CompiledGraph {
    let options = try options(second, policy)
    let compiled = try SplitTests.runtime.compile(graph, options)
    let devices = Set(compiled.report.entries.filter { $0.why.contains("a part of an operator") }.map(\.device))
    #expect(devices == Set(options.devices.map(\.id)), sourceLocation: sourceLocation)
    let session = try Session(compiled, constants: values.filter { graph.constants.contains($0.key) }.mapValues { ConstantSource($0) })
    for id in graph.inputs { session.write(values[id]!, to: id) }
    try session.run()
    try session.run()
    let node = graph.nodes[0]
    let views = node.inputs.map { id in id.map { id in values[id]!.withUnsafeBytes { TensorView($0.baseAddress!, graph[id].format, graph[id].shape.fixedExtents!) } } }
    var ratios: [Double] = []
    for (k, output) in node.outputs.enumerated() {
      guard let output, graph.outputs.contains(output) else { continue }
      // The part of each device within its own bound; which elements are whose does not matter, so the wider one decides.
      let judgements = try options.devices.map { device in
        let declares = try device.query(try ABIGraph(graph))[0].declares.map { Attribute($0.name, $0.value) }
        let expected = try withExtendedLifetime(values) { try ReferenceInterpreter().evaluate(node: node, inputs: views, declared: Declared(declares), bounds: true) }
        return Judge.compare(expected: expected[k]!, actual: session.outputPointer(output))
      }
      ratios.append(judgements.map(\.maxRatio).min()!)
      #expect(judgements.contains { $0.passed }, "\(graph[output].name): \(judgements)", sourceLocation: sourceLocation)
    }
    return compiled
  }

  private func floats(_ count: Int, _ random: inout SeededGenerator) -> [UInt8] { (0..<count).flatMap { _ in withUnsafeBytes(of: Float.random(in: -1...1, using: &random)) { Array($0) } } }

  @Test(arguments: SplitTests.seconds, [0.25, 0.5, 0.9]) func matmulByRows(second: String, share: Double) throws {
    var random = SeededGenerator(seed: 5)
    for (format, hasBias, hasResidual) in [(ElementFormat.f32, false, false), (.q8_0, false, true), (.f32, true, true)] {
      var builder = GraphBuilder()
      let (m, k, n) = (7, 64, 200)
      let a = builder.input("a", .f32, Shape([m, k])), b = builder.constant("b", format, Shape([n, k]))
      var values = [a: floats(m * k, &random)]
      // Blocks of q8_0: a scale of f16 and 32 codes.
      values[b] = format == .f32 ? floats(n * k, &random) : (0..<n * k / 32).flatMap { _ in
        withUnsafeBytes(of: Float16(Float.random(in: 0.001...0.01, using: &random)).bitPattern) { Array($0) } + (0..<32).map { _ in UInt8.random(in: 0...255, using: &random) }
      }
      let bias = hasBias ? builder.constant("bias", .f32, Shape([n])) : nil, residual = hasResidual ? builder.input("residual", .f32, Shape([m, n])) : nil
      if let bias { values[bias] = floats(n, &random) }
      if let residual { values[residual] = floats(m * n, &random) }
      builder.output(try builder.matmul(a, b, bias: bias, residual: residual, activation: hasBias ? "silu" : "none", name: "y"))
      let compiled = try judge(builder.graph, second, .share(share), values)
      #expect(compiled.graph.nodes.count { $0.op == "matmul" } == 2 && compiled.report.programs.count >= 3)
    }
  }

  @Test(arguments: SplitTests.seconds, [(1, 0), (1, 1), (5, 1), (5, 0)]) func attentionByKeys(second: String, shape: (queries: Int, causal: Int)) throws {
    var random = SeededGenerator(seed: 6)
    for share in [0.3, 0.5, 0.8] {
      var builder = GraphBuilder()
      let (t, s, heads, groups, width) = (shape.queries, 45, 4, 2, 16)
      let q = builder.input("q", .f32, Shape([t, heads, width])), k = builder.constant("k", .f32, Shape([s, groups, width])), v = builder.input("v", .f32, Shape([s, groups, width]))
      let values = [q: floats(t * heads * width, &random), k: floats(s * groups * width, &random), v: floats(s * groups * width, &random)]
      let (y, lse) = try builder.attentionWithLse(q, k, v, causal: shape.causal, softcap: 20, name: "y")
      builder.output(y)
      builder.output(lse)
      let compiled = try judge(builder.graph, second, .share(share), values)
      #expect(compiled.graph.nodes.map(\.op).contains("merge_attention") && compiled.graph.nodes.count { $0.op == "attention" } == 2)
    }
  }

  /// Parts of one operator are in one step, and there is a run in which they really were at work together; on a machine that is busy not every one is.
  @Test(arguments: SplitTests.seconds) func partsRunAtTheSameTime(second: String) throws {
    var builder = GraphBuilder()
    let a = builder.input("a", .f32, [32, 512]), b = builder.constant("b", .f32, [1024, 512])
    builder.output(try builder.matmul(a, b, name: "y"))
    let trace = Trace()  // of this test alone: others run beside it
    let runtime = makeRuntime(trace: trace, libraries: ["BackplaneCPU", second == "npu" ? "BackplaneNPUStub" : "BackplaneOpenCL"])
    let compiled = try runtime.compile(builder.graph, try options(second, .share(0.5), on: runtime))
    #expect(Set(compiled.report.programs.prefix(2).map(\.step)).count == 1 && Set(compiled.report.programs.prefix(2).map(\.device)).count == 2)
    let session = try Session(compiled, constants: [b: ConstantSource([Float](repeating: 0.5, count: 1024 * 512))])
    var attempts = 0
    while attempts < 20_000 {
      attempts += 1
      let before = trace.spans.count
      try session.run()
      let parts = trace.spans[before...].filter { $0.kind == .program && $0.name.contains("matmul") }
      if parts.count == 2, parts[0].device != parts[1].device, parts[0].intersects(parts[1]) { return }
    }
    Issue.record("in \(attempts) runs the two parts never ran at the same time")
  }

  @Test func theShareFollowsTheRates() throws {
    func share(macsPerCycle: Int) throws -> Double? {
      let path = temporaryFolder() + ".json"
      try Data("{\"macs_per_cycle_float\": \(macsPerCycle), \"dma_bytes_per_cycle\": 512, \"pj_per_byte\": 1}".utf8).write(to: URL(fileURLWithPath: path))
      defer { try? FileManager.default.removeItem(atPath: path) }
      let runtime = makeRuntime(["npu.chip": path])
      var builder = GraphBuilder()
      let a = builder.input("a", .f32, [256, 1024]), b = builder.constant("b", .f32, [2048, 1024])
      builder.output(try builder.matmul(a, b, name: "y"))
      var options = CompileOptions(devices: [try runtime.device("cpu"), try runtime.device("npu")], fallback: .allow)
      options.splits = .auto
      let compiled = try runtime.compile(builder.graph, options)
      func rows(_ device: String) -> Int {
        compiled.report.entries.filter { $0.op == "matmul" && $0.device == device }.map { compiled.graph[compiled.graph.nodes[$0.node].inputs[1]!].shape.fixedExtents![0] }.reduce(0, +)
      }
      #expect(rows("cpu") + rows("npu:0") == 2048)
      return Double(rows("npu:0")) / 2048
    }
    let shares = try [1, 64, 128, 256, 512, 100_000].map { try #require(try share(macsPerCycle: $0)) }
    #expect(shares == shares.sorted() && shares.first == 0 && shares.last! > 0.5, "\(shares)")
    #expect(shares.contains { $0 > 0.1 && $0 < 0.9 }, "\(shares)")
  }
}
