/// SentencePiece's BPE: neighbours whose union is a token are merged, the highest score first; what is no token falls back to bytes.
struct SentencePieceModel: Sendable {
  let vocabulary: Vocabulary
  /// The token of each byte, -1 where there is none.
  private let byteTokens: [Int32]
  private let unknown: Int32?
  /// Of each token: lower for a higher score.
  private let costs: [UInt32]

  init(_ vocabulary: Vocabulary, unknown: Int32?) {
    self.vocabulary = vocabulary
    self.unknown = unknown
    costs = vocabulary.scores.map { score in
      let bits = (score + 0).bitPattern  // -0 and 0 are equal scores
      // Ascending order of floats as integers, turned around.
      return ~(bits >> 31 == 1 ? ~bits : bits | 0x8000_0000)
    }
    byteTokens = (0..<256).map { byte in
      let name = "<0x\(byte < 16 ? "0" : "")\(String(byte, radix: 16, uppercase: true))>"
      return vocabulary.id(name).map(Int32.init) ?? -1
    }
  }

  /// Appends the tokens of `text`, in which spaces are still spaces.
  func encode(_ text: UnsafeRawBufferPointer, spacePrefix: Bool, using merger: inout PairMerger, into out: inout [Int32]) {
    let escaped = escape(text, spacePrefix: spacePrefix)
    escaped.withUnsafeBytes { bytes in
      merger.removeAll()
      var at = 0
      while at < bytes.count {
        let count = min(sequenceLength(bytes[at]), bytes.count - at)
        merger.append(start: at, count: count)
        at += count
      }
      merger.merge { start, _, end in
        guard let id = vocabulary.id(UnsafeRawBufferPointer(rebasing: bytes[start..<end])) else { return nil }
        return costs.isEmpty ? 0 : costs[id]
      } emit: { start, end in
        if let id = vocabulary.id(UnsafeRawBufferPointer(rebasing: bytes[start..<end])) { return out.append(Int32(id)) }
        for byte in bytes[start..<end] {
          let id = byteTokens[Int(byte)]
          if id >= 0 { out.append(id) } else if let unknown { out.append(unknown) }
        }
      }
    }
  }

  /// The bytes of a normal token: U+2581 stands for a space.
  static func decode(_ text: UnsafeRawBufferPointer) -> [UInt8] {
    var out: [UInt8] = []
    out.reserveCapacity(text.count)
    var at = 0
    while at < text.count {
      if text[at] == 0xe2, at + 2 < text.count, text[at + 1] == 0x96, text[at + 2] == 0x81 {
        out.append(0x20)
        at += 3
      } else {
        out.append(text[at])
        at += 1
      }
    }
    return out
  }

  private func escape(_ text: UnsafeRawBufferPointer, spacePrefix: Bool) -> [UInt8] {
    let spaces = text.reduce(spacePrefix ? 1 : 0) { $0 + ($1 == 0x20 ? 1 : 0) }
    var out: [UInt8] = []
    out.reserveCapacity(text.count + spaces * 2 + 1)
    if spacePrefix { out += [0xe2, 0x96, 0x81] }
    for byte in text {
      if byte == 0x20 { out += [0xe2, 0x96, 0x81] } else { out.append(byte) }
    }
    return out
  }

  /// Bytes of a UTF-8 sequence by its first byte; 1 for a stray byte.
  private func sequenceLength(_ first: UInt8) -> Int { first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4 }
}
