import BackplaneABI
import BackplaneCore
import BackplaneRegistry
import BackplaneSpecs

/// A graph that is compiled once and can run many times, its operands in memory of their own.
final class PreparedGraph {
  let graph: Graph
  let program: DeviceProgram
  private let data: [TensorID: [UInt8]]
  private let symbols: SymbolValues
  private var places: [TensorID: CasePlace] = [:]
  private var workspace: CasePlace?
  /// Tensors bound to a dispatch, in its order.
  private var bound: [TensorID] { graph.abiInputs + graph.abiOutputs }

  /// - Parameters:
  ///   - data: Of inputs, constants and states.
  ///   - other: Whose program is used, too.
  /// - Throws: ``BackplaneError`` (unsupported) when `query` says no.
  init(_ graph: Graph, _ data: [TensorID: [UInt8]], symbols: SymbolValues = [:], _ device: Device, sharing other: DeviceProgram? = nil) throws(BackplaneError) {
    (self.graph, self.data, self.symbols) = (graph, data, symbols)
    if let other { program = other } else {
      let records = try ABIGraph(graph)
      defer { withExtendedLifetime(records) {} }
      if let no = try device.query(records).first(where: { !$0.isSupported }) { throw BackplaneError(.unsupported, "\(no)", subject: device.id) }
      program = try device.compile(records)
    }
    let alignment = CasePlace.alignment(device)
    for id in bound where places[id] == nil {
      let isInput = data[id] != nil
      let place = try CasePlace(device, byteCount: data[id]?.count ?? graph[id].bytes(in: symbols) ?? 0, alignment: alignment, isGuarded: false,
                                usage: [isInput ? .input : .output])
      places[id] = place
    }
    if program.info.workspaceByteCount > 0 {
      workspace = try CasePlace(device, byteCount: program.info.workspaceByteCount, alignment: program.info.workspaceAlignment, isGuarded: false, usage: [.workspace])
    }
    try restore()
  }

  /// The same, compiled again, in memory of its own.
  func again(on device: Device) throws(BackplaneError) -> PreparedGraph { try PreparedGraph(graph, data, symbols: symbols, device) }

  /// Puts the operands back that a run has overwritten.
  func restore() throws(BackplaneError) { for (id, bytes) in data { try places[id]!.write(bytes) } }

  var bindings: [bp_binding] { bound.map { places[$0]!.binding } }
  var workspaceBinding: bp_binding? { workspace?.binding }

  func run(cancel: UnsafeMutableRawPointer? = nil, deadline: UInt64 = 0) throws(BackplaneError) {
    try run(bindings, cancel: cancel, deadline: deadline)
  }
  func run(_ bindings: [bp_binding], cancel: UnsafeMutableRawPointer? = nil, deadline: UInt64 = 0) throws(BackplaneError) {
    try program.run(bindings, symbols: symbols, workspace: workspace?.binding, cancel: cancel, deadline: deadline)
  }

  func outputs() throws(BackplaneError) -> [[UInt8]] {
    var outputs: [[UInt8]] = []
    for id in graph.abiOutputs { outputs.append(try places[id]!.read()) }
    return outputs
  }
  func clearOutputs() throws(BackplaneError) { for id in graph.abiOutputs where data[id] == nil { try places[id]!.fill(0x5A) } }
}

/// A case of the suite that is compiled once and can run many times: for tests of behaviour, which judge no numbers.
final class PreparedCase {
  let id: CaseID
  let prepared: PreparedGraph

  /// Nil when the device does not support the case.
  convenience init?(_ id: CaseID, _ device: Device, sharing other: PreparedCase? = nil) throws(BackplaneError) {
    try self.init(try ReferenceCase(id), device, sharing: other)
  }

  init?(_ reference: ReferenceCase, _ device: Device, sharing other: PreparedCase? = nil) throws(BackplaneError) {
    id = reference.id
    let made = reference.made
    let operands = made.inputs.compactMap { $0?.id }
    do throws(BackplaneError) {
      prepared = try PreparedGraph(made.graph, Dictionary(zip(operands, reference.data)) { first, _ in first }, symbols: made.symbols, device,
                                   sharing: other?.prepared.program)
    } catch {
      guard error.kind == .unsupported, try device.query(try ABIGraph(made.graph)).first?.isSupported != true else { throw error }
      return nil
    }
  }

  func run() throws(BackplaneError) { try prepared.run() }
  func outputs() throws(BackplaneError) -> [[UInt8]] { try prepared.outputs() }

  /// A small and plain case of each operator, the same for every device.
  static let samples: [CaseID] = OperatorSpec.all.compactMap { choose($0, 1).first }

  /// Small and plain cases of one operator.
  static func choose(_ spec: OperatorSpec, _ count: Int, where isWanted: (CaseID) -> Bool = { _ in true }) -> [CaseID] {
    var chosen: [CaseID] = []
    let generator = ShapeGenerator(spec)
    var random = Random(key: spec.id.value, stream: 0x5A3B)
    for _ in 0..<2000 where chosen.count < count {
      let row = generator.factors.map { factor in
        switch factor {
        // The first format and memory are the plain ones.
        case .format, .memory: 0
        default: random.below(factor.levelCount)
        }
      }
      if let id = generator.makeCase(row), CaseRunner.isRequired(id), isWanted(id), !chosen.contains(id), id.inputs.joined().allSatisfy({ $0.count > 8 || $0.shape.count == 1 }) { chosen.append(id) }
    }
    return chosen
  }
}
