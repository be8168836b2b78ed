import BackplanePlanner
import Testing

@Suite struct PlanErrorTests {
  @Test func badTensorsAreRefusedByName() {
    let good = Lifetime.bytes(64, 0..<2)
    expect(.negativeSize(tensor: "#1 \"x\"", sizeInBytes: -1), [good, Lifetime(name: "x", sizeInBytes: -1, steps: 0..<1)])
    for alignment in [0, -64, 48, Int.min] {
      expect(
        .alignmentNotPowerOfTwo(tensor: "#0", alignmentInBytes: alignment),
        [Lifetime(sizeInBytes: 1, alignmentInBytes: alignment, steps: 0..<1)])
    }
    expect(.negativeStep(tensor: "#0", firstStep: -1), [.bytes(1, -1..<2)])
    expect(.emptySteps(tensor: "#0", firstStep: 3, endStep: 3), [.bytes(1, 3..<3)])
    expect(.emptySteps(tensor: "#0", firstStep: 3, endStep: 2), [Lifetime(sizeInBytes: 1, firstStep: 3, endStep: 2)])
    expect(.unknownArena(tensor: "#0", arena: 1, arenaCount: 1), [.bytes(1, 0..<1, arena: 1)])
    expect(.unknownArena(tensor: "#0", arena: -1, arenaCount: 1), [.bytes(1, 0..<1, arena: -1)])
    expect(.sizesOverflow(arena: 0), [.bytes(Int.max / 2, 0..<1), .bytes(Int.max / 2, 0..<1)])
    expect(.sizesOverflow(arena: 0), [.bytes(Int.max, 0..<1)])
  }

  @Test func badPinsAreRefused() {
    func pinned(_ offset: Int, _ steps: Range<Int> = 0..<4) -> Lifetime {
      Lifetime(sizeInBytes: 100, alignmentInBytes: 64, steps: steps, pinnedOffsetInBytes: offset)
    }
    expect(.badPin(tensor: "#0", offsetInBytes: 32, alignmentInBytes: 64), [pinned(32)])
    expect(.badPin(tensor: "#0", offsetInBytes: -64, alignmentInBytes: 64), [pinned(-64)])
    expect(.pinnedOverlap(first: "#0", second: "#2"), [pinned(0), pinned(128), pinned(64, 3..<5)])
    #expect(throws: Never.self) { try Planner().plan(PlanProblem(tensors: [pinned(0), pinned(128), pinned(64, 4..<5)])) }
  }

  @Test func badPairsAreRefused() {
    let tensors = [Lifetime.bytes(64, 0..<2), .bytes(64, 1..<3)]
    expect(
      .unknownTensor(place: "in-place pair 0", index: 2, tensorCount: 2), tensors, pairs: [InPlacePair(input: 0, output: 2)])
    expect(
      .unknownTensor(place: "in-place pair 0", index: -1, tensorCount: 2), tensors, pairs: [InPlacePair(input: -1, output: 1)])
    expect(
      .pairedWithItself(place: "in-place pair 1", tensor: "#1"), tensors,
      pairs: [InPlacePair(input: 0, output: 1), InPlacePair(input: 1, output: 1)])
  }

  @Test func badViewsAreRefused() {
    let tensors = [Lifetime.bytes(256, 0..<2), .bytes(256, 1..<3), .bytes(256, 1..<3), .bytes(256, 1..<3, arena: 1)]
    expect(.unknownTensor(place: "alias 0", index: 9, tensorCount: 4), tensors, [Alias(1, of: 9)])
    expect(.viewHasTwoBases(tensor: "#1"), tensors, [Alias(1, of: 0), Alias(1, of: 2)])
    expect(.viewOfItself(tensor: "#1"), tensors, [Alias(1, of: 1)])
    expect(.viewOfItself(tensor: "#1"), tensors, [Alias(1, of: 2), Alias(2, of: 0), Alias(0, of: 1)])
    expect(.viewInOtherArena(tensor: "#3", base: "#0"), tensors, [Alias(3, of: 0)])
    for offset in [1, -64, Int.min, Int.max] {
      expect(
        .viewOutsideBase(tensor: "#1", base: "#0", offsetInBytes: offset, sizeInBytes: 256, baseSizeInBytes: 256), tensors,
        [Alias(1, of: 0, offsetInBytes: offset)])
    }
    var (small, pinned) = (tensors, tensors)
    small[1].sizeInBytes = 16
    expect(
      .viewMisaligned(tensor: "#1", offsetInBytes: 16, alignmentInBytes: 64), small, [Alias(1, of: 0, offsetInBytes: 16)])
    pinned[1].pinnedOffsetInBytes = 0
    expect(.viewIsPinned(tensor: "#1"), pinned, [Alias(1, of: 0)])
  }

  @Test func tooSmallACapacityIsRefusedWithTheNeed() throws {
    var problem = PlanProblem(
      tensors: [.bytes(64, 0..<2), .bytes(64, 1..<2, arena: 1), .bytes(128, 0..<2, arena: 1)],
      arenas: [Arena(), Arena(capacityInBytes: 191)])
    #expect(throws: PlanError.doesNotFit(arena: 1, needed: 192, capacity: 191)) { try Planner().plan(problem) }
    problem.arenas[1].capacityInBytes = 192
    #expect(try planAndValidate(problem).arenas[1].peakInBytes == 192)
  }

  @Test func anErrorSaysTheValues() {
    let text = PlanError.doesNotFit(arena: 1, needed: 192, capacity: 191).description
    #expect(text == "arena 1 needs 192 bytes but has 191; lower the symbols' bounds or use another memory")
  }

  private func expect(
    _ error: PlanError, _ tensors: [Lifetime], _ aliases: [Alias] = [], pairs: [InPlacePair] = [],
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let problem = PlanProblem(tensors: tensors, aliases: aliases, inPlacePairs: pairs, arenas: tensors.count == 4 ? [Arena(), Arena()] : [Arena()])
    #expect(throws: error, sourceLocation: sourceLocation) { try Planner().plan(problem) }
    // What the planner refuses, the validator reports, and neither traps.
    let violations = PlanValidator.violations(in: problem, offsetsInBytes: tensors.map { _ in 0 })
    #expect(violations.isEmpty == false, sourceLocation: sourceLocation)
  }
}
