/// One tensor to place: how many bytes, in which arena, and during which steps.
///
/// Steps count upwards in the order of execution. A tensor written at step 3 and last read at step 7 has
/// `firstStep` 3 and `endStep` 8. Two tensors are live together when their half-open ranges share a step, so the
/// inputs and the outputs of one step are live together.
public struct Lifetime: Sendable, Hashable {
  /// For messages and pictures only. May be empty and need not be unique.
  public var name: String
  /// Bytes at the upper bound of every symbol: this is what gets planned. 0 is allowed and takes no memory.
  public var sizeInBytes: Int
  /// Offsets are multiples of this power of two.
  public var alignmentInBytes: Int
  /// Index into ``PlanProblem/arenas``.
  public var arena: Int
  /// The step that writes the tensor; 0 or more.
  public var firstStep: Int
  /// The step after the last one that reads it; more than `firstStep`.
  public var endStep: Int
  /// Where the tensor must lie, in bytes from the start of its arena; `nil` lets the planner choose.
  public var pinnedOffsetInBytes: Int?

  /// Takes the bounds apart, because an inverted `Range` would trap where a ``PlanError`` is wanted.
  public init(
    name: String = "", sizeInBytes: Int, alignmentInBytes: Int = 64, arena: Int = 0, firstStep: Int, endStep: Int,
    pinnedOffsetInBytes: Int? = nil
  ) {
    self.name = name
    self.sizeInBytes = sizeInBytes
    self.alignmentInBytes = alignmentInBytes
    self.arena = arena
    self.firstStep = firstStep
    self.endStep = endStep
    self.pinnedOffsetInBytes = pinnedOffsetInBytes
  }

  public init(
    name: String = "", sizeInBytes: Int, alignmentInBytes: Int = 64, arena: Int = 0, steps: Range<Int>,
    pinnedOffsetInBytes: Int? = nil
  ) {
    self.init(
      name: name, sizeInBytes: sizeInBytes, alignmentInBytes: alignmentInBytes, arena: arena,
      firstStep: steps.lowerBound, endStep: steps.upperBound, pinnedOffsetInBytes: pinnedOffsetInBytes)
  }
}
