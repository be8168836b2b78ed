import Glibc

/// Threads for single tasks, started when they are first needed, eight at most; they sleep between tasks.
final class TaskThreads: @unchecked Sendable {
  typealias Task = @convention(c) (UnsafeMutableRawPointer?) -> Void
  private static let mostThreads = 8

  private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var urgent: [(task: Task, context: UnsafeMutableRawPointer?)] = []
  private var ordinary: [(task: Task, context: UnsafeMutableRawPointer?)] = []
  private var threadCount = 0
  private var idleCount = 0
  private var isStopping = false

  init() {
    pthread_mutex_init(lock, nil)
    pthread_cond_init(changed, nil)
  }

  deinit {
    pthread_cond_destroy(changed)
    pthread_mutex_destroy(lock)
    changed.deallocate()
    lock.deallocate()
  }

  /// A task that finds every thread busy waits for one; when there is none at all, or no longer, it runs here and now.
  func post(_ task: Task, _ context: UnsafeMutableRawPointer?, isUrgent: Bool) {
    pthread_mutex_lock(lock)
    if idleCount <= urgent.count + ordinary.count, threadCount < TaskThreads.mostThreads, !isStopping { startOne() }
    if threadCount == 0 || isStopping {
      pthread_mutex_unlock(lock)
      task(context)
      return
    }
    if isUrgent { urgent.append((task, context)) } else { ordinary.append((task, context)) }
    pthread_cond_signal(changed)
    pthread_mutex_unlock(lock)
  }

  /// Lets the threads end once they have done what is queued, and waits for nothing.
  func stop() {
    pthread_mutex_lock(lock)
    isStopping = true
    pthread_cond_broadcast(changed)
    pthread_mutex_unlock(lock)
  }

  /// After ``stop()``, on any thread but these.
  func waitForTheEnd() {
    pthread_mutex_lock(lock)
    while threadCount > 0 { pthread_cond_wait(changed, lock) }
    pthread_mutex_unlock(lock)
  }

  /// Under the lock. The thread keeps this object: nobody joins it.
  private func startOne() {
    let own = Unmanaged.passRetained(self)
    let thread = startThread(named: "backplane-task", { raw in
      Unmanaged<TaskThreads>.fromOpaque(raw!).takeRetainedValue().run()
      return nil
    }, own.toOpaque())
    if let thread {
      pthread_detach(thread)
      threadCount += 1
    } else {
      own.release()
    }
  }

  private func run() {
    pthread_mutex_lock(lock)
    while true {
      if let next = urgent.isEmpty ? (ordinary.isEmpty ? nil : ordinary.removeFirst()) : urgent.removeFirst() {
        pthread_mutex_unlock(lock)
        next.task(next.context)
        pthread_mutex_lock(lock)
      } else if isStopping {
        break
      } else {
        idleCount += 1
        pthread_cond_wait(changed, lock)
        idleCount -= 1
      }
    }
    threadCount -= 1
    pthread_cond_broadcast(changed)
    pthread_mutex_unlock(lock)
  }
}
