/// The bytes behind a tensor and all views of it: one rectangle of bytes by steps.
struct Storage {
  var arena: Int
  var sizeInBytes: Int
  /// The largest alignment among the tensor and its views.
  var alignmentInBytes: Int
  var firstStep: Int
  var endStep: Int
  var pinnedOffsetInBytes: Int?
  /// How many of the tensors are live at the last step: with more than one, nothing may overwrite the storage then.
  var liveAtEndCount = 0

  init(_ tensor: Lifetime) {
    arena = tensor.arena
    sizeInBytes = tensor.sizeInBytes
    alignmentInBytes = tensor.alignmentInBytes
    firstStep = tensor.firstStep
    endStep = tensor.endStep
    pinnedOffsetInBytes = tensor.pinnedOffsetInBytes
  }
}

/// Tensors folded into storages: the aliases of a problem, resolved.
struct StorageMap {
  private(set) var storages: [Storage] = []
  /// For each tensor, its storage and how many bytes into it the tensor starts.
  private(set) var storageOfTensor: [Int]
  private(set) var startInStorage: [Int]
  /// For each storage, the tensor that is no view.
  private(set) var rootOfStorage: [Int] = []

  /// - Precondition: `problem.check()` passes.
  init(_ problem: PlanProblem) {
    storageOfTensor = [Int](repeating: -1, count: problem.tensors.count)
    startInStorage = [Int](repeating: 0, count: problem.tensors.count)
    var isView = [Bool](repeating: false, count: problem.tensors.count)
    for alias in problem.aliases { isView[alias.tensor] = true }
    storages.reserveCapacity(problem.tensors.count - problem.aliases.count)
    for (index, tensor) in problem.tensors.enumerated() where !isView[index] {
      storageOfTensor[index] = storages.count
      storages.append(Storage(tensor))
      rootOfStorage.append(index)
    }
    if !problem.aliases.isEmpty { addViews(problem) }
    for (index, tensor) in problem.tensors.enumerated()
    where tensor.endStep == storages[storageOfTensor[index]].endStep {
      storages[storageOfTensor[index]].liveAtEndCount += 1
    }
  }

  private mutating func addViews(_ problem: PlanProblem) {
    var aliasOfTensor = [Int](repeating: -1, count: problem.tensors.count)
    for (number, alias) in problem.aliases.enumerated() { aliasOfTensor[alias.tensor] = number }
    for alias in problem.aliases {
      var path: [Int] = []
      var tensor = alias.tensor
      while storageOfTensor[tensor] < 0 {
        path.append(aliasOfTensor[tensor])
        tensor = problem.aliases[aliasOfTensor[tensor]].base
      }
      for number in path.reversed() { addView(problem.aliases[number], problem) }
    }
  }

  private mutating func addView(_ alias: Alias, _ problem: PlanProblem) {
    let view = problem.tensors[alias.tensor]
    let storage = storageOfTensor[alias.base]
    storageOfTensor[alias.tensor] = storage
    startInStorage[alias.tensor] = startInStorage[alias.base] + alias.offsetInBytes
    storages[storage].alignmentInBytes = max(storages[storage].alignmentInBytes, view.alignmentInBytes)
    storages[storage].firstStep = min(storages[storage].firstStep, view.firstStep)
    storages[storage].endStep = max(storages[storage].endStep, view.endStep)
  }
}
