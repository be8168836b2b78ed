/// The number behind a name at the plugin boundary: FNV-1a-64 of its UTF-8 bytes.
///
/// Operators, element formats, layouts and attributes cross the ABI as such numbers (`bp_id`).
public struct Identifier: Hashable, Sendable {
  public let value: UInt64

  public init(_ name: String) { value = Identifier.hash(name) }
  public init(value: UInt64) { self.value = value }

  static func hash(_ name: String) -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    return hash
  }
}
