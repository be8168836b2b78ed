/// Encodes floats in the formats that synthetic models and tests use, by the simplest rule each format allows.
///
/// Scales are chosen from the largest magnitude of a block; nothing searches for a better one.
enum BlockEncoder {
  static let formats: [ElementFormat] = [.f32, .f16, .bf16, .q8_0, .q4_0, .q5_0]

  /// - Parameter values: Whole blocks of `format`, one of ``formats``.
  static func encode(_ values: [Float], as format: ElementFormat) -> [UInt8] {
    guard let byteCount = format.bytes(forElements: values.count), formats.contains(format) else {
      preconditionFailure("cannot encode \(values.count) values as \(format)")
    }
    return [UInt8](filling: byteCount) { buffer in
      values.withUnsafeBufferPointer { values in
        var source = values.baseAddress!
        var out = UnsafeMutableRawPointer(buffer.baseAddress!)
        let end = out + byteCount
        while out < end {
          switch format {
          case .f32: out.storeBytes(of: source.pointee, as: Float.self)
          case .f16: out.storeBytes(of: Float16(source.pointee), as: Float16.self)
          case .bf16: out.storeBytes(of: bf16(source.pointee), as: UInt16.self)
          case .q8_0: q8(source, out)
          case .q4_0: q4(source, out)
          default: q5(source, out)
          }
          source += format.blockElements
          out += format.blockBytes
        }
      }
    }
  }

  /// The upper half, rounded to nearest, ties to even.
  private static func bf16(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    return UInt16((bits &+ 0x7fff &+ ((bits >> 16) & 1)) >> 16)
  }

  /// f16 scale d = max|x| / 127, then 32 × i8 round(x / d).
  private static func q8(_ x: UnsafePointer<Float>, _ out: UnsafeMutableRawPointer) {
    let d = abs(extreme(x)) / 127
    let inverse = d == 0 ? 0 : 1 / d
    out.storeBytes(of: Float16(d), as: Float16.self)
    for i in 0..<32 { out.storeBytes(of: Int8((x[i] * inverse).rounded()), toByteOffset: 2 + i, as: Int8.self) }
  }

  /// f16 scale d = extreme / -8, then nibbles of x / d + 8: byte i holds elements i (low) and i + 16 (high).
  private static func q4(_ x: UnsafePointer<Float>, _ out: UnsafeMutableRawPointer) {
    let d = extreme(x) / -8
    let inverse = d == 0 ? 0 : 1 / d
    out.storeBytes(of: Float16(d), as: Float16.self)
    for i in 0..<16 {
      let low = level(x[i] * inverse + 8.5, 15), high = level(x[i + 16] * inverse + 8.5, 15)
      out.storeBytes(of: UInt8(low | high << 4), toByteOffset: 2 + i, as: UInt8.self)
    }
  }

  /// As q4_0 with 32 levels around 16: the fifth bit of element i is bit i of 4 bytes after the scale.
  private static func q5(_ x: UnsafePointer<Float>, _ out: UnsafeMutableRawPointer) {
    let d = extreme(x) / -16
    let inverse = d == 0 ? 0 : 1 / d
    out.storeBytes(of: Float16(d), as: Float16.self)
    var upper: UInt32 = 0
    for i in 0..<16 {
      let low = level(x[i] * inverse + 16.5, 31), high = level(x[i + 16] * inverse + 16.5, 31)
      out.storeBytes(of: UInt8(low & 15 | (high & 15) << 4), toByteOffset: 6 + i, as: UInt8.self)
      upper |= (low >> 4) << UInt32(i) | (high >> 4) << UInt32(i + 16)
    }
    out.storeBytes(of: upper, toByteOffset: 2, as: UInt32.self)
  }

  private static func level(_ value: Float, _ maximum: UInt32) -> UInt32 { min(UInt32(max(value, 0)), maximum) }

  /// The element of largest magnitude, with its sign.
  private static func extreme(_ x: UnsafePointer<Float>) -> Float {
    var best: Float = 0
    for i in 0..<32 where abs(x[i]) > abs(best) { best = x[i] }
    return best
  }
}
