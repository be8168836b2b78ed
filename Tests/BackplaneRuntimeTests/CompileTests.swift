import BackplaneCore
import BackplaneRegistry
@testable import BackplaneRuntime
import BackplaneSpecs
import Foundation
import FoundationXML
import Synchronization
import Testing

/// x + residual, normalised, and the sum used again.
private func addNorm(sumIsUsed: Bool = true, sumIsOutput: Bool = false) throws -> (graph: Graph, inputs: [TensorID], outputs: [TensorID]) {
  var builder = GraphBuilder()
  let x = builder.input("x", .f32, [3, 8])
  let residual = builder.input("residual", .f32, [3, 8])
  let sum = try builder.apply("add", [x, residual], name: "sum")[0]!
  let normed = try builder.apply("rms_norm", [sum], [Attribute("epsilon", .float(1e-5))], name: "normed")[0]!
  var outputs = [normed]
  if sumIsUsed { outputs.append(try builder.apply("neg", [sum])[0]!) }
  if sumIsOutput { outputs.append(sum) }
  for id in outputs { builder.output(id) }
  return (builder.graph, [x, residual], outputs)
}

private func run(_ compiled: CompiledGraph, _ inputs: [TensorID], _ outputs: [TensorID]) throws -> [[Float]] {
  let session = try Session(compiled)
  for (k, id) in inputs.enumerated() { session.write((0..<24).map { Float(($0 * (k + 3)) % 11) - 5 }, to: id) }
  try session.run()
  return outputs.map { session.read($0, as: Float.self) }
}

@Suite struct FusionTests {
  @Test(arguments: [(false, false), (true, false), (true, true)])
  func fusedGivesWhatUnfusedGives(sumIsUsed: Bool, sumIsOutput: Bool) throws {
    let (runtime, _) = try makeRuntime()
    let (graph, inputs, outputs) = try addNorm(sumIsUsed: sumIsUsed, sumIsOutput: sumIsOutput)
    var options = CompileOptions()
    let fused = try runtime.compile(graph, options)
    options.fuses = false
    let unfused = try runtime.compile(graph, options)
    #expect(fused.graph.nodes.map(\.op).contains("add_rms_norm"))
    #expect(!unfused.graph.nodes.map(\.op).contains("add_rms_norm"))
    #expect(fused.graph.nodes.first { $0.op == "add_rms_norm" }?[attribute: "epsilon"] == .float(1e-5))
    #expect(try run(fused, inputs, outputs) == run(unfused, inputs, outputs))
    #expect(fused.report.entries[0].members == [0, 1])
  }

  @Test func aDeviceWithoutTheFusedOperatorKeepsTheParts() throws {
    let (runtime, _) = try makeRuntime([FakeDeviceOptions(ops: ["add", "rms_norm", "neg"])])
    let compiled = try runtime.compile(try addNorm().graph)
    #expect(compiled.graph.nodes.map(\.op) == ["add", "rms_norm", "neg"])
  }

  @Test func aFusedOperatorThatCostsMoreThanItsPartsIsNotTaken() throws {
    for (cost, ops) in [(2001, ["add", "rms_norm", "neg"]), (2000, ["add_rms_norm", "neg"])] as [(UInt64, [String])] {
      let (runtime, _) = try makeRuntime([FakeDeviceOptions(costs: ["add_rms_norm": cost])])
      #expect(try runtime.compile(try addNorm().graph).graph.nodes.map(\.op) == ops)
    }
  }

  @Test func aCompositionWithStepsThatMayBeLeftOutIsNotLookedFor() {
    #expect(FusionPattern.all.contains { $0.spec.name == "norm_matmul" })
    #expect(!FusionPattern.all.contains { $0.spec.name == "qkv_rope_cache" })
  }

  @Test func partsThatOnlyTheFusedOperatorCoversAreTaken() throws {
    let (runtime, _) = try makeRuntime([FakeDeviceOptions(ops: ["add_rms_norm", "neg"])])
    let compiled = try runtime.compile(try addNorm().graph)
    #expect(compiled.graph.nodes.map(\.op) == ["add_rms_norm", "neg"])
  }

  @Test func whatIsBetweenPartsMustNotBeNeededBeforeTheFusedNode() throws {
    // The weight of the norm depends on the sum: the two cannot become one node.
    let (runtime, _) = try makeRuntime()
    var builder = GraphBuilder()
    let x = builder.input("x", .f32, [8])
    let sum = try builder.apply("add", [x, x])[0]!
    let weight = try builder.apply("neg", [sum])[0]!
    builder.output(try builder.apply("rms_norm", [sum, weight])[0]!)
    #expect(try runtime.compile(builder.graph).graph.nodes.map(\.op) == ["add", "neg", "rms_norm"])
  }

  @Test func aReaderBetweenThePartsComesAfterTheFusedNode() throws {
    let (runtime, _) = try makeRuntime()
    var builder = GraphBuilder()
    let x = builder.input("x", .f32, [8])
    let sum = try builder.apply("add", [x, x])[0]!
    let other = try builder.apply("neg", [sum])[0]!
    let normed = try builder.apply("rms_norm", [sum])[0]!
    builder.output(other)
    builder.output(normed)
    let compiled = try runtime.compile(builder.graph)
    #expect(compiled.graph.nodes.map(\.op) == ["add_rms_norm", "neg"])
    try compiled.graph.check()
  }

  @Test func nodesOfDifferentNumericsStayApart() throws {
    let (runtime, _) = try makeRuntime()
    var graph = try addNorm().graph
    graph.nodes[0].numerics = .strict
    #expect(try runtime.compile(graph).graph.nodes.count == 3)
  }
}

@Suite struct CompileTests {
  @Test func aNodeThatBreaksItsSpecIsNamedWithTheLabel() throws {
    let (runtime, _) = try makeRuntime()
    var (graph, _, _) = try addNorm()
    graph.nodes[1].attributes[0].value = .float(-1)
    let error = #expect(throws: BackplaneError.self) { try runtime.compile(graph) }
    #expect(error?.op == "rms_norm")
    #expect(error?.label == "A_epsilon")
    #expect(error?.node == 1)
  }

  @Test func aNodeThatNobodyTakesGetsEachDevicesReason() throws {
    let (runtime, _) = try makeRuntime([FakeDeviceOptions(ops: ["add"], refusalDetail: "come back tomorrow"), FakeDeviceOptions()])
    var builder = GraphBuilder()
    let x = builder.input("x", .f16, [8])
    builder.output(try builder.apply("neg", [x], name: "minus")[0]!)
    let error = #expect(throws: BackplaneError.self) { try runtime.compile(builder.graph, CompileOptions(devices: runtime.devices)) }
    #expect(error?.kind == .unsupported)
    #expect(error?.node == 0)
    #expect(error?.message == "no device takes node 0, neg minus: fake:0: the operator is not implemented: come back tomorrow; "
      + "fake:1: the operand's format is not supported here (operand x: f16[8])")
  }

  @Test func withoutDevicesTheErrorSaysWhereToLook() throws {
    let (runtime, _) = try makeRuntime([])
    let error = #expect(throws: BackplaneError.self) { try runtime.compile(try addNorm().graph) }
    #expect("\(error!)".contains("backplane devices"))
  }

  @Test func fallbackIsAllowedWarnedOfOrForbidden() throws {
    let messages = Mutex<[String]>([])
    let (runtime, _) = try makeRuntime([FakeDeviceOptions(ops: ["add", "neg"], cost: 10), FakeDeviceOptions(cost: 10)], log: { message in
      messages.withLock { $0.append(message.text) }
    })
    let graph = try addNorm().graph
    var options = CompileOptions(devices: runtime.devices, fallback: .allow)
    options.fuses = false
    #expect(try runtime.compile(graph, options).report.fallbackCount == 1)
    #expect(messages.withLock { $0 } == [])
    options.fallback = .warn
    _ = try runtime.compile(graph, options)
    #expect(messages.withLock { $0 } == ["rms_norm runs on fake:1, because fake:0 refuses it: the operator is not implemented"])
    options.fallback = .forbid
    let error = #expect(throws: BackplaneError.self) { try runtime.compile(graph, options) }
    #expect(error?.message == "fallback is forbidden: rms_norm runs on fake:1, because fake:0 refuses it: the operator is not implemented")
  }

  @Test func placementWeighsMovesAgainstFasterNodes() throws {
    func devices(secondCost: UInt64, moveCost: UInt64) throws -> [String] {
      let (runtime, _) = try makeRuntime([FakeDeviceOptions(ops: ["neg"], cost: 1000), FakeDeviceOptions(ops: ["neg"], cost: secondCost)])
      var builder = GraphBuilder()
      var y = builder.input("x", .f32, [8])
      for _ in 0..<4 { y = try builder.apply("neg", [y])[0]! }
      builder.output(y)
      var options = CompileOptions(devices: runtime.devices)
      options.switchNanoseconds = 0
      options.linkCost = { from, to in
        from == nil && to === runtime.devices[0] || to == nil && from === runtime.devices[0] ? .free : LinkCost(latencyNanoseconds: moveCost, nanosecondsPerKibibyte: 0)
      }
      return try runtime.compile(builder.graph, options).report.entries.map(\.device)
    }
    #expect(try devices(secondCost: 900, moveCost: 100) == Array(repeating: "fake:1", count: 4))
    #expect(try devices(secondCost: 900, moveCost: 300) == Array(repeating: "fake:0", count: 4))
  }

  @Test func theReportIsTextAndJSON() throws {
    let (runtime, _) = try makeRuntime([FakeDeviceOptions(ops: ["add", "neg"], cost: 10), FakeDeviceOptions(cost: 10)])
    let report = try runtime.compile(try addNorm().graph, CompileOptions(devices: runtime.devices, fallback: .allow)).report
    #expect(report.text.contains("rms_norm"))
    #expect(report.text.contains("fake:0 refuses: the operator is not implemented"))
    #expect(report.json.contains("\"isFallback\" : true"))
    #expect(report.svg.hasPrefix("<svg") && report.svg.contains("10 ns estimated") && report.svg.contains("fake:0 refuses: the operator is not implemented"))
    #expect(try XMLDocument(xmlString: report.svg).rootElement()?.name == "svg")
  }

  @Test func theReportsCostsAddUp() throws {
    let (runtime, _) = try makeRuntime([FakeDeviceOptions(ops: ["add", "neg"], cost: 10), FakeDeviceOptions(cost: 0)])
    var options = CompileOptions(devices: runtime.devices, fallback: .allow)
    options.switchNanoseconds = 7
    options.linkCost = { from, to in LinkCost(latencyNanoseconds: from == nil || to == nil ? 100 : 1000, nanosecondsPerKibibyte: 0) }
    options.pins = ["add", "neg"].map { PlacementPin($0, device: "fake:0") }
    let report = try runtime.compile(try addNorm().graph, options).report
    #expect(report.entries.map(\.device) == ["fake:0", "fake:1", "fake:0"])
    // Guessed: a microsecond, and 3 x 8 floats read and written at 10 bytes a nanosecond.
    #expect(report.entries.map(\.estimatedNanoseconds) == [10, 1000 + 2 * 96 / 10, 10] && report.entries.map(\.basis) == [.estimated, .guessed, .estimated])
    // Two inputs come, the sum goes over, two outputs leave.
    #expect(report.copies.map(\.nanoseconds) == [1000] && report.moveNanoseconds == 2 * 100 + 1000 + 2 * 100 && report.switchNanoseconds == 14)
    #expect(report.estimatedNanoseconds == report.computeNanoseconds + report.moveNanoseconds + report.switchNanoseconds)
    #expect(report.entries[0].alternatives.map(\.nanoseconds) == [1000 + 3 * 96 / 10] && report.entries[1].alternatives.first?.refusal == "the operator is not implemented")
  }

  @Test func pinnedNodesAreWhereTheyWerePinned() throws {
    let (runtime, _) = try makeRuntime([FakeDeviceOptions(cost: 10), FakeDeviceOptions(cost: 10_000_000)])
    func devices(_ pins: [PlacementPin]) throws -> [String] {
      var options = CompileOptions(devices: runtime.devices)
      (options.pins, options.fuses) = (pins, false)
      return try runtime.compile(try addNorm().graph, options).report.entries.map(\.device)
    }
    #expect(try devices([]) == ["fake:0", "fake:0", "fake:0"])
    #expect(try devices([PlacementPin("norm*", device: "fake:1")]) == ["fake:0", "fake:1", "fake:0"])
    #expect(try devices([PlacementPin("*m*", device: "fake:0"), PlacementPin("*", device: "fake:1")]) == ["fake:0", "fake:0", "fake:1"])
    #expect(try devices([PlacementPin("rms_norm", device: "fake:1")]) == ["fake:0", "fake:1", "fake:0"])
    #expect(throws: BackplaneError.self) { try devices([PlacementPin("softmax", device: "fake:1")]) }
    #expect(throws: BackplaneError.self) { try devices([PlacementPin("add", device: "fake:2")]) }
  }

  @Test func aDevicesMemoryBudgetIsKeptOrRefused() throws {
    let (runtime, _) = try makeRuntime([FakeDeviceOptions(cost: 1000), FakeDeviceOptions(cost: 90_000)])
    var builder = GraphBuilder()
    var y = builder.input("x", .f32, [4, 8])
    for i in 0..<4 { y = try builder.apply("matmul", [y, builder.constant("w\(i)", .f32, [8, 8])])[0]! }
    builder.output(y)
    var options = CompileOptions(devices: runtime.devices)
    #expect(Set(try runtime.compile(builder.graph, options).report.entries.map(\.device)) == ["fake:0"])
    options.memoryBudgets = ["fake:0": 3 * 256 + 10]
    let compiled = try runtime.compile(builder.graph, options)
    #expect(compiled.report.entries.count { $0.device == "fake:0" } == 3 && compiled.memorySummaries[0].weightBytes == 3 * 256)
    options.memoryBudgets = ["fake:0": 256, "fake:1": 2 * 256]
    let error = #expect(throws: BackplaneError.self) { try runtime.compile(builder.graph, options) }
    #expect(error?.message == "no placement keeps the devices' memory budgets (fake:0: 256, fake:1: 512 bytes); weights and states are 1024 bytes")
  }

  @Test func aPluginThatLiesAboutItsWorkspaceIsFoundOut() throws {
    let (runtime, _) = try makeRuntime([FakeDeviceOptions(liesAboutPlacements: true)])
    var builder = GraphBuilder()
    var y = builder.input("x", .f32, [8])
    for _ in 0..<4 { y = try builder.apply("neg", [y])[0]! }
    builder.output(y)
    var options = CompileOptions()
    options.validates = true
    let error = #expect(throws: BackplaneError.self) { try runtime.compile(builder.graph, options) }
    #expect(error?.message.hasPrefix("program_info.placements: ") == true)
    options.validates = false
    _ = try runtime.compile(builder.graph, options)
  }

  @Test func nodesOfOneSignatureAreAskedAboutOnce() throws {
    let (runtime, logs) = try makeRuntime()
    var builder = GraphBuilder()
    var y = builder.input("x", .f32, [8])
    for _ in 0..<50 { y = try builder.apply("neg", [y])[0]! }
    builder.output(y)
    _ = try runtime.compile(builder.graph)
    #expect(logs[0].queriedNodes.load(ordering: .relaxed) == 1)
  }

  @Test func aGraphOfTenThousandNodesCompiles() throws {
    let (runtime, logs) = try makeRuntime()
    let graph = try largeGraph(layers: 1250)
    #expect(graph.nodes.count == 10_000)
    var options = CompileOptions()
    options.validates = false
    var (begin, end) = (timespec(), timespec())
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin)
    let compiled = try runtime.compile(graph, options)
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end)
    // A number for people, not a condition: 52 ms in a release build when this was written.
    print("compile of 10,000 nodes: \((end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1_000_000) ms of processor time")
    #expect(compiled.report.programs.count == 1)
    #expect(compiled.report.fusedCount > 0)
    #expect(logs[0].queriedNodes.load(ordering: .relaxed) < 20)
  }
}

/// Eight nodes a layer, much as a transformer has them.
func largeGraph(layers: Int) throws -> Graph {
  var builder = GraphBuilder()
  let rows = builder.symbol("rows", 1...64)
  var x = builder.input("x", .f32, [.symbol(rows), 32])
  let weight = builder.constant("w", .f32, [32, 32])
  let norm = builder.constant("n", .f32, [32])
  for _ in 0..<layers {
    let normed = try builder.apply("rms_norm", [x, norm])[0]!
    let a = try builder.apply("matmul", [normed, weight])[0]!
    let b = try builder.apply("relu", [a])[0]!
    let c = try builder.apply("matmul", [b, weight])[0]!
    let sum = try builder.apply("add", [c, x])[0]!
    let again = try builder.apply("rms_norm", [sum, norm])[0]!
    let d = try builder.apply("matmul", [again, weight])[0]!
    x = try builder.apply("mul", [d, sum])[0]!
  }
  builder.output(x)
  return builder.graph
}
