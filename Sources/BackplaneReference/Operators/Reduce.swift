import BackplaneCore

/// One number for all of some dimensions: reduce_sum reduce_mean reduce_l2 reduce_prod reduce_max reduce_min.
struct Reduce: ReferenceOperator {
  enum Function { case sum, mean, norm, product, max, min }
  let function: Function

  func evaluate(_ call: Call) throws(BackplaneError) -> [ReferenceTensor?] {
    let shape = call.input(0).shape
    let axes = call.ints("axes").isEmpty ? Set(shape.indices) : Set(call.ints("axes").map { normalized($0, shape.count) })
    let x = call.input(0).values()
    let incoming = call.wantsBounds ? call.input(0).error(call.declared, of: x) : nil

    // The output element that each input element goes into.
    var strides = [Int](repeating: 0, count: shape.count)
    var step = 1
    for d in shape.indices.reversed() where !axes.contains(d) { (strides[d], step) = (step, step * shape[d]) }
    let target = indices(shape, strides)
    let n = axes.reduce(1) { $0 * shape[$1] }

    let count = call.outputs[0].count
    let start: Double = switch function { case .max: -.infinity; case .min: .infinity; case .product: 1; default: 0 }
    var y = [Double](repeating: start, count: count)
    // Sum of what was added; of a product the largest and the smallest part that may appear on the way.
    var (magnitude, least) = ([Double](repeating: function == .product ? 1 : 0, count: count), [Double](repeating: 1, count: count))
    var propagated = [Double](repeating: 0, count: count)
    for (i, to) in target.enumerated() {
      let error = incoming?[i] ?? 0
      switch function {
      case .max, .min:
        y[to] = x[i].isNaN || y[to].isNaN ? .nan : function == .max ? max(y[to], x[i]) : min(y[to], x[i])
        propagated[to] = max(propagated[to], error)
      case .sum, .mean:
        y[to] += x[i]
        magnitude[to] += abs(x[i])
        propagated[to] += error
      case .norm:
        y[to] += x[i] * x[i]
        propagated[to] += (abs(x[i]) + error) * error
      case .product:
        y[to] *= x[i]
        magnitude[to] *= max(abs(x[i]), 1)
        if x[i] != 0 { least[to] *= min(abs(x[i]), 1) }
        propagated[to] += error == 0 ? 0 : .infinity
      }
    }
    switch function {
    case .max, .min: return [call.exact(y, propagated: incoming == nil ? nil : propagated)]
    case .sum: return [call.result(y) { unlessOverflowing(magnitude[$0], gamma(n - 1) * magnitude[$0]) + propagated[$0] }]
    case .mean:
      // n - 1 additions, 1/n and the product with it.
      return [call.result(y.map { $0 / Double(n) }) {
        (unlessOverflowing(magnitude[$0], gamma(n + 1) * magnitude[$0]) + propagated[$0]) / Double(n)
      }]
    case .norm:
      // Half the sum's relative error, and the root within an ulp; squares may underflow.
      let lost = call.declared.flushesSubnormals ? smallestNormal : 2 * eta
      return [call.result(y.map { $0.squareRoot() }) { i in
        let moved = propagated[i] + Double(n) * lost
        let root = y[i].squareRoot()
        return unlessOverflowing(y[i], (gamma(n) / 2 + 2 * u) * root + (y[i] > moved ? moved / root : moved.squareRoot()))
      }]
    case .product:
      return [call.result(y) { i in
        least[i] < smallestNormal ? .infinity : unlessOverflowing(magnitude[i], gamma(n) * abs(y[i]) + propagated[i])
      }]
    }
  }
}
