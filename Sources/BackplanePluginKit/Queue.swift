import BackplaneABI

/// Submissions that run one after the other.
///
/// A device whose API has queues of its own is given a submission as soon as all that it waits for is reached or on its way (``PluginDevice/begin(_:on:after:finished:)``), and tells
/// when it is done; no thread waits meanwhile. For other devices a task runs it on the host's pool. A task is posted when the next submission may start: nothing
/// ever blocks a pool thread on a semaphore. Slots for submissions are reused.
final class Queue: @unchecked Sendable {
  private static let depth = 64

  private final class Slot {
    let copy = SubmissionCopy()
    // Guarded by the device's monitor.
    /// Its end is known: a failure, or nil when all is well.
    var outcome: PluginError??
    /// ``start(_:_:)`` still looks at it.
    var isStarting = false
    /// Those it waits for and signals: a host that has heard of a failure may destroy them while the submission is still queued.
    var semaphores: [Semaphore] = []
  }

  let device: PluginDevice
  private let slots = (0..<Queue.depth).map { _ in Slot() }
  // Guarded by the device's monitor.
  private var first = 0, count = 0, started = 0
  /// A task is posted or running.
  private var isActive = false
  /// The API's own queue.
  private let lane: PluginLane?

  init(_ device: PluginDevice, index: UInt32) throws(PluginError) {
    self.device = device
    lane = try device.makeLane(index)
    device.monitor.locked { device.queues.append(Unmanaged.passUnretained(self)) }
  }

  /// Waits for what runs; what could not start is cancelled.
  func close() {
    device.monitor.locked {
      _ = device.monitor.wait(nanoseconds: .max) { !isActive && started == 0 }
      device.queues.removeAll { $0.toOpaque() == Unmanaged.passUnretained(self).toOpaque() }
    }
    lane?.close()
    while count > 0 {
      device.fail(slots[first].copy.submission.signals, PluginError(BP_E_CANCELLED, "the queue was destroyed").record)
      slots[first].semaphores = []
      (first, count) = ((first + 1) % Queue.depth, count - 1)
    }
  }

  /// - Returns: `BP_WOULD_BLOCK` when the queue is full.
  func submit(_ source: UnsafePointer<bp_submission>) throws(PluginError) -> bp_status {
    let submission = readRecord(source, zero: bp_submission())
    try checkChain(submission.h, of: "submission")
    // The host serialises submit per queue, so that the free slot stays ours between the two locks.
    let slot = device.monitor.locked { count == Queue.depth ? nil : slots[(first + count) % Queue.depth].copy }
    guard let slot else { return BP_WOULD_BLOCK }
    try slot.fill(submission)
    device.monitor.locked {
      let slot = slots[(first + count) % Queue.depth]
      device.append(submission.waits, to: &slot.semaphores)
      device.append(submission.signals, to: &slot.semaphores)
      count += 1
    }
    device.startQueues()
    return BP_OK
  }

  // MARK: Starting

  private var next: Int { (first + started) % Queue.depth }

  /// Call with the monitor locked. True when the caller must post ``run()``.
  fileprivate func claim() -> Bool {
    guard !isActive, started < count else { return false }
    if case .pending = device.progress(slots[next].copy.submission.waits, promised: lane != nil) { return false }
    isActive = true
    return true
  }

  /// Starts what may start, then lets go.
  fileprivate func run() {
    while let (slot, progress) = take() { start(slot, progress) }
  }

  private func take() -> (slot: Int, Progress)? {
    device.monitor.locked {
      if started < count {
        let slot = next, progress = device.progress(slots[slot].copy.submission.waits, promised: lane != nil)
        if case .pending = progress {} else {
          (slots[slot].outcome, slots[slot].isStarting) = (nil, true)
          started += 1
          return (slot, progress)
        }
      }
      isActive = false
      device.monitor.broadcast()
      return nil
    }
  }

  private func start(_ slot: Int, _ progress: Progress) {
    let submission = slots[slot].copy.submission
    do throws(PluginError) {
      if case .poisoned(let failure) = progress { throw poisoned(failure) }
      let tickets: [AnyObject] = if case .promised(let tickets) = progress { tickets } else { [] }
      if let lane, let ticket = try device.begin(submission, on: lane, after: tickets, finished: { self.finish(slot, $0) }) {
        device.monitor.locked { device.promise(submission.signals, ticket) }
      } else {
        // What was begun earlier comes first; it waits for nothing that is not on its way.
        device.monitor.locked { _ = device.monitor.wait(nanoseconds: .max) { slot == first && device.areReached(submission.waits) } }
        try device.work(submission)
        finish(slot, nil)
      }
    } catch { finish(slot, error) }
    device.monitor.locked {
      slots[slot].isStarting = false
      device.settleQueues()
    }
    device.startQueues()
  }

  // MARK: Ending

  /// Any thread, the driver's too.
  private func finish(_ slot: Int, _ failure: PluginError?) {
    device.monitor.locked {
      slots[slot].outcome = .some(failure)
      device.settleQueues()
    }
  }

  /// Signals for what has ended, in order. Call with the monitor locked.
  ///
  /// - Returns: Whether there was anything.
  fileprivate func settle() -> Bool {
    var hasEnded = false
    // The end of what it waited for may be told after its own.
    while started > 0, !slots[first].isStarting, let outcome = slots[first].outcome, device.areReached(slots[first].copy.submission.waits) {
      device.settle(slots[first].copy.submission, outcome)
      slots[first].semaphores.removeAll(keepingCapacity: true)
      (first, count, started, hasEnded) = ((first + 1) % Queue.depth, count - 1, started - 1, true)
    }
    return hasEnded
  }
}

extension PluginDevice {
  /// Call with the monitor locked.
  fileprivate func settleQueues() {
    while queues.contains(where: { $0._withUnsafeGuaranteedRef { $0.settle() } }) {
      needsStart = true
      monitor.broadcast()
    }
  }

  /// Posts a task for each queue whose next submission may start now. Only from inside a call or a task of the host.
  func startQueues() {
    while let queue = monitor.locked({ () -> Unmanaged<Queue>? in
      needsStart = false
      return queues.first { $0._withUnsafeGuaranteedRef { $0.claim() } }
    }) {
      let posted = post({ Unmanaged<Queue>.fromOpaque($0!).takeUnretainedValue().run() }, queue.toOpaque())
      if posted != BP_OK { queue._withUnsafeGuaranteedRef { $0.run() } }  // a host without a pool: run here
    }
  }
}

/// A submission with everything it points to, in memory that is reused.
final class SubmissionCopy {
  private(set) var submission = bp_submission()
  private var memory: UnsafeMutableRawPointer?
  private var capacity = 0

  deinit { memory?.deallocate() }

  func fill(_ source: bp_submission) throws(PluginError) {
    var measure = Packer(base: nil)
    _ = try measure.pack(source)
    if measure.used > capacity {
      memory?.deallocate()
      capacity = measure.used * 2
      memory = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
    }
    var packer = Packer(base: memory)
    submission = try packer.pack(source)
  }
}

/// Copies records one behind the other; without a base it only measures.
private struct Packer {
  let base: UnsafeMutableRawPointer?
  var used = 0

  init(base: UnsafeMutableRawPointer?) { self.base = base }

  mutating func pack(_ source: bp_submission) throws(PluginError) -> bp_submission {
    var copy = source
    copy.h = head(bp_submission.self, BP_ST_SUBMISSION)
    copy.waits = try array(source.waits, zero: bp_sem_point(), "waits") { _, _ throws(PluginError) in }
    copy.signals = try array(source.signals, zero: bp_sem_point(), "signals") { _, _ throws(PluginError) in }
    copy.copies = try array(source.copies, zero: bp_copy(), "copies") { packer, record throws(PluginError) in
      record.src = packer.one(record.src, zero: bp_binding())
      record.dst = packer.one(record.dst, zero: bp_binding())
    }
    copy.dispatches = try array(source.dispatches, zero: bp_dispatch(), "dispatches") { packer, record throws(PluginError) in
      record.bindings = try packer.array(record.bindings, zero: bp_binding(), "bindings") { _, _ throws(PluginError) in }
      record.symbols = try packer.array(record.symbols, zero: bp_symbol_value(), "symbols") { _, _ throws(PluginError) in }
      record.workspace = packer.one(record.workspace, zero: bp_binding())
    }
    copy.timestamps = one(source.timestamps, zero: bp_binding())
    return copy
  }

  private mutating func take(_ bytes: Int) -> UnsafeMutableRawPointer? {
    let at = base.map { $0 + used }
    used += (bytes + 15) & ~15
    return at
  }

  private mutating func one<T>(_ source: UnsafePointer<T>?, zero: T) -> UnsafePointer<T>? {
    guard let source else { return nil }
    guard let place = take(MemoryLayout<T>.stride) else { return nil }
    let typed = place.bindMemory(to: T.self, capacity: 1)
    typed.initialize(to: readRecord(source, zero: zero))
    return UnsafePointer(typed)
  }

  private mutating func array<T>(
    _ source: bp_array, zero: T, _ name: String, _ deepen: (inout Packer, inout T) throws(PluginError) -> Void
  ) throws(PluginError) -> bp_array {
    if source.count == 0 { return bp_array(ptr: nil, count: 0, stride: UInt32(MemoryLayout<T>.stride)) }
    guard source.ptr != nil, Int(source.stride) >= MemoryLayout<bp_head>.size else { throw .invalid("submission: \(name) are announced, but there are none") }
    let place = take(Int(source.count) * MemoryLayout<T>.stride)?.bindMemory(to: T.self, capacity: Int(source.count))
    for i in 0..<Int(source.count) {
      var record = source.record(i, zero: zero)
      try deepen(&self, &record)
      place?[i] = record
    }
    return bp_array(ptr: place.map { UnsafeRawPointer($0) }, count: source.count, stride: UInt32(MemoryLayout<T>.stride))
  }
}
