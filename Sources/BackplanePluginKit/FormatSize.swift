public import BackplaneABI

/// How an element format lies in memory.
public struct FormatSize: Sendable {
  public let name: String
  public let blockElements: Int
  public let blockBytes: Int

  public init(name: String, blockElements: Int, blockBytes: Int) {
    (self.name, self.blockElements, self.blockBytes) = (name, blockElements, blockBytes)
  }

  /// What an address must be a multiple of: an element's size; of a block format, that of the 16-bit scales in it.
  public var alignment: Int { blockElements == 1 ? blockBytes : blockBytes % 2 == 0 ? 2 : 1 }

  /// No format: no bytes.
  public static let none = FormatSize(name: "none", blockElements: 1, blockBytes: 0)

  /// nil for a format that this build does not know.
  public static func of(_ format: bp_id) -> FormatSize? { table[format] }

  private static let table: [bp_id: FormatSize] = {
    let sizes: [(String, Int, Int)] = [
      ("f32", 1, 4), ("f16", 1, 2), ("bf16", 1, 2), ("f64", 1, 8), ("i8", 1, 1), ("u8", 1, 1), ("i16", 1, 2), ("i32", 1, 4), ("i64", 1, 8),
      ("bool", 1, 1), ("q4_0", 32, 18), ("q4_1", 32, 20), ("q5_0", 32, 22), ("q5_1", 32, 24), ("q8_0", 32, 34), ("q2_K", 256, 84),
      ("q3_K", 256, 110), ("q4_K", 256, 144), ("q5_K", 256, 176), ("q6_K", 256, 210), ("iq4_nl", 32, 18), ("mxfp4", 32, 17), ("tq2_0", 256, 66),
      ("q4_z", 32, 22), ("nf4", 32, 20),
    ]
    return Dictionary(uniqueKeysWithValues: sizes.map { (identifier($0.0), FormatSize(name: $0.0, blockElements: $0.1, blockBytes: $0.2)) })
  }()
}
