import BackplaneCore
import BackplanePlanner
import BackplaneRegistry
import Synchronization

/// A graph placed on devices, compiled and planned for its symbols' bounds. Immutable: any number of sessions may run it.
public final class CompiledGraph: DeviceChild, @unchecked Sendable {
  public let runtime: Runtime
  /// The graph given, with operators that run on two devices as their parts.
  public let source: Graph
  /// What runs: the same tensors, nodes fused, in the order in which they run.
  public let graph: Graph
  public let devices: [Device]
  public let report: PlacementReport
  public let symbols: [Symbol]
  let programs: [ProgramPlan]
  let schedule: Schedule
  /// Of each program; a program that is loaded again has the same.
  let infos: [DeviceProgram.Info]
  /// Nil where the device was lost since.
  private let loaded: Mutex<[DeviceProgram?]>
  let memory: MemoryPlan
  /// Constants of `graph` that are parts of constants given.
  let parts: [TensorID: ConstantPart]
  let deviceMemory: [DeviceMemory]

  init(_ runtime: Runtime, source: Graph, graph: Graph, devices: [Device], deviceMemory: [DeviceMemory], report: PlacementReport,
       programs: [ProgramPlan], schedule: Schedule, compiled: [DeviceProgram], memory: MemoryPlan, parts: [TensorID: ConstantPart]) {
    self.runtime = runtime
    self.source = source
    self.graph = graph
    self.devices = devices
    self.deviceMemory = deviceMemory
    self.report = report
    (self.programs, self.schedule) = (programs, schedule)
    infos = compiled.map(\.info)
    loaded = Mutex(compiled)
    (self.memory, self.parts) = (memory, parts)
    symbols = source.symbols
    runtime.recovery.watch(self)
  }

  /// Program `p`, loaded or compiled again when its device was lost since.
  func program(_ p: Int) throws(BackplaneError) -> DeviceProgram {
    if let program = loaded.withLock({ $0[p] }) { return program }
    let program = try ProgramCache(runtime: runtime).compile(programs[p].graph, on: devices[programs[p].device]).program
    return loaded.withLock { loaded in
      if let other = loaded[p] { return other }
      loaded[p] = program
      return program
    }
  }

  func release(_ device: Device) {
    let dropped = loaded.withLock { loaded in
      let dropped = loaded
      for p in programs.indices where devices[programs[p].device] === device { loaded[p] = nil }
      return dropped
    }
    withExtendedLifetime(dropped) {}  // destroyed without the lock
  }

  public var programCount: Int { programs.count }

  /// A few words for traces.
  func label(ofProgram p: Int) -> String {
    let ops = graph.nodes[programs[p].nodes].map(\.op)
    return "program \(p): \(ops.prefix(3).joined(separator: ", "))" + (ops.count > 3 ? " … \(ops.count) nodes" : "")
  }

  /// One a device that runs something or holds an input.
  public var memorySummaries: [MemoryPlanSummary] {
    devices.indices.map { d in
      let plan = memory.devices[d]
      let weights = plan.slots.reduce(0) { $0 + ($1.value == .constant ? graph[$1.key].maximumBytes ?? 0 : 0) }
      let workspace = programs.indices.filter { programs[$0].device == d }.map { infos[$0].workspaceByteCount }.max() ?? 0
      return MemoryPlanSummary(device: devices[d].id, ioBytes: plan.ioBytes, arenaBytes: plan.arenaBytes, stateBytes: plan.stateBytes,
                               arenaLowerBoundBytes: plan.arenaLowerBound, workspaceBytes: workspace, weightBytes: weights)
    }
  }

  /// The arena of a device over the programs, as SVG.
  public func arenaPicture(device: Int) -> String {
    let plan = memory.devices[device]
    return plan.plan.map { PlanPicture.svg(of: $0, for: plan.problem) } ?? ""
  }

  /// Where a program's intermediates lie in its workspace, over its nodes, as SVG. Nil when the plugin does not say.
  public func workspacePicture(program: Int) -> String? {
    let info = infos[program]
    if info.placements.isEmpty { return nil }
    let plan = programs[program]
    let tensors = info.placements.map {
      Lifetime(name: $0.tensor.map { plan.graph.tensors[$0].name } ?? "scratch", sizeInBytes: $0.byteCount, alignmentInBytes: 1,
               firstStep: $0.live.lowerBound, endStep: max($0.live.upperBound, $0.live.lowerBound + 1))
    }
    let placed = Plan(offsetsInBytes: info.placements.map(\.offset),
                      arenas: [ArenaPlan(peakInBytes: info.workspaceByteCount, lowerBoundInBytes: CompiledGraph.mostBytesInUse(info.placements), order: nil)])
    return PlanPicture.svg(of: placed, for: PlanProblem(tensors: tensors))
  }

  /// The most bytes that any node needs at once; tensors that share storage count once. No smaller workspace could do with these aliases.
  private static func mostBytesInUse(_ placements: [DeviceProgram.Placement]) -> Int {
    var most = 0
    for step in 0..<(placements.map(\.live.upperBound).max() ?? 0) {
      var (bytes, end) = (0, 0)
      for placement in placements.filter({ $0.live.contains(step) }).sorted(by: { $0.offset < $1.offset }) {
        bytes += max(0, placement.offset + placement.byteCount - max(end, placement.offset))
        end = max(end, placement.offset + placement.byteCount)
      }
      most = max(most, bytes)
    }
    return most
  }
}
