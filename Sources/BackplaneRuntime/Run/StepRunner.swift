import BackplaneABI
import BackplaneCore
import BackplaneRegistry
import Synchronization

/// Runs the programs of a session step by step. Programs of one step run at the same time, all but the first on threads of their devices.
final class StepRunner: @unchecked Sendable {
  let commands: [CommandList]
  private let compiled: CompiledGraph
  /// Before a program, on its own thread.
  private let moves: [[Move]]
  /// Before a step, on the caller's thread: their source has to be mapped, while its device works in that step.
  private let movesAhead: [[Move]]
  private let symbols: UnsafeMutableBufferPointer<Session.SymbolSlot>
  /// By device; nil where all programs run on the caller's thread.
  private var lanes: [Lane?] = []
  private let stamps: DeviceTimestamps?
  private let trace: Trace?
  private let pager: Pager?

  /// Nanoseconds of each program, and of the moves before it.
  let programNanoseconds, moveNanoseconds: UnsafeMutableBufferPointer<UInt64>
  // Of the run under way.
  private var flag: CancellationToken.Flag?
  private let failure = Mutex<BackplaneError?>(nil)

  /// - Parameter moves: By the program before which they are done.
  init(_ compiled: CompiledGraph, _ commands: [CommandList], _ moves: [[Move]], _ symbols: UnsafeMutableBufferPointer<Session.SymbolSlot>,
       _ pager: Pager?) throws(BackplaneError) {
    (self.compiled, self.commands, self.symbols) = (compiled, commands, symbols)
    (trace, self.pager) = (compiled.runtime.trace, pager)
    stamps = trace == nil ? nil : DeviceTimestamps(compiled, commands)
    var own = moves, ahead = Array(repeating: [Move](), count: compiled.schedule.steps.count)
    for (s, step) in compiled.schedule.steps.enumerated() where step.count > 1 {
      for p in step {
        ahead[s] += own[p].filter { !$0.isSourceMapped }
        own[p] = own[p].filter(\.isSourceMapped)
      }
    }
    (self.moves, movesAhead) = (own, ahead)
    programNanoseconds = .allocate(capacity: commands.count)
    moveNanoseconds = .allocate(capacity: commands.count)
    programNanoseconds.initialize(repeating: 0)
    moveNanoseconds.initialize(repeating: 0)
    lanes = compiled.devices.map { _ in nil }
    for step in compiled.schedule.steps { for p in step.dropFirst() { makeLane(compiled.programs[p].device) } }
  }

  deinit {
    programNanoseconds.deallocate()
    moveNanoseconds.deallocate()
  }

  private func makeLane(_ device: Int) {
    if lanes[device] != nil { return }
    lanes[device] = Lane(named: "backplane-lane") { [unowned self] p in
      compiled.runtime.pool.withToken(flag) { runOrNote(p) }
    }
  }

  /// - Throws: The first failure, when nothing of the step runs any more.
  func run(_ flag: CancellationToken.Flag?, _ deadline: UInt64) throws(BackplaneError) {
    self.flag = flag
    for command in commands { (command.submission.pointee.cancel, command.submission.pointee.deadline_ns) = (flag?.raw, deadline) }
    for (s, step) in compiled.schedule.steps.enumerated() {
      if flag?.isSet ?? false { throw BackplaneError(.cancelled, "the run was cancelled before program \(step[0])") }
      if step.count == 1 { try run(step[0]); continue }
      for move in movesAhead[s] { try self.move(move, step[0]) }
      for k in 1..<step.count { lanes[compiled.programs[step[k]].device]!.start(step[k]) }
      runOrNote(step[0])
      for k in 1..<step.count { lanes[compiled.programs[step[k]].device]!.wait() }
      if let failure = failure.withLock({ failure in defer { failure = nil }; return failure }) { throw failure }
    }
    if let trace { stamps?.record(in: trace) }
  }

  private func runOrNote(_ p: Int) {
    do throws(BackplaneError) { try run(p) } catch { failure.withLock { if $0 == nil { $0 = error } } }
  }

  private func run(_ p: Int) throws(BackplaneError) {
    moveNanoseconds[p] = 0
    for move in moves[p] { try self.move(move, p) }
    pager?.prefetch(p + 1)
    defer { pager?.drop(after: p) }
    let begin = monotonicNanoseconds()
    try commands[p].device.execute(commands[p].submission)
    let end = monotonicNanoseconds()
    programNanoseconds[p] = end - begin
    trace?.add(.init(name: compiled.label(ofProgram: p), device: commands[p].device.id, kind: .program, begin: begin, end: end))
  }

  private func move(_ move: Move, _ p: Int) throws(BackplaneError) {
    let begin = monotonicNanoseconds()
    try move.run(symbols)
    let end = monotonicNanoseconds()
    moveNanoseconds[p] += end - begin
    trace?.add(.init(name: move.label, device: move.target.device.id, kind: .move, begin: begin, end: end))
  }
}

/// Where devices write when their programs began and ended, by their own clocks.
private final class DeviceTimestamps {
  private struct Place {
    var device: Device
    var label: String
    var buffer: DeviceBuffer
  }
  private var places: [Place] = []

  /// Devices without timestamps, or without a clock that can be related to the host's, are left out.
  init?(_ compiled: CompiledGraph, _ commands: [CommandList]) {
    for (p, command) in commands.enumerated() {
      let device = command.device, memory = compiled.deviceMemory[compiled.programs[p].device]
      guard device.info.timestampHz > 0, (try? device.clock()) != nil,
            let buffer = try? device.makeBuffer(byteCount: MemoryLayout<bp_timestamp>.stride, alignment: memory.alignment, usage: .output, memoryType: memory.io) else { continue }
      command.want(timestamps: buffer.binding())
      places.append(Place(device: device, label: compiled.label(ofProgram: p), buffer: buffer))
    }
    if places.isEmpty { return nil }
  }

  func record(in trace: Trace) {
    for place in places {
      guard let clock = try? place.device.clock(), let bytes = try? place.buffer.map(access: [.read]) else { continue }
      let stamp = bytes.loadUnaligned(as: bp_timestamp.self)
      try? place.buffer.unmap()
      func host(_ ticks: UInt64) -> UInt64 {
        let nanoseconds = (Double(ticks) - Double(clock.device_ticks)) * 1e9 / Double(max(clock.hz, 1))
        return UInt64(max(0, Double(clock.host_ns) + nanoseconds))
      }
      trace.add(.init(name: place.label, device: place.device.id, kind: .deviceClock, begin: host(stamp.begin_ticks), end: host(stamp.end_ticks)))
    }
  }
}
