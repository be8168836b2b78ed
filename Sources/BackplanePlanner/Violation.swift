/// One thing that is wrong with a placement.
public struct Violation: Sendable, Hashable, CustomStringConvertible {
  public enum Kind: String, Sendable, Hashable, CaseIterable {
    /// The problem itself has no meaning, so nothing else was checked.
    case badProblem
    /// Not one offset a tensor, or not one peak an arena.
    case wrongCount
    case misaligned
    /// Below byte 0 or above the peak.
    case outsideArena
    case overCapacity
    /// Two tensors that are live together share bytes without a pair or alias that allows it.
    case overlap
    /// A pair is said to be in use that may not be, or whose output lies elsewhere.
    case illegalPair
    /// A view does not lie where its base says.
    case viewMoved
    case pinMoved
  }
  public var kind: Kind
  /// Indices of the tensors concerned.
  public var tensors: [Int]
  /// A sentence with names and values.
  public var description: String

  public init(_ kind: Kind, tensors: [Int] = [], _ description: String) {
    self.kind = kind
    self.tensors = tensors
    self.description = description
  }
}
