import BackplaneCore

/// When programs run: in steps, each of which has at most one program a device. Programs of one step run at the same time.
struct Schedule {
  /// For each program its step. Programs of one device keep their order.
  let stepOf: [Int]
  /// For each step its programs.
  let steps: [[Int]]

  /// - Parameter overlaps: False gives each program a step of its own.
  init(_ programs: [ProgramPlan], overlaps: Bool) {
    var stepOf: [Int] = []
    var maker: [TensorID: Int] = [:]
    var lastOnDevice: [Int: Int] = [:]
    for (p, program) in programs.enumerated() {
      var step = (lastOnDevice[program.device] ?? -1) + 1
      for id in program.bindings { if let q = maker[id] { step = max(step, stepOf[q] + 1) } }
      if !overlaps { step = p }
      stepOf.append(step)
      lastOnDevice[program.device] = step
      for id in program.graph.outputs { maker[program.tensors[id.index]] = p }
    }
    var steps = Array(repeating: [Int](), count: (stepOf.max() ?? -1) + 1)
    for (p, step) in stepOf.enumerated() { steps[step].append(p) }
    (self.stepOf, self.steps) = (stepOf, steps)
  }
}

extension Graph {
  /// Constants of which a node reads all: not the table of a gather, of which it reads a few rows.
  func weightsRead(by node: Node) -> Set<TensorID> {
    Set(node.inputs.enumerated().compactMap { k, id in id.flatMap { self[$0].role == .constant && !(node.op == "gather" && k == 0) ? $0 : nil } })
  }
}

/// Cuts placed nodes into the programs of their devices.
struct ProgramCutter {
  struct Part {
    var nodes: Range<Int>
    var device: Int
    fileprivate var step = 0

    /// The same nodes as parts that read at most `limit` bytes of weights each; a node that reads more has a part of its own.
    func cut(weightBytes limit: Int, _ graph: Graph) -> [Part] {
      var parts: [Part] = []
      var held: Set<TensorID> = []
      var bytes = 0
      for i in nodes {
        let weights = graph.weightsRead(by: graph.nodes[i])
        let more = weights.filter { !held.contains($0) }.reduce(0) { $0 + (graph[$1].maximumBytes ?? 0) }
        if parts.isEmpty || (more > 0 && bytes > 0 && bytes + more > limit) {
          parts.append(Part(nodes: i..<i + 1, device: device))
          (held, bytes) = (weights, weights.reduce(0) { $0 + (graph[$1].maximumBytes ?? 0) })
        } else {
          parts[parts.count - 1].nodes = parts.last!.nodes.lowerBound..<i + 1
          held.formUnion(weights)
          bytes += more
        }
      }
      return parts
    }
  }

  /// Of each node.
  private let devices: [Int]
  /// Nodes that make what a node reads.
  private let makers: [[Int]]
  /// Sums of the nodes' estimates before each node.
  private let before: [UInt64]

  init(_ graph: Graph, devices: [Int], nanoseconds: [UInt64]) {
    var maker = Array(repeating: -1, count: graph.tensors.count)
    var makers: [[Int]] = []
    for (i, node) in graph.nodes.enumerated() {
      makers.append(node.inputs.compactMap { $0.map { maker[$0.index] } }.filter { $0 >= 0 })
      for case let id? in node.outputs { maker[id.index] = i }
    }
    var before: [UInt64] = [0]
    for time in nanoseconds { before.append(before.last! + time) }
    (self.devices, self.makers, self.before) = (devices, makers, before)
  }

  private func time(_ nodes: Range<Int>) -> UInt64 { before[nodes.upperBound] - before[nodes.lowerBound] }

  /// Neighbours in the order that are on one device.
  func neighbours() -> [Part] {
    var parts: [Part] = []
    for (i, device) in devices.enumerated() {
      if let last = parts.last, last.device == device { parts[parts.count - 1].nodes = last.nodes.lowerBound..<i + 1 } else { parts.append(Part(nodes: i..<i + 1, device: device)) }
    }
    return parts
  }

  /// Neighbours, cut where a part of them can run while another device works: behind what the other device waits for, and before what waits
  /// for the other device. Only where both then have `worth` nanoseconds to do at least, by their estimates.
  func overlapping(worth: UInt64) -> [Part] {
    let whole = neighbours()
    if whole.count < 2 { return whole }
    // Behind the last node that the beginning of another device's run waits for.
    var cuts: Set<Int> = []
    for run in whole where time(run.nodes) >= worth {
      guard let last = makers[run.nodes.lowerBound].filter({ devices[$0] != run.device }).max(), let other = whole.last(where: { $0.nodes.lowerBound <= last }),
            other.nodes.upperBound > last + 1, time(last + 1..<other.nodes.upperBound) >= worth else { continue }
      cuts.insert(last + 1)
    }
    var parts: [Part] = []
    var partOf: [Int] = []
    var lastStep: [Int: Int] = [:]
    for (i, device) in devices.enumerated() {
      let awaited = makers[i].map { partOf[$0] }.filter { parts[$0].device != device }.max { parts[$0].step < parts[$1].step }
      let needed = awaited.map { parts[$0].step + 1 } ?? 0
      if let current = parts.last, current.device == device, !cuts.contains(i) {
        let gains = needed > current.step && time(current.nodes) >= worth && time(parts[awaited ?? 0].nodes) >= worth
        if !gains {
          parts[parts.count - 1].nodes = current.nodes.lowerBound..<i + 1
          parts[parts.count - 1].step = max(current.step, needed)
          lastStep[device] = parts.last!.step
          partOf.append(parts.count - 1)
          continue
        }
      }
      let step = max(needed, (lastStep[device] ?? -1) + 1)
      parts.append(Part(nodes: i..<i + 1, device: device, step: step))
      lastStep[device] = step
      partOf.append(parts.count - 1)
    }
    return parts
  }
}
