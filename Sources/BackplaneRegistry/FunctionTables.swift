import BackplaneABI

/// Reads a table whose producer may know fewer or more fields: copies the part that both sides know over `zero`.
///
/// - Parameter source: Begins with a `bp_head`, whose `struct_size` says how much of it may be read.
func copyOfTable<T>(_ source: UnsafeRawPointer, zero: T) -> T {
  var copy = zero
  let known = min(Int(source.load(as: UInt32.self)), MemoryLayout<T>.size)
  // Whole 8-byte slots only: half a function pointer is no function pointer.
  withUnsafeMutableBytes(of: &copy) { $0.baseAddress!.copyMemory(from: source, byteCount: known & ~7) }
  return copy
}

/// Names of a function table's slots, in order, and which of them each group of functions needs.
enum DeviceFunctions {
  static let names = [
    "info", "query", "buffer_create", "buffer_destroy", "buffer_map", "buffer_unmap", "program_create", "program_info", "program_destroy",
    "execute",
    "queue_create", "queue_destroy", "submit", "sem_create", "sem_destroy", "sem_query", "sem_signal", "sem_fail", "sem_wait", "link",
    "program_export", "blob_check",
    "variants", "config_check", "clock", "reset", "trim", "pack_plan", "pack",
  ]
  /// What stands behind group Tuning no group needs.
  static let required: [(group: DeviceGroups, range: Range<Int>)] = [(.base, 0..<10), (.queues, 10..<20), (.blobs, 20..<22), (.tuning, 22..<25)]

  /// The functions that `groups` needs and `table` (not yet filled with stubs) lacks.
  static func missing(from table: bp_device_fns, for groups: DeviceGroups) -> [String] {
    withUnsafeBytes(of: table) { bytes in
      required.filter { groups.contains($0.group) }.flatMap { $0.range }.filter {
        bytes.load(fromByteOffset: MemoryLayout<bp_head>.size + $0 * MemoryLayout<UInt>.size, as: UInt.self) == 0
      }.map { names[$0] }
    }
  }
}

/// Fills `error` with "this plugin has no such function" and gives the status for it.
private func absent(_ function: StaticString, _ error: UnsafeMutablePointer<bp_error>?) -> bp_status {
  guard let error else { return BP_E_UNSUPPORTED }
  error.pointee.code = BP_E_UNSUPPORTED
  error.pointee.reason = BP_REASON_FEATURE
  withUnsafeMutableBytes(of: &error.pointee.message) { message in
    var at = 0
    func append(_ text: StaticString) {
      for i in 0..<text.utf8CodeUnitCount where at < message.count - 1 {
        message[at] = text.utf8Start[i]
        at += 1
      }
    }
    append("the plugin has no ")
    append(function)
    message[at] = 0
  }
  return BP_E_UNSUPPORTED
}

extension bp_device_fns {
  /// The table with a stub in every empty slot, so that no caller ever tests for NULL: functions with a status answer
  /// `BP_E_UNSUPPORTED` and say which function is missing, the others do nothing.
  func filledWithStubs() -> bp_device_fns {
    var t = self
    t.h = bp_head(struct_size: UInt32(MemoryLayout<bp_device_fns>.size), struct_type: BP_ST_DEVICE_FNS, next: nil)
    if t.info == nil { t.info = { absent("info", $2) } }
    if t.query == nil { t.query = { absent("query", $5) } }
    if t.buffer_create == nil { t.buffer_create = { absent("buffer_create", $4) } }
    if t.buffer_destroy == nil { t.buffer_destroy = { _, _ in } }
    if t.buffer_map == nil { t.buffer_map = { absent("buffer_map", $6) } }
    if t.buffer_unmap == nil { t.buffer_unmap = { absent("buffer_unmap", $2) } }
    if t.program_create == nil { t.program_create = { absent("program_create", $3) } }
    if t.program_info == nil { t.program_info = { absent("program_info", $2) } }
    if t.program_destroy == nil { t.program_destroy = { _ in } }
    if t.execute == nil { t.execute = { absent("execute", $2) } }
    if t.queue_create == nil { t.queue_create = { absent("queue_create", $3) } }
    if t.queue_destroy == nil { t.queue_destroy = { _ in } }
    if t.submit == nil { t.submit = { absent("submit", $2) } }
    if t.sem_create == nil { t.sem_create = { absent("sem_create", $3) } }
    if t.sem_destroy == nil { t.sem_destroy = { _ in } }
    if t.sem_query == nil { t.sem_query = { absent("sem_query", $2) } }
    if t.sem_signal == nil { t.sem_signal = { absent("sem_signal", $2) } }
    if t.sem_fail == nil { t.sem_fail = { _, _ in BP_E_UNSUPPORTED } }
    if t.sem_wait == nil { t.sem_wait = { absent("sem_wait", $6) } }
    if t.link == nil { t.link = { absent("link", $5) } }
    if t.program_export == nil { t.program_export = { absent("program_export", $3) } }
    if t.blob_check == nil { t.blob_check = { absent("blob_check", $3) } }
    if t.variants == nil { t.variants = { absent("variants", $6) } }
    if t.config_check == nil { t.config_check = { absent("config_check", $5) } }
    if t.pack_plan == nil { t.pack_plan = { absent("pack_plan", $6) } }
    if t.pack == nil { t.pack = { absent("pack", $6) } }
    if t.clock == nil { t.clock = { absent("clock", $2) } }
    if t.reset == nil { t.reset = { absent("reset", $1) } }
    if t.trim == nil { t.trim = { absent("trim", $3) } }
    return t
  }
}

extension bp_plugin {
  /// The functions that every plugin must have and this table (not yet filled with stubs) lacks.
  var missingFunctions: [String] {
    var missing: [String] = []
    if instance_create == nil { missing.append("instance_create") }
    if instance_destroy == nil { missing.append("instance_destroy") }
    if device_count == nil { missing.append("device_count") }
    if device_open == nil { missing.append("device_open") }
    if device_close == nil { missing.append("device_close") }
    return missing
  }

  /// `extension` is the one function that a plugin may leave out.
  func filledWithStubs() -> bp_plugin {
    var t = self
    t.h = bp_head(struct_size: UInt32(MemoryLayout<bp_plugin>.size), struct_type: BP_ST_PLUGIN, next: nil)
    if t.`extension` == nil { t.`extension` = { _, _, _ in nil } }
    return t
  }
}
