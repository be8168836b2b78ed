import BackplaneCore

/// y[m, n] = Σ_k (a[m, k] - a_zero_point[m]) (b[n, k] - b_zero_point[n]) in wrapping 32 bits.
struct MatmulInteger: ReferenceOperator {
  func evaluate(_ call: Call) throws(BackplaneError) -> [ReferenceTensor?] {
    [call.exact(integerProducts(call, zeroPoints: (2, 3)).map(Double.init))]
  }
}

/// The same sums, scaled and quantised.
struct QlinearMatmul: ReferenceOperator {
  func evaluate(_ call: Call) throws(BackplaneError) -> [ReferenceTensor?] {
    let sums = integerProducts(call, zeroPoints: (5, 6))
    let (a, b, y) = (call.input(2).values(), call.input(3).values(), call.input(4).values()[0])
    let quantization = Quantization(call.outputs[0].format, zeroPoint: call.optional(7)?.integers()[0] ?? 0)
    let shape = call.outputs[0].shape
    let (m, n) = (shape[shape.count - 2], shape[shape.count - 1])
    let steps = sums.enumerated().map { i, sum in
      let (ofA, ofB) = (a.count == 1 ? a[0] : a[i / n % m], b.count == 1 ? b[0] : b[i % n])
      let value = Double(sum) * (ofA * ofB / y)
      // Two products, a quotient, and a sum that need not be an f32.
      let isExact = sum.magnitude < 1 << 24 && [ofA, ofB, y].allSatisfy(Quantization.isPowerOfTwo)
      return quantization.step(value, error: isExact ? 0 : 12 * u * abs(value))
    }
    return [call.result(steps.map(\.value)) { steps[$0].own }]
  }
}

private func integerProducts(_ call: Call, zeroPoints: (Int, Int)) -> [Int32] {
  let (a, b, shape) = (call.input(0), call.input(1), call.outputs[0].shape)
  let (left, right) = (a.integers().map { Int32($0) }, b.integers().map { Int32($0) })
  let isTransposed = call.int("transpose_b") == 1
  let (m, n, k) = (shape[shape.count - 2], shape[shape.count - 1], a.shape.last!)
  let lead = Array(shape.dropLast(2))
  let (ofA, ofB) = (broadcastIndices(Array(a.shape.dropLast(2)), to: lead), broadcastIndices(Array(b.shape.dropLast(2)), to: lead))
  func zeros(_ index: Int, _ count: Int) -> [Int32] {
    let given = call.optional(index)?.integers().map { Int32(truncatingIfNeeded: $0) } ?? [0]
    return given.count == count ? given : [Int32](repeating: given[0], count: count)
  }
  let (zeroA, zeroB) = (zeros(zeroPoints.0, m), zeros(zeroPoints.1, n))
  var sums: [Int32] = []
  sums.reserveCapacity(shape.reduce(1, *))
  for batch in 0..<lead.reduce(1, *) {
    let (firstA, firstB) = ((ofA?[batch] ?? batch) * m * k, (ofB?[batch] ?? batch) * n * k)
    for row in 0..<m {
      for column in 0..<n {
        var sum: Int32 = 0
        for i in 0..<k {
          let weight = right[firstB + (isTransposed ? column * k + i : i * n + column)]
          sum &+= (left[firstA + row * k + i] &- zeroA[row]) &* (weight &- zeroB[column])
        }
        sums.append(sum)
      }
    }
  }
  return sums
}
