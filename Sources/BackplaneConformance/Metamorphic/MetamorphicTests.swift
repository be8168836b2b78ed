import BackplaneABI
import BackplaneCore
import BackplaneReference
import BackplaneRegistry
import BackplaneSpecs

/// Relations between results of one device that hold whatever the right result is: they find what an oracle with the same mistake
/// would miss.
///
/// Which of them an operator must keep, its spec says. The tolerance is the sum of the bounds of the results that are compared.
public enum MetamorphicTests {
  static let relations: [String: @Sendable (OperatorSpec, Runner) throws(BackplaneError) -> Void] = [
    "rows_alone": rowsAlone, "row_blocks": rowBlocks, "scale_pow2": scaleByPowerOfTwo, "shift": shift, "scale_invariance": scaleInvariance,
    "kv_permutation": permutedKeys, "gqa_repeat": repeatedHeads, "decode_rows": decodeRows, "padding_keys": paddingKeys, "chunked_prefill": chunkedPrefill,
    "value_scale_pow2": scaleValues, "split_kv": splitKeys, "inverse_rotation": inverseRotation, "relative_position": relativePosition,
    "fused": fusedEqualsParts, "quantize_again": quantizeAgain,
  ]

  public static func ids(of spec: OperatorSpec) -> [String] { spec.conformance.metamorphic.map { "metamorphic/\(spec.name)/\($0)" } }

  static func run(_ id: String, _ device: Device) -> CaseResult {
    let words = id.split(separator: "/").map(String.init)
    guard words.count == 3, let spec = OperatorSpec.named(words[1]), let relation = relations[words[2]] else {
      return CaseResult(id: id, outcome: .error, message: "there is no such relation")
    }
    let clock = ContinuousClock(), start = clock.now
    var result = CaseResult(id: id, outcome: .pass)
    result.required = true
    let runner = Runner(device, Identifier(id).value)
    do throws(BackplaneError) {
      try relation(spec, runner)
      if let fault = runner.fault { (result.outcome, result.fault, result.message) = (.fail, "metamorphic", fault) }
    } catch {
      (result.outcome, result.message) = (error.kind == .unsupported ? .unsupported : .error, "\(error)")
    }
    result.maxRatio = runner.maxRatio
    result.elements = runner.compared
    let elapsed = clock.now - start
    result.milliseconds = Double(elapsed.components.seconds) * 1000 + Double(elapsed.components.attoseconds) / 1e15
    result.makeFinite()
    return result
  }

  /// An operand in f32 or i32.
  struct Value {
    var format = ElementFormat.f32
    var shape: [Int]
    var values: [Double]
    /// Of a result: how far it may be from the truth.
    var error: [Double]?

    var bounds: [Double] { error ?? [Double](repeating: 0, count: values.count) }

    func bytes() -> [UInt8] { try! ReferenceTensor(format, shape, values: values).encoded() }
  }

  /// Runs operators on values, and compares results.
  final class Runner {
    let device: Device
    private(set) var fault: String?
    private(set) var maxRatio = 0.0
    private(set) var compared = 0
    /// Whether a kernel so far said that it rounds more than f32 arithmetic does.
    private(set) var declaresRounding = false
    private var random: Random

    init(_ device: Device, _ seed: UInt64) {
      self.device = device
      random = Random(key: seed, stream: 0x4E1A)
    }

    func normal(_ shape: [Int], _ scale: Double = 1) -> Value {
      Value(shape: shape, values: (0..<shape.reduce(1, *)).map { _ in Double(Float(random.normal() * scale)) })
    }
    func whole(_ shape: [Int], _ limit: Int) -> Value {
      Value(shape: shape, values: (0..<shape.reduce(1, *)).map { _ in Double(random.in_(-limit...limit)) })
    }
    func permutation(_ count: Int) -> [Int] {
      var order = Array(0..<count)
      for k in order.indices.reversed() { order.swapAt(k, random.below(k + 1)) }
      return order
    }

    /// The first output, with the oracle's bounds around what the device gave.
    ///
    /// - Throws: ``BackplaneError`` (unsupported) when the device does not support it.
    func apply(_ spec: OperatorSpec, _ inputs: [Value?], _ attributes: [Attribute] = []) throws(BackplaneError) -> Value {
      try applyAll(spec, inputs, attributes)[0]
    }

    /// The first output and those optional ones that are named, as ``apply(_:_:_:)``.
    func applyAll(_ spec: OperatorSpec, _ inputs: [Value?], _ attributes: [Attribute] = [], outputs wanted: [String] = []) throws(BackplaneError) -> [Value] {
      var tensors: [[CaseID.Tensor]] = inputs.map { $0.map { [CaseID.Tensor(format: $0.format, shape: $0.shape)] } ?? [] }
      while tensors.count < spec.inputs.count { tensors.append([]) }
      let id = CaseID(spec, inputs: tensors, attributes: attributes, outputs: wanted, data: "normal")
      let made = try CaseGraph(id)
      let graph = try ABIGraph(made.graph)
      defer { withExtendedLifetime(graph) {} }
      guard let verdict = try device.query(graph).first, verdict.isSupported else { throw BackplaneError(.unsupported, "\(id) is not supported") }
      let program = try device.compile(graph)
      let data = inputs.compactMap { $0?.bytes() }
      var places: [TensorID: CasePlace] = [:]
      var slot = 0
      for input in made.inputs {
        guard let input else { continue }
        let place = try CasePlace(device, byteCount: data[slot].count, alignment: CasePlace.alignment(device), isGuarded: false, usage: [.input])
        try place.write(data[slot])
        places[input.id] = place
        slot += 1
      }
      for case let output? in made.node.outputs where places[output] == nil {
        places[output] = try CasePlace(device, byteCount: made.graph[output].maximumBytes ?? 0, alignment: CasePlace.alignment(device), isGuarded: false, usage: [.output])
      }
      var workspace: CasePlace?
      if program.info.workspaceByteCount > 0 {
        workspace = try CasePlace(device, byteCount: program.info.workspaceByteCount, alignment: program.info.workspaceAlignment, isGuarded: false, usage: [.workspace])
      }
      try program.run((made.graph.abiInputs + made.graph.abiOutputs).map { places[$0]!.binding }, workspace: workspace?.binding)
      let declared = Declared(verdict.declares.map { Attribute($0.name, $0.value) })
      if declared != .nothing { declaresRounding = true }
      let expected = try Expectation(id, made, data, declared).outputs
      var values: [Value] = []
      for (output, expected) in zip(made.node.outputs.compactMap({ $0 }), expected) {
        guard let expected else { continue }
        let bytes = try places[output]!.read()
        let actual = bytes.withUnsafeBytes { TensorView($0.baseAddress ?? UnsafeRawPointer(bitPattern: 8)!, expected.format, expected.shape).decoded() }
        values.append(Value(format: expected.format, shape: expected.shape, values: actual, error: expected.error))
      }
      return values
    }

    /// Notes a fault where two results differ by more than both bounds; by anything, when `isExact`.
    func expectEqual(_ a: [Double], _ b: [Double], within bounds: ([Double]?, [Double]?), isExact: Bool = false, _ what: String) {
      for i in a.indices {
        compared += 1
        let bound = isExact ? 0 : (bounds.0?[i] ?? 0) + (bounds.1?[i] ?? 0)
        let distance = abs(a[i] - b[i])
        if distance > 0, bound > 0 { maxRatio = max(maxRatio, distance / bound) }
        if !(distance <= bound), fault == nil { fault = "\(what): element \(i) is \(a[i]) and \(b[i]), which is more than \(bound) apart" }
      }
    }
  }

  /// Elements `rows` of a value whose first dimension they are.
  static func rows(_ value: Value, _ range: Range<Int>) -> Value {
    let width = value.shape.dropFirst().reduce(1, *)
    var part = value
    part.shape[0] = range.count
    part.values = Array(value.values[range.lowerBound * width..<range.upperBound * width])
    part.error = value.error.map { Array($0[range.lowerBound * width..<range.upperBound * width]) }
    return part
  }
}
