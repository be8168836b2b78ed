import BackplaneCore

/// The two generated parts of the C ABI.
struct HeaderWriter {
  static let begin = "/* BEGIN registry (generated from Specs/abi/registry.json and reasons.json by `backplane generate`) */\n"
  static let end = "/* END registry */"

  /// backplane_plugin.h with the region between its markers replaced.
  static func plugin(_ header: String, _ registry: RegistryFile, file: String) throws(BackplaneError) -> String {
    guard let start = header.range(of: begin), let stop = header.range(of: end), start.upperBound <= stop.lowerBound else {
      throw BackplaneError(.file, "the registry markers are missing", subject: file)
    }
    let region = registry.macros.map { "#define \($0.name) \($0.value)" + ($0.text.map { " /* \($0) */" } ?? "") + "\n" }.joined()
    return header[..<start.upperBound] + region + header[stop.lowerBound...]
  }

  let operators: [OperatorFile]
  let formats: [FormatFile]
  let layouts: [String]

  struct Macro {
    let name, value: String
    var comment: String?
    var line: String { "#define \(name) \(value)" + (comment.map { " /* \($0) */" } ?? "") + "\n" }
  }

  private func id(_ prefix: String, _ name: String) -> Macro {
    let digits = String(Identifier(name).value, radix: 16)
    return Macro(name: "\(prefix)_\(name.uppercased())", value: "0x" + String(repeating: "0", count: 16 - digits.count) + digits + "ull")
  }

  var attributeNames: [String] { Set(operators.flatMap { $0.attributes.map(\.name) }).sorted() }

  /// The macros in sections.
  var sections: [(title: String, macros: [Macro])] {
    var sections: [(title: String, macros: [Macro])] = [
      ("Operators: bp_node.op.", [Macro(name: "BP_OP_COUNT", value: "\(operators.count)")] + operators.map { id("BP_OP", $0.name) }),
      ("Element formats: bp_tensor.dtype.", formats.map { id("BP_FORMAT", $0.name) }),
      ("Layouts: bp_tensor.layout.", layouts.map { id("BP_LAYOUT", $0) }),
      ("Names of attributes: bp_attr.name. A node's attributes stand at the indexes below.", attributeNames.map { id("BP_ATTRIBUTE", $0) }),
    ]
    for spec in operators {
      let op = "BP_\(spec.name.uppercased())"
      var macros = [Macro(name: "\(op)_VERSION", value: "\(spec.version)"), Macro(name: "\(op)_INPUTS", value: "\(spec.inputs.count)"),
                    Macro(name: "\(op)_OUTPUTS", value: "\(spec.outputs.count)"), Macro(name: "\(op)_ATTRIBUTES", value: "\(spec.attributes.count)")]
      for (k, input) in spec.inputs.enumerated() {
        macros.append(Macro(name: "\(op)_IN_\(input.name.uppercased())", value: "\(k)",
                            comment: input.isVariadic ? "and all that follow" : input.isOptional ? "optional" : nil))
      }
      for (j, output) in spec.outputs.enumerated() {
        macros.append(Macro(name: "\(op)_OUT_\(output.name.uppercased())", value: "\(j)", comment: output.isOptional ? "optional" : nil))
      }
      for (i, attribute) in spec.attributes.enumerated() {
        macros.append(Macro(name: "\(op)_\(attribute.name.uppercased())", value: "\(i)", comment: HeaderWriter.kinds[attribute.type]))
      }
      sections.append((spec.name, macros))
    }
    return sections
  }

  private static let kinds = ["int": "BP_ATTR_I64", "float": "BP_ATTR_F64", "string": "BP_ATTR_STR", "ints": "BP_ATTR_I64S"]

  var text: String {
    var text = """
      /* Generated from Specs/operators and Specs/formats by `backplane generate`. Do not edit.
       *
       * Numbers behind names (bp_id), and the places of operands and attributes in a bp_node: inputs, outputs and attributes stand in
       * the spec's order. Macros only; C11 and C++11. What an operator means is in Specs/operators/<op>.md.
       */
      #ifndef BACKPLANE_OPERATORS_H
      #define BACKPLANE_OPERATORS_H

      """
    for section in sections { text += "\n/* \(section.title) */\n" + section.macros.map(\.line).joined() }
    return text + "\n#endif\n"
  }
}
