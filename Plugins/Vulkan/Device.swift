import BackplaneKernelKit
import BackplanePluginKit
import VulkanKernels

/// Bytes of a launch's uniform block, and where in it the group counts lie.
let blockBytes = 1024, countsOffset = 1008

/// A physical device with a logical one of our own.
final class Device: PluginDevice, @unchecked Sendable {
  let facts: bp_vk_facts
  let handle: OpaquePointer
  let library: KernelLibrary
  let traits: DeviceTraits
  let pipelines: PipelineStore
  let memoryPlan: MemoryPlan
  private let cache: ProgramCache
  /// Kernels that the stored pipeline cache has. Guarded by `cacheGuard`.
  private var keptKernels = 0
  private let cacheGuard = Monitor()
  private let verdicts: VerdictMaker
  private let instance: Instance
  private let memory = RecordMemory()
  private let description: bp_device_info
  /// Guarded by `lossGuard`.
  private var loss: PluginError?
  private var isLossTold = false
  private let lossGuard = Monitor()

  init(_ instance: Instance, _ index: Int) throws(PluginError) {
    guard index < instance.devices.count else { throw .invalid("device_open: device \(index) does not exist, there are \(instance.devices.count)") }
    (self.instance, library, facts) = (instance, instance.library, instance.devices[index])
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
    // Never tried on hardware by those who wrote it: only where the user asks for it.
    if instance.host.setting("vulkan.cooperative_matrix") != "1" { traits.features.remove("cooperative_matrix") }
    do throws(PluginError) {
      let host = instance.host, name = text(facts.name)
      traits.overrides = try instance.library.overrides { host.setting("vulkan." + $0) }
      traits.forced = try instance.library.forced { host.setting("vulkan." + $0) }
      let identity = DriverIdentity(platform: "Vulkan", vendor: "0x" + String(facts.vendor, radix: 16), device: name, driver: "\(text(facts.driver)) \(text(facts.driver_info))")
      let quirks = try instance.library.quirks(of: identity) { host.setting("vulkan." + $0) }
      for quirk in quirks { host.log(BP_LOG_INFO, "quirks", "\(name): \(quirk.name): \(quirk.why)") }
      traits.apply(quirks)
    } catch {
      bp_vk_device_close(opened)
      throw error
    }
    self.traits = traits
    memoryPlan = MemoryPlan(facts)
    pipelines = PipelineStore(opened, instance.shaders)
    verdicts = VerdictMaker(instance.library, traits, flushesSubnormals: facts.has(BP_VK_SUBNORMALS_PRESERVED) == false)
    description = Device.describe(facts, index, memoryPlan, memory)
    super.init(host: instance.host)
  }

  deinit {
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

  private static func describe(_ facts: bp_vk_facts, _ index: Int, _ plan: MemoryPlan, _ memory: RecordMemory) -> bp_device_info {
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
    info.props = memory.list([memory.attribute("subgroup_size", Int(facts.subgroup_size)), memory.attribute("local_memory", Int(facts.shared_bytes))])
    return info
  }

  override func info(_ out: UnsafeMutablePointer<bp_device_info>) { writeRecord(description, to: out) }

  // MARK: Capability

  override func query(_ graph: UnsafePointer<bp_graph>?, _ out: UnsafeMutableRawPointer?, _ stride: UInt32, _ count: UInt32) throws(PluginError) {
    // Guesses for placement.
    let (launch, bytesPerNanosecond, multiplyAdds) = traits.isCPU ? (8000.0, 4.0, 4.0) : (5000.0, 100.0, 1000.0)
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
    guard Int(mem) < memoryPlan.types.count, let peer, let out else { throw .invalid("link: memory \(mem) or an argument is missing") }
    let info = readRecord(peer, zero: bp_device_info())
    let types = try info.memory_types.records(zero: bp_memory_type(), named: "memory types")
    guard let type = types.first(where: { $0.index == peerMemory }) else { throw .invalid("link: the peer has no memory type \(peerMemory)") }
    var link = bp_link()
    let visible = type.flags & BP_MEMORY_HOST_VISIBLE != 0
    link.mode = visible ? (memoryPlan.imports ? BP_LINK_IMPORT : BP_LINK_COPY) : BP_LINK_NONE
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
    do throws(PluginError) {
      let program = try Program(self, request)
      keepPipelines()
      return program
    } catch { throw note(error) }
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

  override func createBuffer(_ source: UnsafePointer<bp_buffer_desc>?, _ out: UnsafeMutablePointer<bp_buffer?>?,
                             _ info: UnsafeMutablePointer<bp_buffer_info>?) throws(PluginError) { try create(source, out, info) }
  override func destroyBuffer(_ handle: bp_buffer) { destroy(handle) }
  override func map(_ handle: bp_buffer?, _ offset: UInt64, _ length: UInt64, _ access: UInt32,
                    _ out: UnsafeMutablePointer<UnsafeMutableRawPointer?>?) throws(PluginError) { try address(handle, offset, length, access, out) }
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

  // MARK: Loss

  /// Tells the host of a loss that a thread of the plugin's own saw.
  func checkLoss() throws(PluginError) {
    guard let loss = lossGuard.locked({ loss }) else { return }
    tell(loss)
    throw loss
  }

  func lose() { _ = note(failure(VkResult(VK_ERROR_DEVICE_LOST), "backplane.lose_device")) }

  func check(_ code: VkResult, _ call: @autoclosure () -> String) throws(PluginError) { if code < 0 { throw note(failure(code, call())) } }

  /// Remembers that the device is gone. From any thread: the host hears of it from the next call.
  func remember(_ failure: PluginError) -> PluginError {
    if failure.status == BP_E_DEVICE_LOST { lossGuard.locked { loss = loss ?? failure } }
    return failure
  }

  /// Remembers that the device is gone, and tells the host once.
  func note(_ failure: PluginError) -> PluginError {
    if remember(failure).status == BP_E_DEVICE_LOST { tell(failure) }
    return failure
  }

  private func tell(_ failure: PluginError) {
    guard lossGuard.locked({ () -> Bool in
      defer { isLossTold = true }
      return !isLossTold
    }) else { return }
    var record = failure.record
    host.table.pointee.report_fault(host.table.pointee.ctx, OpaquePointer(Unmanaged.passUnretained(self as PluginDevice).toOpaque()), &record)
  }
}

extension bp_vk_facts {
  func has(_ feature: bp_vk_feature) -> Bool { features & feature.rawValue != 0 }
}

/// A fixed array of C characters up to its NUL.
func text<T>(_ characters: T) -> String { withUnsafeBytes(of: characters) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) } }
