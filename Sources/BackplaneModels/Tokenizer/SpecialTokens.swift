/// Finds tokens that are matched in a text before anything is merged: control tokens and tokens that users defined.
struct SpecialTokens: Sendable {
  private let vocabulary: Vocabulary
  /// Lengths of the special tokens that begin with each byte, longest first.
  private let lengths: [[Int]]

  init(_ vocabulary: Vocabulary) {
    var sets = [Set<Int>](repeating: [], count: 256)
    for (id, kind) in vocabulary.kinds.enumerated() where SpecialTokens.isSpecial(kind, parsingControls: true) {
      let text = vocabulary.text(id)
      if let first = text.first { sets[Int(first)].insert(text.count) }
    }
    self.vocabulary = vocabulary
    lengths = sets.map { $0.sorted(by: >) }
  }

  enum Piece {
    case text(Range<Int>)
    case token(Int32)
  }

  /// Divides a text at its special tokens. Longer tokens are found first, and equally long ones from the left.
  ///
  /// - Parameter parsingControls: Without, the texts of control and unknown tokens are ordinary text.
  func divide(_ text: UnsafeRawBufferPointer, parsingControls: Bool) -> [Piece] {
    var found: [(start: Int, count: Int, id: Int)] = []
    for start in 0..<text.count {
      for count in lengths[Int(text[start])] where count <= text.count - start {
        guard let id = vocabulary.id(UnsafeRawBufferPointer(rebasing: text[start..<(start + count)])),
              SpecialTokens.isSpecial(vocabulary.kinds[id], parsingControls: parsingControls) else { continue }
        found.append((start, count, id))
      }
    }
    if found.isEmpty { return text.isEmpty ? [] : [.text(0..<text.count)] }
    found.sort { ($1.count, $0.id, $0.start) < ($0.count, $1.id, $1.start) }
    var taken = [Bool](repeating: false, count: text.count)
    let kept = found.filter { match in
      // Whatever was taken before is at least as long: if the two overlap, it covers one end of this one.
      if taken[match.start] || taken[match.start + match.count - 1] { return false }
      for i in match.start..<(match.start + match.count) { taken[i] = true }
      return true
    }
    var pieces: [Piece] = []
    var at = 0
    for match in kept.sorted(by: { $0.start < $1.start }) {
      if match.start > at { pieces.append(.text(at..<match.start)) }
      pieces.append(.token(Int32(match.id)))
      at = match.start + match.count
    }
    if at < text.count { pieces.append(.text(at..<text.count)) }
    return pieces
  }

  private static func isSpecial(_ kind: TokenKind, parsingControls: Bool) -> Bool {
    switch kind {
    case .userDefined: true
    case .control, .unknown: parsingControls
    case .normal, .unused, .byte: false
    }
  }
}
