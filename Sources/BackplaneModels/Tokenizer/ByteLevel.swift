/// The 256 characters by which byte-level BPE vocabularies write bytes.
///
/// Printable Latin-1 characters stand for themselves; the other 68 bytes, in ascending order, are U+0100 and up.
enum ByteLevel {
  /// Code point of each byte.
  static let codePoints: [UInt16] = {
    var next: UInt16 = 0x100
    return (0..<256).map { (byte: UInt16) in
      switch byte {
      case 0x21...0x7e, 0xa1...0xac, 0xae...0xff: return byte
      default:
        defer { next += 1 }
        return next
      }
    }
  }()

  /// Byte of each code point below 0x144; -1 where there is none.
  static let bytes: [Int16] = {
    var table = [Int16](repeating: -1, count: 0x144)
    for (byte, code) in codePoints.enumerated() { table[Int(code)] = Int16(byte) }
    return table
  }()

  static func text(of byte: UInt8) -> String { String(Unicode.Scalar(codePoints[Int(byte)])!) }

  /// Appends the UTF-8 of each byte's character.
  static func encode(_ bytes: UnsafeRawBufferPointer, into out: inout [UInt8]) {
    codePoints.withUnsafeBufferPointer { table in
      for byte in bytes {
        let code = table[Int(byte)]
        if code < 0x80 {
          out.append(UInt8(truncatingIfNeeded: code))
        } else {
          out.append(0xc0 | UInt8(truncatingIfNeeded: code >> 6))
          out.append(0x80 | UInt8(truncatingIfNeeded: code & 0x3f))
        }
      }
    }
  }

  /// The bytes that a token's text stands for; characters that stand for none are kept as UTF-8.
  static func decode(_ text: UnsafeRawBufferPointer) -> [UInt8] {
    var out: [UInt8] = []
    for scalar in String(decoding: text, as: UTF8.self).unicodeScalars {
      if scalar.value < 0x144, bytes[Int(scalar.value)] >= 0 {
        out.append(UInt8(bytes[Int(scalar.value)]))
      } else {
        out += UTF8.encode(scalar)!
      }
    }
    return out
  }
}
