import BackplaneCore

/// `Sources/BackplaneSpecs/Catalogue.generated.swift`: every spec as a literal in a function of its own, which compiles fast.
struct CatalogueWriter {
  let operators: [OperatorFile]

  var text: String {
    var text = """
      // Generated from Specs/operators/*.json by `backplane generate`. Do not edit.

      import BackplaneCore

      extension OperatorSpec {
        /// In alphabetical order.
        static let generated: [OperatorSpec] = [
          \(operators.map { "spec_\($0.name)()" }.wrapped(at: 130, indent: "    "))
        ]
      }

      """
    for spec in operators { text += "\n" + function(spec) }
    return text
  }

  private func function(_ spec: OperatorFile) -> String {
    typealias T = SwiftText
    var lines = ["version: \(spec.version), level: .\(spec.level), tier: \(spec.tier), summary: \(T.quoted(spec.summary))"]
    lines.append(block("inputs", spec.inputs.map(operand)))
    lines.append(block("outputs", spec.outputs.map(operand)))
    if !spec.attributes.isEmpty { lines.append(block("attributes", spec.attributes.map(attribute))) }
    if !spec.constraints.isEmpty {
      lines.append(block("constraints", spec.constraints.map {
        "OperatorSpec.Constraint(\(T.quoted($0.label)), \(T.quoted($0.formula)), text: \(T.quoted($0.text)))"
      }))
    }
    lines.append(block("semantics", spec.semantics.map(T.quoted)))
    if let rule = spec.shapeRule { lines.append("shapeRule: .\(rule)") }
    if !spec.composition.isEmpty { lines.append(block("composition", spec.composition.map { step($0) })) }
    lines.append("numerics: \(numerics(spec.numerics))")
    if !spec.specialValues.isEmpty {
      lines.append("specialValues: [" + spec.specialValues.map { "\(T.quoted($0.key)): \(T.quoted($0.text))" }.joined(separator: ", ") + "]")
    }
    if !spec.notes.isEmpty { lines.append("notes: \(T.list(spec.notes))") }
    if let section = spec.conformance { lines.append("conformance: \(conformance(section, spec))") }
    return """
      private func spec_\(spec.name)() -> OperatorSpec {
        OperatorSpec(
          \(T.quoted(spec.name)), \(lines.joined(separator: ",\n    ")))
      }

      """
  }

  private func block(_ label: String, _ items: [String]) -> String {
    items.isEmpty ? "\(label): []" : "\(label): [\n" + items.map { "      \($0),\n" }.joined() + "    ]"
  }

  private func operand(_ operand: OperatorFile.Operand) -> String {
    typealias T = SwiftText
    var text = "Operand(\(T.quoted(operand.name)), \(T.list(operand.formats)), \(T.quoted(operand.shape))"
    if operand.isOptional { text += ", optional: true" }
    if operand.isVariadic { text += ", variadic: true" }
    if let input = operand.inPlace { text += ", inPlace: \(T.quoted(input))" }
    if let attribute = operand.formatAttribute { text += ", formatAttribute: \(T.quoted(attribute))" }
    if !operand.shapeWhen.isEmpty {
      text += ", shapeWhen: [" + operand.shapeWhen.map { "(\(T.quoted($0.condition)), \(T.quoted($0.shape)))" }.joined(separator: ", ") + "]"
    }
    return text + ")"
  }

  private func attribute(_ attribute: OperatorFile.Attribute) -> String {
    typealias T = SwiftText
    var text = "AttributeSpec(\(T.quoted(attribute.name)), .\(attribute.type), default: \(T.attributeValue(attribute.defaultValue, attribute.type))"
    if attribute.isRequired { text += ", required: true" }
    if !attribute.values.isEmpty { text += ", values: [" + attribute.values.map { T.attributeValue($0, attribute.type) }.joined(separator: ", ") + "]" }
    if let minimum = attribute.minimum { text += ", minimum: \(minimum)" }
    return text + ", text: \(T.quoted(attribute.text)))"
  }

  private func step(_ step: OperatorFile.Step) -> String {
    typealias T = SwiftText
    var text = "OperatorSpec.CompositionStep(\(T.quoted(step.op)), \(T.list(step.inputs)), \(T.list(step.outputs))"
    let types = operators.first { $0.name == step.op }!.attributes
    let attributes = step.attributes.map { member in
      if case .string(let s) = member.value, s.hasPrefix("$") { return "(\(T.quoted(member.key)), .attribute(\(T.quoted(String(s.dropFirst())))))" }
      return "(\(T.quoted(member.key)), .value(\(T.attributeValue(member.value, types.first { $0.name == member.key }!.type))))"
    }
    if !attributes.isEmpty { text += ", [\(attributes.joined(separator: ", "))]" }
    if let condition = step.ifPresent { text += ", ifPresent: \(T.quoted(condition))" }
    return text + ")"
  }

  private func conformance(_ section: OperatorFile.Conformance, _ spec: OperatorFile) -> String {
    typealias T = SwiftText
    var parts: [String] = []
    if !section.leading.isEmpty { parts.append("leading: \(section.leading)") }
    if !section.extents.isEmpty {
      parts.append("extents: [" + section.extents.map { "(\(T.quoted($0.name)), \($0.values))" }.joined(separator: ", ") + "]")
    }
    if !section.shapes.isEmpty { parts.append("shapes: \(section.shapes)") }
    if !section.attributes.isEmpty {
      parts.append("attributes: [" + section.attributes.map { name, values in
        let type = spec.attributes.first { $0.name == name }!.type
        return "(\(T.quoted(name)), [\(values.map { T.attributeValue($0, type) }.joined(separator: ", "))])"
      }.joined(separator: ", ") + "]")
    }
    if !section.data.isEmpty { parts.append("data: \(T.list(section.data))") }
    if !section.operands.isEmpty {
      parts.append("operands: [" + section.operands.map { "(\(T.quoted($0.name)), \(T.quoted($0.data)))" }.joined(separator: ", ") + "]")
    }
    if !section.cross.isEmpty { parts.append("cross: \(T.list(section.cross))") }
    if !section.exact.isEmpty { parts.append("exact: \(T.list(section.exact))") }
    if !section.metamorphic.isEmpty { parts.append("metamorphic: \(T.list(section.metamorphic))") }
    if !section.require.isEmpty { parts.append("require: \(T.list(section.require))") }
    return "ConformanceSpec(\(parts.joined(separator: ",\n      ")))"
  }

  private func numerics(_ numerics: OperatorFile.Numerics) -> String {
    var text = "NumericsSpec(.\(SwiftText.lowerCamel(numerics.bound))"
    if let ulp = numerics.ulp { text += ", ulp: \(ulp)" }
    if let roundings = numerics.roundings { text += ", roundings: \(roundings)" }
    if let accumulate = numerics.accumulate { text += ", accumulate: \(SwiftText.quoted(accumulate))" }
    if let statistics = numerics.statistics { text += ", statistics: \(SwiftText.quoted(statistics))" }
    if !numerics.declares.isEmpty { text += ", declares: \(SwiftText.list(numerics.declares))" }
    return text + ")"
  }
}

extension [String] {
  /// The items with commas, in lines of at most `width`; continued lines start with `indent`.
  func wrapped(at width: Int, indent: String) -> String {
    var lines: [String] = []
    for (i, item) in enumerated() {
      let text = i == count - 1 ? item : item + ","
      if let last = lines.last, indent.count + last.count + 1 + text.count <= width { lines[lines.count - 1] += " " + text } else { lines.append(text) }
    }
    return lines.joined(separator: "\n" + indent)
  }
}
