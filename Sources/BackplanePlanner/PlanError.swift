/// Why there is no plan. Tensors are named as ``PlanProblem/label(ofTensor:)`` does.
public enum PlanError: Error, Equatable, Sendable {
  /// The best plan found for the arena needs more bytes than it may have.
  case doesNotFit(arena: Int, needed: Int, capacity: Int)
  case negativeSize(tensor: String, sizeInBytes: Int)
  case alignmentNotPowerOfTwo(tensor: String, alignmentInBytes: Int)
  case negativeStep(tensor: String, firstStep: Int)
  case emptySteps(tensor: String, firstStep: Int, endStep: Int)
  case unknownArena(tensor: String, arena: Int, arenaCount: Int)
  /// Negative, or no multiple of the tensor's alignment.
  case badPin(tensor: String, offsetInBytes: Int, alignmentInBytes: Int)
  case pinnedOverlap(first: String, second: String)
  /// `place` says where the index stood, such as `in-place pair 3`.
  case unknownTensor(place: String, index: Int, tensorCount: Int)
  case pairedWithItself(place: String, tensor: String)
  case viewHasTwoBases(tensor: String)
  case viewOfItself(tensor: String)
  case viewInOtherArena(tensor: String, base: String)
  case viewIsPinned(tensor: String)
  case viewOutsideBase(tensor: String, base: String, offsetInBytes: Int, sizeInBytes: Int, baseSizeInBytes: Int)
  /// The offset from the start of the storage is no multiple of the view's alignment.
  case viewMisaligned(tensor: String, offsetInBytes: Int, alignmentInBytes: Int)
  /// Sizes, alignments and pinned ends of the arena add up to more than `Int.max`.
  case sizesOverflow(arena: Int)
}

extension PlanError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .doesNotFit(let arena, let needed, let capacity):
      "arena \(arena) needs \(needed) bytes but has \(capacity); lower the symbols' bounds or use another memory"
    case .negativeSize(let tensor, let size):
      "tensor \(tensor) has a size of \(size) bytes; it must be 0 or more"
    case .alignmentNotPowerOfTwo(let tensor, let alignment):
      "tensor \(tensor) has an alignment of \(alignment) bytes; it must be a power of two"
    case .negativeStep(let tensor, let first):
      "tensor \(tensor) is born at step \(first); steps start at 0"
    case .emptySteps(let tensor, let first, let end):
      "tensor \(tensor) is live in steps \(first)..<\(end), which is no step at all"
    case .unknownArena(let tensor, let arena, let count):
      "tensor \(tensor) is in arena \(arena), but there are \(count) arenas"
    case .badPin(let tensor, let offset, let alignment):
      "tensor \(tensor) is pinned to byte \(offset); it must be 0 or more and a multiple of \(alignment)"
    case .pinnedOverlap(let first, let second):
      "tensors \(first) and \(second) are pinned over each other while both are live"
    case .unknownTensor(let place, let index, let count):
      "\(place) names tensor \(index), but there are \(count) tensors"
    case .pairedWithItself(let place, let tensor):
      "\(place) names tensor \(tensor) as input and as output"
    case .viewHasTwoBases(let tensor):
      "tensor \(tensor) is declared a view twice"
    case .viewOfItself(let tensor):
      "tensor \(tensor) is, through its bases, a view of itself"
    case .viewInOtherArena(let tensor, let base):
      "tensor \(tensor) is a view of \(base), which is in another arena"
    case .viewIsPinned(let tensor):
      "tensor \(tensor) is a view and pinned; pin what it is a view of"
    case .viewOutsideBase(let tensor, let base, let offset, let size, let baseSize):
      "tensor \(tensor), \(size) bytes at byte \(offset) of \(base), does not lie in the \(baseSize) bytes of that"
    case .viewMisaligned(let tensor, let offset, let alignment):
      "tensor \(tensor) is \(offset) bytes into its storage, which is no multiple of its alignment \(alignment)"
    case .sizesOverflow(let arena):
      "the sizes in arena \(arena) add up to more than \(Int.max) bytes"
    }
  }
}
