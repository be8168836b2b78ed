/// out[i · stride] = Σ_k a[i · length + k] · w[k] for each of `rows` rows of a.
///
/// Four rows share each load of w. Without the instructions of newer processors this still keeps both SSE2 pipes busy.
func multiply(_ a: UnsafePointer<Double>, rows: Int, by w: UnsafePointer<Double>, length: Int, into out: UnsafeMutablePointer<Double>, stride: Int) {
  typealias Four = SIMD4<Double>
  func load(_ p: UnsafePointer<Double>) -> Four { UnsafeRawPointer(p).loadUnaligned(as: Four.self) }
  let whole = length & ~3
  var i = 0
  while i + 4 <= rows {
    let (a0, a1, a2, a3) = (a + i * length, a + (i + 1) * length, a + (i + 2) * length, a + (i + 3) * length)
    var (s0, s1, s2, s3) = (Four.zero, Four.zero, Four.zero, Four.zero)
    var k = 0
    while k < whole {
      let b = load(w + k)
      s0 += load(a0 + k) * b
      s1 += load(a1 + k) * b
      s2 += load(a2 + k) * b
      s3 += load(a3 + k) * b
      k += 4
    }
    var sums = Four(s0.sum(), s1.sum(), s2.sum(), s3.sum())
    while k < length {
      sums += Four(a0[k], a1[k], a2[k], a3[k]) * w[k]
      k += 1
    }
    for j in 0..<4 { out[(i + j) * stride] = sums[j] }
    i += 4
  }
  while i < rows {
    let a0 = a + i * length
    var (s0, s1) = (Four.zero, Four.zero)
    var k = 0
    while k + 8 <= length {
      s0 += load(a0 + k) * load(w + k)
      s1 += load(a0 + k + 4) * load(w + k + 4)
      k += 8
    }
    var sum = (s0 + s1).sum()
    while k < length {
      sum += a0[k] * w[k]
      k += 1
    }
    out[i * stride] = sum
    i += 1
  }
}
