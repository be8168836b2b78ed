/// Finds what is wrong with a placement, whoever made it.
///
/// Written apart from the planner and in the plainest way, so that one mistake cannot hide in both: no tree, no chain,
/// only every two tensors that are live together. It shares with the planner the question of what a problem means
/// (``PlanProblem/check()``).
public enum PlanValidator {
  /// - Parameters:
  ///   - offsetsInBytes: One a tensor. Any value is fine to pass.
  ///   - peaksInBytes: One an arena; `nil` checks against the capacities alone.
  ///   - usedInPlacePairs: Indices of the pairs in use; `nil`, for those who report offsets only, allows every legal pair.
  ///   - limit: Stop after so many.
  /// - Returns: Nothing if the placement is right.
  /// - Complexity: O(n · m) for n tensors of which m are live together.
  public static func violations(
    in problem: PlanProblem, offsetsInBytes: [Int], peaksInBytes: [Int]? = nil, usedInPlacePairs: [Int]? = nil,
    limit: Int = 100
  ) -> [Violation] {
    do {
      try problem.check()
    } catch {
      return [Violation(.badProblem, error.description)]
    }
    if offsetsInBytes.count != problem.tensors.count {
      return [Violation(.wrongCount, "\(offsetsInBytes.count) offsets for \(problem.tensors.count) tensors")]
    }
    if let peaksInBytes, peaksInBytes.count != problem.arenas.count {
      return [Violation(.wrongCount, "\(peaksInBytes.count) peaks for \(problem.arenas.count) arenas")]
    }
    var validation = Validation(problem, offsetsInBytes)
    validation.checkPeaks(peaksInBytes)
    for tensor in problem.tensors.indices { validation.checkPlace(of: tensor, peaksInBytes) }
    for alias in problem.aliases { validation.checkView(alias) }
    validation.checkPairs(usedInPlacePairs)
    for arena in problem.arenas.indices { validation.checkOverlaps(inArena: arena, limit: limit) }
    return Array(validation.found.prefix(limit))
  }

  /// A plan of our own planner.
  public static func violations(in problem: PlanProblem, _ plan: Plan, limit: Int = 100) -> [Violation] {
    violations(
      in: problem, offsetsInBytes: plan.offsetsInBytes, peaksInBytes: plan.arenas.map(\.peakInBytes),
      usedInPlacePairs: plan.usedInPlacePairs, limit: limit)
  }
}

/// The state of one validation.
private struct Validation {
  let problem: PlanProblem
  let offsets: [Int]
  var found: [Violation] = []
  /// For each tensor, what it is a view of in the end; itself if it is none.
  private var owner: [Int]
  /// For each owner, all that share its bytes, itself included.
  private var family: [[Int]]
  /// For each owner, the steps from the first birth to the last read in its family.
  private var reserved: [Range<Int>]
  private struct Pair: Hashable { var input, output: Int }
  /// Owners that may share bytes at the step at which they meet.
  private var excused: Set<Pair> = []

  init(_ problem: PlanProblem, _ offsets: [Int]) {
    self.problem = problem
    self.offsets = offsets
    owner = Array(problem.tensors.indices)
    for alias in problem.aliases { owner[alias.tensor] = alias.base }
    for tensor in owner.indices {
      while owner[tensor] != owner[owner[tensor]] { owner[tensor] = owner[owner[tensor]] }
    }
    family = [[Int]](repeating: [], count: owner.count)
    reserved = problem.tensors.map { $0.firstStep..<$0.endStep }
    for (tensor, lifetime) in problem.tensors.enumerated() {
      let root = owner[tensor]
      family[root].append(tensor)
      reserved[root] = min(reserved[root].lowerBound, lifetime.firstStep)..<max(reserved[root].upperBound, lifetime.endStep)
    }
  }

  mutating func checkPeaks(_ peaks: [Int]?) {
    for (number, arena) in problem.arenas.enumerated() {
      guard let capacity = arena.capacityInBytes, let peak = peaks?[number], peak > capacity else { continue }
      found.append(Violation(.overCapacity, "arena \(number) takes \(peak) bytes, more than its capacity of \(capacity)"))
    }
  }

  mutating func checkPlace(of tensor: Int, _ peaks: [Int]?) {
    let (lifetime, offset) = (problem.tensors[tensor], offsets[tensor])
    let name = problem.label(ofTensor: tensor)
    if offset % lifetime.alignmentInBytes != 0 {
      report(.misaligned, [tensor], "tensor \(name) is at byte \(offset), no multiple of \(lifetime.alignmentInBytes)")
    }
    if let pin = lifetime.pinnedOffsetInBytes, pin != offset {
      report(.pinMoved, [tensor], "tensor \(name) is at byte \(offset), but pinned to \(pin)")
    }
    if lifetime.sizeInBytes == 0 { return }
    let (end, overflow) = offset.addingReportingOverflow(lifetime.sizeInBytes)
    let limit = peaks?[lifetime.arena] ?? problem.arenas[lifetime.arena].capacityInBytes ?? .max
    if offset < 0 || overflow || end > limit {
      let place = "\(lifetime.sizeInBytes) bytes at byte \(offset)"
      report(.outsideArena, [tensor], "tensor \(name), \(place), leaves the \(limit) bytes of arena \(lifetime.arena)")
    }
  }

  mutating func checkView(_ alias: Alias) {
    if offsets[alias.tensor].subtractingReportingOverflow(offsets[alias.base]) == (alias.offsetInBytes, false) { return }
    let (name, base) = (problem.label(ofTensor: alias.tensor), problem.label(ofTensor: alias.base))
    let place = "byte \(offsets[alias.tensor]), \(base) at byte \(offsets[alias.base])"
    report(.viewMoved, [alias.tensor, alias.base], "view \(name) is at \(place); they should be \(alias.offsetInBytes) apart")
  }

  /// Excuses pairs in use from ``checkOverlaps(inArena:limit:)``; complains of those that should not be in use.
  mutating func checkPairs(_ used: [Int]?) {
    for number in used ?? Array(problem.inPlacePairs.indices) {
      guard problem.inPlacePairs.indices.contains(number) else {
        report(.illegalPair, [], "in-place pair \(number) is said to be in use, but there is none of that number")
        continue
      }
      let pair = problem.inPlacePairs[number]
      if let reason = reasonAgainst(pair) {
        if used == nil { continue }
        let (input, output) = (problem.label(ofTensor: pair.input), problem.label(ofTensor: pair.output))
        report(.illegalPair, [pair.input, pair.output], "\(output) may not take the place of \(input): \(reason)")
      } else {
        excused.insert(Pair(input: owner[pair.input], output: pair.output))
      }
    }
  }

  /// Why the output may not lie on the input; `nil` if it may, and does.
  private func reasonAgainst(_ pair: InPlacePair) -> String? {
    let (input, output) = (problem.tensors[pair.input], problem.tensors[pair.output])
    let (inputSteps, outputSteps) = (reserved[owner[pair.input]], reserved[pair.output])
    let step = output.firstStep
    if owner[pair.output] != pair.output { return "it is a view" }
    if input.arena != output.arena { return "they are in different arenas" }
    if offsets[pair.input] != offsets[pair.output] {
      return "it is at byte \(offsets[pair.output]), not \(offsets[pair.input])"
    }
    if output.sizeInBytes > input.sizeInBytes { return "\(output.sizeInBytes) bytes do not fit in \(input.sizeInBytes)" }
    if inputSteps.upperBound != step + 1 || outputSteps.lowerBound != step {
      return "the one is reserved in steps \(outputSteps), the other in \(inputSteps), which do not meet in one step"
    }
    if inputSteps.lowerBound >= step { return "both are born at step \(step)" }
    if input.endStep != step + 1 { return "the input is not live at step \(step)" }
    let other = family[owner[pair.input]].first {
      $0 != pair.input && problem.tensors[$0].firstStep <= step && step < problem.tensors[$0].endStep
    }
    return other.map { "\(problem.label(ofTensor: $0)) shares its bytes and is live too" }
  }

  /// Walks through the births of one arena, comparing each newcomer with all that are still live.
  mutating func checkOverlaps(inArena arena: Int, limit: Int) {
    let owners = problem.tensors.indices.filter {
      owner[$0] == $0 && problem.tensors[$0].arena == arena && problem.tensors[$0].sizeInBytes > 0
    }
    var live: [Int] = []
    for newcomer in owners.sorted(by: { reserved[$0].lowerBound < reserved[$1].lowerBound }) {
      live.removeAll { reserved[$0].upperBound <= reserved[newcomer].lowerBound }
      for other in live where sharesBytes(newcomer, other) {
        if excused.contains(Pair(input: other, output: newcomer)) { continue }
        let names = "\(problem.label(ofTensor: other)) and \(problem.label(ofTensor: newcomer))"
        let steps = reserved[newcomer].clamped(to: reserved[other])
        report(
          .overlap, [other, newcomer],
          "tensors \(names) share bytes of arena \(arena) in steps \(steps): \(place(other)), \(place(newcomer))")
        if found.count >= limit { return }
      }
      live.append(newcomer)
    }
  }

  private func sharesBytes(_ a: Int, _ b: Int) -> Bool {
    // Foreign offsets may be anything. The wrapped difference, read as unsigned, is right for all of them.
    let (low, high) = offsets[a] <= offsets[b] ? (a, b) : (b, a)
    return UInt(bitPattern: offsets[high] &- offsets[low]) < UInt(problem.tensors[low].sizeInBytes)
  }

  private func place(_ tensor: Int) -> String {
    "\(problem.tensors[tensor].sizeInBytes) bytes at byte \(offsets[tensor])"
  }

  private mutating func report(_ kind: Violation.Kind, _ tensors: [Int], _ text: String) {
    found.append(Violation(kind, tensors: tensors, text))
  }
}
