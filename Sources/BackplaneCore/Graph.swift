/// The index of a tensor in its graph.
public struct TensorID: Hashable, Sendable, Comparable {
  public let index: Int
  public init(_ index: Int) { self.index = index }
  public static func < (a: TensorID, b: TensorID) -> Bool { a.index < b.index }
}

/// What a tensor is to the graph.
public enum TensorRole: String, Hashable, Sendable {
  /// Given anew at every run.
  case input
  /// A weight: bytes that never change, bound by the session.
  case constant
  /// Lives from run to run (a KV cache), written in place.
  case state
  /// Made by a node. Graph outputs are intermediates listed in `Graph.outputs`.
  case intermediate
}

/// A tensor without storage: name, element format, shape, layout, role.
public struct TensorDescription: Hashable, Sendable {
  public var name: String
  public var format: ElementFormat
  public var shape: Shape
  public var role: TensorRole
  /// `strided` (dense row-major unless said otherwise) or the name of a packed layout.
  public var layout: String

  public init(name: String, format: ElementFormat, shape: Shape, role: TensorRole, layout: String = "strided") {
    self.name = name
    self.format = format
    self.shape = shape
    self.role = role
    self.layout = layout
  }

  /// Bytes of the dense tensor at the symbols' upper bounds; nil when the last extent is not whole blocks, or on overflow.
  public var maximumBytes: Int? { bytes(extents: shape.dimensions.map(\.maximum)) }

  /// Bytes of the dense tensor under `values`; nil when a symbol has no value, the last extent is not whole blocks, or on overflow.
  public func bytes(in values: SymbolValues) -> Int? { shape.extents(in: values).flatMap { bytes(extents: $0) } }

  private func bytes(extents: [Int]) -> Int? {
    if let last = extents.last, last % format.blockElements != 0 { return nil }
    return Shape.product(extents).flatMap { format.bytes(forElements: $0) }
  }
}

/// The value of an operator's attribute.
public enum AttributeValue: Hashable, Sendable {
  case int(Int)
  case float(Double)
  case string(String)
  case ints([Int])
  case floats([Double])
}

public struct Attribute: Hashable, Sendable {
  public var name: String
  public var value: AttributeValue
  public init(_ name: String, _ value: AttributeValue) {
    self.name = name
    self.value = value
  }
}

/// The accuracy a caller demands of a node.
public enum Numerics: String, Hashable, Sendable, CaseIterable {
  /// Operands may be rounded to 16 bits and activations to 8 as the kernel declares.
  case standard
  /// f32 accumulation and float activations.
  case strict
  /// Anything that the kernel declares.
  case fast
}

/// One operator applied to tensors.
public struct Node: Hashable, Sendable {
  /// The operator's spec name, such as `rms_norm`.
  public var op: String
  public var version: Int
  /// In the spec's order; nil for an optional operand that is absent.
  public var inputs: [TensorID?]
  /// In the spec's order; nil for an optional output that nobody wants.
  public var outputs: [TensorID?]
  /// Every attribute of the spec, defaults included, in the spec's order.
  public var attributes: [Attribute]
  public var numerics: Numerics

  public init(op: String, version: Int = 1, inputs: [TensorID?], outputs: [TensorID?], attributes: [Attribute] = [],
              numerics: Numerics = .standard) {
    self.op = op
    self.version = version
    self.inputs = inputs
    self.outputs = outputs
    self.attributes = attributes
    self.numerics = numerics
  }

  public subscript(attribute name: String) -> AttributeValue? { attributes.first { $0.name == name }?.value }
}

/// Operators in topological order over numbered tensors.
///
/// A value: graphs are built once (``GraphBuilder``) and never changed behind anyone's back. A state tensor is written by a node
/// whose output *is* that tensor (the same ID as the input that holds its old value).
public struct Graph: Hashable, Sendable {
  public var tensors: [TensorDescription]
  public var nodes: [Node]
  /// Tensors given at every run, in the order in which they are bound.
  public var inputs: [TensorID]
  public var constants: [TensorID]
  public var states: [TensorID]
  /// Tensors that the caller reads after a run.
  public var outputs: [TensorID]

  public init(tensors: [TensorDescription] = [], nodes: [Node] = [], inputs: [TensorID] = [], constants: [TensorID] = [],
              states: [TensorID] = [], outputs: [TensorID] = []) {
    self.tensors = tensors
    self.nodes = nodes
    self.inputs = inputs
    self.constants = constants
    self.states = states
    self.outputs = outputs
  }

  public subscript(id: TensorID) -> TensorDescription { tensors[id.index] }

  /// Every symbol that a tensor's shape uses, ascending by number.
  public var symbols: [Symbol] {
    var byNumber: [UInt32: Symbol] = [:]
    for tensor in tensors { for case .symbol(let s) in tensor.shape.dimensions { byNumber[s.number] = s } }
    return byNumber.values.sorted { $0.number < $1.number }
  }

  /// The graph of one node alone, its operands as inputs (constants and states keep their role).
  public func isolating(node index: Int) -> Graph {
    let node = nodes[index]
    var graph = Graph()
    var renamed: [TensorID: TensorID] = [:]
    func place(_ id: TensorID, isOutput: Bool) -> TensorID {
      if let known = renamed[id] { return known }
      var tensor = self[id]
      let new = TensorID(graph.tensors.count)
      if !isOutput, tensor.role == .intermediate { tensor.role = .input }
      switch tensor.role {
      case .input: graph.inputs.append(new)
      case .constant: graph.constants.append(new)
      case .state: graph.states.append(new)
      case .intermediate: break
      }
      graph.tensors.append(tensor)
      renamed[id] = new
      return new
    }
    var copy = node
    copy.inputs = node.inputs.map { $0.map { place($0, isOutput: false) } }
    copy.outputs = node.outputs.map { $0.map { place($0, isOutput: true) } }
    graph.outputs = copy.outputs.compactMap { $0 }.filter { graph[$0].role == .intermediate }
    graph.nodes = [copy]
    return graph
  }
}
