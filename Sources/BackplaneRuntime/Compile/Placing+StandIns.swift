import BackplaneCore
import BackplaneRegistry
import BackplaneSpecs

extension Placing {
  /// Replaces operators that no device takes by what they are composed of; where an application has given a function instead, adds the device that
  /// runs it, last.
  ///
  /// What a device takes whole stays whole: whether its parts would be faster is not asked.
  mutating func standIn(_ runtime: Runtime, _ timer: NodeTimer?) throws(BackplaneError) {
    var messages: [String] = []
    while true {
      let nodes = try nodesWithoutDevice()
      let composed = nodes.filter { OperatorSpec.named(graph.nodes[$0].op)!.isFused }
      let needsFunctions = composed.count < nodes.count && options.fallback != .forbid && !devices.contains { $0.plugin.name == FunctionPlugin.name }
      if composed.isEmpty && !needsFunctions { break }
      var reasons: [Int: String] = [:]
      for node in nodes { reasons[node] = "\(graph.nodes[node].op), which \(refusals(of: node))" }
      let (made, from) = try graph.composing(Set(composed))
      var standIns: [Int: String] = [:]
      for (node, source) in from.enumerated() { standIns[node] = reasons[source].map { "stands in for \($0)" } ?? self.standIns[source] }
      for node in nodes { messages.append("\(reasons[node]!), runs as \(composed.contains(node) ? "its parts" : "its function on the host")") }
      let known = (from.map { origins[$0] }, from.map { pinned[$0] }, standIns)
      self = try Placing(checking: made, devices + (needsFunctions ? [runtime.functionDevice()] : []), options, timer: timer, known: known)
    }
    var counts: [(text: String, count: Int)] = []
    for message in messages {
      if let i = counts.firstIndex(where: { $0.text == message }) { counts[i].count += 1 } else { counts.append((message, 1)) }
    }
    standInMessages = counts.map { $0.count == 1 ? $0.text : "\($0.text) (\($0.count) nodes)" }
  }

  /// Nodes that something could stand in for and that none of the devices that may run them takes. Where fallback is forbidden, that is the first one.
  private mutating func nodesWithoutDevice() throws(BackplaneError) -> [Int] {
    var replaceable: [String: Bool] = [:]
    let candidates = graph.nodes.indices.filter { node in
      let op = graph.nodes[node].op
      if let known = replaceable[op] { return known }
      let answer = OperatorSpec.named(op).map { $0.isFused || $0.functions?.reference != nil } ?? false
      replaceable[op] = answer
      return answer
    }
    if candidates.isEmpty { return [] }
    try ask()
    return candidates.filter { node in
      !devices.indices.contains { mayTake($0, node) && answers[$0][signatures[node]].isUsable }
    }
  }

  private func mayTake(_ device: Int, _ node: Int) -> Bool { pinned[node].map { $0 == device } ?? (options.fallback != .forbid || device == 0) }

  private func refusals(of node: Int) -> String {
    let asked = devices.indices.filter { mayTake($0, node) }
    return asked.map { "\(devices[$0].id) refuses: \(reason($0, signatures[node], graph.nodes[node]))" }.joined(separator: "; ")
  }
}

extension Runtime {
  /// The device that runs custom operators by their reference functions. It is there once a graph needs it.
  func functionDevice() throws(BackplaneError) -> Device {
    // Another thread may register it meanwhile, which is as good.
    if !registry.entries.contains(where: { $0.shortName == FunctionPlugin.name }) { try? register(inProcess: FunctionPlugin.table) }
    return try registry.device(FunctionPlugin.name)
  }
}
