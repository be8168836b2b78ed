import BackplanePlanner
import Testing
import _TestSupport

/// What must hold for any problem. The seed is the argument, so a failure prints it.
@Suite struct PlanPropertyTests {
  @Test(arguments: 0..<UInt64(150)) func everyPlanIsValidAndBounded(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let problem = anyProblem(&random)
    let plan = try Planner().plan(problem)
    #expect(PlanValidator.violations(in: problem, plan) == [])
    #expect(PlanValidator.violations(in: problem, offsetsInBytes: plan.offsetsInBytes) == [], "pairs left to the validator")
    for (number, arena) in plan.arenas.enumerated() {
      #expect(arena.peakInBytes >= arena.lowerBoundInBytes)
      #expect(arena.peakInBytes >= 0 && arena.ratio >= 1)
      if arena.lowerBoundInBytes > 0 {
        #expect(arena.ratio * Double(arena.lowerBoundInBytes) - Double(arena.peakInBytes) < 1e-6)
      }
      let own = problem.tensors.indices.filter { problem.tensors[$0].arena == number && problem.tensors[$0].sizeInBytes > 0 }
      let highest = own.map { plan.offsetsInBytes[$0] + problem.tensors[$0].sizeInBytes }.max() ?? 0
      #expect(highest <= arena.peakInBytes)
    }
  }

  @Test(arguments: 0..<UInt64(20)) func lowerBoundIsTheMostThatIsLiveAtOneStep(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    var problem = anyProblem(&random)
    (problem.aliases, problem.inPlacePairs) = ([], [])
    let plan = try Planner().plan(problem)
    for (number, arena) in plan.arenas.enumerated() {
      let own = problem.tensors.filter { $0.arena == number && $0.sizeInBytes > 0 }
      let granule = own.map(\.alignmentInBytes).min() ?? 1
      let live = (0..<100).map { step in
        own.filter { $0.firstStep <= step && step < $0.endStep }
          .reduce(0) { $0 + ($1.sizeInBytes + granule - 1) / granule * granule }
      }
      #expect(arena.lowerBoundInBytes == live.max())
    }
  }

  @Test(arguments: ProblemFamily.allCases) func everyFamilyIsPlannedCloseToItsBound(_ family: ProblemFamily) throws {
    let problem = family.makeProblem(tensorCount: 300, seed: 5)
    let plan = try planAndValidate(problem)
    #expect(plan.arenas[0].ratio < 1.25, "a much worse peak means that an order is broken")
  }

  @Test func tenThousandTensorsArePlanned() throws {
    let problem = ProblemFamily.transformer.makeProblem(tensorCount: 10_000, seed: 1)
    let plan = try Planner(orders: [.size]).plan(problem)
    #expect(PlanValidator.violations(in: problem, plan) == [])
  }

  /// Up to 60 tensors in up to 3 arenas, with views, pairs and odd alignments.
  private func anyProblem(_ random: inout SeededGenerator) -> PlanProblem {
    let arenaCount = Int.random(in: 1...3, using: &random)
    var problem = PlanProblem(tensors: [], arenas: (0..<arenaCount).map { _ in Arena() })
    for index in 0..<Int.random(in: 0...60, using: &random) {
      let first = Int.random(in: 0..<40, using: &random)
      problem.tensors.append(
        Lifetime(
          name: "t\(index)", sizeInBytes: [0, 1, 63, 64, 65, 4096, 5003].randomElement(using: &random)!,
          alignmentInBytes: 1 << Int.random(in: 0...8, using: &random), arena: Int.random(in: 0..<arenaCount, using: &random),
          steps: first..<first + Int.random(in: 1...12, using: &random)))
    }
    for index in problem.tensors.indices.dropFirst() where Int.random(in: 0..<4, using: &random) == 0 {
      let base = Int.random(in: 0..<index, using: &random)
      problem.tensors[index].arena = problem.tensors[base].arena
      problem.tensors[index].alignmentInBytes = 1
      problem.tensors[index].sizeInBytes = Int.random(in: 0...problem.tensors[base].sizeInBytes, using: &random)
      let room = problem.tensors[base].sizeInBytes - problem.tensors[index].sizeInBytes
      problem.aliases.append(Alias(index, of: base, offsetInBytes: Int.random(in: 0...room, using: &random)))
    }
    // A base's arena and size may not change after a view was made of it: views come in order, so bases never do.
    problem.addPairs(chanceInPercent: 60, &random)
    return problem
  }
}
