import BackplaneCore

/// All that a device's answer about a node depends on. Nodes of equal signature are asked about once.
struct NodeSignature: Hashable {
  var op: String
  var version: Int
  var numerics: Numerics
  var attributes: [Attribute]
  /// Classes of the operands, inputs first; -1 for an absent one. Behind the class of a state that the node writes, which input
  /// it is.
  var operands: [Int32]
  var inputCount: Int
}

/// Numbers the signatures of a graph's nodes.
///
/// Rewriting a graph adds nodes but no tensors, so one table serves a graph and everything that is made of it.
struct SignatureTable {
  private struct TensorClass: Hashable {
    var format: ElementFormat
    var shape: Shape
    var layout: String
    var role: TensorRole
  }

  let tensors: [TensorDescription]
  private let classOfTensor: [Int32]
  /// For each class the one that a reader sees: to it, inputs and intermediates are the same.
  private var readerClass: [Int32] = []
  private var numbers: [NodeSignature: Int] = [:]
  /// For each number a node that has it.
  private(set) var examples: [Node] = []

  init(_ graph: Graph) {
    tensors = graph.tensors
    var classes: [TensorClass: Int32] = [:]
    var readerClass: [Int32] = []
    func number(_ key: TensorClass) -> Int32 {
      if let known = classes[key] { return known }
      let new = Int32(classes.count)
      classes[key] = new
      readerClass.append(new)
      if key.role == .intermediate {
        var asInput = key
        asInput.role = .input
        readerClass[Int(new)] = number(asInput)
      }
      return new
    }
    classOfTensor = graph.tensors.map { number(TensorClass(format: $0.format, shape: $0.shape, layout: $0.layout, role: $0.role)) }
    self.readerClass = readerClass
  }

  mutating func number(of node: Node) -> Int {
    var operands: [Int32] = []
    operands.reserveCapacity(node.inputs.count + node.outputs.count)
    // An index out of range makes a signature of its own, which the check then refuses.
    for id in node.inputs {
      guard let id else { operands.append(-1); continue }
      operands.append(classOfTensor.indices.contains(id.index) ? readerClass[Int(classOfTensor[id.index])] : -2)
    }
    for id in node.outputs {
      guard let id else { operands.append(-1); continue }
      guard classOfTensor.indices.contains(id.index) else { operands.append(-2); continue }
      operands.append(classOfTensor[id.index])
      if tensors[id.index].role == .state { operands.append(Int32(1 << 24 + (node.inputs.firstIndex(of: id) ?? 1 << 20))) }
    }
    let signature = NodeSignature(op: node.op, version: node.version, numerics: node.numerics, attributes: node.attributes,
                                  operands: operands, inputCount: node.inputs.count)
    if let known = numbers[signature] { return known }
    numbers[signature] = examples.count
    examples.append(node)
    return examples.count - 1
  }

  /// A graph of one node for each of the signatures, which are not connected.
  func queryGraph(_ signatures: [Int]) -> Graph {
    var graph = Graph()
    for number in signatures {
      var node = examples[number]
      var renamed: [TensorID: TensorID] = [:]
      func place(_ id: TensorID, isOutput: Bool) -> TensorID {
        if let known = renamed[id] { return known }
        let new = TensorID(graph.tensors.count)
        var tensor = tensors[id.index]
        if !isOutput, tensor.role == .intermediate { tensor.role = .input }
        switch tensor.role {
        case .input: graph.inputs.append(new)
        case .constant: graph.constants.append(new)
        case .state: graph.states.append(new)
        case .intermediate: graph.outputs.append(new)
        }
        graph.tensors.append(tensor)
        renamed[id] = new
        return new
      }
      node.inputs = node.inputs.map { $0.map { place($0, isOutput: false) } }
      node.outputs = node.outputs.map { $0.map { place($0, isOutput: true) } }
      graph.nodes.append(node)
    }
    return graph
  }
}
