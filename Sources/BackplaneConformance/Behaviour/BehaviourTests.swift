import BackplaneABI
import BackplaneCore
import BackplaneRegistry
import BackplaneRuntime
import BackplaneSpecs
import Foundation
import Synchronization

/// What a plugin must keep beside numbers: the same answer every time, from every thread, without leaks, with the right status when
/// something is wrong. Each test is a case of the pseudo-operator `behaviour`.
public enum BehaviourTests {
  /// What did not hold.
  struct Fault: Error { let text: String }

  static let all: [(name: String, body: @Sendable (Device) throws -> Void)] = [
    ("determinism", determinism), ("threads-1", { try threads($0, 1) }), ("threads-2", { try threads($0, 2) }), ("threads-8", { try threads($0, 8) }),
    ("concurrency", concurrency), ("leak", leak), ("allocation-failure", allocationFailure), ("cancel", cancel), ("deadline", deadline),
    ("short-binding", shortBinding), ("query-pure", queryIsPure), ("query-context", queryIgnoresContext), ("unknown-operator", unknownOperator),
    ("unknown-format", unknownFormat), ("unknown-layout", unknownLayout), ("unknown-memory", unknownMemory), ("struct-size", structSize),
    ("chain", chain), ("reopen", reopen),
  ]

  public static var ids: [String] { all.map { "behaviour/\($0.name)" } }

  static func run(_ id: String, _ device: Device) -> CaseResult {
    guard let test = all.first(where: { "behaviour/\($0.name)" == id }) else { return CaseResult(id: id, outcome: .error, message: "there is no such test of behaviour") }
    let clock = ContinuousClock(), start = clock.now
    var result = CaseResult(id: id, outcome: .pass)
    result.required = true
    do { try test.body(device) } catch let fault as Fault {
      (result.outcome, result.fault, result.message) = (.fail, "behaviour", fault.text)
    } catch {
      (result.outcome, result.fault, result.message) = (.fail, "status", "\(error)")
    }
    let elapsed = clock.now - start
    result.milliseconds = Double(elapsed.components.seconds) * 1000 + Double(elapsed.components.attoseconds) / 1e15
    return result
  }

  private static func prepared(_ device: Device, _ count: Int = 100) throws -> [PreparedCase] {
    try PreparedCase.samples(atMost: count).compactMap { try PreparedCase($0, device) }
  }

  /// The device once more, in an instance of its own with another host.
  private static func reopened(_ device: Device, _ services: HostServices) throws -> Device {
    try Device(try PluginInstance(device.plugin, host: services), index: device.index)
  }

  // MARK: The same every time

  private static func determinism(_ device: Device) throws {
    for test in try prepared(device) {
      try test.run()
      let first = try test.outputs()
      for _ in 0..<2 {
        try test.run()
        if try test.outputs() != first { throw Fault(text: "\(test.id) gives other bits when it runs again") }
      }
      if let again = try PreparedCase(test.id, device) {
        try again.run()
        if try again.outputs() != first { throw Fault(text: "\(test.id) gives other bits when it is compiled again") }
      }
    }
  }

  private static func threads(_ device: Device, _ count: Int) throws {
    let pool = ThreadPool(workers: count)
    defer { pool.stop() }
    let other = try reopened(device, PluginHost(pool: pool, logLevel: .error).services)
    let runner = CaseRunner(other)
    for id in PreparedCase.samples(atMost: 100) {
      let result = runner.run(id)
      if result.outcome != .pass, result.outcome != .unsupported { throw Fault(text: "with \(count) threads: \(id): \(result.message ?? "")") }
    }
  }

  private static func concurrency(_ device: Device) throws {
    let tests = try prepared(device, 24)
    var expected: [[[UInt8]]] = []
    for test in tests {
      try test.run()
      expected.append(try test.outputs())
    }
    struct Work: @unchecked Sendable {
      let device: Device
      let tests: [PreparedCase]
      let expected: [[[UInt8]]]
    }
    let work = Work(device: device, tests: tests, expected: expected)
    let failure = Mutex<String?>(nil)
    let group = DispatchGroup()
    for thread in 0..<8 {
      group.enter()
      Thread.detachNewThread {
        defer { group.leave() }
        do {
          // Programs are shared, buffers are each thread's own.
          let own = try work.tests.map { try PreparedCase($0.id, work.device, sharing: thread % 2 == 0 ? $0 : nil) }
          for round in 0..<(200 / max(own.count, 1) + 1) {
            for i in own.indices {
              let k = (i * 5 + thread + round) % own.count
              guard let test = own[k] else { continue }
              try test.run()
              if try test.outputs() != work.expected[k] { throw Fault(text: "\(test.id) gives other bits beside other threads") }
            }
          }
        } catch { failure.withLock { if $0 == nil { $0 = (error as? Fault)?.text ?? "\(error)" } } }
      }
    }
    group.wait()
    if let text = failure.withLock({ $0 }) { throw Fault(text: text) }
  }

  // MARK: Memory

  private static func leak(_ device: Device) throws {
    let pool = ThreadPool(workers: 2)
    defer { pool.stop() }
    let host = PluginHost(pool: pool, logLevel: .error)
    let other = try reopened(device, host.services)
    let ids = PreparedCase.samples(atMost: 20)
    func once() throws {
      for id in ids {
        guard let test = try PreparedCase(id, other) else { continue }
        try test.run()
        _ = try? test.run(shortening: 1)
      }
      _ = try? other.makeBuffer(byteCount: 64, usage: .input, memoryType: 77)
    }
    for _ in 0..<3 { try once() }
    func blocks() -> Int { host.memory.usage.reduce(0) { $0 + $1.blockCount } }
    let (bytes, count, resident) = (host.memory.byteCount, blocks(), residentBytes())
    for _ in 0..<40 { try once() }
    if host.memory.byteCount != bytes || blocks() != count {
      throw Fault(text: "after 40 rounds the plugin holds \(host.memory.byteCount) bytes of the host in \(blocks()) blocks, before \(bytes) in \(count)")
    }
    let growth = residentBytes() - resident
    if growth > 48 << 20 { throw Fault(text: "the process grew by \(growth >> 20) MiB in 40 rounds") }
  }

  private static func residentBytes() -> Int {
    let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
    return (text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) * 4096
  }

  private static func allocationFailure(_ device: Device) throws {
    let pool = ThreadPool(workers: 1)
    defer { pool.stop() }
    let id = PreparedCase.samples(atMost: 100).first { $0.op == "matmul" } ?? PreparedCase.samples(atMost: 1)[0]
    let host = FailingHost(PluginHost(pool: pool, logLevel: .error))
    for n in 1...50 {
      host.failAt(n)
      do {
        let other = try reopened(device, host.services)
        if let test = try PreparedCase(id, other) { try test.run() }
        if host.hasFailed {
          // It went on without that memory, which is fine: the same once more must be, too.
          if let test = try PreparedCase(id, other) { try test.run() }
        }
      } catch let error as BackplaneError {
        guard host.hasFailed else { throw error }
        if error.kind != .outOfHostMemory, error.kind != .outOfDeviceMemory {
          throw Fault(text: "when allocation \(n) fails, the status is \(error.kind) (\(error.message)), not out of memory")
        }
      }
      let hadEnough = !host.hasFailed
      host.failAt(0)
      if hadEnough { return }
    }
  }

  // MARK: Ends before its time

  private static func cancel(_ device: Device) throws {
    guard let test = try prepared(device, 30).last else { return }
    let token = CancellationToken()
    token.cancel()
    do { try test.run(cancel: token.flag.raw) } catch where error.kind == .cancelled {}
    token.reset()
    try test.run(cancel: token.flag.raw)
  }

  private static func deadline(_ device: Device) throws {
    guard let test = try prepared(device, 30).last else { return }
    do { try test.run(deadline: 1) } catch where error.kind == .timeout {}
    try test.run()
  }

  private static func shortBinding(_ device: Device) throws {
    for test in try prepared(device, 12) {
      try test.run()
      do {
        try test.run(shortening: 1)
        throw Fault(text: "\(test.id) runs with an output that is a byte too short")
      } catch let error as BackplaneError {
        guard error.kind == .invalid else { throw Fault(text: "\(test.id) with an output that is a byte too short: the status is \(error.kind), not invalid") }
      }
      try test.run()
    }
  }

  // MARK: query

  private static func verdicts(_ device: Device, _ graph: Graph) throws -> [Verdict] { try device.query(try ABIGraph(graph)) }

  private static func queryIsPure(_ device: Device) throws {
    for id in PreparedCase.samples(atMost: 100) {
      let graph = try CaseGraph(id).graph
      let first = try verdicts(device, graph)
      if try verdicts(device, graph) != first { throw Fault(text: "\(id): two queries, two answers") }
    }
  }

  /// A node's verdict does not depend on the others of its graph.
  private static func queryIgnoresContext(_ device: Device) throws {
    let ids = PreparedCase.samples(atMost: 40)
    var together = Graph()
    var alone: [Verdict] = []
    for id in ids {
      let graph = try CaseGraph(id).graph
      alone += try verdicts(device, graph)
      let offset = together.tensors.count
      func moved(_ id: TensorID) -> TensorID { TensorID(id.index + offset) }
      together.tensors += graph.tensors
      together.inputs += graph.inputs.map(moved)
      together.constants += graph.constants.map(moved)
      together.outputs += graph.outputs.map(moved)
      for var node in graph.nodes {
        node.inputs = node.inputs.map { $0.map(moved) }
        node.outputs = node.outputs.map { $0.map(moved) }
        together.nodes.append(node)
      }
    }
    for (i, verdict) in try verdicts(device, together).enumerated() where verdict.support != alone[i].support {
      throw Fault(text: "\(ids[i]): alone the verdict is \(alone[i]), beside others \(verdict)")
    }
  }

  /// Changes the records of a small graph and asks about it: must be refused by verdict or status.
  private static func expectRefusal(_ device: Device, _ what: String, reason: UInt32? = nil, _ change: (UnsafeMutablePointer<bp_graph>) -> Void) throws {
    let graph = try ABIGraph(try CaseGraph(try CaseID("add/a=f32.4x8/b=f32.4x8/data=normal/mem=plain")).graph)
    change(UnsafeMutablePointer(mutating: graph.pointer))
    defer { withExtendedLifetime(graph) {} }
    do {
      guard let verdict = try device.query(graph).first else { return }
      if verdict.isSupported { throw Fault(text: "query says yes to \(what)") }
      if verdict.reason.code == 0 { throw Fault(text: "query refuses \(what) without a reason") }
      if let reason, verdict.reason.code != reason { throw Fault(text: "query refuses \(what) because \(verdict.reason)") }
    } catch let error as BackplaneError {
      guard [.unsupported, .invalid].contains(error.kind) else { throw error }
    }
    if (try? device.compile(graph)) != nil { throw Fault(text: "\(what) compiles") }
  }

  private static func tensor(_ graph: UnsafeMutablePointer<bp_graph>, _ index: Int) -> UnsafeMutablePointer<bp_tensor> {
    (UnsafeMutableRawPointer(mutating: graph.pointee.tensors.ptr!) + index * Int(graph.pointee.tensors.stride)).assumingMemoryBound(to: bp_tensor.self)
  }

  private static func unknownOperator(_ device: Device) throws {
    try expectRefusal(device, "an operator that nobody knows", reason: BP_REASON_OP_UNKNOWN) {
      UnsafeMutablePointer(mutating: $0.pointee.nodes.ptr!.assumingMemoryBound(to: bp_node.self)).pointee.op = 0x1234_5678
    }
    try expectRefusal(device, "a version of an operator that does not exist") {
      UnsafeMutablePointer(mutating: $0.pointee.nodes.ptr!.assumingMemoryBound(to: bp_node.self)).pointee.op_version = 9999
    }
  }
  private static func unknownFormat(_ device: Device) throws {
    try expectRefusal(device, "a format that nobody knows") { tensor($0, 0).pointee.dtype = 0x1234_5678 }
  }
  private static func unknownLayout(_ device: Device) throws {
    try expectRefusal(device, "a layout that nobody knows") { tensor($0, 1).pointee.layout = 0x1234_5678 }
  }
  private static func unknownMemory(_ device: Device) throws {
    for type: UInt32 in [77, .max] {
      do {
        _ = try device.makeBuffer(byteCount: 64, usage: .input, memoryType: type)
        throw Fault(text: "a buffer in memory type \(type), which the device does not have, is made")
      } catch let error as BackplaneError {
        guard [.invalid, .unsupported].contains(error.kind) else { throw error }
      }
    }
  }

  // MARK: Versions

  /// An out-struct of an older host is shorter: nothing may be written beyond its size.
  private static func structSize(_ device: Device) throws {
    let bytes = UnsafeMutableRawPointer.allocate(byteCount: 1024, alignment: 16)
    defer { bytes.deallocate() }
    for size in [MemoryLayout<bp_head>.size, 32, 64] {
      memset(bytes, 0x5A, 1024)
      let info = bytes.bindMemory(to: bp_device_info.self, capacity: 1)
      info.pointee.h = bp_head(struct_size: UInt32(size), struct_type: BP_ST_DEVICE_INFO, next: nil)
      _ = device.functions.pointee.info(device.handle, info, nil)
      for i in size..<1024 where bytes.load(fromByteOffset: i, as: UInt8.self) != 0x5A { throw Fault(text: "info writes byte \(i) of a bp_device_info of \(size) bytes") }
    }
    // Errors may be left out.
    _ = device.functions.pointee.query(device.handle, nil, nil, 0, 0, nil)
  }

  private static func chain(_ device: Device) throws {
    var extra = bp_head(struct_size: UInt32(MemoryLayout<bp_head>.size), struct_type: 0x7777, next: nil)
    func create(_ next: UnsafePointer<bp_head>?) -> bp_status {
      var description = bp_buffer_desc()
      description.h = bp_head(struct_size: UInt32(MemoryLayout<bp_buffer_desc>.size), struct_type: BP_ST_BUFFER_DESC, next: next)
      (description.memory_type, description.usage, description.bytes, description.align) = (CasePlace.memoryType(device), BP_USAGE_INPUT, 64, 64)
      description.access = BP_ACCESS_READ | BP_ACCESS_WRITE
      var buffer: bp_buffer?
      let status = device.functions.pointee.buffer_create(device.handle, &description, &buffer, nil, nil)
      if status == BP_OK { device.functions.pointee.buffer_destroy(device.handle, buffer) }
      return status
    }
    let optional = withUnsafePointer(to: extra) { create($0) }
    if optional != BP_OK { throw Fault(text: "an unknown struct that may be skipped makes buffer_create answer \(optional)") }
    extra.struct_type = 0x8000_7777
    let required = withUnsafePointer(to: extra) { create($0) }
    if required != BP_E_UNSUPPORTED { throw Fault(text: "an unknown struct that must be understood makes buffer_create answer \(required), not \(BP_E_UNSUPPORTED)") }
  }

  private static func reopen(_ device: Device) throws {
    let pool = ThreadPool(workers: 2)
    defer { pool.stop() }
    let id = PreparedCase.samples(atMost: 1)[0]
    for _ in 0..<20 {
      let other = try reopened(device, PluginHost(pool: pool, logLevel: .error).services)
      if let test = try PreparedCase(id, other) { try test.run() }
    }
  }
}

/// A host whose n-th allocation from now on fails, once.
private final class FailingHost: @unchecked Sendable {
  let services: HostServices
  private static let countdown = Atomic<Int>(0)
  private static let failed = Atomic<Bool>(false)
  private static let inner = Mutex<SendableTable?>(nil)
  private struct SendableTable: @unchecked Sendable {
    let alloc: @convention(c) (UnsafeMutableRawPointer?, UInt64, UInt64, UInt32) -> UnsafeMutableRawPointer?
  }

  init(_ host: PluginHost) {
    let table = UnsafeMutablePointer<bp_host>.allocate(capacity: 1)
    table.initialize(to: host.services.table.pointee)
    let alloc = table.pointee.alloc!
    FailingHost.inner.withLock { $0 = SendableTable(alloc: alloc) }
    table.pointee.alloc = { context, bytes, alignment, tag in
      if FailingHost.countdown.load(ordering: .relaxed) > 0, FailingHost.countdown.subtract(1, ordering: .relaxed).newValue == 0 {
        FailingHost.failed.store(true, ordering: .relaxed)
        return nil
      }
      return FailingHost.inner.withLock { $0 }!.alloc(context, bytes, alignment, tag)
    }
    services = HostServices(table: UnsafePointer(table))
  }

  func failAt(_ n: Int) {
    FailingHost.failed.store(false, ordering: .relaxed)
    FailingHost.countdown.store(n, ordering: .relaxed)
  }
  var hasFailed: Bool { FailingHost.failed.load(ordering: .relaxed) }
}
