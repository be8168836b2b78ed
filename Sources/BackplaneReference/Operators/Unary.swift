import BackplaneCore
import Foundation

/// y = f(x) for each element: abs neg relu clip, the functions of one argument, scale and softcap, roundings and piecewise ones.
struct Unary: ReferenceOperator {
  /// The function, and its error in f32 arithmetic from x and f(x); nil where the result is exact.
  typealias Meaning = (f: (Double) -> Double, own: ((_ x: Double, _ y: Double) -> Double)?)
  private let meaning: @Sendable (Call) -> Meaning

  init(_ meaning: @escaping @Sendable (Call) -> Meaning) { self.meaning = meaning }

  func evaluate(_ call: Call) throws(BackplaneError) -> [ReferenceTensor?] {
    let (f, own) = meaning(call)
    let x = call.input(0).values()
    let y = x.map(f)
    guard call.wantsBounds else { return [own == nil ? call.exact(y) : call.result(y) { _ in 0 }] }
    let incoming = call.input(0).error(call.declared, of: x)
    func propagated(_ i: Int) -> Double { incoming.map { change(f, at: x[i], by: $0[i], from: y[i]) } ?? 0 }
    guard let own else { return [call.exact(y, propagated: incoming == nil ? nil : y.indices.map(propagated))] }
    return [call.result(y) { own(x[$0], y[$0]) + propagated($0) }]
  }

  private static func exact(_ f: @escaping @Sendable (Double) -> Double) -> Unary { Unary { _ in (f, nil) } }

  /// Right within `ulp` ulp, an ulp being 2u|y|, and `absolute` more; an infinity (log 0, 1 / 0) or NaN must be one.
  private static func ulp(_ ulp: Double, absolute: Double = 0, _ f: @escaping @Sendable (Double) -> Double) -> Unary {
    Unary { _ in (f, { _, y in y.isFinite ? 2 * u * ulp * abs(y) + absolute : 0 }) }
  }

  static let operators: [String: any ReferenceOperator] = simple.merging(piecewise) { a, _ in a }

  private static let simple: [String: any ReferenceOperator] = [
    "abs": exact { abs($0) },
    "neg": exact { -$0 },
    "relu": exact(relu),
    "clip": Unary { call in
      let (low, high) = (call.float("minimum"), call.float("maximum"))
      return ({ $0.isNaN ? $0 : min(max($0, low), high) }, nil)
    },
    "exp": ulp(3, absolute: smallestNormal) { exp($0) },
    "log": ulp(3) { log($0) },
    "sqrt": ulp(1) { $0.squareRoot() },
    "rsqrt": ulp(3) { 1 / $0.squareRoot() },
    "reciprocal": ulp(1) { 1 / $0 },
    "square": ulp(1) { $0 * $0 },
    "tanh": ulp(5) { tanh($0) },
    "erf": ulp(5) { erf($0) },
    "sigmoid": ulp(5, absolute: smallestNormal) { 1 / (1 + exp(-$0)) },
    "softplus": ulp(6, absolute: smallestNormal) { max($0, 0) + log1p(exp(-abs($0))) },
    "sin": Unary { _ in ({ sin($0) }, turning) },
    "cos": Unary { _ in ({ cos($0) }, turning) },
    "silu": Unary { _ in (silu, { Activation.silu.error(6, x: $0, y: $1) }) },
    "gelu": Unary { call in
      let activation = call.string("approximate") == "tanh" ? Activation.geluTanh : .geluErf
      return (activation.function, { activation.error(6, x: $0, y: $1) })
    },
    "scale": Unary { call in
      let (factor, offset) = (call.float("factor"), call.float("offset"))
      let (ofFactor, ofOffset) = (call.roundingOfAttribute("factor"), call.roundingOfAttribute("offset"))
      return ({ $0 * factor + offset }, { x, y in
        !x.isFinite ? 0 : unlessOverflowing(abs(x * factor), u * abs(x * factor) + times(abs(x), ofFactor) + ofOffset + u * abs(y) + eta)
      })
    },
    "softcap": Unary { call in
      let cap = call.float("cap")
      // x / cap may be subnormal.
      return ({ cap * tanh($0 / cap) }, { _, y in 14 * u * abs(y) + 2 * eta * cap })
    },
  ]

  private static let piecewise: [String: any ReferenceOperator] = [
    "floor": exact { $0.rounded(.down) },
    "ceil": exact { $0.rounded(.up) },
    "round": exact { $0.rounded(.toNearestOrEven) },
    "sign": exact { $0 > 0 ? 1 : $0 < 0 ? -1 : $0 },
    "elu": Unary { call in
      let alpha = call.float("alpha")
      // exp(x) - 1 cancels: for x < 0 the error is relative to alpha.
      return ({ $0 < 0 ? alpha * expm1($0) : $0 }, { x, y in x < 0 ? 8 * u * abs(alpha) + 2 * u * abs(y) : 0 })
    },
    "leaky_relu": Unary { call in
      let alpha = call.float("alpha")
      return ({ $0 < 0 ? alpha * $0 : $0 }, { x, y in x < 0 ? 2 * u * abs(y) + eta : 0 })
    },
    "relu_squared": ulp(1, absolute: eta) { relu($0) * relu($0) },
    "hardsigmoid": Unary { call in
      let (alpha, beta) = (call.float("alpha"), call.float("beta"))
      return ({ unit(alpha * $0 + beta) }, { x, _ in ofLine(alpha * x, beta) })
    },
    "hardswish": Unary { _ in
      // x (x/6 + 1/2), in any order of its four roundings.
      ({ $0 <= -3 ? 0 : $0 * unit($0 / 6 + 0.5) }, { x, y in
        x == -.infinity ? .infinity : unlessOverflowing(6 * abs(x), 4 * u * abs(y) + times(abs(x), 2 * ofLine(x / 6, 0.5)) + eta)
      })
    },
    "gelu_quick": Unary { _ in
      ({ $0 / (1 + exp(-1.702 * $0)) }, { x, y in
        x == -.infinity ? .infinity : (12 * u + 4 * u * min(abs(1.702 * x), 128)) * abs(y) + abs(x) * smallestNormal
      })
    },
  ]

  private static func unit(_ x: Double) -> Double { x.isNaN ? x : min(max(x, 0), 1) }

  /// Of slope + offset limited to 0 ... 1, two roundings and one for factors that are not read as f32: nothing far from the line's ends.
  private static func ofLine(_ product: Double, _ offset: Double) -> Double {
    let error = 3 * u * (abs(product) + abs(offset)) + eta
    return product + offset < -error || product + offset > 1 + error ? 0 : error
  }

  /// 4 ulp of 1; beyond 2^13 only the range is promised.
  private static func turning(_ x: Double, _ y: Double) -> Double { 8 * u + (abs(x) > 8192 ? 2 : 0) }
}
