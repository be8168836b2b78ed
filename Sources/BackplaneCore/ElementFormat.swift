/// How the elements of a tensor are stored: a plain number type, or a block of elements that share scales.
///
/// The table of formats is generated from `Specs/formats`. Blocks run along the last dimension, so that dimension's extent is
/// a multiple of `blockElements`.
public struct ElementFormat: Hashable, Sendable {
  public enum Kind: String, Sendable { case float, signed, unsigned, bool, block }

  /// The spec's name, such as `f16` or `q4_K`.
  public let name: String
  public let kind: Kind
  /// Elements in a block; 1 for plain types.
  public let blockElements: Int
  /// Bytes of a block; of one element for plain types.
  public let blockBytes: Int
  /// The type's number in GGUF files, where it has one.
  public let ggmlType: Int?
  public let id: Identifier

  init(name: String, kind: Kind, blockElements: Int, blockBytes: Int, ggmlType: Int?) {
    self.name = name
    self.kind = kind
    self.blockElements = blockElements
    self.blockBytes = blockBytes
    self.ggmlType = ggmlType
    self.id = Identifier(name)
  }

  public var isBlock: Bool { kind == .block }
  /// A float type or a block format: its elements stand for real numbers.
  public var isReal: Bool { kind == .float || kind == .block }

  /// Bytes of `count` consecutive elements, nil when `count` is not whole blocks or the product overflows.
  public func bytes(forElements count: Int) -> Int? {
    guard count >= 0, count % blockElements == 0 else { return nil }
    let (bytes, overflow) = (count / blockElements).multipliedReportingOverflow(by: blockBytes)
    return overflow ? nil : bytes
  }

  public static func == (a: ElementFormat, b: ElementFormat) -> Bool { a.id == b.id }
  public func hash(into hasher: inout Hasher) { hasher.combine(id) }

  /// The format of that name, nil when there is none.
  public static func named(_ name: String) -> ElementFormat? { all.first { $0.name == name } }
  public static func with(id: Identifier) -> ElementFormat? { all.first { $0.id == id } }
  public static func with(ggmlType: Int) -> ElementFormat? { all.first { $0.ggmlType == ggmlType } }
}

extension ElementFormat: CustomStringConvertible {
  public var description: String { name }
}
