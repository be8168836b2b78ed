import BackplaneCore
import BackplaneReference
import BackplaneRegistry
import BackplaneSpecs

/// Relations between an operator and its inverse, or its parts.
extension MetamorphicTests {
  // MARK: Rotations

  private static let frequencies = Value(shape: [16], values: (0..<16).map { (i: Int) -> Double in Double(1 / (1 + 3 * Float(i * i))) })
  private static func positions(_ values: [Int]) -> Value { Value(format: .i32, shape: [values.count], values: values.map(Double.init)) }
  /// Of each row [H, D] of a result: its largest bound. A rotation mixes elements of a row.
  private static func rowBound(_ value: Value) -> [Double] {
    let width = value.shape.dropFirst().reduce(1, *)
    let bounds = value.bounds
    return stride(from: 0, to: bounds.count, by: width).map { bounds[$0..<$0 + width].max()! }
  }

  /// A rotation by p, then by -p, is none.
  static func inverseRotation(_ spec: OperatorSpec, _ runner: Runner) throws(BackplaneError) {
    let p = [0, 1, 7, 100, 1000, 4095, -5]
    for interleaved in [0, 1] {
      let attributes = [Attribute("interleaved", .int(interleaved))]
      let x = runner.normal([p.count, 3, 40])
      let there = try runner.apply(spec, [x, positions(p), frequencies], attributes)
      let back = try runner.apply(spec, [there, positions(p.map { -$0 }), frequencies], attributes)
      let width = 3 * 40, first = rowBound(there)
      let bounds = back.bounds.enumerated().map { $1 + 2 * first[$0 / width] }
      runner.expectEqual(back.values, x.values, within: (bounds, nil), "rotated by p and by -p, interleaved \(interleaved)")
    }
  }

  /// The product of two rotated vectors depends on how far apart their positions are, and on nothing else.
  static func relativePosition(_ spec: OperatorSpec, _ runner: Runner) throws(BackplaneError) {
    let (count, heads, width) = (6, 2, 32)
    for interleaved in [0, 1] {
      let attributes = [Attribute("interleaved", .int(interleaved))]
      let q = runner.normal([count, heads, width]), k = runner.normal([count, heads, width])
      func products(_ shift: Int) throws(BackplaneError) -> (values: [Double], bounds: [Double]) {
        let a = try runner.apply(spec, [q, positions((0..<count).map { $0 * 3 + shift }), frequencies], attributes)
        let b = try runner.apply(spec, [k, positions((0..<count).map { $0 + shift }), frequencies], attributes)
        let (aBounds, bBounds) = (a.bounds, b.bounds)
        var values: [Double] = [], bounds: [Double] = []
        for start in stride(from: 0, to: a.values.count, by: width) {
          var (sum, bound) = (0.0, 0.0)
          for i in start..<start + width {
            sum += a.values[i] * b.values[i]
            bound += aBounds[i] * (abs(b.values[i]) + bBounds[i]) + bBounds[i] * abs(a.values[i])
          }
          values.append(sum)
          bounds.append(bound)
        }
        return (values, bounds)
      }
      let here = try products(0)
      for shift in [1, 64, 1000] {
        let there = try products(shift)
        runner.expectEqual(there.values, here.values, within: (there.bounds, here.bounds), "both \(shift) positions on, interleaved \(interleaved)")
      }
    }
  }

  // MARK: Fused operators

  /// A fused operator is its composition, on the same device, within both bounds.
  static func fusedEqualsParts(_ spec: OperatorSpec, _ runner: Runner) throws(BackplaneError) {
    let cases = PreparedCase.choose(spec, 4) { $0.data == "normal" }
    if cases.isEmpty { throw BackplaneError(.internal, "\(spec.name) has no plain case") }
    for id in cases {
      let made = try CaseGraph(id)
      let data = DataGenerator(id: id).make()
      var parts = GraphBuilder()
      let inputs = made.inputs.map { input in input.map { parts.input(made.graph[$0.id].name, $0.tensor.format, Shape($0.tensor.shape)) } }
      let outputs = try parts.applyComposition(of: spec.name, inputs, id.attributes)
      for case let output? in outputs { parts.output(output) }
      func run(_ graph: Graph, _ operands: [TensorID]) throws(BackplaneError) -> [[UInt8]] {
        let prepared = try PreparedGraph(graph, Dictionary(zip(operands, data)) { first, _ in first }, runner.device)
        try prepared.run()
        return try prepared.outputs()
      }
      // What the kernels of either say that they round, the bound allows both.
      var declares: [Attribute] = []
      for graph in [made.graph, parts.graph] {
        let verdicts = try runner.device.query(try ABIGraph(graph))
        if let no = verdicts.first(where: { !$0.isSupported }) { throw BackplaneError(.unsupported, "\(id): \(no)") }
        declares += verdicts.flatMap(\.declares).map { Attribute($0.name, $0.value) }
      }
      let expected = try Expectation(id, made, data, Declared(declares)).outputs
      let fused = try run(made.graph, made.inputs.compactMap { $0?.id }), composed = try run(parts.graph, inputs.compactMap { $0 })
      for (k, (a, b)) in zip(fused, composed).enumerated() {
        guard k < expected.count, let reference = expected[k] else { continue }
        func decoded(_ bytes: [UInt8]) -> [Double] {
          bytes.withUnsafeBytes { TensorView($0.baseAddress ?? UnsafeRawPointer(bitPattern: 8)!, reference.format, reference.shape).decoded() }
        }
        runner.expectEqual(decoded(a), decoded(b), within: (reference.error, reference.error), "\(id), output \(k): fused and in parts")
      }
    }
  }

  // MARK: Quantisation

  /// What has been quantised once is not changed by doing it again.
  static func quantizeAgain(_ spec: OperatorSpec, _ runner: Runner) throws(BackplaneError) {
    if spec.name == "tensor_scatter" { return try scatterAgain(spec, runner) }
    let dequantize = OperatorSpec.named("dequantize_linear")!
    for zero in [0, -7, 100] {
      let all = Value(format: .i8, shape: [256], values: (-128...127).map(Double.init))
      for scale in [0.013, 1, 0.375, 1e-20, 3e20] {
        let scales = Value(shape: [], values: [Double(Float(scale))]), zeros = Value(format: .i8, shape: [], values: [Double(zero)])
        let x = try runner.apply(dequantize, [all, scales, zeros])
        let y = try runner.apply(spec, [x, scales, zeros])
        runner.expectEqual(y.values, all.values, within: (nil, nil), isExact: true, "dequantised and quantised again with scale \(scale) and zero point \(zero)")
      }
    }
  }

  private static func scatterAgain(_ spec: OperatorSpec, _ runner: Runner) throws(BackplaneError) {
    let rowCount = 5
    for format in [ElementFormat.f32, .f16, .bf16, .q8_0] {
      let cache = Value(format: format, shape: [rowCount, 2, 64], values: [Double](repeating: 0, count: rowCount * 128))
      let x = runner.normal([rowCount, 2, 64])
      let at = positions(Array(0..<rowCount))
      do {
        let once = try runner.apply(spec, [cache, x, at])
        let again = try runner.apply(spec, [cache, Value(shape: x.shape, values: once.values), at])
        runner.expectEqual(again.values, once.values, within: (nil, nil), isExact: true, "written to a cache of \(format.name), read and written again")
      } catch {
        guard error.kind == .unsupported, format != .f32 else { throw error }
      }
    }
  }
}
