import BackplaneKernelKit
import BackplanePluginKit
import VulkanKernels

/// A graph as compiled kernels, and the recorded commands that run them.
final class Program: KernelProgram, @unchecked Sendable {
  private let device: Device
  private var compiled: [VkPipeline] = []
  private let monitor = Monitor()
  /// Recorded commands that nobody uses now. Guarded by `monitor`.
  private var idle: [Recording] = []

  init(_ device: Device, _ request: bp_compile) throws(PluginError) {
    self.device = device
    try super.init(device, request)
    try compileKernels(device.host, request) { (key) throws(PluginError) in compiled.append(try device.pipelines.pipeline(key)) }
  }

  /// Commands for a dispatch, ready to be submitted; nil when there is nothing to do. The recording goes back with ``give(_:)`` when it has run.
  ///
  /// - Parameter timed: It takes timestamps, also when nothing is launched.
  func prepare(_ dispatch: bp_dispatch, _ submission: bp_submission, timed: Bool) throws(PluginError) -> Recording? {
    var launches: [(Launch, [UInt64])] = []
    try self.dispatch(dispatch) { (launch, place: (Int) throws(PluginError) -> StoragePlace?) throws(PluginError) in
      var addresses: [UInt64] = []
      for case .buffer(let storage, let offset) in launch.arguments {
        guard let found = try place(storage) else {
          addresses.append(0)
          continue
        }
        addresses.append(unsafeDowncast(found.buffer, to: Buffer.self).deviceAddress &+ found.offset &+ UInt64(bitPattern: offset))
      }
      launches.append((launch, addresses))
    }
    if launches.isEmpty, !timed { return nil }
    let recording = try take(launches.count, timed: timed)
    do throws(PluginError) {
      for (number, (launch, addresses)) in launches.enumerated() {
        do throws(PluginError) { try recording.write(launch, addresses, at: number, device.facts) } catch {
          var failure = error
          failure.node = launch.node
          throw failure
        }
      }
      try recording.record(launches.map { $0.0.kernel }, compiled)
      try device.host.checkTime(submission, node: launches.first?.0.node)
    } catch {
      give(recording)
      throw error
    }
    return recording
  }

  func give(_ recording: Recording) { monitor.locked { idle.append(recording) } }

  private func take(_ launches: Int, timed: Bool) throws(PluginError) -> Recording {
    let known = monitor.locked { idle.lastIndex { $0.capacity >= launches && $0.isTimed == timed }.map { idle.remove(at: $0) } }
    if let known { return known }
    return try Recording(device, capacity: max(launches, 1), timed: timed)
  }
}

/// A command buffer with its uniform blocks: one execution at a time. It is recorded again only when other kernels are to run; new shapes and
/// addresses are written into the blocks, which hold the group counts too.
final class Recording: @unchecked Sendable {
  private let device: Device
  let capacity: Int
  let isTimed: Bool
  private var blocks = bp_vk_memory()
  private var commands = bp_vk_commands()
  private var recorded: [Int]?

  init(_ device: Device, capacity: Int, timed: Bool) throws(PluginError) {
    (self.device, self.capacity, isTimed) = (device, capacity, timed)
    try device.check(bp_vk_allocate(device.handle, UInt64(capacity * blockBytes), device.memoryPlan.blocks, 1, &blocks), "vkAllocateMemory of \(capacity) uniform blocks")
    try device.check(bp_vk_commands_create(device.handle, &blocks, timed ? 1 : 0, &commands), "vkCreateCommandPool")
  }
  deinit {
    bp_vk_commands_destroy(device.handle, &commands)
    bp_vk_free(device.handle, &blocks)
  }

  /// Writes a launch's arguments, each aligned to its size, and its group counts.
  func write(_ launch: Launch, _ addresses: [UInt64], at number: Int, _ facts: bp_vk_facts) throws(PluginError) {
    let block = UnsafeMutableRawPointer(blocks.host!) + number * blockBytes
    var at = 0, next = 0
    func put<T>(_ value: T, align: Int) throws(PluginError) {
      at = (at + align - 1) / align * align
      guard at + MemoryLayout<T>.size <= countsOffset else { throw .invalid("a kernel's arguments take more than \(countsOffset) bytes") }
      (block + at).storeBytes(of: value, as: T.self)
      at += MemoryLayout<T>.size
    }
    for argument in launch.arguments {
      switch argument {
      case .buffer:
        try put(addresses[next], align: 8)
        next += 1
      case .noBuffer: try put(UInt64(0), align: 8)
      case .int(let value): try put(value, align: 4)
      case .long(let value): try put(value, align: 8)
      case .float(let value): try put(value, align: 4)
      case .extents(let value): try put(value, align: 4)
      case .steps(let value): try put(value, align: 8)
      }
    }
    // Kernels go on by the number of work items that there are, so fewer groups than wanted do the same work.
    let groups = launch.global.x / max(launch.local.x, 1)
    let counts = SIMD3<UInt32>(UInt32(min(groups, Int(facts.group_count.0))), 1, 1)
    (block + countsOffset).storeBytes(of: counts.x, as: UInt32.self)
    (block + countsOffset + 4).storeBytes(of: counts.y, as: UInt32.self)
    (block + countsOffset + 8).storeBytes(of: counts.z, as: UInt32.self)
  }

  func record(_ kernels: [Int], _ compiled: [VkPipeline]) throws(PluginError) {
    if recorded == kernels { return }
    recorded = nil
    try device.check(bp_vk_begin(device.handle, &commands), "vkBeginCommandBuffer")
    for (number, kernel) in kernels.enumerated() {
      if number > 0 { bp_vk_barrier(device.handle, &commands) }
      bp_vk_launch(device.handle, &commands, compiled[kernel], &blocks, UInt32(number * blockBytes), UInt64(number * blockBytes + countsOffset))
    }
    try device.check(bp_vk_end(device.handle, &commands), "vkEndCommandBuffer")
    recorded = kernels
  }

  var buffer: VkCommandBuffer { commands.buffer }

  /// Runs it and waits.
  ///
  /// - Returns: The timestamps of the beginning and the end, in the device's ticks; 0 where none are taken.
  func run() throws(PluginError) -> (UInt64, UInt64) {
    try device.check(bp_vk_run(device.handle, &commands, .max), "vkQueueSubmit")
    if !isTimed { return (0, 0) }
    var ticks: [UInt64] = [0, 0]
    try device.check(bp_vk_times(device.handle, &commands, &ticks), "vkGetQueryPoolResults")
    return (ticks[0], ticks[1])
  }
}
