/// The header's house rules, as its first comment states them, over what clang makes of it.
enum HouseRules {
  /// Records whose layout is settled for ever: they carry no head.
  static let frozen: Set<String> = ["bp_head", "bp_str", "bp_span", "bp_array", "bp_elf_note"]
  static let words: Set<String> = ["const", "struct", "void", "char", "uint8_t", "uint16_t", "int32_t", "uint32_t", "int64_t", "uint64_t", "double"]

  /// One sentence for each thing that breaks a rule.
  static func violations(_ header: Header) -> [String] {
    var found: [String] = header.enumerations.map { "enum \($0): use numbers" }
    found += header.functionMacros.map { "\($0) is a function-like macro" }
    let names = Set(header.records.map(\.name))
    for record in header.records {
      if record.kind != "struct" { found.append("\(record.name) is a \(record.kind)") }
      if !record.name.hasPrefix("bp_") { found.append("record \"\(record.name)\" does not begin with bp_") }
      if !frozen.contains(record.name), record.fields.first?.name != "h" || record.fields.first?.type != "bp_head" {
        found.append("\(record.name) does not begin with bp_head h")
      }
      var end = 0
      for (index, field) in record.fields.enumerated() {
        let place = "\(record.name).\(field.name)"
        if field.isBitField { found.append("\(place) is a bit-field") }
        if field.type.hasSuffix("[]") { found.append("\(place) is a flexible array") }
        let embedded = bare(field.type)
        if names.contains(embedded), !frozen.contains(embedded) { found.append("\(place) embeds \(embedded), which may grow") }
        if embedded == "bp_head", index > 0 { found.append("\(place) is a second head") }
        if field.offset > end { found.append("\(record.name) has padding before \(field.name)") }
        end = field.offset + size(field.type, header)
        found += foreign(field.type, header).map { "\(place) uses \($0)" }
      }
      if record.size != end { found.append("\(record.name) has padding at its end") }
    }
    for function in header.functions {
      if function.isVariadic { found.append("\(function.name) takes varargs") }
      found += foreign(function.type, header).map { "\(function.name) uses \($0)" }
    }
    for alias in header.aliases where !alias.name.hasSuffix("_s") { found += foreign(alias.type, header).map { "\(alias.name) uses \($0)" } }
    return found
  }

  /// Without `const`, `struct` and array extents; empty for pointers and functions.
  private static func bare(_ type: String) -> String {
    if type.contains("*") { return "" }
    var words = type.split(separator: " ").filter { $0 != "const" && $0 != "struct" }
    if let last = words.popLast() { words.append(last.prefix { $0 != "[" }) }
    return words.joined(separator: " ")
  }

  private static func size(_ type: String, _ header: Header) -> Int {
    let count = type.split(separator: "[").dropFirst().map { Int($0.prefix { $0.isNumber }) ?? 0 }.reduce(1, *)
    return count * baseSize(type, header)
  }

  private static func baseSize(_ type: String, _ header: Header) -> Int {
    let name = bare(type)
    switch name {
    case "": return 8
    case "char", "uint8_t", "bool", "_Bool": return 1
    case "uint16_t": return 2
    case "int32_t", "uint32_t", "int", "float": return 4
    case "int64_t", "uint64_t", "double", "long", "size_t": return 8
    default:
      if let record = header.records.first(where: { $0.name == name }) { return record.size }
      if let alias = header.aliases.first(where: { $0.name == name }) { return size(alias.type, header) }
      return 0
    }
  }

  /// Type words that the header may not use: bool, long, size_t, int, float, varargs …
  private static func foreign(_ type: String, _ header: Header) -> [String] {
    var found = type.contains("...") ? ["varargs"] : []
    for word in type.split(whereSeparator: { !$0.isLetter && !$0.isNumber && $0 != "_" }).map(String.init) where !word.allSatisfy(\.isNumber) {
      if !words.contains(word) && !word.hasPrefix("bp_") { found.append(word) }
    }
    return found
  }
}
