/// Small models with random weights, to try everything that works on real ones: about 2 MB, the real structure, a real tokenizer.
///
/// The same architecture and seed give the same bytes everywhere.
public enum SyntheticModel {
  public enum Architecture: String, CaseIterable, Sendable {
    /// Sliding windows, QK-norm, post-norms, a tied head; SentencePiece vocabulary.
    case gemma3
    /// Interleaved rope, a separate head; SentencePiece vocabulary.
    case llama
    /// As `llama`, with rope frequency factors and a byte-level BPE vocabulary.
    case llama3
    /// Biased projections, a tied head; byte-level BPE vocabulary.
    case qwen2
    /// QK-norm, a separate head; byte-level BPE vocabulary.
    case qwen3
  }

  /// Writes a model file.
  ///
  /// - Throws: `BackplaneError` (file) when the place cannot be written.
  public static func write(to path: String, architecture: Architecture, seed: UInt64 = 1) throws(BackplaneError) {
    try writer(architecture, seed: seed).write(to: path)
  }

  /// The model as a writer, to change before writing.
  public static func writer(_ architecture: Architecture, seed: UInt64 = 1) -> GGUFWriter {
    let sizes = Sizes(architecture)
    let vocabulary = sizes.vocabulary
    var writer = GGUFWriter()
    sizes.addMetadata(to: &writer, seed: seed)
    addVocabulary(vocabulary, architecture, to: &writer)
    var weights = SyntheticWeights(seed: seed)
    weights.add(sizes, to: &writer)
    return writer
  }

  private static func addVocabulary(_ v: SyntheticVocabulary, _ architecture: Architecture, to writer: inout GGUFWriter) {
    func set(_ key: String, _ value: GGUFValue) { writer.set("tokenizer.ggml." + key, value) }
    func setID(_ key: String, _ text: String) { set(key, .uint32(UInt32(v.id(text)))) }
    switch architecture {
    case .gemma3, .llama:
      set("model", .string("llama"))
      set("pre", .string("default"))
      set("scores", .array(GGUFArray(v.scores)))
      set("add_space_prefix", .bool(architecture == .llama))
      set("add_bos_token", .bool(true))
      setID("bos_token_id", architecture == .llama ? "<s>" : "<bos>")
      setID("eos_token_id", architecture == .llama ? "</s>" : "<eos>")
      setID("unknown_token_id", "<unk>")
    case .llama3, .qwen2, .qwen3:
      set("model", .string("gpt2"))
      set("pre", .string(architecture == .llama3 ? "llama-bpe" : "qwen2"))
      set("merges", .array(GGUFArray(v.merges)))
      set("add_bos_token", .bool(architecture == .llama3))
      setID("bos_token_id", architecture == .llama3 ? "<|begin_of_text|>" : "<|endoftext|>")
      setID("eos_token_id", architecture == .llama3 ? "<|end_of_text|>" : "<|im_end|>")
    }
    set("tokens", .array(GGUFArray(v.tokens)))
    set("token_type", .array(GGUFArray(v.types)))
  }
}

extension SyntheticModel {
  /// The shape of a synthetic model.
  struct Sizes {
    let architecture: Architecture
    let embedding = 128
    let headSize = 32
    let heads = 4
    let keyHeads: Int
    let feedForward = 512
    let layers: Int
    let vocabulary: SyntheticVocabulary

    init(_ architecture: Architecture) {
      self.architecture = architecture
      keyHeads = architecture == .gemma3 ? 1 : 2
      layers = architecture == .gemma3 ? 8 : 6  // the sixth of Gemma's layers is its global one
      vocabulary = switch architecture {
      case .gemma3: .sentencePiece(controls: ["<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>"])
      case .llama: .sentencePiece(controls: ["<unk>", "<s>", "</s>"])
      case .llama3: .bytePairs(controls: ["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"])
      case .qwen2, .qwen3: .bytePairs(controls: ["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
      }
    }

    /// `general.architecture`.
    var family: String { architecture == .llama3 ? "llama" : architecture.rawValue }
    var hasOutputHead: Bool { [.llama, .llama3, .qwen3].contains(architecture) }

    func addMetadata(to writer: inout GGUFWriter, seed: UInt64) {
      writer.set("general.architecture", .string(family))
      writer.set("general.name", .string("Synthetic \(architecture.rawValue), seed \(seed)"))
      func set(_ key: String, _ value: GGUFValue) { writer.set("\(family).\(key)", value) }
      func set(_ key: String, _ value: Int) { set(key, .uint32(UInt32(value))) }
      set("context_length", 2048)
      set("embedding_length", embedding)
      set("block_count", layers)
      set("feed_forward_length", feedForward)
      set("attention.head_count", heads)
      set("attention.head_count_kv", keyHeads)
      set("attention.key_length", headSize)
      set("attention.value_length", headSize)
      set("attention.layer_norm_rms_epsilon", .float32(1e-6))
      set("rope.freq_base", .float32(architecture == .llama ? 10_000 : architecture == .llama3 ? 500_000 : 1_000_000))
      if architecture == .gemma3 { set("attention.sliding_window", 16) }
      if family == "llama" {
        set("rope.dimension_count", headSize)
        set("vocab_size", vocabulary.tokens.count)
      }
    }
  }
}
