import BackplaneCore
import BackplaneRegistry

/// From placed nodes to programs and a memory plan.
struct Building {
  let runtime: Runtime
  let placing: Placing
  let options: CompileOptions
  let graph: Graph
  let lastReader: [Int]
  let isOutput: [Bool]

  init(_ runtime: Runtime, _ placing: Placing, _ options: CompileOptions) {
    self.runtime = runtime
    self.placing = placing
    self.options = options
    var graph = placing.graph
    graph.nodes = placing.units.map(\.node)
    self.graph = graph
    lastReader = graph.lastReaders
    var isOutput = Array(repeating: false, count: graph.tensors.count)
    for id in graph.outputs { isOutput[id.index] = true }
    self.isOutput = isOutput
  }

  func build() throws(BackplaneError) -> CompiledGraph {
    var programs: [ProgramPlan] = []
    var compiled: [ProgramCache.Result] = []
    for (nodes, device) in runs() { try compile(nodes, device, &programs, &compiled) }
    let memories = placing.devices.map { DeviceMemory($0) }
    let memory = try MemoryPlan(graph, programs, compiled.map(\.program.info), deviceCount: placing.devices.count,
                                alignments: memories.map(\.alignment), validates: options.validates)
    return CompiledGraph(runtime, source: placing.graph, graph: graph, devices: placing.devices, deviceMemory: memories,
                         report: report(programs, compiled, memory), programs: programs, compiled: compiled.map(\.program), memory: memory)
  }

  /// Neighbours in the order that are on one device.
  private func runs() -> [(Range<Int>, Int)] {
    var runs: [(Range<Int>, Int)] = []
    for (i, unit) in placing.units.enumerated() {
      if let last = runs.last, last.1 == unit.device { runs[runs.count - 1].0 = last.0.lowerBound..<i + 1 } else { runs.append((i..<i + 1, unit.device)) }
    }
    return runs
  }

  /// Compiles a run; where the device says that the graph is too much for it at some node, as two.
  private func compile(_ nodes: Range<Int>, _ device: Int, _ programs: inout [ProgramPlan], _ compiled: inout [ProgramCache.Result]) throws(BackplaneError) {
    let program = ProgramPlan(graph, nodes: nodes, device: device, lastReader: lastReader, isOutput: isOutput)
    do {
      let result = try ProgramCache(runtime: runtime).compile(program.graph, on: placing.devices[device], cancellation: options.cancellation)
      if options.validates { try validatePlacements(result.program.info, program, subject: placing.devices[device].id) }
      programs.append(program)
      compiled.append(result)
    } catch {
      let graphLimit: UInt32 = 21
      if error.reason == graphLimit, let at = error.node, at > 0, at < nodes.count {
        try compile(nodes.lowerBound..<nodes.lowerBound + at, device, &programs, &compiled)
        try compile(nodes.lowerBound + at..<nodes.upperBound, device, &programs, &compiled)
        return
      }
      var located = error
      if let at = error.node, at < nodes.count {
        located.op = graph.nodes[nodes.lowerBound + at].op
        located.node = placing.units[nodes.lowerBound + at].members.first
      }
      throw located
    }
  }

  private func report(_ programs: [ProgramPlan], _ compiled: [ProgramCache.Result], _ memory: MemoryPlan) -> PlacementReport {
    var report = PlacementReport()
    report.estimatedNanoseconds = placing.cost
    report.isExact = placing.isExact
    var whys: [String: String] = [:]
    for (p, program) in programs.enumerated() {
      report.programs.append(.init(device: placing.devices[program.device].id, nodes: program.nodes,
                                   workspaceBytes: compiled[p].program.info.workspaceByteCount,
                                   kernelCount: compiled[p].program.info.kernelCount, isFromStore: compiled[p].isFromStore))
      for i in program.nodes {
        let unit = placing.units[i]
        let verdict = placing.answers[unit.device][unit.signature]
        // Nodes of one signature and the same parts have one explanation.
        let key = "\(unit.device) \(unit.signature) \(unit.members.map { placing.signatures[$0] })"
        let why = whys[key] ?? placing.why(unit)
        whys[key] = why
        report.entries.append(.init(
          node: i, op: unit.node.op, name: unit.node.outputs.lazy.compactMap { $0 }.first.map { graph[$0].name } ?? "", members: unit.members,
          device: placing.devices[unit.device].id, why: why, estimatedNanoseconds: Placing.estimate(verdict, unit.node, graph),
          confidence: verdict.confidence, program: p, isFallback: placing.devices.count > 1 && placing.isFallback(unit)))
      }
    }
    report.copies = memory.copies.map {
      .init(tensor: graph[$0.tensor].name, from: placing.devices[$0.from].id, to: placing.devices[$0.to].id, beforeProgram: $0.before,
            bytes: graph[$0.tensor].maximumBytes ?? 0)
    }
    return report
  }
}
