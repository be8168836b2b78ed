import BackplaneCore

/// The k largest (or smallest) of each row in order, equal ones by index; NaN is larger than everything.
struct Topk: ReferenceOperator {
  func evaluate(_ call: Call) throws(BackplaneError) -> [ReferenceTensor?] {
    let (input, k, takesLargest) = (call.input(0), call.int("k"), call.int("largest") == 1)
    let (x, n) = (input.values(), input.rowLength)
    var (values, indices): ([Double], [Double]) = ([], [])
    for row in 0..<input.rowCount {
      func isLess(_ a: Double, _ b: Double) -> Bool { b.isNaN ? !a.isNaN : a < b }
      let order = (0..<n).sorted { i, j in
        let (a, b) = (x[row * n + i], x[row * n + j])
        if isLess(a, b) { return !takesLargest }
        return isLess(b, a) ? takesLargest : i < j
      }
      for i in order.prefix(k) {
        values.append(x[row * n + i])
        indices.append(Double(i))
      }
    }
    return [call.exact(values), call.exact(indices, output: 1)]
  }
}
