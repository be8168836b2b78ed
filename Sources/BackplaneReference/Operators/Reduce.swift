import BackplaneCore

/// Sum, mean or maximum over dimensions: reduce_sum reduce_mean reduce_max.
struct Reduce: ReferenceOperator {
  enum Function { case sum, mean, max }
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
    var y = [Double](repeating: function == .max ? -.infinity : 0, count: count)
    var (magnitude, propagated) = ([Double](repeating: 0, count: count), [Double](repeating: 0, count: count))
    for (i, to) in target.enumerated() {
      if function == .max {
        y[to] = x[i].isNaN || y[to].isNaN ? .nan : max(y[to], x[i])
        propagated[to] = max(propagated[to], incoming?[i] ?? 0)
      } else {
        y[to] += x[i]
        magnitude[to] += abs(x[i])
        propagated[to] += incoming?[i] ?? 0
      }
    }
    switch function {
    case .max: return [call.exact(y, propagated: incoming == nil ? nil : propagated)]
    case .sum: return [call.result(y) { unlessOverflowing(magnitude[$0], gamma(n - 1) * magnitude[$0]) + propagated[$0] }]
    case .mean:
      // n - 1 additions, 1/n and the product with it.
      return [call.result(y.map { $0 / Double(n) }) {
        (unlessOverflowing(magnitude[$0], gamma(n + 1) * magnitude[$0]) + propagated[$0]) / Double(n)
      }]
    }
  }
}
