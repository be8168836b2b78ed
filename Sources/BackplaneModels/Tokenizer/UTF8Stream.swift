/// Turns bytes that arrive in pieces into text, holding back what is not yet a whole character.
public struct UTF8Stream: Sendable {
  private var pending: [UInt8] = []

  public init() {}

  /// The text that is complete once `bytes` have arrived. Bytes that can never become a character become U+FFFD.
  public mutating func append(_ bytes: some Sequence<UInt8>) -> String {
    pending += bytes
    let complete = pending.count - unfinished()
    defer { pending.removeFirst(complete) }
    return String(decoding: pending[..<complete], as: UTF8.self)
  }

  /// What is left at the end: empty, or U+FFFD for a character that never came to its end.
  public mutating func finish() -> String {
    defer { pending = [] }
    return String(decoding: pending, as: UTF8.self)
  }

  /// Bytes at the end that begin a character and may yet be continued.
  private func unfinished() -> Int {
    for back in 1..<4 where back <= pending.count {
      let byte = pending[pending.count - back]
      if byte & 0xc0 == 0x80 { continue }
      let needed = byte < 0xc2 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : byte < 0xf5 ? 4 : 1
      if needed <= back { return 0 }
      // The second byte of some characters is restricted: beyond those bounds nothing can follow.
      if back >= 2, !UTF8Stream.secondByte(after: byte).contains(pending[pending.count - back + 1]) { return 0 }
      return back
    }
    return 0
  }

  private static func secondByte(after first: UInt8) -> ClosedRange<UInt8> {
    switch first {
    case 0xe0: 0xa0...0xbf
    case 0xed: 0x80...0x9f
    case 0xf0: 0x90...0xbf
    case 0xf4: 0x80...0x8f
    default: 0x80...0xbf
    }
  }
}
