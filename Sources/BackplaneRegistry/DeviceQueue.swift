import BackplaneABI
import BackplaneCore

/// A queue of a device (group Queues), destroyed with this object. One thread at a time may submit.
public final class DeviceQueue: @unchecked Sendable {
  public let device: Device
  public let handle: bp_queue?

  public init(_ device: Device, index: Int = 0) throws(BackplaneError) {
    var handle: bp_queue?
    try checked("queue_create", device.id) { device.functions.pointee.queue_create(device.handle, UInt32(index), &handle, $0) }
    (self.device, self.handle) = (device, handle)
  }

  deinit { device.functions.pointee.queue_destroy(handle) }

  /// Enqueues and returns at once; false when the queue was full and nothing was enqueued. Allocates nothing unless it fails.
  @inline(__always)
  public func submit(_ submission: UnsafePointer<bp_submission>) throws(BackplaneError) -> Bool {
    try checked("submit", device.id) { device.functions.pointee.submit(handle, submission, $0) } != BP_WOULD_BLOCK
  }
}

/// A timeline semaphore (group Queues): a counter that only grows and can be failed. Any thread.
public final class DeviceSemaphore: @unchecked Sendable {
  public let device: Device
  public let handle: bp_sem?

  public init(_ device: Device, initial: UInt64 = 0) throws(BackplaneError) {
    var handle: bp_sem?
    try checked("sem_create", device.id) { device.functions.pointee.sem_create(device.handle, initial, &handle, $0) }
    (self.device, self.handle) = (device, handle)
  }

  deinit { device.functions.pointee.sem_destroy(handle) }

  /// - Throws: ``BackplaneError`` (poisoned) with the first failure, once the semaphore has been failed.
  public func value() throws(BackplaneError) -> UInt64 {
    var value: UInt64 = 0
    try checked("sem_query", device.id) { device.functions.pointee.sem_query(handle, &value, $0) }
    return value
  }

  public func signal(_ value: UInt64) throws(BackplaneError) {
    try checked("sem_signal", device.id) { device.functions.pointee.sem_signal(handle, value, $0) }
  }

  public func fail(_ failure: UnsafePointer<bp_error>) throws(BackplaneError) {
    try checked("sem_fail", device.id) { _ in device.functions.pointee.sem_fail(handle, failure) }
  }

  /// Waits until the counter reaches `value`.
  ///
  /// - Throws: ``BackplaneError`` (timeout, poisoned).
  public func wait(for value: UInt64, timeoutNanoseconds: UInt64 = .max) throws(BackplaneError) {
    var point = point(value)
    try device.wait(&point, count: 1, any: false, timeoutNanoseconds: timeoutNanoseconds)
  }

  public func point(_ value: UInt64) -> bp_sem_point { bp_sem_point(h: head(bp_sem_point.self, BP_ST_SEM_POINT), sem: handle, value: value) }
}

extension Device {
  /// Waits for all or any of `count` points.
  public func wait(_ points: UnsafePointer<bp_sem_point>, count: Int, any: Bool, timeoutNanoseconds: UInt64) throws(BackplaneError) {
    try checked("sem_wait", id) {
      functions.pointee.sem_wait(handle, points, UInt32(MemoryLayout<bp_sem_point>.stride), UInt32(count), any ? 1 : 0, timeoutNanoseconds, $0)
    }
  }
}
