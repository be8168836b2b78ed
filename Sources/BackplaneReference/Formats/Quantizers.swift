import BackplaneCore

/// Rounds a row to blocks, in the f32 arithmetic of ggml's reference quantizers: what a cache's bytes must be.
enum Quantizer {
  typealias Quantize = (UnsafePointer<Float>, UnsafeMutablePointer<UInt8>) -> Void

  /// nil for a format that nothing writes.
  static func named(_ format: ElementFormat) -> Quantize? {
    switch format {
    case .q8_0: q8_0
    case .q4_0: q4_0
    default: nil
    }
  }

  /// d = max|x| / 127, q = x · (1/d) rounded half away from zero.
  private static func q8_0(_ x: UnsafePointer<Float>, _ block: UnsafeMutablePointer<UInt8>) {
    var largest: Float = 0
    for j in 0..<32 { largest = max(largest, abs(x[j])) }
    let d = largest / 127
    let inverse = d == 0 ? 0 : 1 / d
    store(d, block)
    for j in 0..<32 { block[2 + j] = UInt8(bitPattern: Int8(clamping: whole((x[j] * inverse).rounded(.toNearestOrAwayFromZero)))) }
  }

  /// d = m / -8 for the m of largest magnitude, with its sign; q = ⌊x · (1/d) + 8.5⌋, at most 15.
  private static func q4_0(_ x: UnsafePointer<Float>, _ block: UnsafeMutablePointer<UInt8>) {
    var (largest, signed): (Float, Float) = (0, 0)
    for j in 0..<32 where abs(x[j]) > largest { (largest, signed) = (abs(x[j]), x[j]) }
    let d = signed / -8
    let inverse = d == 0 ? 0 : 1 / d
    store(d, block)
    func quant(_ x: Float) -> UInt8 { UInt8(clamping: min(15, whole(x * inverse + 8.5))) }
    for j in 0..<16 { block[2 + j] = quant(x[j]) | quant(x[j + 16]) << 4 }
  }

  private static func store(_ d: Float, _ block: UnsafeMutablePointer<UInt8>) {
    let bits = Float16(d).bitPattern
    (block[0], block[1]) = (UInt8(truncatingIfNeeded: bits), UInt8(truncatingIfNeeded: bits >> 8))
  }

  /// Towards zero; 0 for what is not finite, as where 1/d overflows.
  private static func whole(_ x: Float) -> Int { x.isFinite ? Int(max(-1e6, min(1e6, x))) : 0 }
}
