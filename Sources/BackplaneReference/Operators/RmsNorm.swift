import BackplaneCore

/// y = x / sqrt(mean(x²) + epsilon) · (weight + weight_offset) along the last dimension.
struct RmsNorm: ReferenceOperator {
  func evaluate(_ call: Call) throws(BackplaneError) -> [ReferenceTensor?] {
    let input = call.input(0)
    let (x, n) = (input.values(), input.rowLength)
    let (epsilon, offset) = (call.float("epsilon"), call.float("weight_offset"))
    // Without a weight, the weight is 1.
    let weight = call.optional(1)?.values().map { $0 + offset } ?? [Double](repeating: 1 + offset, count: n)
    let ofOffset = call.roundingOfAttribute("weight_offset")
    let incoming = call.wantsBounds ? input.error(call.declared, of: x) : nil

    var y = [Double](repeating: 0, count: x.count)
    var own = call.wantsBounds ? y : []
    for row in 0..<input.rowCount {
      let range = row * n..<(row + 1) * n
      let sum = x[range].reduce(0) { $0 + $1 * $1 }
      let square = sum / Double(n) + epsilon
      let factor = 1 / square.squareRoot()
      for i in range { y[i] = x[i] * factor * weight[i - range.lowerBound] }
      guard call.wantsBounds else { continue }
      // Squares that underflow; and what the inputs' errors do to the mean.
      let lost = (call.declared.flushesSubnormals ? smallestNormal : 2 * eta) / square
      let moved = incoming.map { e in range.reduce(0) { $0 + (abs(x[$1]) + e[$1]) * e[$1] } / Double(n) / square } ?? 0
      let relative = unlessOverflowing(sum, gamma(n + 2) / 2 + 10 * u + lost / 2 + moved)
      for i in range {
        own[i] = times(relative, abs(y[i])) + times(abs(factor * weight[i - range.lowerBound]), incoming?[i] ?? 0) * (1 + min(relative, 1))
          + times(abs(x[i] * factor), ofOffset) * (1 + min(relative, 1)) + eta
      }
    }
    return [call.result(y) { own[$0] }]
  }
}
