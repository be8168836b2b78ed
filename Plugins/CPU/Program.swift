import BackplaneABI
import BackplanePluginKit
import CPUKernels

/// A compiled graph: immutable, so that it may be in flight many times.
final class Program: PluginProgram, @unchecked Sendable {
  let device: Device
  /// Points into `memory`.
  let compiled: bp_cpu_program
  private let memory = RecordMemory()
  private let workspace: WorkspacePlan
  private let aliases: bp_array
  private let placements: bp_array

  init(_ device: Device, _ source: UnsafePointer<bp_compile>) throws(PluginError) {
    self.device = device
    let request = readRecord(source, zero: bp_compile())
    try checkChain(request.h, of: "program_create")
    guard request.blob.len == 0 else {
      throw PluginError(BP_E_UNSUPPORTED, "program_create: this device has no compiled blobs", reason: BP_REASON_FEATURE)
    }
    let graph = try GraphReader(request.graph)
    try graph.checkOrder()
    let lowering = try GraphLowering(graph, workers: device.workers)
    guard lowering.symbols.count <= Int(BP_CPU_MAX_SYMBOLS) else {
      throw PluginError(BP_E_UNSUPPORTED, "\(lowering.symbols.count) symbols; at most \(BP_CPU_MAX_SYMBOLS) are supported", reason: BP_REASON_GRAPH_LIMIT)
    }
    let choices = try request.choices(), strict = request.numerics == BP_NUMERICS_STRICT
    var compilation = Compilation(graph: graph, lowering: lowering, memory: memory, plan: WorkspaceRequest(graph: graph, bytes: lowering.bytes))
    for node in graph.nodes.indices {
      if let token = request.cancel, node % 256 == 0, device.host.table.pointee.cancelled(device.host.table.pointee.ctx, token) != 0 {
        throw PluginError(BP_E_CANCELLED, "program_create was cancelled at node \(node) of \(graph.nodes.count)", node: node)
      }
      // Those that hold for some values of a symbol, then the one that holds otherwise.
      let chosen = choices[UInt32(node)] ?? []
      for choice in chosen.filter({ $0.range != nil }).map(Optional.some) + [chosen.first { $0.range == nil }] {
        try compilation.add(node, device, choice, strict: strict)
      }
    }
    workspace = try WorkspacePlan(compilation.plan)
    for i in compilation.steps.indices {
      compilation.steps[i].scratch_offset = UInt64(workspace.scratchOffsets[Int(compilation.steps[i].node)])
    }
    let bounds = Program.bounds(graph)
    let tensors = lowering.tensors(at: workspace.places)
    compiled = bp_cpu_program(
      steps: UnsafePointer(memory.copy(compilation.steps)), tensors: UnsafePointer(memory.copy(tensors)),
      symbols: UnsafePointer(memory.copy(lowering.symbols)), bounds: UnsafePointer(memory.copy(bounds)),
      n_steps: UInt32(compilation.steps.count), n_tensors: UInt32(tensors.count), n_symbols: UInt32(lowering.symbols.count),
      n_bounds: UInt32(bounds.count), workspace_bytes: UInt64(workspace.bytes), workspace_align: UInt64(workspace.alignment))
    placements = memory.list(workspace.placements)
    aliases = memory.list(workspace.aliases.map { bp_alias(h: head(bp_alias.self, BP_ST_ALIAS), input: UInt32($0.input), output: UInt32($0.output)) })
    super.init()
  }

  override func info(_ out: UnsafeMutablePointer<bp_program_info>) {
    var info = bp_program_info()
    info.workspace_bytes = compiled.workspace_bytes
    info.workspace_align = compiled.workspace_align
    info.resident_bytes = UInt64(memory.bytes)
    info.aliases = aliases
    info.placements = placements
    info.n_kernels = compiled.n_steps
    writeRecord(info, to: out)
  }

  /// What each binding must be fit for: graph inputs, then graph outputs.
  private static func bounds(_ graph: GraphReader) -> [bp_cpu_bound] {
    let written = Set(graph.nodes.flatMap(\.outputs))
    let bindingOfInput = Dictionary(graph.inputs.enumerated().map { ($1, UInt32($0)) }, uniquingKeysWith: { first, _ in first })
    return graph.inputs.map { bp_cpu_bound(tensor: $0, is_written: written.contains($0) ? 1 : 0, same_as: BP_NO_TENSOR, reserved0: 0) }
      + graph.outputs.map {
        bp_cpu_bound(tensor: $0, is_written: written.contains($0) ? 1 : 0, same_as: bindingOfInput[$0] ?? BP_NO_TENSOR, reserved0: 0)
      }
  }
}

/// Steps under construction, and what the workspace's plan must know about them.
private struct Compilation {
  let graph: GraphReader
  let lowering: GraphLowering
  let memory: RecordMemory
  var plan: WorkspaceRequest
  var steps: [bp_cpu_step] = []

  /// Adds a node's step, or a further one for it that holds when those before it do not.
  mutating func add(_ index: Int, _ device: Device, _ choice: ChosenVariant?, strict: Bool) throws(PluginError) {
    let node = graph.nodes[index]
    var symbol = 0
    if let range = choice?.range {
      guard let known = lowering.symbols.firstIndex(where: { $0.number == range.symbol }) else {
        throw .invalid("a config of node \(index) holds for values of symbol \(range.symbol), which the graph has not", node: index)
      }
      symbol = known + 1
    }
    do throws(Refusal) {
      let call = try lowering.call(ofNode: index, strict: strict)
      let kernel = try device.catalogue.kernel(node.op, choice?.variant, call)
      if graph.isView(node) {
        if choice?.range == nil { plan.views.append((tensor: Int(node.outputs[0]), base: Int(node.inputs[0]))) }
        return
      }
      let values = try kernel.values(choice?.values ?? [], workers: device.workers)
      var cut = bp_cpu_plan()
      kernel.pointer.pointee.plan(call, &cut)
      plan.scratch[index] = max(plan.scratch[index], Int(clamping: cut.scratch_bytes))
      var step = step(index, kernel, numerics: call.pointee.numerics, scratch: cut.scratch_bytes)
      (step.threads, step.chunk) = (UInt32(values[0]), UInt32(values[1]))
      withUnsafeMutableBytes(of: &step.chosen) { bytes in
        for (i, value) in values.dropFirst(2).enumerated() { bytes.storeBytes(of: Int64(value), toByteOffset: 8 * i, as: Int64.self) }
      }
      if let range = choice?.range { (step.symbol, step.lo, step.hi) = (UInt32(symbol), range.values.lowerBound, range.values.upperBound) }
      steps.append(step)
    } catch {
      let name = device.host.name(of: node.op)
      throw PluginError(
        error.reason == BP_REASON_NONE ? BP_E_INVALID : BP_E_UNSUPPORTED,
        "node \(index), \(name): no kernel takes it (reason \(error.reason), operand \(error.operand), limit \(error.limit), actual \(error.actual))",
        reason: error.reason, node: index, operand: Int(error.operand))
    }
    if choice?.range == nil, let pair = Operators.inPlace(node.op), pair.output < node.outputs.count, pair.input < node.inputs.count {
      let (input, output) = (node.inputs[pair.input], node.outputs[pair.output])
      guard input != BP_NO_TENSOR, output != BP_NO_TENSOR, input != output,
            graph.tensors[Int(input)].hasSameShape(as: graph.tensors[Int(output)]) else { return }
      plan.inPlace.append((node: index, input: Int(input), output: Int(output)))
    }
  }

  private func step(_ index: Int, _ kernel: Kernel, numerics: UInt32, scratch: UInt64) -> bp_cpu_step {
    let node = graph.nodes[index]
    var step = bp_cpu_step()
    step.kernel = kernel.pointer
    step.attrs = UnsafePointer(memory.copy(ownedAttributes(node)))
    step.n_attrs = UInt32(node.attributes.count)
    step.numerics = numerics
    (step.n_in, step.n_out) = (UInt32(node.inputs.count), UInt32(node.outputs.count))
    withUnsafeMutableBytes(of: &step.in) { bytes in for (i, tensor) in node.inputs.enumerated() { bytes.storeBytes(of: tensor, toByteOffset: 4 * i, as: UInt32.self) } }
    withUnsafeMutableBytes(of: &step.out) { bytes in for (i, tensor) in node.outputs.enumerated() { bytes.storeBytes(of: tensor, toByteOffset: 4 * i, as: UInt32.self) } }
    step.node = UInt32(index)
    step.scratch_bytes = scratch
    return step
  }

  /// The node's attributes with strings and lists of our own, padded with zeros: the graph is not kept, and a kernel that looks for
  /// an attribute beyond the last finds nothing.
  private func ownedAttributes(_ node: GraphNode) -> [bp_attr] {
    var records = node.attributes.map { attribute in
      var record = attribute.record
      guard let data = record.data, record.count > 0 else { return record }
      switch record.kind {
      case BP_ATTR_STR: record.data = UnsafeRawPointer(memory.copy(Array(UnsafeRawBufferPointer(start: data, count: Int(record.count)))))
      case BP_ATTR_I64S, BP_ATTR_F64S:
        let values = data.assumingMemoryBound(to: Int64.self)
        record.data = UnsafeRawPointer(memory.copy(Array(UnsafeBufferPointer(start: values, count: Int(record.count)))))
      default: break
      }
      return record
    }
    records += [bp_attr](repeating: bp_attr(), count: 4)
    return records
  }
}
