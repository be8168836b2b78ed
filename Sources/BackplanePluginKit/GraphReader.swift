public import BackplaneABI

/// One of up to eight per-dimension values.
public typealias PerDimension = SIMD8<Int64>

/// A tensor's description as plain Swift values. Extents are elements; strides are bytes, of a block for block formats.
public struct GraphTensor: Sendable {
  public let format: bp_id
  public let layout: bp_id
  public let rank: Int
  /// `BP_TENSOR_…`
  public let flags: UInt32
  /// As in the record: -1 where a symbol supplies it.
  public let dim: PerDimension
  public let stride: PerDimension
  public let minimum: PerDimension
  public let maximum: PerDimension
  /// 0 fixed.
  public let symbol: SIMD8<UInt32>

  public init(_ record: bp_tensor, number: Int) throws(PluginError) {
    guard record.rank <= BP_MAX_DIMS else { throw .invalid("tensor \(number) has rank \(record.rank); at most \(BP_MAX_DIMS) is allowed") }
    (format, layout, rank, flags) = (record.dtype, record.layout, Int(record.rank), record.flags)
    dim = unsafeBitCast(record.dim, to: PerDimension.self)
    stride = unsafeBitCast(record.stride, to: PerDimension.self)
    symbol = unsafeBitCast(record.symbol, to: SIMD8<UInt32>.self)
    var low = unsafeBitCast(record.dim_min, to: PerDimension.self), high = unsafeBitCast(record.dim_max, to: PerDimension.self)
    for i in 0..<Int(record.rank) {
      if symbol[i] == 0 { (low[i], high[i]) = (dim[i], dim[i]) }
      guard low[i] >= 0, low[i] <= high[i] else {
        throw .invalid("tensor \(number), dimension \(i): the extent lies in \(low[i]) … \(high[i])")
      }
    }
    (minimum, maximum) = (low, high)
  }

  public var isConstant: Bool { flags & BP_TENSOR_CONST != 0 }
  public var isState: Bool { flags & BP_TENSOR_STATE != 0 }
  public var isSymbolic: Bool { (0..<rank).contains { symbol[$0] != 0 } }

  /// The same format, rank, extents, strides and symbols: storage of one can hold the other.
  public func hasSameShape(as other: GraphTensor) -> Bool {
    format == other.format && rank == other.rank
      && (0..<rank).allSatisfy { dim[$0] == other.dim[$0] && symbol[$0] == other.symbol[$0] && stride[$0] == other.stride[$0] }
  }
}

public struct GraphNode: Sendable {
  public let op: bp_id
  public let version: UInt32
  /// `BP_NUMERICS_…`
  public let numerics: UInt32
  /// Tensor numbers in the spec's order; `BP_NO_TENSOR` where an optional operand is absent.
  public let inputs: [UInt32]
  public let outputs: [UInt32]
  /// Complete and in the spec's order. Strings and lists point into the caller's memory.
  public let attributes: [Attribute]

  /// A `bp_attr`, which is `Sendable` only by promise: it points to memory that is valid for the call.
  public struct Attribute: @unchecked Sendable {
    public var record: bp_attr
    public init(_ record: bp_attr) { self.record = record }
  }
}

/// A graph of the ABI, read and checked: every number names a tensor, nodes come after what they read.
public struct GraphReader: Sendable {
  public let tensors: [GraphTensor]
  public let nodes: [GraphNode]
  public let inputs: [UInt32]
  public let outputs: [UInt32]

  /// - Throws: `BP_E_INVALID` with the node when a rule is broken.
  public init(_ pointer: UnsafePointer<bp_graph>?) throws(PluginError) {
    guard let pointer else { throw .invalid("no graph") }
    let graph = readRecord(pointer, zero: bp_graph())
    try checkChain(graph.h, of: "graph")
    var tensors: [GraphTensor] = []
    for (number, record) in try graph.tensors.records(zero: bp_tensor(), named: "tensors").enumerated() {
      tensors.append(try GraphTensor(record, number: number))
    }
    let count = tensors.count
    var nodes: [GraphNode] = []
    for (number, record) in try graph.nodes.records(zero: bp_node(), named: "nodes").enumerated() {
      let place = "node \(number)"
      nodes.append(GraphNode(
        op: record.op, version: record.op_version, numerics: record.numerics,
        inputs: try numbers(record.in, record.n_in, below: count, optional: true, place, node: number),
        outputs: try numbers(record.out, record.n_out, below: count, optional: true, place, node: number),
        attributes: try record.attrs.records(zero: bp_attr(), named: "attributes").map(GraphNode.Attribute.init)))
    }
    inputs = try numbers(graph.inputs, graph.n_inputs, below: count, optional: false, "the graph's inputs")
    outputs = try numbers(graph.outputs, graph.n_outputs, below: count, optional: false, "the graph's outputs")
    (self.tensors, self.nodes) = (tensors, nodes)
  }

  /// - Throws: `BP_E_INVALID` when a node reads a tensor that nothing has written yet, or an output is never written.
  public func checkOrder() throws(PluginError) {
    var isThere = [Bool](repeating: false, count: tensors.count)
    for tensor in inputs { isThere[Int(tensor)] = true }
    for (number, node) in nodes.enumerated() {
      for tensor in node.inputs where tensor != BP_NO_TENSOR && !isThere[Int(tensor)] {
        throw .invalid("node \(number) reads tensor \(tensor), which is no graph input and is not written before", node: number)
      }
      for tensor in node.outputs where tensor != BP_NO_TENSOR { isThere[Int(tensor)] = true }
    }
    for tensor in outputs where !isThere[Int(tensor)] { throw .invalid("output tensor \(tensor) is never written") }
  }
}

private let reshape = identifier("reshape")

extension GraphReader {
  /// A reshape of dense bytes into dense bytes needs no step, unless the result must lie where the host wants it. A state may be
  /// written after the reshape has read it, so its bytes are copied.
  public func isView(_ node: GraphNode) -> Bool {
    guard node.op == reshape, let input = node.inputs.first, let output = node.outputs.first, output != BP_NO_TENSOR,
          !outputs.contains(output), !inputs.contains(output) else { return false }
    let from = tensors[Int(input)], to = tensors[Int(output)]
    return !from.isState && isDense(from) && isDense(to)
  }
  private func isDense(_ tensor: GraphTensor) -> Bool {
    guard let format = FormatSize.of(tensor.format) else { return false }
    var step = Int64(format.blockBytes), isSymbolic = false
    for i in (0..<tensor.rank).reversed() {
      guard tensor.stride[i] == -1 || (!isSymbolic && tensor.stride[i] == step) || tensor.maximum[i] == 1 else { return false }
      if tensor.symbol[i] != 0 { isSymbolic = true }
      let units = i == tensor.rank - 1 ? tensor.maximum[i] / Int64(format.blockElements) : tensor.maximum[i]
      step *= max(units, 1)
    }
    return true
  }
}

private func numbers(
  _ pointer: UnsafePointer<UInt32>?, _ n: UInt32, below limit: Int, optional: Bool, _ place: @autoclosure () -> String, node: Int? = nil
) throws(PluginError) -> [UInt32] {
  if n == 0 { return [] }
  guard let pointer else { throw .invalid("\(place()): \(n) tensor numbers are announced, but there are none", node: node) }
  let list = Array(UnsafeBufferPointer(start: pointer, count: Int(n)))
  for number in list where number >= limit && !(optional && number == BP_NO_TENSOR) {
    throw .invalid("\(place()): tensor \(number) does not exist, there are \(limit)", node: node)
  }
  return list
}
