import Glibc

/// A thread that runs tasks one after the other, in the order in which they come; it starts with the first. Any thread may give it tasks.
public final class SerialThread: @unchecked Sendable {
  private let monitor = Monitor()
  // Guarded by the monitor.
  private var tasks: [@Sendable () -> Void] = []
  private var isEnding = false
  private var thread: pthread_t?

  public init() {}

  /// - Returns: False when there is no thread to be had; then the task is not kept.
  public func post(_ task: @escaping @Sendable () -> Void) -> Bool {
    monitor.locked {
      guard hasThread() else { return false }
      tasks.append(task)
      monitor.broadcast()
      return true
    }
  }

  /// So that ``post(_:)`` will not fail.
  public func start() -> Bool { monitor.locked { hasThread() } }

  /// Runs what was posted and ends the thread. Not from the thread itself.
  public func join() {
    let thread = monitor.locked {
      isEnding = true
      monitor.broadcast()
      return self.thread
    }
    if let thread { pthread_join(thread, nil) }
  }

  /// Call with the monitor locked.
  private func hasThread() -> Bool {
    if thread != nil { return true }
    var made = pthread_t()
    let this = Unmanaged.passRetained(self)
    let status = pthread_create(&made, nil, { argument in
      Unmanaged<SerialThread>.fromOpaque(argument!).takeRetainedValue().loop()
      return nil
    }, this.toOpaque())
    if status == 0 { thread = made } else { this.release() }
    return status == 0
  }

  private func loop() {
    while true {
      let next = monitor.locked {
        _ = monitor.wait(nanoseconds: .max) { !tasks.isEmpty || isEnding }
        return tasks.isEmpty ? nil : tasks.removeFirst()
      }
      guard let next else { return }
      next()
    }
  }
}
