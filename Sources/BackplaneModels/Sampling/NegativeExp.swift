import Foundation

/// e^x for x ≤ 0, with a relative error below 1e-5; 0 below -87.
///
/// Our own, so that sampling gives the same tokens under every C library.
func negativeExp(_ x: SIMD8<Float>) -> SIMD8<Float> {
  let t = x.clamped(lowerBound: SIMD8(repeating: -87), upperBound: SIMD8(repeating: 0)) * 1.442_695_04
  // Adding 1.5 × 2^23 leaves the nearest integer in the low bits.
  let shifted = t + 12_582_912
  let whole = shifted - 12_582_912
  let f = t - whole  // -0.5 … 0.5
  var p = SIMD8<Float>(repeating: 1.540_353e-4)  // ln(2)^6 / 6!
  p = p * f + 1.333_355_8e-3
  p = p * f + 9.618_129e-3
  p = p * f + 5.550_411e-2
  p = p * f + 2.402_265e-1
  p = p * f + 6.931_472e-1
  p = p * f + 1
  let exponent = unsafeBitCast(shifted, to: SIMD8<Int32>.self) &<< 23
  let y = unsafeBitCast(unsafeBitCast(p, to: SIMD8<Int32>.self) &+ exponent, to: SIMD8<Float>.self)
  return y.replacing(with: 0, where: x .< -87)
}

func negativeExp(_ x: Float) -> Float { negativeExp(SIMD8(repeating: x))[0] }

func naturalLog(_ x: Double) -> Double { log(x) }
