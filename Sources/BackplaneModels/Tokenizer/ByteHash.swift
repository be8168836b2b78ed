/// Hashes of short byte strings, for tables that are built anew in every process.
enum ByteHash {
  /// - Complexity: One multiplication for every 8 bytes.
  static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    guard var at = bytes.baseAddress else { return mix(0) }
    var left = bytes.count
    var h = UInt64(truncatingIfNeeded: left) &* 0x9e37_79b9_7f4a_7c15
    while left >= 8 {
      h = mix(h ^ at.loadUnaligned(as: UInt64.self))
      at += 8
      left -= 8
    }
    if left >= 4 {
      h ^= UInt64(at.loadUnaligned(as: UInt32.self)) << 24
      at += 4
      left -= 4
    }
    while left > 0 {
      h = (h << 8 | h >> 56) ^ UInt64(at.load(as: UInt8.self))
      at += 1
      left -= 1
    }
    return mix(h)
  }

  /// Of two strings one after the other, told apart from the same bytes divided elsewhere.
  static func hash(_ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer) -> UInt64 {
    mix(hash(first) &* 3 ^ hash(second))
  }

  private static func mix(_ value: UInt64) -> UInt64 {
    let h = (value ^ value >> 32) &* 0xd6e8_feb8_6659_fd93
    return h ^ h >> 29
  }

  static func equal(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
    guard a.count == b.count else { return false }
    guard let x = a.baseAddress, let y = b.baseAddress else { return true }
    var i = 0
    while i < a.count {
      if x.load(fromByteOffset: i, as: UInt8.self) != y.load(fromByteOffset: i, as: UInt8.self) { return false }
      i += 1
    }
    return true
  }
}

/// Numbers under 64-bit hashes, in one flat array; whoever asks compares the keys themselves.
struct HashSlots: Sendable {
  private var slots: [UInt64]  // upper half: hash; lower half: number + 1, 0 empty
  private let mask: Int

  init(capacity: Int) {
    var size = 16
    while size < capacity * 2 { size *= 2 }
    slots = [UInt64](repeating: 0, count: size)
    mask = size - 1
  }

  /// The number under `hash` for which `matches` answers true.
  @inline(__always)
  func find(_ hash: UInt64, _ matches: (Int) -> Bool) -> Int? {
    slots.withUnsafeBufferPointer { slots in
      var at = Int(truncatingIfNeeded: hash) & mask
      while true {
        let slot = slots[at]
        if slot == 0 { return nil }
        if slot >> 32 == hash >> 32 {
          let number = Int(truncatingIfNeeded: slot & 0xffff_ffff) - 1
          if matches(number) { return number }
        }
        at = (at + 1) & mask
      }
    }
  }

  /// Enters `number`; where a key equal to it is present, `replacing` decides which of the two stays.
  @inline(__always)
  mutating func insert(_ number: Int, hash: UInt64, replacing: Bool, _ matches: (Int) -> Bool) {
    let mask = mask
    slots.withUnsafeMutableBufferPointer { slots in
      var at = Int(truncatingIfNeeded: hash) & mask
      while slots[at] != 0 {
        if slots[at] >> 32 == hash >> 32, matches(Int(truncatingIfNeeded: slots[at] & 0xffff_ffff) - 1) {
          if !replacing { return }
          break
        }
        at = (at + 1) & mask
      }
      slots[at] = (hash & ~0xffff_ffff) | UInt64(number + 1)
    }
  }
}
