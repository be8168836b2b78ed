import Glibc

/// A lock with a condition that any change broadcasts: what semaphores and queues of a plugin wait on.
///
/// Never call the host with the lock held. Any thread.
public final class Monitor: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  public init() {
    pthread_mutex_init(mutex, nil)
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_cond_init(condition, &attributes)
    pthread_condattr_destroy(&attributes)
  }
  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  @inline(__always)
  public func locked<T, E: Error>(_ body: () throws(E) -> T) throws(E) -> T {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return try body()
  }

  /// Wakes every waiter. Call it with the lock held.
  public func broadcast() { pthread_cond_broadcast(condition) }

  /// Waits, with the lock held, until `isDone` or until `timeout` nanoseconds have passed; the answer is what `isDone` said last.
  public func wait(nanoseconds timeout: UInt64, until isDone: () -> Bool) -> Bool {
    let deadline = Monitor.now.addingReportingOverflow(timeout)
    while !isDone() {
      if deadline.overflow || deadline.partialValue > UInt64(Int64.max) {
        pthread_cond_wait(condition, mutex)
      } else {
        var time = timespec(tv_sec: Int(deadline.partialValue / 1_000_000_000), tv_nsec: Int(deadline.partialValue % 1_000_000_000))
        if pthread_cond_timedwait(condition, mutex, &time) == ETIMEDOUT { return isDone() }
      }
    }
    return true
  }

  private static var now: UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}
