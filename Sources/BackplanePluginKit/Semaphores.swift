import BackplaneABI

/// A timeline: a counter that only grows, or has failed for good. Guarded by its device's monitor.
final class Semaphore: @unchecked Sendable {
  unowned let device: PluginDevice
  var value: UInt64
  var failure: bp_error?

  init(_ device: PluginDevice, initial: UInt64) {
    self.device = device
    value = initial
  }
}

/// How far the points of a wait are.
enum Progress { case reached, pending, poisoned(bp_error) }

extension PluginDevice {
  /// Call with the monitor locked. A failed semaphore decides at once.
  func progress(_ points: bp_array, any: Bool = false) -> Progress {
    var reached = 0
    for i in 0..<Int(points.count) {
      let point = (points.ptr + i * Int(points.stride)).assumingMemoryBound(to: bp_sem_point.self)
      guard let handle = point.pointee.sem else { continue }
      let semaphore = object(handle, as: Semaphore.self)
      if semaphore.value >= point.pointee.value { reached += 1 } else if let failure = semaphore.failure { return .poisoned(failure) }
    }
    return reached == Int(points.count) || (any && reached > 0) ? .reached : .pending
  }

  /// - Throws: `BP_E_TIMEOUT`, `BP_E_POISONED` with the first failure's message.
  func wait(_ points: bp_array, any: Bool, nanoseconds: UInt64) throws(PluginError) {
    try check(points)
    var last = Progress.pending
    let isDone = monitor.locked {
      monitor.wait(nanoseconds: nanoseconds) {
        last = progress(points, any: any)
        if case .pending = last { return false }
        return true
      }
    }
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
      if let failure = semaphore.failure { throw poisoned(failure) }
      guard value > semaphore.value else { throw .invalid("a semaphore at \(semaphore.value) cannot be signalled with \(value)") }
      semaphore.value = value
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

  /// The first failure stays.
  func fail(_ semaphore: Semaphore, _ failure: bp_error) {
    monitor.locked {
      if semaphore.failure == nil { semaphore.failure = failure }
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
