import BackplaneABI
import BackplaneCore

/// A device's answer about one node.
public struct Verdict: Sendable, Equatable {
  public enum Support: UInt32, Sendable {
    case no, yes
    /// Yes, once a constant operand has been packed as the device asks.
    case afterRepack
    /// Yes, slowly.
    case emulated
  }

  public var support: Support
  /// Why not; code 0 for a yes.
  public var reason: Reason
  /// The operand that the reason is about (inputs, then outputs); 0 when it is about none.
  public var operand: Int
  /// What the device can do and what the node needs, where the reason has such numbers.
  public var limit: Int64
  public var actual: Int64
  /// For a yes, at the symbols' upper bounds; 0 unknown.
  public var estimatedNanoseconds: UInt64
  public var estimatedBytes: UInt64
  /// 0 a guess … 100 measured.
  public var confidence: UInt32
  public var detail: String
  /// What the kernels that may run this node do to accuracy beyond f32 arithmetic.
  public var declares: [NamedValue]

  public var isSupported: Bool { support != .no }

  init(_ record: bp_verdict) {
    support = Support(rawValue: record.support) ?? .no
    reason = Reason(code: record.reason)
    operand = Int(record.operand)
    (limit, actual) = (record.limit, record.actual)
    (estimatedNanoseconds, estimatedBytes, confidence) = (record.est_ns, record.est_bytes, record.est_confidence)
    detail = String(record.detail)
    declares = record.declares.elements(bp_attr()).map { NamedValue($0) }
  }
}

extension Verdict: CustomStringConvertible {
  public var description: String {
    if isSupported { return support == .yes ? "yes" : "yes, \(support)" }
    var text = "no: \(reason)"
    if limit != 0 || actual != 0 { text += " (limit \(limit), actual \(actual))" }
    return detail.isEmpty ? text : text + ": \(detail)"
  }
}
