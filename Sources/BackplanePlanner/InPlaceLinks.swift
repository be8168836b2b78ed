/// The in-place pairs chosen for a problem, at most one in and one out of every storage.
struct InPlaceLinks {
  struct Link {
    var pair: Int
    var storage: Int
    /// Where the output starts in the input's storage.
    var startInInput: Int
  }
  /// For each storage, the one that takes its place.
  private(set) var next: [Link?]
  private(set) var hasPrevious: [Bool]

  private(set) var count = 0

  /// No pairs at all, except those that pins force.
  static func forced(_ problem: PlanProblem, _ map: StorageMap) -> InPlaceLinks {
    InPlaceLinks(problem, map) { isForced($0, map) }
  }

  /// Pairs whose output fills at least half of the input. A small output at the place of a large input saves little, and
  /// nails down a tensor that would have fitted in many places.
  ///
  /// Always a part of all links: for one input the snug outputs, for one output the snug inputs, are chosen first, so a
  /// pair that is not snug never displaces one that is. Equal counts therefore mean equal links.
  static func snug(_ problem: PlanProblem, _ map: StorageMap) -> InPlaceLinks {
    InPlaceLinks(problem, map) {
      isForced($0, map) || problem.tensors[$0.output].sizeInBytes >= problem.tensors[$0.input].sizeInBytes / 2
    }
  }

  private static func isForced(_ pair: InPlacePair, _ map: StorageMap) -> Bool {
    map.storages[map.storageOfTensor[pair.output]].pinnedOffsetInBytes != nil
  }

  /// As many bytes as a greedy choice can save. When several outputs want one input, the largest gets it; when one
  /// output may take several inputs, it takes the smallest, which leaves the larger to others.
  init(_ problem: PlanProblem, _ map: StorageMap, where isWanted: (InPlacePair) -> Bool = { _ in true }) {
    next = [Link?](repeating: nil, count: map.storages.count)
    hasPrevious = [Bool](repeating: false, count: map.storages.count)
    let pairs = problem.inPlacePairs
    func size(_ tensor: Int) -> Int { problem.tensors[tensor].sizeInBytes }
    let usable = pairs.indices.filter { isWanted(pairs[$0]) && Self.isUsable(pairs[$0], problem, map) }
    let ordered = usable.sorted {
      (-size(pairs[$0].output), size(pairs[$0].input), $0) < (-size(pairs[$1].output), size(pairs[$1].input), $1)
    }
    for number in ordered {
      let input = map.storageOfTensor[pairs[number].input]
      let output = map.storageOfTensor[pairs[number].output]
      if next[input] != nil || hasPrevious[output] { continue }
      next[input] = Link(pair: number, storage: output, startInInput: map.startInStorage[pairs[number].input])
      hasPrevious[output] = true
      count += 1
    }
  }

  /// The rules listed at ``InPlacePair``.
  private static func isUsable(_ pair: InPlacePair, _ problem: PlanProblem, _ map: StorageMap) -> Bool {
    let (inputTensor, outputTensor) = (problem.tensors[pair.input], problem.tensors[pair.output])
    let input = map.storages[map.storageOfTensor[pair.input]]
    let output = map.storages[map.storageOfTensor[pair.output]]
    let start = map.startInStorage[pair.input]
    let isLastReader = inputTensor.endStep == input.endStep && input.liveAtEndCount == 1
    let diesAtBirth = input.endStep - 1 == output.firstStep && outputTensor.firstStep == output.firstStep
    // Born strictly before: else three tensors of one step could pass one place along, and no chain could be a cycle.
    let isOlder = input.firstStep < output.firstStep
    let isWhole = map.rootOfStorage[map.storageOfTensor[pair.output]] == pair.output
    let fits = outputTensor.sizeInBytes > 0 && outputTensor.sizeInBytes <= inputTensor.sizeInBytes
    let isAligned = start & (output.alignmentInBytes - 1) == 0
    let pinsAgree =
      switch (input.pinnedOffsetInBytes, output.pinnedOffsetInBytes) {
      case (nil, nil): true
      case (let from?, let to?): from + start == to
      default: false
      }
    return isLastReader && diesAtBirth && isOlder && isWhole && fits && isAligned && pinsAgree
      && input.arena == output.arena
  }
}
