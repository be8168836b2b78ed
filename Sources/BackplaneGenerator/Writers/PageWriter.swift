import BackplaneCore

/// One Markdown page an operator and a format, and an index of each kind.
struct PageWriter {
  let operators: [OperatorFile]
  let formats: [FormatFile]

  static func mark(_ source: String) -> String { "<!-- Generated from \(source) by `backplane generate`. Do not edit. -->\n" }

  // MARK: Operators

  func page(_ spec: OperatorFile) -> String {
    var text = PageWriter.mark(spec.file) + """

      # \(spec.name)

      \(spec.summary)

      Version \(spec.version), level \(spec.level), tier \(spec.tier), id `0x\(String(Identifier(spec.name).value, radix: 16))`. The words are explained in \
      [operators.md](../operators.md).

      ## Operands

      | | name | formats | shape | |
      |---|---|---|---|---|

      """
    for (k, input) in spec.inputs.enumerated() { text += row("input \(k)", input) }
    for (j, output) in spec.outputs.enumerated() { text += row("output \(j)", output) }
    if !spec.attributes.isEmpty {
      text += "\n## Attributes\n\n| | name | type | default | values | meaning |\n|---|---|---|---|---|---|\n"
      for (i, attribute) in spec.attributes.enumerated() { text += row(i, attribute) }
    }
    if let rule = spec.shapeRule { text += "\n## Shape\n\nThe shape written `?` follows from the rule *\(rule)*: \(PageWriter.rules[rule] ?? "")\n" }
    if !spec.constraints.isEmpty {
      text += "\n## Constraints\n\n| label | holds | because |\n|---|---|---|\n"
      for constraint in spec.constraints { text += "| \(constraint.label) | \(code(constraint.formula)) | \(cell(constraint.text)) |\n" }
    }
    text += "\n## Meaning\n\n```\n" + spec.semantics.map { "\($0)\n" }.joined() + "```\n"
    if !spec.composition.isEmpty { text += "\nThe same as\n\n```\n" + spec.composition.map(line).joined() + "```\n" }
    text += "\n## Accuracy\n\n" + numerics(spec.numerics)
    if !spec.specialValues.isEmpty {
      text += "\n" + spec.specialValues.map { "- \($0.key): \($0.text)\n" }.joined()
    }
    for note in spec.notes { text += "\nNote: \(note).\n" }
    return text
  }

  private func row(_ place: String, _ operand: OperatorFile.Operand) -> String {
    var remarks: [String] = []
    if operand.isOptional { remarks.append("optional") }
    if operand.isVariadic { remarks.append("one or more") }
    if let input = operand.inPlace { remarks.append("may take \(input)'s storage; of a state, updates it") }
    if let attribute = operand.formatAttribute { remarks.append("format named by \(attribute)") }
    for (condition, shape) in operand.shapeWhen { remarks.append("shape \(code(shape)) when \(code(condition))") }
    return "| \(place) | \(operand.name) | \(operand.formats.joined(separator: ", ")) | \(operand.shape.isEmpty ? "scalar" : code(operand.shape)) | \(remarks.joined(separator: "; ")) |\n"
  }

  private func row(_ index: Int, _ attribute: OperatorFile.Attribute) -> String {
    var values = attribute.values.map { SwiftText.literal($0, attribute.type) }.joined(separator: ", ")
    if let minimum = attribute.minimum { values += "\(values.isEmpty ? "" : ", ")at least \(minimum == minimum.rounded() ? "\(Int(minimum))" : "\(minimum)")" }
    let value = attribute.isRequired ? "required" : SwiftText.literal(attribute.defaultValue, attribute.type)
    return "| \(index) | \(attribute.name) | \(attribute.type) | \(cell(value)) | \(cell(values)) | \(cell(attribute.text)) |\n"
  }

  private func line(_ step: OperatorFile.Step) -> String {
    let types = operators.first { $0.name == step.op }?.attributes ?? []
    let attributes = step.attributes.map { member in
      if case .string(let s) = member.value, s.hasPrefix("$") { return "\(member.key) = \(s.dropFirst())" }
      return "\(member.key) = \(SwiftText.literal(member.value, types.first { $0.name == member.key }?.type ?? "int"))"
    }
    return "\(step.outputs.joined(separator: ", ")) = \(step.op)(\((step.inputs + attributes).joined(separator: ", ")))\(step.ifPresent.map { "  if \($0) is there, else \(step.inputs[0])" } ?? "")\n"
  }

  private func numerics(_ numerics: OperatorFile.Numerics) -> String {
    var words = ["Bound *\(numerics.bound)*"]
    if let ulp = numerics.ulp { words.append("\(ulp) ulp") }
    if let roundings = numerics.roundings { words.append("\(roundings) rounding\(roundings == 1 ? "" : "s")") }
    if let accumulate = numerics.accumulate { words.append("accumulated in \(accumulate)") }
    if let statistics = numerics.statistics { words.append("statistics in \(statistics)") }
    if !numerics.declares.isEmpty { words.append("a kernel may declare \(numerics.declares.joined(separator: ", "))") }
    return words.joined(separator: "; ") + ".\n"
  }

  var operatorIndex: String {
    var text = PageWriter.mark("Specs/operators/*.json") + "\n# Operators\n\n| operator | level | |\n|---|---|---|\n"
    for spec in operators { text += "| [\(spec.name)](\(spec.name).md) | \(spec.level) | \(cell(spec.summary)) |\n" }
    return text
  }

  static let rules = [
    "reshape": "`shape` with 0 copied from x at that place and -1 inferred; symbols on both sides cancel.",
    "transpose": "dimension i of y is dimension permutation[i] of x.",
    "concat": "the sum along the axis, all other extents equal.",
    "slice": "the number of indexes from start to end by step; along the last dimension a block format is cut between blocks.",
    "pad": "before[d] + extent + after[d] for each dimension d.",
    "reduce": "x's without the reduced dimensions, or with 1 in their place.",
  ]

  // MARK: Formats

  func page(_ format: FormatFile) -> String {
    let bits = Double(format.blockBytes * 8) / Double(format.blockElements)
    var text = PageWriter.mark(format.file) + """

      # \(format.name)

      \(SwiftText.sentence(format.summary))

      | kind | elements a block | bytes a block | bits an element | GGUF type | id |
      |---|---|---|---|---|---|
      | \(format.kind) | \(format.blockElements) | \(format.blockBytes) | \(bits == bits.rounded() ? "\(Int(bits))" : "\(bits)") | \
      \(format.ggmlType.map(String.init) ?? "none") | `0x\(String(Identifier(format.name).value, radix: 16))` |

      """
    if !format.fields.isEmpty {
      text += "\n## Block\n\n| offset | field | type | count |\n|---|---|---|---|\n"
      var offset = 0
      for field in format.fields {
        text += "| \(offset) | \(field.name) | \(field.type) | \(field.count) |\n"
        offset += field.bytes
      }
    }
    if !format.decode.isEmpty { text += "\n## Decoding\n\n```\n" + format.decode.map { "\($0)\n" }.joined() + "```\n" }
    return text
  }

  var formatIndex: String {
    var text = PageWriter.mark("Specs/formats/*.json") + "\n# Element formats\n\n| format | kind | elements / bytes a block | GGUF type | |\n|---|---|---|---|---|\n"
    for f in formats {
      text += "| [\(f.name)](\(f.name).md) | \(f.kind) | \(f.blockElements) / \(f.blockBytes) | \(f.ggmlType.map(String.init) ?? "") | \(SwiftText.sentence(f.summary)) |\n"
    }
    return text
  }

  private func cell(_ text: String) -> String { text.replacing("|", with: "\\|") }
  private func code(_ text: String) -> String { "`\(cell(text))`" }
}
