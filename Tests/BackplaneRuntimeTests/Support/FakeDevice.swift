import BackplaneABI
import BackplaneCore
import BackplaneRegistry
import BackplaneRuntime
import Glibc
import Synchronization

/// What a device of the fake plugin can do. Kernels are simple loops over f32.
struct FakeDeviceOptions: Sendable {
  static let everything: Set<String> = ["add", "mul", "neg", "relu", "scale", "rms_norm", "add_rms_norm", "matmul", "tensor_scatter"]
  var ops: Set<String> = FakeDeviceOptions.everything
  /// Nanoseconds a node; 0 tells nothing.
  var cost: UInt64 = 1000
  /// For operators that cost something else.
  var costs: [String: UInt64] = [:]
  var importsHostMemory = true
  /// False: memory must be mapped each time, and is filled with rubbish after unmapping would be wrong.
  var isCoherent = true
  /// Programs of more nodes are refused with GRAPH_LIMIT.
  var mostNodes = Int.max
  /// Says that this node's intermediates overlap, which is a lie that the validator must find.
  var liesAboutPlacements = false
  var refusalDetail = ""
  /// The first so many executions wait for another party's.
  var meets: (at: Rendezvous, count: Int)?
}

/// Counters of one device, to see what the runtime did.
final class FakeDeviceLog: Sendable {
  let queriedNodes = Atomic<Int>(0)
  let programs = Atomic<Int>(0)
  let executions = Atomic<Int>(0)
  let imports = Atomic<Int>(0)
  let buffers = Atomic<Int>(0)
  /// Executions still to fail.
  let failures = Atomic<Int>(0)
}

/// A runtime with nothing but these devices: `fake:0`, `fake:1` …
func makeRuntime(_ devices: [FakeDeviceOptions] = [FakeDeviceOptions()], threads: Int? = 2, trace: Trace? = nil, settings: [String: String] = [:], log: LogHandler? = nil) throws -> (runtime: Runtime, logs: [FakeDeviceLog]) {
  try FakePlugin.making.withLock { _ in
    let logs = devices.map { _ in FakeDeviceLog() }
    FakePlugin.current = zip(devices, logs).map { ($0, $1) }
    var options = Runtime.Options()
    options.searchesForPlugins = false
    options.environment = [:]
    options.threads = threads
    options.trace = trace
    options.settings = settings
    if let log { options.log = log }
    let runtime = Runtime(options)
    try runtime.register(inProcess: FakePlugin.table.pointer)
    _ = runtime.devices
    return (runtime: runtime, logs: logs)
  }
}

enum FakePlugin {
  /// A plugin has no context before it has an instance, so what the next instance has is a global, used under this lock.
  static let making = Mutex(())
  nonisolated(unsafe) static var current: [(FakeDeviceOptions, FakeDeviceLog)] = []

  struct Table: @unchecked Sendable { let pointer: UnsafePointer<bp_plugin> }
  static let table: Table = {
    let table = UnsafeMutablePointer<bp_plugin>.allocate(capacity: 1)
    table.initialize(to: bp_plugin())
    table.pointee.h = record(bp_plugin.self, BP_ST_PLUGIN)
    (table.pointee.abi_min, table.pointee.abi_max) = (UInt32(BP_ABI_1_0), UInt32(BP_ABI_THIS))
    table.pointee.abi_layout_hash = UInt64(BP_ABI_LAYOUT_HASH_1_0)
    table.pointee.name = literal("fake")
    table.pointee.vendor = literal("tests")
    table.pointee.version = literal("1")
    table.pointee.build_id = literal("0")
    table.pointee.instance_create = { host, out, _ in
      out?.pointee = OpaquePointer(Unmanaged.passRetained(FakeInstance(host!, FakePlugin.current)).toOpaque())
      return BP_OK
    }
    table.pointee.instance_destroy = { Unmanaged<FakeInstance>.fromOpaque(UnsafeRawPointer($0!)).release() }
    table.pointee.device_count = { instance, out, _ in
      out?.pointee = UInt32(object(instance, FakeInstance.self).devices.count)
      return BP_OK
    }
    table.pointee.device_open = { instance, index, out, functions, _ in
      let device = object(instance, FakeInstance.self).devices[Int(index)]
      out?.pointee = OpaquePointer(Unmanaged.passRetained(device).toOpaque())
      functions?.pointee = UnsafePointer(FakeFunctions.table.pointer)
      return BP_OK
    }
    table.pointee.device_close = { Unmanaged<FakeDevice>.fromOpaque(UnsafeRawPointer($0!)).release() }
    table.pointee.`extension` = { _, _, _ in nil }
    return Table(pointer: UnsafePointer(table))
  }()
}

func record<T>(_: T.Type, _ type: UInt32) -> bp_head { bp_head(struct_size: UInt32(MemoryLayout<T>.size), struct_type: type, next: nil) }

func literal(_ text: StaticString) -> bp_str {
  bp_str(ptr: UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self), len: UInt64(text.utf8CodeUnitCount))
}

@inline(__always)
func object<T: AnyObject>(_ handle: OpaquePointer?, _: T.Type) -> T { Unmanaged<T>.fromOpaque(UnsafeRawPointer(handle!)).takeUnretainedValue() }

final class FakeInstance {
  let devices: [FakeDevice]
  init(_ host: UnsafePointer<bp_host>, _ devices: [(FakeDeviceOptions, FakeDeviceLog)]) {
    self.devices = devices.enumerated().map { FakeDevice(host, index: $0.offset, $0.element.0, $0.element.1) }
  }
}

final class FakeDevice {
  let host: UnsafePointer<bp_host>
  let index: Int
  let options: FakeDeviceOptions
  let log: FakeDeviceLog
  let memoryType = UnsafeMutablePointer<bp_memory_type>.allocate(capacity: 1)
  let detail: bp_str

  init(_ host: UnsafePointer<bp_host>, index: Int, _ options: FakeDeviceOptions, _ log: FakeDeviceLog) {
    (self.host, self.index, self.options, self.log) = (host, index, options, log)
    var type = bp_memory_type()
    type.h = record(bp_memory_type.self, BP_ST_MEMORY_TYPE)
    type.flags = BP_MEMORY_DEVICE_LOCAL | BP_MEMORY_HOST_VISIBLE
    if options.isCoherent { type.flags |= BP_MEMORY_COHERENT }
    if options.importsHostMemory { type.flags |= BP_MEMORY_IMPORT_HOST }
    type.align = 64
    memoryType.initialize(to: type)
    let text = Array(options.refusalDetail.utf8)
    let bytes = UnsafeMutablePointer<CChar>.allocate(capacity: max(text.count, 1))
    for (i, byte) in text.enumerated() { bytes[i] = CChar(bitPattern: byte) }
    detail = bp_str(ptr: UnsafePointer(bytes), len: UInt64(text.count))
  }

  func supports(_ op: bp_id) -> Bool { FakeOperator.byID[op].map { options.ops.contains($0.rawValue) } ?? false }
}

final class FakeBuffer {
  let memory: UnsafeMutableRawPointer
  let isImported: Bool
  let log: FakeDeviceLog
  init(_ memory: UnsafeMutableRawPointer, isImported: Bool, _ log: FakeDeviceLog) { (self.memory, self.isImported, self.log) = (memory, isImported, log) }
  deinit {
    if !isImported { free(memory) }
    log.buffers.subtract(1, ordering: .relaxed)
  }
}

enum FakeOperator: String, CaseIterable {
  case add, mul, neg, relu, scale, rmsNorm = "rms_norm", addRmsNorm = "add_rms_norm", matmul, tensorScatter = "tensor_scatter", concat
  case difference = "fused.difference"  // of CustomOperatorTests
  static let byID: [bp_id: FakeOperator] = Dictionary(uniqueKeysWithValues: allCases.map { (Identifier($0.rawValue).value, $0) })
}

func fail(_ error: UnsafeMutablePointer<bp_error>?, _ status: bp_status, _ message: StaticString, reason: UInt32 = 0, node: UInt32 = 0) -> bp_status {
  guard let error else { return status }
  error.pointee.code = status
  error.pointee.reason = reason
  error.pointee.node_plus_1 = node
  withUnsafeMutableBytes(of: &error.pointee.message) { bytes in
    for i in 0..<message.utf8CodeUnitCount { bytes[i] = message.utf8Start[i] }
    bytes[message.utf8CodeUnitCount] = 0
  }
  return status
}
