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
  let parts: [TensorID: ConstantPart]

  init(_ runtime: Runtime, _ placing: Placing, _ options: CompileOptions, _ parts: [TensorID: ConstantPart]) {
    self.runtime = runtime
    self.placing = placing
    self.options = options
    self.parts = parts
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
    for part in cut() { try compile(part.nodes, part.device, &programs, &compiled) }
    let schedule = Schedule(programs, overlaps: options.overlaps)
    let memories = placing.devices.map { DeviceMemory($0) }
    let memory = try MemoryPlan(graph, programs, schedule, compiled.map(\.program.info), deviceCount: placing.devices.count,
                                alignments: memories.map(\.alignment), validates: options.validates)
    return CompiledGraph(runtime, source: placing.graph, graph: graph, devices: placing.devices, deviceMemory: memories,
                         report: report(programs, schedule, compiled, memory), programs: programs, schedule: schedule, compiled: compiled.map(\.program), memory: memory, parts: parts)
  }

  /// Neighbours in the order that are on one device, cut where that lets devices work at the same time.
  private func cut() -> [ProgramCutter.Part] {
    let cutter = ProgramCutter(graph, devices: placing.units.map(\.device), nanoseconds: placing.units.map { placing.estimate($0) })
    // What another thread and another program cost is small against this.
    let parts = options.overlaps && placing.devices.count > 1 ? cutter.overlapping(worth: 4 * max(options.switchNanoseconds, 1)) : cutter.neighbours()
    guard let limit = options.weightBytesPerProgram else { return parts }
    return parts.flatMap { $0.cut(weightBytes: limit, graph) }
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
        located.node = placing.units[nodes.lowerBound + at].members.first.map { placing.origins[$0] }
      }
      throw located
    }
  }

  private func report(_ programs: [ProgramPlan], _ schedule: Schedule, _ compiled: [ProgramCache.Result], _ memory: MemoryPlan) -> PlacementReport {
    var report = PlacementReport()
    let bill = placing.bill()
    (report.computeNanoseconds, report.moveNanoseconds, report.switchNanoseconds) = (bill.compute, bill.moved, bill.switches)
    (report.estimatedNanoseconds, report.isExact) = (bill.total, placing.isExact)
    var explained: [String: (why: String, alternatives: [PlacementReport.Alternative])] = [:]
    for (p, program) in programs.enumerated() {
      report.programs.append(.init(device: placing.devices[program.device].id, nodes: program.nodes, step: schedule.stepOf[p],
                                   workspaceBytes: compiled[p].program.info.workspaceByteCount,
                                   kernelCount: compiled[p].program.info.kernelCount, isFromStore: compiled[p].isFromStore,
                                   cost: compiled[p].program.cost))
      for i in program.nodes {
        let unit = placing.units[i]
        let verdict = placing.answers[unit.device][unit.signature]
        // Nodes of one signature and the same parts have one explanation.
        let key = "\(unit.device) \(unit.signature) \(unit.members.map { placing.signatures[$0] })"
        let known = explained[key] ?? (placing.why(unit), placing.alternatives(unit))
        explained[key] = known
        report.entries.append(.init(
          node: i, op: unit.node.op, name: unit.node.outputs.lazy.compactMap { $0 }.first.map { graph[$0].name } ?? "", members: unit.members,
          device: placing.devices[unit.device].id, kernel: verdict.detail,
          choices: compiled[p].choices.choices.filter { $0.node == i - program.nodes.lowerBound }.map(\.description), why: known.why, estimatedNanoseconds: placing.estimate(unit), basis: .init(verdict),
          confidence: verdict.confidence, program: p, isFallback: placing.devices.count > 1 && placing.isFallback(unit), alternatives: known.alternatives))
      }
    }
    report.copies = memory.copies.map {
      .init(tensor: graph[$0.tensor].name, from: placing.devices[$0.from].id, to: placing.devices[$0.to].id, beforeProgram: $0.before,
            bytes: graph[$0.tensor].maximumBytes ?? 0,
            nanoseconds: placing.links[$0.from][$0.to].nanoseconds(forBytes: graph[$0.tensor].maximumBytes ?? 0))
    }
    return report
  }
}
