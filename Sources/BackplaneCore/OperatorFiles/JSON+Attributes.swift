extension JSON {
  /// Whether an attribute of type `type` can have this value.
  package func fits(_ type: String) -> Bool {
    switch (self, type) {
    case (.int, "int"), (.int, "float"), (.float, "float"), (.string, "string"): true
    case (.array(let values), "ints"): values.allSatisfy { if case .int = $0 { true } else { false } }
    default: false
    }
  }

  /// For messages.
  package var inWords: String {
    switch self {
    case .null: "null"
    case .bool(let b): "\(b)"
    case .int(let i): "\(i)"
    case .float(let f): "\(f)"
    case .string(let s): "'\(s)'"
    case .array: "a list"
    case .object: "an object"
    }
  }
}

extension String {
  /// `a/b/name.json` → `name`.
  package var stem: String { String(split(separator: "/").last ?? "").split(separator: ".").first.map(String.init) ?? "" }
}
