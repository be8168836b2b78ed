import BackplaneABI

/// Submissions that run one after the other, on the host's pool unless the device has threads of its own.
///
/// A task is posted when the first submission may start: nothing ever blocks a pool thread on a semaphore. A signal looks at all
/// queues again. Slots for submissions are reused, so that a steady stream allocates nothing.
final class Queue: @unchecked Sendable {
  private static let depth = 64

  let device: PluginDevice
  // Guarded by the device's monitor.
  private var slots: [SubmissionCopy] = []
  private var first = 0, count = 0
  /// A task is posted or running.
  private var isActive = false

  init(_ device: PluginDevice) {
    self.device = device
    slots = (0..<Queue.depth).map { _ in SubmissionCopy() }
    device.monitor.locked { device.queues.append(Unmanaged.passUnretained(self)) }
  }

  /// Waits for what runs; what could not start is cancelled.
  func close() {
    device.monitor.locked {
      _ = device.monitor.wait(nanoseconds: .max) { !isActive }
      device.queues.removeAll { $0.toOpaque() == Unmanaged.passUnretained(self).toOpaque() }
    }
    while count > 0 {
      device.fail(slots[first].submission.signals, PluginError(BP_E_CANCELLED, "the queue was destroyed").record)
      (first, count) = ((first + 1) % Queue.depth, count - 1)
    }
  }

  /// - Returns: `BP_WOULD_BLOCK` when the queue is full.
  func submit(_ source: UnsafePointer<bp_submission>) throws(PluginError) -> bp_status {
    let submission = readRecord(source, zero: bp_submission())
    try checkChain(submission.h, of: "submission")
    // The host serialises submit per queue, so that the free slot stays ours between the two locks.
    let slot = device.monitor.locked { count == Queue.depth ? nil : slots[(first + count) % Queue.depth] }
    guard let slot else { return BP_WOULD_BLOCK }
    try slot.fill(submission)
    device.monitor.locked { count += 1 }
    device.startQueues()
    return BP_OK
  }

  /// Call with the monitor locked. True when the caller must post ``run()``.
  fileprivate func claim() -> Bool {
    guard !isActive, count > 0 else { return false }
    if case .pending = device.progress(slots[first].submission.waits) { return false }
    isActive = true
    return true
  }

  /// Runs what may start, then lets go.
  fileprivate func run() {
    while let (submission, progress) = next() {
      do throws(PluginError) {
        if case .poisoned(let failure) = progress { throw poisoned(failure) }
        try device.work(submission)
        try device.signal(submission.signals)
      } catch {
        device.fail(submission.signals, error.record)
      }
      device.monitor.locked { (first, count) = ((first + 1) % Queue.depth, count - 1) }
    }
  }

  private func next() -> (bp_submission, Progress)? {
    device.monitor.locked {
      if count > 0 {
        let progress = device.progress(slots[first].submission.waits)
        if case .pending = progress {} else { return (slots[first].submission, progress) }
      }
      isActive = false
      device.monitor.broadcast()
      return nil
    }
  }
}

extension PluginDevice {
  /// Posts a task for each queue whose first submission may start now.
  func startQueues() {
    while let queue = monitor.locked({ queues.first { $0._withUnsafeGuaranteedRef { $0.claim() } } }) {
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
