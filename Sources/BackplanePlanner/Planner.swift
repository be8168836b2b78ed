/// Gives every tensor its bytes, so that no two that are live together overlap and the arenas stay small.
///
/// Tries one order after the other and keeps the smallest peak, arena by arena, until a peak is near enough to the lower
/// bound. The same problem always gets the same plan. Which orders pay: Specs/decisions/0004-planner.md.
public struct Planner: Sendable {
  public var orders: [PlacementOrder]
  public var gapChoices: [GapChoice]
  /// Peak over lower bound at which no further order is tried.
  public var enoughRatio: Double
  /// No further order is tried for an arena after so many probes (some 10 ns each): a bound on hopeless cases. Counted,
  /// not timed, so that plans repeat.
  public var maximumProbeCount: Int

  public init(
    orders: [PlacementOrder] = [.size, .area, .firstStep], gapChoices: [GapChoice] = [.lowest],
    enoughRatio: Double = 1.01, maximumProbeCount: Int = 3_000_000
  ) {
    precondition(!orders.isEmpty && !gapChoices.isEmpty, "at least one order and one gap choice")
    precondition(enoughRatio >= 1 && maximumProbeCount >= 0, "a ratio of at least 1, a count of at least 0")
    self.orders = orders
    self.gapChoices = gapChoices
    self.enoughRatio = enoughRatio
    self.maximumProbeCount = maximumProbeCount
  }

  /// - Throws: ``PlanError``: the problem has no meaning, pins collide, or an arena's capacity is too small for the best
  ///   plan found. Nothing has been allocated then.
  /// - Complexity: O(n log n) for n tensors as long as the free bytes of an arena lie in few gaps, which they do in
  ///   practice; O(n²) at worst.
  public func plan(_ problem: PlanProblem) throws(PlanError) -> Plan {
    try problem.check()
    let map = StorageMap(problem)
    let links = InPlaceLinks(problem, map)
    let (snug, forced) = (InPlaceLinks.snug(problem, map), InPlaceLinks.forced(problem, map))
    var plan = Plan(
      offsetsInBytes: [Int](repeating: 0, count: problem.tensors.count), arenas: [], usedInPlacePairs: [])
    var offsets = map.storages.map { $0.pinnedOffsetInBytes ?? 0 }
    let storagesOfArena = map.storagesByArena(count: problem.arenas.count)
    for (number, arena) in problem.arenas.enumerated() {
      let arenaProblem = ArenaProblem(storagesOfArena[number], map.storages)
      let best: Best
      do {
        best = try bestPlacement(arenaProblem, all: links, snug: snug, forced: forced)
      } catch {
        throw arenaProblem.pinnedOverlap(error, snug, problem, map)
      }
      plan.arenas.append(best.result)
      if let capacity = arena.capacityInBytes, best.result.peakInBytes > capacity {
        throw .doesNotFit(arena: number, needed: best.result.peakInBytes, capacity: capacity)
      }
      for (body, start) in zip(best.bodies, best.offsetsInBytes) {
        for member in body.members {
          offsets[member.storage] = start + member.start
          if let pair = member.pair { plan.usedInPlacePairs.append(pair) }
        }
      }
    }
    plan.usedInPlacePairs.sort()
    for tensor in problem.tensors.indices {
      plan.offsetsInBytes[tensor] = offsets[map.storageOfTensor[tensor]] + map.startInStorage[tensor]
    }
    return plan
  }

  private struct Best {
    var bodies: [Body]
    var offsetsInBytes: [Int]
    var result: ArenaPlan
    var gapChoice: GapChoice
  }

  /// The snug pairs in every order first; then the best order with all pairs, and with none, because a long chain may
  /// stand in the way of others.
  private func bestPlacement(
    _ arena: ArenaProblem, all: InPlaceLinks, snug: InPlaceLinks, forced: InPlaceLinks
  ) throws(PinCollision) -> Best {
    let linked = arena.bodies(all)
    let lowerBound = arena.timeline.lowerBoundInBytes(linked, arena.storages)
    let enough = Int(Double(lowerBound) * enoughRatio)
    var probeCount = 0
    var best: Best?
    func tryPlacing(_ bodies: [Body], _ order: PlacementOrder, _ gapChoice: GapChoice) throws(PinCollision) {
      if let best, best.result.peakInBytes <= max(enough, lowerBound) || probeCount > maximumProbeCount { return }
      let placed = try Placer.place(bodies, order, gapChoice, stepCount: arena.timeline.stepCount)
      probeCount += placed.probeCount
      if let best, best.result.peakInBytes <= placed.peakInBytes { return }
      let result = ArenaPlan(
        peakInBytes: placed.peakInBytes, lowerBoundInBytes: lowerBound, order: bodies.isEmpty ? nil : order)
      best = Best(bodies: bodies, offsetsInBytes: placed.offsetsInBytes, result: result, gapChoice: gapChoice)
    }
    let first = snug.count == all.count ? linked : arena.bodies(snug)
    for order in orders {
      for gapChoice in gapChoices { try tryPlacing(first, order, gapChoice) }
    }
    guard let order = best!.result.order else { return best! }
    if snug.count < all.count { try tryPlacing(linked, order, best!.gapChoice) }
    if forced.count < snug.count { try tryPlacing(arena.bodies(forced), order, best!.gapChoice) }
    return best!
  }
}
