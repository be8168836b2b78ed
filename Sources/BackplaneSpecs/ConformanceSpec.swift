import BackplaneCore

/// What the conformance suite tries of an operator beyond what follows from its signature. Specs/conformance.md explains the words.
public struct ConformanceSpec: Sendable {
  /// What the spread of a shape (`...` or `..*`) may stand for.
  public let leading: [[Int]]
  /// Values to try for extents of these names.
  public let extents: [(name: String, values: [Int])]
  /// For shapes that a rule makes: the extents of each input.
  public let shapes: [[[Int]]]
  /// Values to try for attributes of these names.
  public let attributes: [(name: String, values: [AttributeValue])]
  /// Kinds of data for the operands that ``operands`` does not name; empty for the usual ones.
  public let data: [String]
  /// The kind of data of single operands.
  public let operands: [(name: String, data: String)]
  /// What must occur in every combination, not only in pairs: operands (their formats), attributes, "data", "mem".
  public let cross: [String]
  /// Kinds of data on which every kernel is exact, whatever its order of sums.
  public let exact: [String]
  /// Relations between results.
  public let metamorphic: [String]
  /// IDs of cases that are always tried.
  public let require: [String]

  public init(leading: [[Int]] = [], extents: [(String, [Int])] = [], shapes: [[[Int]]] = [], attributes: [(String, [AttributeValue])] = [],
              data: [String] = [], operands: [(String, String)] = [], cross: [String] = [], exact: [String] = [], metamorphic: [String] = [], require: [String] = []) {
    self.leading = leading
    self.extents = extents.map { (name: $0.0, values: $0.1) }
    self.shapes = shapes
    self.attributes = attributes.map { (name: $0.0, values: $0.1) }
    self.data = data
    self.operands = operands.map { (name: $0.0, data: $0.1) }
    self.cross = cross
    self.exact = exact
    self.metamorphic = metamorphic
    self.require = require
  }
}
