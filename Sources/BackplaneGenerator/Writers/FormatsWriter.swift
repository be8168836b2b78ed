/// `Sources/BackplaneCore/ElementFormat.generated.swift`.
struct FormatsWriter {
  let formats: [FormatFile]

  var text: String {
    var text = """
      // Generated from Specs/formats/*.json by `backplane generate`. Do not edit.

      extension ElementFormat {

      """
    for format in formats {
      text += """
          /// \(SwiftText.sentence(format.summary))
          public static let \(SwiftText.lowerCamel(format.name)) = ElementFormat(name: \(SwiftText.quoted(format.name)), kind: .\(format.kind), \
        blockElements: \(format.blockElements), blockBytes: \(format.blockBytes), ggmlType: \(format.ggmlType.map(String.init) ?? "nil"))

        """
    }
    return text + """

        /// Every format, in the order of the registry.
        public static let all: [ElementFormat] = [
          \(formats.map { ".\(SwiftText.lowerCamel($0.name))" }.joined(separator: ", ")),
        ]
      }

      """
  }
}
