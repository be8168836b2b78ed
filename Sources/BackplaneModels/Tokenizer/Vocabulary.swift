/// What a token is for; raw values are GGUF's.
public enum TokenKind: UInt8, Sendable {
  case normal = 1, unknown, control, userDefined, unused, byte
}

/// The tokens of a model: text, kind and score of each number, and the number of each text.
///
/// Texts stay in the mapped file. Immutable; any thread.
public struct Vocabulary: Sendable {
  public let count: Int
  let scores: [Float]
  private(set) var kinds: [TokenKind]
  private let texts: GGUFArray
  private let offsets: [Int]
  private let slots: HashSlots

  /// - Parameter controls: Texts of tokens that are control tokens whatever the file says: some converters forget to say it.
  /// - Throws: `BackplaneError` (file) when the vocabulary is missing or its arrays disagree.
  init(_ metadata: GGUFMetadata, controls: [String] = []) throws(BackplaneError) {
    func fail(_ message: String) -> BackplaneError {
      BackplaneError(.file, message, subject: metadata.subject, hint: "convert the model again with a current converter")
    }
    guard let texts = try metadata.array("tokenizer.ggml.tokens", of: .string) else { throw fail("metadata tokenizer.ggml.tokens is missing") }
    guard texts.count > 0, texts.count < Int(Int32.max) else { throw fail("the vocabulary has \(texts.count) tokens; 1 to 2^31 - 1 are supported") }
    func check(_ key: String, _ count: Int) throws(BackplaneError) {
      if count != texts.count { throw fail("\(key) has \(count) entries for \(texts.count) tokens") }
    }
    count = texts.count
    self.texts = texts
    offsets = texts.stringOffsets()!
    if let array = metadata["tokenizer.ggml.scores"]?.array, array.elementType == .float32 {
      try check("tokenizer.ggml.scores", array.count)
      scores = array.load(Float.self)
    } else {
      scores = []
    }
    var kinds = [TokenKind](repeating: .normal, count: count)
    if let types = try metadata.ints("tokenizer.ggml.token_type") {
      try check("tokenizer.ggml.token_type", types.count)
      kinds = types.map { TokenKind(rawValue: UInt8(clamping: $0)) ?? .normal }
    }
    var slots = HashSlots(capacity: count)
    let offsets = offsets
    for id in 0..<count {
      let text = texts.string(at: offsets[id])
      if text.isEmpty { continue }
      // Of two tokens with one text the later wins, as in llama.cpp.
      slots.insert(id, hash: ByteHash.hash(text), replacing: true) { ByteHash.equal(texts.string(at: offsets[$0]), text) }
    }
    self.slots = slots
    self.kinds = kinds
    for text in controls { if let id = id(text) { self.kinds[id] = .control } }
  }

  /// The token's text as the file has it, valid while the vocabulary lives.
  func text(_ id: Int) -> UnsafeRawBufferPointer { texts.string(at: offsets[id]) }

  func id(_ text: UnsafeRawBufferPointer) -> Int? { slots.find(ByteHash.hash(text)) { ByteHash.equal(self.text($0), text) } }

  /// The number of the token with exactly this text.
  public func id(_ text: String) -> Int? {
    var text = text
    return text.withUTF8 { id(UnsafeRawBufferPointer($0)) }
  }
}
