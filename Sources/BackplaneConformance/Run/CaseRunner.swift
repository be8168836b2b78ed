import BackplaneABI
import BackplaneCore
import BackplaneReference
import BackplaneRegistry
import BackplaneSpecs
import Glibc

/// Runs one case of an operator on a device and judges what it leaves in memory.
///
/// Each case runs three times: twice in memory that ends at a forbidden page, at any address, its outputs filled with NaN and then
/// with zeros; and once in the device's own aligned memory. Around every tensor lies poison. Inputs must not change, every element
/// must be written, the first two runs must agree to the bit, and all must be within the bounds that the oracle derives.
public struct CaseRunner {
  public let device: Device
  /// Called with the operands and results of a case: for `replay`.
  public var show: ((_ name: String, _ format: ElementFormat, _ shape: [Int], _ bytes: [UInt8]) -> Void)?

  public var showExpected: ((_ name: String, _ values: ReferenceTensor) -> Void)?

  /// Judge this variant instead of the one that the device would choose. A case that it does not take is unsupported.
  public var configuration: ConfigurationRequest?

  /// Data and oracle's answer of the case that is to be run, where they are there already.
  package var reference: ReferenceCase?

  public init(_ device: Device) { self.device = device }

  public func run(_ id: CaseID) -> CaseResult {
    var result = CaseResult(id: id.description, outcome: .pass)
    let clock = ContinuousClock()
    let start = clock.now
    do throws(BackplaneError) {
      try run(id, &result)
    } catch {
      (result.outcome, result.message) = (.error, "\(error)")
    }
    let elapsed = clock.now - start
    result.milliseconds = Double(elapsed.components.attoseconds) / 1e15 + Double(elapsed.components.seconds) * 1000
    result.makeFinite()
    return result
  }

  /// Whether a plugin of the case's level must support it: plain memory, f32, and what has to go with it.
  public static func isRequired(_ id: CaseID) -> Bool {
    guard !id.memory.mayBeRefused else { return false }
    return id.inputs.joined().allSatisfy { $0.format == .f32 || $0.format == .i32 } && id.attributes.allSatisfy { attribute in
      guard let output = id.spec.outputs.first(where: { $0.formatAttribute == attribute.name }), output.formatAttribute != nil else { return true }
      return attribute.value == .string("f32")
    }
  }

  private func run(_ id: CaseID, _ result: inout CaseResult) throws(BackplaneError) {
    result.required = CaseRunner.isRequired(id)
    let reference = if let reference, reference.id == id { reference } else { try ReferenceCase(id) }
    let (made, data) = (reference.made, reference.data)
    let graph = try ABIGraph(made.graph)
    var strides: [TensorID: [Int]] = [:]
    if id.memory.mayBeRefused { strides = spreadRows(graph, made, isRepeated: id.memory == .repeated) }
    defer { withExtendedLifetime(graph) {} }

    guard let verdict = try device.query(graph).first else { throw BackplaneError(.internal, "query gave no verdict") }
    guard verdict.isSupported else {
      (result.outcome, result.message) = (.unsupported, "\(verdict)")
      if verdict.reason.code == 0 { (result.outcome, result.fault, result.message) = (.fail, "verdict", "query says no and gives no reason") }
      // What query refuses, compile must not take.
      if (try? device.compile(graph)) != nil { (result.outcome, result.fault, result.message) = (.fail, "verdict", "query says \(verdict), but the program compiles") }
      return
    }
    var declares = verdict.declares, choice = ChosenConfigurations()
    if let configuration {
      let variants = try device.variants(graph, node: 0)
      do throws(BackplaneError) {
        let chosen = try variants.configuration(configuration)
        try device.check(chosen, graph, node: 0)
        choice = ChosenConfigurations([.init(node: 0, chosen)])
        declares = variants.first { $0.name == configuration.variant }!.declares
      } catch {
        (result.outcome, result.required, result.message) = (.unsupported, false, "\(error)")
        return
      }
    }
    result.declares = declares.map { "\($0.name)=\(CaseID.text($0.value))" }
    let declared = Declared(declares.map { Attribute($0.name, $0.value) })
    let program: DeviceProgram
    do { program = try device.compile(graph, choosing: choice) } catch {
      return fail(&result, "refused", "query says yes, compile fails: \(error)")
    }
    let expected = try reference.expectation(declared)

    // Twice the same with outputs of NaN and of zeros; where the device imports host memory, once more in its own.
    let runs: [(isGuarded: Bool, preFill: UInt8, repeats: Bool)] = CasePlace.canImport(device)
      ? [(true, 0xFF, false), (true, 0, true), (false, 0, false)] : [(false, 0xFF, false), (false, 0, true)]
    var before: [[UInt8]] = []
    for run in runs {
      let outputs: [(name: String, bytes: [UInt8])]
      do throws(BackplaneError) {
        outputs = try execute(id, made, data, program, strides, isGuarded: run.isGuarded, preFill: run.preFill, &result)
      } catch {
        return fail(&result, "status", "\(error)")
      }
      for (k, reference) in expected.outputs.enumerated() {
        guard let reference else { continue }
        if run.preFill == 0xFF || result.outcome == .pass { expected.judge(outputs[k].bytes, k, reference, name: outputs[k].name, &result) }
        if run.preFill == 0xFF {
          show?(outputs[k].name, reference.format, reference.shape, outputs[k].bytes)
          showExpected?(outputs[k].name, reference)
        }
      }
      if result.outcome != .pass { return }
      if run.repeats, let (earlier, later) = zip(before, outputs).first(where: { $0 != $1.bytes }) {
        let byte = zip(earlier, later.bytes).enumerated().first { $1.0 != $1.1 }!.offset
        return fail(&result, "order", "\(later.name) differs from run to run, first at byte \(byte): it depends on what lay there before, or on chance")
      }
      before = outputs.map(\.bytes)
    }
  }

  /// Gives each operand that may have them rows that lie apart, or on top of each other. The data's strides, by tensor.
  private func spreadRows(_ graph: ABIGraph, _ made: CaseGraph, isRepeated: Bool) -> [TensorID: [Int]] {
    var strides: [TensorID: [Int]] = [:]
    for case let (id, tensor)? in made.inputs where !tensor.format.isBlock && !tensor.shape.isEmpty && tensor.count > 0 {
      var step = tensor.format.blockBytes
      var own = [Int](repeating: 0, count: tensor.shape.count)
      for d in tensor.shape.indices.reversed() {
        if d == tensor.shape.count - 1, tensor.shape.count == 1 { step *= 2 }
        own[d] = isRepeated && d == 0 ? 0 : step
        step = step * tensor.shape[d] + (d > 0 ? 3 * tensor.format.blockBytes : 0)
      }
      strides[id] = own
      let record = UnsafeMutableRawPointer(mutating: graph.pointer.pointee.tensors.ptr!) + id.index * Int(graph.pointer.pointee.tensors.stride)
      let field = (record + MemoryLayout<bp_tensor>.offset(of: \.stride)!).assumingMemoryBound(to: Int64.self)
      for d in own.indices { field[d] = Int64(own[d]) }
    }
    return strides
  }

  private func execute(_ id: CaseID, _ made: CaseGraph, _ data: [[UInt8]], _ program: DeviceProgram, _ strides: [TensorID: [Int]], isGuarded: Bool,
                       preFill: UInt8, _ result: inout CaseResult) throws(BackplaneError) -> [(name: String, bytes: [UInt8])] {
    let graph = made.graph
    var places: [TensorID: CasePlace] = [:]
    var contents: [TensorID: [UInt8]] = [:]
    var slot = 0
    for input in made.inputs {
      guard let input else { continue }
      var bytes = data[slot]
      slot += 1
      if let strides = strides[input.id] { bytes = CaseRunner.spread(bytes, input.tensor, strides) }
      let alignment = isGuarded ? (input.tensor.format.isBlock ? 2 : input.tensor.format.blockBytes) : CasePlace.alignment(device)
      let usage: BufferUsage = switch graph[input.id].role { case .constant: [.weights]; case .state: [.state]; default: [.input] }
      let place = try CasePlace(device, byteCount: bytes.count, alignment: alignment, isGuarded: isGuarded, usage: usage)
      try place.write(bytes)
      (places[input.id], contents[input.id]) = (place, bytes)
      if isGuarded, preFill == 0xFF { show?(graph[input.id].name, input.tensor.format, input.tensor.shape, data[slot - 1]) }
    }
    let written = made.node.outputs.compactMap { $0 }
    for output in written where places[output] == nil {
      let tensor = graph[output]
      let count = tensor.bytes(in: made.symbols) ?? 0
      let place = try CasePlace(device, byteCount: count, alignment: isGuarded ? tensor.format.isBlock ? 2 : tensor.format.blockBytes : CasePlace.alignment(device),
                                isGuarded: isGuarded, usage: [.output])
      try place.fill(preFill)
      places[output] = place
    }
    var workspace: CasePlace?
    if program.info.workspaceByteCount > 0 {
      workspace = try CasePlace(device, byteCount: program.info.workspaceByteCount, alignment: max(program.info.workspaceAlignment, 1), isGuarded: isGuarded, usage: [.workspace])
      try workspace!.fill(preFill)
    }
    try program.run((graph.abiInputs + graph.abiOutputs).map { places[$0]!.binding }, symbols: made.symbols, workspace: workspace?.binding)

    var outputs: [(name: String, bytes: [UInt8])] = []
    for output in written { outputs.append((graph[output].name, try places[output]!.read())) }
    for (id, before) in contents where !written.contains(id) {
      if try places[id]!.read() != before { fail(&result, "input", "the input \(graph[id].name) was changed") }
    }
    for (id, place) in places.sorted(by: { $0.key < $1.key }) {
      if try !place.isIntact() { fail(&result, "canary", "memory beside \(graph[id].name) was written") }
    }
    if let workspace, try !workspace.isIntact() { fail(&result, "canary", "memory beside the workspace was written") }
    return outputs
  }

  /// Dense elements with the gaps of `strides`, which hold poison.
  private static func spread(_ dense: [UInt8], _ tensor: CaseID.Tensor, _ strides: [Int]) -> [UInt8] {
    let size = tensor.format.blockBytes
    let span = zip(tensor.shape, strides).reduce(size) { $0 + ($1.0 - 1) * $1.1 }
    var bytes = [UInt8](repeating: GuardedMemory.poison, count: span)
    for i in 0..<tensor.count {
      var (rest, at) = (i, 0)
      for d in tensor.shape.indices.reversed() {
        at += rest % tensor.shape[d] * strides[d]
        rest /= tensor.shape[d]
      }
      for b in 0..<size { bytes[at + b] = dense[i * size + b] }
    }
    return bytes
  }

  private func fail(_ result: inout CaseResult, _ fault: String, _ message: String) {
    if result.outcome == .fail { return }
    (result.outcome, result.fault, result.message) = (.fail, fault, message)
  }
}
