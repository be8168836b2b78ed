import BackplaneCore

extension OperatorSpec {
  /// Every attribute of the spec in its order: those given, else the defaults.
  func complete(_ given: [Attribute]) throws(BackplaneError) -> [Attribute] {
    var completed: [Attribute] = []
    completed.reserveCapacity(attributes.count)
    var used = 0
    for (index, attribute) in attributes.enumerated() {
      // Nodes carry attributes complete and in order: look there first.
      let at = index < given.count && given[index].name == attribute.name ? index : given.firstIndex { $0.name == attribute.name }
      if let at {
        used += 1
        completed.append(Attribute(attribute.name, try check(given[at].value, of: attribute)))
      } else if attribute.isRequired {
        throw .constraint(name, "A_\(attribute.name)", "attribute \(attribute.name) is missing", hint: attribute.text)
      } else {
        completed.append(Attribute(attribute.name, attribute.defaultValue))
      }
    }
    if used != given.count { throw unusable(given) }
    return completed
  }

  private func check(_ value: AttributeValue, of attribute: AttributeSpec) throws(BackplaneError) -> AttributeValue {
    func wrong(_ message: String) -> BackplaneError { .constraint(name, "A_\(attribute.name)", "\(attribute.name) = \(value.text) \(message)") }
    var value = value
    switch (attribute.type, value) {
    case (.int, .int), (.string, .string), (.ints, .ints): break
    case (.float, .float(let f)): if f.isNaN { throw wrong("is not a number") }
    case (.float, .int(let i)): value = .float(Double(i))
    default: throw wrong("is no \(attribute.type.rawValue)")
    }
    if !attribute.values.isEmpty, !attribute.values.contains(value) {
      throw wrong("is none of \(attribute.values.map(\.text).joined(separator: ", "))")
    }
    if let minimum = attribute.minimum {
      switch value {
      case .int(let i) where Double(i) < minimum: throw wrong("is less than \(Int(minimum))")
      case .float(let f) where f < minimum: throw wrong("is less than \(minimum)")
      default: break
      }
    }
    return value
  }

  /// More was given than the spec has: an unknown name or one given twice.
  private func unusable(_ given: [Attribute]) -> BackplaneError {
    var seen: Set<String> = []
    for attribute in given {
      if attributeIndex(attribute.name) == nil {
        let known = attributes.isEmpty ? "it has none" : "it has " + attributes.map(\.name).joined(separator: ", ")
        return .constraint(name, "A_\(attribute.name)", "there is no attribute \(attribute.name)", hint: known)
      }
      if !seen.insert(attribute.name).inserted { return .constraint(name, "A_\(attribute.name)", "attribute \(attribute.name) is given twice") }
    }
    return .constraint(name, "S", "attributes do not fit")
  }
}

extension AttributeValue {
  /// As a person would write it.
  var text: String {
    switch self {
    case .int(let i): "\(i)"
    case .float(let f): "\(f)"
    case .string(let s): "'\(s)'"
    case .ints(let v): "\(v)"
    case .floats(let v): "\(v)"
    }
  }
}
