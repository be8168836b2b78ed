/// Philox4x32-10: a counter-based generator of 128 random bits for each 128-bit counter under a 64-bit key.
///
/// Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011. The n-th draw needs no earlier one, so that a generation can
/// be resumed, or checked, at any token.
public struct Philox: Hashable, Sendable {
  public let key: UInt64

  public init(key: UInt64) { self.key = key }

  /// The four words of `counter`.
  public func block(_ counter: SIMD4<UInt32>) -> SIMD4<UInt32> {
    var c = counter
    var k0 = UInt32(truncatingIfNeeded: key), k1 = UInt32(truncatingIfNeeded: key >> 32)
    for _ in 0..<10 {
      let p0 = UInt64(c[0]) &* 0xD251_1F53, p1 = UInt64(c[2]) &* 0xCD9E_8D57
      c = SIMD4(UInt32(truncatingIfNeeded: p1 >> 32) ^ c[1] ^ k0, UInt32(truncatingIfNeeded: p1),
                UInt32(truncatingIfNeeded: p0 >> 32) ^ c[3] ^ k1, UInt32(truncatingIfNeeded: p0))
      k0 &+= 0x9E37_79B9
      k1 &+= 0xBB67_AE85
    }
    return c
  }

  /// The `index`-th number in [0, 1), with 53 random bits.
  public func uniform(_ index: UInt64) -> Double {
    let words = block(SIMD4(UInt32(truncatingIfNeeded: index), UInt32(truncatingIfNeeded: index >> 32), 0, 0))
    return Double((UInt64(words[0]) << 32 | UInt64(words[1])) >> 11) * 0x1p-53
  }
}
