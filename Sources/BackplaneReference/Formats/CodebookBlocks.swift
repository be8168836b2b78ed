import BackplaneCore

// Blocks of 32 nibbles that index a table: iq4_nl mxfp4. Nibbles as in q4_0.

enum IQ4NL {
  private static let codebook: [Float] = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113]
  static func decode(_ block: UnsafePointer<UInt8>, _ product: UnsafeMutablePointer<Float>, _ offset: UnsafeMutablePointer<Float>) {
    let d = half(block)
    codebook.withUnsafeBufferPointer { table in
      for j in 0..<16 {
        product[j] = table[Int(block[2 + j] & 15)] * d
        product[j + 16] = table[Int(block[2 + j] >> 4)] * d
      }
    }
  }
}

enum MXFP4 {
  /// Twice the E2M1 numbers, so that they are whole.
  private static let codebook: [Float] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12]
  static func decode(_ block: UnsafePointer<UInt8>, _ product: UnsafeMutablePointer<Float>, _ offset: UnsafeMutablePointer<Float>) {
    let e = UInt32(block[0])
    // Half of 2^(e - 127); subnormal for e < 2, and e = 255 is as finite as any other.
    let d = Float(bitPattern: e < 2 ? 0x0020_0000 << e : (e - 1) << 23)
    codebook.withUnsafeBufferPointer { table in
      for j in 0..<16 {
        product[j] = table[Int(block[1 + j] & 15)] * d
        product[j + 16] = table[Int(block[1 + j] >> 4)] * d
      }
    }
  }
}
