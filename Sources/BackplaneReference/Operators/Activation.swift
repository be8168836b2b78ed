import Foundation

func relu(_ x: Double) -> Double { x.isNaN ? x : max(x, 0) }
func silu(_ x: Double) -> Double { x / (1 + exp(-x)) }
/// erfc instead of 1 + erf: no cancellation in the negative tail.
func geluErf(_ x: Double) -> Double { x / 2 * erfc(-x / 2.0.squareRoot()) }
/// x/2 (1 + tanh z) = x / (1 + e^-2z).
func geluTanh(_ x: Double) -> Double { x / (1 + exp(-2 * (2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x))) }

/// The functions that operators apply on the way: matmul's epilogue, gated_activation, silu and gelu.
enum Activation {
  case none, relu, silu, geluTanh, geluErf

  /// Of matmul's or gated_activation's attribute.
  init(named name: String) {
    self = switch name {
    case "relu", "reglu": .relu
    case "silu", "swiglu": .silu
    case "gelu_tanh", "geglu_tanh": .geluTanh
    case "gelu_erf", "geglu_erf": .geluErf
    default: .none
    }
  }

  var function: (Double) -> Double {
    switch self {
    case .none: { $0 }
    case .relu: BackplaneReference.relu
    case .silu: BackplaneReference.silu
    case .geluTanh: BackplaneReference.geluTanh
    case .geluErf: BackplaneReference.geluErf
    }
  }

  /// Where silu and gelu are lowest; the others are monotone.
  private var extremum: Double {
    switch self {
    case .silu: -1.278464542761074
    case .geluErf: -0.751791524693565
    case .geluTanh: -0.752461422071016
    case .none, .relu: 0
    }
  }

  /// How far a kernel's activation may be from y = f(x) when its argument may be `moved` from x.
  func error(_ ulp: Double, x: Double, y: Double, moved: Double) -> Double {
    let change = BackplaneReference.change(function, at: x, by: moved, from: y, extremum: extremum)
    return change + error(ulp, x: moved > 0 ? x - moved : x, y: abs(y) + change)
  }

  /// How far a kernel's activation may be from y at exactly x: `ulp` ulp, and what the usual formulas cost in the negative tail.
  ///
  /// silu overflows e^-x below -88.7 and gives 0. gelu's 1 + erf and 1 + tanh cancel: their error is relative to |x|, not to |y|.
  /// At -infinity the formulas give infinity times 0, the limit is 0: both are right.
  func error(_ ulp: Double, x: Double, y: Double) -> Double {
    switch self {
    case .none, .relu: return 0
    case _ where x == -.infinity: return .infinity
    case .silu: return 2 * u * ulp * abs(y) + abs(x) * smallestNormal
    case .geluTanh, .geluErf: return 2 * u * ulp * abs(y) + 8 * u * abs(min(x, 0)) + smallestNormal
    }
  }
}
