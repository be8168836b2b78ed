import BackplaneCore

/// The rules that spec files obey beyond their form. Each error names file, place and rule.
struct Validation {
  let operators: [OperatorFile]
  let formats: [FormatFile]
  let registry: RegistryFile

  func run() throws(BackplaneError) {
    try checkFormats()
    for spec in operators { try OperatorValidation(spec: spec, formats: Set(formats.map(\.name))).run() }
    for spec in operators where !spec.composition.isEmpty { try CompositionValidation(spec: spec, operators: operators).run() }
    let names = operators.map(\.name) + formats.map(\.name) + operators.flatMap { $0.attributes.map(\.name) } + registry.layouts
      + OperatorValidation.declarations
    if let (a, b) = Validation.collision(among: names) {
      throw BackplaneError(.file, "the names '\(a)' and '\(b)' have the same id", subject: "Specs", hint: "rename one of them")
    }
    try checkMacros()
  }

  /// The first two different names with the same number.
  static func collision(among names: [String], hash: (String) -> UInt64 = { Identifier($0).value }) -> (String, String)? {
    var byHash: [UInt64: String] = [:]
    for name in names {
      if let other = byHash.updateValue(name, forKey: hash(name)), other != name { return (other, name) }
    }
    return nil
  }

  private func checkFormats() throws(BackplaneError) {
    if Set(registry.formats) != Set(formats.map(\.name)) || registry.formats.count != formats.count {
      let odd = Set(registry.formats).symmetricDifference(formats.map(\.name)).sorted().joined(separator: ", ")
      throw BackplaneError(.file, "'formats' and the files of Specs/formats differ: \(odd)", subject: "Specs/abi/registry.json")
    }
    var types: [Int: String] = [:]
    for format in formats {
      guard let type = format.ggmlType, let other = types.updateValue(format.name, forKey: type) else { continue }
      throw BackplaneError(.file, "'ggml_type' \(type) is \(other)'s too", subject: format.file)
    }
  }

  /// `BP_<OP>_<ATTRIBUTE>` may mean two things when names are joined.
  private func checkMacros() throws(BackplaneError) {
    var seen = Set(registry.macros.map(\.name))
    for section in HeaderWriter(operators: operators, formats: formats, layouts: registry.layouts).sections {
      for macro in section.macros where !seen.insert(macro.name).inserted {
        throw BackplaneError(.file, "two names make the macro \(macro.name)", subject: "Specs", hint: "rename an attribute or operator (here \(section.title))")
      }
    }
  }
}

/// One operator file by itself.
private struct OperatorValidation {
  static let sets: Set<String> = ["@float", "@block", "@plain", "@any"]
  static let rules: Set<String> = ["reshape", "transpose", "concat", "slice", "pad", "reduce", "expand"]
  static let functions: Set<String> = ["block", "rank", "elements", "last", "present"]
  static let declarations = ["act_block", "operand_round", "p_round", "ftz"]
  static let bounds: Set<String> = [
    "exact", "rounding", "ulp", "ulp_absolute", "dot", "sum", "softmax", "attention", "rms_norm", "layer_norm", "rotary", "composition",
    "product", "l2_norm", "quantize", "merge",
  ]

  let spec: OperatorFile
  let formats: Set<String>

  func error(_ message: String) -> BackplaneError { BackplaneError(.file, message, subject: spec.file) }

  func run() throws(BackplaneError) {
    try checkNames()
    for attribute in spec.attributes { try check(attribute) }
    for (k, input) in spec.inputs.enumerated() { try check(input, input: k) }
    for output in spec.outputs { try check(output, input: nil) }
    try checkConstraints()
    try checkNumerics()
    try checkConformance()
  }

  private func checkConformance() throws(BackplaneError) {
    guard let section = spec.conformance else { return }
    let extents = Set(spec.inputs.flatMap { input in ([input.shape] + input.shapeWhen.map(\.shape)).flatMap { (try? ShapePattern($0))?.extentNames ?? [] } })
    if let odd = section.extents.first(where: { !extents.contains($0.name) }) { throw error("conformance: '\(odd.name)' is no extent of an input") }
    for (name, values) in section.attributes {
      guard let attribute = spec.attributes.first(where: { $0.name == name }) else { throw error("conformance: '\(name)' is no attribute") }
      if let odd = values.first(where: { !$0.fits(attribute.type) }) { throw error("conformance: '\(name)' cannot be \(odd.text)") }
    }
    if let odd = section.operands.first(where: { operand in !spec.inputs.contains { $0.name == operand.name } }) {
      throw error("conformance: '\(odd.name)' is no input")
    }
  }

  private func checkNames() throws(BackplaneError) {
    if spec.file.stem != spec.name { throw error("'op' is '\(spec.name)', which is not the file's name") }
    if !["core", "llm", "vision"].contains(spec.level) { throw error("'level' '\(spec.level)' is none of core, llm, vision") }
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
      throw error("attribute '\(attribute.name)': \(value.text) is no \(attribute.type)")
    }
    if !attribute.values.isEmpty, !attribute.isRequired, !attribute.values.contains(attribute.defaultValue) {
      throw error("attribute '\(attribute.name)': the default \(attribute.defaultValue.text) is none of its values")
    }
    guard let minimum = attribute.minimum else { return }
    switch attribute.defaultValue {
    case .int(let i) where Double(i) >= minimum: break
    case .float(let f) where f >= minimum: break
    default: throw error("attribute '\(attribute.name)': the default \(attribute.defaultValue.text) is less than the minimum, or no number")
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
        throw error("\(what): attribute '\(name)' may be \(odd.text), which is none of the formats")
      }
    } else if spec.outputs.contains(where: { $0.name == operand.name }), operand.formats.count > 1 || operand.formats[0].hasPrefix("@") {
      throw error("\(what): which of its formats it has is not said")
    }
  }

  private func checkShape(_ text: String, _ operand: OperatorFile.Operand, _ what: String, isOutput: Bool) throws(BackplaneError) {
    let pattern: ShapePattern
    do { pattern = try ShapePattern(text) } catch { throw self.error("\(what): \(error.message)") }
    if pattern.isRuled, spec.shapeRule == nil, isOutput { throw error("\(what): '?' needs a 'shape_rule'") }
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

/// A fused operator's meaning: steps name what there is, and make every output.
private struct CompositionValidation {
  let spec: OperatorFile
  let operators: [OperatorFile]

  func run() throws(BackplaneError) {
    var known = Set(spec.inputs.map(\.name))
    for (i, step) in spec.composition.enumerated() {
      func error(_ message: String) -> BackplaneError { BackplaneError(.file, "composition step \(i) (\(step.op)): \(message)", subject: spec.file) }
      guard let op = operators.first(where: { $0.name == step.op }), op.name != spec.name else { throw error("there is no such operator") }
      if let unknown = step.inputs.first(where: { !known.contains($0) }) { throw error("'\(unknown)' is no operand and not made before") }
      let required = op.inputs.filter { !$0.isOptional }.count
      if step.inputs.count < required || (step.inputs.count > op.inputs.count && op.inputs.last?.isVariadic != true) {
        throw error("\(step.inputs.count) inputs are given, \(op.inputs.count) are taken, \(required) of them required")
      }
      for (name, input) in zip(step.inputs, op.inputs) where !input.isOptional && name != step.ifPresent && spec.inputs.contains(where: { $0.name == name && $0.isOptional }) {
        throw error("'\(name)' is optional, but \(input.name) is required")
      }
      if step.outputs.isEmpty || step.outputs.count > op.outputs.count { throw error("\(step.outputs.count) outputs are named, it has \(op.outputs.count)") }
      if let condition = step.ifPresent {
        guard spec.inputs.contains(where: { $0.name == condition && $0.isOptional }) else { throw error("'\(condition)' is no optional operand") }
        if step.outputs.count != 1 || spec.outputs.contains(where: { $0.name == step.outputs[0] }) || step.inputs.first == condition {
          throw error("a step with 'if_present' has one output, which is its first input when it is left out")
        }
      }
      for name in step.outputs where !known.insert(name).inserted { throw error("'\(name)' is made twice") }
      for member in step.attributes {
        guard let attribute = op.attributes.first(where: { $0.name == member.key }) else { throw error("it has no attribute '\(member.key)'") }
        if case .string(let text) = member.value, text.hasPrefix("$") {
          guard let own = spec.attributes.first(where: { $0.name == text.dropFirst() }) else { throw error("'\(text)' is no attribute of \(spec.name)") }
          if own.type != attribute.type { throw error("'\(text)' is \(own.type), \(member.key) is \(attribute.type)") }
        } else if !member.value.fits(attribute.type) {
          throw error("\(member.key): \(member.value.text) is no \(attribute.type)")
        }
      }
    }
    if let missing = spec.outputs.first(where: { !known.contains($0.name) && !$0.isOptional }) {
      throw BackplaneError(.file, "the composition does not make '\(missing.name)'", subject: spec.file)
    }
  }
}

extension JSON {
  /// Whether an attribute of type `type` can have this value.
  func fits(_ type: String) -> Bool {
    switch (self, type) {
    case (.int, "int"), (.int, "float"), (.float, "float"), (.string, "string"): true
    case (.array(let values), "ints"): values.allSatisfy { if case .int = $0 { true } else { false } }
    default: false
    }
  }

  var text: String {
    switch self {
    case .null: "null"
    case .bool(let b): "\(b)"
    case .int(let i): "\(i)"
    case .float(let f): "\(f)"
    case .string(let s): "'\(s)'"
    case .array: "a list"
    case .object: "an object"
    }
  }
}
