import BackplaneABI
import BackplaneCore
import BackplaneRegistry
import BackplaneRuntime
import BackplaneSpecs
import Glibc

/// What a plugin must keep beside numbers: the same answer every time, from every thread, without leaks, with the right status when
/// something is wrong, and without harm to the process. Each test is a case of the pseudo-operator `behaviour`.
///
/// Tests read no clock to judge speed; what may take a moment is repeated before it counts.
public enum BehaviourTests {
  /// What did not hold.
  struct Fault: Error { let text: String }
  /// Why a test says nothing about this device.
  struct NotApplicable: Error { let text: String }

  typealias Body = @Sendable (Device) throws -> Void

  static let all: [(name: String, body: Body)] =
    repeatTests + memoryTests + timeTests + queryTests + recordTests + misuseTests + programTests + processTests + queueTests

  public static var ids: [String] { all.map { "behaviour/\($0.name)" } }

  /// The test whose ``CaseResult/digest`` must be the same in another process.
  static let acrossProcesses = "behaviour/processes"

  static func run(_ id: String, _ device: Device) -> CaseResult {
    guard let test = all.first(where: { "behaviour/\($0.name)" == id }) else { return CaseResult(id: id, outcome: .error, message: "there is no such test of behaviour") }
    let clock = ContinuousClock(), start = clock.now
    var result = CaseResult(id: id, outcome: .pass)
    result.required = true
    do {
      if id == acrossProcesses { result.digest = try digest(device) } else { try test.body(device) }
    } catch let fault as Fault {
      (result.outcome, result.fault, result.message) = (.fail, "behaviour", fault.text)
    } catch let reason as NotApplicable {
      (result.outcome, result.required, result.message) = (.unsupported, false, "does not apply: \(reason.text)")
    } catch {
      (result.outcome, result.fault, result.message) = (.fail, "status", "\(error)")
    }
    let elapsed = clock.now - start
    result.milliseconds = Double(elapsed.components.seconds) * 1000 + Double(elapsed.components.attoseconds) / 1e15
    return result
  }

  // MARK: What several tests need

  /// Samples that the device supports, ready to run.
  static func prepared(_ device: Device, _ count: Int = .max) throws -> [PreparedCase] {
    var tests: [PreparedCase] = []
    for id in PreparedCase.samples where tests.count < count {
      if let test = try PreparedCase(id, device) { tests.append(test) }
    }
    return tests
  }

  /// The device once more, in an instance of its own with another host.
  static func open(_ device: Device, _ monitor: HostMonitor) throws(BackplaneError) -> Device {
    try Device(try PluginInstance(device.plugin, host: monitor.services), index: device.index)
  }

  /// Runs `body` with an instance of its own, whose host is watched; when it is gone, everything must have been given back.
  static func watch(_ device: Device, pool: ThreadPool? = nil, _ body: (Device, HostMonitor) throws -> Void) throws {
    let monitor = HostMonitor(device.instance.host, pool: pool)
    do { try body(try open(device, monitor), monitor) }
    try checkGone(monitor)
  }

  /// What an instance that is gone must have left behind: nothing.
  static func checkGone(_ monitor: HostMonitor) throws {
    monitor.end()
    if let misuse = monitor.misuse { throw Fault(text: misuse) }
    if monitor.blockCount > 0 {
      throw Fault(text: "after instance_destroy \(monitor.blockCount) blocks of host memory (\(monitor.byteCount) bytes) were not given back")
    }
  }

  /// A graph that is ready to run.
  ///
  /// - Throws: ``NotApplicable`` when `query` says no.
  static func prepare(_ graph: Graph, _ data: [TensorID: [UInt8]], symbols: SymbolValues = [:], _ device: Device) throws -> PreparedGraph {
    let records = try ABIGraph(graph)
    if let no = try device.query(records).first(where: { !$0.isSupported }) { throw NotApplicable(text: "\(graph.nodes[0].op) of f32 is refused: \(no)") }
    return try PreparedGraph(graph, data, symbols: symbols, device)
  }

  /// x1 = x0 + x0, x2 = x1 + x1, … of `shape`; what lies between is in the workspace.
  static func doublings(_ count: Int, _ shape: [Int] = [4, 8]) throws -> Graph {
    var builder = GraphBuilder()
    var x = builder.input("x0", .f32, Shape(shape))
    for _ in 0..<count { x = try builder.apply("add", [x, x])[0]! }
    builder.output(x)
    return builder.graph
  }

  /// 2^count · (1, 2, 3 …), ready to run.
  static func doubling(_ device: Device, _ count: Int = 1, _ shape: [Int] = [4, 8]) throws -> PreparedGraph {
    let graph = try doublings(count, shape)
    return try prepare(graph, [graph.inputs[0]: bytes((0..<shape.reduce(1, *)).map { Float($0 + 1) })], device)
  }
  static func expectDoubled(_ graph: PreparedGraph, _ what: String, factor: Float = 2) throws {
    let values = floats(try graph.outputs()[0])
    for (i, value) in values.enumerated() where value != factor * Float(i + 1) {
      throw Fault(text: "\(what): element \(i) is \(value), must be \(factor * Float(i + 1))")
    }
  }

  static func bytes(_ values: [Float]) -> [UInt8] { values.withUnsafeBytes { Array($0) } }
  static func floats(_ bytes: [UInt8]) -> [Float] { bytes.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) } }

  /// `body` must fail with one of `kinds`.
  static func expect(_ kinds: BackplaneError.Kind..., when what: String, _ body: () throws -> Void) throws {
    do { try body() } catch let error as BackplaneError {
      guard kinds.contains(error.kind) else { throw Fault(text: "\(what): the status is \(error.kind) (\(error.message)), not \(kinds[0])") }
      return
    }
    throw Fault(text: "\(what) is answered with OK, not \(kinds[0])")
  }
}
