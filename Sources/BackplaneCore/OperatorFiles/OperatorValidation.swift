/// One operator file by itself.
package struct OperatorValidation {
  static let sets: Set<String> = ["@float", "@block", "@plain", "@any"]
  static let rules: Set<String> = ["reshape", "transpose", "concat", "slice", "pad", "reduce", "expand"]
  static let functions: Set<String> = ["block", "rank", "elements", "last", "present"]
  package static let declarations = ["act_block", "operand_round", "p_round", "ftz"]
  static let bounds: Set<String> = [
    "exact", "rounding", "ulp", "ulp_absolute", "dot", "sum", "softmax", "attention", "rms_norm", "layer_norm", "rotary", "composition",
    "product", "l2_norm", "quantize", "merge",
  ]

  let spec: OperatorFile
  let formats: Set<String>
  private let isCustom: Bool
  private let hasShapeFunction: Bool

  /// - Parameters:
  ///   - formats: The names of all element formats.
  ///   - isCustom: An application's or a plugin's own operator rather than one of the catalogue.
  ///   - hasShapeFunction: An output's shape may be `?`, because a function says it.
  package init(spec: OperatorFile, formats: Set<String>, isCustom: Bool = false, hasShapeFunction: Bool = false) {
    (self.spec, self.formats, self.isCustom, self.hasShapeFunction) = (spec, formats, isCustom, hasShapeFunction)
  }

  func error(_ message: String) -> BackplaneError { BackplaneError(.file, message, subject: spec.file) }

  package func run() throws(BackplaneError) {
    try checkNames()
    for attribute in spec.attributes { try check(attribute) }
    for (k, input) in spec.inputs.enumerated() { try check(input, input: k) }
    for output in spec.outputs { try check(output, input: nil) }
    try checkConstraints()
    try checkNumerics()
    try checkConformance()
  }

  /// A vendor's or application's word, a dot, the operator's: no name of the catalogue, now or later, has a dot.
  private func checkCustomName() throws(BackplaneError) {
    let words = spec.name.split(separator: ".", omittingEmptySubsequences: false)
    func isWord(_ word: Substring) -> Bool {
      word.first?.isLowercase == true && word.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == 95 }
    }
    guard words.count >= 2, words.allSatisfy(isWord), spec.name.utf8.count <= OperatorValidation.longestName else {
      throw error("'op' is '\(spec.name)', which is no name for an operator of your own: lower-case words with dots between them, such as acme.swish_bias, "
        + "of \(OperatorValidation.longestName) bytes at most")
    }
  }
  /// What `bp_failure.op` has room for.
  private static let longestName = 39

  private func checkConformance() throws(BackplaneError) {
    guard let section = spec.conformance else { return }
    let extents = Set(spec.inputs.flatMap { input in ([input.shape] + input.shapeWhen.map(\.shape)).flatMap { (try? ShapePattern($0))?.extentNames ?? [] } })
    if let odd = section.extents.first(where: { !extents.contains($0.name) }) { throw error("conformance: '\(odd.name)' is no extent of an input") }
    for (name, values) in section.attributes {
      guard let attribute = spec.attributes.first(where: { $0.name == name }) else { throw error("conformance: '\(name)' is no attribute") }
      if let odd = values.first(where: { !$0.fits(attribute.type) }) { throw error("conformance: '\(name)' cannot be \(odd.inWords)") }
    }
    if let odd = section.operands.first(where: { operand in !spec.inputs.contains { $0.name == operand.name } }) {
      throw error("conformance: '\(odd.name)' is no input")
    }
  }

  private func checkNames() throws(BackplaneError) {
    if isCustom {
      try checkCustomName()
      if spec.level != "custom" { throw error("'level' '\(spec.level)' is the catalogue's; an operator of your own has none, or custom") }
    } else {
      if spec.file.stem != spec.name { throw error("'op' is '\(spec.name)', which is not the file's name") }
      if !["core", "llm", "vision"].contains(spec.level) { throw error("'level' '\(spec.level)' is none of core, llm, vision") }
    }
    if spec.version < 1 || !(1...3).contains(spec.tier) { throw error("'version' starts at 1, 'tier' is 1, 2 or 3") }
    if spec.inputs.isEmpty || spec.outputs.isEmpty { throw error("an operator has an input and an output") }
    if spec.semantics.isEmpty { throw error("'semantics' is missing") }
    if let rule = spec.shapeRule, !Self.rules.contains(rule) { throw error("'shape_rule' '\(rule)' is unknown") }
    let extents = Set((spec.inputs + spec.outputs).flatMap { ((try? ShapePattern($0.shape))?.extentNames) ?? [] })
    var seen: [String: String] = ["name": "the parameter 'name' of the Swift method"]
    func add(_ name: String, _ what: String) throws(BackplaneError) {
      let isWord = name.first?.isLowercase == true && name.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == 95 }
      if !isWord { throw error("\(what) '\(name)' is no lower-case word") }
      if let other = seen.updateValue(what, forKey: name) { throw error("\(what) '\(name)' has the name of \(other)") }
      if extents.contains(name) { throw error("\(what) '\(name)' has the name of an extent") }
    }
    for input in spec.inputs { try add(input.name, "input") }
    for output in spec.outputs { try add(output.name, "output") }
    for attribute in spec.attributes { try add(attribute.name, "attribute") }
    if let early = spec.inputs.dropLast().first(where: \.isVariadic) { throw error("input '\(early.name)' is variadic, but not the last") }
  }

  private func check(_ attribute: OperatorFile.Attribute) throws(BackplaneError) {
    guard ["int", "float", "string", "ints"].contains(attribute.type) else { throw error("attribute '\(attribute.name)': type '\(attribute.type)' is unknown") }
    for value in [attribute.defaultValue] + attribute.values where !value.fits(attribute.type) {
      throw error("attribute '\(attribute.name)': \(value.inWords) is no \(attribute.type)")
    }
    if !attribute.values.isEmpty, !attribute.isRequired, !attribute.values.contains(attribute.defaultValue) {
      throw error("attribute '\(attribute.name)': the default \(attribute.defaultValue.inWords) is none of its values")
    }
    guard let minimum = attribute.minimum else { return }
    switch attribute.defaultValue {
    case .int(let i) where Double(i) >= minimum: break
    case .float(let f) where f >= minimum: break
    default: throw error("attribute '\(attribute.name)': the default \(attribute.defaultValue.inWords) is less than the minimum, or no number")
    }
  }

  private func check(_ operand: OperatorFile.Operand, input: Int?) throws(BackplaneError) {
    let what = "\(input == nil ? "output" : "input") '\(operand.name)'"
    try checkFormats(operand, what)
    try checkShape(operand.shape, operand, what, isOutput: input == nil)
    for (condition, shape) in operand.shapeWhen {
      for reference in try formula(condition, what).references where reference.function != nil || !spec.attributes.contains(where: { $0.name == reference.name }) {
        throw error("\(what): the condition '\(condition)' may ask for attributes only, not for \(reference)")
      }
      try checkShape(shape, operand, what, isOutput: input == nil)
    }
    if input != nil {
      if operand.inPlace != nil || operand.formatAttribute != nil { throw error("\(what): 'in_place' and 'format_attribute' are an output's") }
    } else {
      if operand.isVariadic { throw error("\(what): only the last input is variadic") }
      if let target = operand.inPlace, !spec.inputs.contains(where: { $0.name == target }) { throw error("\(what): 'in_place' names '\(target)', which is no input") }
    }
  }

  private func checkFormats(_ operand: OperatorFile.Operand, _ what: String) throws(BackplaneError) {
    if operand.formats.isEmpty { throw error("\(what) has no formats") }
    for word in operand.formats {
      if word.hasPrefix("=") {
        guard operand.formats.count == 1 else { throw error("\(what): '\(word)' stands alone") }
        guard let other = spec.inputs.first(where: { $0.name == word.dropFirst() }), other.name != operand.name, !other.formats[0].hasPrefix("=") else {
          throw error("\(what): '\(word)' does not name an input with formats of its own")
        }
      } else if word.hasPrefix("@") {
        guard Self.sets.contains(word) else { throw error("\(what): the set '\(word)' is unknown (there are \(Self.sets.sorted().joined(separator: ", ")))") }
      } else if !formats.contains(word) {
        throw error("\(what): the format '\(word)' is unknown")
      }
    }
    if let name = operand.formatAttribute {
      guard let attribute = spec.attributes.first(where: { $0.name == name }), attribute.type == "string", !attribute.values.isEmpty else {
        throw error("\(what): 'format_attribute' '\(name)' is no string attribute with values")
      }
      if let odd = attribute.values.first(where: { value in !operand.formats.contains { .string($0) == value } }) {
        throw error("\(what): attribute '\(name)' may be \(odd.inWords), which is none of the formats")
      }
    } else if spec.outputs.contains(where: { $0.name == operand.name }), operand.formats.count > 1 || operand.formats[0].hasPrefix("@") {
      throw error("\(what): which of its formats it has is not said")
    }
  }

  private func checkShape(_ text: String, _ operand: OperatorFile.Operand, _ what: String, isOutput: Bool) throws(BackplaneError) {
    let pattern: ShapePattern
    do { pattern = try ShapePattern(text) } catch { throw self.error("\(what): \(error.message)") }
    if pattern.isRuled, spec.shapeRule == nil, !hasShapeFunction, isOutput { throw error("\(what): '?' needs a 'shape_rule'" + (isCustom ? " or a shape function" : "")) }
    let bound = Set(spec.inputs.flatMap { input in ([input.shape] + input.shapeWhen.map(\.shape)).flatMap { (try? ShapePattern($0))?.extentNames ?? [] } })
    for word in pattern.prefix + pattern.suffix {
      switch word {
      case .number: break
      case .extent(let name): if !bound.contains(name) { throw error("\(what): no input binds the extent '\(name)'") }
      case .formula(let formula):
        guard isOutput else { throw error("\(what): a formula as an extent is for outputs, not '\(formula.text)'") }
        try checkReferences(formula, what)
      }
    }
    if isOutput, pattern.spread != .none {
      let patterns = spec.inputs.compactMap { try? ShapePattern($0.shape) }
      if !patterns.contains(where: { $0.spread == pattern.spread }) { throw error("\(what): no input says what its spread stands for") }
    }
  }

  private func checkConstraints() throws(BackplaneError) {
    for (i, constraint) in spec.constraints.enumerated() {
      if constraint.label != "C\(i + 1)" { throw error("constraint \(i) is labelled '\(constraint.label)', not 'C\(i + 1)'") }
      try checkReferences(try formula(constraint.formula, "constraint \(constraint.label)"), "constraint \(constraint.label)")
    }
  }

  private func formula(_ text: String, _ what: String) throws(BackplaneError) -> Formula {
    do { return try Formula(text) } catch { throw self.error("\(what): \(error.message)") }
  }

  private func checkReferences(_ formula: Formula, _ what: String) throws(BackplaneError) {
    let extents = Set(spec.inputs.flatMap { input in ([input.shape] + input.shapeWhen.map(\.shape)).flatMap { (try? ShapePattern($0))?.extentNames ?? [] } })
    for reference in formula.references {
      if let function = reference.function {
        if !Self.functions.contains(function) { throw error("\(what): the function '\(function)' is unknown") }
        if !(spec.inputs + spec.outputs).contains(where: { $0.name == reference.name }) { throw error("\(what): '\(reference.name)' is no operand") }
      } else if !extents.contains(reference.name), !spec.attributes.contains(where: { $0.name == reference.name }) {
        throw error("\(what): '\(reference.name)' is neither an extent nor an attribute")
      }
    }
  }

  private func checkNumerics() throws(BackplaneError) {
    let numerics = spec.numerics
    if !Self.bounds.contains(numerics.bound) { throw error("numerics: the bound '\(numerics.bound)' is unknown") }
    if numerics.bound.hasPrefix("ulp") != (numerics.ulp != nil) { throw error("numerics: 'ulp' goes with the bounds ulp and ulp_absolute") }
    if (numerics.bound == "rounding") != (numerics.roundings != nil) { throw error("numerics: 'roundings' goes with the bound rounding") }
    if (numerics.bound == "composition") != !spec.composition.isEmpty { throw error("numerics: the bound composition goes with a 'composition'") }
    if let odd = numerics.declares.first(where: { !Self.declarations.contains($0) }) { throw error("numerics: a kernel cannot declare '\(odd)'") }
  }
}
