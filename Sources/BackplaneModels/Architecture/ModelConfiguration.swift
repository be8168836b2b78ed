import Backplane

/// Families of decoder-only transformers that graphs can be built for.
public enum ModelArchitecture: String, CaseIterable, Sendable {
  case gemma3, llama, qwen2, qwen3
}

/// The numbers that define a language model's graph, from GGUF metadata.
public struct ModelConfiguration: Sendable, Hashable {
  public var architecture: ModelArchitecture
  public var name: String
  public var vocabularySize: Int
  /// Elements of the residual stream.
  public var embeddingLength: Int
  public var layerCount: Int
  public var feedForwardLength: Int
  public var headCount: Int
  /// Heads of keys and values; divides `headCount`.
  public var keyHeadCount: Int
  /// Elements of a query or key head, and of a value head.
  public var keyLength: Int
  public var valueLength: Int
  /// Tokens the model was trained for.
  public var contextLength: Int
  public var normEpsilon: Double
  public var rope: RopeConfiguration
  /// Keys that a local layer sees; 0 when every layer is global.
  public var slidingWindow: Int
  /// With local layers, every layer whose number from 1 this divides is global.
  public var globalLayerPeriod: Int
  public var attentionSoftcap: Double
  public var logitSoftcap: Double

  /// Reads and checks the metadata of `file`.
  ///
  /// - Throws: `BackplaneError` naming the key and its value: unknown architecture, missing or impossible numbers.
  public init(_ file: GGUFFile) throws(BackplaneError) {
    let metadata = file.metadata
    let family = try metadata.requiredString("general.architecture")
    guard let architecture = ModelArchitecture(rawValue: family) else {
      throw BackplaneError(.file, "architecture '\(family)' is not known", subject: file.path,
                           hint: "known: \(ModelArchitecture.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    func number(_ key: String, _ range: ClosedRange<Int>, default fallback: Int? = nil) throws(BackplaneError) -> Int {
      let full = "\(family).\(key)"
      guard let value = try metadata.int(full) ?? fallback else { throw BackplaneError(.file, "metadata key \(full) is missing", subject: file.path) }
      guard range.contains(value) else {
        throw BackplaneError(.file, "\(full) is \(value), outside \(range.lowerBound) … \(range.upperBound)", subject: file.path)
      }
      return value
    }
    // What would give wrong results, or an error hard to understand, is refused by name.
    if let experts = try metadata.int("\(family).expert_count"), experts > 0 {
      throw BackplaneError(.unsupported, "the model has \(experts) experts; mixtures of experts are not supported", subject: file.path, hint: "use a dense model")
    }
    if let parts = try metadata.int("split.count"), parts > 1 {
      throw BackplaneError(.unsupported, "the file is one of \(parts) parts", subject: file.path, hint: "merge them: `llama-gguf-split --merge`")
    }
    guard let table = file.tensor("token_embd.weight"), table.shape.rank == 2, let vocabulary = table.shape[0].fixed else {
      throw BackplaneError(.file, "tensor token_embd.weight is missing or not a matrix", subject: file.path)
    }
    self.architecture = architecture
    name = try metadata.string("general.name") ?? family
    vocabularySize = vocabulary
    embeddingLength = try number("embedding_length", 1...1_000_000)
    layerCount = try number("block_count", 1...10_000)
    feedForwardLength = try number("feed_forward_length", 1...10_000_000)
    headCount = try number("attention.head_count", 1...100_000)
    keyHeadCount = try number("attention.head_count_kv", 1...100_000, default: headCount)
    keyLength = try number("attention.key_length", 1...100_000, default: embeddingLength / headCount)
    valueLength = try number("attention.value_length", 1...100_000, default: keyLength)
    contextLength = try number("context_length", 1...Int(Int32.max))
    slidingWindow = architecture == .gemma3 ? try number("attention.sliding_window", 0...Int(Int32.max), default: 0) : 0
    globalLayerPeriod = try number("attention.sliding_window_pattern", 1...10_000, default: 6)
    normEpsilon = try metadata.requiredFloat("\(family).attention.layer_norm_rms_epsilon")
    attentionSoftcap = try metadata.float("\(family).attn_logit_softcapping") ?? 0
    logitSoftcap = try metadata.float("\(family).final_logit_softcapping") ?? 0
    guard headCount % keyHeadCount == 0 else {
      throw BackplaneError(.file, "\(headCount) query heads cannot share \(keyHeadCount) key heads evenly", subject: file.path)
    }
    guard normEpsilon >= 0, normEpsilon < 1 else {
      throw BackplaneError(.file, "\(family).attention.layer_norm_rms_epsilon is \(normEpsilon)", subject: file.path)
    }
    rope = try RopeConfiguration(file, family: family, architecture: architecture, headLength: keyLength)
  }

  /// Gemma scales embeddings by the square root of their length.
  public var embeddingScale: Double { architecture == .gemma3 ? Double(embeddingLength).squareRoot() : 1 }
  public var gatedActivation: String { architecture == .gemma3 ? "geglu_tanh" : "swiglu" }
  public var hasQKNorm: Bool { architecture == .gemma3 || architecture == .qwen3 }
  public var hasProjectionBias: Bool { architecture == .qwen2 }
  /// Norms of what attention and feed-forward give back, before the residual is added.
  public var hasPostNorms: Bool { architecture == .gemma3 }
  /// Gemma 3: five local layers, then a global one.
  public func isLocal(layer: Int) -> Bool { slidingWindow > 0 && (layer + 1) % globalLayerPeriod != 0 }
  /// Gemma 3 27B (62 layers) scales scores by its embedding per head; everything else by the head's own length.
  public var attentionScale: Double {
    let length = architecture == .gemma3 && layerCount == 62 ? Double(embeddingLength) / Double(headCount) : Double(keyLength)
    return 1 / length.squareRoot()
  }
}
