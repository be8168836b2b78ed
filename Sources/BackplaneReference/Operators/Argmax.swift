import BackplaneCore

/// The lowest index of the largest element of each row; NaN counts as larger than everything.
struct Argmax: ReferenceOperator {
  func evaluate(_ call: Call) throws(BackplaneError) -> [ReferenceTensor?] {
    let x = call.input(0).values()
    let n = call.input(0).rowLength
    let y = (0..<call.outputs[0].count).map { row in
      var best = 0
      for j in 0..<n {
        let (candidate, leader) = (x[row * n + j], x[row * n + best])
        if leader.isNaN { break }
        if candidate.isNaN || candidate > leader { best = j }
      }
      return Double(best)
    }
    return [call.exact(y)]
  }
}
