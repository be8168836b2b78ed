import BackplaneModels
import Foundation
import Testing

@Suite struct TokenizerTests {
  private struct Case: Decodable {
    var text: String
    var tokens: [Int32]
    var parsed: [Int32]
  }
  private struct BytePairs: Decodable {
    var texts: [String]
    var vocabulary: [String]
    var types: [Int32]
    var merges: [String]
    var cases: [String: [[[Int32]]]]
  }

  private static let realModel = ProcessInfo.processInfo.environment["BACKPLANE_TEST_MODEL"]
  private static func fixture<T: Decodable>(_ name: String, as _: T.Type) throws -> T {
    try JSONDecoder().decode(T.self, from: Data(contentsOf: fixtures.appendingPathComponent("tokenizer/\(name)")))
  }

  /// Fixture: llama.cpp's tokens (Tests/Scripts/tokenizer_fixtures.py).
  @Test("Gemma's tokens are llama.cpp's", .enabled(if: realModel != nil, "set BACKPLANE_TEST_MODEL to a Gemma 3 GGUF file"))
  func gemmaTokens() throws {
    let tokenizer = try Tokenizer(GGUFFile(path: TokenizerTests.realModel!))
    for c in try TokenizerTests.fixture("gemma3.json", as: [Case].self) {
      #expect(tokenizer.encode(c.text) == c.tokens, "\(c.text.debugDescription)")
      #expect(tokenizer.encode(c.text, parseSpecial: true) == c.parsed, "\(c.text.debugDescription)")
      if !c.text.contains("▁") { #expect(tokenizer.decode(c.tokens) == c.text) }
    }
  }

  /// Fixture: as above.
  @Test("byte-pair tokens are llama.cpp's under every pre-tokenizer", arguments: ["default", "gpt-2", "llama-bpe", "qwen2", "smollm"])
  func bytePairTokens(pre: String) throws {
    let fixture = try TokenizerTests.fixture("bytepairs.json", as: BytePairs.self)
    var writer = GGUFWriter()
    writer.set("tokenizer.ggml.model", .string("gpt2"))
    writer.set("tokenizer.ggml.pre", .string(pre))
    writer.set("tokenizer.ggml.tokens", .array(GGUFArray(fixture.vocabulary)))
    writer.set("tokenizer.ggml.token_type", .array(GGUFArray(fixture.types)))
    writer.set("tokenizer.ggml.merges", .array(GGUFArray(fixture.merges)))
    writer.set("tokenizer.ggml.bos_token_id", .uint32(UInt32(fixture.vocabulary.count - 2)))
    writer.set("tokenizer.ggml.eos_token_id", .uint32(UInt32(fixture.vocabulary.count - 1)))
    let tokenizer = try Tokenizer(GGUFFile(contents: writer.encoded(), name: pre))
    for (text, tokens) in zip(fixture.texts, try #require(fixture.cases[pre])) {
      #expect(tokenizer.encode(text) == tokens[0], "\(text.debugDescription)")
      #expect(tokenizer.encode(text, parseSpecial: true) == tokens[1], "\(text.debugDescription)")
      #expect(tokenizer.decode(tokens[0]) == text)
    }
  }

  @Test(arguments: SyntheticModel.Architecture.allCases) func everyTextComesBack(architecture: SyntheticModel.Architecture) throws {
    let tokenizer = try Tokenizer(Synthetic.file(architecture))
    for text in ["", "the hello world", "Ünïcode 日本語 😀\n\tx", " the  old   school ", "<bos><s><|im_end|>", "\u{0}\u{1}\u{7f}", "e\u{301}\u{200d}"] {
      #expect(tokenizer.decode(tokenizer.encode(text)) == text)
    }
    #expect(tokenizer.encode("the school", addSpecial: false).count <= 4)  // common words are one token
  }

  @Test func controlTokensAreTextUnlessAskedFor() throws {
    let tokenizer = try Tokenizer(Synthetic.file(.gemma3))
    let end = Int32(try #require(tokenizer.vocabulary.id("<end_of_turn>")))
    #expect(!tokenizer.encode("a<end_of_turn>").contains(end))
    #expect(tokenizer.encode("a<end_of_turn>", parseSpecial: true).last == end)
    #expect(tokenizer.bytes(of: end).isEmpty)
    #expect(tokenizer.bytes(of: end, special: true) == Array("<end_of_turn>".utf8))
    #expect(tokenizer.endsOfGeneration.contains(end))
    #expect(tokenizer.encode("a").first == tokenizer.beginning)
    #expect(tokenizer.encode("a", addSpecial: false).first != tokenizer.beginning)
  }

  @Test func numbersOutsideTheVocabularyStandForNothing() throws {
    let tokenizer = try Tokenizer(Synthetic.file(.llama))
    #expect(tokenizer.bytes(of: -1).isEmpty && tokenizer.bytes(of: .max).isEmpty)
  }

  @Test func aLongTextWithoutSpacesIsNotSlow() throws {
    let tokenizer = try Tokenizer(Synthetic.file(.qwen2))
    let text = String(repeating: "the", count: 20_000)
    let start = ContinuousClock.now
    #expect(tokenizer.decode(tokenizer.encode(text)) == text)
    #expect(ContinuousClock.now - start < .seconds(30))  // quadratic would take minutes
  }

  @Test func whatIsNotATokenizerIsRefused() throws {
    func failure(_ change: (inout GGUFWriter) -> Void) -> BackplaneError? {
      var writer = SyntheticModel.writer(.qwen2)
      change(&writer)
      do { _ = try Tokenizer(GGUFFile(contents: writer.encoded(), name: "bad")) } catch { return error }
      return nil
    }
    #expect(failure { _ in } == nil)
    #expect(failure { $0.set("tokenizer.ggml.model", .string("bert")) }?.description.contains("\"bert\" is not known; known: llama") == true)
    #expect(failure { $0.set("tokenizer.ggml.pre", .string("tekken")) }?.description.contains("\"tekken\" is not known; known: default") == true)
    #expect(failure { $0.set("tokenizer.ggml.eos_token_id", .uint32(99_999)) }?.description.contains("99999, outside the vocabulary") == true)
    #expect(failure { $0.set("tokenizer.ggml.token_type", .array(GGUFArray([1] as [Int32]))) }?.description.contains("1 entries for") == true)
    #expect(failure { $0.set("tokenizer.ggml.merges", .string("a b")) }?.description.contains("an array of string is wanted") == true)
    #expect(failure { $0.set("tokenizer.ggml.tokens", .array(GGUFArray([] as [String]))) }?.description.contains("0 tokens") == true)
  }
}

@Suite struct UTF8StreamTests {
  @Test func onlyWholeCharactersAreEmitted() {
    var stream = UTF8Stream()
    let bytes = Array("aé日😀".utf8)
    #expect(bytes.map { stream.append([$0]) } == ["a", "", "é", "", "", "日", "", "", "", "😀"])
    #expect(stream.finish() == "")
  }

  @Test func brokenCharactersAreReplacedAsSoonAsTheyAreBroken() {
    var stream = UTF8Stream()
    #expect(stream.append([0xe6, 0x97]) == "")
    #expect(stream.append([0x61]) == "\u{fffd}a")
    #expect(stream.append([0x80, 0xff, 0xc0]) == "\u{fffd}\u{fffd}\u{fffd}")
    #expect(stream.append([0xed, 0xa0]) == "\u{fffd}\u{fffd}")  // a surrogate: nothing can complete it
    #expect(stream.append([0xf0, 0x9f]) == "")
    #expect(stream.finish() == "\u{fffd}")
    #expect(stream.finish() == "")
  }

  @Test func piecesGiveTheSameTextAsTheWhole() {
    let bytes = (0..<2000).map { UInt8(truncatingIfNeeded: $0 &* $0 &* 31 >> 3) }
    for size in 1...7 {
      var stream = UTF8Stream()
      var text = ""
      for start in stride(from: 0, to: bytes.count, by: size) { text += stream.append(bytes[start..<min(start + size, bytes.count)]) }
      text += stream.finish()
      #expect(text == String(decoding: bytes, as: UTF8.self))
    }
  }
}
