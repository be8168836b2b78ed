import BackplaneCore
import BackplaneReference
import Foundation
import Testing
import _TestSupport

/// Numbers between -1 and 1, or all positive.
private func random(_ count: Int, seed: UInt64, positive: Bool = false) -> [Float] {
  var generator = SeededGenerator(seed: seed)
  return (0..<count).map { _ in Float.random(in: positive ? 0.5...1 : -1...1, using: &generator) }
}

private func doubles(_ values: [Float]) -> [Double] { values.map(Double.init) }
private func bfloat(_ x: Float) -> Float {
  let bits = x.bitPattern
  return Float(bitPattern: (bits &+ 0x7fff &+ ((bits >> 16) & 1)) & 0xffff_0000)
}
private func half(_ x: Float) -> Float { Float(Float16(x)) }

/// Sums of products in f32, in different orders.
private let orders: [(name: String, dot: @Sendable ([Float], [Float]) -> Float)] = [
  ("forward", { a, b in zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }),
  ("backward", { a, b in zip(a.reversed(), b.reversed()).reduce(0) { $0 + $1.0 * $1.1 } }),
  ("fused", { a, b in zip(a, b).reduce(0) { $0.addingProduct($1.0, $1.1) } }),
  ("eight lanes", { a, b in
    var lanes = [Float](repeating: 0, count: 8)
    for i in a.indices { lanes[i % 8] += a[i] * b[i] }
    return lanes.reduce(0, +)
  }),
  ("pairwise", { a, b in
    var sums = zip(a, b).map { $0 * $1 }
    while sums.count > 1 { sums = stride(from: 0, to: sums.count, by: 2).map { $0 + 1 < sums.count ? sums[$0] + sums[$0 + 1] : sums[$0] } }
    return sums.first ?? 0
  }),
]

@Suite struct MatmulBoundTests {
  private let m = 3, n = 4

  private func problem(_ k: Int, seed: UInt64, positive: Bool = true, declared: Declared = .nothing) throws -> (ReferenceTensor, [[Float]], [[Float]]) {
    let (a, b) = (random(m * k, seed: seed, positive: positive), random(n * k, seed: seed + 1, positive: positive))
    let expected = try evaluate("matmul", [f32([m, k], doubles(a)), f32([n, k], doubles(b))], declared: declared)[0]!
    return (expected, (0..<m).map { Array(a[$0 * k..<($0 + 1) * k]) }, (0..<n).map { Array(b[$0 * k..<($0 + 1) * k]) })
  }
  private func run(_ a: [[Float]], _ b: [[Float]], _ dot: ([Float], [Float]) -> Float) -> [Float] { a.flatMap { row in b.map { dot(row, $0) } } }

  @Test(arguments: [1, 2, 7, 31, 257, 1057]) func anyOrderOfSummationIsInside(k: Int) throws {
    for positive in [true, false] {
      let (expected, a, b) = try problem(k, seed: UInt64(k), positive: positive)
      for order in orders {
        let judgement = judge(expected, run(a, b, order.dot))
        #expect(judgement.passed, "\(order.name), K = \(k): \(judgement)")
      }
    }
  }

  @Test(arguments: [7, 31, 257, 1057]) func wrongSumsAreOutside(k: Int) throws {
    let (expected, a, b) = try problem(k, seed: UInt64(k))
    let wrong: [(String, ([Float], [Float]) -> Float)] = [
      ("the last element is dropped", { orders[0].dot(Array($0.dropLast()), Array($1.dropLast())) }),
      ("the first element counts twice", { orders[0].dot($0, $1) + $0[0] * $1[0] }),
      ("accumulated in bf16", { a, b in zip(a, b).reduce(0) { bfloat($0 + $1.0 * $1.1) } }),
      ("operands rounded to bf16", { orders[0].dot($0.map { bfloat($0) }, $1.map { bfloat($0) }) }),
      ("one per mille too large", { orders[0].dot($0, $1) * 1.001 }),
    ]
    for (name, dot) in wrong { #expect(!judge(expected, run(a, b, dot)).passed, "\(name), K = \(k)") }
  }

  @Test func declaredRoundingWidensTheBoundEnoughAndNotMore() throws {
    func cut(_ x: [Float], to bits: UInt32) -> [Float] { x.map { Float(bitPattern: ($0.bitPattern >> (23 - bits)) << (23 - bits)) } }
    let (halves, a, b) = try problem(257, seed: 5, declared: Declared(operandRound: .f16))
    #expect(judge(halves, run(a, b) { orders[0].dot($0.map { half($0) }, $1.map { half($0) }) }).passed)
    #expect(!judge(halves, run(a, b) { orders[0].dot(cut($0, to: 7), cut($1, to: 7)) }).passed)
    let (bfloats, _, _) = try problem(257, seed: 5, declared: Declared(operandRound: .bf16))
    #expect(judge(bfloats, run(a, b) { orders[0].dot($0.map { bfloat($0) }, $1.map { bfloat($0) }) }).passed)
    #expect(!judge(bfloats, run(a, b) { orders[0].dot(cut($0, to: 4), cut($1, to: 4)) }).passed)
  }

  @Test func quantisedActivationsAreInsideOnlyWhenDeclared() throws {
    /// Rounds each block of 32 to 8 bits (or fewer).
    func quantise(_ x: [Float], _ levels: Float) -> [Float] {
      stride(from: 0, to: x.count, by: 32).flatMap { first in
        let block = x[first..<min(first + 32, x.count)]
        let d = block.map(abs).max()! / levels
        return block.map { ($0 / d).rounded() * d }
      }
    }
    let k = 256
    let (strict, a, b) = try problem(k, seed: 9)
    let (wide, _, _) = try problem(k, seed: 9, declared: Declared(activationBlock: 32))
    // The worst case grows with K, the error with its root: two activations a row make both the same.
    let result = run(a, b) { orders[0].dot(quantise($0, 127), $1) }
    #expect(judge(wide, result).passed)
    #expect(!judge(strict, result).passed)
    #expect(!judge(wide, run(a, b) { orders[0].dot(quantise($0, 1), $1) }).passed)
  }

  @Test func factoredMinimaAreInside() throws {
    // q4_1 with large minima: Σ q d x - m Σ x cancels, as kernels do it.
    var generator = SeededGenerator(seed: 3)
    let blocks = 8
    var bytes: [UInt8] = []
    for _ in 0..<blocks {
      bytes += withUnsafeBytes(of: Float16(0.01).bitPattern) { Array($0) } + withUnsafeBytes(of: Float16(-100).bitPattern) { Array($0) }
      bytes += (0..<16).map { _ in UInt8.random(in: 0...255, using: &generator) }
    }
    let weights = Memory(.q4_1, [1, 32 * blocks], bytes: bytes)
    let x = random(32 * blocks, seed: 4)
    let expected = try evaluate("matmul", [f32([1, 32 * blocks], doubles(x)), weights])[0]!
    var sum: Float = 0
    for block in 0..<blocks {
      var (products, xs): (Float, Float) = (0, 0)
      for j in 0..<32 {
        let byte = bytes[20 * block + 4 + j % 16]
        products += Float(j < 16 ? byte & 15 : byte >> 4) * x[32 * block + j]
        xs += x[32 * block + j]
      }
      sum += Float(Float16(0.01)) * products - 100 * xs
    }
    let judgement = judge(expected, [sum])
    #expect(judgement.passed, "\(judgement)")
    #expect(!judge(expected, [sum * 1.01 + 1]).passed)
  }

  @Test func bf16OutputsMayBeRounded() throws {
    let (a, b) = (Memory(.bf16, [1, 64], doubles(random(64, seed: 1).map { bfloat($0) })), Memory(.bf16, [1, 64], doubles(random(64, seed: 2).map { bfloat($0) })))
    let expected = try evaluate("matmul", [a, b])[0]!
    let exact = expected.values[0]
    #expect(judge(expected, Memory(.bf16, [1, 1], [exact])).passed)
    #expect(!judge(expected, Memory(.bf16, [1, 1], [exact * (1 + 0x1p-6)])).passed)
  }

  @Test func anErrorOfTheInputsGoesThrough() throws {
    let a = ReferenceTensor(.f32, [1, 2], values: [1, -2], error: [0.5, 0.25])
    let b = ReferenceTensor(.f32, [1, 2], values: [4, 8])
    let y = try ReferenceInterpreter().evaluate("matmul", tensors: [a, b, nil, nil])[0]!
    #expect([y.error![0]].isClose(to: [4], 1e-4))  // 0.5 · 4 + 0.25 · 8
  }

  @Test func whatMayOverflowIsNotPromised() throws {
    let y = try evaluate("matmul", [f32([1, 3], [3e38, 3e38, -3e38]), f32([1, 3], [1, 1, 1])])[0]!
    #expect(judge(y, [.infinity]).passed)
    #expect(judge(y, [3e38]).unjudged == 1)
  }

  @Test func specialValuesPropagate() throws {
    let b = f32([1, 2], [1, 1])
    let withNaN = try evaluate("matmul", [f32([1, 2], [.nan, 1]), b])[0]!
    #expect(judge(withNaN, [.nan]).passed)
    #expect(!judge(withNaN, [0]).passed)
    let withInf = try evaluate("matmul", [f32([1, 2], [.infinity, 1]), b])[0]!
    #expect(judge(withInf, [.infinity]).passed)
    #expect(!judge(withInf, [-.infinity]).passed)
    #expect(!judge(withInf, [.greatestFiniteMagnitude]).passed)
  }

  /// The formulas give infinity times 0 there, and the limit is 0.
  @Test func anActivationOfMinusInfinityMayBeItsLimit() throws {
    func product(_ activation: String) throws -> ReferenceTensor {
      try evaluate("matmul", [f32([1, 2], [-1, 1]), f32([1, 2], [.infinity, 1])], [Attribute("activation", .string(activation))])[0]!
    }
    for activation in ["silu", "gelu_erf", "gelu_tanh"] {
      let y = try product(activation)
      #expect(judge(y, [.nan]).passed && judge(y, [0]).passed, "\(activation)")
    }
    // Sums of blocks, scaled later, may have met infinity minus infinity as well.
    let one = Memory(.f32, [1, 32], [.infinity] + [Double](repeating: 1, count: 31)), blocks = Memory(.q8_0, [1, 32], [Double](repeating: -1, count: 32))
    for activation in ["gelu_erf", "relu"] {
      let late = try evaluate("matmul", [one, blocks], [Attribute("activation", .string(activation))])[0]!
      #expect(judge(late, [.nan]).passed && judge(late, [0]).passed, "\(activation)")
    }
    // A bias of minus infinity, and a residual on top of the activation.
    let added = try evaluate("matmul", [f32([1, 2], [1, 1]), f32([1, 2], [1, 1]), f32([1], [-.infinity]), f32([1, 1], [3])], [Attribute("activation", .string("silu"))])[0]!
    #expect(judge(added, [.nan]).passed && judge(added, [3]).passed)
    let y = try product("relu"), plain = try product("none")
    #expect(judge(y, [0]).passed && !judge(y, [.nan]).passed && !judge(y, [1]).passed && !judge(plain, [0]).passed)
  }
}

@Suite struct ElementwiseBoundTests {
  @Test func plainF32FunctionsAreInside() throws {
    var x = random(4096, seed: 1).map { $0 * 20 } + random(512, seed: 2).map { $0 * 1e-3 }
    x += [0, -0.0, 1e-30, -1e-30, 88, -88, -104, -89, 50, 1e10, .infinity, -.infinity, .nan]
    let functions: [(String, [Attribute], (Float) -> Float)] = [
      ("exp", [], { exp($0) }), ("tanh", [], { tanh($0) }), ("erf", [], { erf($0) }), ("sigmoid", [], { 1 / (1 + exp(-$0)) }),
      ("silu", [], { $0 / (1 + exp(-$0)) }), ("gelu", [], { 0.5 * $0 * (1 + erf($0 * Float(0.5).squareRoot())) }),
      ("gelu", [Attribute("approximate", .string("tanh"))], { 0.5 * $0 * (1 + tanh(0.7978845608 * ($0 + 0.044715 * $0 * $0 * $0))) }),
      ("gelu", [Attribute("approximate", .string("tanh"))], { $0 / (1 + exp(-1.5957691216 * ($0 + 0.044715 * $0 * $0 * $0))) }),
      ("softplus", [], { max($0, 0) + log1p(exp(-abs($0))) }), ("square", [], { $0 * $0 }), ("reciprocal", [], { 1 / $0 }),
      ("sqrt", [], { $0.squareRoot() }), ("rsqrt", [], { 1 / $0.squareRoot() }), ("log", [], { log($0) }),
      ("sin", [], { sin($0) }), ("cos", [], { cos($0) }), ("softcap", [], { 30 * tanh($0 / 30) }),
      ("scale", [Attribute("factor", .float(0.1)), Attribute("offset", .float(-0.3))], { $0 * 0.1 - 0.3 }),
      ("scale", [Attribute("factor", .float(0.1)), Attribute("offset", .float(-0.3))], { Float(-0.3).addingProduct($0, 0.1) }),
      ("abs", [], { abs($0) }), ("relu", [], { $0.isNaN ? $0 : max($0, 0) }),
    ]
    for (op, attributes, function) in functions {
      let expected = try evaluate(op, [f32(doubles(x))], attributes)[0]!
      let judgement = judge(expected, x.map(function))
      #expect(judgement.passed, "\(op): \(judgement) for x = \(judgement.firstBad.map { x[$0.index] } ?? 0)")
    }
  }

  @Test func coarseFunctionsAreOutside() throws {
    let x = random(512, seed: 3).map { $0 * 5 }
    let wrong: [(String, (Float) -> Float)] = [
      ("exp", { half(exp($0)) }), ("tanh", { bfloat(tanh($0)) }), ("silu", { $0 / (1 + exp(-1.0001 * $0)) }), ("silu", { max($0, 0) }),
      ("gelu", { 0.5 * $0 * (1 + tanh(0.7978845608 * ($0 + 0.044715 * $0 * $0 * $0))) }), ("gelu", { $0 / (1 + exp(-1.702 * $0)) }),
      ("sigmoid", { max(0, min(1, 0.2 * $0 + 0.5)) }), ("abs", { abs($0).nextUp }), ("sin", { sin($0 * 1.00001) }),
    ]
    for (op, function) in wrong {
      let expected = try evaluate(op, [f32(doubles(x))])[0]!
      #expect(!judge(expected, x.map(function)).passed, "\(op)")
    }
  }

  @Test func f16ResultsAreRoundedOnce() throws {
    let x = random(512, seed: 4).map { half($0) }
    let expected = try evaluate("silu", [f16(doubles(x))])[0]!
    let right = x.map { Double($0 / (1 + exp(-$0))) }
    #expect(judge(expected, f16(right)).passed)
    #expect(!judge(expected, f16(right.map { $0 * (1 + 0x1p-9) })).passed)
  }

  @Test func gatedActivationsAreInsideInEitherOrder() throws {
    let (gate, up) = (random(512, seed: 5).map { $0 * 9 }, random(512, seed: 6))
    let expected = try evaluate("gated_activation", [f32(doubles(gate)), f32(doubles(up))])[0]!
    #expect(judge(expected, zip(gate, up).map { $0 / (1 + exp(-$0)) * $1 }).passed)
    #expect(judge(expected, zip(gate, up).map { $0 * $1 * (1 / (1 + exp(-$0))) }).passed)
    #expect(!judge(expected, zip(gate, up).map { $1 / (1 + exp(-$1)) * $0 }).passed)
  }

  @Test func flushingIsInsideOnlyWhenDeclared() throws {
    let (a, b) = (f32([0x1p-130, 1]), f32([0x1p-128, 1]))
    let strict = try evaluate("add", [a, b])[0]!
    let flushing = try evaluate("add", [a, b], declared: Declared(flushesSubnormals: true))[0]!
    #expect(!judge(strict, [0, 2]).passed)
    #expect(judge(flushing, [0, 2]).passed)
    #expect(!judge(flushing, [0, 2.001]).passed)
  }
}

@Suite struct RowBoundTests {
  private func softmax(_ x: [Float], subtracting: Bool = true, base2: Bool = false) -> [Float] {
    let m = subtracting ? x.max()! : 0
    let e = x.map { base2 ? exp2(($0 - m) * 1.442695041) : exp($0 - m) }
    let inverse = 1 / e.reduce(0, +)
    return e.map { $0 * inverse }
  }

  @Test(arguments: [1, 3, 17, 257]) func softmaxInF32IsInside(n: Int) throws {
    for scale: Float in [1, 30] {
      let x = random(n, seed: UInt64(n)).map { $0 * scale }
      let expected = try evaluate("softmax", [f32([1, n], doubles(x))])[0]!
      #expect(judge(expected, softmax(x)).passed)
      #expect(judge(expected, softmax(x, base2: true)).passed)
      guard n > 1 else { continue }
      #expect(!judge(expected, softmax(x).map { bfloat($0) }).passed)
      #expect(!judge(expected, softmax(Array(x.dropLast())) + [0]).passed)
    }
    let large = random(n, seed: 7).map { 100 + $0 }
    let expected = try evaluate("softmax", [f32([1, n], doubles(large))])[0]!
    #expect(judge(expected, softmax(large)).passed)
    #expect(!judge(expected, softmax(large, subtracting: false)).passed)  // overflows
  }

  @Test(arguments: [1, 5, 640]) func rmsNormInF32IsInside(n: Int) throws {
    let (x, w) = (random(n, seed: 1), random(n, seed: 2))
    func norm(_ epsilon: Float, _ count: Int, _ offset: Float = 0) -> [Float] {
      let r = 1 / (x.prefix(count).reduce(0) { $0 + $1 * $1 } / Float(n) + epsilon).squareRoot()
      return zip(x, w).map { $0 * r * ($1 + offset) }
    }
    let expected = try evaluate("rms_norm", [f32([1, n], doubles(x)), f32(doubles(w))], [Attribute("epsilon", .float(1e-2))])[0]!
    #expect(judge(expected, norm(1e-2, n)).passed)
    #expect(!judge(expected, norm(1e-3, n)).passed)
    #expect(!judge(expected, norm(1e-2, n - 1)).passed)
    #expect(!judge(expected, norm(1e-2, n, 1)).passed)
  }

  @Test func layerNormByMeanOfSquaresIsOutsideWhereItCancels() throws {
    let n = 256
    let x = random(n, seed: 1).map { 1000 + $0 }
    let mean = x.reduce(0, +) / Float(n)
    let twoPass = x.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Float(n)
    let onePass = x.reduce(0) { $0 + $1 * $1 } / Float(n) - mean * mean
    let expected = try evaluate("layer_norm", [f32([1, n], doubles(x))])[0]!
    func norm(_ variance: Float) -> [Float] { x.map { ($0 - mean) / (variance + 1e-5).squareRoot() } }
    #expect(judge(expected, norm(twoPass)).passed)
    #expect(!judge(expected, norm(onePass)).passed)
  }

  @Test(arguments: [1, 2, 63, 640]) func sumsInAnyOrderAreInside(n: Int) throws {
    let x = random(n, seed: UInt64(n), positive: true)
    let ones = [Float](repeating: 1, count: n)
    let sum = try evaluate("reduce_sum", [f32(doubles(x))])[0]!
    let mean = try evaluate("reduce_mean", [f32(doubles(x))])[0]!
    for order in orders {
      #expect(judge(sum, [order.dot(x, ones)]).passed, "\(order.name)")
      #expect(judge(mean, [order.dot(x, ones) * (1 / Float(n))]).passed, "\(order.name)")
    }
    #expect(!judge(sum, [orders[0].dot(x, ones) * 1.001]).passed)
    if n > 1 { #expect(!judge(mean, [orders[0].dot(x, ones) / Float(n - 1)]).passed) }
  }

  @Test func rotationInF32IsInside() throws {
    let (tokens, pairs) = (9, 8)
    let x = random(tokens * 2 * pairs, seed: 1)
    let frequencies = (0..<pairs).map { Float(pow(10000, -Double($0) / Double(pairs))) }
    let positions = (0..<tokens).map { $0 * 600 + 1 }
    let expected = try evaluate("rotary_embedding", [f32([tokens, 1, 2 * pairs], doubles(x)), i32(positions), f32(doubles(frequencies))])[0]!
    func rotate(_ angle: (Int, Int) -> Float) -> [Float] {
      var y = x
      for t in 0..<tokens {
        for i in 0..<pairs {
          let (a, b) = (2 * pairs * t + i, 2 * pairs * t + i + pairs)
          let (c, s) = (cos(angle(t, i)), sin(angle(t, i)))
          (y[a], y[b]) = (x[a] * c - x[b] * s, x[a] * s + x[b] * c)
        }
      }
      return y
    }
    #expect(judge(expected, rotate { Float(positions[$0]) * frequencies[$1] }).passed)
    #expect(!judge(expected, rotate { Float(positions[$0] + 1) * frequencies[$1] }).passed)
    #expect(!judge(expected, rotate { Float(positions[$0]) * half(frequencies[$1]) }).passed)
  }
}

@Suite struct AttentionBoundTests {
  private let s = 65, d = 16
  private enum Fault { case none, base2, online, noMaximum, lastKey, wrongScale, halfWeights, bfloatWeights, noRescale }

  private func kernel(_ q: [Float], _ k: [Float], _ v: [Float], _ fault: Fault = .none) -> [Float] {
    let scale = (fault == .wrongScale ? 1.01 : 1) / Float(d).squareRoot()
    let count = fault == .lastKey ? s - 1 : s
    let scores = (0..<count).map { j in orders[3].dot(q, Array(k[j * d..<(j + 1) * d])) * scale }
    var (y, total) = ([Float](repeating: 0, count: d), Float(0))
    if fault == .online || fault == .noRescale {  // one key at a time
      var m = -Float.infinity
      for j in 0..<count {
        let new = max(m, scores[j])
        let correction = fault == .noRescale && j % 7 == 3 ? 1 : exp(m - new)
        let w = exp(scores[j] - new)
        total = total * correction + w
        for e in 0..<d { y[e] = y[e] * correction + w * v[j * d + e] }
        m = new
      }
    } else {
      let m = fault == .noMaximum ? 0 : scores.max()!
      for j in 0..<count {
        var w = fault == .base2 ? exp2((scores[j] - m) * 1.442695041) : exp(scores[j] - m)
        total += w
        if fault == .halfWeights { w = half(w) }
        if fault == .bfloatWeights { w = bfloat(w) }
        for e in 0..<d { y[e] += w * v[j * d + e] }
      }
    }
    return y.map { $0 / total }
  }

  private func expected(_ q: [Float], _ k: [Float], _ v: [Float], _ declared: Declared = .nothing) throws -> ReferenceTensor {
    try evaluate("attention", [f32([1, 1, d], doubles(q)), f32([s, 1, d], doubles(k)), f32([s, 1, d], doubles(v))], declared: declared)[0]!
  }

  @Test func rightKernelsAreInsideAndWrongOnesOutside() throws {
    let (q, v) = (random(d, seed: 1), random(s * d, seed: 3, positive: true))
    for size: Float in [1, 8] {
      let k = random(s * d, seed: 2).map { $0 * size }
      let y = try expected(q, k, v)
      for right in [Fault.none, .base2, .online] { #expect(judge(y, kernel(q, k, v, right)).passed, "\(right)") }
      // With large scores few keys count, the last one does not, and the bound of the scores hides weights rounded to f16.
      for wrong in [Fault.wrongScale, .bfloatWeights, .noRescale] + (size == 1 ? [.lastKey, .halfWeights] : []) { #expect(!judge(y, kernel(q, k, v, wrong)).passed, "\(wrong), keys times \(size)") }
    }
  }

  @Test func aRampThatRescalesAtEveryKeyIsInside() throws {
    let (q, v) = ([Float](repeating: 1, count: d), random(s * d, seed: 3))
    let k = (0..<s).flatMap { j in [Float](repeating: Float(j) * 0.05, count: d) }
    let y = try expected(q, k, v)
    #expect(judge(y, kernel(q, k, v, .online)).passed)
    #expect(!judge(y, kernel(q, k, v, .noRescale)).passed)
  }

  @Test func hugeScoresNeedTheMaximumSubtracted() throws {
    let (q, v) = ([Float](repeating: 20, count: d), random(s * d, seed: 3))
    let k = random(s * d, seed: 2, positive: true).map { $0 * 20 }
    let y = try expected(q, k, v)
    #expect(judge(y, kernel(q, k, v)).passed)
    #expect(!judge(y, kernel(q, k, v, .noMaximum)).passed)
  }

  @Test func roundedWeightsAreInsideOnlyWhenDeclared() throws {
    let (q, k, v) = (random(d, seed: 1), random(s * d, seed: 2), random(s * d, seed: 3, positive: true))
    #expect(judge(try expected(q, k, v, Declared(weightRound: .f16)), kernel(q, k, v, .halfWeights)).passed)
    #expect(judge(try expected(q, k, v, Declared(weightRound: .bf16)), kernel(q, k, v, .bfloatWeights)).passed)
  }

  @Test func theLogarithmOfTheSumIsBounded() throws {
    let (q, k, v) = (random(d, seed: 1), random(s * d, seed: 2), random(s * d, seed: 3))
    let lse = try evaluate("attention", [f32([1, 1, d], doubles(q)), f32([s, 1, d], doubles(k)), f32([s, 1, d], doubles(v))])[1]!
    let scores = (0..<s).map { j in orders[0].dot(q, Array(k[j * d..<(j + 1) * d])) / Float(d).squareRoot() }
    let m = scores.max()!
    let right = m + log(scores.map { exp($0 - m) }.reduce(0, +))
    #expect(judge(lse, [right]).passed)
    #expect(!judge(lse, [right + 1e-3]).passed)
    #expect(lse.error![0] < 1e-4)
  }
}

@Suite struct JudgeTests {
  @Test func infinityAndNaNMustBeWhatTheyAre() {
    let expected: [Double] = [.nan, .infinity, -.infinity, 1, 1e39, 3.4e38]
    func failures(_ actual: [Double]) -> Int { Judge.compare(expected: expected, error: [0, 0, 0, 0, 1e32, 1e32], actual: actual, format: .f32).failures }
    #expect(failures([.nan, .infinity, -.infinity, 1, .infinity, 3.4e38]) == 0)
    #expect(failures([0, .infinity, .infinity, .nan, -.infinity, 3.4e38]) == 4)
    #expect(failures([.nan, 3e38, -.infinity, 1, 3.4e38, .infinity]) == 3)
  }

  @Test func theFirstBadElementIsNamed() {
    let judgement = Judge.compare(expected: [1, 2, 3], error: [0.5, 0.5, 0.5], actual: [1.25, 3, 0], format: .f32)
    #expect(judgement.failures == 2)
    #expect(judgement.count == 3)
    #expect(judgement.maxRatio == 6)
    #expect(judgement.firstBad?.index == 1)
    #expect(judgement.firstBad?.actual == 3)
  }

  @Test func movedElementsMustHaveTheSameBits() throws {
    let y = try evaluate("reshape", [f32([0, -0.0, .nan, 1])], [Attribute("shape", .ints([4]))])[0]!
    #expect(judge(y, [0, -0.0, -.nan, 1]).passed)
    #expect(!judge(y, [0, 0, .nan, 1]).passed)
    #expect(!judge(y, [0, -0.0, 0, 1]).passed)
  }
}

@Suite struct AttentionOptionTests {
  /// A plain f32 kernel with every option of the operator, in tiles of 4 keys with an online softmax.
  private func kernel(_ c: Case, _ fault: String = "") -> [Float] {
    var y = [Float](repeating: 0, count: c.t * c.h * c.d)
    for t in 0..<c.t {
      for h in 0..<c.h {
        let g = h / (c.h / c.g)
        var (m, total): (Float, Float) = (fault == "no sink" ? -.infinity : c.sinks[h], fault == "no sink" ? 0 : 1)
        var sums = [Float](repeating: 0, count: c.d)
        let own = t + c.s - c.t
        for first in stride(from: 0, to: c.s, by: 4) {
          var scores: [(Int, Float)] = []
          for j in first..<min(first + 4, c.s) where j <= (fault == "sees the future" ? own + 1 : own) && j > own - c.window {
            var dot: Float = 0
            for e in 0..<c.d { dot += c.q[(t * c.h + h) * c.d + e] * c.k[(j * c.g + g) * c.d + e] }
            var s = dot / Float(c.d).squareRoot()
            if fault != "no cap" { s = c.cap * tanh(s / c.cap) }
            s += c.mask[t * c.s + j] * (fault == "mask off by one per cent" ? 1.01 : 1)
            s += c.slopes[h] * Float(j - own + (fault == "alibi from the end" ? own - c.s + 1 : 0)) * (fault == "no alibi" ? 0 : 1)
            scores.append((j, s))
          }
          let new = scores.reduce(m) { max($0, $1.1) }
          if new == -.infinity { continue }
          let correction = exp(m - new)
          total *= correction
          for e in 0..<c.d { sums[e] *= correction }
          for (j, s) in scores {
            let w = exp(s - new)
            total += w
            let head = fault == "wrong head" ? (g + 1) % c.g : g
            for e in 0..<c.d { sums[e] += w * c.v[(j * c.g + head) * c.d + e] }
          }
          m = new
        }
        for e in 0..<c.d { y[(t * c.h + h) * c.d + e] = total == 0 ? 0 : sums[e] / total }
      }
    }
    return y
  }

  private struct Case {
    let t = 5, s = 19, h = 4, g = 2, d = 8, window = 11
    let cap: Float = 2
    let q, k, v, mask, sinks, slopes: [Float]
    init(_ seed: UInt64) {
      q = random(t * h * d, seed: seed).map { 3 * $0 }
      k = random(s * g * d, seed: seed + 1).map { 3 * $0 }
      v = random(s * g * d, seed: seed + 2)
      mask = random(t * s, seed: seed + 3).map { $0 < -0.7 ? -.infinity : 4 * $0 }
      sinks = random(h, seed: seed + 4)
      slopes = random(h, seed: seed + 5).map { 0.3 * $0 }
    }
    func expected(_ declared: Declared = .nothing) throws -> ReferenceTensor {
      try evaluate("attention", [f32([t, h, d], doubles(q)), f32([s, g, d], doubles(k)), f32([s, g, d], doubles(v)), f32([t, s], doubles(mask)),
                                 f32(doubles(sinks)), f32(doubles(slopes))],
                   [Attribute("causal", .int(1)), Attribute("window", .int(window)), Attribute("softcap", .float(Double(cap)))], declared: declared)[0]!
    }
  }

  @Test func kernelsWithEveryOptionAreInside() throws {
    for seed in 0..<40 {
      let problem = Case(UInt64(100 * seed))
      let judgement = judge(try problem.expected(), kernel(problem))
      #expect(judgement.passed, "seed \(seed): \(judgement)")
    }
  }

  @Test(arguments: ["no sink", "sees the future", "no cap", "mask off by one per cent", "alibi from the end", "no alibi", "wrong head"])
  func kernelsThatGetAnOptionWrongAreOutside(fault: String) throws {
    for seed in 0..<5 {
      let problem = Case(UInt64(100 * seed))
      #expect(!judge(try problem.expected(), kernel(problem, fault)).passed, "seed \(seed)")
    }
  }

  @Test func boundsAreTightEnoughToShowATenthOfAPerMille() throws {
    let problem = Case(7)
    let expected = try problem.expected()
    #expect(!judge(expected, kernel(problem).map { $0 * 1.0001 }).passed)
    #expect(judge(try problem.expected(Declared(operandRound: .bf16)), kernel(problem).map { $0 * 1.0001 }).passed)
  }

  @Test func quantisedQueriesAreInsideOnlyWhenDeclared() throws {
    let problem = Case(8)
    let rounded = Case(8).q
    var coarse: [Float] = []
    for first in stride(from: 0, to: rounded.count, by: problem.d) {
      let head = rounded[first..<first + problem.d]
      let step = head.map { abs($0) }.max()! / 127
      coarse += head.map { ($0 / step).rounded() * step }
    }
    let result = try evaluate("attention", [f32([5, 4, 8], doubles(coarse)), f32([19, 2, 8], doubles(problem.k)), f32([19, 2, 8], doubles(problem.v))])[0]!
    func expected(_ declared: Declared) throws -> ReferenceTensor {
      try evaluate("attention", [f32([5, 4, 8], doubles(rounded)), f32([19, 2, 8], doubles(problem.k)), f32([19, 2, 8], doubles(problem.v))], declared: declared)[0]!
    }
    #expect(judge(try expected(Declared(activationBlock: 8)), result.values.map { Float($0) }).passed)
    #expect(!judge(try expected(.nothing), result.values.map { Float($0) }).passed)
  }
}

@Suite struct AttributeBoundTests {
  /// 0.1 is no f32. A kernel may round it or not, also where the result cancels.
  @Test func floatAttributesMayBeUsedAsGivenOrAsF32() throws {
    let x = f32([-1, 3])
    let scaled = try evaluate("scale", [x], [Attribute("factor", .float(0.1)), Attribute("offset", .float(0.1))])[0]!
    #expect(judge(scaled, [Float(-1 * 0.1 + 0.1), Float(3 * 0.1 + 0.1)]).passed)
    #expect(judge(scaled, [-1 * Float(0.1) + Float(0.1), 3 * Float(0.1) + Float(0.1)]).passed)
    let weight = f32([Double(Float(-0.1)), 1])
    let norm = try evaluate("rms_norm", [f32([1, 2], [1, 1]), weight], [Attribute("weight_offset", .float(0.1)), Attribute("epsilon", .float(0))])[0]!
    #expect(judge(norm, [0, Float(1.1)]).passed)
    #expect(judge(norm, [Float(Double(Float(-0.1)) + 0.1), Float(1.1)]).passed)
    #expect(!judge(norm, [1e-7, Float(1.1)]).passed)
  }
}
