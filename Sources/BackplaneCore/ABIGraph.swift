import BackplaneABI

/// A graph as the ABI's records, in memory that this object owns.
///
/// `pointer` and everything reachable from it are valid while the object lives, which ends with its last use: prefer `withPointer`,
/// or hold the object with `withExtendedLifetime`. Immutable; any thread.
public final class ABIGraph: @unchecked Sendable {
  public let graph: Graph
  public let pointer: UnsafePointer<bp_graph>
  private var owned: [UnsafeMutableRawPointer] = []

  /// - Parameter flags: Role bits (`BP_TENSOR_…`) are derived from each tensor's role.
  /// - Throws: ``BackplaneError`` (invalid) when a tensor's strides overflow.
  public init(_ graph: Graph) throws(BackplaneError) {
    self.graph = graph
    var memory: [UnsafeMutableRawPointer] = []
    // Small records share chunks: a large graph has tens of thousands of them.
    let chunkBytes = 1 << 16
    var chunk: UnsafeMutableRawPointer?
    var used = chunkBytes
    func allocate(_ bytes: Int) -> UnsafeMutableRawPointer {
      if bytes > chunkBytes / 4 {
        memory.append(.allocate(byteCount: bytes, alignment: 16))
        return memory.last!
      }
      if used + bytes > chunkBytes {
        chunk = .allocate(byteCount: chunkBytes, alignment: 16)
        memory.append(chunk!)
        used = 0
      }
      defer { used += (bytes + 15) & ~15 }
      return chunk! + used
    }
    func copy<T>(_ values: [T]) -> UnsafeMutablePointer<T> {
      let raw = allocate(max(values.count, 1) * MemoryLayout<T>.stride)
      let typed = raw.bindMemory(to: T.self, capacity: values.count)
      typed.initialize(from: values, count: values.count)
      return typed
    }
    func head<T>(_: T.Type, _ type: UInt32) -> bp_head {
      bp_head(struct_size: UInt32(MemoryLayout<T>.size), struct_type: type, next: nil)
    }
    func array<T>(_ values: [T]) -> bp_array {
      bp_array(ptr: UnsafeRawPointer(copy(values)), count: UInt32(values.count), stride: UInt32(MemoryLayout<T>.stride))
    }
    func number(_ id: TensorID?) -> UInt32 { id.map { UInt32($0.index) } ?? BP_NO_TENSOR }

    let outputs = Set(graph.outputs)
    var tensors: [bp_tensor] = []
    tensors.reserveCapacity(graph.tensors.count)
    for (index, tensor) in graph.tensors.enumerated() {  // the only step that can fail: before anything is allocated
      var record = bp_tensor()
      record.h = head(bp_tensor.self, BP_ST_TENSOR)
      try tensor.fill(&record, isOutput: outputs.contains(TensorID(index)))
      tensors.append(record)
    }
    let nodes = graph.nodes.map { node in
      let attributes = node.attributes.map { attribute in
        var record = bp_attr()
        record.h = head(bp_attr.self, BP_ST_ATTR)
        record.name = Identifier(attribute.name).value
        switch attribute.value {
        case .int(let i): (record.kind, record.i) = (BP_ATTR_I64, Int64(i))
        case .float(let f): (record.kind, record.f) = (BP_ATTR_F64, f)
        case .string(let s): (record.kind, record.count, record.data) = (BP_ATTR_STR, UInt32(s.utf8.count), UnsafeRawPointer(copy(Array(s.utf8))))
        case .ints(let v): (record.kind, record.count, record.data) = (BP_ATTR_I64S, UInt32(v.count), UnsafeRawPointer(copy(v.map(Int64.init))))
        case .floats(let v): (record.kind, record.count, record.data) = (BP_ATTR_F64S, UInt32(v.count), UnsafeRawPointer(copy(v)))
        }
        return record
      }
      var record = bp_node()
      record.h = head(bp_node.self, BP_ST_NODE)
      record.op = Identifier(node.op).value
      record.op_version = UInt32(node.version)
      record.in = UnsafePointer(copy(node.inputs.map(number)))
      record.out = UnsafePointer(copy(node.outputs.map(number)))
      record.n_in = UInt32(node.inputs.count)
      record.n_out = UInt32(node.outputs.count)
      record.attrs = array(attributes)
      record.numerics = node.numerics.abi
      return record
    }
    var record = bp_graph()
    record.h = head(bp_graph.self, BP_ST_GRAPH)
    record.tensors = array(tensors)
    record.nodes = array(nodes)
    let inputNumbers = graph.abiInputs.map(number)
    let outputNumbers = graph.abiOutputs.map(number)
    record.inputs = UnsafePointer(copy(inputNumbers))
    record.outputs = UnsafePointer(copy(outputNumbers))
    record.n_inputs = UInt32(inputNumbers.count)
    record.n_outputs = UInt32(outputNumbers.count)
    record.structure_hash = graph.structureHash
    pointer = UnsafePointer(copy([record]))
    owned = memory
  }

  /// Keeps the records alive while `body` runs.
  public func withPointer<Result, Failure: Error>(_ body: (UnsafePointer<bp_graph>) throws(Failure) -> Result) throws(Failure) -> Result {
    defer { withExtendedLifetime(self) {} }
    return try body(pointer)
  }

  deinit { for raw in owned { raw.deallocate() } }
}

extension Graph {
  /// What a dispatch binds first: inputs, then constants, then states.
  public var abiInputs: [TensorID] { inputs + constants + states }
  /// What a dispatch binds after the inputs: outputs, then the states that a node writes.
  public var abiOutputs: [TensorID] {
    if states.isEmpty { return outputs }
    let written = Set(nodes.flatMap { $0.outputs.compactMap { $0 } })
    return outputs + states.filter(written.contains)
  }
}

extension Numerics {
  public var abi: UInt32 { switch self { case .standard: BP_NUMERICS_STANDARD; case .strict: BP_NUMERICS_STRICT; case .fast: BP_NUMERICS_FAST } }
  public init(abi: UInt32) { self = abi == BP_NUMERICS_STRICT ? .strict : abi == BP_NUMERICS_FAST ? .fast : .standard }
}

extension TensorDescription {
  /// Writes this tensor into `record` (whose head is set): dense row-major strides in bytes, -1 where a symbol further in decides.
  func fill(_ record: inout bp_tensor, isOutput: Bool) throws(BackplaneError) {
    record.dtype = format.id.value
    record.layout = Identifier(layout).value
    record.rank = UInt32(shape.rank)
    var flags: UInt32 = switch role {
    case .input: BP_TENSOR_INPUT
    case .constant: BP_TENSOR_CONST | BP_TENSOR_INPUT
    case .state: BP_TENSOR_STATE | BP_TENSOR_INPUT
    case .intermediate: 0
    }
    if isOutput { flags |= BP_TENSOR_OUTPUT }
    if !shape.isFixed { flags |= BP_TENSOR_DYNAMIC }
    record.flags = flags
    let strides = try denseStrides()
    for (i, dimension) in shape.dimensions.enumerated() {
      withFields(of: &record, at: i) { dim, stride, lo, hi, symbol in
        stride = strides[i]
        lo = Int64(dimension.minimum)
        hi = Int64(dimension.maximum)
        switch dimension {
        case .fixed(let n): (dim, symbol) = (Int64(n), 0)
        case .symbol(let s): (dim, symbol) = (-1, s.number)
        }
      }
    }
  }

  /// Bytes from one index to the next in each dimension (of a block in the last one of a block format); -1 where a symbol further in
  /// decides.
  public func denseStrides() throws(BackplaneError) -> [Int64] {
    var strides = [Int64](repeating: 0, count: shape.rank)
    var step: Int? = format.blockBytes  // nil once a symbol lies further in
    for i in shape.dimensions.indices.reversed() {
      strides[i] = step.map(Int64.init) ?? -1
      guard let known = step, let extent = shape[i].fixed else { step = nil; continue }
      let units = i == shape.rank - 1 ? extent / format.blockElements : extent
      let (next, overflow) = known.multipliedReportingOverflow(by: max(units, 1))
      if overflow { throw BackplaneError(.invalid, "tensor \(name)\(shape) of \(format): strides overflow 64 bits") }
      step = next
    }
    return strides
  }
}

/// Gives the i-th element of each per-dimension array of `record`.
private func withFields(of record: inout bp_tensor, at i: Int, _ body: (inout Int64, inout Int64, inout Int64, inout Int64, inout UInt32) -> Void) {
  withUnsafeMutableBytes(of: &record) { bytes in
    let base = bytes.baseAddress!
    func field<T>(_ offset: Int?, _: T.Type) -> UnsafeMutablePointer<T> { (base + offset!).assumingMemoryBound(to: T.self) + i }
    body(&field(MemoryLayout<bp_tensor>.offset(of: \.dim), Int64.self).pointee,
         &field(MemoryLayout<bp_tensor>.offset(of: \.stride), Int64.self).pointee,
         &field(MemoryLayout<bp_tensor>.offset(of: \.dim_min), Int64.self).pointee,
         &field(MemoryLayout<bp_tensor>.offset(of: \.dim_max), Int64.self).pointee,
         &field(MemoryLayout<bp_tensor>.offset(of: \.symbol), UInt32.self).pointee)
  }
}
