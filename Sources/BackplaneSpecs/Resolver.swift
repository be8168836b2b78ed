import BackplaneCore

/// One resolution in progress. Order: operands there and of a supported format, shapes matched, outputs inferred, constraints.
struct Resolver {
  let spec: OperatorSpec
  let inputs: [TensorDescription?]
  let attributes: [Attribute]
  var slots: [Dimension?]
  var same: [Dimension]?
  var broadcast: [Dimension]?
  var outputs: [Resolution.Output] = []

  init(spec: OperatorSpec, inputs: [TensorDescription?], attributes: [Attribute]) {
    self.spec = spec
    self.inputs = inputs
    self.attributes = attributes
    slots = Array(repeating: nil, count: spec.compiled.extentNames.count)
  }

  mutating func resolve() throws(BackplaneError) -> Resolution {
    try checkPresence()
    for k in inputs.indices { try checkFormat(k) }
    for k in inputs.indices { try match(k) }
    if spec.compiled.spreadRules, let same, let broadcast { try checkBroadcast(broadcast, fits: same) }
    var ruled: [Shape]?
    if let rule = spec.shapeRule {
      ruled = Array(repeating: try rule.shape(of: self), count: spec.outputs.count)
    } else if let function = spec.functions?.shapes {
      ruled = try spec.shapes(of: inputs, attributes, function)
    }
    for j in spec.outputs.indices { outputs.append(try infer(j, ruled?[j])) }
    try checkConstraints()
    try checkBlocks()
    let inPlace = spec.compiled.outputs.enumerated().map { j, output -> Int? in
      guard let k = output.inPlace, let input = k < inputs.count ? inputs[k] : nil, input.format == outputs[j].format,
        input.shape.dimensions.isSame(as: outputs[j].shape.dimensions) else { return nil }
      return k
    }
    return Resolution(attributes: attributes, outputs: outputs, inPlace: inPlace, names: spec.compiled.extentNames, slots: slots)
  }

  /// The operand behind input number `k`: a variadic operand stands behind all from its place on.
  func operandIndex(_ k: Int) -> Int { min(k, spec.inputs.count - 1) }

  func name(_ k: Int) -> String {
    let operand = spec.inputs[operandIndex(k)]
    return operand.isVariadic ? "\(operand.name)[\(k - spec.inputs.count + 1)]" : operand.name
  }

  func error(_ label: String, _ message: String, hint: String? = nil) -> BackplaneError { .constraint(spec.name, label, message, hint: hint) }

  // MARK: Operands

  private func checkPresence() throws(BackplaneError) {
    let isVariadic = spec.inputs.last?.isVariadic ?? false
    if inputs.count > spec.inputs.count, !isVariadic {
      throw error("I\(spec.inputs.count)", "\(inputs.count) inputs were given, \(spec.inputs.count) at most are taken")
    }
    for k in 0..<max(inputs.count, spec.inputs.count) where k >= inputs.count || inputs[k] == nil {
      if !spec.inputs[operandIndex(k)].isOptional { throw error("I\(k)", "operand \(name(k)) is missing") }
    }
  }

  private func checkFormat(_ k: Int) throws(BackplaneError) {
    guard let tensor = inputs[k] else { return }
    let operand = operandIndex(k)
    if let other = spec.compiled.inputs[operand].formatOf {
      guard other < inputs.count, let wanted = inputs[other]?.format, tensor.format != wanted else { return }
      throw error("I\(k)", "\(name(k)) is \(tensor.format), but \(name(other)) is \(wanted): they must be the same", hint: "cast one of them")
    }
    let formats = spec.inputs[operand].formats
    guard formats.contains(tensor.format) else {
      throw error("I\(k)", "\(name(k)) is \(tensor.format), supported are \(formats.map(\.name).joined(separator: ", "))")
    }
    if k > operand, let first = inputs[operand], first.format != tensor.format {
      throw error("I\(k)", "\(name(k)) is \(tensor.format), but \(name(operand)) is \(first.format): they must be the same")
    }
  }

  // MARK: Shapes

  private func pattern(_ operand: CompiledOperand) throws(BackplaneError) -> CompiledPattern {
    for (condition, pattern) in operand.alternatives where try holds(condition, .lower) { return pattern }
    return operand.pattern
  }

  private mutating func match(_ k: Int) throws(BackplaneError) {
    guard let tensor = inputs[k] else { return }
    let pattern = try pattern(spec.compiled.inputs[operandIndex(k)])
    if pattern.isRuled { return }
    let dimensions = tensor.shape.dimensions
    let words = pattern.prefix.count + pattern.suffix.count
    if dimensions.count < words || (pattern.spread == .none && dimensions.count > words) {
      throw error("S", "\(name(k))\(tensor.shape) has rank \(dimensions.count), but its shape is [\(pattern.text)]")
    }
    let end = dimensions.count - pattern.suffix.count
    for (i, word) in pattern.prefix.enumerated() { try bind(word, dimensions[i], k) }
    for (i, word) in pattern.suffix.enumerated() { try bind(word, dimensions[end + i], k) }
    let middle = dimensions[pattern.prefix.count..<end]
    switch pattern.spread {
    case .none: break
    case .same:
      if let same {
        guard middle.isSame(as: same) else {
          throw error("S", "\(name(k))\(tensor.shape): the dimensions behind '...' differ from the other operands' \(Shape(same))")
        }
      } else {
        same = Array(middle)
      }
    case .broadcast:
      guard let known = broadcast else { broadcast = Array(middle); break }
      guard let joined = Resolver.broadcast(known, middle) else {
        throw error("S", "\(name(k))\(tensor.shape) does not broadcast with \(Shape(known))", hint: "extents must be equal or 1")
      }
      broadcast = joined
    }
  }

  private mutating func bind(_ word: CompiledPattern.Word, _ dimension: Dimension, _ k: Int) throws(BackplaneError) {
    switch word {
    case .extent(let slot):
      if let known = slots[slot] {
        if !known.isSame(as: dimension) {
          let extent = spec.compiled.extentNames[slot]
          throw error("S", "\(extent) is \(dimension) in \(name(k))\(inputs[k]!.shape), but \(known) before")
        }
      } else {
        slots[slot] = dimension
      }
    case .number(let n):
      if dimension.fixed != n { throw error("S", "\(name(k))\(inputs[k]!.shape): \(dimension) must be \(n)") }
    case .formula(let formula):
      let wanted = try extent(formula)
      if !wanted.isSame(as: dimension) { throw error("S", "\(name(k))\(inputs[k]!.shape): \(dimension) must be \(formula.formula.text) = \(wanted)") }
    }
  }

  private func checkBroadcast(_ small: [Dimension], fits whole: [Dimension]) throws(BackplaneError) {
    guard let joined = Resolver.broadcast(small, whole), joined.isSame(as: whole) else {
      throw error("S", "\(Shape(small)) does not broadcast to \(Shape(whole))", hint: "extents must be equal or 1")
    }
  }

  /// Extents are equal or 1; missing leading ones count as 1. nil when they do not fit.
  static func broadcast(_ a: some RandomAccessCollection<Dimension>, _ b: some RandomAccessCollection<Dimension>) -> [Dimension]? {
    let rank = max(a.count, b.count)
    var joined: [Dimension] = []
    joined.reserveCapacity(rank)
    for i in 0..<rank {
      let (ia, ib) = (i - (rank - a.count), i - (rank - b.count))
      let x = ia < 0 ? Dimension.fixed(1) : a[a.index(a.startIndex, offsetBy: ia)]
      let y = ib < 0 ? Dimension.fixed(1) : b[b.index(b.startIndex, offsetBy: ib)]
      if x.isSame(as: y) || y.fixed == 1 { joined.append(x) } else if x.fixed == 1 { joined.append(y) } else { return nil }
    }
    return joined
  }

  private func infer(_ j: Int, _ ruled: Shape?) throws(BackplaneError) -> Resolution.Output {
    let output = spec.compiled.outputs[j]
    let format: ElementFormat
    if let other = output.formatOf {
      guard let known = other < inputs.count ? inputs[other]?.format : nil else { throw error("S", "the format of \(spec.outputs[j].name) is unknown") }
      format = known
    } else if let attribute = output.formatAttribute {
      guard case .string(let name) = attributes[attribute].value, let known = ElementFormat.named(name), spec.outputs[j].formats.contains(known) else {
        throw error("A_\(attributes[attribute].name)", "\(attributes[attribute].value.text) is no format of \(spec.outputs[j].name)")
      }
      format = known
    } else {
      format = spec.outputs[j].formats[0]
    }
    let pattern = try pattern(output)
    if pattern.isRuled, let ruled { return Resolution.Output(format: format, shape: ruled) }
    var dimensions: [Dimension] = []
    for word in pattern.prefix { dimensions.append(try dimension(word, j)) }
    switch pattern.spread {
    case .none: break
    case .same: dimensions += same ?? []
    case .broadcast: dimensions += broadcast ?? []
    }
    for word in pattern.suffix { dimensions.append(try dimension(word, j)) }
    if dimensions.count > Shape.maximumRank { throw error("S", "\(spec.outputs[j].name) would have \(dimensions.count) dimensions, 8 at most are possible") }
    return Resolution.Output(format: format, shape: Shape(dimensions))
  }

  private func dimension(_ word: CompiledPattern.Word, _ j: Int) throws(BackplaneError) -> Dimension {
    switch word {
    case .number(let n): return .fixed(n)
    case .formula(let formula): return try extent(formula)
    case .extent(let slot):
      guard let known = slots[slot] else { throw error("S", "extent \(spec.compiled.extentNames[slot]) of \(spec.outputs[j].name) is unknown") }
      return known
    }
  }

  /// An extent given by a formula: over symbols there is none.
  private func extent(_ formula: CompiledFormula) throws(BackplaneError) -> Dimension {
    if let symbolic = formula.sources.first(where: { !($0.isExtent ? isFixed($0) : true) }) {
      throw error("S", "\(formula.formula.text) cannot be computed: \(describe(symbolic)) is symbolic")
    }
    let value: Formula.Value?
    do { value = try evaluate(formula, .lower) } catch { throw self.error("S", "\(formula.formula.text): \(error.message)") }
    guard case .int(let n) = value, n >= 0 else { throw error("S", "\(formula.formula.text) is no extent") }
    return .fixed(n)
  }

  private func checkBlocks() throws(BackplaneError) {
    for (k, input) in inputs.enumerated() {
      if let input, input.format.isBlock { try checkBlocks(input.format, input.shape, "I\(k)", name(k)) }
    }
    for (j, output) in outputs.enumerated() where output.format.isBlock { try checkBlocks(output.format, output.shape, "S", spec.outputs[j].name) }
  }

  private func checkBlocks(_ format: ElementFormat, _ shape: Shape, _ label: String, _ name: String) throws(BackplaneError) {
    guard let last = shape.dimensions.last else { throw error(label, "\(name) is a scalar of \(format), whose blocks need a dimension to run along") }
    guard let extent = last.fixed else { throw error(label, "\(name)\(shape) of \(format): the last extent must be fixed, blocks run along it") }
    if extent % format.blockElements != 0 {
      throw error(label, "\(name)\(shape) of \(format): \(extent) is not a multiple of \(format.blockElements)")
    }
  }

  // MARK: Constraints

  /// Which end of the symbols' bounds is taken.
  enum Side { case lower, aboveLower, upper }

  private func checkConstraints() throws(BackplaneError) {
    for (constraint, compiled) in zip(spec.constraints, spec.compiled.constraints) {
      try check(constraint, compiled, .lower)
      if compiled.sources.contains(where: { $0.isExtent && !isFixed($0) }) {
        try check(constraint, compiled, .upper)
        // A remainder that is 0 at both ends may be something else between them; at the lower end and one above it, it may not.
        if compiled.usesRemainder { try check(constraint, compiled, .aboveLower) }
      }
    }
  }

  private func check(_ constraint: OperatorSpec.Constraint, _ compiled: CompiledFormula, _ side: Side) throws(BackplaneError) {
    do {
      if try holds(compiled, side) { return }
    } catch {
      throw self.error(constraint.label, "\(values(compiled.formula, compiled, side)): \(error.message); \(constraint.text)")
    }
    throw error(constraint.label, "\(failure(compiled, side)); \(constraint.text)")
  }

  private func holds(_ formula: CompiledFormula, _ side: Side) throws(BackplaneError) -> Bool {
    switch try evaluate(formula, side) {
    case nil, .bool(true): true  // nil: about an operand that is absent
    case .int(let i): i != 0
    default: false
    }
  }

  private func evaluate(_ formula: CompiledFormula, _ side: Side) throws(BackplaneError) -> Formula.Value? {
    try formula.formula.evaluate { value(formula.sources[$0], side) }
  }

  private func value(_ source: CompiledFormula.Source, _ side: Side) -> Formula.Value? {
    switch source {
    case .extent(let slot): return slots[slot].map { .int(number($0, side)) }
    case .attribute(let index):
      switch attributes[index].value {
      case .int(let i): return .int(i)
      case .float(let f): return .float(f)
      case .string(let s): return .string(s)
      case .ints(let v): return .int(v.count)
      case .floats(let v): return .int(v.count)
      }
    case .present(let operand): return .bool(tensor(operand) != nil)
    case .block(let operand): return tensor(operand).map { .int($0.format.blockElements) }
    case .rank(let operand): return tensor(operand).map { .int($0.shape.rank) }
    case .last(let operand): return tensor(operand).map { .int($0.shape.dimensions.last.map { number($0, side) } ?? 1) }
    case .elements(let operand):
      return tensor(operand).map { tensor in
        var product = 1.0
        var exact = 1
        for dimension in tensor.shape.dimensions {
          product *= Double(number(dimension, side))
          exact = exact &* number(dimension, side)
        }
        return product < 0x1p62 ? .int(exact) : .float(product)  // beyond memory anyway: near enough
      }
    }
  }

  private func tensor(_ operand: Int) -> Resolution.Output? {
    if operand >= spec.inputs.count { return outputs.indices.contains(operand - spec.inputs.count) ? outputs[operand - spec.inputs.count] : nil }
    guard operand < inputs.count, let input = inputs[operand] else { return nil }
    return Resolution.Output(format: input.format, shape: input.shape)
  }

  private func number(_ dimension: Dimension, _ side: Side) -> Int {
    switch side {
    case .lower: dimension.minimum
    case .upper: dimension.maximum
    case .aboveLower: min(dimension.minimum + (dimension.fixed == nil ? 1 : 0), dimension.maximum)
    }
  }

  private func isFixed(_ source: CompiledFormula.Source) -> Bool {
    switch source {
    case .extent(let slot): slots[slot]?.fixed != nil || slots[slot] == nil
    case .elements(let operand): tensor(operand)?.shape.isFixed ?? true
    case .last(let operand): tensor(operand)?.shape.dimensions.last?.fixed != nil
    default: true
    }
  }

  // MARK: Messages

  /// What fails and with which values: `K = 33 is not a multiple of q4_0's 32`.
  private func failure(_ compiled: CompiledFormula, _ side: Side) -> String {
    let parts = compiled.formula.conjuncts
    let failing = parts.first { part in
      let value = try? part.evaluate { self.value(compiled.sources[$0], side) }
      return value == .bool(false) || value == .int(0)
    } ?? compiled.formula
    if let (dividend, divisor) = failing.divisibility, let divisorValue = try? divisor.evaluate({ value(compiled.sources[$0], side) }),
      case .int(let n) = divisorValue {
      var owner = divisor.usedReferences.isEmpty ? "" : "\(divisor.text) = "
      if divisor.usedReferences.count == 1, case .block(let operand) = compiled.sources[divisor.usedReferences[0]], let format = tensor(operand)?.format {
        owner = "\(format)'s "
      }
      return "\(values(dividend, compiled, side)) is not a multiple of \(owner)\(n)"
    }
    return "\(values(failing, compiled, side)) breaks \(failing.text)"
  }

  private func values(_ formula: Formula, _ compiled: CompiledFormula, _ side: Side) -> String {
    formula.usedReferences.map { index in
      let value: String = switch value(compiled.sources[index], side) {
      case .int(let i): "\(i)"
      case .float(let f): "\(f)"
      case .string(let s): "'\(s)'"
      case .bool(let b): "\(b)"
      case nil: "unknown"
      }
      return "\(formula.references[index]) = \(value)"
    }.joined(separator: ", ")
  }

  private func describe(_ source: CompiledFormula.Source) -> String {
    switch source {
    case .extent(let slot): spec.compiled.extentNames[slot]
    case .last(let operand), .elements(let operand), .block(let operand), .rank(let operand), .present(let operand):
      (spec.inputs + spec.outputs)[operand].name
    case .attribute(let index): attributes[index].name
    }
  }
}
