import BackplaneABI
import BackplaneConformance
import BackplaneCore
import Dispatch
import Foundation
import Synchronization
import _TestSupport

/// `Plugins/Mutant`, built once by the machine's C compiler, opened in this process.
enum Mutant {
  static func table() throws -> UnsafePointer<bp_plugin> { UnsafePointer(bitPattern: try opened.get())! }
  static let faults: Result<[MutantFault], any Error> = Result { try MutationExecutor().faults(of: path.get()) }

  /// The library's file.
  static let path: Result<String, any Error> = Result {
    let folder = try TemporaryFolder(removedAtExit: true)
    let path = folder.path + "/libmutant.so"
    let sources = try FileManager.default.contentsOfDirectory(atPath: packageFolder + "/Plugins/Mutant").filter { $0.hasSuffix(".c") }.sorted()
    try Tool("cc").run(["-std=gnu11", "-O2", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-fvisibility=hidden",
                        "-I", packageFolder + "/Sources/BackplaneABI/include"] + sources + ["-o", path, "-lm"], in: packageFolder + "/Plugins/Mutant")
    return path
  }
  private static let opened: Result<Int, any Error> = Result {
    guard let library = dlopen(try path.get(), RTLD_NOW | RTLD_LOCAL) else { throw Tool.Failure(description: String(cString: dlerror())) }
    let entry = unsafeBitCast(dlsym(library, BP_PLUGIN_SYMBOL)!, to: (@convention(c) (UInt32, UInt32) -> UnsafePointer<bp_plugin>?).self)
    return Int(bitPattern: entry(UInt32(BP_ABI_1_0), UInt32(BP_ABI_THIS))!)
  }
}

/// A call of the plugin that failed.
struct Failure: Error, CustomStringConvertible {
  let status: bp_status
  let code: Int32
  let node: UInt32
  let message: String
  var description: String { "\(status): \(message)" }
}
func checked(_ call: (UnsafeMutablePointer<bp_error>) -> bp_status) throws {
  var error = bp_error()
  error.h = head(bp_error.self, BP_ST_ERROR)
  let status = call(&error)
  guard status != BP_OK else { return }
  let message = withUnsafeBytes(of: error.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  throw Failure(status: status, code: error.code, node: error.node_plus_1, message: message)
}
func head<T>(_: T.Type, _ type: UInt32) -> bp_head { bp_head(struct_size: UInt32(MemoryLayout<T>.size), struct_type: type, next: nil) }

/// A host: one setting, two threads, counted allocations that can be made to fail.
final class MutantHost: @unchecked Sendable {
  struct State {
    var liveBlocks = 0
    var failsAfter = Int.max
    var isCancelled = false
  }
  let state = Mutex(State())
  let table: UnsafeMutablePointer<bp_host>  // lives as long as the process, as the ABI promises
  private let setting: bp_str

  init(fault: Int) {
    let text = strdup(String(fault))!
    setting = bp_str(ptr: text, len: UInt64(strlen(text)))
    table = .allocate(capacity: 1)
    table.initialize(to: bp_host())
    table.pointee.h = head(bp_host.self, BP_ST_HOST)
    (table.pointee.abi_min, table.pointee.abi_max, table.pointee.abi_negotiated) = (UInt32(BP_ABI_1_0), UInt32(BP_ABI_THIS), UInt32(BP_ABI_1_0))
    table.pointee.ctx = Unmanaged.passRetained(self).toOpaque()
    table.pointee.alloc = { context, bytes, align, _ in
      let isAllowed = Unmanaged<MutantHost>.fromOpaque(context!).takeUnretainedValue().state.withLock { state in
        state.failsAfter -= 1
        if state.failsAfter < 0 { return false }
        state.liveBlocks += 1
        return true
      }
      var memory: UnsafeMutableRawPointer?
      return isAllowed && posix_memalign(&memory, Int(align), Int(bytes)) == 0 ? memory : nil
    }
    table.pointee.free = { context, memory, _, _, _ in
      Unmanaged<MutantHost>.fromOpaque(context!).takeUnretainedValue().state.withLock { $0.liveBlocks -= 1 }
      Foundation.free(memory)
    }
    table.pointee.worker_count = { _, _ in 2 }
    table.pointee.parallel_for = { _, n, _, body, bodyContext, _ in
      let body = body!, address = UInt(bitPattern: bodyContext)
      let chunks = n < 8 ? 1 : 2
      // A thread of its own: a pool may well run both parts one after the other.
      let (begun, done) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
      let part = { @Sendable (i: Int) in
        body(UnsafeMutableRawPointer(bitPattern: address), n * UInt64(i) / UInt64(chunks), n * UInt64(i + 1) / UInt64(chunks), UInt32(i))
      }
      if chunks == 2 {
        Thread.detachNewThread {
          begun.signal()
          part(1)
          done.signal()
        }
        begun.wait()
      }
      part(0)
      if chunks == 2 { done.wait() }
      return BP_OK
    }
    table.pointee.cancelled = { context, _ in Unmanaged<MutantHost>.fromOpaque(context!).takeUnretainedValue().state.withLock { $0.isCancelled ? 1 : 0 } }
    table.pointee.now_ns = { _ in DispatchTime.now().uptimeNanoseconds }
    table.pointee.config_get = { context, key, out in
      guard String(decoding: UnsafeRawBufferPointer(start: key.ptr, count: Int(key.len)), as: UTF8.self) == "mutant.fault" else { return BP_E_INVALID }
      out!.pointee = Unmanaged<MutantHost>.fromOpaque(context!).takeUnretainedValue().setting
      return BP_OK
    }
  }
}

/// The mutant's device with one fault switched on.
final class MutantDevice: @unchecked Sendable {
  let host: MutantHost
  let table: UnsafePointer<bp_plugin>
  let instance: bp_instance
  let handle: bp_device
  let functions: bp_device_fns

  init(fault: Int) throws {
    host = MutantHost(fault: fault)
    table = try Mutant.table()
    var instance: bp_instance?, device: bp_device?, functions: UnsafePointer<bp_device_fns>?
    let (plugin, hostTable) = (table, host.table)
    try checked { plugin.pointee.instance_create(hostTable, &instance, $0) }
    try checked { plugin.pointee.device_open(instance, 0, &device, &functions, $0) }
    (self.instance, handle, self.functions) = (instance!, device!, functions!.pointee)
  }
  deinit {
    table.pointee.device_close(handle)
    table.pointee.instance_destroy(instance)
  }

  func verdicts(_ graph: ABIGraph) throws -> [bp_verdict] {
    var verdicts = [bp_verdict](repeating: bp_verdict(), count: graph.graph.nodes.count)
    for i in verdicts.indices { verdicts[i].h = head(bp_verdict.self, BP_ST_VERDICT) }
    try checked { functions.query(handle, graph.pointer, &verdicts, UInt32(MemoryLayout<bp_verdict>.stride), UInt32(verdicts.count), $0) }
    return verdicts
  }
  func program(_ graph: ABIGraph) throws -> bp_program {
    var compile = bp_compile(), program: bp_program?
    compile.h = head(bp_compile.self, BP_ST_COMPILE)
    compile.graph = graph.pointer
    try checked { functions.program_create(handle, &compile, &program, $0) }
    return program!
  }
  func buffer(_ memory: UnsafeMutableRawPointer, bytes: Int, access: UInt32 = UInt32(BP_ACCESS_READ | BP_ACCESS_WRITE)) throws -> bp_buffer {
    var wanted = bp_buffer_desc(), buffer: bp_buffer?
    wanted.h = head(bp_buffer_desc.self, BP_ST_BUFFER_DESC)
    (wanted.bytes, wanted.source, wanted.host_ptr, wanted.access) = (UInt64(bytes), BP_SOURCE_HOST_POINTER, memory, access)
    try checked { functions.buffer_create(handle, &wanted, &buffer, nil, $0) }
    return buffer!
  }
  func run(_ program: bp_program, _ bindings: [bp_binding], workspace: bp_binding? = nil, symbols: [(UInt32, Int)] = [],
           change: (inout bp_submission) -> Void = { _ in }) throws {
    let values = symbols.map { bp_symbol_value(h: head(bp_symbol_value.self, BP_ST_SYMBOL_VALUE), symbol: $0.0, reserved0: 0, value: Int64($0.1)) }
    let scratch = workspace.map { [$0] } ?? []
    try bindings.withUnsafeBufferPointer { bindings in
      try values.withUnsafeBufferPointer { values in
        try scratch.withUnsafeBufferPointer { scratch in
          var dispatch = bp_dispatch()
          dispatch.h = head(bp_dispatch.self, BP_ST_DISPATCH)
          dispatch.program = program
          dispatch.bindings = bp_array(ptr: bindings.baseAddress, count: UInt32(bindings.count), stride: UInt32(MemoryLayout<bp_binding>.stride))
          dispatch.symbols = bp_array(ptr: values.baseAddress, count: UInt32(values.count), stride: UInt32(MemoryLayout<bp_symbol_value>.stride))
          dispatch.workspace = scratch.isEmpty ? nil : scratch.baseAddress
          try withUnsafePointer(to: &dispatch) { dispatch in
            var submission = bp_submission()
            submission.h = head(bp_submission.self, BP_ST_SUBMISSION)
            submission.dispatches = bp_array(ptr: dispatch, count: 1, stride: UInt32(MemoryLayout<bp_dispatch>.stride))
            change(&submission)
            try checked { functions.execute(handle, &submission, $0) }
          }
        }
      }
    }
  }
}
func binding(_ buffer: bp_buffer, bytes: Int) -> bp_binding { bp_binding(h: head(bp_binding.self, BP_ST_BINDING), buffer: buffer, offset: 0, bytes: UInt64(bytes)) }
