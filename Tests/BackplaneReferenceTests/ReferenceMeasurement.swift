import BackplaneCore
import BackplaneReference
import Foundation
import Testing
import _TestSupport

/// How long the oracle takes for a prompt of 16 tokens through a model of Gemma 3 270M's shape:
///
///     BACKPLANE_MEASURE_REFERENCE=1 swift test --filter ReferenceMeasurement
@Suite(.serialized, .enabled(if: ProcessInfo.processInfo.environment["BACKPLANE_MEASURE_REFERENCE"] != nil, "set BACKPLANE_MEASURE_REFERENCE to measure"))
struct ReferenceMeasurement {
  private func weights(_ format: ElementFormat, _ rows: Int, _ columns: Int) -> Memory {
    var generator = SeededGenerator(seed: 1)
    // Every byte between 0 and 31: scales stay finite in every format.
    return Memory(format, rows: rows, (0..<format.blockBytes * columns / format.blockElements).map { _ in UInt8.random(in: 0..<32, using: &generator) })
  }

  /// Seconds of this thread: the machine may be busy with other work.
  private func time(_ body: () throws -> Void) rethrows -> Double {
    func now() -> Double {
      var time = timespec()
      clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
      return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }
    let start = now()
    try body()
    return now() - start
  }

  @Test(arguments: [ElementFormat.q8_0, .q4_0, .q6K, .bf16, .f16]) func promptOfSixteenTokens(format: ElementFormat) throws {
    let tokens = 16
    let matrices = [(1024, 640, tokens, 18), (256, 640, tokens, 36), (640, 1024, tokens, 18), (2048, 640, tokens, 36), (640, 2048, tokens, 18), (262144, 640, 1, 1)]
    for bounds in [false, true] {
      var total = 0.0
      for (rows, columns, m, count) in matrices where format != .q6K || columns % 256 == 0 {
        let w = weights(format, rows, columns)
        let x = Memory(.f32, [m, columns], (0..<m * columns).map { sin(Double($0)) })
        let repeats = min(count, 3)
        total += try time { for _ in 0..<repeats { _ = try evaluate("matmul", [x, w], bounds: bounds) } } * Double(count) / Double(repeats)
      }
      print("\(format)\(format == .q6K ? " (rows of whole blocks only)" : ""), \(bounds ? "with" : "without") bounds: \((total * 100).rounded() / 100) s")
    }
  }

  @Test func attentionOverTwoThousandKeys() throws {
    let (t, s) = (16, 2048)
    let q = Memory(.f32, [t, 4, 256], (0..<t * 1024).map { sin(Double($0)) })
    let k = Memory(.f16, [s, 1, 256], (0..<s * 256).map { cos(Double($0)) })
    for bounds in [false, true] {
      let seconds = try time { _ = try evaluate("attention", [q, k, k], [Attribute("causal", .int(1))], bounds: bounds) }
      print("attention, 16 queries of 4 heads, \(s) keys of 256, \(bounds ? "with" : "without") bounds: \((seconds * 100).rounded() / 100) s")
    }
  }
}
