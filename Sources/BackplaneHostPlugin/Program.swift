import BackplaneABI
import BackplaneCore
import BackplaneSpecs

/// A graph that was checked once, and where its tensors are bound.
final class Program: Sendable {
  private let graph: Graph
  private let evaluator: any NodeEvaluator
  /// Tensor numbers in the order in which a dispatch binds them: inputs, then outputs.
  private let bound: [TensorID]
  /// Of each tensor: bytes between neighbours in each dimension, -1 where a run's symbols decide.
  private let strides: [[Int]]

  init(_ compile: bp_compile, _ evaluator: any NodeEvaluator) throws(BackplaneError) {
    self.evaluator = evaluator
    guard let record = compile.graph else { throw BackplaneError(.invalid, "program_create: the graph is NULL") }
    (graph, strides) = try readGraph(readInput(record))
    let head = readInput(record)
    var bound: [TensorID] = []
    for i in 0..<Int(head.n_inputs) { bound.append(TensorID(Int(head.inputs[i]))) }
    for i in 0..<Int(head.n_outputs) { bound.append(TensorID(Int(head.outputs[i]))) }
    self.bound = bound
    try evaluator.checkSize(graph)
    for number in graph.nodes.indices {
      guard var refusal = evaluator.refusal(of: graph, node: number) else { continue }
      refusal.node = number
      throw refusal
    }
  }

  var info: bp_program_info {
    var info = bp_program_info()
    info.h = head(bp_program_info.self, BP_ST_PROGRAM_INFO)
    info.workspace_align = 1
    info.n_kernels = UInt32(clamping: graph.nodes.count)
    return info
  }

  func run(_ dispatch: bp_dispatch, isCancelled: () -> Bool) throws(BackplaneError) {
    guard dispatch.entry == 0 else { throw BackplaneError(.invalid, "execute: the program has no entry \(dispatch.entry), only 0") }
    var symbols = SymbolValues()
    for value in try readAll(dispatch.symbols, bp_symbol_value.self) {
      guard value.value >= 0 else { throw BackplaneError(.invalid, "execute: symbol \(value.symbol) is \(value.value)") }
      symbols[number: value.symbol] = Int(value.value)
    }
    for symbol in graph.symbols {
      guard let value = symbols[symbol] else { throw BackplaneError(.invalid, "execute: symbol \(symbol.number) has no value") }
      guard symbol.bounds.contains(value) else {
        throw BackplaneError(.invalid, "execute: symbol \(symbol.number) is \(value), outside \(symbol.bounds.lowerBound)…\(symbol.bounds.upperBound)")
      }
    }
    let records = try readAll(dispatch.bindings, bp_binding.self)
    guard records.count == bound.count else { throw BackplaneError(.invalid, "execute: \(records.count) bindings for \(bound.count) inputs and outputs") }
    var views: [TensorID: BoundTensor] = [:]
    for (index, (id, record)) in zip(bound, records).enumerated() {
      let isOutput = index >= graph.abiInputs.count
      let view = try view(id, record, symbols, writes: isOutput, what: "execute: binding \(index)")
      if let known = views[id], known.base != view.base { throw BackplaneError(.invalid, "execute: the state \(graph[id].name) is bound to two places") }
      views[id] = view
    }
    try evaluator.run(graph, views, symbols, isCancelled)
  }

  private func view(_ id: TensorID, _ binding: bp_binding, _ symbols: SymbolValues, writes: Bool, what: String) throws(BackplaneError) -> BoundTensor {
    let buffer = try Handle.object(binding.buffer, Buffer.self, "\(what): buffer")
    let tensor = graph[id]
    guard let extents = tensor.shape.extents(in: symbols) else { throw BackplaneError(.invalid, "\(what): a symbol has no value") }
    let strides = BoundTensor.strides(strides[id.index], tensor.format, extents)
    // The last byte that is touched, from the first.
    var span = tensor.format.blockBytes
    for (d, extent) in extents.enumerated() {
      if extent == 0 { span = 0; break }
      let units = d == extents.count - 1 ? extent / tensor.format.blockElements : extent
      guard strides[d] >= 0 else { throw BackplaneError(.unsupported, "\(what): negative strides cannot be bound") }
      let (reach, overflow) = max(units - 1, 0).multipliedReportingOverflow(by: strides[d])
      guard !overflow, reach < 1 << 47 else { throw BackplaneError(.invalid, "\(what): the tensor is too large") }
      span += reach
    }
    guard binding.bytes >= UInt64(span) else { throw BackplaneError(.invalid, "\(what): \(binding.bytes) bytes for a tensor of \(span)") }
    if writes, buffer.isReadOnly { throw BackplaneError(.invalid, "\(what): an output in a buffer that was imported read-only") }
    return BoundTensor(base: try buffer.range(binding.offset, binding.bytes, what), format: tensor.format, shape: extents, strides: strides)
  }
}

/// The graph behind the records. Tensors may have any strides: the graph itself is read as if they were dense.
private func readGraph(_ record: bp_graph) throws(BackplaneError) -> (Graph, strides: [[Int]]) {
  var tensors = try readAll(record.tensors, bp_tensor.self)
  var strides: [[Int]] = []
  for index in tensors.indices {
    let rank = Int(tensors[index].rank)
    guard rank <= Int(BP_MAX_DIMS) else { throw BackplaneError(.invalid, "tensor \(index) has rank \(rank), 8 at most are possible") }
    strides.append(withUnsafeBytes(of: tensors[index].stride) { $0.bindMemory(to: Int64.self).prefix(rank).map { Int($0) } })
    makeDense(&tensors[index], rank)
  }
  return try withRecord(record, tensors) { (record) throws(BackplaneError) in (try Graph(abi: record), strides) }
}

private func withRecord<R>(_ record: bp_graph, _ tensors: [bp_tensor],
                           _ body: (UnsafePointer<bp_graph>) throws(BackplaneError) -> R) throws(BackplaneError) -> R {
  let copy = UnsafeMutablePointer<bp_tensor>.allocate(capacity: max(tensors.count, 1))
  defer { copy.deallocate() }
  copy.initialize(from: tensors, count: tensors.count)
  for i in tensors.indices { copy[i].h = head(bp_tensor.self, tensors[i].h.struct_type) }
  var patched = record
  patched.h.struct_size = UInt32(MemoryLayout<bp_graph>.size)
  patched.tensors = bp_array(ptr: UnsafeRawPointer(copy), count: UInt32(tensors.count), stride: UInt32(MemoryLayout<bp_tensor>.stride))
  return try body(&patched)
}

/// Dense strides, -1 where a symbol lies further in.
private func makeDense(_ tensor: inout bp_tensor, _ rank: Int) {
  guard let format = ElementFormat.with(id: Identifier(value: tensor.dtype)) else { return }
  withUnsafeMutableBytes(of: &tensor) { bytes in
    func field<T>(_ path: PartialKeyPath<bp_tensor>, _: T.Type) -> UnsafeMutablePointer<T> {
      (bytes.baseAddress! + MemoryLayout<bp_tensor>.offset(of: path)!).assumingMemoryBound(to: T.self)
    }
    let (extents, strides, symbols) = (field(\.dim, Int64.self), field(\.stride, Int64.self), field(\.symbol, UInt32.self))
    var step: Int64? = Int64(format.blockBytes)
    for d in (0..<rank).reversed() {
      strides[d] = step ?? -1
      guard let known = step, symbols[d] == 0 else { step = nil; continue }
      let units = d == rank - 1 ? extents[d] / Int64(format.blockElements) : extents[d]
      let (next, overflow) = known.multipliedReportingOverflow(by: max(units, 1))
      step = overflow ? known : next  // the graph's own check refuses it
    }
  }
}

// MARK: query

/// One verdict for each node, each node judged alone: another node's fault is none of its business.
func query(_ graph: UnsafePointer<bp_graph>?, _ out: UnsafeMutablePointer<bp_verdict>?, _ stride: UInt32, _ count: UInt32, _ evaluator: any NodeEvaluator) throws(BackplaneError) {
  guard let graph else { throw BackplaneError(.invalid, "query: the graph is NULL") }
  let record = try readChained(graph, "query")
  let tensors = try readAll(record.tensors, bp_tensor.self)
  let nodes = try readAll(record.nodes, bp_node.self)
  guard Int(count) == nodes.count else { throw BackplaneError(.invalid, "query: room for \(count) verdicts, the graph has \(nodes.count) nodes") }
  guard count == 0 || (out != nil && Int(stride) >= MemoryLayout<bp_head>.size) else { throw BackplaneError(.invalid, "query: out is NULL, or its stride \(stride)") }
  // Mostly all is well, and one look at the whole says so.
  let isSound = if let (whole, _) = try? readGraph(record) { whole.nodes.indices.allSatisfy { evaluator.refusal(of: whole, node: $0) == nil } } else { false }
  for (index, node) in nodes.enumerated() {
    var verdict = bp_verdict()
    verdict.h = head(bp_verdict.self, BP_ST_VERDICT)
    verdict.node_index = UInt32(index)
    do {
      if !isSound { try judge(node, tensors, evaluator) }
      verdict.support = BP_SUPPORT_YES
    } catch {
      verdict.support = BP_SUPPORT_NO
      verdict.reason = error.reason != 0 ? error.reason : BP_REASON_SHAPE
    }
    writeOutput(verdict, to: (UnsafeMutableRawPointer(out!) + index * Int(stride)).assumingMemoryBound(to: bp_verdict.self))
  }
}

/// - Throws: Why the node cannot run.
private func judge(_ node: bp_node, _ tensors: [bp_tensor], _ evaluator: any NodeEvaluator) throws(BackplaneError) {
  func numbers(_ pointer: UnsafePointer<UInt32>?, _ count: UInt32) throws(BackplaneError) -> [UInt32] {
    if count == 0 { return [] }
    guard let pointer, count <= 1 << 20 else { throw BackplaneError(.invalid, "\(count) operands at NULL") }
    return (0..<Int(count)).map { pointer[$0] }
  }
  var (used, renumbered): ([bp_tensor], [UInt32: UInt32]) = ([], [:])
  func place(_ number: UInt32) throws(BackplaneError) -> UInt32 {
    if number == BP_NO_TENSOR { return number }
    if let known = renumbered[number] { return known }
    guard Int(number) < tensors.count else { throw BackplaneError(.invalid, "there is no tensor \(number)") }
    var tensor = tensors[Int(number)]
    if tensor.rank <= UInt32(BP_MAX_DIMS) { makeDense(&tensor, Int(tensor.rank)) }
    renumbered[number] = UInt32(used.count)
    used.append(tensor)
    return UInt32(used.count - 1)
  }
  var (inputs, outputs): ([UInt32], [UInt32]) = ([], [])
  for number in try numbers(node.in, node.n_in) { inputs.append(try place(number)) }
  let inputCount = used.count
  for number in try numbers(node.out, node.n_out) { outputs.append(try place(number)) }
  let listed = (0..<inputCount).map(UInt32.init)
  let made = outputs.filter { $0 != BP_NO_TENSOR }

  var graph: Graph?
  var failure: BackplaneError?
  inputs.withUnsafeBufferPointer { inputs in
    outputs.withUnsafeBufferPointer { outputs in
      listed.withUnsafeBufferPointer { listed in
        made.withUnsafeBufferPointer { made in
          var alone = node
          alone.h.struct_size = UInt32(MemoryLayout<bp_node>.size)
          (alone.in, alone.out) = (inputs.baseAddress, outputs.baseAddress)
          withUnsafePointer(to: alone) { alone in
            var record = bp_graph()
            record.h = head(bp_graph.self, BP_ST_GRAPH)
            record.nodes = bp_array(ptr: UnsafeRawPointer(alone), count: 1, stride: UInt32(MemoryLayout<bp_node>.stride))
            (record.inputs, record.n_inputs) = (listed.baseAddress, UInt32(listed.count))
            (record.outputs, record.n_outputs) = (made.baseAddress, UInt32(made.count))
            do throws(BackplaneError) { graph = try withRecord(record, used) { (record) throws(BackplaneError) in try Graph(abi: record) } } catch { failure = error }
          }
        }
      }
    }
  }
  if let failure { throw failure }
  if let graph, let refusal = evaluator.refusal(of: graph, node: 0) { throw refusal }
}

// MARK: execute

func execute(_ device: Device, _ submission: bp_submission) throws(BackplaneError) {
  guard submission.waits.count == 0, submission.signals.count == 0 else {
    throw BackplaneError(.unsupported, "execute: this device has no semaphores")
  }
  func isCancelled() -> Bool { device.host.isCancelled(submission.cancel) }
  func checkTime() throws(BackplaneError) {
    if isCancelled() { throw BackplaneError(.cancelled, "execute: cancelled") }
    if submission.deadline_ns != 0, let now = device.host.now, now > submission.deadline_ns { throw BackplaneError(.timeout, "execute: past the deadline") }
  }
  for copy in try readAll(submission.copies, bp_copy.self) { try run(copy) }
  let dispatches = try readAll(submission.dispatches, bp_dispatch.self)
  var times: [(UInt64, UInt64)] = []
  for dispatch in dispatches {
    try checkTime()
    let program = try Handle.object(dispatch.program, Program.self, "execute: program")
    let begin = device.host.now ?? 0
    try program.run(dispatch, isCancelled: isCancelled)
    times.append((begin, device.host.now ?? 0))
  }
  guard let timestamps = submission.timestamps, !times.isEmpty else { return }
  let binding = readInput(timestamps)
  let size = MemoryLayout<bp_timestamp>.stride
  let to = try Handle.object(binding.buffer, Buffer.self, "execute: timestamps").range(binding.offset, UInt64(times.count * size), "execute: timestamps")
  for (i, (begin, end)) in times.enumerated() {
    let record = bp_timestamp(h: head(bp_timestamp.self, BP_ST_TIMESTAMP), begin_ticks: begin, end_ticks: end)
    (to + i * size).storeBytes(of: record, as: bp_timestamp.self)
  }
}

private func run(_ copy: bp_copy) throws(BackplaneError) {
  guard let source = copy.src, let destination = copy.dst else { throw BackplaneError(.invalid, "execute: a copy has no source or no destination") }
  let (from, to) = (readInput(source), readInput(destination))
  let rows = UInt64(max(copy.rows, 1))
  let length = from.bytes
  func start(_ binding: bp_binding, _ pitch: UInt64, _ what: String) throws(BackplaneError) -> UnsafeMutableRawPointer {
    let buffer = try Handle.object(binding.buffer, Buffer.self, "execute: \(what) of a copy")
    let (gaps, overflow) = (rows - 1).multipliedReportingOverflow(by: pitch)
    let (span, overflow2) = gaps.addingReportingOverflow(length)
    if overflow || overflow2 { throw BackplaneError(.invalid, "execute: a copy's \(what) overflows") }
    if what == "destination", buffer.isReadOnly { throw BackplaneError(.invalid, "execute: a copy into a buffer that was imported read-only") }
    return try buffer.range(binding.offset, span, "execute: \(what) of a copy")
  }
  let (a, b) = (try start(from, copy.src_pitch, "source"), try start(to, copy.dst_pitch, "destination"))
  for row in 0..<Int(rows) where length > 0 {
    (b + row * Int(copy.dst_pitch)).copyMemory(from: a + row * Int(copy.src_pitch), byteCount: Int(length))
  }
}
