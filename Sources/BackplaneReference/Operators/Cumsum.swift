import BackplaneCore

/// Running sums along a dimension.
struct Cumsum: ReferenceOperator {
  func evaluate(_ call: Call) throws(BackplaneError) -> [ReferenceTensor?] {
    let x = call.input(0)
    let axis = normalized(call.int("axis"), x.shape.count)
    let (exclusive, reverse) = (call.int("exclusive") == 1, call.int("reverse") == 1)
    let (n, step) = (x.shape[axis], x.shape[(axis + 1)...].reduce(1, *))
    /// Calls `add` for each element in the order of summation, with the number of elements before it in its line.
    func walk(_ add: (_ index: Int, _ place: Int) -> Void) {
      for line in 0..<x.count / max(n, 1) {
        let first = line / step * step * n + line % step
        for place in 0..<n { add(first + (reverse ? n - 1 - place : place) * step, place) }
      }
    }
    if x.format == .i32 {
      let values = x.integers()
      var (y, sum) = ([Double](repeating: 0, count: x.count), Int32(0))
      walk { i, place in
        if place == 0 { sum = 0 }
        let before = sum
        sum &+= Int32(truncatingIfNeeded: values[i])
        y[i] = Double(exclusive ? before : sum)
      }
      return [call.exact(y)]
    }
    let values = x.values()
    let incoming = call.wantsBounds ? x.error(call.declared, of: values) : nil
    var y = [Double](repeating: 0, count: x.count)
    var own = y
    var (sum, size, error) = (0.0, 0.0, 0.0)
    walk { i, place in
      if place == 0 { (sum, size, error) = (0, 0, 0) }
      if exclusive { (y[i], own[i]) = (sum, unlessOverflowing(size, gamma(place - 1) * size) + error) }
      sum += values[i]
      size += abs(values[i])
      error += incoming?[i] ?? 0
      if !exclusive { (y[i], own[i]) = (sum, unlessOverflowing(size, gamma(place) * size) + error) }
    }
    return [call.result(y) { own[$0] }]
  }
}
