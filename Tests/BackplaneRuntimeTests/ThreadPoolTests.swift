import BackplaneRuntime
import Foundation
import Synchronization
import Testing

/// Counts how often each item was done, and by whom.
private final class Tally: @unchecked Sendable {
  let counts: UnsafeMutablePointer<Atomic<Int>>
  let workers: UnsafeMutablePointer<Atomic<Int>>
  let size: Int
  var pool: ThreadPool?
  init(_ size: Int) {
    self.size = size
    counts = .allocate(capacity: size)
    workers = .allocate(capacity: 64)
    for i in 0..<size { (counts + i).initialize(to: Atomic(0)) }
    for i in 0..<64 { (workers + i).initialize(to: Atomic(0)) }
  }
  deinit {
    counts.deallocate()
    workers.deallocate()
  }
  var pointer: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }
  var isEachOnce: Bool { (0..<size).allSatisfy { counts[$0].load(ordering: .relaxed) == 1 } }
  static func of(_ raw: UnsafeMutableRawPointer?) -> Tally { Unmanaged<Tally>.fromOpaque(raw!).takeUnretainedValue() }
}

private let count: ThreadPool.Body = { raw, begin, end, worker in
  let tally = Tally.of(raw)
  for i in Int(begin)..<Int(end) { tally.counts[i].add(1, ordering: .relaxed) }
  tally.workers[Int(worker)].add(1, ordering: .relaxed)
}

@Suite struct ThreadPoolTests {
  @Test(arguments: 1...8) func everyItemIsDoneExactlyOnce(workers: Int) {
    let pool = ThreadPool(workers: workers)
    for size in [1, 2, 3, 7, 63, 64, 65, 997, 10_000] {
      for grain: UInt64 in [1, 5, 64, 100_000] {
        let tally = Tally(size)
        #expect(pool.parallelFor(UInt64(size), grain: grain, count, tally.pointer))
        #expect(tally.isEachOnce, "\(workers) workers, \(size) items, grain \(grain)")
        #expect((workers..<64).allSatisfy { tally.workers[$0].load(ordering: .relaxed) == 0 })
      }
    }
    #expect(pool.parallelFor(0, count, nil))
  }

  @Test func manyShortLoopsInARowAreAllComplete() {
    let pool = ThreadPool(workers: 4)
    let tally = Tally(64)
    for _ in 0..<20_000 { pool.parallelFor(64, grain: 4, count, tally.pointer) }
    #expect((0..<64).allSatisfy { tally.counts[$0].load(ordering: .relaxed) == 20_000 })
  }

  @Test func loopsThatFindSleepersAreComplete() {
    let pool = ThreadPool(workers: 4, spinNanoseconds: 0)
    let tally = Tally(64)
    for _ in 0..<2_000 { pool.parallelFor(64, grain: 1, count, tally.pointer) }
    #expect((0..<64).allSatisfy { tally.counts[$0].load(ordering: .relaxed) == 2_000 })
  }

  @Test func chunksHaveAtLeastTheGrainAndBeginAtItsMultiples() {
    let pool = ThreadPool(workers: 3)
    let tally = Tally(2)
    pool.parallelFor(1003, grain: 10, { raw, begin, end, _ in
      let tally = Tally.of(raw)
      if end - begin < 10 { tally.counts[0].add(1, ordering: .relaxed) }
      if begin % 10 != 0 { tally.counts[1].add(1, ordering: .relaxed) }
    }, tally.pointer)
    #expect(tally.counts[0].load(ordering: .relaxed) == 0)
    #expect(tally.counts[1].load(ordering: .relaxed) == 0)
  }

  @Test func aLoopInsideALoopRunsInlineWithItsWorkersNumber() {
    let tally = Tally(100)
    tally.pool = ThreadPool(workers: 4)
    final class Inner {
      let tally: Tally
      let worker: UInt32
      init(_ tally: Tally, _ worker: UInt32) { (self.tally, self.worker) = (tally, worker) }
    }
    tally.pool!.parallelFor(100, grain: 1, { raw, begin, end, worker in
      let inner = Inner(Tally.of(raw), worker)
      for i in begin..<end { inner.tally.counts[Int(i)].add(1, ordering: .relaxed) }
      inner.tally.pool!.parallelFor(10, grain: 1, { raw, begin, end, worker in
        let inner = Unmanaged<Inner>.fromOpaque(raw!).takeUnretainedValue()
        // Inline: all of it at once, as the worker that it is inside of.
        if begin == 0 && end == 10 && worker == inner.worker { inner.tally.workers[63].add(1, ordering: .relaxed) }
        else { inner.tally.workers[62].add(1, ordering: .relaxed) }
      }, Unmanaged.passUnretained(inner).toOpaque())
    }, tally.pointer)
    #expect(tally.isEachOnce)
    #expect(tally.workers[63].load(ordering: .relaxed) > 0)
    #expect(tally.workers[62].load(ordering: .relaxed) == 0)
  }

  @Test func callersOnSeveralThreadsAllGetTheirItemsDone() {
    let pool = ThreadPool(workers: 3)
    let tallies = (0..<6).map { _ in Tally(500) }
    let threads = tallies.map { tally in
      Thread { for _ in 0..<300 { pool.parallelFor(500, grain: 7, count, tally.pointer) }
        tally.workers[60].store(1, ordering: .releasing) }
    }
    for thread in threads { thread.start() }
    for tally in tallies { while tally.workers[60].load(ordering: .acquiring) == 0 { usleep(500) } }
    for tally in tallies { #expect((0..<500).allSatisfy { tally.counts[$0].load(ordering: .relaxed) == 300 }) }
  }

  @Test func aCancelledLoopSkipsWhatHasNotBegun() {
    let pool = ThreadPool(workers: 2)
    let token = CancellationToken()
    let tally = Tally(1000)
    token.cancel()
    #expect(!pool.parallelFor(1000, count, tally.pointer, token: token.flag))
    #expect((0..<1000).allSatisfy { tally.counts[$0].load(ordering: .relaxed) == 0 })
    #expect(!pool.withToken(token.flag) { pool.parallelFor(1000, count, tally.pointer) })
    #expect(pool.parallelFor(1000, count, tally.pointer))
    #expect(tally.isEachOnce)
  }

  @Test func aStoppedPoolStillRunsLoops() {
    let pool = ThreadPool(workers: 4)
    pool.stop()
    let tally = Tally(100)
    #expect(pool.parallelFor(100, count, tally.pointer))
    #expect(tally.isEachOnce)
  }

  @Test func aStoppedPoolRunsTasksOnTheCallersThread() {
    let pool = ThreadPool(workers: 2)
    let tally = Tally(1)
    pool.post({ raw in Tally.of(raw).workers[61].add(1, ordering: .releasing) }, tally.pointer)
    pool.stop()
    // What was queued is done all the same.
    while tally.workers[61].load(ordering: .acquiring) < 1 { usleep(100) }
    pool.post({ raw in Tally.of(raw).counts[0].store(Int(pthread_self()), ordering: .relaxed) }, tally.pointer)
    #expect(tally.counts[0].load(ordering: .relaxed) == Int(pthread_self()))
  }

  /// The system has a thousand thread-local keys for a whole process.
  @Test func thereMayBeAThousandPoolsAndLoopsOfOneInsideAnothers() {
    let pools = (0..<1100).map { _ in ThreadPool(workers: 1) }
    withExtendedLifetime(pools) {}
    let outer = Tally(100)
    outer.pool = ThreadPool(workers: 2)
    ThreadPool(workers: 2).parallelFor(100, grain: 1, { raw, begin, end, _ in
      for _ in begin..<end { Tally.of(raw).pool!.parallelFor(100, grain: 1, count, raw) }
    }, outer.pointer)
    #expect((0..<100).allSatisfy { outer.counts[$0].load(ordering: .relaxed) == 100 })
  }

  @Test func postedTasksRunAndMayUseLoops() {
    let tally = Tally(100)
    tally.pool = ThreadPool(workers: 2)
    for _ in 0..<20 {
      tally.pool!.post({ raw in
        let tally = Tally.of(raw)
        tally.pool!.parallelFor(100, grain: 1, count, raw)
        tally.workers[61].add(1, ordering: .releasing)
      }, tally.pointer)
    }
    while tally.workers[61].load(ordering: .acquiring) < 20 { usleep(100) }
    #expect((0..<100).allSatisfy { tally.counts[$0].load(ordering: .relaxed) == 20 })
  }

  @Test func aPoolWithoutWorkUsesNoProcessorTime() {
    let pool = ThreadPool(workers: 8, name: "idle-test")
    let tally = Tally(100)
    pool.parallelFor(100, count, tally.pointer)
    usleep(20_000)
    // Of the workers' threads only: other tests run in this process.
    func workerTicks() -> Int {
      let tasks = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")) ?? []
      return tasks.compactMap { task -> Int? in
        guard (try? String(contentsOfFile: "/proc/self/task/\(task)/comm", encoding: .utf8))?.hasPrefix("idle-test") == true,
              let stat = try? String(contentsOfFile: "/proc/self/task/\(task)/stat", encoding: .utf8) else { return nil }
        let fields = stat.split(separator: " ")
        return (Int(fields[13]) ?? 0) + (Int(fields[14]) ?? 0)
      }.reduce(0, +)
    }
    let before = workerTicks()
    usleep(100_000)
    #expect(workerTicks() - before <= 1)
    withExtendedLifetime(pool) {}
  }
}
