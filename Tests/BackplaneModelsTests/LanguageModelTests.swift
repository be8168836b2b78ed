import BackplaneModels
import Foundation
import Testing

@Suite struct LanguageModelTests {
  /// The error of building a changed synthetic model.
  private func failure(_ architecture: SyntheticModel.Architecture = .llama, _ change: (inout GGUFWriter) -> Void,
                       options: LanguageModel.Options = .init()) -> BackplaneError? {
    var writer = SyntheticModel.writer(architecture)
    change(&writer)
    do throws(BackplaneError) { _ = try LanguageModel(GGUFFile(contents: writer.encoded(), name: "changed.gguf"), options: options) } catch { return error }
    return nil
  }

  /// A synthetic model's metadata over other tensors: `replace` answers nil to leave one out.
  private func rebuilt(_ architecture: SyntheticModel.Architecture, _ replace: (GGUFTensor) -> (ElementFormat, [Int])?) throws -> GGUFFile {
    let file = try Synthetic.file(architecture)
    var writer = GGUFWriter()
    for key in file.metadata.keys { writer.set(key, file.metadata[key]!) }
    for tensor in file.tensors {
      guard let (format, extents) = replace(tensor) else { continue }
      writer.add(tensor.name, format, extents, bytes: [UInt8](repeating: 0, count: format.bytes(forElements: extents.reduce(1, *))!))
    }
    return try GGUFFile(contents: writer.encoded(), name: "rebuilt.gguf")
  }

  @Test(arguments: SyntheticModel.Architecture.allCases) func everyArchitectureGivesACheckedGraph(architecture: SyntheticModel.Architecture) throws {
    let file = try Synthetic.file(architecture)
    let model = try LanguageModel(file)
    try model.graph.check()
    #expect(model.graph.inputs == [model.tokenIDs, model.positions, model.outputRows])
    #expect(model.graph.outputs == [model.logits])
    #expect(model.graph[model.logits].shape == [.symbol(model.outputs), .fixed(model.tokenizer.vocabulary.count)])
    #expect(model.graph.states.count == 2 * model.configuration.layerCount)
    #expect(Set(model.graph.symbols) == [model.tokens, model.kv, model.outputs])
    for id in model.graph.constants {
      // Each constant's bytes are there, and as many as its format and shape need.
      #expect(model.withBytes(of: id) { $0.count } == model.graph[id].maximumBytes)
    }
    for tensor in file.tensors where tensor.name != "rope_freqs.weight" {
      let id = try #require(model.graph.constants.first { model.graph[$0].name == tensor.name })
      #expect(model.sources[id] == .file(offset: tensor.offset, byteCount: tensor.byteCount))
    }
  }

  @Test("a real Gemma 3 gives a checked graph", .enabled(if: realModel != nil, "set BACKPLANE_TEST_MODEL to a Gemma 3 GGUF file"))
  func realGemma() throws {
    let model = try LanguageModel(path: LanguageModelTests.realModel!)
    try model.graph.check()
    #expect(model.configuration.architecture == .gemma3 && model.configuration.slidingWindow > 0)
    try model.file.checkUnchanged()
  }
  private static let realModel = ProcessInfo.processInfo.environment["BACKPLANE_TEST_MODEL"]

  @Test func gemmasWindowsAndRopesAlternate() throws {
    let model = try LanguageModel(Synthetic.file(.gemma3))
    let windows = model.graph.nodes.filter { $0.op == "attention" }.map { $0[attribute: "window"] }
    #expect(windows == [16, 16, 16, 16, 16, 0, 16, 16].map { .int($0) })
    let tables = Set(model.graph.nodes.filter { $0.op == "rotary_embedding" }.map { $0.inputs[2] })
    #expect(tables.count == 2)
    #expect(model.graph.nodes.first?[attribute: "scale"] == .float(Double(128).squareRoot()))
    // Base^(-2i/32): the first pair turns by 1 everywhere, the second by the base's 16th root.
    let rope = model.configuration.rope
    #expect(rope.globalFrequencies[0] == 1 && rope.localFrequencies[0] == 1)
    #expect(abs(rope.globalFrequencies[1] - Float(pow(1e6, -1.0 / 16))) < 1e-7 && abs(rope.localFrequencies[1] - Float(pow(1e4, -1.0 / 16))) < 1e-7)
  }

  @Test func frequencyFactorsAndLinearScalingSlowTheRope() throws {
    let factors = try LanguageModel(Synthetic.file(.llama3)).configuration.rope.globalFrequencies
    #expect(factors[0] == 1)
    // The last of 16 pairs: 500000^(-30/32), divided by 1 + 7 × 14/16.
    #expect(abs(factors[15] / Float(pow(500_000, -30.0 / 32) / 7.125) - 1) < 1e-6)
    var writer = SyntheticModel.writer(.llama)
    writer.set("llama.rope.scaling.factor", .float32(4))  // without a type: linear
    let scaled = try ModelConfiguration(GGUFFile(contents: writer.encoded(), name: "scaled"))
    #expect(scaled.rope.globalFrequencies[0] == 0.25)
    writer.set("llama.rope.scaling.type", .string("none"))
    #expect(try ModelConfiguration(GGUFFile(contents: writer.encoded(), name: "unscaled")).rope.globalFrequencies[0] == 1)
  }

  @Test func unknownArchitecturesAreNamedBesideTheKnownOnes() {
    let text = failure { $0.set("general.architecture", .string("mamba")) }?.description ?? ""
    #expect(text.contains("mamba") && text.contains("gemma3, llama, qwen2, qwen3"))
  }

  @Test func unsupportedFeaturesAreNamed() {
    #expect(failure { $0.set("llama.rope.scaling.type", .string("yarn")) }?.message.contains("'yarn'") == true)
    #expect(failure { $0.set("llama.expert_count", .uint32(8)) }?.message.contains("8 experts") == true)
    #expect(failure { $0.set("split.count", .uint16(3)) }?.message.contains("one of 3 parts") == true)
  }

  @Test func impossibleNumbersAreNamed() {
    for (key, value) in [("block_count", 0), ("block_count", 4_000_000_000), ("embedding_length", 0), ("attention.head_count", 0),
                         ("attention.head_count_kv", 3), ("rope.dimension_count", 33), ("rope.dimension_count", 64), ("context_length", 0)] {
      let error = failure { $0.set("llama.\(key)", .uint32(UInt32(value))) }
      #expect(error?.kind == .file && error?.message.contains("\(value)") == true, "\(key) = \(value): \(error?.description ?? "no error")")
    }
    #expect(failure { $0.set("llama.embedding_length", .uint32(96)) }?.message.contains("[852, 96]") == true)
  }

  @Test func missingAndMisshapenTensorsAreNamed() throws {
    for name in ["token_embd.weight", "blk.3.ffn_up.weight", "blk.5.attn_q.bias", "output_norm.weight"] {
      let file = try rebuilt(.qwen2) { $0.name == name ? nil : ($0.format, $0.shape.fixedExtents!) }
      do {
        _ = try LanguageModel(file)
        Issue.record("\(name) was not missed")
      } catch { #expect(error.message.contains("tensor \(name) is missing"), "\(error)") }
    }
    let file = try rebuilt(.qwen3) { $0.name == "blk.2.attn_k.weight" ? ($0.format, [32, 128]) : ($0.format, $0.shape.fixedExtents!) }
    do {
      _ = try LanguageModel(file)
      Issue.record("the shape was not noticed")
    } catch { #expect(error.message.contains("blk.2.attn_k.weight") && error.message.contains("[32, 128]") && error.message.contains("[64, 128]"), "\(error)") }
  }

  @Test func tensorsThatTheGraphWouldIgnoreAreRefused() {
    let error = failure { $0.add("blk.0.attn_q.bias", .f32, [128], bytes: [UInt8](repeating: 0, count: 512)) }
    #expect(error?.kind == .unsupported && error?.message.contains("blk.0.attn_q.bias") == true)
  }

  @Test func theVocabularyAndTheEmbeddingAgree() throws {
    let file = try rebuilt(.gemma3) { $0.name == "token_embd.weight" ? ($0.format, [900, 128]) : ($0.format, $0.shape.fixedExtents!) }
    #expect(throws: BackplaneError(.file, "")) { try LanguageModel(file) }
  }

  @Test func optionsBoundTheSymbols() throws {
    var options = LanguageModel.Options()
    options.maximumTokens = 64
    options.contextLength = 100
    options.maximumOutputs = 8
    options.cacheFormat = .q8_0
    let model = try LanguageModel(Synthetic.file(.qwen3), options: options)
    #expect(model.tokens.bounds == 1...64 && model.kv.bounds == 1...100 && model.outputs.bounds == 1...8)
    #expect(model.graph[model.graph.states[0]].format == .q8_0)
    for change: WritableKeyPath<LanguageModel.Options, Int> in [\.maximumTokens, \.maximumOutputs] {
      var options = LanguageModel.Options()
      options[keyPath: change] = 0
      #expect(failure(.qwen3, { _ in }, options: options)?.kind == .invalid)
    }
    options.contextLength = -1
    #expect(failure(.qwen3, { _ in }, options: options)?.kind == .invalid)
  }
}
