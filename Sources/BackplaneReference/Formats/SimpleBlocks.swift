import BackplaneCore

// Blocks of 32 with one scale: q4_0 q4_1 q5_0 q5_1 q8_0 q4_z. Nibbles: the low ones are elements 0 … 15, the high ones 16 … 31.

enum Q4_0 {
  static func decode(_ block: UnsafePointer<UInt8>, _ product: UnsafeMutablePointer<Float>, _ offset: UnsafeMutablePointer<Float>) {
    let d = half(block)
    for j in 0..<16 {
      let byte = block[2 + j]
      product[j] = Float(Int(byte & 15) - 8) * d
      product[j + 16] = Float(Int(byte >> 4) - 8) * d
    }
  }
}

enum Q4_1 {
  static func decode(_ block: UnsafePointer<UInt8>, _ product: UnsafeMutablePointer<Float>, _ offset: UnsafeMutablePointer<Float>) {
    let (d, m) = (half(block), half(block + 2))
    for j in 0..<16 {
      let byte = block[4 + j]
      product[j] = Float(byte & 15) * d
      offset[j] = m
      product[j + 16] = Float(byte >> 4) * d
      offset[j + 16] = m
    }
  }
}

enum Q5_0 {
  static func decode(_ block: UnsafePointer<UInt8>, _ product: UnsafeMutablePointer<Float>, _ offset: UnsafeMutablePointer<Float>) {
    let d = half(block)
    for j in 0..<32 { product[j] = Float(fiveBits(low: block + 6, high: block + 2, j) - 16) * d }
  }
}

enum Q5_1 {
  static func decode(_ block: UnsafePointer<UInt8>, _ product: UnsafeMutablePointer<Float>, _ offset: UnsafeMutablePointer<Float>) {
    let (d, m) = (half(block), half(block + 2))
    for j in 0..<32 {
      product[j] = Float(fiveBits(low: block + 8, high: block + 4, j)) * d
      offset[j] = m
    }
  }
}

enum Q8_0 {
  static func decode(_ block: UnsafePointer<UInt8>, _ product: UnsafeMutablePointer<Float>, _ offset: UnsafeMutablePointer<Float>) {
    let d = half(block)
    for j in 0..<32 { product[j] = Float(Int8(bitPattern: block[2 + j])) * d }
  }
}

/// Number j of 32: nibbles at `low`, the fifth bits in 32 bits at `high`.
@inline(__always) private func fiveBits(low: UnsafePointer<UInt8>, high: UnsafePointer<UInt8>, _ j: Int) -> Int {
  let nibble = j < 16 ? low[j] & 15 : low[j - 16] >> 4
  return Int(nibble) | Int((high[j / 8] >> UInt8(j % 8)) & 1) << 4
}

enum Q4Z {
  static func decode(_ block: UnsafePointer<UInt8>, _ product: UnsafeMutablePointer<Float>, _ offset: UnsafeMutablePointer<Float>) {
    let d = single(block), z = Int(block[4]) | Int(block[5]) << 8
    for j in 0..<16 {
      let byte = block[6 + j]
      product[j] = Float(Int(byte & 15) - z) * d
      product[j + 16] = Float(Int(byte >> 4) - z) * d
    }
    for j in 0..<32 { offset[j] = 2 * Float(z) * d }
  }
}
