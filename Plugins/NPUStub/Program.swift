import BackplanePluginKit
import NPUStubEngine
import Glibc

/// A compiled graph: commands with fixed shapes, and where its tensors lie. Immutable.
final class Program: PluginProgram, @unchecked Sendable {
  let device: Device
  let content: Content
  private let graphHash: UInt64
  private let memory = RecordMemory()
  private let placements: bp_array

  /// All of a program, as it goes into a blob.
  struct Content {
    /// Where a tensor lies: a binding (inputs, then outputs), the workspace, nowhere.
    struct Place: BitwiseCopyable {
      var kind: UInt32 = 2
      var binding: UInt32 = 0
      var offset: UInt64 = 0
      var bytes: UInt64 = 0
    }
    struct Bound: BitwiseCopyable {
      var bytes: UInt64
      var isWritten: UInt32
      var align: UInt32
    }
    var places: [Place] = []
    var bounds: [Bound] = []
    var views: [npu_view] = []
    var commands: [npu_command] = []
    var placements: [bp_placement] = []
    var workspaceBytes: UInt64 = 0
    var workspaceAlign: UInt64 = 64
    var cost = Cost()
    var nodeCount = 0
  }

  init(_ device: Device, _ source: UnsafePointer<bp_compile>) throws(PluginError) {
    self.device = device
    let request = readRecord(source, zero: bp_compile())
    try checkChain(request.h, of: "program_create")
    guard let graph = request.graph else { throw .invalid("program_create: no graph") }
    let hash = readRecord(graph, zero: bp_graph()).structure_hash
    graphHash = hash
    if request.blob.len > 0 {
      content = try Content(blob: UnsafeRawBufferPointer(start: request.blob.ptr, count: Int(clamping: request.blob.len)), device, graphHash: hash)
    } else {
      try Program.waitAsARealCompilerWould(device, request)
      content = try Content(compiling: try GraphReader(graph), device, request)
      let (cost, chip) = (content.cost, device.chip)
      device.host.log(BP_LOG_INFO, "npu", "program of \(content.nodeCount) nodes: \(content.commands.count) commands, estimated \(Int(cost.nanoseconds(chip))) ns, "
        + "\(Int(cost.joules(chip) * 1e9)) nJ, \(Int(cost.bytes)) bytes of DMA")
    }
    placements = memory.list(content.placements)
    super.init()
  }
  deinit { device.programEnded() }

  private static func waitAsARealCompilerWould(_ device: Device, _ request: bp_compile) throws(PluginError) {
    for _ in 0..<device.chip.compileMilliseconds {
      if device.host.isCancelled(request.cancel) { throw PluginError(BP_E_CANCELLED, "program_create was cancelled") }
      usleep(1000)
    }
  }

  override func info(_ out: UnsafeMutablePointer<bp_program_info>) {
    var info = bp_program_info()
    (info.workspace_bytes, info.workspace_align) = (content.workspaceBytes, content.workspaceAlign)
    info.resident_bytes = UInt64(content.commands.count * MemoryLayout<npu_command>.stride + content.views.count * MemoryLayout<npu_view>.stride)
    info.placements = placements
    info.n_kernels = UInt32(content.nodeCount)
    writeRecord(info, to: out)
  }

  override func export(_ sink: (UnsafeRawBufferPointer) throws(PluginError) -> Void) throws(PluginError) {
    var payload = content.encoded
    let header = BlobHeader(device, graphHash: graphHash, payload: payload)
    if device.faults.corruptsBlobs { payload[payload.count / 2] ^= 0x40 }
    let first = withUnsafeBytes(of: header) { Array($0) }
    for bytes in [first, payload] {
      let failure = bytes.withUnsafeBytes { span -> PluginError? in
        do throws(PluginError) { try sink(span); return nil } catch { return error }
      }
      if let failure { throw failure }
    }
  }
}

extension Program.Content {
  init(compiling graph: GraphReader, _ device: Device, _ request: bp_compile) throws(PluginError) {
    try graph.checkOrder()
    var lowering = Lowering(graph, device.chip)
    var bytes = [Int](repeating: 0, count: graph.tensors.count)
    for node in graph.nodes.indices {
      if node % 64 == 0, device.host.isCancelled(request.cancel) { throw PluginError(BP_E_CANCELLED, "program_create was cancelled at node \(node)", node: node) }
      do throws(Refusal) {
        _ = try lowering.lower(node)
        if request.numerics == BP_NUMERICS_STRICT, lowering.emitter.commands.contains(where: { $0.operation == NPU_QUANTISE.rawValue || $0.operation == NPU_ROUND_F16.rawValue }) {
          throw Refusal(reason: BP_REASON_NUMERICS)
        }
      } catch {
        throw PluginError(BP_E_UNSUPPORTED, "node \(node), \(device.host.name(of: graph.nodes[node].op)): not for this device "
          + "(reason \(error.reason), operand \(error.operand), limit \(error.limit), actual \(error.actual))", reason: error.reason, node: node, operand: Int(error.operand))
      }
    }
    for (i, tensor) in graph.tensors.enumerated() {
      // A tensor that no node touches may be anything.
      if let operand = try? Operand(i, tensor, number: 0) { bytes[i] = operand.spanInBytes }
    }
    var wanted = WorkspaceRequest(graph: graph, bytes: bytes)
    for node in graph.nodes where graph.isView(node) { wanted.views.append((tensor: Int(node.outputs[0]), base: Int(node.inputs[0]))) }
    let plan = try WorkspacePlan(wanted)
    places = plan.places.enumerated().map { i, place in
      switch place {
      case .binding(let number): Place(kind: 0, binding: UInt32(number), bytes: UInt64(bytes[i]))
      case .workspace(let offset): Place(kind: 1, offset: UInt64(offset), bytes: UInt64(bytes[i]))
      case .nowhere: Place(bytes: UInt64(bytes[i]))
      }
    }
    let written = Set(graph.nodes.flatMap(\.outputs))
    bounds = (graph.inputs + graph.outputs).map {
      Bound(bytes: UInt64(bytes[Int($0)]), isWritten: written.contains($0) ? 1 : 0, align: UInt32(FormatSize.of(graph.tensors[Int($0)].format)?.alignment ?? 1))
    }
    (views, commands, cost) = (lowering.emitter.views, lowering.emitter.commands, lowering.emitter.cost)
    (placements, workspaceBytes, workspaceAlign) = (plan.placements, UInt64(plan.bytes), UInt64(plan.alignment))
    nodeCount = graph.nodes.count
  }

  private struct Numbers: BitwiseCopyable {
    var workspaceBytes, workspaceAlign, nodeCount: UInt64
    var cycles, picojoules, bytes: Double
  }

  var encoded: [UInt8] {
    var writer = BlobWriter()
    writer.add([Numbers(workspaceBytes: workspaceBytes, workspaceAlign: workspaceAlign, nodeCount: UInt64(nodeCount), cycles: cost.cycles,
                        picojoules: cost.picojoules, bytes: cost.bytes)])
    writer.add(places)
    writer.add(bounds)
    writer.add(views)
    writer.add(commands)
    writer.add(placements)
    return writer.bytes
  }

  /// - Throws: `BP_E_STALE_BLOB` when it is damaged, or of another graph, chip or build.
  init(blob: UnsafeRawBufferPointer, _ device: Device, graphHash: UInt64) throws(PluginError) {
    let fitness = BlobHeader.judge(blob, device)
    guard fitness == .optimal || fitness == .usable, let header = BlobHeader(blob) else {
      throw BlobReader.stale(fitness == .never ? "it is damaged, or no program of this plugin" : "it was made by another build, for another chip or driver")
    }
    guard graphHash != 0, header.graphHash == graphHash else { throw BlobReader.stale("it is of another graph") }
    let payload = UnsafeRawBufferPointer(rebasing: blob[Int(header.headerBytes)...])
    guard UInt64(payload.count) == header.payloadBytes, npu_checksum(payload.baseAddress, header.payloadBytes) == header.payloadChecksum else {
      throw BlobReader.stale("its checksum differs")
    }
    var reader = BlobReader(payload)
    guard let numbers = try reader.read(Numbers.self).first else { throw BlobReader.stale("it is empty") }
    places = try reader.read(Place.self)
    bounds = try reader.read(Bound.self)
    views = try reader.read(npu_view.self)
    commands = try reader.read(npu_command.self)
    placements = try reader.read(bp_placement.self)
    (workspaceBytes, workspaceAlign, nodeCount) = (numbers.workspaceBytes, numbers.workspaceAlign, Int(numbers.nodeCount))
    (cost.cycles, cost.picojoules, cost.bytes) = (numbers.cycles, numbers.picojoules, numbers.bytes)
  }
}
