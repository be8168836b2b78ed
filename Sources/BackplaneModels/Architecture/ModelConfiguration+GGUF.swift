import Foundation

extension ModelConfiguration {
  /// Reads and checks the configuration of a model file.
  ///
  /// - Throws: ``BackplaneError``: (unsupported) for families and features that we have no graph for, naming those we have;
  ///   (file) for metadata that is missing or contradicts itself.
  public init(_ file: GGUFFile) throws(BackplaneError) {
    let metadata = file.metadata
    let architecture = try metadata.requiredString("general.architecture")
    guard let family = Family(rawValue: architecture) else {
      let known = Family.allCases.map(\.rawValue).joined(separator: ", ")
      throw BackplaneError(.unsupported, "architecture \"\(architecture)\" is not known; known: \(known)", subject: metadata.subject,
                           hint: "use a model of one of these families")
    }
    let keys = ConfigurationKeys(family: family, metadata: metadata)
    try keys.refuseUnsupported()
    guard let tokens = metadata["tokenizer.ggml.tokens"]?.array else { throw keys.fail("metadata tokenizer.ggml.tokens is missing") }
    // A layer has several tensors: a larger number is absurd, and would be expensive to believe.
    let layerCount = try keys.positive("block_count", atMost: max(file.tensors.count, 1))
    self.family = family
    name = try metadata.string("general.name")
    vocabularySize = tokens.count
    contextLength = try keys.positive("context_length")
    embeddingSize = try keys.positive("embedding_length")
    epsilon = try metadata.requiredFloat(keys.full("attention.layer_norm_rms_epsilon"))
    embeddingScale = family == .gemma3 ? Double(embeddingSize).squareRoot() : 1
    logitSoftcap = try metadata.float(keys.full("final_logit_softcapping")) ?? 0
    guard epsilon >= 0, epsilon.isFinite, logitSoftcap >= 0, logitSoftcap.isFinite else {
      throw keys.fail("epsilon \(epsilon) or logit softcap \(logitSoftcap) is negative or not finite")
    }
    let heads = try keys.perLayer("attention.head_count", layerCount)
    let keyHeads = try keys.perLayer("attention.head_count_kv", layerCount, standard: heads)
    let feedForward = try keys.perLayer("feed_forward_length", layerCount)
    attentionScale = try metadata.float(keys.full("attention.scale")) ?? 0
    // The 27B model, the only one with 62 layers, divides by the embedding's share of a head.
    if family == .gemma3, layerCount == 62, attentionScale == 0 { attentionScale = 1 / (Double(embeddingSize) / Double(heads[0])).squareRoot() }
    let windows = try keys.windows(layerCount)
    layers = []
    for i in 0..<layerCount {
      guard heads[i] % keyHeads[i] == 0 else { throw keys.fail("layer \(i) has \(heads[i]) heads for \(keyHeads[i]) key heads: no whole groups") }
      let keySize = try keys.positive("attention.key_length", standard: embeddingSize / heads[i])
      let valueSize = try keys.positive("attention.value_length", standard: embeddingSize / heads[i])
      layers.append(Layer(heads: heads[i], keyHeads: keyHeads[i], keySize: keySize, valueSize: valueSize, feedForward: feedForward[i],
                          window: windows[i], rope: try keys.rope(keySize: keySize, isLocal: windows[i] > 0)))
    }
  }
}

/// The keys of one architecture, with checks.
private struct ConfigurationKeys {
  let family: ModelConfiguration.Family
  let metadata: GGUFMetadata
  /// Sizes beyond this are refused: products of a few of them stay within 64 bits.
  static let largest = 1 << 28

  func full(_ key: String) -> String { "\(family.rawValue).\(key)" }

  func fail(_ message: String, _ kind: BackplaneError.Kind = .file, hint: String = "convert the model again with a current converter") -> BackplaneError {
    BackplaneError(kind, message, subject: metadata.subject, hint: hint)
  }

  func refuseUnsupported() throws(BackplaneError) {
    if let experts = try metadata.int(full("expert_count")), experts > 0 {
      throw fail("the model has \(experts) experts; mixtures of experts are not supported", .unsupported, hint: "use a dense model")
    }
    if let parts = try metadata.int("split.count"), parts > 1 {
      throw fail("the file is one of \(parts) parts", .unsupported, hint: "merge them first: `llama-gguf-split --merge`")
    }
  }

  func positive(_ key: String, standard: Int? = nil, atMost limit: Int = largest) throws(BackplaneError) -> Int {
    let found = try metadata.int(full(key)) ?? standard
    guard let value = found else { return try metadata.requiredInt(full(key)) }
    guard (1...limit).contains(value) else { throw fail("metadata \(full(key)) is \(value); 1 to \(limit) is possible here") }
    return value
  }

  /// One number for all layers, or an array with one for each.
  func perLayer(_ key: String, _ layers: Int, standard: [Int]? = nil) throws(BackplaneError) -> [Int] {
    guard metadata[full(key)]?.array != nil else {
      if metadata[full(key)] == nil, let standard { return standard }
      return [Int](repeating: try positive(key), count: layers)
    }
    let values = try metadata.ints(full(key)) ?? []
    guard values.count == layers else { throw fail("metadata \(full(key)) has \(values.count) entries for \(layers) layers") }
    for (i, value) in values.enumerated() where !(1...ConfigurationKeys.largest).contains(value) {
      throw fail("metadata \(full(key)) is \(value) for layer \(i); 1 to \(ConfigurationKeys.largest) is possible")
    }
    return values
  }

  /// Of each layer, 0 where it sees everything. Of Gemma's layers every sixth does.
  func windows(_ layers: Int) throws(BackplaneError) -> [Int] {
    let key = "attention.sliding_window"
    guard family == .gemma3, let window = try metadata.int(full(key)), window != 0 else { return [Int](repeating: 0, count: layers) }
    guard (1...ConfigurationKeys.largest).contains(window) else { throw fail("metadata \(full(key)) is \(window)") }
    if let flags = metadata[full(key + "_pattern")]?.array?.bools() {
      guard flags.count == layers else { throw fail("metadata \(full(key))_pattern has \(flags.count) entries for \(layers) layers") }
      return flags.map { $0 ? window : 0 }
    }
    let period = try positive(key + "_pattern", standard: 6)
    return (0..<layers).map { ($0 + 1) % period == 0 ? 0 : window }
  }

  func rope(keySize: Int, isLocal: Bool) throws(BackplaneError) -> ModelConfiguration.Rope {
    let dimensions = try positive("rope.dimension_count", standard: keySize)
    guard dimensions % 2 == 0, dimensions <= keySize else {
      throw fail("metadata \(full("rope.dimension_count")) is \(dimensions); an even number up to the head's \(keySize) is wanted")
    }
    let base = try metadata.float(full("rope.freq_base")) ?? 10_000
    let type = try metadata.string(full("rope.scaling.type")) ?? "linear"
    guard type == "none" || type == "linear" else {
      throw fail("rope scaling \"\(type)\" is not supported; supported: none, linear, and Llama 3's frequency factors", .unsupported,
                 hint: "use a model without it")
    }
    let older = try metadata.float(full("rope.scale_linear"))
    let found = try metadata.float(full("rope.scaling.factor")) ?? older ?? 1
    let factor = type == "none" || found == 0 ? 1 : found
    let scale = try metadata.float(full("rope.scaling.attn_factor")) ?? 1
    // Local layers turn as they did before the context was stretched.
    let localBase = try metadata.float(full("rope.freq_base_swa")) ?? 10_000
    let rope = ModelConfiguration.Rope(dimensions: dimensions, base: isLocal ? localBase : base, factor: isLocal ? 1 : factor, scale: scale,
                                       isInterleaved: family.ropeIsInterleaved)
    guard rope.base.isFinite, rope.base > 0, rope.factor.isFinite, rope.factor > 0, rope.scale.isFinite else {
      throw fail("rope base \(rope.base), factor \(rope.factor) or scale \(rope.scale) is not a positive number")
    }
    return rope
  }
}

extension ModelConfiguration.Rope {
  /// The angle, in radians for each position, of every pair: base^(-2i / dimensions) / factor.
  ///
  /// - Parameter divisors: Llama 3's frequency factors, one for each pair; nil for none.
  func frequencies(divisors: [Float]? = nil) -> [Float] {
    (0..<(dimensions / 2)).map { i in
      Float(pow(base, -2 * Double(i) / Double(dimensions)) / factor / Double(divisors?[i] ?? 1))
    }
  }
}
