import BackplaneCore
import BackplaneReference
import BackplaneSpecs
import Foundation
import Testing

private let inf = Double.infinity
private let nan = Double.nan

private func int(_ name: String, _ value: Int) -> Attribute { Attribute(name, .int(value)) }
private func float(_ name: String, _ value: Double) -> Attribute { Attribute(name, .float(value)) }
private func string(_ name: String, _ value: String) -> Attribute { Attribute(name, .string(value)) }
private func ints(_ name: String, _ value: [Int]) -> Attribute { Attribute(name, .ints(value)) }

/// Results computed by hand.
@Suite struct OperatorValueTests {
  @Test func everyOperatorOfTheCatalogueIsKnown() {
    #expect(OperatorSpec.all.count > 40)
    for spec in OperatorSpec.all { #expect(ReferenceInterpreter.knows(spec.name), "\(spec.name)") }
  }

  @Test func unaryFunctionsHaveTheirTextbookValues() throws {
    let e = M_E
    let cases: [(String, [Double], [Double])] = [
      ("abs", [-2, 0, 3], [2, 0, 3]), ("neg", [-2, 3], [2, -3]), ("relu", [-1, 0, 2], [0, 0, 2]),
      ("exp", [0, 1, -inf], [1, e, 0]), ("log", [1, 0, -1], [0, -inf, nan]), ("sqrt", [4, 2], [2, 1.4142135]),
      ("rsqrt", [4, 0], [0.5, inf]), ("reciprocal", [4, -0.0], [0.25, -inf]), ("square", [-3], [9]),
      ("tanh", [0, 1, inf], [0, 0.7615942, 1]), ("erf", [0, 1], [0, 0.8427008]), ("sigmoid", [0, 2, -inf], [0.5, 0.8807971, 0]),
      ("silu", [0, 1, -1], [0, 0.7310586, -0.2689414]), ("softplus", [0, 100], [0.6931472, 100]),
      ("sin", [0, 1], [0, 0.8414710]), ("cos", [0, 1], [1, 0.5403023]), ("gelu", [0, 1, -1], [0, 0.8413447, -0.1586553]),
    ]
    for (op, x, y) in cases {
      let result = try values(op, [f32(x)])
      #expect(result.isClose(to: y), "\(op): \(result)")
    }
    #expect(try values("gelu", [f32([1, -1])], [string("approximate", "tanh")]).isClose(to: [0.8411920, -0.1588080]))
    #expect(try values("clip", [f32([-5, 0.5, 5, nan])], [float("minimum", -1), float("maximum", 1)]).isClose(to: [-1, 0.5, 1, nan]))
    #expect(try values("scale", [f32([2, -1])], [float("factor", 3), float("offset", 0.5)]) == [6.5, -2.5])
    #expect(try values("softcap", [f32([0, 1e9, -1e9])], [float("cap", 30)]) == [0, 30, -30])
  }

  @Test func geluKeepsItsNegativeTail() throws {
    // -8 Φ(-8), Φ(-8) = 6.220960574e-16.
    let y = try evaluate("gelu", [f32([-8])])[0]!
    #expect([y.values[0]].isClose(to: [-4.976768459e-15], 1e-9))
  }

  @Test func binaryFunctionsBroadcast() throws {
    let a = f32([2, 1], [6, 8])
    let b = f32([3], [1, 2, -4])
    #expect(try values("add", [a, b]) == [7, 8, 2, 9, 10, 4])
    #expect(try values("sub", [a, b]) == [5, 4, 10, 7, 6, 12])
    #expect(try values("mul", [a, b]) == [6, 12, -24, 8, 16, -32])
    #expect(try values("div", [a, b]) == [6, 3, -1.5, 8, 4, -2])
    #expect(try values("min", [a, b]) == [1, 2, -4, 1, 2, -4])
    #expect(try values("max", [a, b]) == [6, 6, 6, 8, 8, 8])
    #expect(try evaluate("add", [a, b])[0]!.shape == [2, 3])
  }

  @Test func integersWrapAndDivideTowardsZero() throws {
    let largest = Int(Int32.max)
    #expect(try values("add", [i32([largest, 1]), i32([1, 1])]) == [Double(Int32.min), 2])
    #expect(try values("mul", [i32([65536]), i32([65537])]) == [65536])
    #expect(try values("div", [i32([-7, 7, 5, Int(Int32.min)]), i32([2, -2, 0, -1])]) == [-3, -3, 0, Double(Int32.min)])
  }

  @Test func minimumAndMaximumPropagateNaN() throws {
    #expect(try values("max", [f32([nan, 1]), f32([1, nan])]).allSatisfy(\.isNaN))
    #expect(try values("min", [f32([nan, 1]), f32([1, nan])]).allSatisfy(\.isNaN))
    #expect(try values("relu", [f32([nan])])[0].isNaN)
  }

  @Test func casting() throws {
    #expect(try values("cast", [f32([1.9, -1.9, nan, 1e20])], [string("to", "i32")]) == [1, -1, 0, 2147483647])
    #expect(try values("cast", [f32([0, 0.5, nan])], [string("to", "bool")]) == [0, 1, 1])
    #expect(try values("cast", [f32([65520, 1e-8])], [string("to", "f16")]) == [inf, 0])
    #expect(try values("cast", [Memory(.i32, [2], [300, -5])], [string("to", "u8")]) == [255, 0])
    // 2^62 + 1 + half an f32 ulp: as a double it is a tie, as an integer it is above one.
    let big = (1 << 62) + (1 << 38) + 1
    let memory = Memory(.i64, [1], bytes: withUnsafeBytes(of: big) { Array($0) })
    #expect(try values("cast", [memory], [string("to", "f32")]) == [Double((1 << 62) + (1 << 39))])
    #expect(try evaluate("cast", [memory], [string("to", "i64")])[0]!.bits! == withUnsafeBytes(of: big) { Array($0) })
  }

  @Test func dequantizingAndGathering() throws {
    // q8_0: d = 0.5, quants 0 … 31; second row negative.
    var bytes = [UInt8](repeating: 0, count: 68)
    for row in 0..<2 {
      (bytes[34 * row], bytes[34 * row + 1]) = (0x00, row == 0 ? 0x38 : 0xB8)
      for j in 0..<32 { bytes[34 * row + 2 + j] = UInt8(j) }
    }
    let table = Memory(.q8_0, [2, 32], bytes: bytes)
    let halves = (0..<32).map { Double($0) / 2 }
    #expect(try values("dequantize", [table], [string("to", "f16")]) == halves + halves.map { -$0 })
    let gathered = try values("gather", [table, i32([1, 0, 2, -1])], [float("scale", 4)])
    #expect(gathered == halves.map { -4 * $0 } + halves.map { 4 * $0 } + [Double](repeating: 0, count: 64))
    #expect(try evaluate("gather", [table, i32([1])])[0]!.error == nil)
  }

  @Test func matmulMultipliesAddsActivatesAndAddsAgain() throws {
    let a = f32([2, 3], [1, 2, 3, 4, 5, 6])
    let b = f32([2, 3], [1, 0, -1, 2, 1, 0])
    #expect(try values("matmul", [a, b]) == [-2, 4, -2, 13])
    let columns = f32([3, 2], [1, 2, 0, 1, -1, 0])
    #expect(try values("matmul", [a, columns], [int("transpose_b", 0)]) == [-2, 4, -2, 13])
    let residual = f32([2, 2], [100, 200, 300, 400])
    #expect(try values("matmul", [a, b, f32([1, -5]), residual], [string("activation", "relu")]) == [100, 200, 300, 408])
    #expect(try values("matmul", [a, b, nil, residual]) == [98, 204, 298, 413])
  }

  @Test func matmulBroadcastsLeadingDimensions() throws {
    let a = f32([2, 1, 2], [1, 2, 3, 4])
    #expect(try values("matmul", [a, f32([2, 1, 2], [1, 1, 10, 10])]) == [3, 70])
    #expect(try values("matmul", [a, f32([1, 2], [1, 1])]) == [3, 7])
    #expect(try values("matmul", [f32([1, 2], [1, 2]), f32([2, 1, 2], [1, 1, 10, 10])]) == [3, 30])
  }

  @Test func matmulDecodesWeights() throws {
    // q4_0 with d = 2: quants 15 (low nibbles) and 0 (high): weights 14 and -16.
    let block: [UInt8] = [0x00, 0x40] + [UInt8](repeating: 0x0F, count: 16)
    let a = f32([1, 32], (0..<32).map { $0 < 16 ? 1 : 0.5 })
    #expect(try values("matmul", [a, Memory(.q4_0, [1, 32], bytes: block)]) == [16 * 14 - 8 * 16])
  }

  @Test func anEmptySumIsTheBias() throws {
    let y = try evaluate("matmul", [f32([2, 0], []), f32([2, 0], []), f32([3, -3]), nil], [string("activation", "relu")])[0]!
    #expect(y.values == [3, 0, 3, 0])
    #expect(judge(y, [3, 0, 3, 0]).passed)
    #expect(try values("matmul", [f32([0, 2], []), f32([2, 2], [1, 2, 3, 4])]) == [])
  }

  @Test func elementsMove() throws {
    let x = f32([2, 3], [0, 1, 2, 3, 4, 5])
    #expect(try values("transpose", [x]) == [0, 3, 1, 4, 2, 5])
    #expect(try values("transpose", [f32([1, 2, 2], [0, 1, 2, 3])], [ints("permutation", [2, 0, 1])]) == [0, 2, 1, 3])
    #expect(try values("reshape", [x], [ints("shape", [3, -1])]) == [0, 1, 2, 3, 4, 5])
    #expect(try values("slice", [x], [int("axis", 1), int("start", -2)]) == [1, 2, 4, 5])
    #expect(try values("slice", [x], [int("axis", -1), int("step", 2)]) == [0, 2, 3, 5])
    #expect(try values("slice", [x], [int("start", 1), int("end", 1)]) == [])
    #expect(try values("concat", [x, f32([2, 1], [8, 9])], [int("axis", 1)]) == [0, 1, 2, 8, 3, 4, 5, 9])
    #expect(try values("concat", [x, x]) == [0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5])
    #expect(try values("pad", [f32([1, 2], [1, 2])], [ints("before", [1, 0]), ints("after", [0, 1]), float("value", 7)]) == [7, 7, 7, 1, 2, 7])
  }

  @Test func blocksMoveWhole() throws {
    let bytes = (0..<68).map { UInt8($0) }
    let x = Memory(.q8_0, [1, 64], bytes: bytes)
    #expect(try evaluate("slice", [x], [int("axis", 1), int("start", 32)])[0]!.bits == Array(bytes[34...]))
    #expect(try evaluate("concat", [x, x], [int("axis", 1)])[0]!.bits == bytes + bytes)
    #expect(try evaluate("reshape", [x], [ints("shape", [64])])[0]!.bits == bytes)
  }

  @Test func reductions() throws {
    let x = f32([2, 3], [1, 2, 3, 4, 5, 9])
    #expect(try values("reduce_sum", [x]) == [6, 18])
    #expect(try values("reduce_sum", [x], [ints("axes", [0])]) == [5, 7, 12])
    #expect(try values("reduce_mean", [x], [ints("axes", [])]) == [4])
    #expect(try values("reduce_max", [x], [ints("axes", [-2]), int("keep_dims", 1)]) == [4, 5, 9])
    #expect(try values("reduce_max", [f32([1, nan, 3])])[0].isNaN)
    #expect(try values("reduce_sum", [f32([2, 0], [])]) == [0, 0])
    #expect(try values("argmax", [f32([2, 3], [1, 3, 3, nan, 5, nan])]) == [1, 0])
  }

  @Test func softmaxSumsToOne() throws {
    #expect(try values("softmax", [f32([1, 2], [0, log(3.0)])]).isClose(to: [0.25, 0.75]))
    #expect(try values("softmax", [f32([1, 2], [0, 1])], [float("scale", log(3.0))]).isClose(to: [0.25, 0.75]))
    #expect(try values("softmax", [f32([2, 2], [5, 5, 1000, 0]), f32([2], [0, -inf])]) == [1, 0, 1, 0])
    #expect(try values("softmax", [f32([1, 2], [-inf, -inf])]) == [0, 0])
    #expect(try values("softmax", [f32([1, 2], [nan, 0])]).allSatisfy(\.isNaN))
  }

  @Test func norms() throws {
    // mean of squares of (3, 4, 0, 0) is 6.25.
    #expect(try values("rms_norm", [f32([1, 4], [3, 4, 0, 0]), f32([1, 2, 1, 1])], [float("epsilon", 0)]).isClose(to: [1.2, 3.2, 0, 0]))
    #expect(try values("rms_norm", [f32([1, 2], [1, 1]), f32([0, 1])], [float("epsilon", 3), float("weight_offset", 1)]).isClose(to: [0.5, 1]))
    // mean 2, variance 1.
    #expect(try values("layer_norm", [f32([1, 2], [1, 3]), f32([2, 2]), f32([10, 20])], [float("epsilon", 0)]).isClose(to: [8, 22]))
    #expect(try values("layer_norm", [f32([1, 3], [5, 5, 5])]) == [0, 0, 0])
  }

  @Test func rotation() throws {
    let quarter = Double.pi / 2
    // Position 1 at a quarter turn: (1, 2) becomes (-2, 1). The last element is copied.
    let x = f32([1, 1, 3], [1, 2, 7])
    #expect(try values("rotary_embedding", [x, i32([1]), f32([quarter])]).isClose(to: [-2, 1, 7]))
    #expect(try values("rotary_embedding", [x, i32([0]), f32([quarter])], [float("scale", 3)]) == [3, 6, 7])
    let four = f32([1, 1, 4], [1, 2, 3, 4])
    #expect(try values("rotary_embedding", [four, i32([1]), f32([quarter, 0])]).isClose(to: [-3, 2, 1, 4]))
    #expect(try values("rotary_embedding", [four, i32([1]), f32([quarter, 0])], [int("interleaved", 1)]).isClose(to: [-2, 1, 3, 4]))
  }

  @Test func gatedActivations() throws {
    let (gate, up) = (f32([1, -1]), f32([2, 10]))
    #expect(try values("gated_activation", [gate, up]).isClose(to: [1.4621172, -2.6894143]))
    #expect(try values("gated_activation", [gate, up], [string("activation", "reglu")]) == [2, 0])
    #expect(try values("gated_activation", [gate, up], [string("activation", "geglu_erf")]).isClose(to: [1.6826895, -1.5865526]))
    #expect(try values("gated_activation", [gate, up], [string("activation", "geglu_tanh")]).isClose(to: [1.6823840, -1.5880800]))
  }

  @Test func anActivationsBoundReachesOverItsMinimum() throws {
    // Sums near silu's minimum at -1.278 that may be off by much: 8 bits for a row whose largest element is 100.
    let a = f32([1, 2], [100, -1.2]), b = f32([1, 2], [0, 1])
    let y = try evaluate("matmul", [a, b], [string("activation", "silu")], declared: Declared(activationBlock: 32))[0]!
    let step = 100.0 / 254
    for z in stride(from: -1.2 - step, through: -1.2 + step, by: step / 16) {
      #expect(abs(z / (1 + exp(-z)) - y.values[0]) <= y.error![0])
    }
  }

  @Test func nothingIsPromisedOfARowWhoseSquaresOverflow() throws {
    let y = try evaluate("norm_matmul", [f32([2, 2], [1e30, 1, 3, 4]), nil, f32([1, 2], [0, 1])], [float("epsilon", 0)])[0]!
    #expect(y.error![0] == .infinity && y.error![1] < 1e-5)
  }

  @Test func scatteringReplacesRows() throws {
    let cache = Memory(.f16, [4, 2], [0, 1, 2, 3, 4, 5, 6, 7])
    let update = f32([3, 2], [10, 11, 20, 21, 30, 31])
    #expect(try values("tensor_scatter", [cache, update, i32([1, 9, 1])]) == [0, 1, 30, 31, 4, 5, 6, 7])
    #expect(try values("tensor_scatter", [cache, update, i32([5, -1, 3])], [string("mode", "circular")]) == [0, 1, 10, 11, 4, 5, 30, 31])
    // A row of 1 … 32 in q8_0: d = 32/127.
    let row = (1...32).map { Double($0) }
    let blocks = try values("tensor_scatter", [Memory(.q8_0, [1, 32], bytes: [UInt8](repeating: 0, count: 34)), f32([1, 32], row), i32([0])])
    let step = Double(Float16(32.0 / 127))
    #expect(blocks.isClose(to: row.map { x in (x * 127 / 32).rounded() * step }))
  }

  @Test func fusedOperatorsAreTheirParts() throws {
    let (x, residual, weight) = (f32([1, 2], [1, 2]), f32([1, 2], [2, 2]), f32([1, 2]))
    let fused = try evaluate("add_rms_norm", [x, residual, weight], [float("epsilon", 0)])
    #expect(try rounded(fused[1]!) == [3, 4])
    #expect(try rounded(fused[0]!).isClose(to: [3 / 12.5.squareRoot(), 8 / 12.5.squareRoot()]))
    let gated = try values("matmul_gated", [f32([1, 2], [1, 2]), f32([1, 2], [1, 0]), f32([1, 2], [0, 1])], [string("activation", "reglu")])
    #expect(gated == [2])
    let turned = try values("rms_norm_rope", [f32([1, 1, 2], [3, 4]), nil, i32([1]), f32([Double.pi / 2])], [float("epsilon", 0)])
    #expect(turned.isClose(to: [-4 / 12.5.squareRoot(), 3 / 12.5.squareRoot()]))
  }

  @Test func aFusedBoundHoldsItsPartsRoundings() throws {
    let x = f32([1, 4], [0.1, 0.7, -3, 2])
    let fused = try evaluate("rms_norm_rope", [Memory(.f32, [1, 1, 4], x.decoded()), nil, i32([3]), f32([1, 0.5])])[0]!
    let norm = try evaluate("rms_norm", [x])[0]!
    // An error of the norm alone must be inside the bound of the whole.
    #expect(fused.error!.min()! > norm.error!.min()!)
    #expect(fused.error!.max()! < 1e-5)
  }
}

@Suite struct AttentionValueTests {
  /// One head of one dimension: scores are q · k.
  private func attention(q: [Double], k: [Double], v: [Double], mask: [Double]? = nil, sink: Double? = nil, slope: Double? = nil,
                         _ attributes: [Attribute] = []) throws -> (y: [Double], lse: [Double]) {
    let results = try evaluate("attention", [
      f32([q.count, 1, 1], q), f32([k.count, 1, 1], k), f32([v.count, 1, 1], v), mask.map { f32([q.count, k.count], $0) },
      sink.map { f32([$0]) }, slope.map { f32([$0]) },
    ], attributes)
    return (try rounded(results[0]!), try rounded(results[1]!))
  }

  @Test func weightsAreSoftmaxOfScores() throws {
    let (y, lse) = try attention(q: [1], k: [0, log(3.0)], v: [4, 8])
    #expect(y.isClose(to: [7]))  // 1/4 · 4 + 3/4 · 8
    #expect(lse.isClose(to: [log(4.0)]))
    #expect(try attention(q: [1], k: [0, 1], v: [4, 8], [float("scale", log(3.0))]).y.isClose(to: [7]))
  }

  @Test func causalQueriesSeeOnlyTheirPast() throws {
    // Two queries, three keys: the first sees keys 0 and 1.
    #expect(try attention(q: [0, 0], k: [0, 0, 0], v: [3, 6, 12], [int("causal", 1)]).y.isClose(to: [4.5, 7]))
    #expect(try attention(q: [0, 0], k: [0, 0, 0], v: [3, 6, 12], [int("causal", 1), int("window", 1)]).y.isClose(to: [6, 12]))
    #expect(try attention(q: [0, 0], k: [0, 0, 0], v: [3, 6, 12], [int("window", 2)]).y.isClose(to: [7, 9]))
    // More queries than keys: the first sees nothing.
    let (y, lse) = try attention(q: [0, 0], k: [0], v: [3], [int("causal", 1)])
    #expect(y == [0, 3])
    #expect(lse == [-inf, 0])
  }

  @Test func masksAddAndHide() throws {
    #expect(try attention(q: [1], k: [0, 0], v: [4, 8], mask: [0, log(3.0)]).y.isClose(to: [7]))
    #expect(try attention(q: [1], k: [0, 0], v: [4, 8], mask: [0, -inf]).y == [4])
    let hidden = try attention(q: [1], k: [0, nan], v: [4, nan], mask: [-inf, -inf])
    #expect(hidden.y == [0])
    #expect(hidden.lse == [-inf])
    let kept = try evaluate("attention", [f32([1, 1, 1], [1]), f32([2, 1, 1], [0, 5]), f32([2, 1, 1], [4, 8]), Memory(.bool, [1, 2], [1, 0])])
    #expect(kept[0]!.values == [4])
  }

  @Test func sinksTakeWeightAndGiveNothing() throws {
    let (y, lse) = try attention(q: [1], k: [0], v: [8], sink: log(3.0))
    #expect(y.isClose(to: [2]))
    #expect(lse.isClose(to: [log(4.0)]))
  }

  @Test func alibiFallsWithDistance() throws {
    // Distance -1 for the older key: weights 1 : 3.
    #expect(try attention(q: [0], k: [0, 0], v: [4, 8], slope: log(3.0)).y.isClose(to: [7]))
  }

  @Test func softcapLimitsScores() throws {
    // 3 tanh(1e6/3) - 3 tanh(0) = 3.
    let (y, _) = try attention(q: [1], k: [0, 1e6], v: [0, 1], [float("softcap", 3)])
    #expect(y.isClose(to: [1 / (1 + exp(-3.0))]))
  }

  @Test func groupsOfHeadsShareKeys() throws {
    // Four query heads, two key heads: heads 0 and 1 read key head 0.
    let y = try evaluate("attention", [f32([1, 4, 1], [0, 0, 0, 0]), f32([1, 2, 1], [1, 1]), f32([1, 2, 1], [5, 9])])[0]!
    #expect(y.values == [5, 5, 9, 9])
  }

  @Test func nothingToSeeIsZero() throws {
    let y = try evaluate("attention", [f32([2, 1, 2], [1, 2, 3, 4]), f32([0, 1, 2], []), f32([0, 1, 3], [])])
    #expect(y[0]!.values == [0, 0, 0, 0, 0, 0])
    #expect(y[1]!.values == [-inf, -inf])
  }

  @Test func quantisedCachesAreDecoded() throws {
    // q8_0 with d = 1: keys of 32 ones and of 32 zeros.
    let ones: [UInt8] = [0x00, 0x3C] + [UInt8](repeating: 1, count: 32)
    let zeros: [UInt8] = [0x00, 0x3C] + [UInt8](repeating: 0, count: 32)
    let q = f32([1, 1, 32], [Double](repeating: log(3.0) / 32, count: 32))
    let v = Memory(.q8_0, [2, 1, 32], bytes: ones + zeros)
    let y = try values("attention", [q, Memory(.q8_0, [2, 1, 32], bytes: ones + zeros), v], [float("scale", 1)])
    #expect(y.isClose(to: [Double](repeating: 0.75, count: 32)))
  }
}
