import BackplaneCore

/// Rounding to 8-bit integers: round to nearest, ties to even, plus a zero point, limited to the format's range.
struct Quantization {
  let zeroPoint: Double
  let range: ClosedRange<Double>

  init(_ format: ElementFormat, zeroPoint: Int64 = 0) {
    self.zeroPoint = Double(zeroPoint)
    range = format == .i8 ? -128...127 : 0...255
  }

  /// The integer of `x`, which a kernel may have off by `error` before it rounds, and how far its result may be from that integer.
  func step(_ x: Double, error: Double) -> (value: Double, own: Double) {
    let value = limited(x)
    if x.isNaN || error == 0 { return (value, 0) }
    return (value, max(value - limited(x - error), limited(x + error) - value))
  }

  /// As f32 arithmetic has it: the tie that it makes or breaks is the one that most kernels see.
  static func quotient(_ a: Double, _ b: Double) -> Double { Double(Float(a) / Float(b)) }

  private func limited(_ x: Double) -> Double {
    min(max((x.isNaN ? 0 : x.rounded(.toNearestOrEven)) + zeroPoint, range.lowerBound), range.upperBound)
  }

  /// A division by it, or a product with it, is exact: then so are ties.
  static func isPowerOfTwo(_ x: Double) -> Bool { x.isNormal && x.significand == 1 }
}

/// y = saturate(round(x / scale) + zero_point).
struct QuantizeLinear: ReferenceOperator {
  func evaluate(_ call: Call) throws(BackplaneError) -> [ReferenceTensor?] {
    let (x, shape) = (call.input(0).values(), call.outputs[0].shape)
    let (scale, zero) = (call.input(1).values(), call.optional(2)?.integers())
    let scaleIndex = broadcastIndices(call.input(1).shape, to: shape)
    let zeroIndex = call.optional(2).flatMap { broadcastIndices($0.shape, to: shape) }
    let steps = x.indices.map { i in
      let scale = scale[scaleIndex?[i] ?? i]
      let quotient = Quantization.quotient(x[i], scale)
      return Quantization(call.outputs[0].format, zeroPoint: zero.map { $0[zeroIndex?[i] ?? i] } ?? 0)
        .step(quotient, error: Quantization.isPowerOfTwo(scale) ? 0 : 6 * u * abs(quotient))
    }
    return [call.result(steps.map(\.value)) { steps[$0].own }]
  }
}

/// y = (x - zero_point) · scale.
struct DequantizeLinear: ReferenceOperator {
  func evaluate(_ call: Call) throws(BackplaneError) -> [ReferenceTensor?] {
    let (x, shape) = (call.input(0).integers(), call.outputs[0].shape)
    let (scale, zero) = (call.input(1).values(), call.optional(2)?.integers())
    let scaleIndex = broadcastIndices(call.input(1).shape, to: shape)
    let zeroIndex = call.optional(2).flatMap { broadcastIndices($0.shape, to: shape) }
    let y = x.indices.map { i in Double(x[i] - (zero.map { $0[zeroIndex?[i] ?? i] } ?? 0)) * scale[scaleIndex?[i] ?? i] }
    return [call.result(y) { 2 * u * abs(y[$0]) + eta }]
  }
}

/// 8-bit integers or q8_0 with scales from the data; see the spec for the three ways.
struct DynamicQuantize: ReferenceOperator {
  func evaluate(_ call: Call) throws(BackplaneError) -> [ReferenceTensor?] {
    let (input, output) = (call.input(0), call.outputs[0])
    let (x, n) = (input.values(), input.rowLength)
    if output.format == .q8_0 {
      let y = ReferenceTensor(output.format, output.shape, bits: try ReferenceTensor(output.format, output.shape, values: x).encoded())
      return [y] + parameters(call, scales: [(Double, Double)](repeating: (1, 0), count: input.rowCount), zeros: [(0, 0)])
    }
    // A scale for each row, or for all as one row.
    let isSymmetric = output.format == .i8
    let length = isSymmetric ? n : x.count
    let groups = isSymmetric ? input.rowCount : 1
    var (y, own) = ([Double](repeating: 0, count: x.count), [Double](repeating: 0, count: x.count))
    var (scales, zeros): ([(Double, Double)], [(Double, Double)]) = ([], [])
    for group in 0..<groups {
      let range = group * length..<(group + 1) * length
      let (low, high) = x[range].reduce((0.0, 0.0)) { (min($0.0, $1), max($0.1, $1)) }
      let isFinite = x[range].allSatisfy(\.isFinite)
      let extent = Quantization.quotient(isSymmetric ? max(high, -low) : high - low, isSymmetric ? 127 : 255)
      let scale = extent == 0 ? 1 : extent
      let isExact = Quantization.isPowerOfTwo(scale)
      // In f32 the scale has two roundings, the quotient one; as much again for a reciprocal.
      let zero = isSymmetric ? (0, 0) : Quantization(.u8).step(Quantization.quotient(-low, scale), error: isExact ? 0 : 12 * u * abs(low / scale))
      for i in range {
        let quotient = Quantization.quotient(x[i], scale)
        let step = Quantization(output.format, zeroPoint: Int64(zero.0)).step(quotient, error: isExact ? 0 : 12 * u * abs(quotient))
        (y[i], own[i]) = (step.value, isFinite ? step.own + zero.1 : .infinity)
      }
      scales.append((scale, isFinite ? 4 * u * scale + eta : .infinity))
      zeros.append((zero.0, isFinite ? zero.1 : .infinity))
    }
    return [call.result(y) { own[$0] }] + parameters(call, scales: scales, zeros: zeros)
  }

  private func parameters(_ call: Call, scales: [(Double, Double)], zeros: [(Double, Double)]) -> [ReferenceTensor?] {
    [scales, zeros].enumerated().map { k, list in
      guard call.outputs[k + 1].isWanted else { return nil }
      func at(_ i: Int) -> (Double, Double) { list[min(i, list.count - 1)] }
      return call.result((0..<call.outputs[k + 1].count).map { at($0).0 }, output: k + 1) { at($0).1 }
    }
  }
}
