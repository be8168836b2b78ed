import BackplaneKernelKit
import BackplanePluginKit
import VulkanKernels

extension Device {
  /// Runs copies and dispatches in order; done when it returns.
  func run(_ submission: bp_submission) throws(PluginError) {
    try checkLoss()
    for i in 0..<Int(submission.copies.count) { try copy(submission.copies.record(i, zero: bp_copy())) }
    for i in 0..<Int(submission.dispatches.count) {
      let dispatch = submission.dispatches.record(i, zero: bp_dispatch()), program = try self.program(dispatch)
      var times: (UInt64, UInt64) = (0, 0)
      if let recording = try program.prepare(dispatch, submission, timed: submission.timestamps != nil) {
        defer { program.give(recording) }
        times = try recording.run()
      }
      if let place = try submission.timestampPlace(i) { try write(times, to: place) }
    }
  }

  func program(_ dispatch: bp_dispatch) throws(PluginError) -> Program {
    unsafeDowncast(try KernelProgram.of(dispatch), to: Program.self)
  }

  private func copy(_ copy: bp_copy) throws(PluginError) {
    guard let commands = try prepare(copy) else { return }
    try check(bp_vk_run(handle, &commands.commands, .max), "vkQueueSubmit")
  }

  /// Commands for a copy; nil when there is nothing to do.
  func prepare(_ copy: bp_copy) throws(PluginError) -> OwnCommands? {
    let plan = try CopyPlan(copy)
    if plan.rows.isEmpty { return nil }
    let source = unsafeDowncast(plan.input.buffer, to: Buffer.self), target = unsafeDowncast(plan.output.buffer, to: Buffer.self)
    let own = try OwnCommands(self, timed: false)
    for row in plan.rows {
      bp_vk_copy(handle, &own.commands, source.memory.buffer, source.offset + row.from, target.memory.buffer, target.offset + row.to, UInt64(plan.bytes))
    }
    try check(bp_vk_end(handle, &own.commands), "vkEndCommandBuffer")
    return own
  }

  private func write(_ times: (UInt64, UInt64), to place: StoragePlace) throws(PluginError) {
    guard let memory = unsafeDowncast(place.buffer, to: Buffer.self).hostAddress else { throw .invalid("execute: timestamps need memory that the host sees") }
    let stamp = UnsafeMutableRawPointer(memory + Int(place.offset)).assumingMemoryBound(to: bp_timestamp.self)
    (stamp.pointee.begin_ticks, stamp.pointee.end_ticks) = times
  }

  /// The host's time beside the device's: read together where the driver can, else from a submission that only takes the time.
  func readClock() throws(PluginError) -> bp_clock {
    try checkLoss()
    var clock = bp_clock()
    clock.hz = facts.timestamp_period > 0 ? UInt64(1e9 / Double(facts.timestamp_period)) : 0
    var read: (host: UInt64, ticks: UInt64, deviation: UInt64) = (0, 0, 0)
    let begin = host.now
    if facts.has(BP_VK_CALIBRATED), bp_vk_clocks(handle, &read.host, &read.ticks, &read.deviation) >= 0, begin...max(begin, host.now) ~= read.host {
      (clock.host_ns, clock.device_ticks, clock.max_deviation_ns) = (read.host, read.ticks, max(read.deviation, 1))
      return clock
    }
    let own = try OwnCommands(self, timed: true)
    try check(bp_vk_end(handle, &own.commands), "vkEndCommandBuffer")
    let before = host.now
    try check(bp_vk_run(handle, &own.commands, .max), "vkQueueSubmit")
    let after = host.now
    var ticks: [UInt64] = [0, 0]
    try check(bp_vk_times(handle, &own.commands, &ticks), "vkGetQueryPoolResults")
    (clock.host_ns, clock.device_ticks, clock.max_deviation_ns) = (before + (after - before) / 2, ticks[0], (after - before) / 2 + 1)
    return clock
  }
}

/// Commands that are recorded once, without kernels: begun when made.
final class OwnCommands: @unchecked Sendable {
  private let device: Device
  var commands = bp_vk_commands()

  init(_ device: Device, timed: Bool) throws(PluginError) {
    self.device = device
    try device.check(bp_vk_commands_create(device.handle, nil, timed ? 1 : 0, &commands), "vkCreateCommandPool")
    try device.check(bp_vk_begin(device.handle, &commands), "vkBeginCommandBuffer")
  }
  deinit { bp_vk_commands_destroy(device.handle, &commands) }
}
