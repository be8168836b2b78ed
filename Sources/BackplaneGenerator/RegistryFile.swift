import BackplaneCore

/// `Specs/abi/registry.json` and `reasons.json`: the numbers of the plugin ABI.
struct RegistryFile {
  struct Status {
    let name, text: String
    let value: Int
  }
  struct Group {
    let prefix: String
    let names: [String]
  }
  struct Reason {
    let code: Int
    let name, text: String
    let hint: String?
  }
  let statuses: [Status]
  let structTypes: [String]
  let flags, sets: [Group]
  /// Formats in the order of `ElementFormat.all`.
  let formats: [String]
  let layouts: [String]
  let reasons: [Reason]

  init(registry: JSON, registryFile: String, reasons: JSON, reasonsFile: String) throws(BackplaneError) {
    let reader = try JSONReader(registry, file: registryFile, fields: [
      "comment", "status", "reasons", "formats", "layouts", "struct_types", "flags", "sets",
    ])
    var statuses: [Status] = []
    for (i, value) in try reader.array("status").enumerated() {
      let status = try JSONReader(value, file: registryFile, place: "status \(i)", fields: ["name", "value", "text"])
      statuses.append(Status(name: try status.string("name"), text: try status.string("text"), value: try status.int("value")))
    }
    if Set(statuses.map(\.value)).count != statuses.count { throw reader.wrong("status", "gives one number twice") }
    self.statuses = statuses
    structTypes = try reader.strings("struct_types")
    formats = try reader.strings("formats")
    layouts = try reader.strings("layouts")
    func groups(_ field: String) throws(BackplaneError) -> [Group] {
      var groups: [Group] = []
      for member in try reader.object(field) {
        guard case .array(let values) = member.value else { throw reader.wrong(field, "'\(member.key)' is no list") }
        var names: [String] = []
        for value in values {
          guard case .string(let name) = value else { throw reader.wrong(field, "'\(member.key)' is no list of names") }
          names.append(name)
        }
        if field == "flags", names.count > 32 { throw reader.wrong(field, "'\(member.key)' has more than 32 bits") }
        groups.append(Group(prefix: member.key, names: names))
      }
      return groups
    }
    flags = try groups("flags")
    sets = try groups("sets")

    let file = try JSONReader(reasons, file: reasonsFile, fields: ["comment", "reasons"])
    var list: [Reason] = []
    for (i, value) in try file.array("reasons").enumerated() {
      let reason = try JSONReader(value, file: reasonsFile, place: "reason \(i)", fields: ["code", "name", "text", "try"])
      list.append(Reason(code: try reason.int("code"), name: try reason.string("name"), text: try reason.string("text"), hint: try reason.optionalString("try")))
      if list[i].code != i { throw reason.wrong("code", "is \(list[i].code) at place \(i): codes are given in order and never again") }
    }
    if Set(list.map(\.name)).count != list.count { throw file.wrong("reasons", "give one name twice") }
    self.reasons = list
  }

  /// Every macro of the region, with its value.
  var macros: [(name: String, value: String, text: String?)] {
    var macros: [(name: String, value: String, text: String?)] = statuses.map { ($0.name, $0.value < 0 ? "(\($0.value))" : "\($0.value)", $0.text) }
    macros += reasons.map { ("BP_REASON_\($0.name)", "\($0.code)u", $0.text) }
    macros += structTypes.enumerated().map { ($1, "\($0)u", nil) }
    for group in flags { macros += group.names.enumerated().map { ("\(group.prefix)_\($1)", "\(UInt32(1) << UInt32($0))u", nil) } }
    for group in sets { macros += group.names.enumerated().map { ("\(group.prefix)_\($1)", "\($0)u", nil) } }
    return macros
  }
}
