import BackplaneCore

extension GraphBuilder {
  /// Appends the primitive operators that a fused operator stands for, for devices without it and for comparing the two.
  ///
  /// - Parameters: As of `apply`. States are never updated by the parts.
  /// - Returns: The fused operator's outputs in its spec's order; optional ones that its composition does not make are nil.
  /// - Throws: ``BackplaneError``: what `apply` of the fused operator would throw, or invalid for an operator that is not fused. Parts
  ///   appended before a part failed stay.
  @discardableResult
  public mutating func applyComposition(of op: String, _ inputs: [TensorID?], _ attributes: [Attribute] = [],
                                        name: String? = nil) throws(BackplaneError) -> [TensorID?] {
    let spec = try OperatorSpec.required(op)
    if spec.composition.isEmpty { throw BackplaneError(.invalid, "\(op) is a primitive operator") }
    for (k, id) in inputs.enumerated() {
      if let id, !graph.tensors.indices.contains(id.index) { throw .constraint(op, "I\(k)", "tensor \(id.index) is not of this graph") }
    }
    let whole = try spec.resolve(inputs: inputs.map { $0.map { self[$0] } }, attributes: attributes)
    var tensors: [String: TensorID] = [:]
    for (operand, id) in zip(spec.inputs, inputs) { tensors[operand.name] = id }
    for step in spec.composition {
      if let operand = step.ifPresent, tensors[operand] == nil {
        tensors[step.outputs[0]] = tensors[step.inputs[0]]
        continue
      }
      let given = step.attributes.map { binding in
        switch binding.value {
        case .value(let value): Attribute(binding.name, value)
        case .attribute(let own): Attribute(binding.name, whole.attributes[spec.attributeIndex(own)!].value)
        }
      }
      let part = try OperatorSpec.required(step.op)
      let optional = zip(step.outputs, part.outputs).filter { $0.1.isOptional }.map(\.1.name)
      let made = try apply(step.op, step.inputs.map { tensors[$0] }, given, name: name.map { "\($0).\(step.outputs[0])" },
                           optionalOutputs: Set(optional), updatingStates: false)
      for (name, id) in zip(step.outputs, made) { tensors[name] = id }
    }
    return spec.outputs.map { tensors[$0.name] }
  }
}
