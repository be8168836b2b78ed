/// Turns text into a model's tokens and back, exactly as the model was trained to see it.
///
/// Made from a GGUF file's metadata: SentencePiece ("llama") or byte-level BPE ("gpt2"). Immutable; any thread.
public struct Tokenizer: Sendable {
  public let vocabulary: Vocabulary
  /// Put first when the model wants it.
  public let beginning: Int32?
  public let end: Int32?
  public let unknown: Int32?
  public let addsBeginning: Bool
  public let addsEnd: Bool
  public let addsSpacePrefix: Bool
  /// Tokens after which a generation is over: end of text, of turn, of message.
  public let endsOfGeneration: Set<Int32>
  private let model: Model
  private let specials: SpecialTokens

  private enum Model {
    case sentencePiece(SentencePieceModel)
    case bytePairs(BytePairModel)
  }

  /// - Throws: `BackplaneError`: (file) when the vocabulary is missing or inconsistent, (unsupported) when its kind is not known.
  public init(_ file: GGUFFile) throws(BackplaneError) {
    let metadata = file.metadata
    let kind = try metadata.requiredString("tokenizer.ggml.model")
    let vocabulary = try Vocabulary(metadata, controls: Tokenizer.endTexts)
    func id(_ key: String, _ standard: Int32?) throws(BackplaneError) -> Int32? {
      guard let number = try metadata.int("tokenizer.ggml.\(key)_token_id") else { return standard.flatMap { Int($0) < vocabulary.count ? $0 : nil } }
      // Converters write 2^32 - 1 for "none".
      if number == Int(UInt32.max) || number == -1 { return nil }
      guard (0..<vocabulary.count).contains(number) else {
        throw BackplaneError(.file, "metadata tokenizer.ggml.\(key)_token_id is \(number), outside the vocabulary of \(vocabulary.count) tokens",
                             subject: metadata.subject, hint: "convert the model again with a current converter")
      }
      return Int32(number)
    }
    let pre = try metadata.string("tokenizer.ggml.pre") ?? "default"
    switch kind {
    case "llama":
      (beginning, end, unknown) = (try id("bos", 1), try id("eos", 2), try id("unknown", 0))
      addsBeginning = try metadata.bool("tokenizer.ggml.add_bos_token") ?? true
      addsSpacePrefix = try metadata.bool("tokenizer.ggml.add_space_prefix") ?? true
      model = .sentencePiece(SentencePieceModel(vocabulary, unknown: unknown))
    case "gpt2":
      guard let words = PreTokenizer(name: pre) else {
        throw BackplaneError(.unsupported, "pre-tokenizer \"\(pre)\" is not known; known: \(PreTokenizer.names.joined(separator: ", "))",
                             subject: metadata.subject, hint: "use a model of one of these families")
      }
      (beginning, end, unknown) = (try id("bos", nil), try id("eos", nil), try id("unknown", nil))
      let isLlama3 = if case .llama3(longestNumber: 3) = words { true } else { false }
      addsBeginning = try metadata.bool("tokenizer.ggml.add_bos_token") ?? isLlama3
      addsSpacePrefix = false
      model = .bytePairs(try BytePairModel(vocabulary, metadata, words: words))
    default:
      throw BackplaneError(.unsupported, "tokenizer model \"\(kind)\" is not known; known: llama (SentencePiece), gpt2 (byte-level BPE)",
                           subject: metadata.subject, hint: "use a model with one of these")
    }
    addsEnd = try metadata.bool("tokenizer.ggml.add_eos_token") ?? false
    var ends = Set([end, try id("eot", nil), try id("eom", nil)].compactMap { $0 })
    for text in Tokenizer.endTexts { if let found = vocabulary.id(text) { ends.insert(Int32(found)) } }
    endsOfGeneration = ends
    specials = SpecialTokens(vocabulary)
    self.vocabulary = vocabulary
  }

  /// Texts that end a turn in the families of models we know, whatever their metadata says.
  ///
  /// llama.cpp also lists `</s>`, and so divides Gemma's token of that name (an HTML tag there) into pieces; Gemma's own tokenizer does not.
  private static let endTexts = [
    "<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>", "<|end_of_text|>", "<|eom_id|>", "<EOT>", "<|return|>",
  ]

  /// The tokens of a text.
  ///
  /// - Parameters:
  ///   - addSpecial: Begin (and end) as the model wants: with its beginning-of-text token, say.
  ///   - parseSpecial: Take the texts of control tokens for the tokens. Only for text you wrote yourself, such as a chat template: in
  ///     a user's text `<end_of_turn>` must stay text.
  /// - Complexity: O(n log n) in the text's length.
  public func encode(_ text: String, addSpecial: Bool = true, parseSpecial: Bool = false) -> [Int32] {
    var text = text
    return text.withUTF8 { encode(UnsafeRawBufferPointer($0), addSpecial: addSpecial, parseSpecial: parseSpecial) }
  }

  private func encode(_ text: UnsafeRawBufferPointer, addSpecial: Bool, parseSpecial: Bool) -> [Int32] {
    precondition(text.count < Int(Int32.max) / 4, "a text of \(text.count) bytes is too long to encode at once")
    var tokens: [Int32] = []
    var merger = PairMerger()
    if addSpecial, addsBeginning, let beginning { tokens.append(beginning) }
    var afterSpecial = true
    for piece in specials.divide(text, parsingControls: parseSpecial) {
      switch piece {
      case .token(let id):
        tokens.append(id)
        afterSpecial = true
      case .text(let range):
        let part = UnsafeRawBufferPointer(rebasing: text[range])
        switch model {
        case .sentencePiece(let model): model.encode(part, spacePrefix: addsSpacePrefix && afterSpecial, using: &merger, into: &tokens)
        case .bytePairs(let model): model.encode(part, using: &merger, into: &tokens)
        }
        afterSpecial = false
      }
    }
    if addSpecial, addsEnd, let end { tokens.append(end) }
    return tokens
  }

  /// The bytes that a token stands for, which need not be whole characters; empty for a number outside the vocabulary.
  ///
  /// - Parameter special: Give the names of control tokens (`<bos>`) instead of nothing.
  public func bytes(of token: Int32, special: Bool = false) -> [UInt8] {
    let id = Int(token)
    guard (0..<vocabulary.count).contains(id) else { return [] }
    let text = vocabulary.text(id)
    switch vocabulary.kinds[id] {
    case .control, .unknown: return special ? Array(text) : []
    case .userDefined: return Array(text)
    case .unused: return special ? Array(text) : []
    case .byte: return [byte(text)]
    case .normal:
      switch model {
      case .sentencePiece: return SentencePieceModel.decode(text)
      case .bytePairs: return ByteLevel.decode(text)
      }
    }
  }

  /// The text of tokens; bytes that are no character become U+FFFD.
  public func decode(_ tokens: some Sequence<Int32>, special: Bool = false) -> String {
    var bytes: [UInt8] = []
    for token in tokens { bytes += self.bytes(of: token, special: special) }
    // The space that encoding put in front.
    let start = addsSpacePrefix && bytes.first == 0x20 ? 1 : 0
    return String(decoding: bytes[start...], as: UTF8.self)
  }

  /// The byte of a token such as `<0x0A>`.
  private func byte(_ text: UnsafeRawBufferPointer) -> UInt8 {
    guard text.count == 6 else { return 0x3f }
    return UInt8(String(decoding: text[3..<5], as: UTF8.self), radix: 16) ?? 0x3f
  }
}
