import BackplaneCore
import BackplaneRegistry
import BackplaneSpecs

/// A node to run: one of the graph given, or a fused one in place of several.
final class Unit {
  let node: Node
  /// Nodes of the graph given that it stands for, ascending.
  let members: [Int]
  /// Its place in the order: that of one of its members.
  let position: Int
  let signature: Int
  /// Index of the device.
  let device: Int

  init(node: Node, members: [Int], position: Int, signature: Int, device: Int) {
    (self.node, self.members, self.position, self.signature, self.device) = (node, members, position, signature, device)
  }
}

/// Rewrites nodes into fused operators that a device says yes to.
struct Fusion {
  private let graph: Graph
  private var units: [Unit?]
  /// For each tensor, the unit that makes it (-1 none) and the units that read it, some of which may be gone.
  private var producer: [Int]
  private var readers: [[Int]]
  private let isGraphOutput: [Bool]
  private let patterns: [FusionPattern]

  /// - Parameter devices: For each node the device it is on. Only nodes of one device are fused.
  init(_ graph: Graph, devices: [Int], signatures: [Int], patterns: [FusionPattern] = FusionPattern.all) {
    self.graph = graph
    self.patterns = patterns
    units = graph.nodes.indices.map {
      Unit(node: graph.nodes[$0], members: [$0], position: $0, signature: signatures[$0], device: devices[$0])
    }
    producer = Array(repeating: -1, count: graph.tensors.count)
    readers = Array(repeating: [], count: graph.tensors.count)
    var isGraphOutput = Array(repeating: false, count: graph.tensors.count)
    for id in graph.outputs { isGraphOutput[id.index] = true }
    self.isGraphOutput = isGraphOutput
    for (u, node) in graph.nodes.enumerated() {
      for case let id? in node.inputs { readers[id.index].append(u) }
      for case let id? in node.outputs { producer[id.index] = u }
    }
  }

  /// - Parameter isWanted: Whether the device takes the fused unit rather than its parts.
  /// - Returns: What is to be run, in order.
  mutating func run(_ table: inout SignatureTable,
                    isWanted: (Unit, [Unit], SignatureTable) throws(BackplaneError) -> Bool) throws(BackplaneError) -> [Unit] {
    var present: Set<String> = []
    for node in graph.nodes { present.insert(node.op) }
    var hasChanged = true
    while hasChanged {
      hasChanged = false
      for pattern in patterns where present.contains(pattern.steps.last!.op) {
        let last = pattern.steps.last!.op
        for u in units.indices {
          guard let unit = units[u], unit.node.op == last, let match = match(pattern, u), let position = position(of: match) else { continue }
          guard (try? check(match.node, in: graph)) != nil else { continue }
          let signature = table.number(of: match.node)
          let fused = Unit(node: match.node, members: [], position: position, signature: signature, device: unit.device)
          guard try isWanted(fused, match.units.map { units[$0]! }, table) else { continue }
          apply(match, position, signature, unit.device)
          present.insert(match.node.op)
          hasChanged = true
        }
      }
    }
    return units.compactMap { $0 }.sorted { $0.position < $1.position }
  }

  private struct Match {
    var node: Node
    var units: [Int]
  }

  private enum Binding: Equatable {
    case free, absent
    case tensor(TensorID)
  }

  /// The steps from the last to the first; each but the last is found as the producer of what a later one reads.
  private func match(_ pattern: FusionPattern, _ anchor: Int) -> Match? {
    var names = Array(repeating: Binding.free, count: pattern.names.count)
    var attributes = pattern.spec.attributes.map { Attribute($0.name, $0.defaultValue) }
    var isGiven = Array(repeating: false, count: attributes.count)
    var found: [Int] = []
    let numerics = units[anchor]!.node.numerics

    func bind(_ name: Int, _ id: TensorID?) -> Bool {
      let binding = id.map { Binding.tensor($0) } ?? .absent
      if names[name] == .free { names[name] = binding }
      return names[name] == binding
    }
    func bind(_ list: [Int], _ ids: [TensorID?]) -> Bool {
      for k in 0..<max(list.count, ids.count) {
        let id = k < ids.count ? ids[k] : nil
        if k >= list.count { if id != nil { return false } } else if !bind(list[k], id) { return false }
      }
      return true
    }

    for (number, step) in pattern.steps.enumerated().reversed() {
      var u = anchor
      if number < pattern.steps.count - 1 {
        guard case .tensor(let made)? = step.outputs.lazy.map({ names[$0] }).first(where: { $0 != .free }) else { return nil }
        u = producer[made.index]
      }
      guard u >= 0, let unit = units[u], unit.device == units[anchor]!.device, !found.contains(u) else { return nil }
      let node = unit.node
      guard node.op == step.op, node.version == step.spec.version, node.numerics == numerics,
            node.attributes.count == step.attributes.count, bind(step.outputs, node.outputs), bind(step.inputs, node.inputs)
      else { return nil }
      for (attribute, wanted) in zip(node.attributes, step.attributes) {
        switch wanted {
        case .value(let value): if attribute.value != value { return nil }
        case .attribute(let own):
          if isGiven[own], attributes[own].value != attribute.value { return nil }
          attributes[own].value = attribute.value
          isGiven[own] = true
        }
      }
      found.append(u)
    }
    for name in pattern.internalNames {
      guard case .tensor(let id) = names[name] else { continue }
      if isGraphOutput[id.index] || graph[id].role != .intermediate { return nil }
      if readers[id.index].contains(where: { units[$0] != nil && !found.contains($0) }) { return nil }
    }
    func ids(_ range: Range<Int>) -> [TensorID?] { range.map { if case .tensor(let id) = names[$0] { id } else { nil } } }
    let inputs = pattern.spec.inputs.count
    return Match(node: Node(op: pattern.spec.name, version: pattern.spec.version, inputs: ids(0..<inputs),
                            outputs: ids(inputs..<inputs + pattern.spec.outputs.count), attributes: attributes, numerics: numerics),
                 units: found)
  }

  /// A member's place at which all that the fused node reads is made before it, and all that reads it comes after it. Nil: none.
  private func position(of match: Match) -> Int? {
    let places = match.units.map { units[$0]!.position }.sorted(by: >)
    let span = places.last!...places.first!
    func outside(_ u: Int) -> Bool { units[u] != nil && !match.units.contains(u) }
    var lowest = Int.min
    var highest = Int.max
    for case let id? in match.node.inputs {
      if graph[id].role == .state { if isTouched(id, within: span, outside) { return nil } }
      let u = producer[id.index]
      if u >= 0, outside(u), graph[id].role == .intermediate { lowest = max(lowest, units[u]!.position) }
    }
    for case let id? in match.node.outputs {
      if graph[id].role == .state, isTouched(id, within: span, outside) { return nil }
      for u in readers[id.index] where outside(u) && graph[id].role == .intermediate { highest = min(highest, units[u]!.position) }
    }
    return places.first { lowest < $0 && $0 < highest }
  }

  /// Reads and writes of a state must stay in their order.
  private func isTouched(_ state: TensorID, within span: ClosedRange<Int>, _ outside: (Int) -> Bool) -> Bool {
    units.indices.contains { u in
      guard outside(u), let unit = units[u], span.contains(unit.position) else { return false }
      return unit.node.inputs.contains(state) || unit.node.outputs.contains(state)
    }
  }

  private mutating func apply(_ match: Match, _ position: Int, _ signature: Int, _ device: Int) {
    let new = units.count
    var members: [Int] = []
    for u in match.units {
      members += units[u]!.members
      units[u] = nil
    }
    units.append(Unit(node: match.node, members: members.sorted(), position: position, signature: signature, device: device))
    for case let id? in match.node.inputs { readers[id.index].append(new) }
    for case let id? in match.node.outputs { producer[id.index] = new }
  }
}
