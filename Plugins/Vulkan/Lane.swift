import BackplanePluginKit
import VulkanKernels

/// The timeline semaphores of lanes that have ended, for new lanes to go on with; destroyed with the device.
///
/// A semaphore that a submission waited for may be destroyed once that submission has ended. Mesa's queue thread (seen in 22.3) gives back the point
/// that it waited for after it has signalled that end, into memory that would then be gone: nothing but an idle device says that it is done.
final class Timelines: @unchecked Sendable {
  private let guarded = Monitor()
  private var idle: [(semaphore: VkSemaphore, value: UInt64)] = []

  /// A semaphore of nobody else, with the value that it has.
  func take(_ device: Device) throws(PluginError) -> (VkSemaphore, UInt64) {
    if let kept = guarded.locked({ idle.popLast() }) { return kept }
    var made: VkSemaphore?
    try device.check(bp_vk_timeline(device.handle, &made), "vkCreateSemaphore")
    return (made!, 0)
  }

  /// Takes back a semaphore for which nothing is under way.
  func give(_ semaphore: VkSemaphore, _ value: UInt64) { guarded.locked { idle.append((semaphore, value)) } }

  /// Destroys them all.
  func release(_ device: OpaquePointer) {
    bp_vk_idle(device)
    for kept in idle { bp_vk_timeline_destroy(device, kept.semaphore) }
  }
}

/// A timeline semaphore behind one of the ABI's queues: it counts the submissions that have ended. A thread waits for each end.
final class Lane: PluginLane, @unchecked Sendable {
  /// The point of a timeline that other submissions may wait for.
  final class Ticket: Sendable {
    let lane: Lane
    let value: UInt64
    init(_ lane: Lane, _ value: UInt64) { (self.lane, self.value) = (lane, value) }
  }

  private let device: Device
  let semaphore: VkSemaphore
  /// Of the last submission. One thread at a time submits.
  private(set) var value: UInt64
  private let thread = SerialThread()

  init(_ device: Device) throws(PluginError) {
    (semaphore, value) = try device.timelines.take(device)
    self.device = device
    super.init()
  }
  deinit { device.timelines.give(semaphore, value) }

  /// Submits commands behind the lane's own earlier ones and behind `tickets`, and has `finished` called at their end.
  func submit(_ buffers: [VkCommandBuffer?], after tickets: [Ticket], _ finished: @escaping @Sendable (PluginError?) -> Void, release: @escaping @Sendable () -> Void) throws(PluginError) -> Ticket {
    guard thread.start() else {
      throw PluginError(BP_E_OOM_HOST, "no thread can be started to wait for a queue", reason: BP_REASON_MEMORY, retry: BP_RETRY_AFTER_FREEING_MEMORY)
    }
    var furthest: [VkSemaphore: UInt64] = value > 0 ? [semaphore: value] : [:]
    for ticket in tickets { furthest[ticket.lane.semaphore] = max(furthest[ticket.lane.semaphore] ?? 0, ticket.value) }
    let waits = furthest.map { Optional($0.key) }, values = furthest.map(\.value)
    try device.check(bp_vk_submit(device.handle, buffers, UInt32(buffers.count), waits, values, UInt32(waits.count), semaphore, value + 1), "vkQueueSubmit")
    value += 1
    let end = value
    // A semaphore outlives what the driver has: the task keeps those that are waited for.
    _ = thread.post { [self] in
      let code = withExtendedLifetime(tickets) { bp_vk_wait(device.handle, semaphore, end, .max) }
      release()
      finished(code < 0 ? device.remember(failure(code, "vkWaitSemaphores")) : nil)
    }
    return Ticket(self, value)
  }

  override func close() { thread.join() }
}

extension Device {
  /// Submits copies and dispatches as one, and leaves their end to the lane's thread.
  func start(_ submission: bp_submission, _ lane: Lane, _ tickets: [AnyObject], _ finished: @escaping @Sendable (PluginError?) -> Void) throws(PluginError) -> AnyObject? {
    guard submission.timestamps == nil, tickets.count < 60 else { return nil }
    try checkLoss()
    var copies: [OwnCommands] = [], recordings: [(program: Program, recording: Recording)] = []
    do throws(PluginError) {
      for i in 0..<Int(submission.copies.count) {
        if let commands = try prepare(submission.copies.record(i, zero: bp_copy())) { copies.append(commands) }
      }
      for i in 0..<Int(submission.dispatches.count) {
        let dispatch = submission.dispatches.record(i, zero: bp_dispatch()), program = try self.program(dispatch)
        if let recording = try program.prepare(dispatch, submission, timed: false) { recordings.append((program, recording)) }
      }
      let buffers = copies.map { Optional($0.commands.buffer!) } + recordings.map { Optional($0.recording.buffer) }
      return try lane.submit(buffers, after: tickets.map { unsafeDowncast($0, to: Lane.Ticket.self) }, finished) { [copies, recordings] in
        withExtendedLifetime(copies) { for (program, recording) in recordings { program.give(recording) } }
      }
    } catch {
      for (program, recording) in recordings { program.give(recording) }
      throw error
    }
  }
}
