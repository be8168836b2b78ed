import BackplaneABI
import BackplaneCore
import BackplaneRegistry
import BackplaneRuntime
import BackplaneSpecs
import Foundation
import Synchronization

/// The same every time: again, compiled again, in another process, from other threads.
extension BehaviourTests {
  static let repeatTests: [(name: String, body: Body)] = [
    ("determinism", determinism), ("processes", { _ = try digest($0) }), ("threads-1", { try threads($0, 1) }), ("threads-2", { try threads($0, 2) }),
    ("threads-8", { try threads($0, 8) }), ("thread-count", threadCount), ("concurrency", { try concurrency($0, ownInstances: false) }),
    ("concurrent-instances", { try concurrency($0, ownInstances: true) }),
  ]

  private static func determinism(_ device: Device) throws {
    let tests = try prepared(device)
    var first: [[[UInt8]]] = []
    for test in tests {
      try test.run()
      first.append(try test.outputs())
    }
    for (test, outputs) in zip(tests, first) where try test.outputs() != outputs {
      throw Fault(text: "the result of \(test.id) was changed by what ran after it")
    }
    for (test, outputs) in zip(tests, first) {
      for _ in 0..<2 {
        try test.run()
        if try test.outputs() != outputs { throw Fault(text: "\(test.id) gives other bits when it runs again") }
      }
      if let again = try PreparedCase(test.id, device) {
        try again.run()
        if try again.outputs() != outputs { throw Fault(text: "\(test.id) gives other bits when it is compiled again") }
      }
    }
  }

  /// A number for all that the device computes.
  static func digest(_ device: Device) throws -> String {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for test in try prepared(device) {
      try test.run()
      for byte in try test.outputs().joined() { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    }
    return String(hash, radix: 16)
  }

  private static func threads(_ device: Device, _ count: Int) throws {
    let pool = ThreadPool(workers: count)
    defer { pool.stop() }
    try watch(device, pool: pool) { other, _ in
      let runner = CaseRunner(other)
      for id in PreparedCase.samples {
        let result = runner.run(id)
        if result.outcome != .pass, result.outcome != .unsupported { throw Fault(text: "with \(count) threads: \(id): \(result.message ?? "")") }
      }
    }
  }

  /// A device that says `deterministic` = 1 of itself gives the same bits with any number of threads.
  private static func threadCount(_ device: Device) throws {
    guard device.info[property: "deterministic"] == .int(1) else { throw NotApplicable(text: "the device does not have the property deterministic = 1") }
    var expected: [CaseID: [[UInt8]]] = [:]
    for count in [1, 2, 8] {
      let pool = ThreadPool(workers: count)
      defer { pool.stop() }
      try watch(device, pool: pool) { other, _ in
        for test in try prepared(other) {
          try test.run()
          let outputs = try test.outputs()
          if let before = expected[test.id], before != outputs { throw Fault(text: "\(test.id) gives other bits with \(count) threads than with 1") }
          expected[test.id] = outputs
        }
      }
    }
  }

  /// 8 threads, 200 runs each, of mixed operators: of one device with programs shared and own, or of a device each.
  private static func concurrency(_ device: Device, ownInstances: Bool) throws {
    let tests = try prepared(device, 24)
    guard !tests.isEmpty else { throw NotApplicable(text: "no operator is supported") }
    var expected: [[[UInt8]]] = []
    for test in tests {
      try test.run()
      expected.append(try test.outputs())
    }
    struct Work: @unchecked Sendable {
      let device: Device
      let tests: [PreparedCase]
      let expected: [[[UInt8]]]
    }
    let work = Work(device: device, tests: tests, expected: expected)
    let failure = Mutex<String?>(nil)
    let group = DispatchGroup()
    for thread in 0..<8 {
      group.enter()
      Thread.detachNewThread {
        defer { group.leave() }
        func runAll(_ device: Device) throws {
          // Programs are shared, buffers are each thread's own.
          let own = try work.tests.map { try PreparedCase($0.id, device, sharing: thread % 2 == 0 && !ownInstances ? $0 : nil) }
          for i in 0..<200 {
            let k = (i * 5 + i / own.count + thread) % own.count
            guard let test = own[k] else { continue }
            try test.run()
            if try test.outputs() != work.expected[k] { throw Fault(text: "\(test.id) gives other bits beside other threads") }
          }
        }
        do {
          if ownInstances { try watch(work.device) { other, _ in try runAll(other) } } else { try runAll(work.device) }
        } catch { failure.withLock { if $0 == nil { $0 = (error as? Fault)?.text ?? "\(error)" } } }
      }
    }
    group.wait()
    if let text = failure.withLock({ $0 }) { throw Fault(text: text) }
  }
}
