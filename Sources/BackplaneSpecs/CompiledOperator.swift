import BackplaneCore

/// A spec's patterns and formulas with every name replaced by a number. Immutable.
final class CompiledOperator: Sendable {
  let extentNames: [String]
  let inputs: [CompiledOperand]
  let outputs: [CompiledOperand]
  let constraints: [CompiledFormula]
  /// Whether a `...` among the inputs says what `..*` must broadcast to.
  let spreadRules: Bool

  init(inputs: [Operand], outputs: [Operand], attributes: [AttributeSpec], constraints: [OperatorSpec.Constraint]) throws(BackplaneError) {
    var scope = Scope(operands: (inputs + outputs).map(\.name), attributes: attributes.map(\.name))
    func compile(_ operand: Operand) throws(BackplaneError) -> CompiledOperand {
      var alternatives: [(CompiledFormula, CompiledPattern)] = []
      for (condition, shape) in operand.shapeWhen { alternatives.append((try scope.compile(condition), try scope.compile(shape))) }
      return CompiledOperand(
        pattern: try scope.compile(operand.shape), alternatives: alternatives,
        formatOf: try operand.formatOf.map { (name) throws(BackplaneError) in try scope.operand(name) },
        formatAttribute: try operand.formatAttribute.map { (name) throws(BackplaneError) in try scope.attribute(name) },
        inPlace: try operand.inPlace.map { (name) throws(BackplaneError) in try scope.operand(name) })
    }
    for operand in inputs { for pattern in [operand.shape] + operand.shapeWhen.map(\.shape) { scope.declare(pattern) } }
    var compiledInputs: [CompiledOperand] = []
    var compiledOutputs: [CompiledOperand] = []
    var compiledConstraints: [CompiledFormula] = []
    for operand in inputs { compiledInputs.append(try compile(operand)) }
    for operand in outputs { compiledOutputs.append(try compile(operand)) }
    for constraint in constraints { compiledConstraints.append(try scope.compile(constraint.formula)) }
    self.inputs = compiledInputs
    self.outputs = compiledOutputs
    self.constraints = compiledConstraints
    extentNames = scope.extents
    spreadRules = compiledInputs.contains { $0.pattern.spread == .same }
  }
}

struct CompiledOperand: Sendable {
  let pattern: CompiledPattern
  let alternatives: [(CompiledFormula, CompiledPattern)]
  /// Inputs first, then outputs.
  let formatOf: Int?
  let formatAttribute: Int?
  let inPlace: Int?
}

struct CompiledPattern: Sendable {
  enum Word: Sendable {
    case extent(Int)
    case number(Int)
    case formula(CompiledFormula)
  }
  let text: String
  let prefix: [Word]
  let spread: ShapePattern.Spread
  let suffix: [Word]
  let isRuled: Bool
}

struct CompiledFormula: Sendable {
  enum Source: Sendable {
    case extent(Int)
    case attribute(Int)
    case block(Int), rank(Int), elements(Int), last(Int), present(Int)

    /// Whether its value depends on which end of a symbol's bounds is taken.
    var isExtent: Bool { switch self { case .extent, .elements, .last: true; default: false } }
  }
  let formula: Formula
  /// Where each of the formula's references comes from.
  let sources: [Source]
  let usesRemainder: Bool
}

/// What names mean in one spec.
private struct Scope {
  let operands: [String]
  let attributes: [String]
  var extents: [String] = []

  init(operands: [String], attributes: [String]) {
    self.operands = operands
    self.attributes = attributes
  }

  mutating func declare(_ pattern: ShapePattern) {
    for name in pattern.extentNames where !extents.contains(name) { extents.append(name) }
  }

  func operand(_ name: String) throws(BackplaneError) -> Int { try index(name, operands, "operand") }
  func attribute(_ name: String) throws(BackplaneError) -> Int { try index(name, attributes, "attribute") }

  private func index(_ name: String, _ list: [String], _ what: String) throws(BackplaneError) -> Int {
    guard let index = list.firstIndex(of: name) else { throw BackplaneError(.invalid, "no \(what) is called '\(name)'") }
    return index
  }

  func compile(_ formula: Formula) throws(BackplaneError) -> CompiledFormula {
    var sources: [CompiledFormula.Source] = []
    for reference in formula.references {
      switch reference.function {
      case nil:
        if let extent = extents.firstIndex(of: reference.name) { sources.append(.extent(extent)) }
        else if let attribute = attributes.firstIndex(of: reference.name) { sources.append(.attribute(attribute)) }
        else { throw BackplaneError(.invalid, "no extent or attribute is called '\(reference.name)'") }
      case "block": sources.append(.block(try operand(reference.name)))
      case "rank": sources.append(.rank(try operand(reference.name)))
      case "elements": sources.append(.elements(try operand(reference.name)))
      case "last": sources.append(.last(try operand(reference.name)))
      case "present": sources.append(.present(try operand(reference.name)))
      case let other?: throw BackplaneError(.invalid, "no function is called '\(other)' (there are block, rank, elements, last, present)")
      }
    }
    return CompiledFormula(formula: formula, sources: sources, usesRemainder: formula.usesRemainder)
  }

  func compile(_ pattern: ShapePattern) throws(BackplaneError) -> CompiledPattern {
    func compile(_ words: [ShapePattern.Word]) throws(BackplaneError) -> [CompiledPattern.Word] {
      var compiled: [CompiledPattern.Word] = []
      for word in words {
        switch word {
        case .number(let n): compiled.append(.number(n))
        case .formula(let f): compiled.append(.formula(try self.compile(f)))
        case .extent(let name):
          if let slot = extents.firstIndex(of: name) { compiled.append(.extent(slot)) }
          else { compiled.append(.formula(try self.compile(try Formula(name)))) }  // an output's extent given by an attribute
        }
      }
      return compiled
    }
    return CompiledPattern(text: pattern.text, prefix: try compile(pattern.prefix), spread: pattern.spread,
                           suffix: try compile(pattern.suffix), isRuled: pattern.isRuled)
  }
}
