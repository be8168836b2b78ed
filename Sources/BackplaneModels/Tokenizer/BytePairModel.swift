/// Byte-level BPE: text is divided into words, a word into bytes, and neighbours are merged by the rank of their pair.
struct BytePairModel: Sendable {
  let vocabulary: Vocabulary
  private let merges: MergeRanks
  private let words: PreTokenizer
  /// Whole words that are tokens are taken as they are, whatever the merges would give.
  private let takesWholeWords: Bool

  init(_ vocabulary: Vocabulary, _ metadata: GGUFMetadata, words: PreTokenizer) throws(BackplaneError) {
    self.vocabulary = vocabulary
    self.words = words
    if case .llama3(longestNumber: 3) = words { takesWholeWords = true } else { takesWholeWords = false }
    merges = try MergeRanks(metadata)
  }

  func encode(_ text: UnsafeRawBufferPointer, using merger: inout PairMerger, into out: inout [Int32]) {
    var word: [UInt8] = []
    words.forEachWord(text) { range in
      word.removeAll(keepingCapacity: true)
      ByteLevel.encode(UnsafeRawBufferPointer(rebasing: text[range]), into: &word)
      word.withUnsafeBytes { encodeWord($0, using: &merger, into: &out) }
    }
  }

  private func encodeWord(_ word: UnsafeRawBufferPointer, using merger: inout PairMerger, into out: inout [Int32]) {
    if takesWholeWords, let id = vocabulary.id(word) { return out.append(Int32(id)) }
    merger.removeAll()
    var at = 0
    while at < word.count {
      let count = word[at] < 0x80 ? 1 : 2
      merger.append(start: at, count: count)
      at += count
    }
    merger.merge { start, middle, end in
      merges.rank(UnsafeRawBufferPointer(rebasing: word[start..<middle]), UnsafeRawBufferPointer(rebasing: word[middle..<end]))
    } emit: { start, end in
      let symbol = UnsafeRawBufferPointer(rebasing: word[start..<end])
      if let id = vocabulary.id(symbol) { return out.append(Int32(id)) }
      // A merge may make what is no token; its bytes then stand alone, where they are tokens.
      for at in start..<end {
        if let id = vocabulary.id(UnsafeRawBufferPointer(rebasing: word[at..<(at + 1)])) { out.append(Int32(id)) }
      }
    }
  }
}

/// The rank of each pair that may be merged, from `tokenizer.ggml.merges`: strings of two parts with a space between.
struct MergeRanks: Sendable {
  private let texts: GGUFArray
  private let offsets: [Int]
  /// Length of the first part.
  private let splits: [Int32]
  private let slots: HashSlots

  init(_ metadata: GGUFMetadata) throws(BackplaneError) {
    guard let texts = try metadata.array("tokenizer.ggml.merges", of: .string) else {
      throw BackplaneError(.file, "metadata tokenizer.ggml.merges is missing", subject: metadata.subject,
                           hint: "convert the model again with a current converter")
    }
    let offsets = texts.stringOffsets()!
    var splits = [Int32](repeating: 0, count: texts.count)
    var slots = HashSlots(capacity: texts.count)
    for rank in 0..<texts.count {
      let text = texts.string(at: offsets[rank])
      var split = 1  // the first part has at least one byte, which may be a space
      while split < text.count, text[split] != 0x20 { split += 1 }
      if split >= text.count { continue }
      splits[rank] = Int32(truncatingIfNeeded: split)
      let (left, right) = MergeRanks.parts(text, split)
      // Of two equal merges the first counts.
      slots.insert(rank, hash: ByteHash.hash(left, right), replacing: false) { other in
        let (a, b) = MergeRanks.parts(texts.string(at: offsets[other]), Int(splits[other]))
        return ByteHash.equal(a, left) && ByteHash.equal(b, right)
      }
    }
    self.texts = texts
    self.offsets = offsets
    self.splits = splits
    self.slots = slots
  }

  func rank(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> UInt32? {
    slots.find(ByteHash.hash(left, right)) { rank in
      let (a, b) = MergeRanks.parts(texts.string(at: offsets[rank]), Int(splits[rank]))
      return ByteHash.equal(a, left) && ByteHash.equal(b, right)
    }.map { UInt32($0) }
  }

  private static func parts(_ text: UnsafeRawBufferPointer, _ split: Int) -> (UnsafeRawBufferPointer, UnsafeRawBufferPointer) {
    (UnsafeRawBufferPointer(rebasing: text[..<split]), UnsafeRawBufferPointer(rebasing: text[(split + 1)...]))
  }
}
