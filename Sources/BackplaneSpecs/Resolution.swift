import BackplaneCore

/// What an operator makes of its operands: everything that its spec leaves to be inferred.
public struct Resolution: Sendable {
  public struct Output: Hashable, Sendable {
    public let format: ElementFormat
    public let shape: Shape
  }

  /// Every attribute of the spec, defaults included, in the spec's order.
  public let attributes: [Attribute]
  /// One a declared output, optional ones included, in the spec's order.
  public let outputs: [Output]
  /// For each output the input whose storage it may take: declared in the spec, and format and shape are the same.
  public let inPlace: [Int?]
  /// The extent behind each name of the spec's shapes, such as "K"; names of absent operands are missing.
  public var extents: [String: Dimension] {
    var byName: [String: Dimension] = [:]
    for (name, dimension) in zip(names, slots) { byName[name] = dimension }
    return byName
  }

  let names: [String]
  let slots: [Dimension?]
}

extension Dimension {
  /// Equal numbers, or the same symbol.
  func isSame(as other: Dimension) -> Bool {
    switch (self, other) {
    case (.fixed(let a), .fixed(let b)): a == b
    case (.symbol(let a), .symbol(let b)): a.number == b.number
    default: false
    }
  }
}

extension Collection<Dimension> {
  func isSame(as other: some Collection<Dimension>) -> Bool { count == other.count && zip(self, other).allSatisfy { $0.isSame(as: $1) } }
}

extension OperatorSpec {
  /// Checks operands and attributes, completes the attributes and infers what comes out.
  ///
  /// - Parameters:
  ///   - inputs: In the spec's order, nil for an optional operand that is absent; trailing ones may be left out. Only format
  ///     and shape count.
  ///   - attributes: Those that differ from their default, in any order. A whole number stands for a float.
  /// - Throws: ``BackplaneError`` (constraint) with a label: C1 … the spec's own, I0 … that input, A_name that attribute, S shapes.
  public func resolve(inputs: [TensorDescription?], attributes: [Attribute]) throws(BackplaneError) -> Resolution {
    var resolver = Resolver(spec: self, inputs: inputs, attributes: try complete(attributes))
    return try resolver.resolve()
  }
}
