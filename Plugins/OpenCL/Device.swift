import BackplaneKernelKit
import BackplanePluginKit
import OpenCLKernels

/// A device of an OpenCL driver with a context of its own.
final class Device: PluginDevice, @unchecked Sendable {
  let api: OpenCL
  let id: cl_device_id
  let context: cl_context
  let library: KernelLibrary
  let traits: DeviceTraits
  /// Host memory is the device's memory: buffers are the host's, and imports copy nothing.
  let usesHostMemory: Bool
  let compiler: Compiler
  let queues: QueuePool
  private let verdicts: VerdictMaker
  private let instance: Instance
  private let memory = RecordMemory()
  private let description: bp_device_info
  /// Guarded by `lossGuard`.
  private var loss: PluginError?
  private var isTold = false
  private let lossGuard = Monitor()

  init(_ instance: Instance, _ index: Int) throws(PluginError) {
    guard index < instance.devices.count else { throw .invalid("device_open: device \(index) does not exist, there are \(instance.devices.count)") }
    (self.instance, api, library, id) = (instance, instance.api, instance.library, instance.devices[index])
    let name = api.text(id, BP_CL_DEVICE_NAME)
    guard api.number(id, BP_CL_DEVICE_AVAILABLE, UInt32.self) != 0, api.number(id, BP_CL_DEVICE_COMPILER_AVAILABLE, UInt32.self) != 0,
          api.number(id, BP_CL_DEVICE_ENDIAN_LITTLE, UInt32.self) != 0 else {
      throw PluginError(BP_E_UNSUPPORTED, "\(name) is not available, has no compiler or is big-endian", reason: BP_REASON_FEATURE)
    }
    var code: Int32 = 0
    var device: cl_device_id? = id
    guard let context = api.table.clCreateContext(nil, 1, &device, nil, nil, &code) else { throw api.failure(code, "clCreateContext") }
    self.context = context
    let isCPU = api.number(id, BP_CL_DEVICE_TYPE, UInt64.self) & UInt64(BP_CL_DEVICE_TYPE_CPU) != 0
    usesHostMemory = isCPU
    let host = instance.host
    var traits = Device.traits(api, id, isCPU: isCPU)
    traits.overrides = try instance.library.overrides { host.setting("opencl." + $0) }
    traits.forced = try instance.library.forced { host.setting("opencl." + $0) }
    let platform = api.platformName(of: id)
    let identity = DriverIdentity(platform: platform, vendor: api.text(id, BP_CL_DEVICE_VENDOR), device: name, driver: api.text(id, BP_CL_DRIVER_VERSION))
    let quirks = try instance.library.quirks(of: identity) { host.setting("opencl." + $0) }
    for quirk in quirks {
      host.log(BP_LOG_INFO, "quirks", "\(name): \(quirk.name): \(quirk.why)")
      if let program = quirk.programs.first(where: { !isInPath($0) }) {
        throw PluginError(BP_E_UNSUPPORTED, "\(name): the program '\(program)' is not in PATH; without it this driver ends the process when it runs a kernel "
                          + "(Debian's package binutils has ld)", reason: BP_REASON_QUIRK)
      }
    }
    traits.apply(quirks)
    self.traits = traits
    compiler = Compiler(api, context, id, instance.library, instance.host, traits)
    queues = QueuePool(api, context, id)
    let flushes = api.number(id, BP_CL_DEVICE_SINGLE_FP_CONFIG, UInt64.self) & UInt64(BP_CL_FP_DENORM) == 0
    verdicts = VerdictMaker(instance.library, traits, flushesSubnormals: flushes)
    description = Device.describe(api, id, name, index, traits, memory)
    super.init(host: instance.host)
  }

  deinit {
    queues.release()
    compiler.release()
    _ = api.table.clReleaseContext(context)
  }

  private static func traits(_ api: OpenCL, _ id: cl_device_id, isCPU: Bool) -> DeviceTraits {
    var features: Set<String> = []
    for word in api.text(id, BP_CL_DEVICE_EXTENSIONS).split(separator: " ") where word.hasPrefix("cl_khr_") { features.insert(String(word.dropFirst(7))) }
    let single = api.number(id, BP_CL_DEVICE_SINGLE_FP_CONFIG, UInt64.self)
    if single & UInt64(BP_CL_FP_CORRECTLY_ROUNDED_DIVIDE_SQRT) != 0 { features.insert("correct_divide") }
    if api.number(id, BP_CL_DEVICE_DOUBLE_FP_CONFIG, UInt64.self) != 0 { features.insert("fp64") }
    return DeviceTraits(isCPU: isCPU, features: features, values: [
      "compute_units": Int(api.number(id, BP_CL_DEVICE_MAX_COMPUTE_UNITS, UInt32.self)),
      "local_memory": Int(api.number(id, BP_CL_DEVICE_LOCAL_MEM_SIZE, UInt64.self)),
      "group_limit": Int(api.number(id, BP_CL_DEVICE_MAX_WORK_GROUP_SIZE, UInt.self)),
    ])
  }

  private static func describe(_ api: OpenCL, _ id: cl_device_id, _ name: String, _ index: Int, _ traits: DeviceTraits, _ memory: RecordMemory) -> bp_device_info {
    let version = api.text(id, BP_CL_DRIVER_VERSION)
    var info = bp_device_info()
    info.kind = traits.isCPU ? BP_KIND_CPU : api.number(id, BP_CL_DEVICE_TYPE, UInt64.self) & UInt64(BP_CL_DEVICE_TYPE_GPU) != 0 ? BP_KIND_GPU : BP_KIND_OTHER
    info.index = UInt32(index)
    (info.name, info.vendor) = (memory.text(name), memory.text(api.text(id, BP_CL_DEVICE_VENDOR)))
    (info.driver, info.driver_version) = (memory.text(api.text(id, BP_CL_DEVICE_VERSION)), memory.text(version))
    info.groups = BP_GROUP_BASE | BP_GROUP_QUEUES | BP_GROUP_TUNING
    info.n_queues = 4
    info.timestamp_hz = 1_000_000_000
    info.caps_epoch = 1
    info.uuid = unsafeBitCast(SIMD2(identifier("opencl \(name)"), identifier("\(version) \(index)")), to: type(of: info.uuid))
    var type = bp_memory_type()
    type.h = head(bp_memory_type.self, BP_ST_MEMORY_TYPE)
    type.flags = BP_MEMORY_DEVICE_LOCAL | BP_MEMORY_HOST_VISIBLE
    if traits.isCPU { type.flags |= BP_MEMORY_COHERENT | BP_MEMORY_CACHED | BP_MEMORY_UNIFIED | BP_MEMORY_IMPORT_HOST | BP_MEMORY_READONLY_OK }
    else if api.number(id, BP_CL_DEVICE_HOST_UNIFIED_MEMORY, UInt32.self) != 0 { type.flags |= BP_MEMORY_UNIFIED }
    (type.align, type.granularity) = (max(api.number(id, BP_CL_DEVICE_MEM_BASE_ADDR_ALIGN, UInt32.self) / 8, bufferAlignment), 1)
    (type.total, type.max_alloc) = (api.number(id, BP_CL_DEVICE_GLOBAL_MEM_SIZE, UInt64.self), api.number(id, BP_CL_DEVICE_MAX_MEM_ALLOC_SIZE, UInt64.self))
    type.budget = type.total
    info.memory_types = memory.list([type])
    var properties = traits.values.sorted { $0.key < $1.key }.map { memory.attribute($0.key, $0.value) }
    if !traits.quirks.isEmpty { properties.append(memory.attribute("quirks", traits.quirks.joined(separator: ", "))) }
    info.props = memory.list(properties)
    return info
  }

  override func info(_ out: UnsafeMutablePointer<bp_device_info>) { writeRecord(description, to: out) }

  // MARK: Capability

  override func query(_ graph: UnsafePointer<bp_graph>?, _ out: UnsafeMutableRawPointer?, _ stride: UInt32, _ count: UInt32) throws(PluginError) {
    // Guesses for placement.
    let (launch, bytesPerNanosecond, multiplyAdds) = traits.isCPU ? (6000.0, 8.0, 15.0) : (5000.0, 100.0, 1000.0)
    try verdicts.query(graph, out, stride, count) { bytes, work in launch + bytes / bytesPerNanosecond + work / multiplyAdds }
  }

  override func variants(_ graph: UnsafePointer<bp_graph>?, _ node: UInt32, _ out: UnsafeMutableRawPointer?, _ stride: UInt32,
                         _ count: UnsafeMutablePointer<UInt32>?) throws(PluginError) -> bp_status {
    try verdicts.variants(graph, node, out, stride, count)
  }

  override func checkConfig(_ graph: UnsafePointer<bp_graph>?, _ node: UInt32, _ config: bp_config) throws(PluginError) -> UInt64 {
    try verdicts.check(graph, node, config)
  }

  override func link(_ mem: UInt32, _ peer: UnsafePointer<bp_device_info>?, _ peerMemory: UInt32, _ out: UnsafeMutablePointer<bp_link>?) throws(PluginError) {
    guard mem == 0, let peer, let out else { throw .invalid("link: memory \(mem) or an argument is missing") }
    let info = readRecord(peer, zero: bp_device_info())
    let types = try info.memory_types.records(zero: bp_memory_type(), named: "memory types")
    guard let type = types.first(where: { $0.index == peerMemory }) else { throw .invalid("link: the peer has no memory type \(peerMemory)") }
    var link = bp_link()
    let visible = type.flags & BP_MEMORY_HOST_VISIBLE != 0
    link.mode = visible ? (usesHostMemory ? BP_LINK_IMPORT : BP_LINK_COPY) : BP_LINK_NONE
    link.bytes_per_s = visible ? 8_000_000_000 : 0
    writeRecord(link, to: out)
  }

  override func createProgram(_ source: UnsafePointer<bp_compile>) throws(PluginError) -> PluginProgram {
    try checkLoss()
    let request = readRecord(source, zero: bp_compile())
    try checkChain(request.h, of: "program_create")
    guard request.blob.len == 0 else {
      throw PluginError(BP_E_UNSUPPORTED, "program_create: this device exports no programs; it keeps compiled kernels in the host's store", reason: BP_REASON_FEATURE)
    }
    return try Program(self, request)
  }

  // MARK: Memory and submissions

  override func createBuffer(_ source: UnsafePointer<bp_buffer_desc>?, _ out: UnsafeMutablePointer<bp_buffer?>?,
                             _ info: UnsafeMutablePointer<bp_buffer_info>?) throws(PluginError) { try makeBuffer(source, out, info) }
  override func destroyBuffer(_ handle: bp_buffer) { freeBuffer(handle) }
  override func map(_ handle: bp_buffer?, _ offset: UInt64, _ length: UInt64, _ access: UInt32,
                    _ out: UnsafeMutablePointer<UnsafeMutableRawPointer?>?) throws(PluginError) { try address(handle, offset, length, access, out) }
  override func unmap(_ handle: bp_buffer) throws(PluginError) { try release(handle) }
  override func work(_ submission: bp_submission) throws(PluginError) { try run(submission) }
  override func makeLane(_ index: UInt32) throws(PluginError) -> PluginLane? { Lane(api, queues, try queues.take()) }
  override func begin(_ submission: bp_submission, on lane: PluginLane, after tickets: [AnyObject],
                      finished: @escaping @Sendable (PluginError?) -> Void) throws(PluginError) -> AnyObject? {
    try start(submission, unsafeDowncast(lane, to: Lane.self), tickets, finished)
  }
  override func clock() throws(PluginError) -> bp_clock { try readClock() }

  // MARK: Loss

  func checkLoss() throws(PluginError) {
    guard let loss = lossGuard.locked({ loss }) else { return }
    tell(loss)
    throw loss
  }

  /// Remembers that the device is gone, and tells the host once.
  func note(_ failure: PluginError) -> PluginError {
    let failure = remember(failure)
    if failure.status == BP_E_DEVICE_LOST { tell(failure) }
    return failure
  }

  /// Any thread, the driver's too.
  func remember(_ failure: PluginError) -> PluginError {
    if failure.status == BP_E_DEVICE_LOST { lossGuard.locked { if loss == nil { loss = failure } } }
    return failure
  }

  private func tell(_ loss: PluginError) {
    let isFirst = lossGuard.locked {
      defer { isTold = true }
      return !isTold
    }
    guard isFirst else { return }
    var record = loss.record
    host.table.pointee.report_fault(host.table.pointee.ctx, OpaquePointer(Unmanaged.passUnretained(self).toOpaque()), &record)
  }
}
