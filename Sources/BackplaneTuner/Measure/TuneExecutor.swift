import BackplaneABI
import BackplaneConformance
import BackplaneCore
import BackplaneReference
import BackplaneRegistry
import BackplaneSpecs
import Foundation

/// The inside of a tuner's child process: judges and times configurations of cases, which is allowed to end the process.
///
/// A request is a line of words joined by tabs: `verify CASE CONFIGURATION` answers as a conformance case does; `time CASE CONFIGURATION …` times each once,
/// in order, and answers with `microseconds`.
public final class TuneExecutor: CaseExecutor {
  private let device: Device
  private var references: [String: ReferenceCase] = [:]
  private var timed: TimedCase?

  public init(_ device: Device) { self.device = device }

  public func run(_ line: String) -> CaseResult {
    let words = line.split(separator: "\t").map(String.init)
    do throws(BackplaneError) {
      guard words.count >= 3 else { throw BackplaneError(.internal, "a tuner's request of \(words.count) words") }
      switch words[0] {
      case "verify": return try verify(words[1], words[2])
      case "time": return try time(words[1], Array(words[2...]))
      default: throw BackplaneError(.internal, "'\(words[0])' is no request of a tuner")
      }
    } catch {
      return CaseResult(id: line, outcome: .error, message: "\(error)")
    }
  }

  private func verify(_ id: String, _ configuration: String) throws(BackplaneError) -> CaseResult {
    if references[id] == nil { references[id] = try ReferenceCase(try CaseID(id)) }
    var runner = CaseRunner(device)
    runner.configuration = try ConfigurationRequest(configuration)
    runner.reference = references[id]
    return runner.run(try CaseID(id))
  }

  private func time(_ id: String, _ configurations: [String]) throws(BackplaneError) -> CaseResult {
    if timed?.id != id { timed = try TimedCase(id, device) }
    var result = CaseResult(id: id, outcome: .pass), times: [Double] = []
    for configuration in configurations { times.append(try timed!.microseconds(try timed!.program(configuration))) }
    result.microseconds = times
    return result
  }
}

/// A case with its operands on a device, and the programs that compute it.
final class TimedCase {
  let id: String
  private let device: Device
  private let graph: ABIGraph
  private let variants: [Variant]
  private let symbols: SymbolValues
  private let bindings: [bp_binding]
  private let buffers: [DeviceBuffer]
  private var programs: [String: TimedProgram] = [:]
  private let stamps: DeviceBuffer?

  /// One for all programs, as large as the largest needs: where memory lies matters to a kernel, and must not to a comparison.
  private var workspace: DeviceBuffer?

  final class TimedProgram {
    let program: DeviceProgram
    /// Launches of a sample: so many that the clock's grain and the call do not matter.
    var launches = 0
    init(_ program: DeviceProgram) { self.program = program }
  }

  /// A sample takes at least this long, and fifty of the clock's ticks.
  static let leastNanoseconds = 200_000.0

  init(_ id: String, _ device: Device) throws(BackplaneError) {
    (self.id, self.device) = (id, device)
    let made = try CaseGraph(try CaseID(id)), data = DataGenerator(id: try CaseID(id)).make()
    graph = try ABIGraph(made.graph)
    symbols = made.symbols
    variants = try device.variants(graph, node: 0)
    let type = CasePlace.memoryType(device), alignment = CasePlace.alignment(device)
    var places: [TensorID: DeviceBuffer] = [:], slot = 0, buffers: [DeviceBuffer] = []
    for case let input? in made.inputs {
      let buffer = try device.makeBuffer(byteCount: max(data[slot].count, 1), alignment: alignment, usage: [.input], memoryType: type)
      if !data[slot].isEmpty {
        try buffer.map(access: [.write]).copyBytes(from: data[slot])
        try buffer.unmap()
      }
      places[input.id] = buffer
      slot += 1
    }
    for output in made.graph.abiOutputs where places[output] == nil {
      places[output] = try device.makeBuffer(byteCount: max(made.graph[output].bytes(in: made.symbols) ?? 0, 1), alignment: alignment, usage: [.output], memoryType: type)
    }
    bindings = (made.graph.abiInputs + made.graph.abiOutputs).map { id in
      buffers.append(places[id]!)
      return places[id]!.binding()
    }
    // The device's own clock where it has one; where it has none, or the device is this processor, the host's.
    stamps = device.info.timestampHz > 0 && device.info.kind != .cpu
      ? try device.makeBuffer(byteCount: MemoryLayout<bp_timestamp>.stride, alignment: alignment, usage: [.output], memoryType: type) : nil
    self.buffers = buffers
  }

  func program(_ text: String) throws(BackplaneError) -> TimedProgram {
    if let known = programs[text] { return known }
    let configuration = try variants.configuration(try ConfigurationRequest(text))
    let program = try device.compile(graph, choosing: ChosenConfigurations([.init(node: 0, configuration)]))
    let needed = program.info.workspaceByteCount
    if needed > workspace?.byteCount ?? 0 {
      workspace = try device.makeBuffer(byteCount: needed, alignment: max(program.info.workspaceAlignment, CasePlace.alignment(device)),
                                        usage: [.workspace], memoryType: CasePlace.memoryType(device))
    }
    // Programs of spaces of thousands would fill memory.
    if programs.count > 256 { programs.removeAll() }
    let made = TimedProgram(program)
    programs[text] = made
    return made
  }

  private func run(_ program: TimedProgram, timestamps: bp_binding? = nil) throws(BackplaneError) {
    try program.program.run(bindings, symbols: symbols, workspace: program.program.info.workspaceByteCount > 0 ? workspace?.binding() : nil, timestamps: timestamps)
  }

  /// Ticks of one run on the device's clock.
  private func stamped(_ program: TimedProgram, _ stamps: DeviceBuffer) throws(BackplaneError) -> UInt64 {
    let bytes = try stamps.map(access: [.write])
    bytes.initializeMemory(as: UInt8.self, repeating: 0)
    var head = bp_timestamp()
    head.h = bp_head(struct_size: UInt32(MemoryLayout<bp_timestamp>.size), struct_type: BP_ST_TIMESTAMP, next: nil)
    bytes.storeBytes(of: head, as: bp_timestamp.self)
    try stamps.unmap()
    try run(program, timestamps: stamps.binding())
    let stamp = try stamps.map(access: [.read]).load(as: bp_timestamp.self)
    try stamps.unmap()
    return stamp.end_ticks &- stamp.begin_ticks
  }

  /// Microseconds of one run, from one sample.
  func microseconds(_ program: TimedProgram) throws(BackplaneError) -> Double {
    func lap(_ launches: Int) throws(BackplaneError) -> Double {
      if let stamps {
        var ticks: UInt64 = 0
        for _ in 0..<launches { ticks += try stamped(program, stamps) }
        return Double(ticks) * 1e9 / Double(device.info.timestampHz)
      }
      let start = DispatchTime.now().uptimeNanoseconds
      for _ in 0..<launches { try run(program) }
      return Double(DispatchTime.now().uptimeNanoseconds - start)
    }
    if program.launches == 0 {
      _ = try lap(1)  // compiled, loaded, first touched
      let once = max(try lap(1), 1)
      program.launches = min(max(Int((TimedCase.leastNanoseconds / once).rounded(.up)), 1), 10_000)
    } else {
      // Others have run since: the first run finds cold caches and clocks.
      _ = try lap(1)
    }
    return try lap(program.launches) / Double(program.launches) / 1000
  }
}
