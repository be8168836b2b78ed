import Backplane
import BackplaneCHeader
import Foundation

/// `bp_session`.
final class SessionObject: @unchecked Sendable {
  private enum Use { case input, output, state }
  /// Memory of the application's.
  private struct Bound {
    var tensor: TensorID
    var memory: UnsafeMutableRawPointer
    var byteCount: Int
    var isInput: Bool
  }

  /// Everything below is touched by one call at a time.
  let turnstile = Turnstile()
  private let session: Session
  private let uses: [TensorID: Use]
  private var bound: [Bound] = []
  /// Of the last run; nil before the first.
  private var values: SymbolValues?

  init(_ compiled: CompiledObject) throws(BackplaneError) {
    session = try Session(compiled.compiled, constants: compiled.constants)
    let graph = compiled.compiled.graph
    var uses: [TensorID: Use] = [:]
    for id in graph.outputs where graph[id].role == .intermediate { uses[id] = .output }
    for id in graph.inputs { uses[id] = .input }
    for id in graph.states { uses[id] = .state }
    self.uses = uses
  }

  static func object(_ handle: OpaquePointer?) throws(BackplaneError) -> SessionObject { try HandleTable.shared.object(handle, "session") }

  private var graph: Graph { session.compiled.graph }

  private func use(_ number: UInt32) throws(BackplaneError) -> (TensorID, Use) {
    let id = TensorID(Int(number))
    if let use = uses[id] { return (id, use) }
    guard Int(number) < graph.tensors.count else { throw BackplaneError(.invalid, "tensor is \(number), the graph has \(graph.tensors.count) tensors") }
    throw BackplaneError(.invalid, "tensor \(number) (\(graph[id].name)) is neither input, output nor state", hint: "bp_model_output makes it an output, before compiling")
  }

  private func tooLong(_ id: TensorID, _ count: Int, _ room: Int) -> BackplaneError {
    BackplaneError(.invalid, "\(count) bytes for \(graph[id].name)\(graph[id].shape) of \(graph[id].format), which has \(room) at most")
  }

  func write(_ number: UInt32, _ bytes: UnsafeRawBufferPointer) throws(BackplaneError) {
    let (id, use) = try use(number)
    switch use {
    case .output: throw BackplaneError(.invalid, "\(graph[id].name) is an output: a run writes it")
    case .state: try session.writeState(id, bytes)
    case .input:
      let target = session.inputPointer(id)
      guard bytes.count <= target.count else { throw tooLong(id, bytes.count, target.count) }
      target.copyMemory(from: bytes)
    }
  }

  func read(_ number: UInt32, _ bytes: UnsafeMutableRawBufferPointer) throws(BackplaneError) {
    let (id, use) = try use(number)
    if use == .state {
      let state = try session.readState(id)
      guard bytes.count <= state.count else { throw tooLong(id, bytes.count, state.count) }
      state.withUnsafeBytes { bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[..<bytes.count])) }
    } else {
      let source = session.outputPointer(id)
      guard bytes.count <= source.count else { throw tooLong(id, bytes.count, source.count) }
      bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: source[..<bytes.count]))
    }
  }

  func bind(_ number: UInt32, _ memory: UnsafeMutableRawPointer?, _ byteCount: Int) throws(BackplaneError) {
    let (id, use) = try use(number)
    if use == .state { throw BackplaneError(.invalid, "\(graph[id].name) is a state: it lives in the session", hint: "bp_session_write, bp_session_read") }
    guard byteCount >= 0 else { throw BackplaneError(.invalid, "byte_count is \(UInt(bitPattern: byteCount))") }
    bound.removeAll { $0.tensor == id }
    if let memory { bound.append(Bound(tensor: id, memory: memory, byteCount: byteCount, isInput: use == .input)) }
  }

  func address(_ number: UInt32) throws(BackplaneError) -> UnsafeMutableRawBufferPointer {
    let (id, use) = try use(number)
    switch use {
    case .input: return session.inputPointer(id)
    case .output: return UnsafeMutableRawBufferPointer(mutating: session.outputPointer(id))
    case .state: throw BackplaneError(.invalid, "\(graph[id].name) is a state: it lives on its device", hint: "bp_session_write, bp_session_read")
    }
  }

  func byteCount(_ number: UInt32) throws(BackplaneError) -> Int {
    let (id, _) = try use(number)
    return values.flatMap { graph[id].bytes(in: $0) } ?? graph[id].maximumBytes ?? 0
  }

  func reset() throws(BackplaneError) { try session.resetStates() }

  // MARK: Running

  /// The values that an array gives to the graph's symbols.
  func values(_ given: UnsafeBufferPointer<Int64>) throws(BackplaneError) -> SymbolValues {
    var values = SymbolValues()
    for symbol in session.compiled.symbols {
      guard Int(symbol.number) <= given.count else {
        throw BackplaneError(.invalid, "symbol \(symbol.name) has no value: \(given.count) values were given, its number is \(symbol.number)")
      }
      let value = given[Int(symbol.number) - 1]
      // Checked here too, because sizes of bound memory follow from it.
      guard Int(value) >= symbol.bounds.lowerBound, Int(value) <= symbol.bounds.upperBound else {
        throw BackplaneError(.invalid, "symbol \(symbol.name) is \(value), its bounds are \(symbol.bounds.lowerBound)…\(symbol.bounds.upperBound)",
                             hint: "compile the graph with other bounds")
      }
      values[symbol] = Int(value)
    }
    return values
  }

  func run(_ values: SymbolValues, _ options: RunOptions) throws(BackplaneError) {
    self.values = values
    for item in bound where item.isInput {
      let count = try byteCount(of: item, values)
      session.inputPointer(item.tensor).copyMemory(from: UnsafeRawBufferPointer(start: item.memory, count: count))
    }
    try session.run(symbols: values, cancellation: options.cancellation, deadlineNanoseconds: options.deadline)
    for item in bound where !item.isInput {
      let count = try byteCount(of: item, values)
      item.memory.copyMemory(from: session.outputPointer(item.tensor).baseAddress ?? UnsafeRawPointer(item.memory), byteCount: count)
    }
  }

  private func byteCount(of item: Bound, _ values: SymbolValues) throws(BackplaneError) -> Int {
    let count = graph[item.tensor].bytes(in: values) ?? 0
    guard count <= item.byteCount else {
      throw BackplaneError(.invalid, "\(graph[item.tensor].name) has \(count) bytes in this run, the memory bound to it \(item.byteCount)")
    }
    return count
  }
}

/// `bp_run_options`, read.
struct RunOptions: Sendable {
  var cancellation: CancellationToken?
  /// On the host's monotone clock; 0 none.
  var deadline: UInt64 = 0

  init(_ given: UnsafePointer<bp_run_options>?) throws(BackplaneError) {
    if given == nil { return }
    let given = try options(given, bp_run_options(), "options")
    cancellation = try CancellationObject.token(given.cancellation)
    if given.timeout_ns > 0 {
      let (sum, overflow) = DispatchTime.now().uptimeNanoseconds.addingReportingOverflow(given.timeout_ns)
      deadline = overflow ? 0 : sum
    }
  }
}
