import BackplaneABI
import BackplaneCore
import BackplaneRegistry
import Foundation

/// A compiled graph with its memory: weights bound, states kept from run to run.
///
/// Everything is allocated when the session is made; a run allocates nothing and takes no lock but the thread pool's. One thread at
/// a time; different sessions may run side by side. After an error the session may be used again; states that the failed run wrote
/// keep what was written.
///
/// A device that does not answer in time, and says that it may be asked again, is, up to three times. A device that is lost during a run is reset, what the session had there is made again, and the run begins anew: nodes write states at
/// positions that the run names, so a second run writes the same. States on that device are gone, see ``hasLostStates``.
public final class Session: DeviceChild, @unchecked Sendable {
  public let compiled: CompiledGraph
  /// What the session could not do as well as it wants to, such as weights that had to be copied.
  public let notes: [String]

  /// Nil where the device was lost since.
  private var buffers: [DeviceBuffers?]
  private var weights: [Place: WeightBinding] = [:]
  /// Nil until it is made again after a device was lost.
  private var runner: StepRunner?
  private let constants: [TensorID: ConstantSource]
  private let pager: Pager?
  /// Whose states these are.
  private let donor: Session?
  /// Held during a run, and while something is destroyed or made again.
  private let lock = NSLock()
  /// A lost device held states, so nothing runs until ``resetStates()``: what made them must be run again.
  public private(set) var hasLostStates = false
  private let inputs: [HostTensor]
  private let outputs: [HostTensor]
  private let symbolBounds: UnsafeMutableBufferPointer<SymbolSlot>
  /// Runs that came to their end.
  public private(set) var runCount = 0
  /// Nanoseconds of each program in the last run.
  public var programNanoseconds: [UInt64] { runner.map { Array($0.programNanoseconds) } ?? [] }

  struct SymbolSlot {
    var number: UInt32
    var lower, upper, value: Int
  }

  /// - Parameters:
  ///   - constants: One for each of the graph's constants.
  ///   - donor: Shares its states: a session of the same graph compiled for other sizes. The two must not run at the same time.
  ///   - pagesWeights: Pages of mapped weights are dropped when a program has run, and read again from their file when they are needed; see
  ///     ``keepWeights(within:)``. Compile with ``CompileOptions/weightBytesPerProgram``, so that there is a moment to do so.
  /// - Throws: ``BackplaneError``: a constant is missing or has the wrong size, a device is out of memory, or the donor's states
  ///   lie elsewhere.
  public init(_ compiled: CompiledGraph, constants: [TensorID: ConstantSource] = [:], sharingStatesOf donor: Session? = nil,
              pagesWeights: Bool = false) throws(BackplaneError) {
    (self.constants, self.donor) = (constants, donor)
    if let donor { try Session.checkStates(compiled, donor.compiled) }
    self.compiled = compiled
    let plan = compiled.memory
    var buffers: [DeviceBuffers] = []
    for d in compiled.devices.indices {
      buffers.append(try DeviceBuffers(compiled.devices[d], compiled.deviceMemory[d], plan.devices[d], states: donor?.buffers[d]?.states))
    }
    let bound = try Session.bindConstants(compiled, constants)
    symbolBounds = .allocate(capacity: compiled.symbols.count)
    _ = symbolBounds.initialize(from: compiled.symbols.map {
      SymbolSlot(number: $0.number, lower: $0.bounds.lowerBound, upper: $0.bounds.upperBound, value: 0)
    })
    pager = pagesWeights ? Session.makePager(compiled, constants, bound.byPlace) : nil
    do throws(BackplaneError) { runner = try Session.makeRunner(compiled, buffers, bound.byPlace, symbolBounds, pager) } catch {
      symbolBounds.deallocate()
      throw error
    }
    self.buffers = buffers
    weights = bound.byPlace
    notes = bound.notes
    inputs = compiled.graph.inputs.map { HostTensor($0, compiled, buffers) }
    outputs = compiled.graph.outputs.filter { compiled.graph[$0].role == .intermediate }.map { HostTensor($0, compiled, buffers) }
    if donor == nil { try resetStates() }
    compiled.runtime.recovery.watch(self)
  }

  deinit {
    runner = nil
    symbolBounds.deallocate()
  }

  // MARK: Memory

  /// How a session that pages its weights does it. Bytes.
  public struct Paging: Sendable {
    /// Weights that stay in memory, what the largest program reads, and weights that a device holds as a copy.
    public var kept, window, copied: Int
  }
  public var paging: Paging? { pager.map { Paging(kept: $0.keptBytes, window: $0.windowBytes, copied: $0.copiedBytes) } }

  /// Lets weights stay in memory as far as `budget` goes when the largest program has its room.
  public func keepWeights(within budget: Int) {
    lock.lock()
    defer { lock.unlock() }
    pager?.keep(within: budget)
  }

  // MARK: Running

  public struct Timing: Sendable {
    /// Of the whole run; inside the devices, and moving tensors. What ran at the same time counts for each.
    public var total, devices, moves: UInt64
  }

  /// Runs the graph once on what the input pointers hold.
  ///
  /// - Parameters:
  ///   - symbols: A value for each of the graph's symbols, within its bounds.
  ///   - deadlineNanoseconds: On the host's monotone clock; 0 none.
  /// - Throws: ``BackplaneError``: a symbol without a value or out of bounds; what a device says.
  @discardableResult
  public func run(symbols: SymbolValues = [:], cancellation: CancellationToken? = nil,
                  deadlineNanoseconds: UInt64 = 0) throws(BackplaneError) -> Timing {
    var losses = 0
    while true {
      do throws(BackplaneError) {
        return try runOnce(symbols, cancellation?.flag, deadlineNanoseconds)
      } catch {
        losses += 1
        if error.kind == .timeout, error.mayRetry, deadlineNanoseconds == 0, losses <= 3 {
          compiled.runtime.recovery.noteTimeout(error)
          continue
        }
        guard error.kind == .deviceLost, !hasLostStates, losses <= 3 else { throw error }
        try compiled.runtime.recovery.recover(from: error, compiled.devices)
        if hasLostStates { throw lostStates }
      }
    }
  }

  private func runOnce(_ symbols: SymbolValues, _ flag: CancellationToken.Flag?, _ deadline: UInt64) throws(BackplaneError) -> Timing {
    lock.lock()
    defer { lock.unlock() }
    if hasLostStates { throw lostStates }
    try restore()
    try set(symbols)
    return try compiled.runtime.pool.withToken(flag) { () throws(BackplaneError) -> Timing in try runPrograms(flag, deadline) }
  }

  private var lostStates: BackplaneError {
    BackplaneError(.deviceLost, "a device was lost, and with it states of this session", hint: "reset the states and run again what made them")
  }

  private func runPrograms(_ flag: CancellationToken.Flag?, _ deadline: UInt64) throws(BackplaneError) -> Timing {
    guard let runner else { throw lostStates }
    let begin = monotonicNanoseconds()
    for tensor in inputs where tensor.shadow != nil { try tensor.flush() }
    try runner.run(flag, deadline)
    for tensor in outputs where tensor.shadow != nil { try tensor.fetch() }
    runCount += 1
    return Timing(total: monotonicNanoseconds() - begin, devices: runner.programNanoseconds.reduce(0, +), moves: runner.moveNanoseconds.reduce(0, +))
  }

  /// Puts the values into every command list.
  private func set(_ symbols: SymbolValues) throws(BackplaneError) {
    for i in symbolBounds.indices {
      let slot = symbolBounds[i]
      guard let value = symbols[number: slot.number] else {
        throw BackplaneError(.invalid, "symbol \(compiled.symbols[i].name) has no value")
      }
      guard value >= slot.lower, value <= slot.upper else {
        throw BackplaneError(.invalid, "symbol \(compiled.symbols[i].name) is \(value), its bounds are \(slot.lower)…\(slot.upper)",
                             hint: "compile the graph with other bounds")
      }
      symbolBounds[i].value = value
    }
    for command in runner?.commands ?? [] {
      var i = 0
      for k in command.symbols.indices {  // both ascend by number
        while symbolBounds[i].number != command.symbols[k].symbol { i += 1 }
        command.symbols[k].value = Int64(symbolBounds[i].value)
      }
    }
  }

  // MARK: Inputs, outputs, states

  /// Memory for an input at the symbols' upper bounds; dense for the values of the run. The same for the session's life.
  public func inputPointer(_ id: TensorID) -> UnsafeMutableRawBufferPointer {
    guard let tensor = inputs.first(where: { $0.id == id }) else { preconditionFailure("\(compiled.graph[id].name) is no input") }
    return tensor.bytes
  }

  /// An output's memory after a run; dense for the values of the run.
  public func outputPointer(_ id: TensorID) -> UnsafeRawBufferPointer {
    if let tensor = outputs.first(where: { $0.id == id }) ?? inputs.first(where: { $0.id == id }) { return UnsafeRawBufferPointer(tensor.bytes) }
    preconditionFailure("\(compiled.graph[id].name) is neither an output nor an input")
  }

  /// Copies elements into an input, from its beginning.
  public func write<T: BitwiseCopyable>(_ elements: [T], to id: TensorID) {
    let target = inputPointer(id)
    elements.withUnsafeBytes {
      precondition($0.count <= target.count, "\($0.count) bytes for input \(compiled.graph[id].name) of \(target.count)")
      target.copyMemory(from: $0)
    }
  }

  /// The first `count` elements of an output; nil takes all at the symbols' upper bounds.
  public func read<T: BitwiseCopyable>(_ id: TensorID, as type: T.Type, count: Int? = nil) -> [T] {
    let source = outputPointer(id)
    let count = count ?? source.count / MemoryLayout<T>.stride
    return (0..<count).map { source.loadUnaligned(fromByteOffset: $0 * MemoryLayout<T>.stride, as: T.self) }
  }

  /// Fills every state with zeros.
  public func resetStates() throws(BackplaneError) {
    lock.lock()
    defer { lock.unlock() }
    try restore()
    for device in buffers { try device?.zeroStates() }
    hasLostStates = false
  }

  /// A state's bytes, copied.
  public func readState(_ id: TensorID) throws(BackplaneError) -> [UInt8] {
    let (buffer, offset, count) = try state(id)
    let bytes = Array(try buffer.map(offset: offset, byteCount: count, access: [.read]))
    try buffer.unmap()
    return bytes
  }

  /// Replaces a state's bytes, from its beginning.
  public func writeState(_ id: TensorID, _ bytes: UnsafeRawBufferPointer) throws(BackplaneError) {
    let (buffer, offset, count) = try state(id)
    guard bytes.count <= count else { throw BackplaneError(.invalid, "\(bytes.count) bytes for state \(compiled.graph[id].name) of \(count)") }
    try buffer.map(offset: offset, byteCount: bytes.count, access: [.write]).copyMemory(from: bytes)
    try buffer.unmap()
  }

  private func state(_ id: TensorID) throws(BackplaneError) -> (DeviceBuffer, Int, Int) {
    lock.lock()
    defer { lock.unlock() }
    try restore()
    guard let home = compiled.memory.homes[id], case .state(let offset)? = compiled.memory.devices[home].slots[id], let buffer = buffers[home]?.states else {
      throw BackplaneError(.invalid, "\(compiled.graph[id].name) is no state")
    }
    return (buffer, offset, compiled.graph[id].maximumBytes ?? 0)
  }

  // MARK: Lost devices

  func release(_ device: Device) {
    lock.lock()
    defer { lock.unlock() }
    guard let d = compiled.devices.firstIndex(where: { $0 === device }), buffers[d] != nil else { return }
    runner = nil
    weights = weights.filter { $0.key.device != d }
    for tensor in inputs + outputs where compiled.memory.homes[tensor.id] == d { tensor.release() }
    if compiled.memory.devices[d].stateBytes > 0 { hasLostStates = true }
    buffers[d] = nil
  }

  /// Makes again what was destroyed. Call with the lock held.
  private func restore() throws(BackplaneError) {
    if buffers.allSatisfy({ $0 != nil }), runner != nil { return }
    if let donor {
      donor.lock.lock()
      defer { donor.lock.unlock() }
      try donor.restore()
    }
    for d in buffers.indices where buffers[d] == nil {
      let made = try DeviceBuffers(compiled.devices[d], compiled.deviceMemory[d], compiled.memory.devices[d], states: donor?.buffers[d]?.states)
      buffers[d] = made
      for tensor in inputs + outputs where compiled.memory.homes[tensor.id] == d { if let io = made.io { tensor.attach(io) } }
    }
    weights = try Session.bindConstants(compiled, constants).byPlace
    runner = try Session.makeRunner(compiled, buffers.map { $0! }, weights, symbolBounds, pager)
  }

  private static func checkStates(_ compiled: CompiledGraph, _ other: CompiledGraph) throws(BackplaneError) {
    let (own, theirs) = (compiled.memory, other.memory)
    guard compiled.devices.elementsEqual(other.devices, by: ===), compiled.graph.states == other.graph.states,
          compiled.graph.states.allSatisfy({ own.homes[$0] == theirs.homes[$0] && own.devices[own.homes[$0]!].slots[$0] == theirs.devices[theirs.homes[$0]!].slots[$0] }) else {
      throw BackplaneError(.invalid, "the two sessions have their states in different places", hint: "compile both for the same devices")
    }
  }

  // MARK: Making

  private struct Place: Hashable {
    var tensor: TensorID
    var device: Int
  }

  private static func bindConstants(_ compiled: CompiledGraph, _ constants: [TensorID: ConstantSource]) throws(BackplaneError)
    -> (byPlace: [Place: WeightBinding], notes: [String]) {
    var byPlace: [Place: WeightBinding] = [:]
    var copiedBytes = Array(repeating: 0, count: compiled.devices.count)
    for program in compiled.programs {
      for id in program.bindings where compiled.graph[id].role == .constant {
        let place = Place(tensor: id, device: program.device)
        if byPlace[place] != nil { continue }
        let tensor = compiled.graph[id]
        guard let source = source(of: id, compiled, constants) else {
          throw BackplaneError(.invalid, "constant \(compiled.graph[compiled.parts[id]?.whole ?? id].name) was not given")
        }
        guard source.byteCount == tensor.maximumBytes else {
          throw BackplaneError(.invalid, "constant \(tensor.name)\(tensor.shape) of \(tensor.format) has \(tensor.maximumBytes ?? 0) bytes, \(source.byteCount) were given")
        }
        let binding = try compiled.runtime.weights.bind(source, on: compiled.devices[program.device], compiled.deviceMemory[program.device])
        if binding.isCopy { copiedBytes[program.device] += source.byteCount }
        byPlace[place] = binding
      }
    }
    let notes = copiedBytes.enumerated().filter { $0.element > 0 }.map {
      "\($0.element) bytes of weights were copied for \(compiled.devices[$0.offset].id), which cannot use host memory as it is"
    }
    return (byPlace, notes)
  }

  /// The bytes given for a constant, or for the one of which it is a part.
  private static func source(of id: TensorID, _ compiled: CompiledGraph, _ constants: [TensorID: ConstantSource]) -> ConstantSource? {
    compiled.parts[id].map { part in constants[part.whole]?.part(offset: part.offset, byteCount: part.byteCount) } ?? constants[id]
  }

  private static func makePager(_ compiled: CompiledGraph, _ constants: [TensorID: ConstantSource], _ weights: [Place: WeightBinding]) -> Pager {
    let programs = compiled.programs.map { program in
      let whole = program.nodes.reduce(into: Set<TensorID>()) { $0.formUnion(compiled.graph.weightsRead(by: compiled.graph.nodes[$1])) }
      func sources(_ ids: [TensorID]) -> [ConstantSource?] {
        ids.map { weights[Place(tensor: $0, device: program.device)]!.isCopy ? nil : source(of: $0, compiled, constants) }
      }
      let all = program.bindings.filter { compiled.graph[$0].role == .constant }
      return (whole: sources(all.filter(whole.contains)), parts: sources(all.filter { !whole.contains($0) }))
    }
    let copied = weights.reduce(0) { $0 + ($1.value.isCopy ? compiled.graph[$1.key.tensor].maximumBytes ?? 0 : 0) }
    return Pager(programs, copiedBytes: copied)
  }

  private static func makeRunner(_ compiled: CompiledGraph, _ buffers: [DeviceBuffers], _ weights: [Place: WeightBinding],
                                 _ symbols: UnsafeMutableBufferPointer<SymbolSlot>, _ pager: Pager?) throws(BackplaneError) -> StepRunner {
    let plan = compiled.memory
    func place(_ id: TensorID, _ device: Int) -> (DeviceBuffer, Int) {
      switch plan.devices[device].slots[id]! {
      case .io(let offset): (buffers[device].io!, offset)
      case .arena(let offset): (buffers[device].arena!, offset)
      case .state(let offset): (buffers[device].states!, offset)
      case .constant:
        { (weight: WeightBinding) in (weight.buffer, weight.offset) }(weights[Place(tensor: id, device: device)]!)
      }
    }
    var commands: [CommandList] = []
    for (p, program) in compiled.programs.enumerated() {
      let bindings = program.bindings.map { id in
        let (buffer, offset) = place(id, program.device)
        return buffer.binding(offset: offset, byteCount: compiled.graph[id].maximumBytes ?? 0)
      }
      let info = compiled.infos[p]
      let workspace = info.workspaceByteCount == 0 ? nil
        : buffers[program.device].arena!.binding(offset: plan.workspaces[p], byteCount: info.workspaceByteCount)
      commands.append(CommandList(try compiled.program(p), bindings: bindings, symbols: program.graph.symbols.map(\.number), workspace: workspace))
    }
    var moves = Array(repeating: [Move](), count: compiled.programs.count)
    for copy in plan.copies {
      let (source, sourceOffset) = place(copy.tensor, copy.from)
      let (target, targetOffset) = place(copy.tensor, copy.to)
      moves[copy.before].append(try Move(compiled.graph[copy.tensor], compiled.symbols, from: (source, sourceOffset, buffers[copy.from].address(of: source)),
                                         to: (target, targetOffset, buffers[copy.to].address(of: target))))
    }
    return try StepRunner(compiled, commands, moves, symbols, pager)
  }
}
