/// Which device shall run which node, as numbers.
///
/// Nodes come in the order in which they run. The cost of a choice is the sum of each node's own cost, of each move of a tensor to
/// a place that does not have it yet, and of each change of device between neighbours in the order.
package struct PlacementProblem {
  package struct Node {
    /// One a device; nil where the device refuses.
    package var costs: [UInt64?]
    package var inputs: [Int]
    package var outputs: [Int]
    package init(costs: [UInt64?], inputs: [Int], outputs: [Int]) { (self.costs, self.inputs, self.outputs) = (costs, inputs, outputs) }
  }
  package struct Tensor {
    package var bytes: Int
    /// Places that have it at the beginning: devices by number, then the host. A bit each.
    package var present: UInt32 = 0
    /// All nodes that touch it must be on one device: a state.
    package var isPinned = false
    /// Must be at the host when all is done.
    package var endsAtHost = false
    package init(bytes: Int, present: UInt32 = 0, isPinned: Bool = false, endsAtHost: Bool = false) {
      (self.bytes, self.present, self.isPinned, self.endsAtHost) = (bytes, present, isPinned, endsAtHost)
    }
  }

  package var deviceCount: Int
  package var nodes: [Node]
  package var tensors: [Tensor]
  /// From place (row) to place; the host is the last one.
  package var links: [[LinkCost]]
  package var switchCost: UInt64
  package var stateLimit = 256

  package init(deviceCount: Int, nodes: [Node], tensors: [Tensor], links: [[LinkCost]], switchCost: UInt64, stateLimit: Int = 256) {
    (self.deviceCount, self.nodes, self.tensors, self.links) = (deviceCount, nodes, tensors, links)
    (self.switchCost, self.stateLimit) = (switchCost, stateLimit)
  }

  var host: Int { deviceCount }

  /// The cost of a whole choice; nil when it is not possible. Plain, for reports and tests.
  package func cost(of devices: [Int]) -> UInt64? {
    var total: UInt64 = 0
    var present = tensors.map(\.present)
    for (i, node) in nodes.enumerated() {
      let device = devices[i]
      guard let own = node.costs[device] else { return nil }
      total += own
      if i > 0, devices[i - 1] != device { total += switchCost }
      for t in node.inputs + node.outputs where tensors[t].isPinned {
        if present[t] == 0 { present[t] = 1 << device } else if present[t] != 1 << device { return nil }
      }
      for t in node.inputs where !tensors[t].isPinned {
        guard present[t] & (1 << device) == 0 else { continue }
        guard let move = moveCost(t, from: present[t], to: device) else { return nil }
        total += move
        present[t] |= 1 << device
      }
      for t in node.outputs where !tensors[t].isPinned { present[t] = 1 << device }
    }
    for (t, tensor) in tensors.enumerated() where tensor.endsAtHost && present[t] & (1 << host) == 0 {
      total += moveCost(t, from: present[t], to: host) ?? 0
    }
    return total
  }

  func moveCost(_ tensor: Int, from present: UInt32, to place: Int) -> UInt64? {
    var best: UInt64?
    for from in 0...deviceCount where present & (1 << from) != 0 {
      let cost = links[from][place].nanoseconds(forBytes: tensors[tensor].bytes)
      best = min(best ?? .max, cost)
    }
    return best
  }
}

/// A choice for each node.
package struct PlacementSolution {
  package var devices: [Int]
  package var cost: UInt64
  /// False when states had to be dropped, so that a cheaper choice may exist.
  package var isExact: Bool
}

extension PlacementProblem {
  /// The cheapest choice, by dynamic programming over the order of the nodes.
  ///
  /// A state is where each live tensor is, and which device ran last: all that later costs depend on. Of equal states the
  /// cheapest survives. Tensors die after their last use, so there are few states where few tensors are live.
  ///
  /// - Returns: Nil when a node has no device, or states force devices apart; the second value then is that node.
  package func solve() -> (solution: PlacementSolution?, stuckAt: Int) {
    var lastUse = Array(repeating: -1, count: tensors.count)
    for (i, node) in nodes.enumerated() {
      for t in node.inputs { lastUse[t] = i }
      for t in node.outputs { lastUse[t] = max(lastUse[t], i) }
    }
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
    }
    struct State {
      var key: Key
      var cost: UInt64
      var step: Int  // in `history`; -1 before the first
    }
    var history: [(previous: Int32, device: UInt8)] = []
    history.reserveCapacity(nodes.count * 2)
    var states = [State(key: Key(places: [], device: -1), cost: 0, step: -1)]
    var isExact = true

    for (i, node) in nodes.enumerated() {
      let touched = node.inputs + node.outputs
      for t in touched where !isLive(t) {
        open(t)
        for s in states.indices {
          while states[s].key.places.count < slotCount { states[s].key.places.append(0) }
          states[s].key.places[slotOf[t]] = tensors[t].present
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
          for t in dying {
            let places = new.key.places[slotOf[t]]
            if tensors[t].endsAtHost, places & (1 << host) == 0 { new.cost += moveCost(t, from: places, to: host) ?? 0 }
            new.key.places[slotOf[t]] = 0
          }
          new.key.device = device
          if !isSingle {
            if let known = index[new.key] {
              if next[known].cost <= new.cost { continue }
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
      if next.isEmpty { return (nil, i) }
      if next.count > stateLimit {
        next.sort { $0.cost < $1.cost }
        next.removeLast(next.count - stateLimit)
        isExact = false
      }
      states = next
      for t in dying {
        freeSlots.append(slotOf[t])
        slotOf[t] = -1
      }
    }
    let best = states.min { $0.cost < $1.cost }!
    var devices = Array(repeating: 0, count: nodes.count)
    var step = best.step
    for i in nodes.indices.reversed() {
      devices[i] = Int(history[step].device)
      step = Int(history[step].previous)
    }
    return (PlacementSolution(devices: devices, cost: best.cost, isExact: isExact), -1)
  }
}
