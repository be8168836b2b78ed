/// A choice for each node.
package struct PlacementSolution {
  package var devices: [Int]
  package var cost: UInt64
  /// False when a cheaper choice may exist: states had to be dropped.
  package var isExact: Bool
}

extension PlacementProblem {
  /// The cheapest choice, by dynamic programming over the order of the nodes.
  ///
  /// A state is where each live tensor is, and which device ran last: all that later costs depend on. Of equal states the
  /// cheapest survives. Tensors die after their last use, so there are few states where few tensors are live.
  ///
  /// Within budgets: first without looking at them; if that is too much for a device, with what each device holds as a part of the state;
  /// where that makes too many states, with a price for bytes, raised until the budgets are kept.
  ///
  /// - Returns: Nil when a node has no device, states force devices apart, or no choice keeps the budgets; the second value then is the node
  ///   at which there was no way on.
  package func solve() -> (solution: PlacementSolution?, stuckAt: Int) {
    let free = solve(prices: nil, countsBytes: false)
    guard let first = free.solution, !keepsBudgets(first.devices) else { return (free.solution, free.stuckAt) }
    let counted = solve(prices: nil, countsBytes: true)
    if counted.isExact { return (counted.solution, counted.stuckAt) }
    let priced = solveWithPrices()
    let best = [counted.solution, priced].compactMap { $0 }.min { $0.cost < $1.cost }
    return (best.map { PlacementSolution(devices: $0.devices, cost: $0.cost, isExact: false) }, counted.stuckAt)
  }

  private func keepsBudgets(_ devices: [Int]) -> Bool { zip(residentBytes(of: devices), budgets).allSatisfy { $0 <= $1 ?? .max } }

  /// A price a byte for each device with a budget: doubled until its budget is kept, then lowered as far as it goes, device by device.
  private func solveWithPrices() -> PlacementSolution? {
    var prices = Array(repeating: 0.0, count: deviceCount)
    var best: PlacementSolution?
    func attempt() -> [Int]? {
      guard let found = solve(prices: prices, countsBytes: false).solution else { return nil }
      if keepsBudgets(found.devices), found.cost < best?.cost ?? .max { best = found }
      return residentBytes(of: found.devices)
    }
    for _ in 0..<48 {
      guard let used = attempt() else { return nil }
      let over = budgets.indices.filter { used[$0] > budgets[$0] ?? .max }
      if over.isEmpty { break }
      for d in over { prices[d] = max(prices[d] * 2, 1e-3) }
    }
    for d in prices.indices where prices[d] > 0 {
      var (low, high) = (prices[d] / 4, prices[d])
      for _ in 0..<12 {
        prices[d] = (low + high) / 2
        guard let used = attempt() else { return best }
        if used.indices.allSatisfy({ used[$0] <= budgets[$0] ?? .max }) { high = prices[d] } else { low = prices[d] }
      }
      prices[d] = high
    }
    return best
  }

  /// - Parameters:
  ///   - prices: Nanoseconds a byte that a resident counts besides, in choosing only.
  ///   - countsBytes: What devices hold is a part of the state, and budgets are kept.
  private func solve(prices: [Double]?, countsBytes: Bool) -> (solution: PlacementSolution?, isExact: Bool, stuckAt: Int) {
    let minds = countsBytes || prices != nil
    var lastUse = Array(repeating: -1, count: tensors.count)
    var residentUses = Array(repeating: 0, count: minds ? tensors.count : 0)
    for (i, node) in nodes.enumerated() {
      for t in node.inputs { lastUse[t] = i }
      for t in node.outputs { lastUse[t] = max(lastUse[t], i) }
      if minds { for t in node.residents { residentUses[t] += 1 } }
    }
    // A resident of several nodes counts once a device: where it is belongs to the state, until its last use. Pinned ones are there anyway.
    func isShared(_ t: Int) -> Bool { residentUses[t] > 1 && !tensors[t].isPinned }
    if minds { for (i, node) in nodes.enumerated() { for t in node.residents where isShared(t) { lastUse[t] = i } } }
    // Live tensors sit in slots, so that a state is a short row of bytes.
    var slotOf = Array(repeating: -1, count: tensors.count)
    var freeSlots: [Int] = []
    var slotCount = 0
    func isLive(_ t: Int) -> Bool { slotOf[t] >= 0 }
    func open(_ t: Int) {
      if isLive(t) { return }
      if let slot = freeSlots.popLast() { slotOf[t] = slot } else { slotOf[t] = slotCount; slotCount += 1 }
    }

    struct Key: Hashable {
      var places: [UInt32]
      var device: Int
      /// Bytes of residents, one a device; empty when they do not count.
      var used: [Int] = []
    }
    struct State {
      var key: Key
      var cost: UInt64
      /// What is compared: the cost, and the price of bytes.
      var rank = 0.0
      var step: Int  // in `history`; -1 before the first
    }
    var history: [(previous: Int32, device: UInt8)] = []
    history.reserveCapacity(nodes.count * 2)
    var states = [State(key: Key(places: [], device: -1, used: countsBytes ? Array(repeating: 0, count: deviceCount) : []), cost: 0, step: -1)]
    var isExact = true

    for (i, node) in nodes.enumerated() {
      let shared = minds ? node.residents.filter(isShared) : []
      let touched = node.inputs + node.outputs + shared
      for t in touched where !isLive(t) {
        open(t)
        for s in states.indices {
          while states[s].key.places.count < slotCount { states[s].key.places.append(0) }
          states[s].key.places[slotOf[t]] = shared.contains(t) ? 0 : tensors[t].present
        }
      }
      let dying = Set(touched.filter { lastUse[$0] == i && isLive($0) })
      var next: [State] = []
      var index: [Key: Int] = [:]
      let feasible = (0..<deviceCount).filter { node.costs[$0] != nil }
      let isSingle = states.count == 1 && feasible.count == 1
      for state in states {
        choices: for device in feasible {
          var new = state
          new.cost += node.costs[device]!
          if state.key.device >= 0, state.key.device != device { new.cost += switchCost }
          for t in touched where tensors[t].isPinned {
            let slot = slotOf[t]
            if new.key.places[slot] == 0 { new.key.places[slot] = 1 << device } else if new.key.places[slot] != 1 << device { continue choices }
          }
          for t in node.inputs where !tensors[t].isPinned && new.key.places[slotOf[t]] & (1 << device) == 0 {
            guard let move = moveCost(t, from: new.key.places[slotOf[t]], to: device) else { continue choices }
            new.cost += move
            new.key.places[slotOf[t]] |= 1 << device
          }
          for t in node.outputs where !tensors[t].isPinned { new.key.places[slotOf[t]] = 1 << device }
          if minds {
            var bytes = 0
            for t in node.residents {
              if isShared(t) {
                if new.key.places[slotOf[t]] & (1 << device) != 0 { continue }
                new.key.places[slotOf[t]] |= 1 << device
              } else if residentUses[t] > 1, state.key.places[slotOf[t]] != 0 { continue }
              bytes += tensors[t].bytes
            }
            if countsBytes, bytes > 0 {
              new.key.used[device] += bytes
              if let budget = budgets[device], new.key.used[device] > budget { continue choices }
            }
            if let prices { new.rank += prices[device] * Double(bytes) }
          }
          new.rank += Double(new.cost - state.cost)
          for t in dying {
            let places = new.key.places[slotOf[t]]
            if tensors[t].endsAtHost, places & (1 << host) == 0 {
              let last = moveCost(t, from: places, to: host) ?? 0
              new.cost += last
              new.rank += Double(last)
            }
            new.key.places[slotOf[t]] = 0
          }
          new.key.device = device
          if !isSingle {
            if let known = index[new.key] {
              if next[known].rank <= new.rank { continue }
              next[known] = new
              history.append((Int32(state.step), UInt8(device)))
              next[known].step = history.count - 1
              continue
            }
            index[new.key] = next.count
          }
          history.append((Int32(state.step), UInt8(device)))
          new.step = history.count - 1
          next.append(new)
        }
      }
      if next.isEmpty { return (nil, isExact, i) }
      if next.count > stateLimit {
        next.sort { $0.rank < $1.rank }
        next.removeLast(next.count - stateLimit)
        isExact = false
      }
      states = next
      for t in dying {
        freeSlots.append(slotOf[t])
        slotOf[t] = -1
      }
    }
    let best = states.min { $0.rank < $1.rank }!
    var devices = Array(repeating: 0, count: nodes.count)
    var step = best.step
    for i in nodes.indices.reversed() {
      devices[i] = Int(history[step].device)
      step = Int(history[step].previous)
    }
    return (PlacementSolution(devices: devices, cost: best.cost, isExact: isExact), isExact, -1)
  }
}
