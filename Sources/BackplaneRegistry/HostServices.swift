import BackplaneABI
import Glibc

/// The services that the host offers to plugins, as the ABI's table.
///
/// The registry hands each plugin its own copy of the table with `abi_negotiated` filled in and no slot left empty; copies are
/// never freed, because a plugin may use the table as long as the process lives. What `table.pointee.ctx` points to must live as long, too.
public struct HostServices: @unchecked Sendable {
  public var table: UnsafePointer<bp_host>

  public init(table: UnsafePointer<bp_host>) { self.table = table }

  /// A copy for one plugin, which is never freed.
  func copy(negotiated version: UInt32) -> UnsafePointer<bp_host> {
    let copy = UnsafeMutablePointer<bp_host>.allocate(capacity: 1)
    copy.initialize(to: copyOfTable(UnsafeRawPointer(table), zero: bp_host()))
    copy.pointee.h = bp_head(struct_size: UInt32(MemoryLayout<bp_host>.size), struct_type: BP_ST_HOST, next: nil)
    (copy.pointee.abi_min, copy.pointee.abi_max, copy.pointee.abi_negotiated) = (ABIVersion.hostMinimum.number, ABIVersion.hostMaximum.number, version)
    copy.pointee.fillEmptySlots()
    return UnsafePointer(copy)
  }
}

extension HostServices {
  /// A host that is just enough to open a plugin: malloc, serial loops, no stores, no log, settings from `settings`.
  ///
  /// For the probe and for tests; a runtime brings its own. Its few hundred bytes are never freed.
  public static func minimal(settings: [String: String] = [:]) -> HostServices {
    let context = Unmanaged.passRetained(MinimalHost(settings)).toOpaque()
    let table = UnsafeMutablePointer<bp_host>.allocate(capacity: 1)
    table.initialize(to: bp_host())
    table.pointee.h = bp_head(struct_size: UInt32(MemoryLayout<bp_host>.size), struct_type: BP_ST_HOST, next: nil)
    table.pointee.abi_min = ABIVersion.hostMinimum.number
    table.pointee.abi_max = ABIVersion.hostMaximum.number
    table.pointee.ctx = context
    table.pointee.fillEmptySlots()
    table.pointee.config_get = { context, key, out in
      let host = Unmanaged<MinimalHost>.fromOpaque(context!).takeUnretainedValue()
      guard let value = host.settings[String(key)] else { return BP_E_INVALID }
      out?.pointee = value
      return BP_OK
    }
    return HostServices(table: UnsafePointer(table))
  }
}

extension bp_host {
  /// Puts the plainest service into each slot that is empty, so that no plugin meets NULL: malloc, serial loops, no stores, no log,
  /// no settings.
  mutating func fillEmptySlots() {
    if alloc == nil {
      alloc = { _, bytes, align, _ in
        var memory: UnsafeMutableRawPointer?
        return posix_memalign(&memory, max(Int(clamping: align), 16), max(Int(clamping: bytes), 1)) == 0 ? memory : nil
      }
    }
    if free == nil { free = { _, memory, _, _, _ in Glibc.free(memory) } }
    if log_enabled == nil { log_enabled = { _, _, _ in 0 } }
    if log == nil { log = { _, _, _, _, _ in } }
    if worker_count == nil { worker_count = { _, _ in 1 } }
    if parallel_for == nil {
      parallel_for = { _, count, _, body, bodyContext, _ in
        if count > 0 { body!(bodyContext, 0, count, 0) }
        return BP_OK
      }
    }
    if post == nil {
      post = { _, task, taskContext, _ in
        task!(taskContext)
        return BP_OK
      }
    }
    if name_of == nil { name_of = { _, _, _ in BP_E_INVALID } }
    if store_get == nil { store_get = { _, _, _, _, _ in BP_E_UNSUPPORTED } }
    if store_put == nil { store_put = { _, _, _, _, _ in BP_E_UNSUPPORTED } }
    if store_unpin == nil { store_unpin = { _, _ in } }
    if cancelled == nil { cancelled = { _, _ in 0 } }
    if now_ns == nil {
      now_ns = { _ in
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
      }
    }
    if report_fault == nil { report_fault = { _, _, _ in } }
    if config_get == nil { config_get = { _, _, _ in BP_E_INVALID } }
  }
}

/// Settings in memory that is never freed: a plugin may keep what `config_get` gave it.
private final class MinimalHost {
  let settings: [String: bp_str]
  init(_ settings: [String: String]) {
    self.settings = settings.mapValues { text in
      let bytes = UnsafeMutableBufferPointer<CChar>.allocate(capacity: max(text.utf8.count, 1))
      for (i, byte) in text.utf8.enumerated() { bytes[i] = CChar(bitPattern: byte) }
      return bp_str(ptr: UnsafePointer(bytes.baseAddress), len: UInt64(text.utf8.count))
    }
  }
}
