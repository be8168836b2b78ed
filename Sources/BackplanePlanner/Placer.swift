/// A pinned body, by number, meets one that was pinned before it.
struct PinCollision: Error {
  var body: Int
}

/// Gives the bodies of one arena their offsets, one after the other, never moving one that is placed.
struct Placer {
  private(set) var peakInBytes = 0
  private var index: OccupancyIndex
  private let gapChoice: GapChoice
  private var found: [Int] = []  // kept to save allocations

  init(stepCount: Int, gapChoice: GapChoice) {
    index = OccupancyIndex(stepCount: stepCount)
    self.gapChoice = gapChoice
  }

  /// Places pinned bodies first, then the others in `order`.
  ///
  /// - Returns: Offsets in the order of `bodies`.
  static func place(
    _ bodies: [Body], _ order: PlacementOrder, _ gapChoice: GapChoice, stepCount: Int
  ) throws(PinCollision) -> (offsetsInBytes: [Int], peakInBytes: Int, probeCount: Int) {
    var placer = Placer(stepCount: stepCount, gapChoice: gapChoice)
    var offsets = [Int](repeating: 0, count: bodies.count)
    for (number, body) in bodies.enumerated() {
      guard let pin = body.pinnedOffsetInBytes else { continue }
      if placer.lowestFit(body, from: pin) != pin { throw PinCollision(body: number) }
      placer.put(body, at: pin)
      offsets[number] = pin
    }
    for number in order.sorted(bodies) where bodies[number].pinnedOffsetInBytes == nil {
      offsets[number] = placer.place(bodies[number])
    }
    return (offsets, placer.peakInBytes, placer.index.probeCount)
  }

  private mutating func place(_ body: Body) -> Int {
    let start =
      body.slabs.count == 1 && gapChoice == .tightest ? tightestFit(body) : lowestFit(body, from: 0)
    put(body, at: start)
    return start
  }

  private mutating func put(_ body: Body, at start: Int) {
    for slab in body.slabs {
      index.occupy(start + slab.start, start + slab.start + slab.size, steps: slab.steps)
      peakInBytes = max(peakInBytes, start + slab.start + slab.size)
    }
  }

  /// The lowest aligned offset, at or above `byte`, at which no slab meets a placed one.
  private mutating func lowestFit(_ body: Body, from byte: Int) -> Int {
    var start = byte
    var agreed = 0  // how many slabs in a row have left `start` alone
    while agreed < body.slabs.count {
      for slab in body.slabs {
        found.removeAll(keepingCapacity: true)
        index.collectSets(steps: slab.steps, into: &found)
        let moved = alignedFit(slab.start, slab.size, body.alignmentInBytes, from: start)
        agreed = moved == start ? agreed + 1 : 1
        start = moved
        if agreed >= body.slabs.count { break }
      }
    }
    return start
  }

  private mutating func alignedFit(_ offset: Int, _ size: Int, _ alignment: Int, from byte: Int) -> Int {
    var start = byte
    while true {
      let free = index.firstFit(in: found, from: start + offset, size: size) - offset
      if free == start { return start }
      start = alignedUp(free, alignment)
    }
  }

  /// An aligned offset in the smallest gap that holds the only slab; above everything if none does.
  private mutating func tightestFit(_ body: Body) -> Int {
    let size = body.slabs[0].size
    found.removeAll(keepingCapacity: true)
    index.collectSets(steps: body.slabs[0].steps, into: &found)
    var best: (start: Int, length: Int)?
    var gap = index.nextGap(in: found, from: 0)
    while gap.end != .max {
      let start = alignedUp(gap.start, body.alignmentInBytes)
      let length = gap.end - gap.start
      if gap.end - start >= size, best.map({ length < $0.length }) ?? true { best = (start, length) }
      gap = index.nextGap(in: found, from: gap.end)
    }
    return best?.start ?? alignedUp(gap.start, body.alignmentInBytes)
  }
}

private func alignedUp(_ byte: Int, _ alignment: Int) -> Int { (byte + alignment - 1) & ~(alignment - 1) }

extension PlacementOrder {
  /// Indices of `bodies` in this order; equals keep the order given, so that plans repeat.
  func sorted(_ bodies: [Body]) -> [Int] {
    let keys: [(Double, Int)] = bodies.map { body in
      switch self {
      case .size: (-Double(body.sizeInBytes), body.firstStep)
      case .area: (-body.area, body.firstStep)
      case .firstStep: (Double(body.firstStep), -body.sizeInBytes)
      }
    }
    return bodies.indices.sorted { (keys[$0].0, keys[$0].1, $0) < (keys[$1].0, keys[$1].1, $1) }
  }
}
