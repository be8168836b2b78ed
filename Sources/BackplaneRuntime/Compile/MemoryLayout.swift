import BackplaneCore
import BackplanePlanner
import BackplaneRegistry

/// Where a tensor lies on a device.
enum Slot: Hashable {
  /// Offset in the device's memory for inputs and outputs.
  case io(Int)
  /// Offset in its arena.
  case arena(Int)
  /// Offset in its memory for states.
  case state(Int)
  /// A weight; bound by the session.
  case constant
}

/// A move of a tensor from one device's memory to another's, through the host.
struct CopyPlan {
  var tensor: TensorID
  var from: Int
  var to: Int
  /// Done before this program runs.
  var before: Int
}

/// Sizes and offsets of all that a session allocates. Bytes, at the symbols' upper bounds.
public struct MemoryPlanSummary: Sendable, Hashable {
  public var device: String
  public var ioBytes, arenaBytes, stateBytes: Int
  /// No plan of the arena could be smaller than this.
  public var arenaLowerBoundBytes: Int
  /// The largest workspace of a program; part of the arena.
  public var workspaceBytes: Int
  /// Weights bound on this device.
  public var weightBytes: Int
}

/// The memory of a compiled graph: one arena a device, which holds what crosses programs, and workspaces.
struct MemoryPlan {
  struct OnDevice {
    var slots: [TensorID: Slot] = [:]
    var ioBytes = 0
    var arenaBytes = 0
    var stateBytes = 0
    var arenaLowerBound = 0
    var problem = PlanProblem(tensors: [])
    var plan: Plan?
  }
  var devices: [OnDevice]
  /// Offset of each program's workspace in its device's arena.
  var workspaces: [Int]
  var copies: [CopyPlan] = []
  /// The device whose memory the host fills or reads, for each graph input and output.
  var homes: [TensorID: Int] = [:]

  /// Lifetimes are counted in steps of the schedule.
  init(_ graph: Graph, _ programs: [ProgramPlan], _ schedule: Schedule, _ infos: [DeviceProgram.Info], deviceCount: Int, alignments: [Int],
       validates: Bool) throws(BackplaneError) {
    devices = Array(repeating: OnDevice(), count: deviceCount)
    workspaces = Array(repeating: 0, count: programs.count)
    func bytes(_ id: TensorID) -> Int { graph[id].maximumBytes ?? 0 }

    // Who makes and who reads what, in programs.
    var maker: [TensorID: Int] = [:]
    var readers: [TensorID: [Int]] = [:]
    for (p, program) in programs.enumerated() {
      let made = Set(program.graph.outputs.map { program.tensors[$0.index] })
      for id in program.bindings {
        if made.contains(id) { maker[id] = p } else if readers[id]?.last != p { readers[id, default: []].append(p) }
      }
    }
    let isOutput = Set(graph.outputs)

    func addIO(_ id: TensorID, _ device: Int) {
      if devices[device].slots[id] != nil { return }
      devices[device].slots[id] = .io(devices[device].ioBytes)
      devices[device].ioBytes += (bytes(id) + alignments[device] - 1) / alignments[device] * alignments[device]
    }
    for id in graph.inputs {
      let home = readers[id]?.first.map { programs[$0].device } ?? 0
      homes[id] = home
      addIO(id, home)
    }
    for id in graph.outputs where graph[id].role == .intermediate {
      guard let p = maker[id] else { continue }
      homes[id] = programs[p].device
      addIO(id, programs[p].device)
    }
    for id in graph.states {
      let device = readers[id]?.first.map { programs[$0].device } ?? 0
      homes[id] = device
      devices[device].slots[id] = .state(devices[device].stateBytes)
      devices[device].stateBytes += (bytes(id) + alignments[device] - 1) / alignments[device] * alignments[device]
    }

    // The arenas: tensors, copies and workspaces with their lifetimes in programs.
    var arenaTensors = Array(repeating: [TensorID?](), count: deviceCount)
    var arenaIndex = Array(repeating: [TensorID: Int](), count: deviceCount)
    func addArena(_ id: TensorID, _ device: Int, _ steps: Range<Int>) {
      arenaIndex[device][id] = arenaTensors[device].count
      arenaTensors[device].append(id)
      devices[device].problem.tensors.append(Lifetime(name: graph[id].name, sizeInBytes: bytes(id), alignmentInBytes: alignments[device], steps: steps))
    }
    func steps(_ first: Int, _ uses: [Int]) -> Range<Int> { schedule.stepOf[first]..<(uses + [first]).map { schedule.stepOf[$0] }.max()! + 1 }
    for (p, program) in programs.enumerated() {
      for id in program.bindings {
        if graph[id].role == .constant { devices[program.device].slots[id] = .constant; continue }
        guard graph[id].role != .state else { continue }
        let uses = readers[id] ?? []
        if maker[id] == p, !isOutput.contains(id), arenaIndex[program.device][id] == nil {
          addArena(id, program.device, steps(p, uses))
        } else if maker[id] != p {
          let home = maker[id].map { programs[$0].device } ?? homes[id]!
          if home == program.device || arenaIndex[program.device][id] != nil { continue }
          addArena(id, program.device, steps(p, uses.filter { programs[$0].device == program.device }))
          copies.append(CopyPlan(tensor: id, from: home, to: program.device, before: p))
        }
      }
      for alias in infos[p].aliases where program.tensors.indices.contains(alias.input) && program.tensors.indices.contains(alias.output) {
        let (input, output) = (program.tensors[alias.input], program.tensors[alias.output])
        // Nobody else may read the input while it is written over.
        let isShared = (readers[input] ?? []).contains { $0 != p && schedule.stepOf[$0] == schedule.stepOf[p] }
        if !isShared, let i = arenaIndex[program.device][input], let o = arenaIndex[program.device][output], i != o {
          devices[program.device].problem.inPlacePairs.append(InPlacePair(input: i, output: o))
        }
      }
    }
    var workspaceIndex = Array(repeating: 0, count: programs.count)
    for (p, program) in programs.enumerated() {
      let alignment = max(alignments[program.device], infos[p].workspaceAlignment)
      guard alignment & (alignment - 1) == 0 else {
        throw BackplaneError(.internal, "program_info asks for a workspace alignment of \(alignment), no power of two")
      }
      workspaceIndex[p] = devices[program.device].problem.tensors.count
      arenaTensors[program.device].append(nil)
      devices[program.device].problem.tensors.append(
        Lifetime(name: "workspace \(p)", sizeInBytes: infos[p].workspaceByteCount, alignmentInBytes: alignment,
                 steps: schedule.stepOf[p]..<schedule.stepOf[p] + 1))
    }

    for d in 0..<deviceCount {
      let problem = devices[d].problem
      let plan: Plan
      do {
        plan = try Planner().plan(problem)
      } catch {
        throw BackplaneError(.invalid, "memory planning: \(error)")
      }
      if validates, let violation = PlanValidator.violations(in: problem, plan, limit: 1).first {
        throw BackplaneError(.internal, "memory plan: \(violation)", hint: "a bug of the planner: please report it with the graph")
      }
      devices[d].arenaBytes = plan.arenas[0].peakInBytes
      devices[d].arenaLowerBound = plan.arenas[0].lowerBoundInBytes
      for (i, id) in arenaTensors[d].enumerated() { if let id { devices[d].slots[id] = .arena(plan.offsetsInBytes[i]) } }
      for (p, program) in programs.enumerated() where program.device == d { workspaces[p] = plan.offsetsInBytes[workspaceIndex[p]] }
      devices[d].plan = plan
    }
  }
}

/// Checks where a plugin says that a program's intermediates lie. What it says becomes a problem of the planner's validator.
func validatePlacements(_ info: DeviceProgram.Info, _ program: ProgramPlan, subject: String) throws(BackplaneError) {
  if info.placements.isEmpty { return }
  var tensors: [Lifetime] = []
  var offsets: [Int] = []
  var indexOfTensor: [Int: Int] = [:]
  func fail(_ text: String) -> BackplaneError { BackplaneError(.internal, "program_info.placements: \(text)", subject: subject) }
  for placement in info.placements {
    if let tensor = placement.tensor {
      guard program.graph.tensors.indices.contains(tensor) else { throw fail("there is no tensor \(tensor)") }
      indexOfTensor[tensor] = tensors.count
      let needed = program.graph.tensors[tensor].maximumBytes ?? 0
      if placement.aliasOf == nil, placement.byteCount < needed {
        throw fail("\(program.graph.tensors[tensor].name) has \(placement.byteCount) bytes and needs \(needed)")
      }
    }
    guard placement.offset >= 0, placement.byteCount >= 0, placement.byteCount <= info.workspaceByteCount,
          placement.offset <= info.workspaceByteCount - placement.byteCount else {
      throw fail("\(placement.byteCount) bytes at \(placement.offset) leave the workspace of \(info.workspaceByteCount)")
    }
    let name = placement.tensor.map { program.graph.tensors[$0].name } ?? "scratch"
    let first = placement.live.lowerBound
    tensors.append(Lifetime(name: name, sizeInBytes: placement.byteCount, alignmentInBytes: 1, firstStep: first, endStep: max(first + 1, placement.live.upperBound)))
    offsets.append(placement.offset)
  }
  var problem = PlanProblem(tensors: tensors)
  for (i, placement) in info.placements.enumerated() {
    guard let base = placement.aliasOf.flatMap({ indexOfTensor[$0] }), base != i else { continue }
    // In place or a view: inside its base, and as long as either lives.
    guard offsets[i] >= offsets[base], offsets[i] + tensors[i].sizeInBytes <= offsets[base] + tensors[base].sizeInBytes else {
      throw fail("\(tensors[i].name) does not lie in \(tensors[base].name), whose storage it is said to share")
    }
    problem.aliases.append(Alias(i, of: base, offsetInBytes: offsets[i] - offsets[base]))
  }
  if let violation = PlanValidator.violations(in: problem, offsetsInBytes: offsets, limit: 1).first { throw fail(violation.description) }
}
