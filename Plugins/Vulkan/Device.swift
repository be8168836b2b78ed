import BackplaneKernelKit
import BackplanePluginKit
import VulkanKernels

/// Bytes of a launch's uniform block, and where in it the group counts lie.
let blockBytes = 1024, countsOffset = 1008

/// A physical device with a logical one of our own.
final class Device: KernelDevice, @unchecked Sendable {
  let facts: bp_vk_facts
  let handle: OpaquePointer
  let pipelines: PipelineStore
  let memoryPlan: MemoryPlan
  let timelines = Timelines()
  private let cache: ProgramCache
  /// Kernels that the stored pipeline cache has. Guarded by `cacheGuard`.
  private var keptKernels = 0
  private let cacheGuard = Monitor()
  private let instance: Instance

  init(_ instance: Instance, _ index: Int) throws(PluginError) {
    (self.instance, facts) = (instance, instance.devices[index])
    let missing = Device.missing(facts)
    guard missing.isEmpty else {
      throw PluginError(BP_E_UNSUPPORTED, "\(text(facts.name)) lacks \(missing.joined(separator: ", "))", reason: BP_REASON_FEATURE)
    }
    var facts = facts, opened: OpaquePointer?
    cache = ProgramCache(instance.host, environment: "vulkan \(pluginVersion) \(text(facts.name)) \(text(facts.driver_info)) \(facts.driver_version) \(facts.cache_uuid)")
    let stored = cache.find(Device.cacheName, "") ?? []
    let status = bp_vk_device_open(instance.handle, UInt32(index), &facts, UInt32(blockBytes), stored, stored.count, &opened)
    guard status >= 0, let opened else { throw failure(status, "vkCreateDevice") }
    handle = opened
    var traits = Device.traits(facts)
    // Never tried on hardware by those who wrote the kernels: only where the user asks for it.
    for feature in ["cooperative_matrix", "integer_dot"] where instance.host.setting("vulkan." + feature) != "1" { traits.features.remove(feature) }
    let identity = DriverIdentity(platform: "Vulkan", vendor: "0x" + String(facts.vendor, radix: 16), device: text(facts.name),
                                  driver: "\(text(facts.driver)) \(text(facts.driver_info))")
    do throws(PluginError) { try traits.configure(instance.library, identity, instance.host, prefix: "vulkan.") } catch {
      bp_vk_device_close(opened)
      throw error
    }
    memoryPlan = MemoryPlan(facts)
    pipelines = PipelineStore(opened, instance.shaders)
    let records = RecordMemory()
    super.init(instance.host, instance.library, traits, Device.describe(facts, traits.features, index, memoryPlan, records), records: records,
               pace: traits.isCPU ? .init(launch: 8000, bytes: 4, multiplyAdds: 4) : .init(launch: 5000, bytes: 100, multiplyAdds: 1000),
               flushesSubnormals: !facts.has(BP_VK_SUBNORMALS_PRESERVED))
  }

  deinit {
    timelines.release(handle)
    pipelines.release()
    bp_vk_device_close(handle)
  }

  /// What every kernel needs and this device does not have.
  private static func missing(_ facts: bp_vk_facts) -> [String] {
    let needed: [(Bool, String)] = [
      (facts.has(BP_VK_VULKAN12), "Vulkan 1.2"), (facts.has_queue != 0, "a compute queue"), (facts.has(BP_VK_ADDRESS), "bufferDeviceAddress"),
      (facts.has(BP_VK_TIMELINE), "timelineSemaphore"), (facts.has(BP_VK_INT64), "shaderInt64"), (facts.has(BP_VK_INT16), "shaderInt16"),
      (facts.has(BP_VK_INT8), "shaderInt8"), (facts.has(BP_VK_STORAGE8), "storageBuffer8BitAccess"), (facts.has(BP_VK_STORAGE16), "storageBuffer16BitAccess"),
      (facts.has(BP_VK_STANDARD_LAYOUT), "uniformBufferStandardLayout"), (facts.has(BP_VK_NAN_PRESERVED), "shaderSignedZeroInfNanPreserveFloat32"),
    ]
    return needed.filter { !$0.0 }.map(\.1)
  }

  private static func traits(_ facts: bp_vk_facts) -> DeviceTraits {
    let names: [(bp_vk_feature, String)] = [
      (BP_VK_FLOAT16, "float16"), (BP_VK_FLOAT64, "float64"), (BP_VK_SUBGROUP_ARITHMETIC, "subgroups"), (BP_VK_SUBGROUP_SHUFFLE, "subgroup_shuffle"),
      (BP_VK_INTEGER_DOT, "integer_dot"),
      (BP_VK_COOPERATIVE_MATRIX, "cooperative_matrix"), (BP_VK_STORAGE16, "storage16"), (BP_VK_INT8, "int8"),
    ]
    return DeviceTraits(
      isCPU: facts.type == UInt32(VK_PHYSICAL_DEVICE_TYPE_CPU), features: Set(names.filter { facts.has($0.0) }.map(\.1)),
      values: ["subgroup_size": Int(facts.subgroup_size), "local_memory": Int(facts.shared_bytes), "group_limit": Int(facts.group_invocations)])
  }

  private static func describe(_ facts: bp_vk_facts, _ features: Set<String>, _ index: Int, _ plan: MemoryPlan, _ memory: RecordMemory) -> bp_device_info {
    func version(_ v: UInt32) -> String { "\(v >> 22).\(v >> 12 & 1023).\(v & 4095)" }
    var info = bp_device_info()
    info.kind = switch facts.type {
    case UInt32(VK_PHYSICAL_DEVICE_TYPE_CPU): BP_KIND_CPU
    case UInt32(VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU), UInt32(VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU): BP_KIND_GPU
    default: BP_KIND_OTHER
    }
    info.index = UInt32(index)
    info.name = memory.text(text(facts.name))
    info.vendor = memory.text("0x" + String(facts.vendor, radix: 16))
    info.driver = memory.text(text(facts.driver))
    let details = text(facts.driver_info)
    info.driver_version = memory.text(details.isEmpty ? version(facts.driver_version) : details)
    info.uuid = facts.uuid
    info.groups = BP_GROUP_BASE | BP_GROUP_QUEUES | BP_GROUP_TUNING
    info.n_queues = 4
    info.timestamp_hz = facts.timestamp_period > 0 ? UInt64(1e9 / Double(facts.timestamp_period)) : 0
    info.caps_epoch = 1
    info.memory_types = memory.list(plan.records(facts))
    info.props = memory.list([memory.attribute("subgroup_size", Int(facts.subgroup_size)), memory.attribute("local_memory", Int(facts.shared_bytes))]
                             + features.sorted().map { memory.attribute($0, 1) })
    return info
  }

  override func compile(_ request: bp_compile) throws(PluginError) -> KernelProgram {
    let program = try Program(self, request)
    keepPipelines()
    return program
  }

  private static let cacheName = "pipelines"

  /// Puts the driver's pipeline cache into the host's store when kernels were compiled since it was last there.
  private func keepPipelines() {
    cacheGuard.locked {
      let count = pipelines.count
      var size = 0
      guard count > keptKernels, bp_vk_cache(handle, &size, nil) >= 0, size > 0 else { return }
      var bytes = [UInt8](repeating: 0, count: size)
      guard bp_vk_cache(handle, &size, &bytes) >= 0 else { return }
      keptKernels = count
      cache.keep(Array(bytes.prefix(size)), Device.cacheName, "")
    }
  }

  // MARK: What other files have

  override func allocate(_ wanted: bp_buffer_desc) throws(PluginError) -> PluginBuffer { try makeBuffer(wanted) }
  override func importMemory(_ block: UnsafeMutableRawPointer, _ wanted: bp_buffer_desc, isWritable: Bool) throws(PluginError) -> PluginBuffer {
    try wrap(block, wanted, isWritable: isWritable)
  }
  override func destroyBuffer(_ handle: bp_buffer) { destroy(handle) }
  override func address(_ buffer: PluginBuffer, _ offset: UInt64, _ length: UInt64, _ access: UInt32) throws(PluginError) -> UnsafeMutableRawPointer? {
    try place(unsafeDowncast(buffer, to: Buffer.self), offset)
  }
  override func work(_ submission: bp_submission) throws(PluginError) { try run(submission) }
  override func clock() throws(PluginError) -> bp_clock { try readClock() }

  override func makeLane(_ index: UInt32) throws(PluginError) -> PluginLane? {
    try checkLoss()
    return try Lane(self)
  }
  override func begin(_ submission: bp_submission, on lane: PluginLane, after tickets: [AnyObject],
                      finished: @escaping @Sendable (PluginError?) -> Void) throws(PluginError) -> AnyObject? {
    try start(submission, unsafeDowncast(lane, to: Lane.self), tickets, finished)
  }

  func lose() { _ = note(failure(VkResult(VK_ERROR_DEVICE_LOST), "backplane.lose_device")) }

  func check(_ code: VkResult, _ call: @autoclosure () -> String) throws(PluginError) { if code < 0 { throw note(failure(code, call())) } }

}

extension bp_vk_facts {
  func has(_ feature: bp_vk_feature) -> Bool { features & feature.rawValue != 0 }
}

/// A fixed array of C characters up to its NUL.
func text<T>(_ characters: T) -> String { withUnsafeBytes(of: characters) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) } }
