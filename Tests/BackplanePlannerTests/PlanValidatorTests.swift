import BackplanePlanner
import Testing

/// Every kind of mistake, made on purpose in a right plan.
@Suite struct PlanValidatorTests {
  /// Two arenas; 0 → 1 in place; 3 is a view of 2; 4 is pinned.
  static let problem: PlanProblem = {
    var pinned = Lifetime(name: "state", sizeInBytes: 64, alignmentInBytes: 64, steps: 0..<9)
    pinned.pinnedOffsetInBytes = 1024
    return PlanProblem(
      tensors: [
        .bytes(256, 0..<3), .bytes(256, 2..<6), .bytes(512, 0..<6), .bytes(128, 1..<6), pinned, .bytes(64, 0..<2, arena: 1),
        .bytes(256, 5..<8),
      ],
      aliases: [Alias(3, of: 2, offsetInBytes: 128)],
      inPlacePairs: [InPlacePair(input: 0, output: 1), InPlacePair(input: 2, output: 6), InPlacePair(input: 1, output: 6)],
      arenas: [Arena(name: "device", capacityInBytes: 4096), Arena(name: "host")])
  }()
  static let offsets = [512, 512, 0, 128, 1024, 0, 768]

  private func kinds(
    _ change: (inout [Int]) -> Void = { _ in }, peaks: [Int]? = [1088, 64], pairs: [Int]? = [0], of problem: PlanProblem = problem
  ) -> Set<Violation.Kind> {
    var offsets = Self.offsets
    change(&offsets)
    let found = PlanValidator.violations(
      in: problem, offsetsInBytes: offsets, peaksInBytes: peaks, usedInPlacePairs: pairs)
    return Set(found.map(\.kind))
  }

  @Test func rightPlanHasNoViolations() {
    #expect(kinds() == [])
    #expect(kinds(peaks: nil, pairs: nil) == [])
  }

  @Test func tensorOnALiveOneIsAnOverlap() {
    #expect(kinds { $0[6] = 256 } == [.overlap])
    #expect(kinds { $0[1] = 448 } .contains(.overlap))
    // One byte is enough.
    let touching = PlanProblem(tensors: [.bytes(65, 0..<2), .bytes(64, 1..<2)])
    #expect(PlanValidator.violations(in: touching, offsetsInBytes: [0, 64]).map(\.kind) == [.overlap])
    #expect(PlanValidator.violations(in: touching, offsetsInBytes: [64, 0]) == [])
  }

  @Test func viewKeepsItsBaseReservedForTheValidatorToo() {
    let problem = PlanProblem(
      tensors: [.bytes(512, 0..<2), .bytes(64, 1..<9), .bytes(64, 3..<4)], aliases: [Alias(1, of: 0)])
    let found = PlanValidator.violations(in: problem, offsetsInBytes: [0, 0, 448])
    #expect(found.map(\.kind) == [.overlap])
    #expect(found[0].tensors == [0, 2])
  }

  @Test func pairThatIsNotInUseExcusesNothing() { #expect(kinds(pairs: []) == [.overlap]) }

  @Test func pairWhoseOutputIsElsewhereIsIllegal() { #expect(kinds({ $0[1] = 1280 }, peaks: [1536, 64]) == [.illegalPair]) }

  @Test func pairOfStoragesThatAViewStillReadsIsIllegal() {
    #expect(kinds({ $0[6] = 0 }, pairs: [0, 1]) == [.illegalPair, .overlap])
    #expect(kinds({ $0[6] = 0 }, pairs: nil) == [.overlap])
  }

  @Test func pairThatDoesNotExistIsIllegal() { #expect(kinds(pairs: [0, 3, -1]) == [.illegalPair]) }

  @Test func chainOfPairsIsRight() { #expect(kinds({ $0[6] = 512 }, pairs: [0, 2]) == []) }

  @Test(
    "a pair that breaks a rule is illegal",
    arguments: [
      [Lifetime.bytes(64, 0..<3), .bytes(128, 2..<4)], [.bytes(64, 0..<4), .bytes(64, 2..<4)],
      [.bytes(64, 0..<2), .bytes(64, 2..<4)], [.bytes(64, 2..<3), .bytes(64, 2..<4)],
      [.bytes(64, 0..<3), .bytes(64, 2..<4, arena: 1)],
    ])
  func unusablePairIsIllegal(_ tensors: [Lifetime]) {
    let problem = PlanProblem(
      tensors: tensors, inPlacePairs: [InPlacePair(input: 0, output: 1)], arenas: [Arena(), Arena()])
    let found = PlanValidator.violations(in: problem, offsetsInBytes: [0, 0], usedInPlacePairs: [0])
    #expect(found.first?.kind == .illegalPair)
  }

  @Test func oddOffsetIsMisaligned() { #expect(kinds({ $0[5] = 32 }, peaks: [1088, 128]) == [.misaligned]) }

  @Test func movedViewIsFound() { #expect(kinds { $0[3] = 192 } == [.viewMoved]) }

  @Test func movedPinIsFound() { #expect(kinds({ $0[4] = 1088 }, peaks: [1152, 64]) == [.pinMoved]) }

  @Test func offsetsOutsideTheArenaAreFound() {
    #expect(kinds { $0[5] = -64 } == [.outsideArena])
    #expect(kinds { $0[5] = 64 } == [.outsideArena])
    #expect(kinds({ $0[6] = 4096 }, peaks: nil) == [.outsideArena])
    for offset in [Int.min, -64, Int.max - 63] {
      #expect(kinds({ $0[6] = offset }, peaks: nil).contains(.outsideArena), "offset \(offset)")
    }
  }

  @Test func peakOverTheCapacityIsFound() { #expect(kinds(peaks: [5000, 64]) == [.overCapacity]) }

  @Test func wrongCountsAreFound() {
    #expect(kinds { $0.removeLast() } == [.wrongCount])
    #expect(kinds(peaks: [1088]) == [.wrongCount])
  }

  @Test func meaninglessProblemIsReported() {
    var problem = Self.problem
    problem.tensors[0].alignmentInBytes = 3
    #expect(kinds(of: problem) == [.badProblem])
  }

  @Test func violationSaysNamesAndValues() {
    let problem = PlanProblem(tensors: [
      Lifetime(name: "q", sizeInBytes: 64, steps: 0..<3), Lifetime(name: "k", sizeInBytes: 64, steps: 1..<4),
    ])
    #expect(
      PlanValidator.violations(in: problem, offsetsInBytes: [0, 0]).map(\.description) == [
        "tensors #0 \"q\" and #1 \"k\" share bytes of arena 0 in steps 1..<3: 64 bytes at byte 0, 64 bytes at byte 0"
      ])
  }

  @Test func noMoreViolationsThanTheLimitAreReported() {
    let problem = PlanProblem(tensors: (0..<50).map { _ in .bytes(64, 0..<1) })
    let offsets = [Int](repeating: 0, count: 50)
    #expect(PlanValidator.violations(in: problem, offsetsInBytes: offsets, limit: 7).count == 7)
  }
}
