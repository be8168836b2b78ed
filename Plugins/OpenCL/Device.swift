import BackplaneKernelKit
import BackplanePluginKit
import OpenCLKernels

/// A device of an OpenCL driver with a context of its own.
final class Device: KernelDevice, @unchecked Sendable {
  let api: OpenCL
  let id: cl_device_id
  let context: cl_context
  /// Host memory is the device's memory: buffers are the host's, and imports copy nothing.
  let usesHostMemory: Bool
  let compiler: Compiler
  let queues: QueuePool
  private let instance: Instance

  init(_ instance: Instance, _ index: Int) throws(PluginError) {
    (self.instance, api, id) = (instance, instance.api, instance.devices[index])
    let name = api.text(id, BP_CL_DEVICE_NAME)
    guard api.number(id, BP_CL_DEVICE_AVAILABLE, UInt32.self) != 0, api.number(id, BP_CL_DEVICE_COMPILER_AVAILABLE, UInt32.self) != 0,
          api.number(id, BP_CL_DEVICE_ENDIAN_LITTLE, UInt32.self) != 0 else {
      throw PluginError(BP_E_UNSUPPORTED, "\(name) is not available, has no compiler or is big-endian", reason: BP_REASON_FEATURE)
    }
    let host = instance.host, isCPU = api.number(id, BP_CL_DEVICE_TYPE, UInt64.self) & UInt64(BP_CL_DEVICE_TYPE_CPU) != 0
    usesHostMemory = isCPU
    var traits = Device.traits(api, id, isCPU: isCPU)
    let identity = DriverIdentity(platform: api.platformName(of: id), vendor: api.text(id, BP_CL_DEVICE_VENDOR), device: name, driver: api.text(id, BP_CL_DRIVER_VERSION))
    try traits.configure(instance.library, identity, host, prefix: "opencl.")
    var code: Int32 = 0
    var device: cl_device_id? = id
    guard let context = api.table.clCreateContext(nil, 1, &device, nil, nil, &code) else { throw api.failure(code, "clCreateContext") }
    self.context = context
    compiler = Compiler(api, context, id, instance.library, host, traits)
    queues = QueuePool(api, context, id)
    let records = RecordMemory()
    super.init(host, instance.library, traits, Device.describe(api, id, name, index, traits, records), records: records,
               pace: isCPU ? .init(launch: 6000, bytes: 8, multiplyAdds: 15) : .init(launch: 5000, bytes: 100, multiplyAdds: 1000),
               flushesSubnormals: api.number(id, BP_CL_DEVICE_SINGLE_FP_CONFIG, UInt64.self) & UInt64(BP_CL_FP_DENORM) == 0)
  }

  deinit {
    queues.release()
    compiler.release()
    _ = api.table.clReleaseContext(context)
  }

  private static func traits(_ api: OpenCL, _ id: cl_device_id, isCPU: Bool) -> DeviceTraits {
    var features: Set<String> = ["binaries"]  // compiled kernels are to be had, and worth keeping
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

  override func compile(_ request: bp_compile) throws(PluginError) -> KernelProgram { try Program(self, request) }

  // MARK: What other files have

  override func allocate(_ wanted: bp_buffer_desc) throws(PluginError) -> PluginBuffer { try makeBuffer(wanted) }
  override func importMemory(_ block: UnsafeMutableRawPointer, _ wanted: bp_buffer_desc, isWritable: Bool) throws(PluginError) -> PluginBuffer {
    try wrap(block, wanted, isWritable: isWritable)
  }
  override func destroyBuffer(_ handle: bp_buffer) { freeBuffer(handle) }
  override func address(_ buffer: PluginBuffer, _ offset: UInt64, _ length: UInt64, _ access: UInt32) throws(PluginError) -> UnsafeMutableRawPointer? {
    try place(unsafeDowncast(buffer, to: Buffer.self), offset, length, access)
  }
  override func unmap(_ handle: bp_buffer) throws(PluginError) { try release(handle) }
  override func work(_ submission: bp_submission) throws(PluginError) { try run(submission) }
  override func makeLane(_ index: UInt32) throws(PluginError) -> PluginLane? { Lane(api, queues, try queues.take()) }
  override func begin(_ submission: bp_submission, on lane: PluginLane, after tickets: [AnyObject],
                      finished: @escaping @Sendable (PluginError?) -> Void) throws(PluginError) -> AnyObject? {
    try start(submission, unsafeDowncast(lane, to: Lane.self), tickets, finished)
  }
  override func clock() throws(PluginError) -> bp_clock { try readClock() }
}
