import BackplaneCore

/// Checks a node of a graph from outside against its spec: operands, attributes complete and in order, and the declared outputs
/// equal to what the spec makes of the inputs.
///
/// - Throws: ``BackplaneError`` with operator and label; its `node` is set when `Graph.check()` calls.
public func check(_ node: Node, in graph: Graph) throws(BackplaneError) {
  try OperatorSpec.required(node.op).check(node, in: graph)
}

extension OperatorSpec {
  func check(_ node: Node, in graph: Graph) throws(BackplaneError) {
    if node.version != version {
      var error = BackplaneError(.unsupported, "version \(node.version) is asked for, the catalogue has \(version)")
      error.op = name
      error.reason = 2
      throw error
    }
    var inputs: [TensorDescription?] = []
    inputs.reserveCapacity(node.inputs.count)
    for (k, id) in node.inputs.enumerated() {
      if let id, !graph.tensors.indices.contains(id.index) { throw .constraint(name, "I\(k)", "tensor \(id.index) is not in the graph") }
      inputs.append(id.map { graph[$0] })
    }
    if node.inputs.count < self.inputs.count {
      throw .constraint(name, "I\(node.inputs.count)", "\(node.inputs.count) inputs are listed: absent optional operands keep their place")
    }
    guard node.outputs.count == outputs.count else {
      throw .constraint(name, "O\(node.outputs.count)", "\(node.outputs.count) outputs are declared, the operator has \(outputs.count)")
    }
    let resolution = try resolve(inputs: inputs, attributes: node.attributes)
    try checkComplete(node.attributes, resolution.attributes)
    for (j, id) in node.outputs.enumerated() { try checkOutput(j, id, resolution, inputs, node, graph) }
  }

  /// Plugins read attributes by index, so a node carries them all, in order, with their exact types.
  private func checkComplete(_ given: [Attribute], _ complete: [Attribute]) throws(BackplaneError) {
    for (k, wanted) in complete.enumerated() where k >= given.count || given[k] != wanted {
      throw .constraint(name, "A_\(wanted.name)", "attribute \(k) must be \(wanted.name) = \(wanted.value.text): a node has every attribute, in order")
    }
  }

  private func checkOutput(_ j: Int, _ id: TensorID?, _ resolution: Resolution, _ inputs: [TensorDescription?], _ node: Node,
                           _ graph: Graph) throws(BackplaneError) {
    let name = outputs[j].name
    guard let id else {
      if outputs[j].isOptional { return }
      throw .constraint(self.name, "O\(j)", "output \(name) is missing")
    }
    guard graph.tensors.indices.contains(id.index) else { throw .constraint(self.name, "O\(j)", "tensor \(id.index) is not in the graph") }
    let tensor = graph[id]
    let wanted = resolution.outputs[j]
    guard tensor.format == wanted.format else { throw .constraint(self.name, "O\(j)", "\(name) is declared \(tensor.format), but is \(wanted.format)") }
    guard tensor.shape.dimensions.isSame(as: wanted.shape.dimensions) else {
      throw .constraint(self.name, "O\(j)", "\(name) is declared \(tensor.shape), but is \(wanted.shape)")
    }
    switch tensor.role {
    case .intermediate: break
    case .state:
      // A state is written only by a node that may work in place on its old value.
      guard let k = resolution.inPlace[j], node.inputs[k] == id else {
        throw .constraint(self.name, "O\(j)", "\(name) is the state \(tensor.name), which this node does not update in place")
      }
    case .input, .constant: throw .constraint(self.name, "O\(j)", "\(name) is the \(tensor.role.rawValue) \(tensor.name), which no node may write")
    }
  }
}

extension Graph {
  /// Checks a graph from outside: numbers in range, roles and lists agreeing, every node against its spec, and topological
  /// order: each intermediate is written once, before it is read. States may be read before and after they are written.
  ///
  /// - Parameter isNew: False for a node whose spec need not be checked, because one with the same operator, attributes and operands'
  ///   formats, shapes and roles has been. Asked once a node, in order.
  /// - Throws: ``BackplaneError``; `node` names the node concerned.
  /// - Complexity: O(tensors + nodes); some five microseconds for each new node.
  public func check(isNew: (_ node: Int) -> Bool = { _ in true }) throws(BackplaneError) {
    try checkLists()
    var isReady = tensors.map { $0.role != .intermediate }
    for (number, node) in nodes.enumerated() {
      do {
        try check(node, &isReady, isNew: isNew(number))
      } catch {
        var located = error
        located.node = number
        throw located
      }
    }
    for id in outputs where !isReady[id.index] { throw BackplaneError(.invalid, "output \(tensors[id.index].name) is made by no node") }
    for tensor in tensors { try checkTensor(tensor) }
  }

  private func check(_ node: Node, _ isReady: inout [Bool], isNew: Bool) throws(BackplaneError) {
    if isNew { try OperatorSpec.required(node.op).check(node, in: self) }
    for (k, input) in node.inputs.enumerated() {
      guard let id = input, !isReady[id.index] else { continue }
      throw .constraint(node.op, "I\(k)", "\(tensors[id.index].name) is read before any node has made it", hint: "put the nodes in order")
    }
    for (j, output) in node.outputs.enumerated() {
      guard let id = output, tensors[id.index].role == .intermediate else { continue }
      if isReady[id.index] { throw .constraint(node.op, "O\(j)", "\(tensors[id.index].name) is written twice") }
      isReady[id.index] = true
    }
  }

  private func checkLists() throws(BackplaneError) {
    var listed = Array(repeating: false, count: tensors.count)
    for (list, role) in [(inputs, TensorRole.input), (constants, .constant), (states, .state)] {
      for id in list {
        guard tensors.indices.contains(id.index) else { throw BackplaneError(.invalid, "the list of \(role.rawValue)s names tensor \(id.index) of \(tensors.count)") }
        guard tensors[id.index].role == role else {
          throw BackplaneError(.invalid, "\(tensors[id.index].name) is listed as \(role.rawValue), but its role is \(tensors[id.index].role.rawValue)")
        }
        if listed[id.index] { throw BackplaneError(.invalid, "\(role.rawValue) \(tensors[id.index].name) is listed twice") }
        listed[id.index] = true
      }
    }
    for (index, tensor) in tensors.enumerated() where tensor.role != .intermediate && !listed[index] {
      throw BackplaneError(.invalid, "\(tensor.role.rawValue) \(tensor.name) is in no list")
    }
    for id in outputs where !tensors.indices.contains(id.index) { throw BackplaneError(.invalid, "the outputs name tensor \(id.index) of \(tensors.count)") }
  }

  /// After the nodes, whose constraints say more about a tensor that is wrong.
  private func checkTensor(_ tensor: TensorDescription) throws(BackplaneError) {
    if tensor.shape.dimensions.contains(where: { $0.minimum < 0 }) { throw BackplaneError(.invalid, "\(tensor.name)\(tensor.shape) has a negative extent") }
    if tensor.format.isBlock, tensor.shape.dimensions.last?.fixed.map({ $0 % tensor.format.blockElements != 0 }) ?? true {
      throw BackplaneError(.invalid, "\(tensor.name)\(tensor.shape) of \(tensor.format): the last extent must be a multiple of \(tensor.format.blockElements)")
    }
    if tensor.maximumBytes == nil { throw BackplaneError(.invalid, "\(tensor.name)\(tensor.shape) of \(tensor.format): its bytes overflow 64 bits") }
  }
}
