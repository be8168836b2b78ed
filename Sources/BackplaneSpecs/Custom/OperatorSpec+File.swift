import BackplaneCore

extension OperatorSpec {
  /// The operator that a validated file describes.
  ///
  /// - Throws: ``BackplaneError`` (file) for what the validation does not look at.
  package init(_ file: OperatorFile, _ functions: OperatorFunctions? = nil) throws(BackplaneError) {
    func operand(_ operand: OperatorFile.Operand) -> Operand {
      Operand(operand.name, operand.formats, operand.shape, optional: operand.isOptional, variadic: operand.isVariadic, inPlace: operand.inPlace,
              formatAttribute: operand.formatAttribute, shapeWhen: operand.shapeWhen.map { ($0.condition, $0.shape) })
    }
    func value(_ json: JSON, _ type: String) -> AttributeValue {
      switch (json, type) {
      case (.int(let i), "float"): .float(Double(i))
      case (.int(let i), _): .int(i)
      case (.float(let f), _): .float(f)
      case (.string(let s), _): .string(s)
      case (.array(let values), _): .ints(values.map { if case .int(let i) = $0 { i } else { 0 } })
      default: preconditionFailure("the validation lets \(json) pass as \(type)")
      }
    }
    var attributes: [AttributeSpec] = []
    for attribute in file.attributes {
      attributes.append(AttributeSpec(attribute.name, AttributeSpec.Kind(rawValue: attribute.type)!, default: value(attribute.defaultValue, attribute.type),
                                      required: attribute.isRequired, values: attribute.values.map { value($0, attribute.type) }, minimum: attribute.minimum, text: attribute.text))
    }
    let types = Dictionary(file.attributes.map { ($0.name, $0.type) }) { first, _ in first }
    var steps: [CompositionStep] = []
    for step in file.composition {
      guard let part = OperatorSpec.catalogueOperator(step.op) else { throw BackplaneError(.file, "no operator is called '\(step.op)'", subject: file.file) }
      steps.append(CompositionStep(step.op, step.inputs, step.outputs, step.attributes.map { member in
        if case .string(let text) = member.value, text.hasPrefix("$") { return (member.key, .attribute(String(text.dropFirst()))) }
        return (member.key, .value(value(member.value, part.attributes[part.attributeIndex(member.key)!].type.rawValue)))
      }, ifPresent: step.ifPresent))
    }
    var conformance = ConformanceSpec()
    if let section = file.conformance {
      conformance = ConformanceSpec(
        leading: section.leading, extents: section.extents.map { ($0.name, $0.values) }, shapes: section.shapes,
        attributes: section.attributes.map { name, values in (name, values.map { value($0, types[name]!) }) }, data: section.data,
        operands: section.operands.map { ($0.name, $0.data) }, cross: section.cross, exact: section.exact, metamorphic: section.metamorphic, require: section.require)
    }
    let numerics = file.numerics
    guard let bound = NumericsSpec.Bound(rawValue: numerics.bound), let level = Level(rawValue: file.level) else {
      throw BackplaneError(.file, "the bound '\(numerics.bound)' or the level '\(file.level)' is unknown", subject: file.file)
    }
    self.init(
      file.name, version: file.version, level: level, tier: file.tier, summary: file.summary, inputs: file.inputs.map(operand),
      outputs: file.outputs.map(operand), attributes: attributes,
      constraints: file.constraints.map { Constraint($0.label, $0.formula, text: $0.text) }, semantics: file.semantics,
      shapeRule: file.shapeRule.flatMap { ShapeRule(rawValue: $0) }, composition: steps,
      numerics: NumericsSpec(bound, ulp: numerics.ulp, roundings: numerics.roundings, accumulate: numerics.accumulate, statistics: numerics.statistics,
                             declares: numerics.declares),
      specialValues: Dictionary(file.specialValues.map { ($0.key, $0.text) }) { first, _ in first }, notes: file.notes, conformance: conformance, functions: functions)
  }

  /// What a step of a composition must fit.
  var signature: OperatorSignature {
    OperatorSignature(inputs: inputs.map { .init(name: $0.name, isOptional: $0.isOptional, isVariadic: $0.isVariadic) }, outputs: outputs.map(\.name),
                      attributes: attributes.map { ($0.name, $0.type.rawValue) })
  }
}
