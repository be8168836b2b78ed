import BackplanePlanner
import Testing

/// Problems small enough to plan by hand.
@Suite struct PlannerTests {
  @Test func noTensorsNeedNoMemory() throws {
    let plan = try Planner().plan(PlanProblem(tensors: []))
    #expect(plan.arenas == [ArenaPlan(peakInBytes: 0, lowerBoundInBytes: 0, order: nil)])
    #expect(plan.arenas[0].ratio == 1)
  }

  @Test func disjointLifetimesShareMemory() throws {
    let plan = try planAndValidate([.bytes(128, 0..<2), .bytes(128, 2..<4)])
    #expect(plan.offsetsInBytes == [0, 0])
    #expect(plan.arenas[0].peakInBytes == 128)
  }

  @Test func inputAndOutputOfOneStepDoNotShareMemory() throws {
    let plan = try planAndValidate([.bytes(128, 0..<3), .bytes(128, 2..<4)])
    #expect(plan.arenas[0].peakInBytes == 256)
  }

  @Test func gapBetweenLongLivedTensorsIsUsedAgain() throws {
    // 0 and 2 live throughout; 1 dies and leaves a gap between or above them for 3.
    let plan = try planAndValidate([.bytes(256, 0..<9), .bytes(128, 0..<3), .bytes(192, 0..<9), .bytes(128, 4..<9)])
    #expect(plan.arenas[0].peakInBytes == 576)
    #expect(plan.offsetsInBytes[1] == plan.offsetsInBytes[3])
  }

  @Test func offsetsAreMultiplesOfEachAlignment() throws {
    let tensors = [1, 2, 64, 4096, 1, 16].enumerated().map {
      Lifetime(sizeInBytes: 3 + $0.offset, alignmentInBytes: $0.element, steps: 0..<1)
    }
    let plan = try planAndValidate(tensors)
    for (offset, tensor) in zip(plan.offsetsInBytes, tensors) { #expect(offset % tensor.alignmentInBytes == 0) }
  }

  @Test func tensorsOfNoBytesTakeNoMemory() throws {
    let plan = try planAndValidate([.bytes(0, 0..<5), .bytes(64, 0..<5), .bytes(0, 0..<5)])
    #expect(plan.arenas[0].peakInBytes == 64)
  }

  @Test func sizesBeyondFourGiBAreOrdinary() throws {
    let plan = try planAndValidate([.bytes(5 << 40, 0..<2), .bytes(7 << 40, 1..<3)])
    #expect(plan.arenas[0].peakInBytes == 12 << 40)
  }

  @Test func peakIsRoundedUpToTheSmallestAlignment() throws {
    let plan = try planAndValidate([.bytes(100, 0..<1)])
    #expect(plan.arenas[0].peakInBytes == 128)
    #expect(plan.arenas[0].lowerBoundInBytes == 128)
  }

  @Test func arenasArePlannedApart() throws {
    let problem = PlanProblem(
      tensors: [.bytes(64, 0..<2), .bytes(128, 0..<2, arena: 2), .bytes(64, 0..<2)],
      arenas: [Arena(name: "device"), Arena(name: "unused"), Arena(name: "host")])
    let plan = try planAndValidate(problem)
    #expect(plan.arenas.map(\.peakInBytes) == [128, 0, 128])
    #expect(plan.offsetsInBytes[1] == 0)
  }

  @Test func hugeStepNumbersCostNothing() throws {
    let plan = try planAndValidate([.bytes(64, 0..<Int.max), .bytes(64, 1 << 60..<1 << 61)])
    #expect(plan.arenas[0].peakInBytes == 128)
  }

  @Test func pinnedTensorsStayAndOthersGoAround() throws {
    var pinned = Lifetime.bytes(64, 0..<9)
    pinned.pinnedOffsetInBytes = 128
    let plan = try planAndValidate([.bytes(256, 3..<5), pinned, .bytes(128, 3..<5)])
    #expect(plan.offsetsInBytes == [192, 128, 0])
  }

  @Test func theSameProblemGetsTheSamePlan() throws {
    let problem = ProblemFamily.branching.makeProblem(tensorCount: 200, seed: 3)
    #expect(try Planner().plan(problem) == Planner().plan(problem))
  }

  @Test func touchedPeakFollowsTheTypicalSizes() throws {
    let problem = PlanProblem(tensors: [.bytes(256, 0..<2), .bytes(128, 0..<2)])
    let plan = try planAndValidate(problem)
    #expect(plan.touchedPeaksInBytes(of: problem, sizesInBytes: [256, 10]) == [266])
    #expect(plan.touchedPeaksInBytes(of: problem, sizesInBytes: [0, 0]) == [0])
  }
}

@Suite struct InPlaceTests {
  @Test func aChainTakesOnePlace() throws {
    let problem = PlanProblem(
      tensors: [.bytes(640, 0..<3), .bytes(640, 2..<6), .bytes(640, 5..<7)],
      inPlacePairs: [InPlacePair(input: 0, output: 1), InPlacePair(input: 1, output: 2)])
    let plan = try planAndValidate(problem)
    #expect(plan.usedInPlacePairs == [0, 1])
    #expect(plan.offsetsInBytes == [0, 0, 0])
    #expect(plan.arenas[0].peakInBytes == 640)
    #expect(plan.arenas[0].ratio == 1)
  }

  @Test func bytesThatAShrinkingChainGivesUpAreFree() throws {
    let problem = PlanProblem(
      tensors: [.bytes(640, 0..<3), .bytes(64, 2..<9), .bytes(576, 3..<9)],
      inPlacePairs: [InPlacePair(input: 0, output: 1)])
    let plan = try planAndValidate(problem)
    #expect(plan.usedInPlacePairs == [0])
    #expect(plan.arenas[0].peakInBytes == 640)
  }

  @Test func onlyOneOutputTakesTheInput() throws {
    let problem = PlanProblem(
      tensors: [.bytes(640, 0..<3), .bytes(128, 2..<4), .bytes(640, 2..<4)],
      inPlacePairs: [InPlacePair(input: 0, output: 1), InPlacePair(input: 0, output: 2)])
    #expect(try planAndValidate(problem).usedInPlacePairs == [1])
  }

  @Test func twoInputsGiveTheirPlaceToOneOutputOnce() throws {
    let problem = PlanProblem(
      tensors: [.bytes(640, 0..<3), .bytes(320, 0..<3), .bytes(320, 2..<4)],
      inPlacePairs: [InPlacePair(input: 0, output: 2), InPlacePair(input: 1, output: 2)])
    #expect(try planAndValidate(problem).usedInPlacePairs == [1])
  }

  @Test(
    "a pair is left alone when the output is larger, the input lives on, dies early, or is born at the same step",
    arguments: [
      [Lifetime.bytes(64, 0..<3), .bytes(128, 2..<4)], [.bytes(64, 0..<4), .bytes(64, 2..<4)],
      [.bytes(64, 0..<2), .bytes(64, 2..<4)], [.bytes(64, 2..<3), .bytes(64, 2..<4)],
      [.bytes(64, 0..<3), .bytes(64, 2..<4, arena: 1)],
    ])
  func unusablePairIsLeftAlone(_ tensors: [Lifetime]) throws {
    let problem = PlanProblem(
      tensors: tensors, inPlacePairs: [InPlacePair(input: 0, output: 1)], arenas: [Arena(), Arena()])
    #expect(try planAndValidate(problem).usedInPlacePairs == [])
  }

  @Test func pinnedStateIsUpdatedInPlace() throws {
    var (old, new) = (Lifetime.bytes(64, 0..<3), Lifetime.bytes(64, 2..<9))
    (old.pinnedOffsetInBytes, new.pinnedOffsetInBytes) = (128, 128)
    let problem = PlanProblem(tensors: [old, new], inPlacePairs: [InPlacePair(input: 0, output: 1)])
    #expect(try planAndValidate(problem).usedInPlacePairs == [0])
  }
}

@Suite struct AliasTests {
  @Test func viewOfAViewLiesWhereItsOffsetsSay() throws {
    let problem = PlanProblem(
      tensors: [.bytes(64, 3..<4), .bytes(512, 0..<3), .bytes(256, 0..<9), .bytes(256, 1..<2)],
      aliases: [Alias(0, of: 3, offsetInBytes: 64), Alias(3, of: 1, offsetInBytes: 128)])
    let plan = try planAndValidate(problem)
    #expect(plan.offsetsInBytes[0] == plan.offsetsInBytes[1] + 192)
  }

  @Test func viewKeepsTheWholeBaseReserved() throws {
    let problem = PlanProblem(
      tensors: [.bytes(512, 0..<2), .bytes(64, 1..<9), .bytes(512, 3..<4)], aliases: [Alias(1, of: 0)])
    #expect(try planAndValidate(problem).arenas[0].peakInBytes == 1024)
  }

  @Test func lastViewGivesItsPlaceToAnOutput() throws {
    let problem = PlanProblem(
      tensors: [.bytes(512, 0..<2), .bytes(512, 1..<4), .bytes(512, 3..<5)],
      aliases: [Alias(1, of: 0)], inPlacePairs: [InPlacePair(input: 1, output: 2)])
    #expect(try planAndValidate(problem).usedInPlacePairs == [0])
  }

  @Test func placeIsNotGivenAwayWhileAnotherViewIsRead() throws {
    let problem = PlanProblem(
      tensors: [.bytes(512, 0..<4), .bytes(512, 1..<4), .bytes(512, 3..<5)],
      aliases: [Alias(1, of: 0)], inPlacePairs: [InPlacePair(input: 1, output: 2)])
    #expect(try planAndValidate(problem).usedInPlacePairs == [])
  }
}

extension Lifetime {
  static func bytes(_ size: Int, _ steps: Range<Int>, arena: Int = 0) -> Lifetime {
    Lifetime(sizeInBytes: size, alignmentInBytes: 64, arena: arena, steps: steps)
  }
}

func planAndValidate(_ tensors: [Lifetime]) throws -> Plan { try planAndValidate(PlanProblem(tensors: tensors)) }

func planAndValidate(_ problem: PlanProblem) throws -> Plan {
  let plan = try Planner().plan(problem)
  #expect(PlanValidator.violations(in: problem, plan) == [])
  return plan
}
