import BackplanePlanner
import _TestSupport

/// Shapes of graphs that planners are known to do well or badly on.
enum ProblemFamily: String, CaseIterable {
  /// Layers of small steps around a residual stream, with some tensors that live on.
  case transformer
  /// Any tensor is read by a few later steps, mostly near ones.
  case branching
  /// What the first half makes, the second half reads in reverse: a U-net, or training.
  case hourglass
  /// Any range of steps: almost everything is live together.
  case anyRange

  func makeProblem(tensorCount: Int, seed: UInt64) -> PlanProblem {
    var random = SeededGenerator(seed: seed)
    let count = tensorCount
    var problem = PlanProblem(tensors: [])
    problem.tensors.reserveCapacity(count)
    for step in 0..<count {
      let steps: Range<Int>
      switch self {
      case .transformer:
        let isResidual = step % 12 == 0
        let isLong = Int.random(in: 0..<100, using: &random) == 0
        steps = step..<step + (isResidual ? 13 : isLong ? 400 : Int.random(in: 2...4, using: &random))
      case .branching:
        var life = 2
        while Int.random(in: 0..<8, using: &random) != 0 { life += 1 }
        steps = step..<step + (Int.random(in: 0..<50, using: &random) == 0 ? 20 * life : life)
      case .hourglass:
        steps = step < count / 2 && step % 4 == 0 ? step..<count - step : step..<step + 2
      case .anyRange:
        let ends = [Int.random(in: 0..<count, using: &random), Int.random(in: 0..<count, using: &random)]
        steps = ends.min()!..<ends.max()! + 1
      }
      // Half the sizes repeat, as in layers; the others spread over five decades.
      let size =
        Bool.random(using: &random)
        ? [4096, 16384, 65536, 1_048_576].randomElement(using: &random)!
        : Int.random(in: 1...64, using: &random) << Int.random(in: 0...16, using: &random)
      problem.tensors.append(Lifetime(name: "t\(step)", sizeInBytes: size, alignmentInBytes: 64, steps: steps))
    }
    problem.addPairs(chanceInPercent: 40, &random)
    return problem
  }
}

extension PlanProblem {
  /// Adds in-place pairs between tensors that meet, with the given chance.
  mutating func addPairs(chanceInPercent: Int, _ random: inout SeededGenerator) {
    var bornAtStep: [Int: [Int]] = [:]
    for (index, tensor) in tensors.enumerated() { bornAtStep[tensor.firstStep, default: []].append(index) }
    for (index, tensor) in tensors.enumerated() {
      for output in bornAtStep[tensor.endStep - 1] ?? [] where output != index {
        if Int.random(in: 0..<100, using: &random) >= chanceInPercent { continue }
        inPlacePairs.append(InPlacePair(input: index, output: output))
      }
    }
  }
}
