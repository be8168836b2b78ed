import BackplaneABI

/// A timeline: a counter that only grows, or has failed for good. Guarded by its device's monitor.
final class Semaphore: @unchecked Sendable {
  unowned let device: PluginDevice
  var value: UInt64
  var failure: bp_error?
  /// Values that submissions on the device will signal, as they were begun, and what the API knows their ends by.
  var promises: [(value: UInt64, ticket: AnyObject)] = []

  init(_ device: PluginDevice, initial: UInt64) {
    self.device = device
    value = initial
  }

  // Call with the monitor locked.

  func advance(to next: UInt64) throws(PluginError) {
    if let failure { throw poisoned(failure) }
    guard next > value else { throw .invalid("a semaphore at \(value) cannot be signalled with \(next)") }
    value = next
    promises.removeAll { $0.value <= next }
  }

  /// The first failure stays.
  func fail(_ record: bp_error) {
    if failure == nil { failure = record }
    promises = []
  }
}

/// How far the points of a wait are.
enum Progress {
  case reached, pending, poisoned(bp_error)
  /// All that is missing will be signalled by submissions that the device's API has: what it may be told to wait for.
  case promised([AnyObject])

  var isPending: Bool { if case .pending = self { true } else { false } }
}

extension PluginDevice {
  /// Call with the monitor locked. A failed semaphore decides at once.
  ///
  /// - Parameter promised: Whether a value that is on its way will do.
  func progress(_ points: bp_array, any: Bool = false, promised: Bool = false) -> Progress {
    var reached = 0, tickets: [AnyObject] = []
    for i in 0..<Int(points.count) {
      let point = (points.ptr + i * Int(points.stride)).assumingMemoryBound(to: bp_sem_point.self)
      guard let handle = point.pointee.sem else { continue }
      let semaphore = object(handle, as: Semaphore.self)
      if semaphore.value >= point.pointee.value { reached += 1 } else if let failure = semaphore.failure { return .poisoned(failure) } else if promised,
        semaphore.device === self, let promise = semaphore.promises.first(where: { $0.value >= point.pointee.value }) { tickets.append(promise.ticket) }
    }
    if reached == Int(points.count) || (any && reached > 0) { return .reached }
    return reached + tickets.count == Int(points.count) ? .promised(tickets) : .pending
  }

  func append(_ points: bp_array, to semaphores: inout [Semaphore]) {
    for i in 0..<Int(points.count) {
      let point = (points.ptr + i * Int(points.stride)).assumingMemoryBound(to: bp_sem_point.self)
      if let handle = point.pointee.sem { semaphores.append(object(handle, as: Semaphore.self)) }
    }
  }

  /// Call with the monitor locked. Also when they never will be.
  func areReached(_ points: bp_array) -> Bool {
    switch progress(points) {
    case .reached, .poisoned: true
    case .pending, .promised: false
    }
  }

  /// Says of a submission's signals when they will come. Call with the monitor locked.
  func promise(_ points: bp_array, _ ticket: AnyObject) {
    for i in 0..<Int(points.count) {
      let point = (points.ptr + i * Int(points.stride)).assumingMemoryBound(to: bp_sem_point.self).pointee
      guard let handle = point.sem else { continue }
      let semaphore = object(handle, as: Semaphore.self)
      if semaphore.device === self, semaphore.value < point.value, semaphore.failure == nil { semaphore.promises.append((point.value, ticket)) }
    }
  }

  /// Signals what a submission was to signal, or fails it. Call with the monitor locked.
  func settle(_ submission: bp_submission, _ outcome: PluginError?) {
    do throws(PluginError) {
      if let outcome { throw outcome }
      if case .poisoned(let failure) = progress(submission.waits) { throw poisoned(failure) }
      try check(submission.signals)
      for i in 0..<Int(submission.signals.count) {
        let point = (submission.signals.ptr + i * Int(submission.signals.stride)).assumingMemoryBound(to: bp_sem_point.self).pointee
        try object(point.sem, as: Semaphore.self).advance(to: point.value)
      }
    } catch {
      let record = error.record
      for i in 0..<Int(submission.signals.count) {
        let point = (submission.signals.ptr + i * Int(submission.signals.stride)).assumingMemoryBound(to: bp_sem_point.self).pointee
        if let handle = point.sem { object(handle, as: Semaphore.self).fail(record) }
      }
    }
  }

  /// - Throws: `BP_E_TIMEOUT`, `BP_E_POISONED` with the first failure's message.
  func wait(_ points: bp_array, any: Bool, nanoseconds: UInt64) throws(PluginError) {
    try check(points)
    let (sum, isEndless) = host.now.addingReportingOverflow(nanoseconds), end = isEndless ? UInt64.max : sum
    var last = Progress.pending, isDone = false
    repeat {
      let left = isEndless ? UInt64.max : end - min(host.now, end)
      isDone = monitor.locked {
        monitor.wait(nanoseconds: left) {
          last = progress(points, any: any)
          if case .pending = last { return needsStart }
          return true
        }
      }
      startQueues()  // a driver's thread must not call the host: who waits does it
    } while isDone && last.isPending
    if case .poisoned(let failure) = last { throw poisoned(failure) }
    if !isDone { throw PluginError(BP_E_TIMEOUT, "\(points.count) semaphores did not get there within \(nanoseconds) ns", retry: BP_RETRY_SAME_CALL) }
  }

  func wait(_ submission: bp_submission) throws(PluginError) {
    let now = submission.deadline_ns == 0 ? 0 : host.now
    try wait(submission.waits, any: false, nanoseconds: submission.deadline_ns == 0 ? .max : submission.deadline_ns - min(now, submission.deadline_ns))
  }

  func signal(_ points: bp_array) throws(PluginError) {
    try check(points)
    for i in 0..<Int(points.count) {
      let point = (points.ptr + i * Int(points.stride)).assumingMemoryBound(to: bp_sem_point.self).pointee
      try signal(object(point.sem, as: Semaphore.self), point.value)
    }
  }

  func signal(_ semaphore: Semaphore, _ value: UInt64) throws(PluginError) {
    try monitor.locked { () throws(PluginError) in
      try semaphore.advance(to: value)
      monitor.broadcast()
    }
    startQueues()
  }

  func fail(_ points: bp_array, _ failure: bp_error) {
    for i in 0..<Int(points.count) {
      let point = (points.ptr + i * Int(points.stride)).assumingMemoryBound(to: bp_sem_point.self).pointee
      if let handle = point.sem { fail(object(handle, as: Semaphore.self), failure) }
    }
  }

  func fail(_ semaphore: Semaphore, _ failure: bp_error) {
    monitor.locked {
      semaphore.fail(failure)
      monitor.broadcast()
    }
    startQueues()
  }

  private func check(_ points: bp_array) throws(PluginError) {
    guard points.count == 0 || (points.ptr != nil && Int(points.stride) >= MemoryLayout<bp_sem_point>.size) else {
      throw .invalid("semaphore points: \(points.count) records of \(points.stride) bytes")
    }
    for i in 0..<Int(points.count) where (points.ptr + i * Int(points.stride)).assumingMemoryBound(to: bp_sem_point.self).pointee.sem == nil {
      throw .invalid("semaphore point \(i) has no semaphore")
    }
  }
}

func poisoned(_ failure: bp_error) -> PluginError {
  let message = withUnsafeBytes(of: failure.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  return PluginError(BP_E_POISONED, "the semaphore was failed: \(message)", reason: failure.reason, node: failure.node_plus_1 > 0 ? Int(failure.node_plus_1) - 1 : nil)
}
