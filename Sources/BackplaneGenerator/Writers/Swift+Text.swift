import BackplaneCore

/// Pieces of generated Swift.
enum SwiftText {
  static func quoted(_ text: String) -> String {
    var escaped = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": escaped += "\\\""
      case "\\": escaped += "\\\\"
      case "\n": escaped += "\\n"
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return "\"\(escaped)\""
  }

  static func list(_ texts: [String]) -> String { "[" + texts.map(quoted).joined(separator: ", ") + "]" }

  /// The value as the attribute type `type` writes it; a whole number may stand for a float.
  static func literal(_ value: JSON, _ type: String) -> String {
    switch (value, type) {
    case (.int(let i), "float"): "\(Double(i))"
    case (.int(let i), _): "\(i)"
    case (.float(let f), _): "\(f)"
    case (.string(let s), _): quoted(s)
    case (.array(let values), _): "[" + values.map { literal($0, "int") }.joined(separator: ", ") + "]"
    default: preconditionFailure("validated before")
    }
  }

  /// `.int(1)`, `.float(0.5)` …
  static func attributeValue(_ value: JSON, _ type: String) -> String { ".\(type)(\(literal(value, type)))" }

  /// `rms_norm` → `rmsNorm`; an underscore before a digit stays: `q4_0`, `q4_K` → `q4K`.
  static func lowerCamel(_ name: String) -> String {
    var camel = ""
    var pending = false
    for character in name {
      if character == "_" { pending = true; continue }
      if pending { camel += character.isNumber ? "_\(character)" : character.uppercased() } else { camel.append(character) }
      pending = false
    }
    return camel
  }

  static func upperCamel(_ name: String) -> String {
    let camel = lowerCamel(name)
    return camel.prefix(1).uppercased() + camel.dropFirst()
  }

  /// In backticks where Swift reserves the word.
  static func identifier(_ name: String) -> String { reserved.contains(name) ? "`\(name)`" : name }

  private static let reserved: Set<String> = [
    "as", "break", "case", "catch", "class", "continue", "default", "defer", "do", "else", "enum", "extension", "false", "for", "func", "guard", "if",
    "import", "in", "init", "inout", "internal", "is", "let", "nil", "operator", "private", "protocol", "public", "repeat", "return", "self", "static",
    "struct", "subscript", "super", "switch", "throw", "throws", "true", "try", "typealias", "var", "where", "while",
  ]

  /// First letter upper case, one final stop.
  static func sentence(_ text: String) -> String { text.prefix(1).uppercased() + text.dropFirst() + (text.hasSuffix(".") ? "" : ".") }
}
