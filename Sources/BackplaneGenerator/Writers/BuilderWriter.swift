import BackplaneCore

/// `Sources/BackplaneSpecs/GraphBuilder+Operators.generated.swift`: one typed method an operator (two when it has optional outputs).
///
/// The first operand has no label, nor have further required ones whose names are single letters (`matmul(a, b)`,
/// `attention(q, k, v)`). Attributes follow with their defaults.
struct BuilderWriter {
  let operators: [OperatorFile]

  var text: String {
    var text = """
      // Generated from Specs/operators/*.json by `backplane generate`. Do not edit.

      import BackplaneCore

      extension GraphBuilder {

      """
    for (i, spec) in operators.enumerated() {
      if i > 0 { text += "\n" }
      text += method(spec, withOptional: false)
      if spec.outputs.contains(where: \.isOptional) { text += "\n" + method(spec, withOptional: true) }
    }
    return text + "}\n"
  }

  private func method(_ spec: OperatorFile, withOptional: Bool) -> String {
    typealias T = SwiftText
    let optional = withOptional ? spec.outputs.filter(\.isOptional).map(\.name) : []
    let outputs = spec.outputs.enumerated().filter { withOptional || !$1.isOptional }
    let result = outputs.count == 1 ? "TensorID" : "(" + outputs.map { "\($1.name): TensorID" }.joined(separator: ", ") + ")"
    let values = outputs.map { outputs.count == 1 ? "made[\($0.offset)]!" : "\($0.element.name): made[\($0.offset)]!" }.joined(separator: ", ")
    let suffix = optional.isEmpty ? "" : "With" + optional.map(T.upperCamel).joined(separator: "And")
    var call = "try apply(\(T.quoted(spec.name)), \(arguments(spec)), \(attributes(spec)), name: name"
    if !optional.isEmpty { call += ", optionalOutputs: \(T.list(optional))" }
    let extra = optional.isEmpty ? "" : "\n  /// Makes the optional output \(optional.joined(separator: ", ")) too."
    let head = "public mutating func \(T.identifier(T.lowerCamel(spec.name) + suffix))("
    let tail = ") throws(BackplaneError) -> \(result) {"
    let list = parameters(spec)
    let line = "  \(head)\(list.joined(separator: ", "))\(tail)"
    let signature = line.count <= 140 ? line : "  \(head)\n    \(list.wrapped(at: 140, indent: "    "))\n  \(tail)"
    return """
        /// \(T.sentence(spec.summary)) See Specs/operators/\(spec.name).md.\(extra)
      \(signature)
          let made = \(call))
          return \(outputs.count == 1 ? values : "(\(values))")
        }

      """
  }

  private func parameters(_ spec: OperatorFile) -> [String] {
    typealias T = SwiftText
    var parameters: [String] = []
    for (i, input) in spec.inputs.enumerated() {
      let name = T.identifier(T.lowerCamel(input.name))
      let isFree = !input.isOptional && (i == 0 || (input.name.count == 1 && !spec.inputs[..<i].contains(where: \.isOptional)))
      let type = input.isVariadic ? "[TensorID]" : input.isOptional ? "TensorID? = nil" : "TensorID"
      parameters.append("\(isFree ? "_ " : "")\(name): \(type)")
    }
    for attribute in spec.attributes {
      let type = ["int": "Int", "float": "Double", "string": "String", "ints": "[Int]"][attribute.type]!
      let value = attribute.isRequired ? "" : " = \(T.literal(attribute.defaultValue, attribute.type))"
      parameters.append("\(T.identifier(T.lowerCamel(attribute.name))): \(type)\(value)")
    }
    return parameters + ["name: String? = nil"]
  }

  private func arguments(_ spec: OperatorFile) -> String {
    let names = spec.inputs.map { SwiftText.identifier(SwiftText.lowerCamel($0.name)) }
    return spec.inputs.last?.isVariadic == true && names.count == 1 ? names[0] : "[\(names.joined(separator: ", "))]"
  }

  private func attributes(_ spec: OperatorFile) -> String {
    if spec.attributes.isEmpty { return "[]" }
    return "[\n" + spec.attributes.map {
      "      Attribute(\(SwiftText.quoted($0.name)), .\($0.type)(\(SwiftText.identifier(SwiftText.lowerCamel($0.name))))),\n"
    }.joined() + "    ]"
  }
}
