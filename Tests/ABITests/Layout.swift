import BackplaneRegistry

/// The canonical text of what ABI 1.0 promises in bits: records with offsets, signatures, numbers. Its SHA-256 begins with the
/// layout hash. Packing, provisional in 1.0, is left out.
enum Layout {
  static let provisionalRecords: Set<String> = ["bp_pack_plan"]
  /// The first slot of the function table that is provisional.
  static let firstProvisionalSlot = "pack_plan"

  static func text(_ header: Header) -> String {
    var lines = ["ABI 1.0: records with offsets in bytes, functions, numbers. Packing is provisional and left out."]
    for alias in header.aliases { lines.append("type \(alias.name) = \(normal(alias.type))") }
    for record in header.records where !provisionalRecords.contains(record.name) {
      let isTable = record.name == "bp_device_fns"
      // The table ends with provisional slots: what lies before them is settled, its size is not.
      lines.append("record \(record.name)" + (isTable ? "" : ", \(record.size) bytes"))
      for field in record.fields {
        if isTable && field.name == firstProvisionalSlot { break }
        lines.append("  \(field.offset) \(field.name): \(normal(field.type))")
      }
    }
    for function in header.functions { lines.append("function \(function.name): \(normal(function.type))") }
    for name in header.macros.keys.sorted() where !name.hasPrefix("BP_PACK_") && !name.hasPrefix("BP_ABI_") {
      if let value = number(header.macros[name]!) { lines.append("number \(name) = \(value)") }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// The first 8 bytes of the text's SHA-256, the first byte the most significant.
  static func hash(_ text: String) -> UInt64 {
    SHA256.hash(Array(text.utf8)).prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// `struct x` and `x` name the same record; compilers differ in which they print.
  private static func normal(_ type: String) -> String {
    type.split(separator: " ").filter { $0 != "struct" }.joined(separator: " ")
  }

  /// `(-3)`, `4u`, `0xffffffffu`; nil for what is no number.
  static func number(_ text: String) -> Int64? {
    var digits = text.filter { $0 != "(" && $0 != ")" && $0 != " " }
    while let last = digits.last, "uUlL".contains(last) { digits.removeLast() }
    return digits.hasPrefix("0x") ? Int64(digits.dropFirst(2), radix: 16) : Int64(digits)
  }
}
