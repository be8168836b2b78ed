import BackplaneCore
import BackplaneReference
import Foundation
import Testing

private let inf = Double.infinity
private let nan = Double.nan
private func int(_ name: String, _ value: Int) -> Attribute { Attribute(name, .int(value)) }
private func float(_ name: String, _ value: Double) -> Attribute { Attribute(name, .float(value)) }
private func ints(_ name: String, _ value: [Int]) -> Attribute { Attribute(name, .ints(value)) }

/// Rounding, choosing, ordering, drawing: results computed by hand.
@Suite struct SelectionTests {
  @Test func roundingsAndPiecewiseFunctionsHaveTheirTextbookValues() throws {
    let cases: [(String, [Double], [Double])] = [
      ("floor", [-1.5, 1.5, -0.0, inf], [-2, 1, 0, inf]), ("ceil", [-1.5, 1.5], [-1, 2]), ("round", [0.5, 1.5, 2.5, -0.5, 2.6], [0, 2, 2, 0, 3]),
      ("sign", [-3, 0, 7, nan], [-1, 0, 1, nan]), ("elu", [2, -1, -inf], [2, -0.6321206, -1]), ("leaky_relu", [2, -100], [2, -1]),
      ("relu_squared", [-2, 3], [0, 9]), ("hardsigmoid", [-3, 0, 1, 3], [0, 0.5, 0.7, 1]), ("hardswish", [-4, -1, 0, 1, 5], [0, -1 / 3.0, 0, 2 / 3.0, 5]),
      ("gelu_quick", [0, 1, -1], [0, 0.8457958, -0.1542042]),
    ]
    for (op, x, y) in cases {
      let result = try values(op, [f32(x)])
      #expect(result.isClose(to: y), "\(op): \(result)")
    }
    #expect(try values("elu", [f32([-1])], [float("alpha", 2)]).isClose(to: [-1.2642411]))
  }

  @Test func powersFollowC() throws {
    #expect(try values("pow", [f32([2, -2, 4, 0, -8]), f32([10, 3, 0.5, 0, 0.5])]).isClose(to: [1024, -8, 2, 1, nan]))
  }

  @Test func comparisonsBroadcastAndNaNIsNeverTrue() throws {
    let (a, b) = (f32([2, 1], [1, nan]), f32([3], [0, 1, 2]))
    #expect(try values("equal", [a, b]) == [0, 1, 0, 0, 0, 0])
    #expect(try values("less", [a, b]) == [0, 0, 1, 0, 0, 0])
    #expect(try values("greater", [a, b]) == [1, 0, 0, 0, 0, 0])
    let big = Memory(.i64, [2], bytes: [Int64.max, Int64.max - 1].flatMap { withUnsafeBytes(of: $0) { Array($0) } })
    let last = Memory(.i64, [1], bytes: withUnsafeBytes(of: Int64.max) { Array($0) })
    #expect(try values("less", [big, last]) == [0, 1])
  }

  @Test func whereAndExpandRepeat() throws {
    #expect(try values("where", [Memory(.bool, [2, 1], [1, 0]), f32([3], [1, 2, 3]), f32([], [9])]) == [1, 2, 3, 9, 9, 9])
    let y = try evaluate("expand", [f32([2, 1], [1, 2])], [ints("shape", [2, -1, 2])])[0]!
    #expect(y.shape == [2, 2, 2])
    #expect(y.values == [1, 1, 2, 2, 1, 1, 2, 2])
  }

  @Test func runningSums() throws {
    let x = f32([2, 3], [1, 2, 3, 4, 5, 6])
    #expect(try values("cumsum", [x]) == [1, 3, 6, 4, 9, 15])
    #expect(try values("cumsum", [x], [int("axis", 0)]) == [1, 2, 3, 5, 7, 9])
    #expect(try values("cumsum", [x], [int("exclusive", 1), int("reverse", 1)]) == [5, 3, 0, 11, 6, 0])
    #expect(try values("cumsum", [i32([Int(Int32.max), 1])]) == [Double(Int32.max), Double(Int32.min)])
  }

  @Test func normsProductsAndMinima() throws {
    let x = f32([2, 2], [3, 4, -2, 5])
    #expect(try values("reduce_l2", [x]).isClose(to: [5, 5.3851648]))
    #expect(try values("reduce_prod", [x]) == [12, -10])
    #expect(try values("reduce_prod", [f32([1, 0], [])]) == [1])
    #expect(try values("reduce_min", [x], [ints("axes", [0])]) == [-2, 4])
    #expect(try values("reduce_min", [f32([1, nan])])[0].isNaN)
  }

  @Test func theLargestComeInOrderAndTiesByIndex() throws {
    let x = f32([2, 5], [1, 7, 7, -inf, 3, nan, 2, -0.0, 0, inf])
    let top = try evaluate("topk", [x], [int("k", 3)])
    #expect(try rounded(top[0]!).isClose(to: [7, 7, 3, nan, inf, 2]))
    #expect(top[1]!.values == [1, 2, 4, 0, 4, 1])
    let low = try evaluate("topk", [x], [int("k", 5), int("largest", 0)])
    #expect(low[1]!.values == [3, 0, 4, 1, 2, 2, 3, 1, 4, 0])
  }

  /// Probabilities 0.5, 0.25, 0.125, 0.125 at places 2, 0, 1, 3.
  private let logits = f32([1, 4], [0.25, 0.125, 0.5, 0.125].map { log($0) })
  private func draw(_ u: Double, _ attributes: [Attribute] = []) throws -> Double {
    let y = try evaluate("sample", [logits, f32([u])], attributes)[0]!
    #expect(y.error == [0])
    return y.values[0]
  }

  @Test func drawsFallByCumulativeProbability() throws {
    #expect(try [0.1, 0.3, 0.5, 0.9].map { try draw($0) } == [0, 1, 2, 3])
    #expect(try draw(0.9, [float("temperature", 0)]) == 2)
    // Squares: 1/4, 1/16, 1/64, 1/64.
    #expect(try [0.1, 0.2, 0.25, 0.9, 0.97].map { try draw($0, [float("temperature", 0.5)]) } == [0, 1, 2, 2, 3])
  }

  @Test func filtersCutTheUnlikely() throws {
    #expect(try [0.3, 0.4].map { try draw($0, [int("top_k", 2)]) } == [0, 2])
    #expect(try [0.1, 0.99].map { try draw($0, [int("top_k", 1)]) } == [2, 2])
    #expect(try [0.3, 0.4].map { try draw($0, [float("top_p", 0.7)]) } == [0, 2])
    #expect(try [0.3, 0.4].map { try draw($0, [float("min_p", 0.3)]) } == [0, 2])
    // Of three: equal logits by index, so place 3 is cut.
    #expect(try draw(0.99, [int("top_k", 3)]) == 2)
    // Of the two that top_k keeps, 2/3 reach top_p.
    #expect(try draw(0.01, [int("top_k", 2), float("top_p", 0.6)]) == 2)
  }

  @Test func aDrawOnTheBorderIsLeftOpen() throws {
    #expect(try evaluate("sample", [logits, f32([0.375])])[0]!.error == [inf])
    #expect(try evaluate("sample", [logits, f32([0.3])], [float("top_p", 0.75)])[0]!.error == [inf])
  }

  @Test func rowsWithoutNumbersHaveAnAnswer() throws {
    #expect(try values("sample", [f32([3, 2], [nan, nan, -inf, 1, 3, inf]), f32([3], [0.5, 0.5, 0])]) == [0, 1, 1])
  }

  @Test func partsOfAttentionMergeToTheWhole() throws {
    let (a, b) = (f32([1, 2, 2], [1, 2, 3, 4]), f32([1, 2, 2], [5, 6, nan, nan]))
    let y = try evaluate("merge_attention", [a, f32([1, 2], [log(1), 0]), b, f32([1, 2], [log(3), -inf])])
    #expect(try rounded(y[0]!).isClose(to: [4, 5, 3, 4]))
    #expect(try rounded(y[1]!).isClose(to: [log(4), 0]))
    let nothing = try evaluate("merge_attention", [a, f32([1, 2], [-inf, -inf]), b, f32([1, 2], [-inf, -inf])])
    #expect(nothing[0]!.values == [0, 0, 0, 0])
    #expect(nothing[1]!.values == [-inf, -inf])
  }

  @Test func projectionsAreNormedRotatedAndCached() throws {
    // One token at position 1 whose angle is 1 · π/2: (a, b) becomes (-b, a). Heads of x = (1, 2): q (1, 2) + bias (2, 2), k (2, 1), v (3).
    let (x, identity) = (f32([1, 2], [1, 2]), f32([1, 2, 2], [1, 0, 0, 1]))
    let caches = (f32([2, 1, 2], [9, 9, 9, 9]), f32([2, 1, 1], [9, 9]))
    let inputs = [x, identity, f32([1, 2, 2], [0, 1, 1, 0]), f32([1, 1, 2], [1, 1]), i32([1]), f32([.pi / 2]), caches.0, caches.1]
    let plain = try evaluate("qkv_rope_cache", inputs + [nil, nil, f32([1, 2], [2, 2])])
    #expect(plain[0]!.values.isClose(to: [-4, 3]))
    #expect(plain[1]!.values.isClose(to: [9, 9, -1, 2]))
    #expect(plain[2]!.values.isClose(to: [9, 3]))
    // A row that was not written is exact.
    #expect(Array(plain[1]!.error!.prefix(2)) == [0, 0] && plain[1]!.error![2] > 0)
    // Normed, q is (1, 2) / sqrt 2.5.
    let normed = try evaluate("qkv_rope_cache", inputs + [f32([1, 1])], [float("epsilon", 0)])
    #expect(normed[0]!.values.isClose(to: [-2 / 2.5.squareRoot(), 1 / 2.5.squareRoot()]))
  }

  @Test func normsAndProductsCompose() throws {
    // x / sqrt(mean x²) of (3, 4) is (3, 4) / sqrt 12.5.
    let y = try evaluate("norm_matmul", [f32([1, 2], [3, 4]), f32([2, 1]), f32([1, 2], [1, 1]), f32([0.5])], [float("epsilon", 0)])[0]!
    #expect(y.values.isClose(to: [10 / 12.5.squareRoot() + 0.5]))
  }
}
