import BackplaneCore

/// The rules that spec files obey beyond their form. Each error names file, place and rule.
struct Validation {
  let operators: [OperatorFile]
  let formats: [FormatFile]
  let registry: RegistryFile

  func run() throws(BackplaneError) {
    try checkFormats()
    for spec in operators { try OperatorValidation(spec: spec, formats: Set(formats.map(\.name))).run() }
    let signatures = Dictionary(uniqueKeysWithValues: operators.map { ($0.name, $0.signature) })
    for spec in operators where !spec.composition.isEmpty { try CompositionValidation(spec: spec) { signatures[$0] }.run() }
    let names = operators.map(\.name) + formats.map(\.name) + operators.flatMap { $0.attributes.map(\.name) } + registry.layouts
      + OperatorValidation.declarations
    if let (a, b) = Validation.collision(among: names) {
      throw BackplaneError(.file, "the names '\(a)' and '\(b)' have the same id", subject: "Specs", hint: "rename one of them")
    }
    try checkMacros()
  }

  /// The first two different names with the same number.
  static func collision(among names: [String], hash: (String) -> UInt64 = { Identifier($0).value }) -> (String, String)? {
    var byHash: [UInt64: String] = [:]
    for name in names {
      if let other = byHash.updateValue(name, forKey: hash(name)), other != name { return (other, name) }
    }
    return nil
  }

  private func checkFormats() throws(BackplaneError) {
    if Set(registry.formats) != Set(formats.map(\.name)) || registry.formats.count != formats.count {
      let odd = Set(registry.formats).symmetricDifference(formats.map(\.name)).sorted().joined(separator: ", ")
      throw BackplaneError(.file, "'formats' and the files of Specs/formats differ: \(odd)", subject: "Specs/abi/registry.json")
    }
    var types: [Int: String] = [:]
    for format in formats {
      guard let type = format.ggmlType, let other = types.updateValue(format.name, forKey: type) else { continue }
      throw BackplaneError(.file, "'ggml_type' \(type) is \(other)'s too", subject: format.file)
    }
  }

  /// `BP_<OP>_<ATTRIBUTE>` may mean two things when names are joined.
  private func checkMacros() throws(BackplaneError) {
    var seen = Set(registry.macros.map(\.name))
    for section in HeaderWriter(operators: operators, formats: formats, layouts: registry.layouts).sections {
      for macro in section.macros where !seen.insert(macro.name).inserted {
        throw BackplaneError(.file, "two names make the macro \(macro.name)", subject: "Specs", hint: "rename an attribute or operator (here \(section.title))")
      }
    }
  }
}
