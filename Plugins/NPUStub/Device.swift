import BackplanePluginKit
import NPUStubEngine
import Glibc

/// The simulated accelerator: its memory, its engines, its faults.
final class Device: PluginDevice, @unchecked Sendable {
  let chip: Chip
  let faults: Faults
  let uuid: SIMD2<UInt64>
  private let thread = SerialThread()
  private let memory = RecordMemory()
  private var description = bp_device_info()
  private var declares: [Kernel: bp_array] = [:]
  private var details: [Kernel: bp_str] = [:]
  private let started: UInt64

  private let lock = Monitor()
  // Guarded by `lock`.
  private var buffers: [ObjectIdentifier: Unmanaged<Buffer>] = [:]
  private var programs = 0
  private var isLost = false, isGone = false
  private var inUse: UInt64 = 0
  /// Scratchpads that no command list works in.
  private var scratchpads: [UnsafeMutableRawPointer] = []
  /// Device ticks at which the last program ends.
  private var busyUntil: UInt64 = 0

  init(_ host: Host) throws(PluginError) {
    let path = host.setting("npu.chip")
    chip = try path.map { (path) throws(PluginError) in try Chip(path: path) } ?? Chip()
    faults = try Faults(host.setting("npu.fault"))
    uuid = SIMD2(identifier("backplane npu stub"), identifier(chip.name))
    started = host.now
    super.init(host: host)
    describe()
  }

  override func close() { thread.join() }

  deinit { for pad in scratchpads { pad.deallocate() } }

  override func post(_ task: @escaping @Sendable @convention(c) (UnsafeMutableRawPointer?) -> Void, _ context: UnsafeMutableRawPointer?) -> bp_status {
    nonisolated(unsafe) let context = context
    return thread.post { task(context) } ? BP_OK : BP_E_OOM_HOST
  }

  // MARK: What it is

  private func describe() {
    var type = bp_memory_type()
    type.h = head(bp_memory_type.self, BP_ST_MEMORY_TYPE)
    type.flags = BP_MEMORY_DEVICE_LOCAL | BP_MEMORY_HOST_VISIBLE
    (type.align, type.granularity, type.total, type.max_alloc) = (Buffer.alignment, 1, UInt64(chip.memoryBytes), UInt64(chip.memoryBytes))
    description.kind = BP_KIND_NPU
    (description.name, description.vendor, description.driver) = (memory.text("\(chip.name) (simulated)"), bp_str("Backplane"), bp_str("npu-stub"))
    description.driver_version = memory.text("\(driverVersion.major).\(driverVersion.minor)")
    description.uuid = unsafeBitCast(uuid, to: type_of_uuid.self)
    description.groups = BP_GROUP_BASE | BP_GROUP_QUEUES | BP_GROUP_BLOBS
    description.n_queues = 4
    description.timestamp_hz = UInt64(chip.clockMHz * 1e6)
    description.caps_epoch = chip.hash
    description.memory_types = memory.list([type])
    description.props = memory.list([
      memory.attribute("simulated", 1), memory.attribute("static_shapes", 1), memory.attribute("scratchpad_bytes", chip.scratchpadBytes),
      memory.attribute("clock_mhz", Int(chip.clockMHz)), memory.attribute("activations", chip.hasInt8Activations ? "int8" : "f16"),
    ])
    for kernel in Kernel.allCases { details[kernel] = memory.text(kernel.rawValue) }
    // One scale a row: a block that no row exceeds.
    declares[.matrixInt8] = memory.list([memory.attribute("act_block", chip.activationBlock == 0 ? Int(Int32.max) : chip.activationBlock)])
    declares[.matrixHalf] = memory.list([memory.attribute("operand_round", "f16")])
  }
  private typealias type_of_uuid = (UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8)

  override func info(_ out: UnsafeMutablePointer<bp_device_info>) { writeRecord(description, to: out) }

  override func query(_ graph: UnsafePointer<bp_graph>?, _ out: UnsafeMutableRawPointer?, _ stride: UInt32, _ count: UInt32) throws(PluginError) {
    let graph = try GraphReader(graph)
    guard Int(count) <= graph.nodes.count else { throw .invalid("query: \(count) verdicts are asked for \(graph.nodes.count) nodes") }
    guard count == 0 || (out != nil && stride >= UInt32(MemoryLayout<bp_head>.size)) else { throw .invalid("query: no room for verdicts") }
    for node in 0..<Int(count) {
      writeRecord(verdict(node, graph), to: (out! + node * Int(stride)).assumingMemoryBound(to: bp_verdict.self))
    }
  }

  /// A node is taken exactly when it can be lowered.
  private func verdict(_ index: Int, _ graph: GraphReader) -> bp_verdict {
    var verdict = bp_verdict()
    verdict.node_index = UInt32(index)
    var lowering = Lowering(graph, chip)
    do throws(Refusal) {
      let kernel = try lowering.lower(index)
      verdict.support = BP_SUPPORT_YES
      verdict.est_ns = UInt64(max(1, min(lowering.emitter.cost.nanoseconds(chip), 1e18)))
      verdict.est_bytes = UInt64(min(lowering.emitter.cost.bytes, 1e18))
      verdict.est_confidence = 60
      verdict.detail = details[kernel]!
      verdict.declares = declares[kernel] ?? bp_array()
    } catch {
      (verdict.support, verdict.reason, verdict.operand) = (BP_SUPPORT_NO, error.reason, error.operand)
      (verdict.limit, verdict.actual) = (error.limit, error.actual)
    }
    return verdict
  }

  /// DMA reaches what the host can map, by a copy.
  override func link(_ mem: UInt32, _ peer: UnsafePointer<bp_device_info>?, _ peerMemory: UInt32, _ out: UnsafeMutablePointer<bp_link>?) throws(PluginError) {
    guard mem == 0, let out else { throw .invalid("link: memory \(mem) or an argument is missing") }
    let type = try memoryType(peerMemory, of: peer)
    var link = bp_link()
    link.mode = type.flags & BP_MEMORY_HOST_VISIBLE != 0 ? BP_LINK_COPY : BP_LINK_NONE
    if link.mode == BP_LINK_COPY {
      link.bytes_per_s = UInt64(chip.dmaBytesPerCycle * chip.clockMHz * 1e6)
      link.latency_ns = UInt64(chip.dmaLatencyCycles * 1000 / chip.clockMHz)
    }
    writeRecord(link, to: out)
  }

  /// The device's counter runs with the host's clock; programs stand on it for as long as the chip would take.
  override func clock() throws(PluginError) -> bp_clock {
    var clock = bp_clock()
    let now = host.now
    (clock.host_ns, clock.device_ticks, clock.hz) = (now, ticks(now), description.timestamp_hz)
    return clock
  }
  func ticks(_ now: UInt64) -> UInt64 { UInt64(Double(now - started) * chip.clockMHz / 1000) }

  /// Begin and end of a program on the simulated clock: behind those before it.
  func occupy(_ cost: Cost, from arrived: UInt64) -> (begin: UInt64, end: UInt64) {
    lock.locked {
      let begin = max(arrived, busyUntil)
      busyUntil = begin + UInt64(cost.cycles + chip.launchCycles)
      return (begin, busyUntil)
    }
  }

  // MARK: Memory

  override func createBuffer(_ source: UnsafePointer<bp_buffer_desc>?, _ out: UnsafeMutablePointer<bp_buffer?>?,
                             _ info: UnsafeMutablePointer<bp_buffer_info>?) throws(PluginError) {
    guard let source, let out else { throw .invalid("buffer_create: an argument is NULL") }
    try checkAlive()
    let wanted = readRecord(source, zero: bp_buffer_desc())
    let isFull = lock.locked { chip.memoryBytes > 0 && inUse + wanted.bytes > UInt64(chip.memoryBytes) }
    if isFull || faults.nextBufferFails() {
      throw PluginError(BP_E_OOM_DEVICE, "buffer_create: \(wanted.bytes) bytes are not to be had" + (isFull ? ", the device has \(chip.memoryBytes) and \(inUse) are in use" : ""),
                        reason: BP_REASON_MEMORY, retry: BP_RETRY_AFTER_FREEING_MEMORY)
    }
    let buffer = try Buffer(self, wanted)
    out.pointee = makeHandle(buffer)
    lock.locked {
      buffers[ObjectIdentifier(buffer)] = Unmanaged.passUnretained(buffer)
      inUse += buffer.bytes
    }
    guard let info else { return }
    var record = bp_buffer_info()
    (record.bytes, record.actual_bytes) = (wanted.bytes, wanted.bytes)
    writeRecord(record, to: info)
  }

  override func destroyBuffer(_ handle: bp_buffer) {
    let buffer = take(handle, as: Buffer.self)
    lock.locked {
      buffers[ObjectIdentifier(buffer)] = nil
      inUse -= buffer.bytes
    }
  }

  override func map(_ handle: bp_buffer?, _ offset: UInt64, _ length: UInt64, _ access: UInt32,
                    _ out: UnsafeMutablePointer<UnsafeMutableRawPointer?>?) throws(PluginError) {
    guard let handle, let out else { throw .invalid("buffer_map: an argument is NULL") }
    try checkAlive()
    let buffer = object(handle, as: Buffer.self)
    guard buffer.contains(offset, length) else { throw .invalid("buffer_map: bytes \(offset) to \(offset &+ length) of a buffer of \(buffer.bytes)") }
    out.pointee = buffer.data + Int(offset)
  }

  // MARK: Programs

  override func createProgram(_ source: UnsafePointer<bp_compile>) throws(PluginError) -> PluginProgram {
    try checkAlive()
    let program = try Program(self, source)
    lock.locked { programs += 1 }
    return program
  }
  func programEnded() { lock.locked { programs -= 1 } }

  override func checkBlob(_ header: UnsafeRawBufferPointer) throws(PluginError) -> UInt32 { BlobHeader.judge(header, self).rawValue }

  override func work(_ submission: bp_submission) throws(PluginError) { try run(submission) }

  func withScratchpad<R>(_ body: (UnsafeMutableRawPointer) throws(PluginError) -> R) throws(PluginError) -> R {
    let pad = lock.locked { scratchpads.popLast() } ?? UnsafeMutableRawPointer.allocate(byteCount: chip.scratchpadBytes, alignment: 64)
    defer { lock.locked { scratchpads.append(pad) } }
    return try body(pad)
  }

  // MARK: Faults

  private static func lost() -> PluginError {
    var error = PluginError(BP_E_DEVICE_LOST, "the device was lost: its memory and programs are gone", retry: BP_RETRY_AFTER_RESET)
    error.deviceState = BP_HEALTH_LOST_RECOVERABLE
    return error
  }

  func checkAlive() throws(PluginError) { if lock.locked({ isLost }) { throw Device.lost() } }

  /// What happens when the hardware hangs: memory holds nothing any more, and every call says so until `reset`.
  func lose(forGood: Bool) -> PluginError {
    var error = Device.lost()
    if forGood { error.deviceState = BP_HEALTH_LOST_PERMANENT }
    let isFirst = lock.locked {
      if isLost { return false }
      (isLost, isGone) = (true, forGood)
      for buffer in buffers.values { buffer._withUnsafeGuaranteedRef { _ = memset($0.data, 0xa5, Int($0.bytes)) } }
      return true
    }
    if isFirst {
      var record = error.record
      record.h = head(bp_error.self, BP_ST_ERROR)
      host.table.pointee.report_fault(host.table.pointee.ctx, OpaquePointer(Unmanaged.passUnretained(self).toOpaque()), &record)
    }
    return error
  }

  override func reset() throws(PluginError) {
    let (bufferCount, programCount, isGone) = lock.locked { (buffers.count, programs, self.isGone) }
    guard bufferCount == 0, programCount == 0 else {
      throw .invalid("reset: \(bufferCount) buffers and \(programCount) programs of the device must be destroyed first")
    }
    if isGone {
      var error = PluginError(BP_E_DEVICE_LOST, "reset: the device does not answer any more")
      error.deviceState = BP_HEALTH_LOST_PERMANENT
      throw error
    }
    lock.locked { (isLost, busyUntil) = (false, 0) }
  }
}
