/// A JSON value that keeps the order of keys and tells whole numbers from others.
package enum JSON: Equatable, Sendable {
  case null
  case bool(Bool)
  case int(Int)
  case float(Double)
  case string(String)
  case array([JSON])
  case object([Member])

  package struct Member: Equatable, Sendable {
    package let key: String
    package let value: JSON

    package init(key: String, value: JSON) { (self.key, self.value) = (key, value) }
  }

  /// - Throws: ``BackplaneError`` (file) with the line where the text stops being JSON. A key given twice is an error.
  package static func parse(_ text: String) throws(BackplaneError) -> JSON {
    var parser = JSONParser(bytes: Array(text.utf8))
    return try parser.whole()
  }
}

private struct JSONParser {
  let bytes: [UInt8]
  var at = 0
  var depth = 0

  init(bytes: [UInt8]) { self.bytes = bytes }

  mutating func whole() throws(BackplaneError) -> JSON {
    let value = try value()
    skipSpaces()
    if at < bytes.count { throw wrong("more text after the value") }
    return value
  }

  private mutating func value() throws(BackplaneError) -> JSON {
    depth += 1
    defer { depth -= 1 }
    if depth > 64 { throw wrong("nested too deeply") }
    skipSpaces()
    switch at < bytes.count ? bytes[at] : 0 {
    case UInt8(ascii: "{"): return try object()
    case UInt8(ascii: "["): return try array()
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try literal("true", .bool(true))
    case UInt8(ascii: "f"): return try literal("false", .bool(false))
    case UInt8(ascii: "n"): return try literal("null", .null)
    default: return try number()
    }
  }

  private mutating func object() throws(BackplaneError) -> JSON {
    at += 1
    var members: [JSON.Member] = []
    if take("}") { return .object([]) }
    repeat {
      skipSpaces()
      guard at < bytes.count, bytes[at] == UInt8(ascii: "\"") else { throw wrong("expected a key in quotes") }
      let key = try string()
      if members.contains(where: { $0.key == key }) { throw wrong("'\(key)' is given twice") }
      guard take(":") else { throw wrong("expected ':' after '\(key)'") }
      members.append(.init(key: key, value: try value()))
    } while take(",")
    guard take("}") else { throw wrong("expected ',' or '}'") }
    return .object(members)
  }

  private mutating func array() throws(BackplaneError) -> JSON {
    at += 1
    var values: [JSON] = []
    if take("]") { return .array([]) }
    repeat { values.append(try value()) } while take(",")
    guard take("]") else { throw wrong("expected ',' or ']'") }
    return .array(values)
  }

  private mutating func string() throws(BackplaneError) -> String {
    at += 1
    var text: [UInt8] = []
    while at < bytes.count, bytes[at] != UInt8(ascii: "\"") {
      if bytes[at] == UInt8(ascii: "\\") {
        at += 1
        guard at < bytes.count else { break }
        switch bytes[at] {
        case UInt8(ascii: "n"): text.append(10)
        case UInt8(ascii: "t"): text.append(9)
        case UInt8(ascii: "r"): text.append(13)
        case UInt8(ascii: "b"): text.append(8)
        case UInt8(ascii: "f"): text.append(12)
        case UInt8(ascii: "u"): text += Array(String(try escaped()).utf8)
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(bytes[at])
        default: throw wrong("unknown escape")
        }
      } else if bytes[at] < 32 {
        throw wrong("a control character in a string")
      } else {
        text.append(bytes[at])
      }
      at += 1
    }
    guard at < bytes.count else { throw wrong("the string has no end") }
    at += 1
    guard let decoded = String(validating: text, as: UTF8.self) else { throw wrong("the string is not UTF-8") }
    return decoded
  }

  /// Stands on the `u`; leaves on the last hexadecimal digit.
  private mutating func escaped() throws(BackplaneError) -> Character {
    var unit = try hex()
    if (0xd800..<0xdc00).contains(unit), at + 2 < bytes.count, bytes[at + 1] == UInt8(ascii: "\\"), bytes[at + 2] == UInt8(ascii: "u") {
      at += 2
      let low = try hex()
      if (0xdc00..<0xe000).contains(low) { unit = 0x10000 + (unit - 0xd800) << 10 + (low - 0xdc00) }
    }
    guard let scalar = Unicode.Scalar(UInt32(unit)) else { throw wrong("half of a surrogate pair") }
    return Character(scalar)
  }

  private mutating func hex() throws(BackplaneError) -> Int {
    guard at + 4 < bytes.count, let unit = Int(String(decoding: bytes[(at + 1)...(at + 4)], as: UTF8.self), radix: 16) else { throw wrong("expected four hexadecimal digits") }
    at += 4
    return unit
  }

  private mutating func number() throws(BackplaneError) -> JSON {
    let start = at
    while at < bytes.count, "+-.0123456789eE".utf8.contains(bytes[at]) { at += 1 }
    let text = String(decoding: bytes[start..<at], as: UTF8.self)
    if let whole = Int(text) { return .int(whole) }
    if text.contains(where: { ".eE".contains($0) }), let float = Double(text) { return .float(float) }
    throw wrong(text.isEmpty ? "expected a value" : "'\(text)' is no number")
  }

  private mutating func literal(_ word: String, _ value: JSON) throws(BackplaneError) -> JSON {
    guard bytes[at...].starts(with: word.utf8) else { throw wrong("expected '\(word)'") }
    at += word.utf8.count
    return value
  }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    skipSpaces()
    guard at < bytes.count, bytes[at] == UInt8(ascii: character) else { return false }
    at += 1
    return true
  }

  private mutating func skipSpaces() { while at < bytes.count, [9, 10, 13, 32].contains(bytes[at]) { at += 1 } }

  private func wrong(_ message: String) -> BackplaneError {
    BackplaneError(.file, "line \(bytes[..<min(at, bytes.count)].count { $0 == 10 } + 1): \(message)")
  }
}
