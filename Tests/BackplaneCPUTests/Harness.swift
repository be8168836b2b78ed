import BackplaneABI
import BackplaneCore
import Dispatch
import Foundation
import Synchronization

/// The plugin as a host sees it: found beside the test binary, opened once.
enum CPUPlugin {
  nonisolated(unsafe) static let table: UnsafePointer<bp_plugin> = {
    let folder = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
    let path = folder.appendingPathComponent("libBackplaneCPU.so").path
    guard let library = dlopen(path, RTLD_NOW | RTLD_LOCAL) else { fatalError(String(cString: dlerror())) }
    let entry = unsafeBitCast(dlsym(library, BP_PLUGIN_SYMBOL)!, to: (@convention(c) (UInt32, UInt32) -> UnsafePointer<bp_plugin>?).self)
    return entry(UInt32(BP_ABI_1_0), UInt32(BP_ABI_THIS))!
  }()
}

/// A host of a test: settings, a pool of `workers` threads, counted allocations.
final class TestHost: @unchecked Sendable {
  let settings: [String: bp_str]
  let workers: Int
  let table = UnsafeMutablePointer<bp_host>.allocate(capacity: 1)
  let lock = NSLock()
  var liveBytes = 0
  var isCancelled = false

  /// Never freed, as the ABI promises.
  static func make(settings: [String: String] = [:], workers: Int = 2) -> TestHost {
    let host = TestHost(settings, workers)
    host.table.pointee.ctx = Unmanaged.passRetained(host).toOpaque()
    return host
  }

  private init(_ settings: [String: String], _ workers: Int) {
    self.workers = workers
    self.settings = settings.mapValues { text in
      let copy = strdup(text)!
      return bp_str(ptr: copy, len: UInt64(strlen(copy)))
    }
    table.initialize(to: bp_host())
    table.pointee.h = bp_head(struct_size: UInt32(MemoryLayout<bp_host>.size), struct_type: BP_ST_HOST, next: nil)
    (table.pointee.abi_min, table.pointee.abi_max) = (UInt32(BP_ABI_1_0), UInt32(BP_ABI_THIS))
    table.pointee.alloc = { context, bytes, align, _ in
      let host = Unmanaged<TestHost>.fromOpaque(context!).takeUnretainedValue()
      var memory: UnsafeMutableRawPointer?
      guard posix_memalign(&memory, Int(align), Int(bytes)) == 0 else { return nil }
      host.lock.withLock { host.liveBytes += Int(bytes) }
      return memory
    }
    table.pointee.free = { context, memory, bytes, _, _ in
      let host = Unmanaged<TestHost>.fromOpaque(context!).takeUnretainedValue()
      host.lock.withLock { host.liveBytes -= Int(bytes) }
      Foundation.free(memory)
    }
    table.pointee.worker_count = { context, _ in UInt32(Unmanaged<TestHost>.fromOpaque(context!).takeUnretainedValue().workers) }
    table.pointee.parallel_for = { context, n, grain, body, bodyContext, _ in
      let host = Unmanaged<TestHost>.fromOpaque(context!).takeUnretainedValue()
      let chunks = Int(max(1, min(UInt64(host.workers), n / max(grain, 1))))
      let body = body!, address = UInt(bitPattern: bodyContext)
      DispatchQueue.concurrentPerform(iterations: chunks) { i in
        body(UnsafeMutableRawPointer(bitPattern: address), n * UInt64(i) / UInt64(chunks), n * UInt64(i + 1) / UInt64(chunks), UInt32(i))
      }
      return BP_OK
    }
    table.pointee.post = { _, task, taskContext, _ in
      let task = task!, address = UInt(bitPattern: taskContext)
      DispatchQueue.global().async { task(UnsafeMutableRawPointer(bitPattern: address)) }
      return BP_OK
    }
    table.pointee.cancelled = { context, _ in Unmanaged<TestHost>.fromOpaque(context!).takeUnretainedValue().isCancelled ? 1 : 0 }
    table.pointee.now_ns = { _ in clock_gettime_nsec_np_() }
    table.pointee.config_get = { context, key, out in
      let host = Unmanaged<TestHost>.fromOpaque(context!).takeUnretainedValue()
      guard let value = host.settings[String(decoding: UnsafeRawBufferPointer(start: key.ptr, count: Int(key.len)), as: UTF8.self)] else { return BP_E_INVALID }
      out!.pointee = value
      return BP_OK
    }
  }
}

private func clock_gettime_nsec_np_() -> UInt64 {
  var now = timespec()
  clock_gettime(CLOCK_MONOTONIC, &now)
  return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
}

/// What a call of the plugin answered when it failed.
struct Failure: Error, @unchecked Sendable, CustomStringConvertible {
  var status: bp_status
  var record: bp_error
  var message: String { withUnsafeBytes(of: record.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) } }
  var file: String { withUnsafeBytes(of: record.src_file) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) } }
  var description: String { "\(status): \(message)" }
}

func checked(_ call: (UnsafeMutablePointer<bp_error>) -> bp_status) throws {
  var error = bp_error()
  error.h = bp_head(struct_size: UInt32(MemoryLayout<bp_error>.size), struct_type: BP_ST_ERROR, next: nil)
  let status = call(&error)
  if status != BP_OK { throw Failure(status: status, record: error) }
}

func head<T>(_: T.Type, _ type: UInt32) -> bp_head { bp_head(struct_size: UInt32(MemoryLayout<T>.size), struct_type: type, next: nil) }

private struct SendableHandle: @unchecked Sendable { let value: bp_buffer }

/// Device 0 of the plugin under given settings.
final class TestDevice: @unchecked Sendable {
  let host: TestHost
  let instance: bp_instance
  let handle: bp_device
  let functions: UnsafePointer<bp_device_fns>
  /// Destroyed with the device, not with the last reference: tests pass bare handles and addresses on.
  fileprivate let buffers = Mutex<[bp_buffer]>([])

  init(_ settings: [String: String] = [:], workers: Int = 2) throws {
    host = TestHost.make(settings: settings, workers: workers)
    var instance: bp_instance?, device: bp_device?, functions: UnsafePointer<bp_device_fns>?
    let table = host.table
    try checked { CPUPlugin.table.pointee.instance_create(table, &instance, $0) }
    do {
      try checked { CPUPlugin.table.pointee.device_open(instance, 0, &device, &functions, $0) }
    } catch {
      CPUPlugin.table.pointee.instance_destroy(instance)
      throw error
    }
    (self.instance, handle, self.functions) = (instance!, device!, functions!)
  }
  func destroyBuffers() {
    for buffer in buffers.withLock({ $0 }) { functions.pointee.buffer_destroy(handle, buffer) }
    buffers.withLock { $0 = [] }
  }
  deinit {
    destroyBuffers()
    CPUPlugin.table.pointee.device_close(handle)
    CPUPlugin.table.pointee.instance_destroy(instance)
  }

  func buffer(bytes: Int) throws -> TestBuffer { try TestBuffer(self, bytes: bytes) }

  func verdicts(_ graph: ABIGraph) throws -> [bp_verdict] {
    var verdicts = [bp_verdict](repeating: bp_verdict(), count: graph.graph.nodes.count)
    for i in verdicts.indices { verdicts[i].h = head(bp_verdict.self, BP_ST_VERDICT) }
    try checked { functions.pointee.query(handle, graph.pointer, &verdicts, UInt32(MemoryLayout<bp_verdict>.stride), UInt32(verdicts.count), $0) }
    return verdicts
  }
}

final class TestBuffer: @unchecked Sendable {
  let device: TestDevice
  let handle: bp_buffer
  let bytes: Int

  init(_ device: TestDevice, bytes: Int, importing memory: UnsafeMutableRawPointer? = nil, access: UInt32 = 0) throws {
    var wanted = bp_buffer_desc(), handle: bp_buffer?
    wanted.h = head(bp_buffer_desc.self, BP_ST_BUFFER_DESC)
    wanted.bytes = UInt64(bytes)
    if let memory { (wanted.source, wanted.host_ptr, wanted.access) = (BP_SOURCE_HOST_POINTER, memory, access) }
    try checked { device.functions.pointee.buffer_create(device.handle, &wanted, &handle, nil, $0) }
    (self.device, self.handle, self.bytes) = (device, handle!, bytes)
    device.buffers.withLock { [handle = SendableHandle(value: handle!)] in $0.append(handle.value) }
  }

  var address: UnsafeMutableRawPointer {
    var address: UnsafeMutableRawPointer?
    try! checked { device.functions.pointee.buffer_map(device.handle, handle, 0, UInt64(bytes), BP_ACCESS_READ, &address, $0) }
    return address!
  }
  func binding(offset: Int = 0) -> bp_binding {
    bp_binding(h: head(bp_binding.self, BP_ST_BINDING), buffer: handle, offset: UInt64(offset), bytes: UInt64(bytes - offset))
  }
}

final class TestProgram: @unchecked Sendable {
  let device: TestDevice
  let graph: ABIGraph
  let handle: bp_program
  let info: bp_program_info

  /// - Parameter change: May alter the ABI's records before they are compiled.
  init(_ device: TestDevice, _ graph: Graph, change: (bp_graph) -> Void = { _ in }) throws {
    (self.device, self.graph) = (device, try ABIGraph(graph))
    change(self.graph.pointer.pointee)
    var compile = bp_compile(), handle: bp_program?, info = bp_program_info()
    compile.h = head(bp_compile.self, BP_ST_COMPILE)
    compile.graph = self.graph.pointer
    info.h = head(bp_program_info.self, BP_ST_PROGRAM_INFO)
    try checked { device.functions.pointee.program_create(device.handle, &compile, &handle, $0) }
    try checked { device.functions.pointee.program_info(handle, &info, $0) }
    (self.handle, self.info) = (handle!, info)
  }
  deinit { device.functions.pointee.program_destroy(handle) }

  func makeWorkspace() throws -> TestBuffer { try device.buffer(bytes: Int(info.workspace_bytes)) }

  /// One dispatch, synchronous or as a submission handed to `submit`.
  func run(_ bindings: [bp_binding], symbols: [UInt32: Int] = [:], workspace: TestBuffer?, change: (inout bp_submission) -> Void = { _ in },
           submit: ((UnsafePointer<bp_submission>, UnsafeMutablePointer<bp_error>) -> bp_status)? = nil) throws {
    let values = symbols.sorted { $0.key < $1.key }.map {
      bp_symbol_value(h: head(bp_symbol_value.self, BP_ST_SYMBOL_VALUE), symbol: $0.key, reserved0: 0, value: Int64($0.value))
    }
    let scratch = workspace.map { [$0.binding()] } ?? []
    try bindings.withUnsafeBufferPointer { bindings in
      try values.withUnsafeBufferPointer { values in
        try scratch.withUnsafeBufferPointer { scratch in
          var dispatch = bp_dispatch()
          dispatch.h = head(bp_dispatch.self, BP_ST_DISPATCH)
          dispatch.program = handle
          dispatch.bindings = bp_array(ptr: bindings.baseAddress, count: UInt32(bindings.count), stride: UInt32(MemoryLayout<bp_binding>.stride))
          dispatch.symbols = bp_array(ptr: values.baseAddress, count: UInt32(values.count), stride: UInt32(MemoryLayout<bp_symbol_value>.stride))
          dispatch.workspace = scratch.baseAddress
          try withUnsafePointer(to: &dispatch) { dispatch in
            var submission = bp_submission()
            submission.h = head(bp_submission.self, BP_ST_SUBMISSION)
            submission.dispatches = bp_array(ptr: dispatch, count: 1, stride: UInt32(MemoryLayout<bp_dispatch>.stride))
            change(&submission)
            try checked { submit?(&submission, $0) ?? device.functions.pointee.execute(device.handle, &submission, $0) }
          }
        }
      }
    }
  }
}
