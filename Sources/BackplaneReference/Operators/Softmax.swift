import BackplaneCore
import Foundation

/// y = exp(z - max z) / Σ exp(z - max z) along the last dimension, z = scale · x + mask. A row of -infinity gives 0.
struct Softmax: ReferenceOperator {
  func evaluate(_ call: Call) throws(BackplaneError) -> [ReferenceTensor?] {
    let input = call.input(0)
    let (x, n, scale) = (input.values(), input.rowLength, call.float("scale"))
    let mask = call.optional(1)?.values()
    let maskIndex = call.optional(1).flatMap { broadcastIndices($0.shape, to: input.shape) }
    let ofScale = call.roundingOfAttribute("scale")
    let incoming = call.wantsBounds ? input.error(call.declared, of: x) : nil

    var y = [Double](repeating: 0, count: x.count)
    var own = call.wantsBounds ? y : []
    for row in 0..<input.rowCount {
      let range = row * n..<(row + 1) * n
      let masks = range.map { i in mask.map { $0[maskIndex?[i] ?? i] } ?? 0 }
      let scores = range.map { scale * x[$0] }
      let z = zip(scores, masks).map { $0 + $1 }
      let largest = z.contains { $0.isNaN } ? .nan : z.max()!
      // Where a finite number overflows f32 on the way, kernels meet infinity minus infinity: nothing is asked of the row.
      let overflows = (0..<n).contains { j in
        let size = max(abs(scores[j]), masks[j].isFinite ? abs(z[j]) : 0)
        return x[range.lowerBound + j].isFinite && size > Double(Float.greatestFiniteMagnitude)
      }
      if overflows, call.wantsBounds { for j in range { own[j] = .infinity } }
      if largest == -.infinity { continue }
      let weights = z.map { exp($0 - largest) }
      let total = weights.reduce(0, +)
      for j in 0..<n { y[range.lowerBound + j] = weights[j] / total }
      guard call.wantsBounds, total.isFinite, !overflows else { continue }
      // How far each weight may be off, relative to the true sum. An error of the maximum is common to all and cancels.
      let largestScore = scores.reduce(0) { $1.isFinite ? max($0, abs($1)) : $0 }
      let errors = (0..<n).map { j -> Double in
        guard z[j] != -.infinity else { return 0 }
        let ofMask = masks[j].isFinite ? abs(masks[j]) : 0
        let ofScore = times(abs(scale), incoming?[range.lowerBound + j] ?? 0) + times(abs(x[range.lowerBound + j]), ofScale)
        let exponent = 3 * u * (largest - z[j]) + 2 * u * (abs(scores[j]) + largestScore) + 3 * u * ofMask + ofScore
        return weightError(z[j] - largest, exponent) / total
      }
      let ofSum = errors.reduce(0, +) + gamma(n - 1)
      for j in 0..<n {
        let p = y[range.lowerBound + j]
        own[range.lowerBound + j] = ofSum < 1 ? (errors[j] + p * ofSum) / (1 - ofSum) + 2 * u * p + smallestNormal : .infinity
      }
    }
    return [call.result(y) { own[$0] }]
  }
}

/// How far a kernel's exp may be from exp(distance), its argument being off by at most `error`.
func weightError(_ distance: Double, _ error: Double) -> Double { exp(distance + error) * (1 + expError) - exp(distance) }
