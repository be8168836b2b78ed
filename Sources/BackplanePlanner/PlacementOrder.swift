/// The order in which tensors are given their places. Early ones have more places to go.
public enum PlacementOrder: String, Sendable, Hashable, CaseIterable {
  /// Largest first.
  case size
  /// Largest product of size and lifetime first.
  case area
  /// As execution meets them.
  case firstStep
}

/// Which of the free gaps a tensor takes.
public enum GapChoice: String, Sendable, Hashable, CaseIterable {
  case lowest
  /// The smallest gap that is large enough.
  case tightest
}
