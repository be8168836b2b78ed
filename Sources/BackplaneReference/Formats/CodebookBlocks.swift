import BackplaneCore

// Blocks of 32 nibbles that index a table: iq4_nl mxfp4 nf4. Nibbles as in q4_0.

/// Writes 32 entries of `table`, times `scale`, to `product`: those of the low nibbles of 16 bytes, then those of the high ones.
@inline(__always)
private func look(up table: [Float], _ nibbles: UnsafePointer<UInt8>, _ scale: Float, _ product: UnsafeMutablePointer<Float>) {
  table.withUnsafeBufferPointer { table in
    for j in 0..<16 {
      product[j] = table[Int(nibbles[j] & 15)] * scale
      product[j + 16] = table[Int(nibbles[j] >> 4)] * scale
    }
  }
}

enum IQ4NL {
  private static let codebook: [Float] = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113]
  static func decode(_ block: UnsafePointer<UInt8>, _ product: UnsafeMutablePointer<Float>, _ offset: UnsafeMutablePointer<Float>) {
    let d = half(block)
    look(up: codebook, block + 2, d, product)
  }
}

enum MXFP4 {
  /// Twice the E2M1 numbers, so that they are whole.
  private static let codebook: [Float] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12]
  static func decode(_ block: UnsafePointer<UInt8>, _ product: UnsafeMutablePointer<Float>, _ offset: UnsafeMutablePointer<Float>) {
    let e = UInt32(block[0])
    // Half of 2^(e - 127); subnormal for e < 2, and e = 255 is as finite as any other.
    let d = Float(bitPattern: e < 2 ? 0x0020_0000 << e : (e - 1) << 23)
    look(up: codebook, block + 1, d, product)
  }
}

enum NF4 {
  /// Dettmers et al., QLoRA (2023), appendix E: means of neighbouring quantiles of the normal distribution, one more of them on its positive side.
  private static let codebook: [Float] = [
    -1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0,
    0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1,
  ]
  static func decode(_ block: UnsafePointer<UInt8>, _ product: UnsafeMutablePointer<Float>, _ offset: UnsafeMutablePointer<Float>) {
    let d = single(block)
    look(up: codebook, block + 4, d, product)
  }
}
