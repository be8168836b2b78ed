import Foundation

/// Philox4x32-10 (Salmon et al. 2011): the n-th number needs no earlier one, so every element of every operand has its own, the same
/// on every machine.
struct Random {
  private let key: UInt64
  private var counter: UInt64 = 0
  private let stream: UInt64

  /// - Parameters:
  ///   - key: Says which case.
  ///   - stream: Says which operand of it.
  init(key: UInt64, stream: UInt64 = 0) {
    self.key = key
    self.stream = stream
  }

  mutating func next() -> UInt64 {
    defer { counter += 1 }
    let words = block(counter)
    return UInt64(words.0) << 32 | UInt64(words.1)
  }

  /// In 0 ..< 1.
  mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }
  mutating func uniform(_ low: Double, _ high: Double) -> Double { low + (high - low) * uniform() }
  mutating func below(_ count: Int) -> Int { count <= 1 ? 0 : Int(next() % UInt64(count)) }
  mutating func in_(_ range: ClosedRange<Int>) -> Int { range.lowerBound + below(range.count) }
  /// Mean 0, variance 1: the sum of twelve uniform numbers, which needs no function whose last bit a library chooses.
  mutating func normal() -> Double { (0..<12).reduce(-6.0) { sum, _ in sum + uniform() } }
  mutating func sign() -> Double { next() & 1 == 0 ? 1 : -1 }

  private func block(_ index: UInt64) -> (UInt32, UInt32) {
    var c = (UInt32(truncatingIfNeeded: index), UInt32(truncatingIfNeeded: index >> 32), UInt32(truncatingIfNeeded: stream), UInt32(truncatingIfNeeded: stream >> 32))
    var k = (UInt32(truncatingIfNeeded: key), UInt32(truncatingIfNeeded: key >> 32))
    for _ in 0..<10 {
      let p0 = UInt64(c.0) &* 0xD251_1F53, p1 = UInt64(c.2) &* 0xCD9E_8D57
      c = (UInt32(truncatingIfNeeded: p1 >> 32) ^ c.1 ^ k.0, UInt32(truncatingIfNeeded: p1),
           UInt32(truncatingIfNeeded: p0 >> 32) ^ c.3 ^ k.1, UInt32(truncatingIfNeeded: p0))
      k.0 &+= 0x9E37_79B9
      k.1 &+= 0xBB67_AE85
    }
    return (c.0, c.1)
  }
}
