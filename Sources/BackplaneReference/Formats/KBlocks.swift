import BackplaneCore

// Super-blocks of 256 whose sub-blocks have quantised scales: q2_K q3_K q4_K q5_K q6_K.

enum Q2K {
  static func decode(_ block: UnsafePointer<UInt8>, _ product: UnsafeMutablePointer<Float>, _ offset: UnsafeMutablePointer<Float>) {
    let (scales, qs) = (block, block + 16)
    let (d, dmin) = (half(block + 80), half(block + 82))
    for element in 0..<256 {
      let (h, s, l) = (element >> 7, (element >> 5) & 3, element & 31)
      let q = (qs[32 * h + l] >> UInt8(2 * s)) & 3
      let scale = scales[element >> 4]
      product[element] = d * Float(scale & 15) * Float(q)
      offset[element] = -(dmin * Float(scale >> 4))
    }
  }
}

enum Q3K {
  static func decode(_ block: UnsafePointer<UInt8>, _ product: UnsafeMutablePointer<Float>, _ offset: UnsafeMutablePointer<Float>) {
    let (hmask, qs, scales) = (block, block + 32, block + 96)
    let d = half(block + 108)
    for i in 0..<16 {
      let low = (scales[i & 7] >> UInt8(4 * (i / 8))) & 15
      let high = (scales[8 + i % 4] >> UInt8(2 * (i / 4))) & 3
      let scale = d * Float(Int(low | high << 4) - 32)
      for element in 16 * i..<16 * i + 16 {
        let (h, s, l) = (element >> 7, (element >> 5) & 3, element & 31)
        let q = Int((qs[32 * h + l] >> UInt8(2 * s)) & 3)
        let isPositive = (hmask[l] >> UInt8(4 * h + s)) & 1 == 1
        product[element] = scale * Float(isPositive ? q : q - 4)
      }
    }
  }
}

enum Q4K {
  static func decode(_ block: UnsafePointer<UInt8>, _ product: UnsafeMutablePointer<Float>, _ offset: UnsafeMutablePointer<Float>) {
    let (d, dmin, qs) = (half(block), half(block + 2), block + 16)
    for s in 0..<8 {
      let (scale, minimum) = sixBits(block + 4, s)
      let (step, floor) = (d * Float(scale), -(dmin * Float(minimum)))
      for l in 0..<32 {
        let byte = qs[32 * (s / 2) + l]
        product[32 * s + l] = step * Float(s % 2 == 0 ? byte & 15 : byte >> 4)
      offset[32 * s + l] = floor
      }
    }
  }
}

enum Q5K {
  static func decode(_ block: UnsafePointer<UInt8>, _ product: UnsafeMutablePointer<Float>, _ offset: UnsafeMutablePointer<Float>) {
    let (d, dmin, qh, qs) = (half(block), half(block + 2), block + 16, block + 48)
    for s in 0..<8 {
      let (scale, minimum) = sixBits(block + 4, s)
      let (step, floor) = (d * Float(scale), -(dmin * Float(minimum)))
      for l in 0..<32 {
        let byte = qs[32 * (s / 2) + l]
        let q = (s % 2 == 0 ? byte & 15 : byte >> 4) | ((qh[l] >> UInt8(s)) & 1) << 4
        product[32 * s + l] = step * Float(q)
      offset[32 * s + l] = floor
      }
    }
  }
}

enum Q6K {
  static func decode(_ block: UnsafePointer<UInt8>, _ product: UnsafeMutablePointer<Float>, _ offset: UnsafeMutablePointer<Float>) {
    let d = half(block + 208)
    for h in 0..<2 {
      let (ql, qh, scales) = (block + 64 * h, block + 128 + 32 * h, block + 192 + 8 * h)
      for l in 0..<32 {
        let quants = (
          (ql[l] & 15) | (qh[l] & 3) << 4, (ql[32 + l] & 15) | ((qh[l] >> 2) & 3) << 4,
          (ql[l] >> 4) | ((qh[l] >> 4) & 3) << 4, (ql[32 + l] >> 4) | (qh[l] >> 6) << 4
        )
        func scale(_ s: Int) -> Float { d * Float(Int8(bitPattern: scales[2 * s + l / 16])) }
        product[128 * h + l] = scale(0) * Float(Int(quants.0) - 32)
        product[128 * h + 32 + l] = scale(1) * Float(Int(quants.1) - 32)
        product[128 * h + 64 + l] = scale(2) * Float(Int(quants.2) - 32)
        product[128 * h + 96 + l] = scale(3) * Float(Int(quants.3) - 32)
      }
    }
  }
}

/// Scale and minimum of sub-block `j` of q4_K and q5_K: 16 numbers of six bits in 12 bytes.
@inline(__always) private func sixBits(_ packed: UnsafePointer<UInt8>, _ j: Int) -> (scale: UInt8, minimum: UInt8) {
  j < 4
    ? (packed[j] & 63, packed[j + 4] & 63)
    : ((packed[j + 4] & 15) | (packed[j - 4] >> 6) << 4, (packed[j + 4] >> 4) | (packed[j] >> 6) << 4)
}
