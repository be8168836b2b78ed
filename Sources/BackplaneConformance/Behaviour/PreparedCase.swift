import BackplaneABI
import BackplaneCore
import BackplaneRegistry
import BackplaneSpecs

/// A case that is compiled once and can run many times: for tests of behaviour, which judge no numbers.
final class PreparedCase {
  let id: CaseID
  let program: DeviceProgram
  private let made: CaseGraph
  private let data: [[UInt8]]
  private var places: [TensorID: CasePlace] = [:]
  private var workspace: CasePlace?

  /// Nil when the device does not support the case.
  convenience init?(_ id: CaseID, _ device: Device, sharing other: PreparedCase? = nil) throws(BackplaneError) {
    try self.init(try ReferenceCase(id), device, sharing: other)
  }

  init?(_ reference: ReferenceCase, _ device: Device, sharing other: PreparedCase? = nil) throws(BackplaneError) {
    id = reference.id
    (made, data) = (reference.made, reference.data)
    if let other { program = other.program } else {
      let graph = try ABIGraph(made.graph)
      defer { withExtendedLifetime(graph) {} }
      guard try device.query(graph).first?.isSupported == true else { return nil }
      program = try device.compile(graph)
    }
    var slot = 0
    let alignment = CasePlace.alignment(device)
    for input in made.inputs {
      guard let input else { continue }
      let place = try CasePlace(device, byteCount: data[slot].count, alignment: alignment, isGuarded: false, usage: [.input])
      try place.write(data[slot])
      slot += 1
      places[input.id] = place
    }
    for case let output? in made.node.outputs where places[output] == nil {
      places[output] = try CasePlace(device, byteCount: made.graph[output].bytes(in: made.symbols) ?? 0, alignment: alignment, isGuarded: false, usage: [.output])
    }
    if program.info.workspaceByteCount > 0 {
      workspace = try CasePlace(device, byteCount: program.info.workspaceByteCount, alignment: program.info.workspaceAlignment, isGuarded: false, usage: [.workspace])
    }
  }

  func run(cancel: UnsafeMutableRawPointer? = nil, deadline: UInt64 = 0, shortening: Int = 0) throws(BackplaneError) {
    var bindings = (made.graph.abiInputs + made.graph.abiOutputs).map { places[$0]!.binding }
    if shortening > 0 { bindings[bindings.count - 1].bytes -= UInt64(shortening) }
    try program.run(bindings, symbols: made.symbols, workspace: workspace?.binding, cancel: cancel, deadline: deadline)
  }

  func outputs() throws(BackplaneError) -> [[UInt8]] {
    var outputs: [[UInt8]] = []
    for case let output? in made.node.outputs { outputs.append(try places[output]!.read()) }
    return outputs
  }

  /// Cases of many operators, small and plain, the same for every device.
  static func samples(atMost count: Int) -> [CaseID] {
    var samples: [CaseID] = []
    for spec in OperatorSpec.all {
      let generator = ShapeGenerator(spec)
      let rows = CoveringArray.pairwise(levels: generator.factors.map(\.levelCount), seed: spec.id.value).prefix(40)
      let found = rows.lazy.compactMap { generator.makeCase($0) }.first { id in
        id.memory == .plain && CaseRunner.isRequired(id) && id.inputs.joined().allSatisfy { $0.count > 8 || $0.shape.count == 1 }
      }
      if let found { samples.append(found) }
      if samples.count == count { break }
    }
    return samples
  }
}
