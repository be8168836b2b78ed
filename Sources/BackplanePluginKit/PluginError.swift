public import BackplaneABI

/// Why a call of a plugin fails; becomes a `bp_error` at the boundary.
public struct PluginError: Error, Sendable {
  /// `BP_E_…`
  public var status: bp_status
  /// What, with which values, and what to try.
  public var message: String
  /// `BP_REASON_…`
  public var reason: UInt32 = BP_REASON_NONE
  /// Number of the graph's node that the error is about.
  public var node: Int?
  /// Counts inputs, then outputs.
  public var operand: Int?
  /// `BP_RETRY_…`
  public var retry: UInt32 = BP_RETRY_NEVER
  /// Whose `nativeCode` it is: 0 Backplane, 1 errno, 2 OpenCL, 3 Vulkan.
  public var domain: UInt32 = 0
  public var nativeCode: Int64 = 0
  /// `BP_HEALTH_…`
  public var deviceState: UInt32 = BP_HEALTH_HEALTHY
  public var file: StaticString
  public var line: UInt

  public init(
    _ status: bp_status, _ message: String, reason: UInt32 = BP_REASON_NONE, node: Int? = nil, operand: Int? = nil,
    retry: UInt32 = BP_RETRY_NEVER, file: StaticString = #fileID, line: UInt = #line
  ) {
    (self.status, self.message, self.reason, self.node, self.operand) = (status, message, reason, node, operand)
    (self.retry, self.file, self.line) = (retry, file, line)
  }

  public static func invalid(_ message: String, node: Int? = nil, file: StaticString = #fileID, line: UInt = #line) -> PluginError {
    PluginError(BP_E_INVALID, message, node: node, file: file, line: line)
  }

  /// The record that crosses the boundary; texts are cut where they do not fit.
  public var record: bp_error {
    var record = bp_error()
    record.code = status
    record.reason = reason
    record.retry = retry
    (record.domain, record.native_code, record.device_state) = (domain, nativeCode, deviceState)
    record.node_plus_1 = UInt32(truncatingIfNeeded: (node ?? -1) + 1)
    record.operand_plus_1 = UInt32(truncatingIfNeeded: (operand ?? -1) + 1)
    record.src_line = UInt32(truncatingIfNeeded: line)
    let name = file.withUTF8Buffer { bytes in bytes.lastIndex(of: UInt8(ascii: "/")).map { Array(bytes[($0 + 1)...]) } ?? Array(bytes) }
    withUnsafeMutableBytes(of: &record.src_file) { copyText(name, to: $0) }
    withUnsafeMutableBytes(of: &record.message) { copyText(Array(message.utf8), to: $0) }
    return record
  }
}

/// Copies UTF-8 and a final NUL, cut at a character's border.
private func copyText(_ text: [UInt8], to space: UnsafeMutableRawBufferPointer) {
  var count = min(text.count, space.count - 1)
  while count < text.count, count > 0, text[count] & 0xc0 == 0x80 { count -= 1 }
  for i in 0..<count { space[i] = text[i] }
  space[count] = 0
}

/// Runs the body of an ABI function: what it throws goes into `error` (which may be NULL) and its status is the answer.
@inline(__always)
public func withError(_ error: UnsafeMutablePointer<bp_error>?, _ body: () throws(PluginError) -> Void) -> bp_status {
  do {
    try body()
    return BP_OK
  } catch let failure {
    if let error { writeRecord(failure.record, to: error) }
    return failure.status
  }
}
