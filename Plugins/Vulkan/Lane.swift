import BackplanePluginKit
import Glibc
import VulkanKernels

/// A timeline semaphore behind one of the ABI's queues: it counts the submissions that have ended. A thread waits for each end.
final class Lane: PluginLane, @unchecked Sendable {
  /// The point of a timeline that other submissions may wait for.
  final class Ticket {
    let lane: Lane
    let value: UInt64
    init(_ lane: Lane, _ value: UInt64) { (self.lane, self.value) = (lane, value) }
  }

  private struct Item {
    let value: UInt64
    let finished: @Sendable (PluginError?) -> Void
    /// Gives back what the commands used.
    let release: () -> Void
    /// What it waits for: a semaphore outlives what the driver has.
    let tickets: [Ticket]
  }

  private let device: Device
  let semaphore: VkSemaphore
  /// Of the last submission. One thread at a time submits.
  private(set) var value: UInt64 = 0
  private let monitor = Monitor()
  // Guarded by the monitor.
  private var pending: [Item] = []
  private var isEnding = false
  private var thread: pthread_t?

  init(_ device: Device) throws(PluginError) {
    var made: VkSemaphore?
    try device.check(bp_vk_timeline(device.handle, &made), "vkCreateSemaphore")
    (self.device, semaphore) = (device, made!)
    super.init()
  }
  deinit { bp_vk_timeline_destroy(device.handle, semaphore) }

  /// Submits commands behind the lane's own earlier ones and behind `tickets`, and has `finished` called at their end.
  func submit(_ buffers: [VkCommandBuffer?], after tickets: [Ticket], _ finished: @escaping @Sendable (PluginError?) -> Void, release: @escaping () -> Void) throws(PluginError) -> Ticket {
    guard monitor.locked({ thread != nil || start() }) else {
      throw PluginError(BP_E_OOM_HOST, "no thread can be started to wait for a queue", reason: BP_REASON_MEMORY, retry: BP_RETRY_AFTER_FREEING_MEMORY)
    }
    var furthest: [VkSemaphore: UInt64] = value > 0 ? [semaphore: value] : [:]
    for ticket in tickets { furthest[ticket.lane.semaphore] = max(furthest[ticket.lane.semaphore] ?? 0, ticket.value) }
    let waits = furthest.map { Optional($0.key) }, values = furthest.map(\.value)
    try device.check(bp_vk_submit(device.handle, buffers, UInt32(buffers.count), waits, values, UInt32(waits.count), semaphore, value + 1), "vkQueueSubmit")
    value += 1
    monitor.locked {
      pending.append(Item(value: value, finished: finished, release: release, tickets: tickets))
      monitor.broadcast()
    }
    return Ticket(self, value)
  }

  override func close() {
    let thread = monitor.locked {
      isEnding = true
      monitor.broadcast()
      return self.thread
    }
    if let thread { pthread_join(thread, nil) }
  }

  private func start() -> Bool {
    var made = pthread_t()
    let status = pthread_create(&made, nil, { argument in
      Unmanaged<Lane>.fromOpaque(argument!).takeUnretainedValue().loop()  // alive until `close` has joined
      return nil
    }, Unmanaged.passUnretained(self).toOpaque())
    if status == 0 { thread = made }
    return status == 0
  }

  private func loop() {
    while true {
      let next = monitor.locked {
        _ = monitor.wait(nanoseconds: .max) { !pending.isEmpty || isEnding }
        return pending.isEmpty ? nil : pending.removeFirst()
      }
      guard let next else { return }
      let code = withExtendedLifetime(next.tickets) { bp_vk_wait(device.handle, semaphore, next.value, .max) }
      next.release()
      next.finished(code < 0 ? device.remember(failure(code, "vkWaitSemaphores")) : nil)
    }
  }
}

extension Device {
  /// Submits copies and dispatches as one, and leaves their end to the lane's thread.
  func start(_ submission: bp_submission, _ lane: Lane, _ tickets: [AnyObject], _ finished: @escaping @Sendable (PluginError?) -> Void) throws(PluginError) -> AnyObject? {
    guard submission.timestamps == nil, tickets.count < 60 else { return nil }
    try checkLoss()
    guard submission.dispatches.count == 0 || submission.dispatches.ptr != nil else { throw .invalid("execute: dispatches are announced, but there are none") }
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
