import BackplaneCore

/// How an output's shape follows from the operands where a pattern cannot say it.
public enum ShapeRule: String, Sendable, CaseIterable {
  case reshape, transpose, concat, slice, pad, reduce, expand

  func shape(of resolver: Resolver) throws(BackplaneError) -> Shape {
    switch self {
    case .reshape: try reshapedShape(resolver)
    case .transpose: try transposedShape(resolver)
    case .concat: try concatenatedShape(resolver)
    case .slice: try slicedShape(resolver)
    case .pad: try paddedShape(resolver)
    case .reduce: try reducedShape(resolver)
    case .expand: try expandedShape(resolver)
    }
  }
}

extension Resolver {
  /// The first input, which every rule has.
  var x: TensorDescription { inputs[0]! }

  func int(_ name: String) -> Int { if case .int(let i) = value(name) { i } else { 0 } }
  func ints(_ name: String) -> [Int] { if case .ints(let v) = value(name) { v } else { [] } }
  private func value(_ name: String) -> AttributeValue? { attributes.first { $0.name == name }?.value }

  func attributeError(_ attribute: String, _ message: String) -> BackplaneError { error("A_\(attribute)", "\(attribute) \(message)") }

  /// A dimension's number from one that may count from the end.
  func normalized(_ axis: Int, rank: Int, _ attribute: String) throws(BackplaneError) -> Int {
    guard axis >= -rank, axis < rank else { throw attributeError(attribute, "names dimension \(axis), but the rank is \(rank)") }
    return axis < 0 ? axis + rank : axis
  }
}
