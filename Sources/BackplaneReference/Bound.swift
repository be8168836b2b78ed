import BackplaneCore
import Foundation

// The vocabulary of error bounds. What each operator's bound is, and why, stands in Specs/decisions/0005-error-bounds.md.

/// Half an ulp of f32, relative: what one rounding does.
let u = 0x1p-24
/// Half the smallest subnormal f32: what a rounding does near zero.
let eta = 0x1p-150
/// The smallest normal f32.
let smallestNormal = 0x1p-126
let largestFloat = Double(Float.greatestFiniteMagnitude)
/// exp, log and rsqrt are right within 3 ulp.
let expError = 6 * u

/// γ_n: what n roundings in a row may do, relative.
func gamma(_ n: Int, _ unit: Double = u) -> Double {
  let x = Double(max(n, 0)) * unit
  return x < 1 ? x / (1 - x) : .infinity
}

/// `bound`, or no promise where `size`, the largest number that may appear on the way, may exceed an f32.
func unlessOverflowing(_ size: Double, _ bound: Double) -> Double { size * (1 + 0x1p-10) > largestFloat ? .infinity : bound }

/// a · b where a product with zero is zero, whatever the other one is.
func times(_ a: Double, _ b: Double) -> Double { a == 0 || b == 0 ? 0 : a * b }

/// Adds the rounding of the result to the output's format.
struct OutputBound {
  let unit: Double
  let tiny: Double

  init(_ format: ElementFormat, _ declared: Declared) {
    (unit, tiny) = switch format {
    case .f32: (0, eta)  // the operator's own bound is in f32 arithmetic already
    case .f16: (0x1p-11, 0x1p-25)
    case .bf16: (0x1p-8, 0x1p-134)
    default: (0, 0)
    }
    flushed = declared.flushesSubnormals && (format == .f32 || format == .bf16) ? smallestNormal : 0
  }
  private let flushed: Double

  func total(_ value: Double, own: Double) -> Double {
    if !own.isFinite { return own }
    return value.isFinite ? own + unit * (abs(value) + own) + tiny + flushed : 0
  }
}

/// The largest change of `f` when its argument moves by at most `error` from x: that to an end of the interval, or to an extremum in it.
///
/// - Parameter extremum: The only point around which f is not monotone; 0 for even functions.
func change(_ f: (Double) -> Double, at x: Double, by error: Double, from y: Double, extremum: Double = 0) -> Double {
  if error == 0 { return 0 }
  let (above, below) = (abs(f(x + error) - y), abs(f(x - error) - y))
  if above.isNaN || below.isNaN || error.isNaN { return .infinity }
  return max(above, below, abs(x - extremum) < error ? abs(f(extremum) - y) : 0)
}

/// For each element of `shape` the index of the element of `operand`, whose extents are equal or 1; nil when the shapes are the same.
func broadcastIndices(_ operand: [Int], to shape: [Int]) -> [Int]? {
  if operand == shape { return nil }
  var strides = [Int](repeating: 0, count: shape.count)
  var step = 1
  for (i, extent) in operand.enumerated().reversed() {
    if extent != 1 { strides[shape.count - operand.count + i] = step }
    step *= extent
  }
  return indices(shape, strides)
}

/// Σ index · stride for each element of `shape`, row-major.
func indices(_ shape: [Int], _ strides: [Int], start: Int = 0) -> [Int] {
  var offsets = [start]
  offsets.reserveCapacity(shape.reduce(1, *))
  for (extent, stride) in zip(shape, strides) {
    offsets = offsets.flatMap { offset in (0..<extent).map { offset + $0 * stride } }
  }
  return offsets
}
