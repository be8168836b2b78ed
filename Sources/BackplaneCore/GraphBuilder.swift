/// Builds a graph tensor by tensor and node by node.
///
/// This type numbers things. Shape inference and checks against the operators' specs come with `apply` and the generated
/// per-operator methods in BackplaneSpecs.
public struct GraphBuilder: Sendable {
  public private(set) var graph = Graph()
  private var nextSymbol: UInt32 = 1
  /// Given to nodes appended from here on.
  public var numerics: Numerics = .standard

  public init() {}

  /// Goes on with a graph: nodes and tensors come behind those that it has.
  package init(continuing graph: Graph) {
    self.graph = graph
    nextSymbol = (graph.symbols.last?.number ?? 0) + 1
  }

  public mutating func symbol(_ name: String, _ bounds: ClosedRange<Int>) -> Symbol {
    defer { nextSymbol += 1 }
    return Symbol(number: nextSymbol, name: name, bounds: bounds)
  }

  public mutating func input(_ name: String, _ format: ElementFormat, _ shape: Shape) -> TensorID {
    let id = append(TensorDescription(name: name, format: format, shape: shape, role: .input))
    graph.inputs.append(id)
    return id
  }

  public mutating func constant(_ name: String, _ format: ElementFormat, _ shape: Shape) -> TensorID {
    let id = append(TensorDescription(name: name, format: format, shape: shape, role: .constant))
    graph.constants.append(id)
    return id
  }

  public mutating func state(_ name: String, _ format: ElementFormat, _ shape: Shape) -> TensorID {
    let id = append(TensorDescription(name: name, format: format, shape: shape, role: .state))
    graph.states.append(id)
    return id
  }

  public mutating func output(_ id: TensorID, name: String? = nil) {
    if let name { graph.tensors[id.index].name = name }
    graph.outputs.append(id)
  }

  /// A tensor that a node will make.
  public mutating func intermediate(_ name: String, _ format: ElementFormat, _ shape: Shape) -> TensorID {
    append(TensorDescription(name: name, format: format, shape: shape, role: .intermediate))
  }

  /// Appends a node as it is, unchecked.
  public mutating func append(_ node: Node) { graph.nodes.append(node) }

  public subscript(id: TensorID) -> TensorDescription { graph[id] }

  private mutating func append(_ tensor: TensorDescription) -> TensorID {
    graph.tensors.append(tensor)
    return TensorID(graph.tensors.count - 1)
  }
}
