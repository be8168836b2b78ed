import BackplaneCore

extension GraphBuilder {
  /// Appends a node of the operator `op`: checks it against its spec, completes the attributes and makes the output tensors.
  ///
  /// A state that the operator may update in place (same format and shape) is updated: that output *is* the state.
  ///
  /// - Parameters:
  ///   - inputs: In the spec's order, nil for an optional operand that is absent; trailing ones may be left out.
  ///   - attributes: Those that differ from their default.
  ///   - name: Of the output tensor; several outputs get their operand's name behind it. Made up when nil.
  ///   - optionalOutputs: Names of the optional outputs that are wanted.
  ///   - updatingStates: false makes a new tensor even of a state, whose value then stays.
  /// - Returns: The outputs in the spec's order, nil for optional ones nobody asked for.
  /// - Throws: ``BackplaneError`` with the label of what does not hold. The graph is unchanged then.
  @discardableResult
  public mutating func apply(_ op: String, _ inputs: [TensorID?], _ attributes: [Attribute] = [], name: String? = nil,
                             optionalOutputs: Set<String> = [], updatingStates: Bool = true) throws(BackplaneError) -> [TensorID?] {
    let spec = try OperatorSpec.required(op)
    var descriptions: [TensorDescription?] = []
    descriptions.reserveCapacity(inputs.count)
    for (k, id) in inputs.enumerated() {
      if let id, !graph.tensors.indices.contains(id.index) { throw .constraint(op, "I\(k)", "tensor \(id.index) is not of this graph") }
      descriptions.append(id.map { self[$0] })
    }
    for wanted in optionalOutputs where !spec.outputs.contains(where: { $0.name == wanted && $0.isOptional }) {
      throw .constraint(op, "O", "there is no optional output \(wanted)")
    }
    let resolution = try spec.resolve(inputs: descriptions, attributes: attributes)
    let base = name ?? "\(op).\(graph.nodes.count)"
    var outputs: [TensorID?] = []
    for (j, operand) in spec.outputs.enumerated() {
      if operand.isOptional, !optionalOutputs.contains(operand.name) {
        outputs.append(nil)
      } else if updatingStates, let k = resolution.inPlace[j], descriptions[k]?.role == .state {
        outputs.append(inputs[k])
      } else {
        let made = resolution.outputs[j]
        outputs.append(intermediate(spec.outputs.count == 1 ? base : "\(base).\(operand.name)", made.format, made.shape))
      }
    }
    // Absent optional operands keep their place.
    let missing = Swift.max(0, spec.inputs.count - inputs.count)
    append(Node(op: op, version: spec.version, inputs: inputs + Array(repeating: nil, count: missing), outputs: outputs,
                attributes: resolution.attributes, numerics: numerics))
    return outputs
  }
}
