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
    /// Weights and states: tensors that stay in the memory of the node's device.
    package var residents: [Int]
    package init(costs: [UInt64?], inputs: [Int], outputs: [Int], residents: [Int] = []) {
      (self.costs, self.inputs, self.outputs, self.residents) = (costs, inputs, outputs, residents)
    }
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
  /// Bytes of residents that a device may hold, each counted once; nil: any number.
  package var budgets: [Int?]

  package init(deviceCount: Int, nodes: [Node], tensors: [Tensor], links: [[LinkCost]], switchCost: UInt64, stateLimit: Int = 256, budgets: [Int?] = []) {
    (self.deviceCount, self.nodes, self.tensors, self.links) = (deviceCount, nodes, tensors, links)
    (self.switchCost, self.stateLimit) = (switchCost, stateLimit)
    self.budgets = budgets.isEmpty ? Array(repeating: nil, count: deviceCount) : budgets
  }

  var host: Int { deviceCount }

  /// What a whole choice costs, item by item.
  package struct Bill: Equatable {
    package struct Move: Equatable {
      package var tensor: Int
      /// Places; the host is the last one.
      package var from, to: Int
      /// The node before which it is done; the number of nodes: after the last.
      package var before: Int
      package var cost: UInt64
    }
    /// Of the nodes alone.
    package var compute: UInt64 = 0
    package var moves: [Move] = []
    package var switchCount = 0
    package var switches: UInt64 = 0
    package var moved: UInt64 { moves.reduce(0) { $0 + $1.cost } }
    package var total: UInt64 { compute + moved + switches }
  }

  /// The bill of a choice; nil when it is not possible. Plain, for reports and tests.
  package func bill(of devices: [Int]) -> Bill? {
    var bill = Bill()
    var present = tensors.map(\.present)
    for (i, node) in nodes.enumerated() {
      let device = devices[i]
      guard let own = node.costs[device] else { return nil }
      bill.compute += own
      if i > 0, devices[i - 1] != device { bill.switchCount += 1 }
      for t in node.inputs + node.outputs where tensors[t].isPinned {
        if present[t] == 0 { present[t] = 1 << device } else if present[t] != 1 << device { return nil }
      }
      for t in node.inputs where !tensors[t].isPinned && present[t] & (1 << device) == 0 {
        guard let from = source(t, present[t], device) else { return nil }
        bill.moves.append(.init(tensor: t, from: from, to: device, before: i, cost: links[from][device].nanoseconds(forBytes: tensors[t].bytes)))
        present[t] |= 1 << device
      }
      for t in node.outputs where !tensors[t].isPinned { present[t] = 1 << device }
    }
    for (t, tensor) in tensors.enumerated() where tensor.endsAtHost && present[t] & (1 << host) == 0 {
      guard let from = source(t, present[t], host) else { continue }
      bill.moves.append(.init(tensor: t, from: from, to: host, before: nodes.count, cost: links[from][host].nanoseconds(forBytes: tensor.bytes)))
    }
    bill.switches = UInt64(bill.switchCount) * switchCost
    for (used, budget) in zip(residentBytes(of: devices), budgets) { if let budget, used > budget { return nil } }
    return bill
  }

  package func cost(of devices: [Int]) -> UInt64? { bill(of: devices)?.total }

  /// Bytes of residents on each device.
  package func residentBytes(of devices: [Int]) -> [Int] {
    var bytes = Array(repeating: 0, count: deviceCount)
    var places = [UInt32](repeating: 0, count: tensors.count)
    for (i, node) in nodes.enumerated() {
      for t in node.residents where places[t] & (1 << devices[i]) == 0 {
        places[t] |= 1 << devices[i]
        bytes[devices[i]] += tensors[t].bytes
      }
    }
    return bytes
  }

  /// The place from which a tensor comes cheapest.
  private func source(_ tensor: Int, _ present: UInt32, _ place: Int) -> Int? {
    (0...deviceCount).filter { present & (1 << $0) != 0 }
      .min { links[$0][place].nanoseconds(forBytes: tensors[tensor].bytes) < links[$1][place].nanoseconds(forBytes: tensors[tensor].bytes) }
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
