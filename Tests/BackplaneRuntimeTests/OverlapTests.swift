import BackplaneCore
@testable import BackplaneRuntime
import BackplaneSpecs
import Foundation
import Testing
import _TestSupport

/// Each party waits until the others are there, too.
final class Rendezvous: @unchecked Sendable {
  private let condition = NSCondition()
  private let parties: Int
  private var arrived = 0
  private var failures = 0

  init(parties: Int) { self.parties = parties }

  /// Gives up after a minute: then the others will not come.
  func meet() {
    condition.lock()
    defer { condition.unlock() }
    let round = arrived / parties
    arrived += 1
    if arrived % parties == 0 { condition.broadcast() }
    let end = Date(timeIntervalSinceNow: 60)
    while arrived < (round + 1) * parties { if !condition.wait(until: end) { failures += 1; arrived = (round + 1) * parties; condition.broadcast() } }
  }
  var haveMet: Bool { condition.withLock { failures == 0 && arrived > 0 } }
}

@Suite struct OverlapTests {
  /// Two branches that meet again.
  private func branches() throws -> (graph: Graph, x: TensorID, y: TensorID) {
    var builder = GraphBuilder()
    let x = builder.input("x", .f32, [64])
    let left = try builder.apply("neg", [x], name: "left")[0]!
    let right = try builder.apply("relu", [x], name: "right")[0]!
    let y = try builder.apply("add", [left, right], name: "y")[0]!
    builder.output(y)
    return (builder.graph, x, y)
  }

  @Test func branchesOnTwoDevicesRunAtTheSameTime() throws {
    let rendezvous = Rendezvous(parties: 2)
    // The programs of the branches wait for each other; the one behind them waits for nobody.
    let (runtime, logs) = try makeRuntime([FakeDeviceOptions(ops: ["neg", "add"], cost: 1_000_000, meets: (rendezvous, 1)),
                                           FakeDeviceOptions(ops: ["relu"], cost: 1_000_000, isCoherent: false, meets: (rendezvous, 1))], trace: Trace())
    let (graph, x, y) = try branches()
    let compiled = try runtime.compile(graph, CompileOptions(devices: runtime.devices, fallback: .allow))
    #expect(compiled.report.programs.map(\.step) == [0, 0, 1] && compiled.report.text.contains("at the same time as"))
    let session = try Session(compiled)
    session.write((0..<64).map { Float($0) - 32 }, to: x)
    try session.run()
    #expect(session.read(y, as: Float.self) == (0..<64).map { -(Float($0) - 32) + max(Float($0) - 32, 0) })
    #expect(rendezvous.haveMet && logs[0].executions.load(ordering: .relaxed) == 2)
    let programs = try #require(runtime.trace).spans.filter { $0.kind == .program }
    let first = try #require(programs.first { $0.name.contains("neg") }), second = try #require(programs.first { $0.name.contains("relu") })
    let last = try #require(programs.first { $0.name.contains("add") })
    #expect(first.intersects(second) && !last.intersects(first) && !last.intersects(second))
  }

  @Test func theTraceIsChromesFormat() throws {
    let trace = Trace()
    trace.add(.init(name: "a", device: "x:0", kind: .program, begin: 5_000, end: 7_500))
    trace.add(.init(name: "b", device: "y:0", kind: .move, begin: 6_000, end: 9_000))
    let object = try #require(try JSONSerialization.jsonObject(with: Data(trace.json.utf8)) as? [String: Any])
    let events = try #require(object["traceEvents"] as? [[String: Any]])
    let spans = events.filter { $0["ph"] as? String == "X" }
    #expect(spans.map { $0["ts"] as? Double } == [0, 1] && spans.map { $0["dur"] as? Double } == [2.5, 3] && Set(spans.map { $0["tid"] as? Int }).count == 2)
    #expect(events.filter { $0["ph"] as? String == "M" }.compactMap { ($0["args"] as? [String: String])?["name"] } == ["x:0", "y:0, move"])
  }

  @Test func aFailureInOneProgramOfAStepComesBackWhenAllAreDone() throws {
    let (runtime, logs) = try makeRuntime([FakeDeviceOptions(ops: ["neg", "add"], cost: 1_000_000), FakeDeviceOptions(ops: ["relu"], cost: 1_000_000)])
    let (graph, x, y) = try branches()
    let session = try Session(try runtime.compile(graph, CompileOptions(devices: runtime.devices, fallback: .allow)))
    session.write((0..<64).map { Float($0) }, to: x)
    for device in [0, 1] {
      logs[device].failures.store(1, ordering: .relaxed)
      let error = #expect(throws: BackplaneError.self) { try session.run() }
      #expect(error?.kind == .driver)
      try session.run()
      #expect(session.read(y, as: Float.self) == Array(repeating: 0, count: 64))
    }
  }

  /// Cuts, steps and memory: whatever runs at the same time, the numbers are those of one device.
  @Test(arguments: 1...60) func randomGraphsGiveWhatOneDeviceGives(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let devices = Int.random(in: 2...3, using: &random)
    let isCoherent = Bool.random(using: &random)
    let (runtime, _) = try makeRuntime((0..<devices).map { _ in FakeDeviceOptions(cost: 100_000, isCoherent: isCoherent) })
    var builder = GraphBuilder()
    let inputs = (0..<2).map { builder.input("x\($0)", .f32, [16]) }
    var ready = inputs
    var options = CompileOptions(devices: runtime.devices, fallback: .allow)
    options.validates = true
    for i in 0..<Int.random(in: 4...24, using: &random) {
      let two = Bool.random(using: &random)
      let operands = (0..<(two ? 2 : 1)).map { _ in ready.suffix(6).randomElement(using: &random)! }
      ready.append(try builder.apply(two ? "add" : ["neg", "relu"].randomElement(using: &random)!, operands, name: "n\(i).")[0]!)
      options.pins.append(PlacementPin("n\(i).", device: "fake:\(Int.random(in: 0..<devices, using: &random))"))
    }
    let outputs = Array(Set([ready.last!, ready.dropFirst(2).randomElement(using: &random)!]))
    for id in outputs { builder.output(id) }
    func results(_ options: CompileOptions) throws -> [[Float]] {
      let session = try Session(try runtime.compile(builder.graph, options))
      var results: [[Float]] = []
      for round in 0..<3 {
        for (k, id) in inputs.enumerated() { session.write((0..<16).map { Float(($0 * (k + 3) + round) % 7) - 3 }, to: id) }
        try session.run()
        results += outputs.map { session.read($0, as: Float.self) }
      }
      return results
    }
    var alone = CompileOptions(devices: [runtime.devices[0]])
    alone.overlaps = false
    let expected = try results(alone)
    #expect(try results(options) == expected, "seed \(seed)")
    options.overlaps = false
    #expect(try results(options) == expected, "seed \(seed)")
  }
}

@Suite struct MeasuringTests {
  @Test func timesReplaceEstimatesAndAreKept() throws {
    let folder = try TemporaryFolder()
    func compile(_ measures: Bool) throws -> (basis: Set<PlacementReport.Basis>, executions: Int) {
      let (runtime, logs) = try makeRuntime([FakeDeviceOptions(cost: 1)], settings: ["cache.directory": folder.path])
      var builder = GraphBuilder()
      var y = builder.input("x", .f32, [1, 8])
      for _ in 0..<5 { y = try builder.apply("neg", [y])[0]! }
      builder.output(try builder.apply("matmul", [y, builder.constant("w", .f32, [4, 8])])[0]!)
      var options = CompileOptions(devices: runtime.devices)
      options.measures = measures
      let report = try runtime.compile(builder.graph, options).report
      return (Set(report.entries.map(\.basis)), logs[0].executions.load(ordering: .relaxed))
    }
    #expect(try compile(false) == ([.estimated], 0))
    let first = try compile(true)
    #expect(first.basis == [.measured] && first.executions >= 4)
    // One signature each is timed, and the next start knows it.
    #expect(try compile(true) == ([.measured], 0))
  }
}
