import BackplaneCore

/// y = (x - mean) / sqrt(variance + epsilon) · weight + bias along the last dimension.
struct LayerNorm: ReferenceOperator {
  func evaluate(_ call: Call) throws(BackplaneError) -> [ReferenceTensor?] {
    let input = call.input(0)
    let (x, n, epsilon) = (input.values(), input.rowLength, call.float("epsilon"))
    let weight = call.optional(1)?.values() ?? [Double](repeating: 1, count: n)
    let bias = call.optional(2)?.values() ?? [Double](repeating: 0, count: n)
    let incoming = call.wantsBounds ? input.error(call.declared, of: x) : nil

    var y = [Double](repeating: 0, count: x.count)
    var own = call.wantsBounds ? y : []
    for row in 0..<input.rowCount {
      let range = row * n..<(row + 1) * n
      let mean = x[range].reduce(0, +) / Double(n)
      let squares = x[range].reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
      let variance = squares / Double(n) + epsilon
      let factor = 1 / variance.squareRoot()
      for i in range { y[i] = (x[i] - mean) * factor * weight[i - range.lowerBound] + bias[i - range.lowerBound] }
      guard call.wantsBounds else { continue }
      let magnitude = x[range].reduce(0) { $0 + abs($1) }
      let ofInputs = incoming.map { e in range.reduce(0) { $0 + e[$1] } / Double(n) } ?? 0
      // The mean's own error moves every element, and the variance by its square.
      let ofMean = gamma(n + 1) * magnitude / Double(n) + ofInputs
      let moved = incoming.map { e in range.reduce(0) { $0 + (abs(x[$1] - mean) + e[$1]) * (e[$1] + ofInputs) } / Double(n) / variance } ?? 0
      let lost = (call.declared.flushesSubnormals ? smallestNormal : 2 * eta) / variance
      let relative = gamma(n + 3) / 2 + 9 * u + lost / 2 + moved + min(1, ofMean * ofMean / variance / 2)
      for i in range {
        let scale = abs(factor * weight[i - range.lowerBound])
        let normalised = abs(x[i] - mean) * scale
        let shifted = times(scale, ofMean + u * abs(x[i] - mean) + (incoming?[i] ?? 0))
        own[i] = unlessOverflowing(max(magnitude, squares), shifted + relative * (normalised + shifted)) + u * abs(y[i]) + eta
      }
    }
    return [call.result(y) { own[$0] }]
  }
}
