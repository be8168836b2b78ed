import BackplaneCore
import BackplaneRegistry
import BackplaneSpecs

extension Runtime {
  /// Checks, fuses, places, splits, plans and compiles a graph, once for all values of its symbols.
  ///
  /// - Throws: ``BackplaneError``: the labelled constraint that a node breaks; for a node that no device takes, each device's
  ///   reason; what a device says when it cannot compile.
  public func compile(_ graph: Graph, _ options: CompileOptions = CompileOptions()) throws(BackplaneError) -> CompiledGraph {
    let devices = options.devices.isEmpty ? defaultDevices : options.devices
    if devices.isEmpty {
      try graph.check()
      throw BackplaneError(.unsupported, "there is no device to run on", hint: "`backplane devices` shows which plugins were found and why others were not")
    }
    let timer = options.measures ? NodeTimer(runtime: self) : nil
    var placing = try Placing(checking: graph, devices, options, timer: timer)
    try placing.standIn(self, timer)
    for line in placing.standInMessages where options.fallback == .warn { host.log(LogMessage(level: .warning, category: "placement", text: line)) }
    var parts: [TensorID: ConstantPart] = [:]
    if options.splits != .never && placing.devices.count > 1 || options.weightBytesPerProgram != nil {
      try placing.ask()
      let splitting: Splitting
      if let limit = options.weightBytesPerProgram { splitting = try Splitting(placing, weightBytes: limit) } else { splitting = try Splitting(placing, options.splits) }
      if splitting.count > 0 { (placing, parts) = (try Placing(checking: splitting.graph, placing.devices, options, timer: timer, parts: splitting.pins), splitting.parts) }
    }
    try placing.place()
    for line in placing.fallbackMessages where options.fallback == .warn {
      host.log(LogMessage(level: .warning, category: "placement", text: line))
    }
    return try Building(self, placing, options, parts).build()
  }
}

/// Everything that is found out about a graph before anything is compiled.
struct Placing {
  let graph: Graph
  let devices: [Device]
  let options: CompileOptions
  var table: SignatureTable
  var answers: [DeviceAnswers]
  /// One a node.
  var signatures: [Int]
  /// What runs, in order.
  var units: [Unit] = []
  /// Between devices; the host is the last place.
  let links: [[LinkCost]]
  /// For each node the device to which it is pinned.
  let pinned: [Int?]
  /// Of those, the parts of operators that run on two devices.
  let parts: Set<Int>
  /// For each node the one of the graph given that it is, or is a part of.
  let origins: [Int]
  /// For nodes that stand in for an operator that no device takes: of which, and why.
  let standIns: [Int: String]
  var standInMessages: [String] = []
  var isExact = true
  var fallbackMessages: [String] = []

  /// - Parameters:
  ///   - parts: The device of each part of an operator that runs on two.
  ///   - known: Of a graph that was made of another one: where each node came from, to which device it is pinned, and what it stands in for.
  init(checking graph: Graph, _ devices: [Device], _ options: CompileOptions, timer: NodeTimer? = nil, parts: [Int: Int] = [:],
       known: (origins: [Int], pinned: [Int?], standIns: [Int: String])? = nil) throws(BackplaneError) {
    self.graph = graph
    self.devices = devices
    self.options = options
    links = Placing.links(devices, options)
    var pinned: [Int?]
    if let known { pinned = known.pinned } else { pinned = try Placing.pins(graph, devices, options, mustFit: parts.isEmpty) }
    (origins, standIns) = (known?.origins ?? Array(graph.nodes.indices), known?.standIns ?? [:])
    for (node, device) in parts { pinned[node] = device }
    (self.pinned, self.parts) = (pinned, Set(parts.keys))
    table = SignatureTable(graph)
    answers = devices.map { DeviceAnswers($0, timer: timer) }
    var table = table
    signatures = graph.nodes.map { table.number(of: $0) }
    self.table = table
    var isChecked = Array(repeating: false, count: table.examples.count)
    try graph.check { node in
      defer { isChecked[signatures[node]] = true }
      return !isChecked[signatures[node]]
    }
  }

  /// Asks each device about every node, once for each signature.
  mutating func ask() throws(BackplaneError) { for d in devices.indices { try answers[d].ask(about: signatures, table) } }

  mutating func place() throws(BackplaneError) {
    try ask()
    // A node that a device takes only as a part of a fused one, and that placement has cut off from the rest of it.
    var cutOff = Array(repeating: Set<Int>(), count: devices.count)
    while true {
      let (assigned, alone) = try assign(cutOff)
      let units: [Unit]
      if let alone { units = alone } else { units = try fuse(assigned) }
      let stranded = units.filter { $0.members.count == 1 && !answers[$0.device][$0.signature].isUsable }
      if stranded.isEmpty {
        self.units = units
        break
      }
      for unit in stranded { cutOff[unit.device].insert(unit.members[0]) }
    }
    try noteFallbacks()
  }

  /// Fused units when each node is on the device given.
  private mutating func fuse(_ devices: [Int]) throws(BackplaneError) -> [Unit] {
    var fusion = Fusion(graph, devices: devices, signatures: signatures, patterns: options.fuses ? FusionPattern.all : [])
    var (table, answers) = (table, answers)
    defer { (self.table, self.answers) = (table, answers) }
    let graph = graph
    return try fusion.run(&table) { (fused, parts, table) throws(BackplaneError) in
      let verdict = try answers[fused.device].verdict(fused.signature, table)
      guard verdict.isUsable else { return false }
      // A device that runs it as its parts says so by its estimate. A part that it does not take alone leaves no choice.
      var sum: UInt64 = 0
      for part in parts {
        let own = try answers[fused.device].verdict(part.signature, table)
        guard own.isUsable else { return true }
        sum += Placing.estimate(own, part.node, graph)
      }
      return Placing.estimate(verdict, fused.node, graph) <= sum
    }
  }

  /// A device for each node; with one device, the units too.
  private mutating func assign(_ cutOff: [Set<Int>]) throws(BackplaneError) -> ([Int], [Unit]?) {
    var units: [Unit] = []
    var costs = Array(repeating: [UInt64?](repeating: nil, count: devices.count), count: graph.nodes.count)
    for d in devices.indices {
      units = try fuse(Array(repeating: d, count: graph.nodes.count))
      for unit in units {
        let verdict = answers[d][unit.signature]
        guard verdict.isUsable else { continue }
        let estimate = Placing.estimate(verdict, unit.node, graph)
        let share = estimate / UInt64(unit.members.count)
        for (k, member) in unit.members.enumerated() where !cutOff[d].contains(member) {
          guard pinned[member] ?? d == d else { continue }
          costs[member][d] = k == 0 ? estimate - share * UInt64(unit.members.count - 1) : share
        }
      }
    }
    for i in graph.nodes.indices where costs[i].allSatisfy({ $0 == nil }) { throw refusal(of: i) }
    let problem = problem(graph.nodes, costs)
    if devices.count == 1 {
      let choice = Array(repeating: 0, count: graph.nodes.count)
      if let budget = problem.budgets[0], problem.residentBytes(of: choice)[0] > budget { throw tooSmall(problem) }
      return (choice, units)
    }
    let (solution, stuckAt) = problem.solve()
    guard let solution else {
      if problem.budgets.contains(where: { $0 != nil }) { throw tooSmall(problem) }
      throw BackplaneError(.unsupported, "no device takes all the nodes that share a state with \(describe(stuckAt))",
                           hint: "nodes that read or write one state must run on one device")
    }
    isExact = solution.isExact
    return (solution.devices, nil)
  }

  /// The nodes as numbers: what they cost on each device, what they read and make, and what they keep there.
  private func problem(_ nodes: [Node], _ costs: [[UInt64?]]) -> PlacementProblem {
    var problem = PlacementProblem(deviceCount: devices.count, nodes: [], tensors: [], links: links, switchCost: options.switchNanoseconds,
                                   stateLimit: options.placementStateLimit, budgets: budgets)
    let counts = problem.budgets.contains { $0 != nil }
    problem.tensors = graph.tensors.map { tensor in
      PlacementProblem.Tensor(bytes: tensor.maximumBytes ?? 0, present: tensor.role == .input ? 1 << UInt32(devices.count) : 0, isPinned: tensor.role == .state)
    }
    for id in graph.outputs where graph[id].role == .intermediate { problem.tensors[id.index].endsAtHost = true }
    // Constants are on every device before the first run.
    problem.nodes = nodes.indices.map { i in
      let node = nodes[i]
      let operands = node.inputs.compactMap { $0?.index }
      return .init(costs: costs[i], inputs: operands.filter { graph.tensors[$0].role != .constant }, outputs: node.outputs.compactMap { $0?.index },
                   residents: counts ? Array(Set(operands.filter { [.constant, .state].contains(graph.tensors[$0].role) })) : [])
    }
    return problem
  }

  /// What is given, and what a device with memory of its own has.
  private var budgets: [Int?] {
    devices.map { device in
      let types = device.info.memoryTypes
      let own = types.contains { $0.flags.contains(.importsHostMemory) } ? nil : types.first { $0.flags.contains(.deviceLocal) }.flatMap { type in
        [type.budget, type.total].first { $0 > 0 }.map { Int(clamping: $0) }
      }
      return [options.memoryBudgets[device.id], own].compactMap { $0 }.min()
    }
  }

  private func tooSmall(_ problem: PlacementProblem) -> BackplaneError {
    let all = problem.residentBytes(of: Array(repeating: 0, count: problem.nodes.count))[0]
    let given = devices.indices.compactMap { d in problem.budgets[d].map { "\(devices[d].id): \($0)" } }.joined(separator: ", ")
    return BackplaneError(.outOfDeviceMemory, "no placement keeps the devices' memory budgets (\(given) bytes); weights and states are \(all) bytes",
                          hint: "a larger budget, or another device beside them")
  }

  /// What the chosen units cost, with moves between host and devices and changes of device.
  func bill() -> PlacementProblem.Bill {
    let costs = units.map { unit in devices.indices.map { $0 == unit.device ? estimate(unit) : nil } }
    var problem = problem(units.map(\.node), costs)
    problem.budgets = Array(repeating: nil, count: devices.count)
    return problem.bill(of: units.map(\.device)) ?? PlacementProblem.Bill()
  }

  func estimate(_ unit: Unit) -> UInt64 { Placing.estimate(answers[unit.device][unit.signature], unit.node, graph) }

  /// - Parameter mustFit: Each pin must fit a node. Those of operators that were replaced since fit none.
  private static func pins(_ graph: Graph, _ devices: [Device], _ options: CompileOptions, mustFit: Bool) throws(BackplaneError) -> [Int?] {
    var pinned = [Int?](repeating: nil, count: graph.nodes.count)
    for pin in options.pins.reversed() {
      guard let device = devices.firstIndex(where: { $0.id == pin.device }) ?? devices.firstIndex(where: { $0.id.split(separator: ":")[0] == pin.device }) else {
        throw BackplaneError(.invalid, "\(pin.pattern) is pinned to \(pin.device), which is none of the devices allowed (\(devices.map(\.id).joined(separator: ", ")))")
      }
      var isUsed = false
      for i in graph.nodes.indices where pin.fits(graph.nodes[i], graph) { (pinned[i], isUsed) = (device, true) }
      guard isUsed || !mustFit else { throw BackplaneError(.invalid, "no node fits the pin \(pin.pattern)", hint: "an operator's name, or that of a node's first output, with * for anything") }
    }
    return pinned
  }

  /// The device's estimate; where it gives none, 10 GB/s and a microsecond.
  static func estimate(_ verdict: Verdict, _ node: Node, _ graph: Graph) -> UInt64 {
    if verdict.estimatedNanoseconds > 0 { return verdict.estimatedNanoseconds }
    var bytes = 0
    for case let id? in node.inputs + node.outputs { bytes &+= graph[id].maximumBytes ?? 0 }
    return 1000 + UInt64(clamping: bytes / 10)
  }

  private static func links(_ devices: [Device], _ options: CompileOptions) -> [[LinkCost]] {
    let memories = devices.map { DeviceMemory($0) }
    func cost(_ from: Int, _ to: Int) -> LinkCost {
      let (source, target): (Device?, Device?) = (from < devices.count ? devices[from] : nil, to < devices.count ? devices[to] : nil)
      if let given = options.linkCost { return given(source, target) }
      if from == to { return .free }
      if let source, let target, let link = try? target.link(memory: memories[to].main, to: source, memory: memories[from].main) {
        switch link.mode {
        case .native, .import: return LinkCost(latencyNanoseconds: link.latencyNanoseconds, nanosecondsPerKibibyte: 0)
        case .copy where link.bytesPerSecond > 0:
          return LinkCost(latencyNanoseconds: link.latencyNanoseconds, nanosecondsPerKibibyte: max(1, 1_024_000_000_000 / link.bytesPerSecond))
        case .copy, .none: break
        }
      }
      // Inputs and outputs are written and read where the device sees them; else one copy a side that is not the host's.
      let sides = (source == nil || target == nil ? 0 : 1) + (source.map { _ in memories[from].isMainMapped ? 0 : 1 } ?? 0)
        + (target.map { _ in memories[to].isMainMapped ? 0 : 1 } ?? 0)
      return LinkCost(latencyNanoseconds: UInt64(sides) * 2_000, nanosecondsPerKibibyte: UInt64(sides) * 100)
    }
    return (0...devices.count).map { from in (0...devices.count).map { cost(from, $0) } }
  }

  // MARK: Words

  func describe(_ node: Int) -> String {
    let name = graph.nodes[node].outputs.lazy.compactMap { $0 }.first.map { graph[$0].name } ?? ""
    return "node \(node), \(graph.nodes[node].op) \(name)"
  }

  func reason(_ device: Int, _ signature: Int, _ node: Node) -> String {
    answers[device][signature].refusal(of: node) { operandName(node, $0) }
  }

  /// The operand's name in the spec and the tensor's description.
  private func operandName(_ node: Node, _ operand: Int) -> String {
    let spec = OperatorSpec.named(node.op)
    let isInput = operand < node.inputs.count
    let names = isInput ? spec?.inputs.map(\.name) : spec?.outputs.map(\.name)
    let index = isInput ? operand : operand - node.inputs.count
    let name = names.flatMap { $0.isEmpty ? nil : $0[min(index, $0.count - 1)] } ?? "\(operand)"
    guard let id = isInput ? node.inputs[index] : node.outputs[index] else { return name }
    return "\(name): \(graph[id].format)\(graph[id].shape)"
  }

  private func refusal(of node: Int) -> BackplaneError {
    let reasons = devices.indices.filter { pinned[node] ?? $0 == $0 }.map { "\(devices[$0].id): \(reason($0, signatures[node], graph.nodes[node]))" }
    var error = BackplaneError(.unsupported, "\(pinned[node] == nil ? "no device takes" : "the device to which it is pinned does not take") \(describe(node)): \(reasons.joined(separator: "; "))",
                               hint: devices.count == 1 ? "allow another device, or use an operator that \(devices[0].id) has" : nil)
    error.op = graph.nodes[node].op
    error.node = origins[node]
    error.reason = answers[0][signatures[node]].reason.code
    return error
  }

  /// Nodes that are elsewhere because the first device refuses them.
  private mutating func noteFallbacks() throws(BackplaneError) {
    guard devices.count > 1 else { return }
    var counts: [(text: String, node: Int, count: Int)] = []
    var index: [String: Int] = [:]
    for unit in units where isFallback(unit) {
      let refused = unit.members.first { !answers[0][signatures[$0]].isUsable }!
      let text = "\(graph.nodes[refused].op) runs on \(devices[unit.device].id), because \(devices[0].id) refuses it: "
        + reason(0, signatures[refused], graph.nodes[refused])
      if let known = index[text] { counts[known].count += 1 } else {
        index[text] = counts.count
        counts.append((text, refused, 1))
      }
    }
    fallbackMessages = counts.map { $0.count == 1 ? $0.text : "\($0.text) (\($0.count) nodes)" }
    if options.fallback == .forbid, let first = counts.first {
      var error = BackplaneError(.unsupported, "fallback is forbidden: \(fallbackMessages.joined(separator: "; "))",
                                 hint: "allow fallback, or leave \(devices[0].id) out")
      error.node = origins[first.node]
      error.op = graph.nodes[first.node].op
      error.reason = answers[0][signatures[first.node]].reason.code
      throw error
    }
  }

  /// What the unit's parts would cost on each device, or why they cannot run there.
  func alternatives(_ unit: Unit) -> [PlacementReport.Alternative] {
    devices.indices.filter { $0 != unit.device }.map { d in
      if let refused = unit.members.first(where: { !answers[d][signatures[$0]].isUsable }) {
        return .init(device: devices[d].id, refusal: reason(d, signatures[refused], graph.nodes[refused]))
      }
      return .init(device: devices[d].id, nanoseconds: unit.members.reduce(0) { $0 + Placing.estimate(answers[d][signatures[$1]], graph.nodes[$1], graph) })
    }
  }

  func isFallback(_ unit: Unit) -> Bool { unit.device != 0 && unit.members.contains { !answers[0][signatures[$0]].isUsable } }

  func why(_ unit: Unit) -> String {
    let verdict = answers[unit.device][unit.signature]
    var text = unit.members.count > 1 ? "fused of \(unit.members.map { graph.nodes[$0].op }.joined(separator: ", "))" : ""
    func add(_ part: String) { text += text.isEmpty ? part : "; " + part }
    if let standIn = unit.members.lazy.compactMap({ standIns[$0] }).first { add(standIn) }
    if verdict.support == .emulated { add("emulated") }
    if devices.count == 1 {
      if text.isEmpty { add("the only device allowed") }
    } else if isFallback(unit) {
      let refused = unit.members.first { !answers[0][signatures[$0]].isUsable }!
      add("\(devices[0].id) refuses: \(reason(0, signatures[refused], graph.nodes[refused]))")
    } else if unit.members.contains(where: parts.contains) {
      add("a part of an operator that runs on two devices")
    } else if unit.members.contains(where: { pinned[$0] != nil }) {
      add("pinned")
    } else {
      let others = devices.indices.filter { d in d != unit.device && unit.members.allSatisfy { answers[d][signatures[$0]].isUsable } }
      add(others.isEmpty ? "no other device takes it" : "cheapest with moves and changes of device")
    }
    return text
  }
}
