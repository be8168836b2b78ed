import BackplaneABI
import BackplaneCore

extension Graph {
  /// The graph behind the ABI's records, checked against the catalogue: for plugins written in Swift and for the oracle.
  ///
  /// Names are made up (t0, t1 …; s1 for symbol 1): none cross the ABI. Reads only memory that the records claim, tolerates records
  /// of an older or newer minor version, and refuses what a graph cannot say.
  ///
  /// - Parameters:
  ///   - layouts: Names of the layouts that the caller understands. Tensors in `strided` layout are dense.
  ///   - record: Valid during the call, as are all pointers in it.
  /// - Throws: ``BackplaneError``: invalid or constraint for a graph that is wrong, unsupported (with a reason) for an operator,
  ///   format, layout or strides unknown here; `node` names the node concerned.
  public init(abi record: UnsafePointer<bp_graph>?, layouts: [String] = ["strided"]) throws(BackplaneError) {
    guard let record else { throw BackplaneError(.invalid, "the graph is NULL") }
    let head = try Record.read(record, bp_graph.self, BP_ST_GRAPH, "the graph")
    var reader = GraphReader(layouts: Dictionary(layouts.map { (Identifier($0).value, $0) }, uniquingKeysWith: { a, _ in a }))
    let inputs = try Record.numbers(head.inputs, head.n_inputs, "the graph's inputs")
    let outputs = try Record.numbers(head.outputs, head.n_outputs, "the graph's outputs")
    var graph = Graph()
    let listed = Set(inputs)
    try Record.forEach(head.tensors, bp_tensor.self, BP_ST_TENSOR, "tensor") { (index, tensor) throws(BackplaneError) in
      graph.tensors.append(try reader.tensor(tensor, index, isInput: listed.contains(UInt32(index))))
    }
    for number in inputs {
      let id = try graph.id(number, "the graph's inputs")
      switch graph[id].role {
      case .input: graph.inputs.append(id)
      case .constant: graph.constants.append(id)
      case .state: graph.states.append(id)
      case .intermediate: throw BackplaneError(.invalid, "tensor \(number) is listed as an input, its flags say otherwise")
      }
    }
    try Record.forEach(head.nodes, bp_node.self, BP_ST_NODE, "node") { (index, node) throws(BackplaneError) in
      do throws(BackplaneError) {
        graph.nodes.append(try reader.node(node, graph))
      } catch {
        var located = error
        located.node = index
        throw located
      }
    }
    for number in outputs {
      let id = try graph.id(number, "the graph's outputs")
      if graph[id].role != .state { graph.outputs.append(id) }
    }
    self = graph
    try check()
  }

  fileprivate func id(_ number: UInt32, _ what: String) throws(BackplaneError) -> TensorID {
    guard Int(number) < tensors.count else { throw BackplaneError(.invalid, "\(what) name tensor \(number) of \(tensors.count)") }
    return TensorID(Int(number))
  }
}

private struct GraphReader {
  let layouts: [UInt64: String]
  /// By number: the same number has the same bounds wherever it stands.
  var symbols: [UInt32: Symbol] = [:]

  init(layouts: [UInt64: String]) { self.layouts = layouts }

  // MARK: Tensors

  mutating func tensor(_ record: bp_tensor, _ index: Int, isInput: Bool) throws(BackplaneError) -> TensorDescription {
    let what = "tensor \(index)"
    guard let format = ElementFormat.with(id: Identifier(value: record.dtype)) else {
      throw unsupported(BP_REASON_DTYPE, "\(what): no format has the id \(hex(record.dtype))")
    }
    guard let layout = layouts[record.layout] else { throw unsupported(BP_REASON_LAYOUT, "\(what): the layout \(hex(record.layout)) is unknown here") }
    guard record.rank <= UInt32(BP_MAX_DIMS) else { throw BackplaneError(.invalid, "\(what) has rank \(record.rank), 8 at most are possible") }
    let rank = Int(record.rank)
    let (dim, low, high) = (elements(record.dim, rank, Int64.self), elements(record.dim_min, rank, Int64.self), elements(record.dim_max, rank, Int64.self))
    let (numbers, strides) = (elements(record.symbol, rank, UInt32.self), elements(record.stride, rank, Int64.self))
    var dimensions: [Dimension] = []
    for d in 0..<rank {
      dimensions.append(try dimension(dim[d], low[d], high[d], numbers[d], "\(what), dimension \(d)"))
    }
    let tensor = TensorDescription(name: "t\(index)", format: format, shape: Shape(dimensions), role: try role(record.flags, isInput, what), layout: layout)
    if layout == "strided" { try checkDense(tensor, strides, what) }
    return tensor
  }

  private mutating func dimension(_ extent: Int64, _ low: Int64, _ high: Int64, _ number: UInt32, _ what: String) throws(BackplaneError) -> Dimension {
    if number == 0 {
      guard extent >= 0 else { throw BackplaneError(.invalid, "\(what): the extent \(extent) has no symbol") }
      return .fixed(Int(extent))
    }
    guard extent == -1 else { throw BackplaneError(.invalid, "\(what): the extent \(extent) and symbol \(number) contradict each other") }
    guard low >= 0, low <= high else { throw BackplaneError(.invalid, "\(what): \(low)…\(high) are no bounds") }
    let symbol = Symbol(number: number, name: "s\(number)", bounds: Int(low)...Int(high))
    if let known = symbols.updateValue(symbol, forKey: number), known.bounds != symbol.bounds {
      throw BackplaneError(.invalid, "\(what): symbol \(number) has the bounds \(low)…\(high), but \(known.bounds.lowerBound)…\(known.bounds.upperBound) elsewhere")
    }
    return .symbol(symbol)
  }

  private func role(_ flags: UInt32, _ isInput: Bool, _ what: String) throws(BackplaneError) -> TensorRole {
    let isConstant = flags & BP_TENSOR_CONST != 0
    let isState = flags & BP_TENSOR_STATE != 0
    if isConstant, isState { throw BackplaneError(.invalid, "\(what) is constant and state at once") }
    if (isConstant || isState), !isInput { throw BackplaneError(.invalid, "\(what) is \(isState ? "a state" : "constant"), but no input of the graph") }
    return isConstant ? .constant : isState ? .state : isInput ? .input : .intermediate
  }

  /// A graph speaks of dense tensors only; the stride of an extent of 1 (or of a tensor without elements) does not matter.
  private func checkDense(_ tensor: TensorDescription, _ strides: [Int64], _ what: String) throws(BackplaneError) {
    let dense = try tensor.denseStrides()
    let isEmpty = tensor.shape.dimensions.contains { $0.maximum == 0 }
    for d in 0..<tensor.shape.rank where strides[d] != dense[d] && tensor.shape[d].fixed != 1 && !isEmpty {
      throw unsupported(BP_REASON_LAYOUT, "\(what), dimension \(d): the stride \(strides[d]) is not the dense \(dense[d])")
    }
  }

  // MARK: Nodes

  func node(_ record: bp_node, _ graph: Graph) throws(BackplaneError) -> Node {
    guard let spec = OperatorSpec.with(id: Identifier(value: record.op)) else {
      throw unsupported(BP_REASON_OP_UNKNOWN, "no operator has the id \(hex(record.op))")
    }
    if record.op_version != UInt32(spec.version) {
      throw unsupported(BP_REASON_OP_VERSION, "\(spec.name): version \(record.op_version) is unknown, there is \(spec.version)")
    }
    guard record.numerics <= BP_NUMERICS_FAST else { throw BackplaneError(.invalid, "\(spec.name): numerics \(record.numerics) are unknown") }
    func operands(_ pointer: UnsafePointer<UInt32>?, _ count: UInt32, _ what: String) throws(BackplaneError) -> [TensorID?] {
      var ids: [TensorID?] = []
      for number in try Record.numbers(pointer, count, "\(spec.name)'s \(what)") {
        ids.append(number == BP_NO_TENSOR ? nil : try graph.id(number, "\(spec.name)'s \(what)"))
      }
      return ids
    }
    var attributes: [Attribute] = []
    try Record.forEach(record.attrs, bp_attr.self, BP_ST_ATTR, "\(spec.name): attribute") { (index, attribute) throws(BackplaneError) in
      guard let known = spec.attributes.first(where: { $0.id.value == attribute.name }) else {
        throw BackplaneError(.invalid, "\(spec.name): attribute \(index) has the unknown id \(hex(attribute.name))")
      }
      attributes.append(Attribute(known.name, try value(attribute, "\(spec.name).\(known.name)")))
    }
    return Node(op: spec.name, version: spec.version, inputs: try operands(record.in, record.n_in, "inputs"),
                outputs: try operands(record.out, record.n_out, "outputs"), attributes: attributes, numerics: Numerics(abi: record.numerics))
  }

  private func value(_ record: bp_attr, _ what: String) throws(BackplaneError) -> AttributeValue {
    switch record.kind {
    case BP_ATTR_I64: return .int(Int(record.i))
    case BP_ATTR_F64: return .float(record.f)
    case BP_ATTR_STR:
      let bytes = try Record.list(record.data, record.count, UInt8.self, what)
      guard let text = String(validating: bytes, as: UTF8.self) else { throw BackplaneError(.invalid, "\(what) is not UTF-8") }
      return .string(text)
    case BP_ATTR_I64S: return .ints(try Record.list(record.data, record.count, Int64.self, what).map { Int($0) })
    case BP_ATTR_F64S: return .floats(try Record.list(record.data, record.count, Double.self, what))
    default: throw BackplaneError(.invalid, "\(what) has the unknown kind \(record.kind)")
    }
  }

  private func unsupported(_ reason: UInt32, _ message: String) -> BackplaneError {
    var error = BackplaneError(.unsupported, message)
    error.reason = reason
    return error
  }
}

/// Reading records as Specs/abi.md says: `struct_size` bytes at most, what is missing as zero, nothing assumed about alignment.
private enum Record {
  /// More tensors, nodes, operands or list elements than any graph has: a count that is garbage, most likely.
  static let maximumCount = 1 << 24

  static func read<T: BitwiseCopyable>(_ pointer: UnsafeRawPointer, _: T.Type, _ type: UInt32, _ what: String, atMost limit: Int = .max)
    throws(BackplaneError) -> T
  {
    let head = pointer.loadUnaligned(as: bp_head.self)
    if head.struct_type != type { throw BackplaneError(.invalid, "\(what) is a record of type \(head.struct_type), not \(type)") }
    let claimed = Int(head.struct_size)
    if claimed < MemoryLayout<bp_head>.size || claimed > limit { throw BackplaneError(.invalid, "\(what) claims to be \(claimed) bytes") }
    try checkChain(head.next, what)
    return withUnsafeTemporaryAllocation(byteCount: MemoryLayout<T>.size, alignment: MemoryLayout<T>.alignment) { copy in
      copy.initializeMemory(as: UInt8.self, repeating: 0)
      copy.copyMemory(from: UnsafeRawBufferPointer(start: pointer, count: min(claimed, MemoryLayout<T>.size)))
      return copy.load(as: T.self)
    }
  }

  /// Extensions are skipped unless bit 31 says that they must be understood.
  private static func checkChain(_ first: UnsafePointer<bp_head>?, _ what: String) throws(BackplaneError) {
    var next = first
    var length = 0
    while let extension_ = next {
      let head = UnsafeRawPointer(extension_).loadUnaligned(as: bp_head.self)
      if head.struct_type & 0x8000_0000 != 0 { throw BackplaneError(.unsupported, "\(what) has an extension of type \(head.struct_type) that must be understood") }
      length += 1
      if length > 64 { throw BackplaneError(.invalid, "\(what) has a chain of extensions without end") }
      next = head.next
    }
  }

  static func forEach<T: BitwiseCopyable>(_ array: bp_array, _: T.Type, _ type: UInt32, _ what: String,
                                          _ body: (Int, T) throws(BackplaneError) -> Void) throws(BackplaneError) {
    let count = Int(array.count)
    if count == 0 { return }
    guard let base = array.ptr else { throw BackplaneError(.invalid, "\(what)s: \(count) at NULL") }
    let stride = Int(array.stride)
    if count > maximumCount || stride < MemoryLayout<bp_head>.size { throw BackplaneError(.invalid, "\(what)s: \(count) of \(stride) bytes") }
    for i in 0..<count { try body(i, try read(base + i * stride, T.self, type, "\(what) \(i)", atMost: stride)) }
  }

  static func numbers(_ pointer: UnsafePointer<UInt32>?, _ count: UInt32, _ what: String) throws(BackplaneError) -> [UInt32] {
    try list(pointer.map { UnsafeRawPointer($0) }, count, UInt32.self, what)
  }

  static func list<T: BitwiseCopyable>(_ pointer: UnsafeRawPointer?, _ count: UInt32, _: T.Type, _ what: String) throws(BackplaneError) -> [T] {
    if count == 0 { return [] }
    guard let pointer else { throw BackplaneError(.invalid, "\(what): \(count) at NULL") }
    if count > maximumCount { throw BackplaneError(.invalid, "\(what): a list of \(count)") }
    return (0..<Int(count)).map { pointer.loadUnaligned(fromByteOffset: $0 * MemoryLayout<T>.stride, as: T.self) }
  }
}

/// The first `count` elements of a C array, which Swift sees as a tuple.
private func elements<Tuple, T>(_ tuple: Tuple, _ count: Int, _: T.Type) -> [T] {
  withUnsafeBytes(of: tuple) { Array($0.bindMemory(to: T.self).prefix(count)) }
}

private func hex(_ id: UInt64) -> String { "0x" + String(id, radix: 16) }
