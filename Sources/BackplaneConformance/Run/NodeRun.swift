import BackplaneCore
import BackplaneReference
import BackplaneRegistry
import BackplaneSpecs

/// Runs a graph's nodes on a device one at a time, each on what the device itself made before, and judges each by the oracle's bound.
///
/// Memory is the suite's: it ends at a forbidden page where the device imports host memory, with poison around it.
struct NodeRun {
  let device: Device
  let graph: Graph
  /// Dense elements of every tensor so far.
  private(set) var bytes: [TensorID: [UInt8]]

  /// - Parameter bytes: Of the graph's inputs and constants.
  init(_ device: Device, _ graph: Graph, _ bytes: [TensorID: [UInt8]]) { (self.device, self.graph, self.bytes) = (device, graph, bytes) }

  /// What the oracle says of a node's outputs, in the spec's order.
  typealias Expected = [ReferenceTensor?]

  /// Runs node `i`. A refusal, a fault or a wrong element is noted in `result`.
  ///
  /// - Returns: The oracle's outputs; nil when the node did not run.
  mutating func run(_ i: Int, _ result: inout CaseResult) throws(BackplaneError) -> Expected? {
    let node = graph.nodes[i], alone = graph.isolating(node: i)
    let record = try ABIGraph(alone)
    defer { withExtendedLifetime(record) {} }
    guard let verdict = try device.query(record).first else { throw BackplaneError(.internal, "query gave no verdict") }
    guard verdict.isSupported else {
      (result.outcome, result.message) = (.unsupported, "\(node.op): \(verdict)")
      return nil
    }
    let program: DeviceProgram
    do { program = try device.compile(record) } catch {
      (result.outcome, result.fault, result.message) = (.fail, "refused", "\(node.op): query says yes, compile fails: \(error)")
      return nil
    }
    // The node's tensors, in the graph of it alone and in the whole.
    var whole: [TensorID: TensorID] = [:]
    for (a, b) in zip(alone.nodes[0].inputs + alone.nodes[0].outputs, node.inputs + node.outputs) { if let a, let b { whole[a] = b } }
    let isGuarded = CasePlace.canImport(device)
    var places: [TensorID: CasePlace] = [:]
    for id in Set(alone.abiInputs + alone.abiOutputs) {
      let tensor = alone[id]
      let isMade = tensor.role == .intermediate
      let place = try CasePlace(device, byteCount: tensor.maximumBytes ?? 0, alignment: isGuarded ? tensor.format.blockBytes : CasePlace.alignment(device),
                                isGuarded: isGuarded, usage: isMade ? [.output] : tensor.role == .constant ? [.weights] : [.input])
      if isMade { try place.fill(0xFF) } else { try place.write(bytes[whole[id]!]!) }
      places[id] = place
    }
    var workspace: CasePlace?
    if program.info.workspaceByteCount > 0 {
      workspace = try CasePlace(device, byteCount: program.info.workspaceByteCount, alignment: max(program.info.workspaceAlignment, 1), isGuarded: isGuarded, usage: [.workspace])
    }
    try program.run((alone.abiInputs + alone.abiOutputs).map { places[$0]!.binding }, workspace: workspace?.binding)
    for (id, place) in places {
      if try !place.isIntact() {
        (result.outcome, result.fault, result.message) = (.fail, "canary", "\(node.op): memory beside \(alone[id].name) was written")
        return nil
      }
      if alone[id].role == .intermediate { bytes[whole[id]!] = try place.read() }
    }
    let declared = Declared(verdict.declares.map { Attribute($0.name, $0.value) })
    let expected = try oracle(node, declared)
    for (output, want) in zip(node.outputs, expected) {
      guard let output, let want else { continue }
      let judgement = bytes[output]!.withUnsafeBytes { Judge.compare(expected: want, actual: $0) }
      result.elements += judgement.count
      result.maxRatio = max(result.maxRatio, judgement.maxRatio)
      if !judgement.passed, result.outcome == .pass {
        (result.outcome, result.fault, result.message) = (.fail, "values", "node \(i), \(node.op): \(judgement)")
        if let bad = judgement.firstBad { result.firstBad = .init(output: graph[output].name, index: bad.index, expected: bad.expected, actual: bad.actual, bound: bad.bound) }
      }
    }
    return expected
  }

  private func oracle(_ node: Node, _ declared: Declared) throws(BackplaneError) -> Expected {
    var memory: [UnsafeMutableRawBufferPointer] = []
    defer { for block in memory { block.deallocate() } }
    var views: [TensorView?] = []
    for id in node.inputs {
      guard let id else { views.append(nil); continue }
      let block = UnsafeMutableRawBufferPointer.allocate(byteCount: max(bytes[id]!.count, 1), alignment: 64)
      block.copyBytes(from: bytes[id]!)
      memory.append(block)
      views.append(TensorView(UnsafeRawPointer(block.baseAddress!), graph[id].format, graph[id].shape.fixedExtents ?? []))
    }
    return try ReferenceInterpreter().evaluate(node: node, inputs: views, declared: declared, bounds: true)
  }
}
