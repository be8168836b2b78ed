import BackplanePluginKit
import Glibc

/// The device's own thread: what queues submit runs here, in order of arrival.
final class DeviceThread: @unchecked Sendable {
  typealias Task = @Sendable @convention(c) (UnsafeMutableRawPointer?) -> Void
  private let monitor = Monitor()
  // Guarded by the monitor.
  private var tasks: [(Task, UnsafeMutableRawPointer?)] = []
  private var isEnding = false
  private var thread: pthread_t?

  func post(_ task: @escaping Task, _ context: UnsafeMutableRawPointer?) {
    monitor.locked {
      tasks.append((task, context))
      if thread == nil { start() }
      monitor.broadcast()
    }
  }

  /// Runs what was posted and ends the thread.
  func join() {
    let thread = monitor.locked {
      isEnding = true
      monitor.broadcast()
      return self.thread
    }
    if let thread { pthread_join(thread, nil) }
  }

  private func start() {
    var made = pthread_t()
    let this = Unmanaged.passRetained(self)
    let status = pthread_create(&made, nil, { argument in
      Unmanaged<DeviceThread>.fromOpaque(argument!).takeRetainedValue().loop()
      return nil
    }, this.toOpaque())
    if status == 0 { thread = made } else { this.release() }
  }

  private func loop() {
    while true {
      let next = monitor.locked { () -> (Task, UnsafeMutableRawPointer?)? in
        _ = monitor.wait(nanoseconds: .max) { !tasks.isEmpty || isEnding }
        return tasks.isEmpty ? nil : tasks.removeFirst()
      }
      guard let (task, context) = next else { return }
      task(context)
    }
  }
}
