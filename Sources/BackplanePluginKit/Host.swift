public import BackplaneABI

/// The host's services, every function there: what an older host lacks answers as the ABI says for a missing one.
///
/// A value; the table that it points to is owned by whoever calls ``deallocate()``. Any thread.
public struct Host: @unchecked Sendable {
  /// Every function set.
  public let table: UnsafePointer<bp_host>

  /// - Throws: `BP_E_ABI` when the table is no table or the host does not speak `abi`.
  public init(_ source: UnsafePointer<bp_host>?, abi: ClosedRange<UInt32>) throws(PluginError) {
    guard let source else { throw .invalid("instance_create: no host table") }
    var copy = readRecord(source, zero: bp_host())
    guard Int(copy.h.struct_size) >= MemoryLayout<bp_host>.offset(of: \.alloc)! else {
      throw PluginError(BP_E_ABI, "the host's table has a struct_size of \(copy.h.struct_size)")
    }
    guard copy.abi_max >= abi.lowerBound, copy.abi_min <= abi.upperBound, copy.abi_max >= copy.abi_min else {
      throw PluginError(BP_E_ABI, "the host speaks ABI \(copy.abi_min) to \(copy.abi_max), this plugin \(abi.lowerBound) to \(abi.upperBound)")
    }
    copy.h = head(bp_host.self, BP_ST_HOST)
    copy.fillMissing()
    let memory = UnsafeMutablePointer<bp_host>.allocate(capacity: 1)
    memory.initialize(to: copy)
    table = UnsafePointer(memory)
  }

  public func deallocate() { table.deallocate() }

  public var workerCount: Int { max(Int(table.pointee.worker_count(table.pointee.ctx, 0)), 1) }
  public var now: UInt64 { table.pointee.now_ns(table.pointee.ctx) }

  /// Of a token that a request came with; nil never is.
  public func isCancelled(_ token: UnsafeMutableRawPointer?) -> Bool { token != nil && table.pointee.cancelled(table.pointee.ctx, token) != 0 }

  /// - Throws: `BP_E_CANCELLED` or `BP_E_TIMEOUT` when nobody wants the submission any more.
  public func checkTime(_ submission: bp_submission, node: Int?) throws(PluginError) {
    if isCancelled(submission.cancel) { throw PluginError(BP_E_CANCELLED, "cancelled", node: node) }
    if submission.deadline_ns != 0, now > submission.deadline_ns { throw PluginError(BP_E_TIMEOUT, "the deadline has passed", node: node) }
  }

  /// - Throws: `BP_E_OOM_HOST`.
  public func allocate(bytes: UInt64, align: UInt64, tag: UInt32) throws(PluginError) -> UnsafeMutableRawPointer {
    guard let memory = table.pointee.alloc(table.pointee.ctx, bytes, align, tag) else {
      throw PluginError(BP_E_OOM_HOST, "the host gave no \(bytes) bytes", reason: BP_REASON_MEMORY, retry: BP_RETRY_AFTER_FREEING_MEMORY)
    }
    return memory
  }
  public func free(_ memory: UnsafeMutableRawPointer, bytes: UInt64, align: UInt64, tag: UInt32) {
    table.pointee.free(table.pointee.ctx, memory, bytes, align, tag)
  }
  /// The value of a setting, nil when it is not set.
  public func setting(_ key: String) -> String? {
    var key = key, value = bp_str()
    let status = key.withUTF8 { bytes in
      let name = bp_str(ptr: UnsafeRawPointer(bytes.baseAddress)?.assumingMemoryBound(to: CChar.self), len: UInt64(bytes.count))
      return table.pointee.config_get(table.pointee.ctx, name, &value)
    }
    return status == BP_OK ? value.string : nil
  }
  /// A message for people, when the host wants that level.
  public func log(_ level: UInt32, _ category: StaticString, _ message: String) {
    guard table.pointee.log_enabled(table.pointee.ctx, level, bp_str(category)) != 0 else { return }
    var message = message
    message.withUTF8 { bytes in
      let text = bp_str(ptr: UnsafeRawPointer(bytes.baseAddress)?.assumingMemoryBound(to: CChar.self), len: UInt64(bytes.count))
      table.pointee.log(table.pointee.ctx, level, bp_str(category), text, nil)
    }
  }
  /// The name behind an id, for messages.
  public func name(of id: bp_id) -> String {
    var text = bp_str()
    return table.pointee.name_of(table.pointee.ctx, id, &text) == BP_OK ? text.string : "0x" + String(id, radix: 16)
  }
}

extension bp_host {
  fileprivate mutating func fillMissing() {
    if alloc == nil { alloc = { _, _, _, _ in nil } }
    if free == nil { free = { _, _, _, _, _ in } }
    if log_enabled == nil { log_enabled = { _, _, _ in 0 } }
    if log == nil { log = { _, _, _, _, _ in } }
    if worker_count == nil { worker_count = { _, _ in 1 } }
    if parallel_for == nil {  // a loop is worth more than a refusal: work without a pool runs on the calling thread
      parallel_for = { _, n, _, body, context, _ in
        if n > 0 { body?(context, 0, n, 0) }
        return BP_OK
      }
    }
    if post == nil { post = { _, _, _, _ in BP_E_UNSUPPORTED } }
    if name_of == nil { name_of = { _, _, _ in BP_E_INVALID } }
    if store_get == nil { store_get = { _, _, _, _, _ in BP_E_UNSUPPORTED } }
    if store_put == nil { store_put = { _, _, _, _, _ in BP_E_UNSUPPORTED } }
    if store_unpin == nil { store_unpin = { _, _ in } }
    if cancelled == nil { cancelled = { _, _ in 0 } }
    if now_ns == nil { now_ns = { _ in 0 } }
    if report_fault == nil { report_fault = { _, _, _ in } }
    if config_get == nil { config_get = { _, _, _ in BP_E_INVALID } }
  }
}
