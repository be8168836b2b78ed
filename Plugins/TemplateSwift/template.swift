// A Backplane plugin in Swift: one file, Backplane's two C headers, no other dependency.
//
// It offers one device, "template:0", which runs four operators on dense f32 tensors in host memory, one at a time.
// `backplane new-plugin NAME --lang swift` copies and renames it; replace what is inside, one operator after the other.
// `backplane conform` says what is missing and what is wrong.
//
// Rules that are easy to break (all of them: Specs/abi.md):
//  - Never trap, exit, print, start threads or read the environment. Return a status and fill the bp_error.
//  - Arrays from the host have a stride. It may be larger than the record: use it.
//  - What comes in is valid for the call only: a program copies what it needs of the graph.
//  - query depends on the node alone, and its yes is a promise: program_create and execute then work.
@_exported import BackplaneABI
import Glibc

let alignment: UInt64 = 64
let tag: UInt32 = 0x74656d70  // names us in the host's memory accounts

// MARK: Kernels

/// A tensor at run time: dense, every extent known. `data` is nil where an optional operand is absent.
struct View {
  var data: UnsafeMutableRawPointer?
  var dims: [Int] = []
  var count: Int { dims.reduce(1, *) }
  var columns: Int { dims.last ?? 1 }
  var rows: Int { dims.dropLast().reduce(1, *) }  // 0 columns may still be many rows
  var floats: UnsafeMutablePointer<Float> { elements(Float.self) }
  func elements<T>(_: T.Type) -> UnsafeMutablePointer<T> { data!.assumingMemoryBound(to: T.self) }
}

struct Call {
  let host: UnsafePointer<bp_host>
  let attributes: [Attribute]
  let inputs: [View]
  let output: View
}

/// Where element `i` of an output comes from in `view`: extents of 1 and missing leading dimensions repeat.
func broadcast(_ view: View, _ output: View, _ i: Int) -> Int {
  var (rest, offset, step) = (i, 0, 1)
  for d in 1...max(output.dims.count, 1) where d <= output.dims.count {  // d counts from the last dimension
    let extent = output.dims[output.dims.count - d]
    if d <= view.dims.count {
      let own = view.dims[view.dims.count - d]
      offset += own == 1 ? 0 : rest % extent * step
      step *= own
    }
    rest /= extent
  }
  return offset
}

func binary<T>(_ c: Call, _: T.Type, _ operation: (T, T) -> T) {
  let (a, b, y) = (c.inputs[0].elements(T.self), c.inputs[1].elements(T.self), c.output.elements(T.self))
  for i in 0..<c.output.count { y[i] = operation(a[broadcast(c.inputs[0], c.output, i)], b[broadcast(c.inputs[1], c.output, i)]) }
}
func silu(_ c: Call) {
  let (x, y) = (c.inputs[0].floats, c.output.floats)
  for i in 0..<c.output.count { y[i] = x[i] / (1 + expf(-x[i])) }
}

/// y = x w^T. Threads belong to the host: parallel_for calls the closure from its pool, one chunk of rows at a time.
func matmul(_ c: Call) {
  struct Work { var a, b, y: UnsafeMutablePointer<Float>; var n, k: Int; var isTransposed: Bool }
  var work = Work(a: c.inputs[0].floats, b: c.inputs[1].floats, y: c.output.floats, n: c.output.columns, k: c.inputs[0].columns,
                  isTransposed: c.attributes[Int(BP_MATMUL_TRANSPOSE_B)].int != 0)
  withUnsafeMutablePointer(to: &work) { context in
    _ = c.host.pointee.parallel_for(c.host.pointee.ctx, UInt64(c.output.rows), 1, { context, begin, end, _ in
      let w = context!.assumingMemoryBound(to: Work.self).pointee
      for m in Int(begin)..<Int(end) {
        for j in 0..<w.n {
          var sum: Float = 0
          for i in 0..<w.k { sum += w.a[m * w.k + i] * w.b[w.isTransposed ? j * w.k + i : i * w.n + j] }
          w.y[m * w.n + j] = sum
        }
      }
    }, context, 0)
  }
}

// MARK: What each kernel can do

/// A refusal names a reason of the catalogue, the operand, and the numbers where there are any.
struct Refusal {
  var reason: UInt32
  var operand = 0
  var limit = 0, actual = 0
}

struct Kernel: Sendable {
  var inputs: Int  // that must be there
  var run: @Sendable (Call) -> Void
  var runInt32: (@Sendable (Call) -> Void)?  // on i32, where the operator has it
  var check: @Sendable (Node, [Tensor]) -> Refusal? = { _, _ in nil }
}

/// One line adds an operator.
let kernels: [bp_id: Kernel] = [
  UInt64(BP_OP_ADD): Kernel(inputs: 2, run: { binary($0, Float.self, +) }, runInt32: { binary($0, Int32.self, &+) }),
  UInt64(BP_OP_MUL): Kernel(inputs: 2, run: { binary($0, Float.self, *) }, runInt32: { binary($0, Int32.self, &*) }),
  UInt64(BP_OP_SILU): Kernel(inputs: 1, run: silu),
  UInt64(BP_OP_MATMUL): Kernel(inputs: 2, run: matmul, check: { node, tensors in
    for i in Int(BP_MATMUL_IN_BIAS)..<max(node.inputs.count, Int(BP_MATMUL_IN_BIAS)) where node.inputs[i] != nil {
      return Refusal(reason: BP_REASON_OPERAND_UNEXPECTED, operand: i)  // no bias, no residual
    }
    let rank = tensors[node.inputs[Int(BP_MATMUL_IN_B)]!].dims.count
    if rank != 2 { return Refusal(reason: BP_REASON_RANK, operand: Int(BP_MATMUL_IN_B), limit: 2, actual: rank) }
    return node.attributes[Int(BP_MATMUL_ACTIVATION)].text == "none" ? nil : Refusal(reason: BP_REASON_ATTRIBUTE)
  }),
]

/// Why there is no kernel for a node; nil when there is one.
func refusal(_ node: Node, _ tensors: [Tensor]) -> Refusal? {
  guard let kernel = kernels[node.op] else { return Refusal(reason: BP_REASON_OP_UNKNOWN) }
  if node.version > 1 { return Refusal(reason: BP_REASON_OP_VERSION, limit: 1, actual: node.version) }
  if node.outputs.count != 1 || node.outputs[0] == nil { return Refusal(reason: BP_REASON_OPERAND_UNEXPECTED, operand: node.inputs.count) }
  for i in 0..<kernel.inputs where i >= node.inputs.count || node.inputs[i] == nil { return Refusal(reason: BP_REASON_OPERAND_MISSING, operand: i) }
  for (i, number) in (node.inputs + node.outputs).enumerated() {  // operands count inputs, then outputs
    guard let number else { continue }
    if tensors[number].isInt32, kernel.runInt32 == nil { return Refusal(reason: BP_REASON_DTYPE, operand: i) }
    if tensors[number].fault != BP_REASON_NONE { return Refusal(reason: tensors[number].fault, operand: i) }
  }
  return kernel.check(node, tensors)
}

// MARK: Reading graphs

/// Element `i` of an array whose producer chose the stride.
func at<T>(_ array: bp_array, _ i: Int, _: T.Type) -> UnsafePointer<T> {
  (array.ptr + i * Int(array.stride)).assumingMemoryBound(to: T.self)
}

struct Attribute {
  var int = 0, float = 0.0, text = ""
  init(_ a: bp_attr) {
    (int, float) = (Int(a.i), a.f)
    if a.kind == BP_ATTR_STR, let data = a.data { text = String(decoding: UnsafeRawBufferPointer(start: data, count: Int(a.count)), as: UTF8.self) }
  }
}

struct Node {
  var op: bp_id
  var version: Int
  var inputs: [Int?], outputs: [Int?]
  var attributes: [Attribute]  // in the order of the operator's spec
  init(_ n: bp_node) {
    func numbers(_ list: UnsafePointer<UInt32>?, _ count: UInt32) -> [Int?] { (0..<Int(count)).map { list![$0] == BP_NO_TENSOR ? nil : Int(list![$0]) } }
    (op, version) = (n.op, Int(n.op_version))
    (inputs, outputs) = (numbers(n.in, n.n_in), numbers(n.out, n.n_out))
    attributes = (0..<Int(n.attrs.count)).map { Attribute(at(n.attrs, $0, bp_attr.self).pointee) }
  }
}

/// What a program keeps of a bp_tensor.
struct Tensor {
  var dims: [Int]      // -1: the value of `symbols`
  var symbols: [UInt32]
  var capacity = 4     // bytes at the symbols' upper bounds
  var binding: Int?    // number of its binding in a dispatch; nil: in the workspace
  var offset = 0       // there
  let isInt32: Bool
  var fault = BP_REASON_NONE  // why no kernel here can use it: f32 or i32, dense

  init(_ t: bp_tensor) {
    func list<Tuple, E>(_ tuple: Tuple, _: E.Type) -> [E] { withUnsafeBytes(of: tuple) { Array($0.bindMemory(to: E.self).prefix(Int(t.rank))) } }
    dims = list(t.dim, Int64.self).map { Int($0) }
    symbols = list(t.symbol, UInt32.self)
    isInt32 = t.dtype == UInt64(BP_FORMAT_I32)
    for extent in list(t.dim_max, Int64.self) { capacity *= Int(extent) }
    if !isInt32, t.dtype != UInt64(BP_FORMAT_F32) { fault = BP_REASON_DTYPE; return }
    if t.layout != UInt64(BP_LAYOUT_STRIDED) { fault = BP_REASON_LAYOUT; return }
    var dense: Int64 = 4  // a stride of -1 says dense where a symbol decides the number
    for (extent, stride) in zip(dims, list(t.stride, Int64.self)).reversed() {
      if stride >= 0, dense >= 0, stride != dense, extent != 1 { fault = BP_REASON_LAYOUT }
      dense = extent < 0 || dense < 0 ? -1 : dense * Int64(max(extent, 1))
    }
  }
}

// MARK: Programs

final class Program {
  let device: Device
  let nodes: [Node]
  let tensors: [Tensor]
  private(set) var workspace = 0
  let placements: UnsafeMutableBufferPointer<bp_placement>

  init(_ device: Device, _ graph: bp_graph) throws(Failure) {
    self.device = device
    nodes = (0..<Int(graph.nodes.count)).map { Node(at(graph.nodes, $0, bp_node.self).pointee) }
    var tensors = (0..<Int(graph.tensors.count)).map { Tensor(at(graph.tensors, $0, bp_tensor.self).pointee) }
    for (i, node) in nodes.enumerated() {  // the host has asked before; a graph that came another way is refused here
      if let refusal = refusal(node, tensors) { throw Failure(BP_E_UNSUPPORTED, "node \(i) has no kernel here", reason: refusal.reason, node: i) }
    }
    for i in 0..<Int(graph.n_inputs) { tensors[Int(graph.inputs[i])].binding = i }
    for i in 0..<Int(graph.n_outputs) { tensors[Int(graph.outputs[i])].binding = Int(graph.n_inputs) + i }
    // All else lies in the workspace, here each tensor in a place of its own.
    let inside = tensors.indices.filter { tensors[$0].binding == nil }
    placements = .allocate(capacity: inside.count)
    for (k, i) in inside.enumerated() {
      tensors[i].offset = workspace
      var place = bp_placement()
      place.h = head(bp_placement.self, BP_ST_PLACEMENT)
      (place.tensor, place.alias_of, place.end_node) = (UInt32(i), BP_NO_TENSOR, UInt32(nodes.count))
      (place.offset, place.bytes) = (UInt64(workspace), UInt64(tensors[i].capacity))
      placements.initializeElement(at: k, to: place)
      workspace += (tensors[i].capacity + Int(alignment) - 1) / Int(alignment) * Int(alignment)
    }
    self.tensors = tensors
  }
  deinit { placements.deallocate() }

  func run(_ dispatch: bp_dispatch, _ submission: bp_submission) throws(Failure) {
    let host = device.host
    if workspace > 0, dispatch.workspace == nil { throw Failure(BP_E_INVALID, "a workspace of \(workspace) bytes is missing") }
    func view(_ number: Int?) -> View {
      guard let number else { return View() }
      var dims = tensors[number].dims
      for d in dims.indices where dims[d] < 0 {
        for s in 0..<Int(dispatch.symbols.count) {
          let value = at(dispatch.symbols, s, bp_symbol_value.self).pointee
          if value.symbol == tensors[number].symbols[d] { dims[d] = Int(value.value) }
        }
      }
      let data = tensors[number].binding.map { address(at(dispatch.bindings, $0, bp_binding.self).pointee) }
        ?? address(dispatch.workspace.pointee) + tensors[number].offset
      return View(data: data, dims: dims)
    }
    for (i, node) in nodes.enumerated() {
      if let token = submission.cancel, host.pointee.cancelled(host.pointee.ctx, token) != 0 { throw Failure(BP_E_CANCELLED, "cancelled before node \(i)") }
      let kernel = kernels[node.op]!, output = node.outputs[0]!
      let run = tensors[output].isInt32 ? kernel.runInt32! : kernel.run
      run(Call(host: host, attributes: node.attributes, inputs: node.inputs.map(view), output: view(output)))
    }
  }
}

// MARK: Buffers: host memory

final class Buffer {
  let data: UnsafeMutableRawPointer
  let byteCount: UInt64
  private let owner: Device?  // nil when the memory is the host's

  init(_ device: Device, _ description: bp_buffer_desc) throws(Failure) {
    if mustRefuse(description.h) { throw Failure(BP_E_UNSUPPORTED, "an extension of the buffer's description is unknown", reason: BP_REASON_FEATURE) }
    if description.memory_type != 0 { throw Failure(BP_E_INVALID, "there is no memory type \(description.memory_type), only 0") }
    if description.align > alignment { throw Failure(BP_E_UNSUPPORTED, "alignment of at most \(alignment)", reason: BP_REASON_ALIGN) }
    byteCount = description.bytes
    let host = device.host.pointee
    switch description.source {
    case BP_SOURCE_ALLOCATE:
      guard let memory = host.alloc(host.ctx, max(byteCount, 1), alignment, tag) else { throw Failure(BP_E_OOM_HOST, "no memory for \(byteCount) bytes") }
      (data, owner) = (memory, device)
    case BP_SOURCE_HOST_POINTER:
      guard let memory = description.host_ptr else { throw Failure(BP_E_INVALID, "the memory to use is NULL") }
      (data, owner) = (memory, nil)
    default: throw Failure(BP_E_UNSUPPORTED, "buffer source \(description.source) is not supported", reason: BP_REASON_FEATURE)
    }
  }
  deinit {
    guard let host = owner?.host.pointee else { return }
    host.free(host.ctx, data, max(byteCount, 1), alignment, tag)
  }
}

func address(_ binding: bp_binding) -> UnsafeMutableRawPointer { object(binding.buffer, as: Buffer.self).data + Int(binding.offset) }

// MARK: The boundary

/// Why a call fails: what, with which values.
struct Failure: Error {
  var status: bp_status
  var message: String
  var reason = BP_REASON_NONE
  var node: Int?
  init(_ status: bp_status, _ message: String, reason: UInt32 = BP_REASON_NONE, node: Int? = nil) {
    (self.status, self.message, self.reason, self.node) = (status, message, reason, node)
  }
}

/// Runs the body of an ABI function. What it throws goes into `error`, which may be NULL, and its status is the answer.
func answer(_ error: UnsafeMutablePointer<bp_error>?, _ body: () throws(Failure) -> Void) -> bp_status {
  do {
    try body()
    return BP_OK
  } catch let failure {
    if let error {
      (error.pointee.code, error.pointee.reason) = (failure.status, failure.reason)
      error.pointee.node_plus_1 = UInt32((failure.node ?? -1) + 1)
      withUnsafeMutableBytes(of: &error.pointee.message) { space in
        let text = Array(failure.message.utf8.prefix(space.count - 1)) + [0]
        space.copyBytes(from: text)
      }
    }
    return failure.status
  }
}

/// A Swift object as a handle of the ABI, which owns one reference until `take`.
func handle(_ object: AnyObject) -> OpaquePointer { OpaquePointer(Unmanaged.passRetained(object).toOpaque()) }
func object<T: AnyObject>(_ handle: OpaquePointer, as _: T.Type) -> T { Unmanaged<T>.fromOpaque(UnsafeRawPointer(handle)).takeUnretainedValue() }
func take<T: AnyObject>(_ handle: OpaquePointer?, as _: T.Type) { if let handle { Unmanaged<T>.fromOpaque(UnsafeRawPointer(handle)).release() } }

func head<T>(_: T.Type, _ type: UInt32) -> bp_head { bp_head(struct_size: UInt32(MemoryLayout<T>.size), struct_type: type, next: nil) }

/// Fills a record of the host with what we made, as far as the host's version of it reaches.
func put<T>(_ made: T, to out: UnsafeMutablePointer<T>) {
  let raw = UnsafeMutableRawPointer(out), head = MemoryLayout<bp_head>.size
  let count = min(Int(raw.load(as: UInt32.self)), MemoryLayout<T>.size) - head
  if count > 0 { withUnsafeBytes(of: made) { (raw + head).copyMemory(from: $0.baseAddress! + head, byteCount: count) } }
}

/// Whether a chained extension that we do not know must be understood (bit 31). Others are skipped.
func mustRefuse(_ head: bp_head) -> Bool {
  var next = head.next
  while let link = next {
    if link.pointee.struct_type >> 31 != 0 { return true }
    next = link.pointee.next
  }
  return false
}

/// Text that lives as long as the process.
func text(_ text: StaticString) -> bp_str { bp_str(ptr: UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self), len: UInt64(text.utf8CodeUnitCount)) }

// MARK: Device and plugin

final class Instance {
  let host: UnsafePointer<bp_host>  // lives as long as the process
  init(_ host: UnsafePointer<bp_host>) { self.host = host }
}

final class Device {
  let host: UnsafePointer<bp_host>
  private let memory: UnsafeMutablePointer<bp_memory_type>

  init(_ instance: Instance) {
    host = instance.host
    var type = bp_memory_type()
    type.h = head(bp_memory_type.self, BP_ST_MEMORY_TYPE)
    type.flags = BP_MEMORY_HOST_VISIBLE | BP_MEMORY_COHERENT | BP_MEMORY_CACHED | BP_MEMORY_UNIFIED | BP_MEMORY_IMPORT_HOST | BP_MEMORY_READONLY_OK
    type.align = alignment
    memory = .allocate(capacity: 1)
    memory.initialize(to: type)
  }
  deinit { memory.deallocate() }

  var info: bp_device_info {
    var info = bp_device_info()
    info.kind = BP_KIND_OTHER
    (info.name, info.vendor) = (text("Template device"), text("Your company"))
    info.groups = BP_GROUP_BASE
    info.memory_types = bp_array(ptr: UnsafeRawPointer(memory), count: 1, stride: UInt32(MemoryLayout<bp_memory_type>.stride))
    info.caps_epoch = 1
    return info
  }
}

nonisolated(unsafe) var deviceFunctions: bp_device_fns = {
  var f = bp_device_fns()
  f.h = head(bp_device_fns.self, BP_ST_DEVICE_FNS)
  f.info = { device, out, _ in
    put(object(device!, as: Device.self).info, to: out!)
    return BP_OK
  }
  f.query = { _, graph, out, stride, count, error in answer(error) { () throws(Failure) in
    guard let graph = graph?.pointee, count <= graph.nodes.count else { throw Failure(BP_E_INVALID, "\(count) verdicts wanted for fewer nodes") }
    let tensors = (0..<Int(graph.tensors.count)).map { Tensor(at(graph.tensors, $0, bp_tensor.self).pointee) }
    for i in 0..<Int(count) {
      var verdict = bp_verdict()
      (verdict.node_index, verdict.support) = (UInt32(i), BP_SUPPORT_YES)
      if let no = refusal(Node(at(graph.nodes, i, bp_node.self).pointee), tensors) {
        (verdict.support, verdict.reason, verdict.operand) = (BP_SUPPORT_NO, no.reason, UInt32(no.operand))
        (verdict.limit, verdict.actual) = (Int64(no.limit), Int64(no.actual))
      }
      put(verdict, to: (UnsafeMutableRawPointer(out!) + i * Int(stride)).assumingMemoryBound(to: bp_verdict.self))
    }
  } }
  f.buffer_create = { device, description, out, info, error in answer(error) { () throws(Failure) in
    let buffer = try Buffer(object(device!, as: Device.self), description!.pointee)
    var made = bp_buffer_info()
    (made.bytes, made.actual_bytes) = (buffer.byteCount, description!.pointee.source == BP_SOURCE_ALLOCATE ? buffer.byteCount : 0)
    if let info { put(made, to: info) }
    out!.pointee = handle(buffer)
  } }
  f.buffer_destroy = { _, buffer in take(buffer, as: Buffer.self) }
  f.buffer_map = { _, buffer, offset, count, _, out, error in answer(error) { () throws(Failure) in
    let buffer = object(buffer!, as: Buffer.self)
    guard offset <= buffer.byteCount, count <= buffer.byteCount - offset else { throw Failure(BP_E_INVALID, "range beyond the buffer's \(buffer.byteCount) bytes") }
    out!.pointee = buffer.data + Int(offset)
  } }
  f.buffer_unmap = { _, _, _ in BP_OK }
  f.program_create = { device, compile, out, error in answer(error) { () throws(Failure) in
    out!.pointee = handle(try Program(object(device!, as: Device.self), compile!.pointee.graph.pointee))
  } }
  f.program_info = { program, out, _ in
    let program = object(program!, as: Program.self)
    var info = bp_program_info()
    (info.workspace_bytes, info.workspace_align, info.n_kernels) = (UInt64(program.workspace), alignment, UInt32(program.nodes.count))
    info.placements = bp_array(ptr: UnsafeRawPointer(program.placements.baseAddress), count: UInt32(program.placements.count), stride: UInt32(MemoryLayout<bp_placement>.stride))
    put(info, to: out!)
    return BP_OK
  }
  f.program_destroy = { program in take(program, as: Program.self) }
  f.execute = { _, submission, error in answer(error) { () throws(Failure) in
    let s = submission!.pointee
    for i in 0..<Int(s.copies.count) {  // copies come first
      let copy = at(s.copies, i, bp_copy.self).pointee
      for row in 0..<max(Int(copy.rows), 1) {
        memmove(address(copy.dst.pointee) + row * Int(copy.dst_pitch), address(copy.src.pointee) + row * Int(copy.src_pitch), Int(copy.src.pointee.bytes))
      }
    }
    for i in 0..<Int(s.dispatches.count) {
      let dispatch = at(s.dispatches, i, bp_dispatch.self).pointee
      try object(dispatch.program, as: Program.self).run(dispatch, s)
    }
  } }
  return f
}()

nonisolated(unsafe) var plugin: bp_plugin = {
  var p = bp_plugin()
  p.h = head(bp_plugin.self, BP_ST_PLUGIN)
  (p.abi_min, p.abi_max, p.abi_layout_hash) = (UInt32(BP_ABI_1_0), UInt32(BP_ABI_THIS), UInt64(BP_ABI_LAYOUT_HASH_1_0))
  p.name = text("Template")  // device IDs begin with it: template:0
  (p.vendor, p.version, p.build_id) = (text("Your company"), text("0.1"), text("0.1"))
  p.instance_create = { host, out, _ in
    out!.pointee = handle(Instance(host!))
    return BP_OK
  }
  p.instance_destroy = { instance in take(instance, as: Instance.self) }
  p.device_count = { _, out, _ in
    out!.pointee = 1  // ask the driver here; 0 is a fine answer
    return BP_OK
  }
  p.device_open = { instance, index, out, functions, error in answer(error) { () throws(Failure) in
    guard index == 0 else { throw Failure(BP_E_INVALID, "there is no device \(index)") }
    out!.pointee = handle(Device(object(instance!, as: Instance.self)))
    functions!.pointee = withUnsafePointer(to: &deviceFunctions) { $0 }  // a global's address is stable
  } }
  p.device_close = { device in take(device, as: Device.self) }
  return p
}()

/// The one exported symbol. Pure: it may be called before anything else, and often.
@c @implementation
public func bp_plugin_query(_ hostMinimum: UInt32, _ hostMaximum: UInt32) -> UnsafePointer<bp_plugin>! {
  guard hostMaximum >= UInt32(BP_ABI_1_0), hostMinimum <= UInt32(BP_ABI_THIS) else { return nil }
  return withUnsafePointer(to: &plugin) { $0 }
}
