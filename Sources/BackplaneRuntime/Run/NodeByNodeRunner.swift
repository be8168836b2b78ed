import BackplaneABI
import BackplaneCore
import BackplaneRegistry

/// Runs a graph one node at a time, each as a program of its own, and shows every operand.
///
/// For verification, not for speed: no fusion, every intermediate kept. Nodes of one signature share a program. Weights are bound as
/// a session binds them. One thread at a time.
public final class NodeByNodeRunner: @unchecked Sendable {
  public let runtime: Runtime
  public let device: Device
  public let graph: Graph
  private let memory: DeviceMemory
  private var constants: [TensorID: WeightBinding] = [:]
  private var sources: [TensorID: ConstantSource]
  private var tensors: [TensorID: DeviceBuffer] = [:]
  private var inputs: [TensorID: [UInt8]] = [:]
  private struct Key: Hashable {
    var signature: Int
    /// Which operands are one tensor.
    var identities: [Int]
  }
  private struct Step {
    var program: DeviceProgram
    /// What a dispatch binds.
    var bindings: [TensorID]
    var symbols: [UInt32]
  }
  private var steps: [Step] = []
  private var workspace: DeviceBuffer?

  /// An operand of a node while it is shown.
  public struct Operand {
    public let id: TensorID
    public let tensor: TensorDescription
    /// Dense, for the values of the run. Valid during the call only.
    public let bytes: UnsafeRawBufferPointer
  }

  /// Compiles every node.
  ///
  /// - Throws: ``BackplaneError``: what is wrong with the graph; which node the device refuses, and why.
  public init(_ runtime: Runtime, _ device: Device, _ graph: Graph, constants sources: [TensorID: ConstantSource] = [:]) throws(BackplaneError) {
    (self.runtime, self.device, self.graph, self.sources) = (runtime, device, graph, sources)
    memory = DeviceMemory(device)
    var options = CompileOptions(devices: [device])
    options.fuses = false
    var placing = try Placing(checking: graph, [device], options)
    try placing.place()  // for its refusals
    var programs: [Key: DeviceProgram] = [:]
    let everyReader = Array(repeating: Int.max, count: graph.tensors.count)
    let isOutput = Array(repeating: true, count: graph.tensors.count)
    var workspaceBytes = 0
    var workspaceAlignment = memory.alignment
    for (i, node) in graph.nodes.enumerated() {
      let plan = ProgramPlan(graph, nodes: i..<i + 1, device: 0, lastReader: everyReader, isOutput: isOutput)
      var seen: [TensorID: Int] = [:]
      let identities = (node.inputs + node.outputs).map { id in id.map { id in seen[id] ?? { seen[id] = seen.count; return seen.count - 1 }() } ?? -1 }
      let key = Key(signature: placing.signatures[i], identities: identities)
      let program: DeviceProgram
      if let known = programs[key] { program = known } else {
        do {
          program = try device.compile(try ABIGraph(plan.graph))
        } catch {
          var located = error
          (located.node, located.op) = (i, node.op)
          throw located
        }
        programs[key] = program
      }
      workspaceBytes = max(workspaceBytes, program.info.workspaceByteCount)
      workspaceAlignment = max(workspaceAlignment, program.info.workspaceAlignment)
      steps.append(Step(program: program, bindings: plan.bindings, symbols: plan.graph.symbols.map(\.number)))
    }
    if workspaceBytes > 0 {
      workspace = try device.makeBuffer(byteCount: workspaceBytes, alignment: workspaceAlignment, usage: .workspace, memoryType: memory.main)
    }
    for id in graph.constants {
      guard let source = sources[id] else { throw BackplaneError(.invalid, "constant \(graph[id].name) was not given") }
      guard source.byteCount == graph[id].maximumBytes else {
        throw BackplaneError(.invalid, "constant \(graph[id].name) has \(graph[id].maximumBytes ?? 0) bytes, \(source.byteCount) were given")
      }
      constants[id] = try runtime.weights.bind(source, on: device, memory)
    }
    for id in graph.states { try resetState(id) }
  }

  private func resetState(_ id: TensorID) throws(BackplaneError) {
    let bytes = try buffer(id).map(access: [.write])
    bytes.initializeMemory(as: UInt8.self, repeating: 0)
    try buffer(id).unmap()
  }

  public func resetStates() throws(BackplaneError) { for id in graph.states { try resetState(id) } }

  private func buffer(_ id: TensorID) throws(BackplaneError) -> DeviceBuffer {
    if let known = tensors[id] { return known }
    let buffer = try device.makeBuffer(byteCount: max(graph[id].maximumBytes ?? 0, 1), alignment: memory.alignment, usage: [.input, .output], memoryType: memory.io)
    tensors[id] = buffer
    return buffer
  }

  /// Sets an input for the runs that follow; dense for the values of the run.
  public func setInput(_ id: TensorID, _ bytes: UnsafeRawBufferPointer) throws(BackplaneError) {
    guard bytes.count <= graph[id].maximumBytes ?? 0 else {
      throw BackplaneError(.invalid, "\(bytes.count) bytes for input \(graph[id].name) of \(graph[id].maximumBytes ?? 0)")
    }
    try upload(bytes, to: try buffer(id), memory)
  }

  public func setInput<T: BitwiseCopyable>(_ id: TensorID, _ elements: [T]) throws(BackplaneError) {
    let block = MemoryBlock(byteCount: elements.count * MemoryLayout<T>.stride)
    elements.withUnsafeBytes { block.bytes.copyMemory(from: $0) }
    try setInput(id, UnsafeRawBufferPointer(rebasing: block.bytes[0..<elements.count * MemoryLayout<T>.stride]))
  }

  /// Runs every node in order.
  ///
  /// - Parameter onNode: Told after each node: its number, the node, its inputs and its outputs in the spec's order (nil where one is
  ///   absent). A state that the node wrote is shown as it is after the node; `before` has what it was.
  public func run(symbols: SymbolValues = [:],
                  onNode: (_ index: Int, _ node: Node, _ inputs: [Operand?], _ outputs: [Operand?]) throws(BackplaneError) -> Void) throws(BackplaneError) {
    for symbol in graph.symbols {
      guard let value = symbols[symbol] else { throw BackplaneError(.invalid, "symbol \(symbol.name) has no value") }
      guard symbol.bounds.contains(value) else {
        throw BackplaneError(.invalid, "symbol \(symbol.name) is \(value), its bounds are \(symbol.bounds.lowerBound)…\(symbol.bounds.upperBound)")
      }
    }
    for (i, step) in steps.enumerated() {
      let node = graph.nodes[i]
      // A state that the node writes is shown as it was before, on the side of the inputs.
      var before: [TensorID: MemoryBlock] = [:]
      for case let id? in node.outputs where graph[id].role == .state {
        let block = MemoryBlock(byteCount: graph[id].maximumBytes ?? 0)
        block.bytes.copyMemory(from: UnsafeRawBufferPointer(try buffer(id).map(byteCount: block.bytes.count, access: [.read])))
        try buffer(id).unmap()
        before[id] = block
      }
      var bindings: [bp_binding] = []
      for id in step.bindings {
        let count = graph[id].maximumBytes ?? 0
        if let weight = constants[id] { bindings.append(weight.buffer.binding(offset: weight.offset, byteCount: count)) }
        else { bindings.append(try buffer(id).binding(byteCount: count)) }
      }
      let info = step.program.info
      let command = CommandList(step.program, bindings: bindings, symbols: step.symbols,
                                workspace: info.workspaceByteCount == 0 ? nil : workspace!.binding(byteCount: info.workspaceByteCount))
      for k in command.symbols.indices { command.symbols[k].value = Int64(symbols[number: command.symbols[k].symbol]!) }
      do {
        try device.execute(command.submission)
      } catch {
        var located = error
        (located.node, located.op) = (i, node.op)
        throw located
      }
      var mapped: [TensorID: UnsafeRawBufferPointer] = [:]
      func show(_ id: TensorID, isInput: Bool) throws(BackplaneError) -> Operand {
        let tensor = graph[id]
        let count = tensor.bytes(in: symbols) ?? tensor.maximumBytes ?? 0
        let bytes: UnsafeRawBufferPointer
        if isInput, let old = before[id] { bytes = UnsafeRawBufferPointer(old.bytes) }
        else if let source = sources[id], tensor.role == .constant { bytes = source.bytes }
        else if let known = mapped[id] { bytes = known }
        else {
          bytes = count == 0 ? UnsafeRawBufferPointer(start: nil, count: 0) : UnsafeRawBufferPointer(try buffer(id).map(byteCount: count, access: [.read]))
          mapped[id] = bytes
        }
        return Operand(id: id, tensor: tensor, bytes: UnsafeRawBufferPointer(rebasing: bytes.prefix(count)))
      }
      var shownInputs: [Operand?] = []
      var shownOutputs: [Operand?] = []
      for id in node.inputs { shownInputs.append(id == nil ? nil : try show(id!, isInput: true)) }
      for id in node.outputs { shownOutputs.append(id == nil ? nil : try show(id!, isInput: false)) }
      try onNode(i, node, shownInputs, shownOutputs)
      for id in mapped.keys where !mapped[id]!.isEmpty { try buffer(id).unmap() }
    }
  }

  /// The bytes of a tensor as the last run left them; dense for `symbols`.
  public func read(_ id: TensorID, symbols: SymbolValues = [:]) throws(BackplaneError) -> [UInt8] {
    let count = graph[id].bytes(in: symbols) ?? 0
    if graph[id].role == .constant { return Array(sources[id]!.bytes) }
    if count == 0 { return [] }
    let bytes = Array(try buffer(id).map(byteCount: count, access: [.read]))
    try buffer(id).unmap()
    return bytes
  }
}
