import BackplaneCore
import BackplaneReference
import BackplaneRegistry
import BackplaneSpecs

/// How other suites judge a result, for comparison with the derived bounds: one kind of random data, one run in plain memory, one tolerance.
///
/// Operators, shapes, attributes and formats are those of the suite's own cases in plain memory, as are operands with a meaning of their own (masks,
/// indices, positions). Where a rule's tolerance is narrower than the rounding of the output's format, that rounding is allowed.
public struct SimpleRule: Sendable {
  public let name, title: String
  /// The kind of data (see `DataGenerator`).
  let data: String
  /// Whether float operands are f16 where the operator takes that.
  var usesF16 = false
  fileprivate enum Tolerance: Sendable {
    /// Σ(actual - expected)² / Σ expected², by the bound's kind.
    case meanSquare
    /// |actual - expected| ≤ absolute + relative · |expected|.
    case close(relative: Double, absolute: Double)
  }
  fileprivate let tolerance: Tolerance

  public static let all = [
    // ggml's test-backend-ops: uniform data in [-1, 1]; 1e-7, where products are summed 5e-4, softmax 1e-6.
    SimpleRule(name: "nmse", title: "NMSE", data: "uniform", tolerance: .meanSquare),
    // The ONNX backend test runner's defaults.
    SimpleRule(name: "allclose", title: "allclose", data: "normal", tolerance: .close(relative: 1e-3, absolute: 1e-7)),
    // torch.testing.assert_close's defaults for float16.
    SimpleRule(name: "fp16", title: "fp16 allclose", data: "normal", usesF16: true, tolerance: .close(relative: 1e-3, absolute: 1e-5)),
  ]
  static func named(_ name: String) -> SimpleRule? { all.first { $0.name == name } }

  /// The rule's cases of an operator.
  func ids(_ spec: OperatorSpec, size: CaseList.Size) -> [String] {
    var seen: Set<CaseID> = []
    return CaseList.cases(of: spec, size: size).compactMap { id in
      guard id.memory == .plain, id.inputs.joined().allSatisfy({ $0.count > 0 }) else { return nil }
      let own = adapted(id)
      return seen.insert(own).inserted ? own.description : nil
    }
  }

  /// The case with the rule's data and formats.
  private func adapted(_ id: CaseID) -> CaseID {
    var own = id
    own.data = data
    guard usesF16 else { return own }
    // All operands, or else the first and those that have its format.
    for isWanted in [{ _ in true }, { $0 == 0 || id.spec.inputs[$0].formatOf != nil }] as [(Int) -> Bool] {
      var half = own
      for k in half.inputs.indices where isWanted(k) {
        for i in half.inputs[k].indices where [.f32, .bf16].contains(half.inputs[k][i].format) { half.inputs[k][i].format = .f16 }
      }
      if CaseGraph.isAllowed(half) { return half }
    }
    return own
  }

  /// Runs a case of the rule.
  func run(_ reference: ReferenceCase, _ device: Device) -> CaseResult {
    var result = CaseResult(id: reference.id.description, outcome: .pass)
    do throws(BackplaneError) {
      guard let prepared = try PreparedCase(reference, device) else {
        result.outcome = .unsupported
        return result
      }
      let expected = try reference.expectation(.nothing)
      try prepared.run()
      for (bytes, wanted) in zip(try prepared.outputs(), expected.outputs) {
        guard let wanted else { continue }
        if let fault = try disagreement(bytes, wanted, reference.id.spec) {
          (result.outcome, result.fault, result.message) = (.fail, name, fault)
          break
        }
      }
    } catch {
      (result.outcome, result.message) = (.error, "\(error)")
    }
    return result
  }

  private func disagreement(_ bytes: [UInt8], _ wanted: ReferenceTensor, _ spec: OperatorSpec) throws(BackplaneError) -> String? {
    func values(_ bytes: [UInt8]) -> [Double] {
      bytes.withUnsafeBytes { TensorView($0.baseAddress ?? UnsafeRawPointer(bitPattern: 8)!, wanted.format, wanted.shape).decoded() }
    }
    let (actual, expected) = (values(bytes), values(try wanted.encoded()))
    let unit = switch wanted.format { case .f16: 0x1p-11; case .bf16: 0x1p-8; default: 0.0 }
    switch tolerance {
    case .close(let relative, let absolute):
      // A correct result in 16 bits may be the next number: 2u apart.
      let relative = max(relative, 2 * unit)
      let bad = expected.indices.first { i in
        let (a, e) = (actual[i], expected[i])
        return !(a == e || (a.isNaN && e.isNaN) || (a.isFinite && e.isFinite && abs(a - e) <= absolute + relative * abs(e)))
      }
      return bad.map { "[\($0)] is \(actual[$0]), expected \(expected[$0])" }
    case .meanSquare:
      var (squares, norm) = (0.0, 0.0)
      for (i, (a, e)) in zip(actual, expected).enumerated() {
        guard a.isFinite, e.isFinite else {
          if a == e || (a.isNaN && e.isNaN) { continue }
          return "[\(i)] is \(a), expected \(e)"
        }
        (squares, norm) = (squares + (a - e) * (a - e), norm + e * e)
      }
      let error = squares == 0 ? 0 : squares / norm
      return error > max(SimpleRule.meanSquareLimit(spec), spec.numerics.bound == .exact ? 0 : unit * unit) ? "the normalised mean square error is \(error)" : nil
    }
  }
  private static func meanSquareLimit(_ spec: OperatorSpec) -> Double {
    switch spec.numerics.bound {
    case .dot, .attention, .merge: 5e-4
    case .softmax: 1e-6
    case .exact: 0
    case .composition: spec.composition.compactMap { OperatorSpec.named($0.op).map(meanSquareLimit) }.max() ?? 1e-7
    default: 1e-7
    }
  }
}
