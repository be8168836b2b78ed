/// A device's "no" to a node.
public struct Refusal: Error, Sendable {
  /// `BP_REASON_…`
  public var reason: UInt32
  /// Counts inputs, then outputs.
  public var operand: UInt32
  public var limit: Int64
  public var actual: Int64

  public init(reason: UInt32, operand: UInt32 = 0, limit: Int64 = 0, actual: Int64 = 0) {
    (self.reason, self.operand, self.limit, self.actual) = (reason, operand, limit, actual)
  }
}
