import BackplaneABI
import BackplaneCore
import BackplaneRegistry
import BackplaneRuntime
import Foundation
import Synchronization

/// Group Queues: submissions in order, semaphores that grow or fail, errors that arrive later.
extension BehaviourTests {
  static let queueTests: [(name: String, body: Body)] = [
    ("semaphore", semaphore), ("queue-order", queueOrder), ("queue-error", queueError), ("queue-poison", queuePoison), ("queue-cancel", queueCancel),
    ("queue-full", queueFull), ("queue-threads", queueThreads),
  ]

  private static let second: UInt64 = 1_000_000_000
  /// How long to wait for what must come: a busy machine is no fault of the plugin.
  private static let patience = 60 * second

  private static func needQueues(_ device: Device) throws {
    guard device.info.groups.contains(.queues) else { throw NotApplicable(text: "the device does not serve group Queues") }
  }

  /// Hands over one run of `test` (or none); nothing it points to outlives the call.
  ///
  /// - Returns: False when the queue was full.
  @discardableResult
  private static func submit(_ queue: DeviceQueue, _ test: PreparedGraph?, bindings: [bp_binding]? = nil, waits: [bp_sem_point] = [], signals: [bp_sem_point] = [],
                             cancel: UnsafeMutableRawPointer? = nil, deadline: UInt64 = 0) throws -> Bool {
    func array<T>(_ values: UnsafeBufferPointer<T>) -> bp_array { bp_array(ptr: UnsafeRawPointer(values.baseAddress), count: UInt32(values.count), stride: UInt32(MemoryLayout<T>.stride)) }
    let scratch = test?.workspaceBinding.map { [$0] } ?? []
    return try (bindings ?? test?.bindings ?? []).withUnsafeBufferPointer { bindings in
      try scratch.withUnsafeBufferPointer { scratch in
        var dispatch = bp_dispatch()
        dispatch.h = head(bp_dispatch.self, BP_ST_DISPATCH)
        (dispatch.program, dispatch.bindings, dispatch.workspace) = (test?.program.handle, array(bindings), scratch.count > 0 ? scratch.baseAddress : nil)
        return try (test == nil ? [] : [dispatch]).withUnsafeBufferPointer { dispatches in
          try waits.withUnsafeBufferPointer { waits in
            try signals.withUnsafeBufferPointer { signals in
              var submission = bp_submission()
              submission.h = head(bp_submission.self, BP_ST_SUBMISSION)
              (submission.waits, submission.signals, submission.dispatches) = (array(waits), array(signals), array(dispatches))
              (submission.cancel, submission.deadline_ns) = (cancel, deadline)
              return try queue.submit(&submission)
            }
          }
        }
      }
    }
  }

  private static func expectPoisoned(_ semaphore: DeviceSemaphore, _ value: UInt64, saying words: String? = nil, _ what: String) throws {
    do { try semaphore.wait(for: value, timeoutNanoseconds: patience) } catch {
      guard error.kind == .poisoned else { throw Fault(text: "\(what): sem_wait says \(error.kind) (\(error.message)), not poisoned") }
      if let words, !error.message.contains(words) { throw Fault(text: "\(what): the first failure (\(words)) is not in the message: \(error.message)") }
      if (try? semaphore.value()) != nil { throw Fault(text: "\(what): sem_wait says poisoned, sem_query does not") }
      return
    }
    throw Fault(text: "\(what): the semaphore is signalled as if all were well")
  }

  private static func failure(_ text: String) -> bp_error {
    var error = bp_error()
    error.h = head(bp_error.self, BP_ST_ERROR)
    error.code = BP_E_DRIVER
    withUnsafeMutableBytes(of: &error.message) { $0.copyBytes(from: text.utf8) }
    return error
  }

  // MARK: Semaphores

  private static func semaphore(_ device: Device) throws {
    try needQueues(device)
    let a = try DeviceSemaphore(device, initial: 3), b = try DeviceSemaphore(device)
    if try a.value() != 3 || b.value() != 0 { throw Fault(text: "a semaphore does not begin at its initial value") }
    try a.wait(for: 3)
    try a.signal(5)
    for value: UInt64 in [5, 4, 0] { try expect(.invalid, when: "signalling \(value) on a semaphore at 5") { try a.signal(value) } }
    if try a.value() != 5 { throw Fault(text: "a refused signal moved the semaphore") }
    try expect(.timeout, when: "waiting for a value that does not come") { try b.wait(for: 1, timeoutNanoseconds: 1_000_000) }
    try expect(.timeout, when: "waiting for no time") { try b.wait(for: 1, timeoutNanoseconds: 0) }
    let points = [a.point(4), b.point(1)]
    try device.wait(points, count: 2, any: true, timeoutNanoseconds: patience)
    try expect(.timeout, when: "waiting for all of two points of which one is reached") { try device.wait(points, count: 2, any: false, timeoutNanoseconds: 1_000_000) }
    Thread.detachNewThread { try? b.signal(1) }
    try device.wait(points, count: 2, any: false, timeoutNanoseconds: patience)
    var error = failure("made to fail")
    try a.fail(&error)
    try expectPoisoned(a, 6, saying: "made to fail", "a failed semaphore")
    try a.wait(for: 4, timeoutNanoseconds: second)
  }

  // MARK: Queues

  private static func queueOrder(_ device: Device) throws {
    try needQueues(device)
    let queue = try DeviceQueue(device)
    let test = try doubling(device, 3)
    let gate = try DeviceSemaphore(device), done = try DeviceSemaphore(device)
    try test.clearOutputs()
    try submit(queue, test, waits: [gate.point(1)], signals: [done.point(1)])
    try submit(queue, nil, signals: [done.point(2)])
    usleep(5000)
    if try done.value() != 0 { throw Fault(text: "a submission runs before the semaphore that it waits for is signalled, or overtakes one before it") }
    if try !floats(test.outputs()[0]).allSatisfy({ $0.bitPattern == 0x5A5A_5A5A }) { throw Fault(text: "a submission writes before the semaphore that it waits for is signalled") }
    try gate.signal(1)
    try done.wait(for: 2, timeoutNanoseconds: patience)
    try expectDoubled(test, "a submission", factor: 8)
  }

  /// An error of a submission is the status of submit, or fails its semaphores; the queue goes on.
  private static func queueError(_ device: Device) throws {
    try needQueues(device)
    let queue = try DeviceQueue(device)
    let test = try doubling(device)
    for round in 0..<20 {
      let gate = try DeviceSemaphore(device), done = try DeviceSemaphore(device), next = try DeviceSemaphore(device)
      var accepted = true
      do { try submit(queue, test, bindings: Array(test.bindings.dropLast()), waits: [gate.point(1)], signals: [done.point(1)]) } catch let error as BackplaneError {
        guard error.kind == .invalid else { throw error }
        accepted = false
      }
      try submit(queue, test, signals: [next.point(1)])
      try gate.signal(1)
      if accepted { try expectPoisoned(done, 1, "a submission with a binding too few") }
      do { try next.wait(for: 1, timeoutNanoseconds: patience) } catch { throw Fault(text: "round \(round): after a submission that failed the queue does not go on: \(error)") }
      try expectDoubled(test, "a submission after one that failed")
    }
  }

  /// What waits for a semaphore that fails is not run, and fails what it was to signal: down the chain.
  private static func queuePoison(_ device: Device) throws {
    try needQueues(device)
    let queue = try DeviceQueue(device), other = try DeviceQueue(device, index: device.info.queueCount > 1 ? 1 : 0)
    let test = try doubling(device)
    let gate = try DeviceSemaphore(device), middle = try DeviceSemaphore(device), last = try DeviceSemaphore(device)
    try test.clearOutputs()
    try submit(queue, test, waits: [gate.point(1)], signals: [middle.point(1)])
    try submit(other, test, waits: [middle.point(1)], signals: [last.point(1)])
    var error = failure("the first failure")
    try gate.fail(&error)
    var later = failure("a later one")
    try gate.fail(&later)
    try expectPoisoned(gate, 1, saying: "the first failure", "a failed semaphore")
    try expectPoisoned(middle, 1, saying: "the first failure", "a submission that waits for a failed semaphore")
    try expectPoisoned(last, 1, saying: "the first failure", "a submission behind one that waits for a failed semaphore")
    if try !floats(test.outputs()[0]).allSatisfy({ $0.bitPattern == 0x5A5A_5A5A }) { throw Fault(text: "a submission that waits for a failed semaphore runs") }
    let fresh = try DeviceSemaphore(device)
    try submit(queue, test, signals: [fresh.point(1)])
    try fresh.wait(for: 1, timeoutNanoseconds: patience)
    try expectDoubled(test, "a submission after a failed semaphore")
  }

  private static func queueCancel(_ device: Device) throws {
    try needQueues(device)
    let queue = try DeviceQueue(device)
    let test = try doubling(device, 3)
    let token = CancellationToken()
    let gate = try DeviceSemaphore(device), done = try DeviceSemaphore(device), late = try DeviceSemaphore(device)
    try submit(queue, test, waits: [gate.point(1)], signals: [done.point(1)], cancel: token.flag.raw)
    token.cancel()
    try gate.signal(1)
    try expectPoisoned(done, 1, "a submission that was cancelled before it could begin")
    do { try submit(queue, test, signals: [late.point(1)], deadline: 1) } catch let error as BackplaneError where error.kind == .timeout { return }
    try expectPoisoned(late, 1, "a submission whose deadline had passed")
  }

  /// A queue takes what it has room for, says when it is full, and runs just what it took.
  private static func queueFull(_ device: Device) throws {
    try needQueues(device)
    let queue = try DeviceQueue(device)
    let gate = try DeviceSemaphore(device), done = try DeviceSemaphore(device)
    var accepted: UInt64 = 0
    while accepted < 2000, try submit(queue, nil, waits: [gate.point(1)], signals: [done.point(accepted + 1)]) { accepted += 1 }
    if accepted == 0 { throw Fault(text: "a queue has no room for one submission") }
    if try done.value() != 0 { throw Fault(text: "a submission runs before the semaphore that it waits for is signalled") }
    try gate.signal(1)
    try done.wait(for: accepted, timeoutNanoseconds: patience)
    usleep(2000)
    if try done.value() != accepted { throw Fault(text: "the queue took \(accepted) submissions and ran \(try done.value())") }
    while try !submit(queue, nil, signals: [done.point(accepted + 1)]) { usleep(100) }
    try done.wait(for: accepted + 1, timeoutNanoseconds: patience)
  }

  /// Several queues at once, each by a thread of its own, one after another along a semaphore that all share.
  private static func queueThreads(_ device: Device) throws {
    try needQueues(device)
    struct Work: @unchecked Sendable { let tests: [PreparedGraph] }
    let queues = max(1, min(4, device.info.queueCount))
    let work = Work(tests: try (0..<queues).map { _ in try doubling(device, 2) })
    let shared = try DeviceSemaphore(device)
    let failure = Mutex<String?>(nil)
    let group = DispatchGroup()
    for k in 0..<queues {
      group.enter()
      Thread.detachNewThread {
        defer { group.leave() }
        do {
          let queue = try DeviceQueue(device, index: k)
          let own = try DeviceSemaphore(device)
          for round in 0..<50 {
            let turn = UInt64(round * queues + k)
            try work.tests[k].clearOutputs()
            while try !submit(queue, work.tests[k], waits: [shared.point(turn)], signals: [shared.point(turn + 1), own.point(UInt64(round + 1))]) { usleep(100) }
            try own.wait(for: UInt64(round + 1), timeoutNanoseconds: patience)
            try expectDoubled(work.tests[k], "queue \(k), round \(round)", factor: 4)
          }
        } catch { failure.withLock { if $0 == nil { $0 = (error as? Fault)?.text ?? "\(error)" } } }
      }
    }
    group.wait()
    if let text = failure.withLock({ $0 }) { throw Fault(text: text) }
    if try shared.value() != UInt64(50 * queues) { throw Fault(text: "the shared semaphore is at \(try shared.value()), must be \(50 * queues)") }
  }
}
