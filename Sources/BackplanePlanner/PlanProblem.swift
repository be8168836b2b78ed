/// One kind of memory, planned by itself. Offsets start at 0 in each.
public struct Arena: Sendable, Hashable {
  /// For messages and pictures only.
  public var name: String
  /// Most bytes the arena may take; `nil` means no limit.
  public var capacityInBytes: Int?

  public init(name: String = "", capacityInBytes: Int? = nil) {
    self.name = name
    self.capacityInBytes = capacityInBytes
  }
}

/// A view that owns no bytes: `tensor` is `offsetInBytes` into `base`, always.
///
/// A base may itself be a view. The storage below stays reserved from the first step to the last step of the base and
/// all its views together.
public struct Alias: Sendable, Hashable {
  public var tensor: Int
  public var base: Int
  public var offsetInBytes: Int

  public init(_ tensor: Int, of base: Int, offsetInBytes: Int = 0) {
    self.tensor = tensor
    self.base = base
    self.offsetInBytes = offsetInBytes
  }
}

/// Permission, not an order: `output` may start at the very byte at which `input` starts.
///
/// Usable when all of this holds; otherwise the pair is left alone, which is no error:
/// - the last step of the input's storage is the first step of the output, and the input was born before it;
/// - the output is no larger than the input, lies in the same arena, and is not a view;
/// - no other view of the input's storage is live at that step (the step could still read it);
/// - neither is pinned, or both are, to the same byte.
public struct InPlacePair: Sendable, Hashable {
  public var input: Int
  public var output: Int

  public init(input: Int, output: Int) {
    self.input = input
    self.output = output
  }
}

/// All that a plan depends on. Tensors, arenas and pairs are named by their index here.
public struct PlanProblem: Sendable, Hashable {
  public var tensors: [Lifetime]
  public var aliases: [Alias]
  public var inPlacePairs: [InPlacePair]
  public var arenas: [Arena]

  public init(
    tensors: [Lifetime], aliases: [Alias] = [], inPlacePairs: [InPlacePair] = [], arenas: [Arena] = [Arena()]
  ) {
    self.tensors = tensors
    self.aliases = aliases
    self.inPlacePairs = inPlacePairs
    self.arenas = arenas
  }

  /// What messages call a tensor: `#4 "q_proj"`, or `#4` when it has no name.
  public func label(ofTensor index: Int) -> String {
    guard tensors.indices.contains(index), !tensors[index].name.isEmpty else { return "#\(index)" }
    return "#\(index) \"\(tensors[index].name)\""
  }
}
