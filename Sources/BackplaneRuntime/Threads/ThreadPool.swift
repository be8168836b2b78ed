import BackplaneABI
import Glibc
import Synchronization

/// A fixed number of workers that share the chunks of a loop. The thread that calls is worker 0.
///
/// A loop is over when its *items* are done, whoever did them: a worker that sleeps, or that the system has put aside, holds up
/// nothing that it has not begun. Workers that find nothing to do look on for a moment (``spinNanoseconds``), because the next
/// loop of a run comes soon, and then sleep; a pool without work uses no processor time.
///
/// Any thread may call. A loop inside a loop, and a loop that comes while another thread's is under way, runs on its own thread.
/// No call allocates. Measured in Specs/decisions/0006-thread-pool.md.
public final class ThreadPool: @unchecked Sendable {
  /// The calling thread included.
  public let workerCount: Int
  /// How long an idle worker looks for work before it sleeps.
  public let spinNanoseconds: UInt64
  private let name: String

  /// Chunks of the loop under way that nobody has claimed. What is claimed is not over, so a claim may read the loop.
  private let unclaimed = Padded()
  /// Chunks that are not done.
  private let unfinished = Padded()
  /// 1 while a thread has the workers.
  private let isTaken = Padded()
  /// 1 while the caller of the loop sleeps until `unfinished` is 0.
  private let callerSleeps = Padded()
  private let sleepingCount = Padded()
  private let isStopping = Padded()
  /// Until when (monotonic ns) the processors are taken to be shared with others.
  private let crowdedUntil = Padded()
  private let loop: UnsafeMutablePointer<Loop>
  private let workers: UnsafeMutablePointer<Worker>
  private let callerWakes: UnsafeMutablePointer<sem_t>
  /// The record of the worker that a thread is, or stands in for: at most one pool's at a time. Of the process, since it has few keys and pools may be many.
  private static let currentWorker = makeKey()
  private static let currentToken = makeKey()
  private let tasks = TaskThreads()
  private var threads: [pthread_t] = []

  /// - Parameters:
  ///   - workers: At least 1; nil takes the processors that this process may use.
  ///   - spinNanoseconds: 0 lets idle workers sleep at once.
  ///   - name: What the workers' threads are called, with their number behind it.
  public init(workers count: Int? = nil, spinNanoseconds: UInt64 = 50_000, name: String = "backplane") {
    self.name = name
    workerCount = min(max(count ?? ThreadPool.processorCount, 1), 1024)
    self.spinNanoseconds = spinNanoseconds
    loop = .allocate(capacity: 1)
    loop.initialize(to: Loop())
    workers = .allocate(capacity: workerCount)
    for i in 0..<workerCount { (workers + i).initialize(to: Worker()) }
    callerWakes = .allocate(capacity: 1)
    sem_init(callerWakes, 0, 0)
    for i in 1..<max(workerCount, 1) { start(worker: i) }
  }

  deinit {
    stop()
    tasks.waitForTheEnd()
    loop.deallocate()
    for i in 0..<workerCount { sem_destroy(workers[i].wakes); workers[i].wakes.deallocate() }
    workers.deinitialize(count: workerCount)
    workers.deallocate()
    sem_destroy(callerWakes)
    callerWakes.deallocate()
  }

  /// The processors that this process may use.
  public static var processorCount: Int {
    // By its symbol: Swift's Glibc module shows no GNU extensions.
    typealias Get = @convention(c) (pid_t, Int, UnsafeMutableRawPointer) -> Int32
    var set = [UInt64](repeating: 0, count: 16)
    guard let symbol = dlsym(nil, "sched_getaffinity"), unsafeBitCast(symbol, to: Get.self)(0, 128, &set) == 0
    else { return max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }
    return max(1, set.reduce(0) { $0 + $1.nonzeroBitCount })
  }

  private static func makeKey() -> pthread_key_t {
    var key = pthread_key_t()
    precondition(pthread_key_create(&key, nil) == 0, "no thread-local key is left")
    return key
  }

  /// Ends the workers, and once they have done what is queued, which is not waited for, the threads for tasks. Loops and tasks still run after it, each
  /// on its caller's thread alone.
  public func stop() {
    guard isStopping.value.exchange(1, ordering: .sequentiallyConsistent) == 0 else { return }
    for i in 1..<max(workerCount, 1) { sem_post(workers[i].wakes) }
    for thread in threads { pthread_join(thread, nil) }
    threads = []
    tasks.stop()
  }

  /// The number of the worker of this pool that the calling thread is.
  private var ownNumber: Int? {
    guard let record = pthread_getspecific(ThreadPool.currentWorker)?.assumingMemoryBound(to: Worker.self),
          workers <= record, record < workers + workerCount else { return nil }
    return record - workers
  }

  // MARK: Loops

  /// Runs `body` over `0..<count` and returns when every item is done.
  ///
  /// - Parameters:
  ///   - grain: The fewest items a chunk has (fewer only when there are fewer). Chunks begin at its multiples.
  ///   - body: Called with `context`, a range, and the worker's number, which is the same for a loop inside a loop.
  ///   - token: Looked at before each chunk. Nil takes the token of ``withToken(_:_:)``, if any.
  /// - Returns: False when the loop was cancelled; then some chunks have not run.
  @discardableResult
  public func parallelFor(_ count: UInt64, grain: UInt64 = 1, _ body: Body, _ context: UnsafeMutableRawPointer?,
                          token: CancellationToken.Flag? = nil) -> Bool {
    guard count > 0 else { return true }
    let token = token ?? flag
    let units = max(count / max(grain, 1), 1)
    let own = ownNumber
    guard units > 1, workerCount > 1, own == nil, isStopping.value.load(ordering: .relaxed) == 0,
          isTaken.value.compareExchange(expected: 0, desired: 1, ordering: .acquiring).exchanged
    else {
      if let token, token.isSet { return false }
      body(context, 0, count, own.map { UInt32($0) } ?? 0)
      return true
    }
    let chunks = min(units, UInt64(workerCount * ThreadPool.chunksPerWorker))
    loop.pointee = Loop(body: body, context: context, count: count, units: units, chunks: chunks, grain: max(grain, 1), token: token)
    let before = pthread_getspecific(ThreadPool.currentWorker)  // of another pool, whose loop this one is in
    pthread_setspecific(ThreadPool.currentWorker, workers)
    unfinished.value.store(Int(chunks), ordering: .relaxed)
    unclaimed.value.store(Int(chunks), ordering: .sequentiallyConsistent)  // before anybody asks who sleeps
    wakeSleepers(from: 1)
    while runOneChunk(worker: 0) {}
    waitUntilFinished()
    pthread_setspecific(ThreadPool.currentWorker, before)
    isTaken.value.store(0, ordering: .releasing)
    return !(token?.isSet ?? false)
  }

  /// One chunk `[begin, end)` of a loop, run by worker `worker`.
  public typealias Body = @convention(c) (_ context: UnsafeMutableRawPointer?, _ begin: UInt64, _ end: UInt64, _ worker: UInt32) -> Void

  /// Lets `token` cancel the loops that this thread calls inside `body`.
  public func withToken<R, E: Error>(_ token: CancellationToken.Flag?, _ body: () throws(E) -> R) throws(E) -> R {
    let before = pthread_getspecific(ThreadPool.currentToken)
    pthread_setspecific(ThreadPool.currentToken, token?.raw)
    defer { pthread_setspecific(ThreadPool.currentToken, before) }
    return try body()
  }

  /// Queues one task for a thread of its own kind: long tasks and tasks that wait keep no loop from its workers.
  ///
  /// - Parameter priority: Tasks above 0 come first.
  public func post(_ task: @convention(c) (UnsafeMutableRawPointer?) -> Void, _ context: UnsafeMutableRawPointer?, priority: UInt32 = 0) {
    tasks.post(task, context, isUrgent: priority > 0)
  }

  /// More chunks than workers: who is put aside by the system holds up an eighth of the loop with two workers.
  private static let chunksPerWorker = 4

  private var flag: CancellationToken.Flag? { pthread_getspecific(ThreadPool.currentToken).map { CancellationToken.Flag(raw: $0) } }

  private func runOneChunk(worker: UInt32) -> Bool {
    var left = unclaimed.value.load(ordering: .relaxed)
    while true {
      if left == 0 { return false }
      let (claimed, seen) = unclaimed.value.weakCompareExchange(expected: left, desired: left - 1, ordering: .acquiring)
      if claimed { break }
      left = seen
    }
    // The claim holds the loop: it is not over, and nobody writes the next one, until this chunk is finished.
    let current = loop.pointee
    let index = current.chunks - UInt64(left)
    let begin = index * current.units / current.chunks * current.grain
    let end = index + 1 == current.chunks ? current.count : (index + 1) * current.units / current.chunks * current.grain
    if !(current.token?.isSet ?? false) { current.body(current.context, begin, end, worker) }
    if unfinished.value.subtract(1, ordering: .sequentiallyConsistent).newValue == 0, worker != 0,
       callerSleeps.value.load(ordering: .sequentiallyConsistent) == 1,
       callerSleeps.value.exchange(0, ordering: .sequentiallyConsistent) == 1 {
      sem_post(callerWakes)
    }
    return true
  }

  /// Others have begun what is left. Looks on briefly, then sleeps, which frees this processor for a worker that has none.
  private func waitUntilFinished() {
    if unfinished.value.load(ordering: .acquiring) == 0 { return }
    let limit = monotonicNanoseconds() + ThreadPool.callerSpinNanoseconds
    while monotonicNanoseconds() < limit {
      if unfinished.value.load(ordering: .acquiring) == 0 { return }
    }
    while true {
      callerSleeps.value.store(1, ordering: .sequentiallyConsistent)
      if unfinished.value.load(ordering: .sequentiallyConsistent) == 0 { break }
      sem_wait(callerWakes)  // may be a late post of an earlier loop: look again
    }
    callerSleeps.value.store(0, ordering: .sequentiallyConsistent)
  }

  private static let callerSpinNanoseconds: UInt64 = 20_000

  // MARK: Workers

  /// Wakes two sleepers at most; each of them wakes two more. So nobody makes more than two system calls to begin a loop.
  private func wakeSleepers(from first: Int) {
    guard sleepingCount.value.load(ordering: .sequentiallyConsistent) > 0 else { return }
    var wanted = min(2, unclaimed.value.load(ordering: .relaxed))
    for step in 0..<workerCount - 1 where wanted > 0 {
      let i = 1 + (first - 1 + step) % (workerCount - 1)
      if workers[i].isAsleep.value.load(ordering: .sequentiallyConsistent) == 1,
         workers[i].isAsleep.value.exchange(0, ordering: .sequentiallyConsistent) == 1 {
        sem_post(workers[i].wakes)
        wanted -= 1
      }
    }
  }

  private func work(as i: Int) {
    pthread_setspecific(ThreadPool.currentWorker, workers + i)
    let own = UInt32(i)
    while isStopping.value.load(ordering: .relaxed) == 0 {
      while runOneChunk(worker: own) {}
      if lookForWork() { continue }
      sleepingCount.value.add(1, ordering: .sequentiallyConsistent)
      workers[i].isAsleep.value.store(1, ordering: .sequentiallyConsistent)
      let found = unclaimed.value.load(ordering: .sequentiallyConsistent) > 0 || isStopping.value.load(ordering: .sequentiallyConsistent) == 1
      if !found || workers[i].isAsleep.value.exchange(0, ordering: .sequentiallyConsistent) == 0 {
        while sem_wait(workers[i].wakes) != 0 {}
      }
      sleepingCount.value.subtract(1, ordering: .sequentiallyConsistent)
      if unclaimed.value.load(ordering: .relaxed) > 0 { wakeSleepers(from: i) }
    }
  }

  /// Looks for work until it is there or the time is up.
  ///
  /// A clock that jumps says that somebody else has this processor, too. Then whoever looks on spends its share of time on
  /// nothing, and is put aside when there is work; a sleeper that is woken comes first. So for a while nobody looks on.
  private func lookForWork() -> Bool {
    let begin = monotonicNanoseconds()
    if spinNanoseconds == 0 || begin < UInt64(bitPattern: Int64(crowdedUntil.value.load(ordering: .relaxed))) {
      return unclaimed.value.load(ordering: .relaxed) > 0
    }
    var now = begin
    while now - begin < spinNanoseconds {
      if unclaimed.value.load(ordering: .relaxed) > 0 { return true }
      // Reading the clock takes some 25 ns and waits for the pipeline, so it is the pause of this loop, too.
      let before = now
      now = monotonicNanoseconds()
      if now - before > ThreadPool.jumpNanoseconds {
        crowdedUntil.value.store(Int(now + ThreadPool.crowdedNanoseconds), ordering: .relaxed)
        return false
      }
    }
    return false
  }
  /// Longer than an interrupt takes, shorter than another process's turn.
  private static let jumpNanoseconds: UInt64 = 100_000
  private static let crowdedNanoseconds: UInt64 = 20_000_000

  private func start(worker i: Int) {
    // Not retained: deinit joins the thread.
    let start = UnsafeMutablePointer<Start>.allocate(capacity: 1)
    start.initialize(to: Start(pool: Unmanaged.passUnretained(self), worker: i))
    if let thread = startThread(named: "\(name)-\(i)", { raw in
      let start = raw!.assumingMemoryBound(to: Start.self)
      let (pool, worker) = (start.pointee.pool, start.pointee.worker)
      start.deinitialize(count: 1)
      start.deallocate()
      pool._withUnsafeGuaranteedRef { $0.work(as: worker) }
      return nil
    }, start) {
      threads.append(thread)
    } else {
      start.deallocate()  // fewer threads than asked for: items are counted, so loops still end
    }
  }

  private struct Start {
    var pool: Unmanaged<ThreadPool>
    var worker: Int
  }

  private struct Loop {
    var body: Body = { _, _, _, _ in }
    var context: UnsafeMutableRawPointer?
    var count: UInt64 = 0, units: UInt64 = 0, chunks: UInt64 = 0, grain: UInt64 = 1
    var token: CancellationToken.Flag?
  }

  private struct Worker: ~Copyable {
    let isAsleep = Padded()
    let wakes: UnsafeMutablePointer<sem_t>
    init() {
      wakes = .allocate(capacity: 1)
      sem_init(wakes, 0, 0)
    }
  }
}

/// An atomic number with two cache lines to itself.
struct Padded: ~Copyable {
  private let before: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0, 0, 0)
  let value = Atomic<Int>(0)
  private let after: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0, 0)
}

@inline(__always)
func monotonicNanoseconds() -> UInt64 {
  var now = timespec()
  clock_gettime(CLOCK_MONOTONIC, &now)
  return UInt64(now.tv_sec) &* 1_000_000_000 &+ UInt64(now.tv_nsec)
}

/// Starts a thread that takes no signals (they are the application's). Nil when the system gives none.
func startThread(named name: String, _ body: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer?,
                 _ context: UnsafeMutableRawPointer?) -> pthread_t? {
  var (all, before) = (sigset_t(), sigset_t())
  sigfillset(&all)
  // What a thread causes itself must reach the application's handler: blocked, it would end the process without a word.
  for fault in [SIGBUS, SIGSEGV, SIGFPE, SIGILL, SIGTRAP] { sigdelset(&all, fault) }
  pthread_sigmask(SIG_SETMASK, &all, &before)
  defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
  var thread = pthread_t()
  guard pthread_create(&thread, nil, body, context) == 0 else { return nil }
  typealias SetName = @convention(c) (pthread_t, UnsafePointer<CChar>) -> Int32
  if let symbol = dlsym(nil, "pthread_setname_np") { _ = unsafeBitCast(symbol, to: SetName.self)(thread, name) }
  return thread
}
