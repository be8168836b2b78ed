extension JSON {
  /// The value as JSON on one line. Numbers that are not whole keep a point or an exponent, so that they are read back as such.
  ///
  /// - Throws: ``BackplaneError`` (invalid) for a number that JSON cannot say: an infinity, no number.
  package func text() throws(BackplaneError) -> String {
    var text = ""
    try write(to: &text)
    return text
  }

  private func write(to text: inout String) throws(BackplaneError) {
    switch self {
    case .null: text += "null"
    case .bool(let value): text += value ? "true" : "false"
    case .int(let value): text += "\(value)"
    case .float(let value):
      guard value.isFinite else { throw BackplaneError(.invalid, "JSON has no number \(value)") }
      text += "\(value)"
    case .string(let value): JSON.write(value, to: &text)
    case .array(let values):
      text += "["
      for (i, value) in values.enumerated() {
        if i > 0 { text += ", " }
        try value.write(to: &text)
      }
      text += "]"
    case .object(let members):
      text += "{"
      for (i, member) in members.enumerated() {
        if i > 0 { text += ", " }
        JSON.write(member.key, to: &text)
        text += ": "
        try member.value.write(to: &text)
      }
      text += "}"
    }
  }

  private static func write(_ string: String, to text: inout String) {
    text += "\""
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"", "\\": text += "\\\(scalar)"
      case _ where scalar.value < 32:
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: text.unicodeScalars.append(scalar)
      }
    }
    text += "\""
  }
}
