import BackplaneABI
import BackplaneCore
import BackplaneRegistry
import Glibc
import Synchronization

/// What plugins may call: memory, threads, log, settings, stores, clock.
///
/// The table and this object behind it live as long as the process, because a plugin may use them that long. Blobs are kept on disk
/// where a ``BlobStore`` is given; else they, and tuning records, are gone with the process.
public final class PluginHost: @unchecked Sendable {
  /// For the registry, which gives each plugin its copy.
  public private(set) var services: HostServices
  public let pool: ThreadPool
  public let memory = TaggedMemory()

  private let settings: Mutex<[String: PermanentText]>
  /// Closures in a record: a mutex of a closure itself wraps it once more each time that it is looked at.
  private struct Handlers: Sendable {
    var log: LogHandler
    var fault: @Sendable (BackplaneError) -> Void = { _ in }
  }
  private let handlers: Mutex<Handlers>
  let blobs: BlobStore?
  private let store = MemoryStore()
  private let warnedOfStore = Atomic<Bool>(false)
  private let logLevel: Atomic<UInt32>

  /// - Parameters:
  ///   - settings: Keys such as "cpu.isa". They win over the environment's `BACKPLANE_CPU_ISA`.
  ///   - blobs: Where plugins keep compiled programs and packed weights between runs.
  ///   - log: Told what plugins say at `logLevel` or above it.
  public init(pool: ThreadPool, settings: [String: String] = [:], environment: [String: String] = [:], blobs: BlobStore? = nil,
              logLevel: LogLevel = .warning, log: @escaping LogHandler = LogMessage.writeToStandardError) {
    self.pool = pool
    self.blobs = blobs
    let all = PluginHost.settings(from: environment).merging(settings) { _, explicit in explicit }
    self.settings = Mutex(all.mapValues { PermanentText($0) })
    self.logLevel = Atomic(logLevel.rawValue)
    handlers = Mutex(Handlers(log: log))
    let table = UnsafeMutablePointer<bp_host>.allocate(capacity: 1)
    table.initialize(to: bp_host())
    services = HostServices(table: UnsafePointer(table))
    table.pointee = makeTable()
  }

  /// `BACKPLANE_CPU_ISA=avx2` means "cpu.isa" = "avx2". A name with more parts has its first underscore made a point:
  /// `BACKPLANE_OPENCL_BUILD_FLAGS` is "opencl.build_flags".
  public static func settings(from environment: [String: String]) -> [String: String] {
    var settings: [String: String] = [:]
    for (name, value) in environment where name.hasPrefix("BACKPLANE_") {
      let parts = name.dropFirst("BACKPLANE_".count).lowercased().split(separator: "_", maxSplits: 1)
      if parts.count == 2 { settings["\(parts[0]).\(parts[1])"] = value }
    }
    return settings
  }

  /// Nil when it is not set.
  public func setting(_ key: String) -> String? {
    settings.withLock { $0[key] }.map { text($0.record) }
  }

  /// Plugins read most settings when a device is opened: set them before.
  public func set(_ key: String, to value: String?) { settings.withLock { $0[key] = value.map { PermanentText($0) } } }

  public func setLog(level: LogLevel, handler: @escaping LogHandler) {
    handlers.withLock { $0.log = handler }
    logLevel.store(level.rawValue, ordering: .relaxed)
  }

  /// Called when a device is lost or degraded, from the thread that found out.
  public func setFaultHandler(_ handler: @escaping @Sendable (BackplaneError) -> Void) { handlers.withLock { $0.fault = handler } }

  public func log(_ message: LogMessage) {
    guard isLogged(message.level.rawValue) else { return }
    let handler = handlers.withLock { $0.log }
    handler(message)
  }

  /// Ends the threads and forgets what the stores in memory hold, because the runtime is gone. What is left answers as long as the process lives.
  func retire() {
    pool.stop()
    store.removeAll()
  }

  fileprivate func isLogged(_ level: UInt32) -> Bool { level <= logLevel.load(ordering: .relaxed) }

  // MARK: Stores

  /// The pin is the object that keeps the bytes, retained.
  private func getStored(_ store: UInt32, _ key: bp_span, _ out: inout bp_span, _ pin: inout UnsafeMutableRawPointer?) -> bp_status {
    let found: UnsafeRawBufferPointer, owner: AnyObject
    if store == BP_STORE_BLOB, let blobs {
      guard let blob = blobs.get(bytes(key)) else { return BP_E_INVALID }
      (found, owner) = (blob.bytes, blob)
    } else {
      guard let value = self.store.get(store, bytes(key)) else { return BP_E_INVALID }
      (found, owner) = (UnsafeRawBufferPointer(value.bytes), value)
    }
    out = bp_span(ptr: found.baseAddress, len: UInt64(found.count))
    pin = Unmanaged.passRetained(owner).toOpaque()
    return BP_OK
  }

  /// A blob that cannot be kept is made again the next time: a warning, once.
  private func putStored(_ store: UInt32, _ key: bp_span, _ value: bp_span) -> bp_status {
    let (key, value) = (bytes(key), bytes(value))
    guard store == BP_STORE_BLOB, let blobs else {
      self.store.put(store, key, value)
      return BP_OK
    }
    do throws(BackplaneError) {
      try blobs.put(key, value)
      return BP_OK
    } catch {
      warnOfStore("\(error); going on without")
      return error.nativeCode == Int64(ENOSPC) ? BP_E_OOM_HOST : BP_E_INTERNAL
    }
  }

  func warnOfStore(_ text: String) {
    if !warnedOfStore.exchange(true, ordering: .relaxed) { log(LogMessage(level: .warning, category: "cache", text: text)) }
  }

  // MARK: The table

  private func makeTable() -> bp_host {
    var table = bp_host()
    table.h = head(bp_host.self, BP_ST_HOST)
    (table.abi_min, table.abi_max) = (UInt32(BP_ABI_1_0), UInt32(BP_ABI_THIS))
    // Retained for good.
    table.ctx = Unmanaged.passRetained(self).toOpaque()
    table.alloc = { context, bytes, alignment, tag in host(context) { $0.memory.allocate(Int(clamping: bytes), alignment: Int(clamping: alignment), tag: tag) } }
    table.free = { context, memory, bytes, _, tag in host(context) { $0.memory.free(memory, Int(clamping: bytes), tag: tag) } }
    table.log_enabled = { context, level, _ in host(context) { $0.isLogged(level) ? 1 : 0 } }
    table.log = { context, level, category, message, fields in
      host(context) { host in
        guard host.isLogged(level) else { return }
        host.log(LogMessage(level: LogLevel(rawValue: level) ?? .trace, category: text(category), text: text(message), fields: namedValues(fields)))
      }
    }
    table.worker_count = { context, _ in host(context) { UInt32($0.pool.workerCount) } }
    table.parallel_for = { context, count, grain, body, bodyContext, _ in
      guard let body else { return BP_E_INVALID }
      return host(context) { $0.pool.parallelFor(count, grain: grain, body, bodyContext) ? BP_OK : BP_E_CANCELLED }
    }
    table.post = { context, task, taskContext, priority in
      guard let task else { return BP_E_INVALID }
      host(context) { $0.pool.post(task, taskContext, priority: priority) }
      return BP_OK
    }
    table.name_of = { _, id, out in
      guard let name = KnownNames.text(of: id) else { return BP_E_INVALID }
      out?.pointee = name.record
      return BP_OK
    }
    table.store_get = { context, store, key, out, pin in
      guard let out, let pin else { return BP_E_INVALID }
      return host(context) { $0.getStored(store, key, &out.pointee, &pin.pointee) }
    }
    table.store_put = { context, store, key, value, _ in host(context) { $0.putStored(store, key, value) } }
    table.store_unpin = { _, pin in if let pin { Unmanaged<AnyObject>.fromOpaque(pin).release() } }
    table.cancelled = { _, token in token.map { CancellationToken.Flag(raw: $0).isSet } ?? false ? 1 : 0 }
    table.now_ns = { _ in monotonicNanoseconds() }
    table.report_fault = { context, _, error in
      guard let error else { return }
      host(context) { host in
        let fault = BackplaneError(status: error.pointee.code, error: error.pointee, call: "report_fault", subject: "device")
        host.log(LogMessage(level: .error, category: "device", text: fault.description))
        let handler = host.handlers.withLock { $0.fault }
        handler(fault)
      }
    }
    table.config_get = { context, key, out in
      host(context) { host in
        let key = text(key)
        guard let value = host.settings.withLock({ $0[key] }) else { return BP_E_INVALID }
        out?.pointee = value.record
        return BP_OK
      }
    }
    return table
  }
}

@inline(__always)
private func host<R>(_ context: UnsafeMutableRawPointer?, _ body: (PluginHost) -> R) -> R {
  Unmanaged<PluginHost>.fromOpaque(context!)._withUnsafeGuaranteedRef(body)
}

private func text(_ string: bp_str) -> String {
  guard let start = string.ptr else { return "" }
  return String(decoding: UnsafeRawBufferPointer(start: start, count: Int(min(string.len, 65536))), as: UTF8.self)
}

private func bytes(_ span: bp_span) -> UnsafeRawBufferPointer {
  UnsafeRawBufferPointer(start: span.ptr, count: span.ptr == nil ? 0 : Int(clamping: span.len))
}

private func namedValues(_ fields: UnsafePointer<bp_array>?) -> [(name: String, value: String)] {
  guard let fields, let start = fields.pointee.ptr, fields.pointee.stride >= UInt32(MemoryLayout<bp_attr>.size) else { return [] }
  return (0..<Int(min(fields.pointee.count, 64))).map { i in
    let field = (start + i * Int(fields.pointee.stride)).assumingMemoryBound(to: bp_attr.self).pointee
    let name = KnownNames.text(of: field.name).map { text($0.record) } ?? "0x" + String(field.name, radix: 16)
    let value: String = switch field.kind {
    case BP_ATTR_I64: "\(field.i)"
    case BP_ATTR_F64: "\(field.f)"
    case BP_ATTR_STR: text(bp_str(ptr: field.data?.assumingMemoryBound(to: CChar.self), len: UInt64(field.count)))
    default: "(\(field.count) values)"
    }
    return (name, value)
  }
}

/// A string that lives as long as the process.
struct PermanentText: @unchecked Sendable {
  let record: bp_str

  init(_ string: String) {
    let bytes = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: max(string.utf8.count, 1))
    _ = bytes.initialize(from: string.utf8)
    record = bp_str(ptr: UnsafeRawPointer(bytes.baseAddress!).assumingMemoryBound(to: CChar.self), len: UInt64(string.utf8.count))
  }
}

func head<T>(_: T.Type, _ type: UInt32) -> bp_head {
  bp_head(struct_size: UInt32(MemoryLayout<T>.size), struct_type: type, next: nil)
}
