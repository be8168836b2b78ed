/// Where every tensor lies.
public struct Plan: Sendable, Hashable {
  /// One a tensor, in the order of ``PlanProblem/tensors``; bytes from the start of the tensor's arena.
  public var offsetsInBytes: [Int]
  /// One an arena, in the order of ``PlanProblem/arenas``.
  public var arenas: [ArenaPlan]
  /// Indices into ``PlanProblem/inPlacePairs``, ascending.
  public var usedInPlacePairs: [Int]

  public init(offsetsInBytes: [Int], arenas: [ArenaPlan], usedInPlacePairs: [Int] = []) {
    self.offsetsInBytes = offsetsInBytes
    self.arenas = arenas
    self.usedInPlacePairs = usedInPlacePairs
  }

  /// The bytes of each arena that are touched when the tensors have other sizes than the planned ones.
  ///
  /// For reports: plan at the symbols' bounds, then ask how much a typical run touches. Nothing moves.
  ///
  /// - Parameter sizesInBytes: One a tensor, each at most the planned size.
  public func touchedPeaksInBytes(of problem: PlanProblem, sizesInBytes: [Int]) -> [Int] {
    precondition(sizesInBytes.count == problem.tensors.count, "one size a tensor")
    var peaks = [Int](repeating: 0, count: problem.arenas.count)
    for (index, tensor) in problem.tensors.enumerated() where sizesInBytes[index] > 0 {
      precondition(sizesInBytes[index] <= tensor.sizeInBytes, "tensor \(index) is larger than planned")
      peaks[tensor.arena] = max(peaks[tensor.arena], offsetsInBytes[index] + sizesInBytes[index])
    }
    return peaks
  }
}

/// How one arena came out.
public struct ArenaPlan: Sendable, Hashable {
  /// The bytes to allocate: the end of the highest tensor, rounded up to the arena's smallest alignment.
  public var peakInBytes: Int
  /// The most bytes live at any one step: no order of placing can have a smaller peak.
  ///
  /// Each size is rounded up to the arena's smallest alignment (no offset lies between two multiples of it). The output
  /// of an in-place pair counts nothing at the step at which it is born, for as many pairs as a greedy choice can use
  /// together (the plan may use fewer). Pinned offsets do not count.
  public var lowerBoundInBytes: Int
  /// The order that gave this peak; `nil` when there was nothing to place.
  public var order: PlacementOrder?

  /// Peak over lower bound: 1 is perfect. 1 also for an empty arena.
  public var ratio: Double {
    lowerBoundInBytes == 0 ? 1 : Double(peakInBytes) / Double(lowerBoundInBytes)
  }

  public init(peakInBytes: Int, lowerBoundInBytes: Int, order: PlacementOrder?) {
    self.peakInBytes = peakInBytes
    self.lowerBoundInBytes = lowerBoundInBytes
    self.order = order
  }
}
