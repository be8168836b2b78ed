import BackplaneCore
import BackplaneReference
import BackplaneSpecs

/// What the oracle says of a case: values, bounds, and whether there is no room for an error at all.
struct Expectation {
  /// By the spec's outputs that are wanted.
  let outputs: [ReferenceTensor?]
  /// The exact result of each, rounded once, where the case is an exactness probe.
  private let exact: [[Double]?]
  private let terms: Int
  /// Whether elements are sums of products or of elements, or made of such.
  private let isSum: Bool

  init(_ id: CaseID, _ made: CaseGraph, _ data: [[UInt8]], _ declared: Declared) throws(BackplaneError) {
    var owned: [UnsafeMutableRawBufferPointer] = []
    defer { for memory in owned { memory.deallocate() } }
    var views: [TensorView?] = []
    var slot = 0
    for input in made.inputs {
      guard let input else { views.append(nil); continue }
      let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: max(data[slot].count, 1), alignment: 64)
      memory.copyBytes(from: data[slot])
      slot += 1
      owned.append(memory)
      views.append(TensorView(UnsafeRawPointer(memory.baseAddress!), input.tensor.format, input.tensor.shape))
    }
    let oracle = ReferenceInterpreter()
    let evaluated = try oracle.evaluate(node: made.node, inputs: views, declared: declared, bounds: true)
    outputs = zip(made.node.outputs, evaluated).filter { $0.0 != nil }.map(\.1)
    terms = CaseGraph.terms(id, made.resolution)
    isSum = [.dot, .sum, .attention, .softmax, .rmsNorm, .layerNorm].contains(id.spec.numerics.bound)
    guard Expectation.isProbe(id, declared) else { exact = outputs.map { _ in nil }; return }
    let plain = declared == .nothing ? evaluated : try oracle.evaluate(node: made.node, inputs: views, declared: .nothing, bounds: true)
    let wanted = zip(made.node.outputs, plain).filter { $0.0 != nil }.map(\.1)
    let terms = Double(max(terms, 1))
    let isSum = [.dot, .sum].contains(id.spec.numerics.bound)
    exact = wanted.enumerated().map { k, tensor in tensor.flatMap { Expectation.exactValues($0, terms: terms, isSum: isSum, first: k == 0) } }
  }

  /// Whether the spec says that every kernel is exact on this case: data and attributes.
  private static func isProbe(_ id: CaseID, _ declared: Declared) -> Bool {
    let isProbe = id.spec.conformance.exact.contains { rule in
      let words = rule.split(separator: " ").map(String.init)
      return words.first == id.data && words.dropFirst().allSatisfy { word in
        let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
        return parts.count == 2 && id.text(of: parts[0]) == parts[1]
      }
    }
    guard isProbe else { return false }
    let hasBlocks = id.inputs.joined().contains { $0.format.isBlock }
    if id.data != "int", hasBlocks || declared.activationBlock != nil { return false }
    return declared.operandRound == nil && declared.weightRound == nil
  }

  /// The values rounded once to their format, if no order of f32 operations could miss them.
  private static func exactValues(_ tensor: ReferenceTensor, terms: Double, isSum: Bool, first: Bool) -> [Double]? {
    guard first, let error = tensor.error, tensor.format.kind == .float else { return nil }
    let values = tensor.values
    let unit = tensor.format == .f32 ? 0 : Expectation.rounding(tensor.format).unit
    guard let bytes = try? ReferenceTensor(tensor.format, tensor.shape, values: values).encoded() else { return nil }
    let rounded = bytes.withUnsafeBytes { TensorView($0.baseAddress ?? UnsafeRawPointer(bitPattern: 8)!, tensor.format, tensor.shape).decoded() }
    for i in values.indices {
      if isSum {
        // Whole numbers: exact while the sum of magnitudes S stays below 2^24; the bound is at least terms · u · S.
        if !(error[i] - unit * abs(values[i]) < terms) || values[i] != values[i].rounded() { return nil }
      } else if abs(values[i] - rounded[i]) > 0x1p-40 * abs(values[i]) && abs(values[i]) > 0x1p-149 { return nil }
    }
    return rounded
  }

  /// Compares one output and notes in `result` what is wrong, and the grades.
  func judge(_ bytes: [UInt8], _ position: Int, _ reference: ReferenceTensor, name: String, _ result: inout CaseResult) {
    bytes.withUnsafeBytes { raw in
      let view = TensorView(raw.baseAddress ?? UnsafeRawPointer(bitPattern: 8)!, reference.format, reference.shape)
      let judgement = Judge.compare(expected: reference, actual: view)
      result.elements += judgement.count
      result.maxRatio = max(result.maxRatio, judgement.maxRatio)
      if let bad = judgement.firstBad, result.outcome == .pass {
        (result.outcome, result.fault) = (.fail, "values")
        result.firstBad = .init(output: name, index: bad.index, expected: bad.expected, actual: bad.actual, bound: bad.bound)
        result.message = "\(name): \(judgement)"
        return
      }
      grade(view, reference, &result)
      guard let exact = exact[position] else { return }
      let actual = view.decoded()
      if let i = exact.indices.first(where: { exact[$0] != actual[$0] && !(exact[$0].isNaN && actual[$0].isNaN) }), result.outcome == .pass {
        (result.outcome, result.fault) = (.fail, "exact")
        result.firstBad = .init(output: name, index: i, expected: exact[i], actual: actual[i], bound: 0)
        result.message = "\(name)[\(i)] is \(actual[i]), and must be exactly \(exact[i])"
      }
    }
  }

  /// Half a unit in the last place, relative, and half the smallest subnormal.
  private static func rounding(_ format: ElementFormat) -> (unit: Double, tiny: Double) {
    switch format { case .f16: (0x1p-11, 0x1p-25); case .bf16: (0x1p-8, 0x1p-134); default: (0x1p-24, 0x1p-150) }
  }

  private func grade(_ view: TensorView, _ reference: ReferenceTensor, _ result: inout CaseResult) {
    guard let error = reference.error, reference.count > 0 else { return }
    var (sum, squares, count) = (0.0, 0.0, 0)
    // What a sum of K terms may be off by, about K·u·Σ|terms|, is what the bound leaves beside the rounding of the result itself.
    let (unit, tiny) = Expectation.rounding(reference.format)
    let scale = isSum && terms > 0 ? Double(terms).squareRoot() : 0
    for ((actual, expected), bound) in zip(zip(view.decoded(), reference.values), error) where bound > 0 && bound.isFinite && actual.isFinite && expected.isFinite {
      let relative = (actual - expected) / bound
      (sum, squares, count) = (sum + relative, squares + relative * relative, count + 1)
      let own = max(unit * abs(expected), tiny)
      if scale > 0, bound > 1.001 * own { result.q = max(result.q ?? 0, (abs(actual - expected) - own) / (bound - own) * scale) }
    }
    if count > 0 { (result.bias, result.spread) = (sum / Double(count), (squares / Double(count)).squareRoot()) }
  }
}
