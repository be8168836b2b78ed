import BackplaneCore

/// `Specs/formats/<format>.json`.
struct FormatFile {
  struct Field {
    let name, type: String
    let count: Int
    var bytes: Int { (FormatFile.fieldBytes[type] ?? 0) * count }
  }
  static let fieldBytes = ["u8": 1, "i8": 1, "u16": 2, "i16": 2, "f16": 2, "bf16": 2, "u32": 4, "i32": 4, "f32": 4]
  static let kinds = ["float", "signed", "unsigned", "bool", "block"]

  let file: String
  let name, kind, summary: String
  let blockElements, blockBytes: Int
  let ggmlType: Int?
  let fields: [Field]
  let decode: [String]

  init(_ json: JSON, file: String) throws(BackplaneError) {
    self.file = file
    let reader = try JSONReader(json, file: file, fields: [
      "$schema", "name", "kind", "block_elements", "block_bytes", "ggml_type", "summary", "fields", "decode",
    ])
    name = try reader.string("name")
    kind = try reader.string("kind")
    summary = try reader.string("summary")
    blockElements = try reader.int("block_elements")
    blockBytes = try reader.int("block_bytes")
    ggmlType = try reader.optionalInt("ggml_type")
    decode = try reader.strings("decode")
    var fields: [Field] = []
    for (i, value) in try reader.array("fields").enumerated() {
      let field = try JSONReader(value, file: file, place: "field \(i)", fields: ["name", "type", "count"])
      fields.append(Field(name: try field.string("name"), type: try field.string("type"), count: try field.int("count")))
      if FormatFile.fieldBytes[fields[i].type] == nil { throw field.wrong("type", "'\(fields[i].type)' is unknown") }
    }
    self.fields = fields
    if !FormatFile.kinds.contains(kind) { throw reader.wrong("kind", "'\(kind)' is none of \(FormatFile.kinds.joined(separator: ", "))") }
    if file.stem != name { throw reader.wrong("name", "'\(name)' is not the file's name") }
    if blockElements < 1 || blockBytes < 1 { throw reader.wrong("block_bytes", "and 'block_elements' must be positive") }
    if kind != "block", blockElements != 1 { throw reader.wrong("block_elements", "must be 1 for a plain format") }
    if kind == "block" {
      let sum = fields.map(\.bytes).reduce(0, +)
      if sum != blockBytes { throw reader.wrong("fields", "are \(sum) bytes, block_bytes says \(blockBytes)") }
      if decode.isEmpty { throw reader.wrong("decode", "is missing: a block format says what its bytes mean") }
    }
  }
}
