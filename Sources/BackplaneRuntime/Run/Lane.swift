import Glibc

/// A thread that runs one thing at a time for its owner, who waits for it. Starting and waiting allocate nothing.
final class Lane: @unchecked Sendable {
  private let begins = UnsafeMutablePointer<sem_t>.allocate(capacity: 1), ends = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
  private let body: (Int) -> Void
  private var argument = 0
  private var thread: pthread_t?

  /// - Parameter body: Called on the lane's thread. Must not hold the lane's owner.
  init(named name: String, _ body: @escaping (Int) -> Void) {
    self.body = body
    sem_init(begins, 0, 0)
    sem_init(ends, 0, 0)
    thread = startThread(named: name, { raw in
      Unmanaged<Lane>.fromOpaque(raw!)._withUnsafeGuaranteedRef { $0.loop() }
      return nil
    }, Unmanaged.passUnretained(self).toOpaque())
  }

  deinit {
    argument = -1
    sem_post(begins)
    if let thread { pthread_join(thread, nil) }
    sem_destroy(begins)
    sem_destroy(ends)
    begins.deallocate()
    ends.deallocate()
  }

  /// Begins `body(argument)`; one that has no thread runs it here and now.
  func start(_ argument: Int) {
    self.argument = argument
    if thread == nil { body(argument); sem_post(ends) } else { sem_post(begins) }
  }

  func wait() { while sem_wait(ends) != 0 {} }

  private func loop() {
    while true {
      while sem_wait(begins) != 0 {}
      if argument < 0 { return }
      body(argument)
      sem_post(ends)
    }
  }
}
