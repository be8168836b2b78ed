import BackplaneABI
import BackplaneCore
import BackplaneRegistry

/// A run of nodes that one device compiles into one program.
struct ProgramPlan {
  var device: Int
  /// Nodes of the rewritten graph.
  var nodes: Range<Int>
  var graph: Graph
  /// For each tensor of `graph`, its number in the whole graph.
  var tensors: [TensorID]
  /// What a dispatch binds, as numbers of the whole graph.
  var bindings: [TensorID]
}

extension ProgramPlan {
  /// - Parameters:
  ///   - lastReader: For each tensor of the whole graph the last node that reads it, -1 none.
  ///   - isOutput: For each tensor whether it is an output of the whole graph.
  init(_ whole: Graph, nodes: Range<Int>, device: Int, lastReader: [Int], isOutput: [Bool]) {
    self.device = device
    self.nodes = nodes
    var graph = Graph()
    var tensors: [TensorID] = []
    var local: [Int: Int] = [:]
    var written: [TensorID] = []
    func place(_ id: TensorID, isMade: Bool) -> TensorID {
      if let known = local[id.index] { return TensorID(known) }
      let new = tensors.count
      local[id.index] = new
      tensors.append(id)
      var tensor = whole[id]
      switch tensor.role {
      case .input: graph.inputs.append(TensorID(new))
      case .constant: graph.constants.append(TensorID(new))
      case .state: graph.states.append(TensorID(new))
      case .intermediate:
        if isMade {
          if isOutput[id.index] || lastReader[id.index] >= nodes.upperBound { graph.outputs.append(TensorID(new)) }
        } else {
          tensor.role = .input
          graph.inputs.append(TensorID(new))
        }
      }
      graph.tensors.append(tensor)
      return TensorID(new)
    }
    graph.nodes.reserveCapacity(nodes.count)
    for number in nodes {
      var node = whole.nodes[number]
      for k in node.inputs.indices { if let id = node.inputs[k] { node.inputs[k] = place(id, isMade: false) } }
      for k in node.outputs.indices {
        guard let id = node.outputs[k] else { continue }
        let isState = whole[id].role == .state
        node.outputs[k] = place(id, isMade: true)
        if isState { written.append(node.outputs[k]!) }
      }
      graph.nodes.append(node)
    }
    // As `ABIGraph` has it: inputs, constants, states; outputs, then the states that are written, in the states' order.
    let isWritten = Set(written)
    let order = graph.inputs + graph.constants + graph.states + graph.outputs + graph.states.filter { isWritten.contains($0) }
    bindings = order.map { tensors[$0.index] }
    self.graph = graph
    self.tensors = tensors
  }
}

extension Graph {
  /// For each tensor the last node that reads it; -1 for none.
  var lastReaders: [Int] {
    var last = Array(repeating: -1, count: tensors.count)
    for (i, node) in nodes.enumerated() { for case let id? in node.inputs { last[id.index] = i } }
    return last
  }
}
