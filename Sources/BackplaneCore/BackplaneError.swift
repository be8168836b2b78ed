import BackplaneABI

/// What went wrong, with which values, and what to try.
///
/// Thrown for what a caller could not know: a device, a file, memory, a plugin's answer, a graph from outside.
public struct BackplaneError: Error, Sendable {
  public enum Kind: String, Sendable {
    case invalid, unsupported, outOfHostMemory, outOfDeviceMemory, deviceLost, timeout, cancelled, staleBlob, driver, `internal`, abi,
      poisoned
    /// A labelled constraint of an operator's spec does not hold.
    case constraint
    /// A file or directory: missing, unreadable, truncated, malformed.
    case file
  }

  public var kind: Kind
  /// The operator and constraint concerned, such as ("softmax", "C2").
  public var op: String?
  public var label: String?
  /// What, with which values. One sentence without a final stop.
  public var message: String
  /// What to try; nil when there is nothing to say.
  public var hint: String?
  /// Where it happened: a device ID, a plugin, a file.
  public var subject: String?
  /// Catalogue code of `Specs/abi/reasons.json`, 0 none.
  public var reason: UInt32 = 0
  /// The node concerned in the graph given.
  public var node: Int?
  public var nativeCode: Int64 = 0
  /// The device says that the same call may succeed if it is made again (`BP_RETRY_SAME_CALL`).
  public var mayRetry = false

  public init(_ kind: Kind, _ message: String, subject: String? = nil, hint: String? = nil) {
    self.kind = kind
    self.message = message
    self.subject = subject
    self.hint = hint
  }

  /// A violated constraint of an operator's spec, such as `softmax C2: axis 1 of x[3, 0] is empty`.
  public static func constraint(_ op: String, _ label: String, _ message: String = "", hint: String? = nil) -> BackplaneError {
    var error = BackplaneError(.constraint, message, hint: hint)
    error.op = op
    error.label = label
    return error
  }

  /// The error that a plugin's call came back with.
  ///
  /// - Parameters:
  ///   - status: A negative status.
  ///   - error: What the plugin filled in; its message may be empty.
  ///   - call: The ABI function's name.
  ///   - subject: Plugin or device.
  public init(status: bp_status, error: borrowing bp_error, call: String, subject: String) {
    let text = withUnsafeBytes(of: error.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    self.init(Kind(status: status), "\(call): \(text.isEmpty ? BackplaneError.statusText(status) : text)", subject: subject)
    reason = error.reason
    nativeCode = error.native_code
    mayRetry = error.retry == BP_RETRY_SAME_CALL
    node = error.node_plus_1 == 0 ? nil : Int(error.node_plus_1) - 1
  }

  static func statusText(_ status: bp_status) -> String {
    switch Kind(status: status) {
    case .invalid: "invalid argument"
    case .unsupported: "not supported"
    case .outOfHostMemory: "out of host memory"
    case .outOfDeviceMemory: "out of device memory"
    case .deviceLost: "device lost"
    case .timeout: "timed out"
    case .cancelled: "cancelled"
    case .staleBlob: "stale compiled blob"
    case .driver: "driver error"
    case .abi: "ABI mismatch"
    case .poisoned: "semaphore failed earlier"
    default: "internal error of the plugin (status \(status))"
    }
  }
}

extension BackplaneError.Kind {
  public init(status: bp_status) {
    self = switch status {
    case BP_E_INVALID: .invalid
    case BP_E_UNSUPPORTED: .unsupported
    case BP_E_OOM_HOST: .outOfHostMemory
    case BP_E_OOM_DEVICE: .outOfDeviceMemory
    case BP_E_DEVICE_LOST: .deviceLost
    case BP_E_TIMEOUT: .timeout
    case BP_E_CANCELLED: .cancelled
    case BP_E_STALE_BLOB: .staleBlob
    case BP_E_DRIVER: .driver
    case BP_E_ABI: .abi
    case BP_E_POISONED: .poisoned
    default: .internal
    }
  }
  public var status: bp_status {
    switch self {
    case .invalid, .constraint, .file: BP_E_INVALID
    case .unsupported: BP_E_UNSUPPORTED
    case .outOfHostMemory: BP_E_OOM_HOST
    case .outOfDeviceMemory: BP_E_OOM_DEVICE
    case .deviceLost: BP_E_DEVICE_LOST
    case .timeout: BP_E_TIMEOUT
    case .cancelled: BP_E_CANCELLED
    case .staleBlob: BP_E_STALE_BLOB
    case .driver: BP_E_DRIVER
    case .internal: BP_E_INTERNAL
    case .abi: BP_E_ABI
    case .poisoned: BP_E_POISONED
    }
  }
}

/// Two errors are equal when kind, operator and label are; messages are for people.
extension BackplaneError: Equatable {
  public static func == (a: BackplaneError, b: BackplaneError) -> Bool { a.kind == b.kind && a.op == b.op && a.label == b.label }
}

extension BackplaneError: CustomStringConvertible {
  public var description: String {
    var text = subject.map { "\($0): " } ?? ""
    if let op { text += label.map { "\(op) \($0): " } ?? "\(op): " }
    text += message
    if let hint { text += " (\(hint))" }
    return text
  }
}
