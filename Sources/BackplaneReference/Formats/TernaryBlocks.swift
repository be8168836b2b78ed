import BackplaneCore

/// 256 elements of two bits, 32 apart: element 128h + 32s + l in bits 2s of byte 32h + l.
enum TQ2_0 {
  static func decode(_ block: UnsafePointer<UInt8>, _ product: UnsafeMutablePointer<Float>, _ offset: UnsafeMutablePointer<Float>) {
    let d = half(block + 64)
    for element in 0..<256 {
      let (h, s, l) = (element >> 7, (element >> 5) & 3, element & 31)
      product[element] = Float(Int((block[32 * h + l] >> UInt8(2 * s)) & 3) - 1) * d
    }
  }
}
