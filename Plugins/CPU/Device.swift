import BackplaneABI
import BackplanePluginKit
import CPUKernels
import Glibc

/// The processor and its memory.
final class Device: PluginDevice, @unchecked Sendable {
  let catalogue: KernelCatalogue
  let workers: Int
  private let instance: Instance
  private let memory = RecordMemory()
  private let offered = VariantRecords()
  private let description: bp_device_info

  init(_ instance: Instance) throws(PluginError) {
    self.instance = instance
    catalogue = try KernelCatalogue(instance)
    workers = instance.host.workerCount
    description = Device.describe(instance.isa, workers: workers, memory)
    super.init(host: instance.host)
  }

  private static func describe(_ isa: UInt32, workers: Int, _ memory: RecordMemory) -> bp_device_info {
    var brand = [CChar](repeating: 0, count: 64)
    bp_cpu_brand(&brand)
    let name = String(decoding: brand.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    var info = bp_device_info()
    info.kind = BP_KIND_CPU
    info.name = memory.text(name.isEmpty ? "CPU" : name)
    info.vendor = bp_str("Backplane")
    info.driver = bp_str("backplane-cpu")
    info.driver_version = bp_str(pluginVersion)
    info.groups = BP_GROUP_BASE | BP_GROUP_QUEUES | BP_GROUP_TUNING
    info.n_queues = 4
    info.timestamp_hz = 1_000_000_000
    info.caps_epoch = 1
    info.uuid = unsafeBitCast(SIMD2(identifier(name), identifier("cpu " + isaText(bp_cpu_detect()))), to: type(of: info.uuid))
    info.memory_types = memory.list([hostMemory()])
    info.props = memory.list([memory.attribute("isa", isaText(isa)), memory.attribute("workers", workers), memory.attribute("deterministic", 1)])
    return info
  }

  override func info(_ out: UnsafeMutablePointer<bp_device_info>) { writeRecord(description, to: out) }

  // MARK: Capability

  override func query(_ graph: UnsafePointer<bp_graph>?, _ out: UnsafeMutableRawPointer?, _ stride: UInt32, _ count: UInt32) throws(PluginError) {
    let graph = try GraphReader(graph)
    guard Int(count) <= graph.nodes.count else { throw .invalid("query: \(count) verdicts are asked for \(graph.nodes.count) nodes") }
    guard count == 0 || (out != nil && stride >= UInt32(MemoryLayout<bp_head>.size)) else { throw .invalid("query: no room for verdicts") }
    let lowering = try GraphLowering(graph, workers: workers)
    for node in 0..<Int(count) {
      let place = (out! + node * Int(stride)).assumingMemoryBound(to: bp_verdict.self)
      writeRecord(verdict(node, lowering), to: place)
    }
  }

  private func verdict(_ index: Int, _ lowering: GraphLowering) -> bp_verdict {
    var verdict = bp_verdict()
    verdict.node_index = UInt32(index)
    do throws(Refusal) {
      let node = lowering.graph.nodes[index]
      guard catalogue.kernels[node.op] != nil else { throw Refusal(reason: BP_REASON_OP_UNKNOWN) }
      let kernel = try catalogue.choose(node.op, try lowering.call(ofNode: index))
      let bytes = (node.inputs + node.outputs).reduce(0.0) { $1 == BP_NO_TENSOR ? $0 : $0 + Double(lowering.bytes[Int($1)]) }
      verdict.support = BP_SUPPORT_YES
      verdict.est_ns = UInt64(min(500 + Operators.between(node.op, bytes: { lowering.bytes[Int(node.inputs[0])] }) / bytesPerNanosecond
        + bytes / bytesPerNanosecond + Operators.multiplyAdds(node.op, lowering.graph, node) / multiplyAddsPerNanosecond, 1e18))
      verdict.est_bytes = UInt64(min(bytes, 1e18))
      verdict.est_confidence = 10
      verdict.declares = kernel.declares
      verdict.detail = kernel.name
    } catch {
      verdict.support = BP_SUPPORT_NO
      (verdict.reason, verdict.operand) = (error.reason, error.operand)
      (verdict.limit, verdict.actual) = (error.limit, error.actual)
    }
    return verdict
  }
  // Guesses for placement: one core, memory beyond the caches.
  private var bytesPerNanosecond: Double { 12 }
  private var multiplyAddsPerNanosecond: Double { catalogue.isa == 0 ? 2 : catalogue.isa & UInt32(BP_CPU_AVX512) != 0 ? 60 : 30 }

  /// Every kernel that could run a node, best first; a `bp_config` may name one.
  override func variants(_ graph: UnsafePointer<bp_graph>?, _ node: UInt32, _ out: UnsafeMutableRawPointer?, _ stride: UInt32,
                _ count: UnsafeMutablePointer<UInt32>?) throws(PluginError) -> bp_status {
    let graph = try GraphReader(graph)
    guard Int(node) < graph.nodes.count else { throw .invalid("variants: node \(node) of \(graph.nodes.count)") }
    let lowering = try GraphLowering(graph, workers: workers)
    var kernels: [Kernel] = []
    if let call = try? lowering.call(ofNode: Int(node)) { kernels = catalogue.all(graph.nodes[Int(node)].op, call) }
    return try offered.write(kernels.map { $0.offered(workers: workers) }, out, stride, count)
  }

  override func checkConfig(_ graph: UnsafePointer<bp_graph>?, _ node: UInt32, _ config: bp_config) throws(PluginError) -> UInt64 {
    let graph = try GraphReader(graph)
    guard Int(node) < graph.nodes.count else { throw .invalid("config_check: node \(node) of \(graph.nodes.count)") }
    let lowering = try GraphLowering(graph, workers: workers), choice = try ChosenVariant(config)
    do throws(Refusal) {
      let call = try lowering.call(ofNode: Int(node))
      let kernel = try catalogue.kernel(graph.nodes[Int(node)].op, choice.variant == 0 ? nil : choice.variant, call)
      var cut = bp_cpu_plan()
      _ = try kernel.values(choice.values, workers: workers)
      kernel.pointer.pointee.plan(call, &cut)
      return cut.scratch_bytes
    } catch {
      throw PluginError(BP_E_UNSUPPORTED, "config_check: no kernel takes node \(node) with \(choice.values)", reason: error.reason, node: Int(node),
                        operand: Int(error.operand))
    }
  }

  // MARK: Memory and programs

  override func createBuffer(_ source: UnsafePointer<bp_buffer_desc>?, _ out: UnsafeMutablePointer<bp_buffer?>?,
                             _ info: UnsafeMutablePointer<bp_buffer_info>?) throws(PluginError) { try makeBuffer(source, out, info) }
  override func destroyBuffer(_ handle: bp_buffer) { freeBuffer(handle) }
  override func map(_ handle: bp_buffer?, _ offset: UInt64, _ length: UInt64, _ access: UInt32,
                    _ out: UnsafeMutablePointer<UnsafeMutableRawPointer?>?) throws(PluginError) { try address(handle, offset, length, access, out) }
  override func createProgram(_ source: UnsafePointer<bp_compile>) throws(PluginError) -> PluginProgram { try Program(self, source) }
  override func work(_ submission: bp_submission) throws(PluginError) { try run(submission) }

  // MARK: Links

  /// Memory of this processor is used in place; what a peer maps for the host can be imported.
  override func link(_ mem: UInt32, _ peer: UnsafePointer<bp_device_info>?, _ peerMemory: UInt32, _ out: UnsafeMutablePointer<bp_link>?) throws(PluginError) {
    guard mem == 0, let peer, let out else { throw .invalid("link: memory \(mem) or an argument is missing") }
    let type = try memoryType(peerMemory, of: peer)
    var link = bp_link()
    let visible = type.flags & BP_MEMORY_HOST_VISIBLE != 0
    link.mode = visible && readRecord(peer, zero: bp_device_info()).kind == BP_KIND_CPU ? BP_LINK_NATIVE : visible ? BP_LINK_IMPORT : BP_LINK_NONE
    link.bytes_per_s = visible ? 12_000_000_000 : 0
    writeRecord(link, to: out)
  }
}

private func hostMemory() -> bp_memory_type {
  var type = bp_memory_type()
  type.h = head(bp_memory_type.self, BP_ST_MEMORY_TYPE)
  type.flags = BP_MEMORY_HOST_VISIBLE | BP_MEMORY_COHERENT | BP_MEMORY_CACHED | BP_MEMORY_UNIFIED | BP_MEMORY_IMPORT_HOST | BP_MEMORY_READONLY_OK
  (type.align, type.granularity) = (bufferAlignment, 1)
  let known = systemMemory()
  (type.total, type.max_alloc, type.budget) = (known.total, known.total, known.available)
  return type
}

/// Bytes, from /proc/meminfo; 0 unknown.
private func systemMemory() -> (total: UInt64, available: UInt64) {
  let file = open("/proc/meminfo", O_RDONLY | O_CLOEXEC)
  guard file >= 0 else { return (0, 0) }
  defer { close(file) }
  var bytes = [UInt8](repeating: 0, count: 4096)
  let count = read(file, &bytes, bytes.count)
  let lines = String(decoding: bytes[0..<max(count, 0)], as: UTF8.self).split(separator: "\n")
  func value(_ name: String) -> UInt64 {
    guard let line = lines.first(where: { $0.hasPrefix(name) }) else { return 0 }
    return (line.split(separator: " ").dropFirst().first.flatMap { UInt64($0) } ?? 0) * 1024
  }
  return (value("MemTotal:"), value("MemAvailable:"))
}
