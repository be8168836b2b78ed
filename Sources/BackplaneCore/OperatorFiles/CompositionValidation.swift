/// How an operator is called: what a step of a composition must fit.
package struct OperatorSignature {
  package struct Input {
    package let name: String
    package let isOptional, isVariadic: Bool
    package init(name: String, isOptional: Bool, isVariadic: Bool) { (self.name, self.isOptional, self.isVariadic) = (name, isOptional, isVariadic) }
  }
  package let inputs: [Input]
  package let outputs: [String]
  /// The type as a spec file names it.
  package let attributes: [(name: String, type: String)]

  package init(inputs: [Input], outputs: [String], attributes: [(name: String, type: String)]) {
    (self.inputs, self.outputs, self.attributes) = (inputs, outputs, attributes)
  }
}

extension OperatorFile {
  package var signature: OperatorSignature {
    OperatorSignature(inputs: inputs.map { .init(name: $0.name, isOptional: $0.isOptional, isVariadic: $0.isVariadic) }, outputs: outputs.map(\.name),
                      attributes: attributes.map { ($0.name, $0.type) })
  }
}

/// A fused operator's meaning: steps name what there is, and make every output.
package struct CompositionValidation {
  private let spec: OperatorFile
  private let signature: (String) -> OperatorSignature?

  /// - Parameter signature: Of the operator of that name; nil when there is none.
  package init(spec: OperatorFile, signature: @escaping (String) -> OperatorSignature?) { (self.spec, self.signature) = (spec, signature) }

  package func run() throws(BackplaneError) {
    var known = Set(spec.inputs.map(\.name))
    for (i, step) in spec.composition.enumerated() {
      func error(_ message: String) -> BackplaneError { BackplaneError(.file, "composition step \(i) (\(step.op)): \(message)", subject: spec.file) }
      guard let op = signature(step.op), step.op != spec.name else { throw error("there is no such operator") }
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
          throw error("\(member.key): \(member.value.inWords) is no \(attribute.type)")
        }
      }
    }
    if let missing = spec.outputs.first(where: { !known.contains($0.name) && !$0.isOptional }) {
      throw BackplaneError(.file, "the composition does not make '\(missing.name)'", subject: spec.file)
    }
  }
}
