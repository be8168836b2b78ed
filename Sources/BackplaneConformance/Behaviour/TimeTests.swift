import BackplaneABI
import BackplaneCore
import BackplaneRegistry
import BackplaneRuntime
import Foundation

/// What ends before its time.
extension BehaviourTests {
  static let timeTests: [(name: String, body: Body)] = [("cancel", cancel), ("cancel-late", cancelLate), ("deadline", deadline), ("deadline-late", deadlineLate)]

  private static func cancel(_ device: Device) throws {
    let test = try doubling(device, 3)
    let token = CancellationToken()
    token.cancel()
    try expect(.cancelled, when: "a submission that was cancelled before it began") { try test.run(cancel: token.flag.raw) }
    do { _ = try device.compile(try ABIGraph(test.graph), cancel: token.flag.raw) } catch {
      guard error.kind == .cancelled else { throw error }
    }
    token.reset()
    try test.run(cancel: token.flag.raw)
    try expectDoubled(test, "a run after one that was cancelled", factor: 8)
  }

  /// Cancelled by another thread at some moment: what is answered with OK is whole.
  private static func cancelLate(_ device: Device) throws {
    let test = try doubling(device, 24, [64])
    for round in 0..<40 {
      let token = CancellationToken()
      try test.clearOutputs()
      let canceller = Canceller(token, afterMicroseconds: UInt32(round * 5))
      let failure = canceller.failure(of: { () throws(BackplaneError) in try test.run(cancel: token.flag.raw) })
      if let failure {
        guard failure.kind == .cancelled else { throw failure }
      } else {
        try expectDoubled(test, "a run that was not cancelled in time", factor: 0x1p24)
      }
    }
  }

  /// A thread that cancels a token a little after it has begun.
  private struct Canceller {
    private let done = DispatchSemaphore(value: 0)

    init(_ token: CancellationToken, afterMicroseconds delay: UInt32) {
      let (started, done) = (DispatchSemaphore(value: 0), done)
      Thread.detachNewThread {
        started.signal()
        usleep(delay)
        token.cancel()
        done.signal()
      }
      started.wait()
    }

    /// What `body` throws; returns when the thread is done, too.
    func failure(of body: () throws(BackplaneError) -> Void) -> BackplaneError? {
      defer { done.wait() }
      do { try body() } catch { return error }
      return nil
    }
  }

  private static func deadline(_ device: Device) throws {
    let test = try doubling(device, 3)
    try expect(.timeout, when: "a submission whose deadline had passed before it began") { try test.run(deadline: 1) }
    try test.run(deadline: now(device) + 3_600_000_000_000)
    try expectDoubled(test, "a run within its deadline", factor: 8)
  }

  /// An answer of OK long after the deadline is none; a machine that is busy may put a run aside once or twice, so it must happen each time.
  private static func deadlineLate(_ device: Device) throws {
    let test = try doubling(device, 1)
    for attempt in 1...3 {
      let limit = now(device) + 100_000_000
      do { try test.run(deadline: limit) } catch {
        guard error.kind == .timeout else { throw error }
        return
      }
      let end = now(device)
      if end < limit + 500_000_000 { return }
      if attempt == 3 { throw Fault(text: "a run is answered with OK \((end - limit) / 1_000_000) ms after its deadline, three times of three") }
    }
  }

  static func now(_ device: Device) -> UInt64 {
    let host = device.instance.host.table.pointee
    return host.now_ns(host.ctx)
  }
}
