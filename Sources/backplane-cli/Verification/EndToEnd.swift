import Foundation

extension ModelVerifier.EndToEnd {
  /// Compares rows of logits, `width` each.
  init(expected: [Float], got: [Float], width: Int) {
    let rows = expected.count / width
    var agreeing = 0
    for row in 0..<rows {
      let range = row * width..<(row + 1) * width
      let (a, b) = (expected[range], got[range])
      cosine = min(cosine, Self.cosine(a, b))
      let kl = Self.divergence(a, b)
      meanKL += kl / Double(rows)
      maximumKL = max(maximumKL, kl)
      let (first, second) = Self.bestTwo(a)
      let (other, _) = Self.bestTwo(b)
      if first == other { agreeing += 1; continue }
      // A near tie: the two may swap when each moves by the largest difference seen.
      let difference = zip(a, b).reduce(Float(0)) { max($0, Swift.abs($1.0 - $1.1)) }
      if expected[first] - expected[second] > 2 * difference || !difference.isFinite { disagreements += 1 }
    }
    top1Agreement = rows == 0 ? 1 : Double(agreeing) / Double(rows)
  }

  private static func cosine(_ a: ArraySlice<Float>, _ b: ArraySlice<Float>) -> Double {
    var (ab, aa, bb) = (0.0, 0.0, 0.0)
    for (x, y) in zip(a, b) { (ab, aa, bb) = (ab + Double(x) * Double(y), aa + Double(x) * Double(x), bb + Double(y) * Double(y)) }
    let cosine = ab / (aa * bb).squareRoot()
    return cosine.isNaN ? -1 : cosine
  }

  /// KL(softmax a || softmax b).
  private static func divergence(_ a: ArraySlice<Float>, _ b: ArraySlice<Float>) -> Double {
    func logSum(_ v: ArraySlice<Float>) -> Double {
      let top = Double(v.max() ?? 0)
      return top + log(v.reduce(0.0) { $0 + exp(Double($1) - top) })
    }
    let (za, zb) = (logSum(a), logSum(b))
    return max(0, zip(a, b).reduce(0.0) { $0 + exp(Double($1.0) - za) * ((Double($1.0) - za) - (Double($1.1) - zb)) })
  }

  private static func bestTwo(_ v: ArraySlice<Float>) -> (Int, Int) {
    var (first, second) = (v.startIndex, v.startIndex)
    for i in v.indices.dropFirst() {
      if v[i] > v[first] { (first, second) = (i, first) } else if second == first || v[i] > v[second] { second = i }
    }
    return (first, second)
  }
}
