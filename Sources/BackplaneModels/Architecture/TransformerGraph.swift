import Backplane

/// Builds the graph of a decoder-only transformer: attention with a cache, then a gated feed-forward, with norms as the family has them.
struct TransformerGraph {
  let file: GGUFFile
  let model: ModelConfiguration
  var builder = GraphBuilder()
  let tokens, kv, outputs: Symbol
  let options: LanguageModel.Options
  private(set) var sources: [TensorID: LanguageModel.Source] = [:]
  private var weights: [String: TensorID] = [:]

  init(_ file: GGUFFile, _ model: ModelConfiguration, _ options: LanguageModel.Options) {
    self.file = file
    self.model = model
    self.options = options
    let context = min(options.contextLength ?? 4096, model.contextLength)
    builder.numerics = options.numerics
    tokens = builder.symbol("tokens", 1...max(1, min(options.maximumTokens, context)))
    kv = builder.symbol("kv", 1...context)
    outputs = builder.symbol("outputs", 1...max(1, options.maximumOutputs))
  }

  mutating func build() throws(BackplaneError) -> (ids: TensorID, positions: TensorID, rows: TensorID, logits: TensorID) {
    let d = model.embeddingLength
    let ids = builder.input("token_ids", .i32, [.symbol(tokens)])
    let positions = builder.input("positions", .i32, [.symbol(tokens)])
    let rows = builder.input("output_rows", .i32, [.symbol(outputs)])
    let globalRope = table("rope_global", model.rope.globalFrequencies)
    let localRope = model.slidingWindow > 0 ? table("rope_local", model.rope.localFrequencies) : globalRope

    let embedding = try weight("token_embd.weight", [model.vocabularySize, d])
    var x = try builder.gather(embedding, indices: ids, scale: model.embeddingScale, name: "embedded")
    for layer in 0..<model.layerCount {
      let rope = model.isLocal(layer: layer) ? localRope : globalRope
      x = try attention(x, layer: layer, positions: positions, rope: rope)
      x = try feedForward(x, layer: layer)
    }
    x = try builder.gather(x, indices: rows, name: "wanted")
    x = try norm(x, "output_norm.weight")
    let head = file.tensor("output.weight") == nil ? embedding : try weight("output.weight", [model.vocabularySize, d])
    var logits = try builder.matmul(x, head, name: "logits")
    if model.logitSoftcap > 0 { logits = try builder.softcap(logits, cap: model.logitSoftcap, name: "logits") }
    builder.output(logits)
    try checkNothingIsLeft()
    return (ids, positions, rows, logits)
  }

  private mutating func attention(_ x: TensorID, layer: Int, positions: TensorID, rope: TensorID) throws(BackplaneError) -> TensorID {
    let prefix = "blk.\(layer)."
    let h = try norm(x, prefix + "attn_norm.weight")
    let q = try heads(h, prefix + "attn_q", count: model.headCount, length: model.keyLength, norm: prefix + "attn_q_norm", positions: positions, rope: rope)
    let k = try heads(h, prefix + "attn_k", count: model.keyHeadCount, length: model.keyLength, norm: prefix + "attn_k_norm", positions: positions, rope: rope)
    let v = try heads(h, prefix + "attn_v", count: model.keyHeadCount, length: model.valueLength)
    let keys = builder.state(prefix + "cache_k", options.cacheFormat, [.symbol(kv), .fixed(model.keyHeadCount), .fixed(model.keyLength)])
    let values = builder.state(prefix + "cache_v", options.cacheFormat, [.symbol(kv), .fixed(model.keyHeadCount), .fixed(model.valueLength)])
    let allKeys = try builder.tensorScatter(keys, update: k, positions: positions)
    let allValues = try builder.tensorScatter(values, update: v, positions: positions)
    let mixed = try builder.attention(
      q, allKeys, allValues, scale: model.attentionScale, causal: 1, window: model.isLocal(layer: layer) ? model.slidingWindow : 0,
      softcap: model.attentionSoftcap, name: prefix + "mixed")
    let flat = try builder.reshape(mixed, shape: [0, model.headCount * model.valueLength])
    return try add(x, flat, prefix + "attn_output.weight", inner: model.headCount * model.valueLength, postNorm: prefix + "post_attention_norm.weight")
  }

  private mutating func feedForward(_ x: TensorID, layer: Int) throws(BackplaneError) -> TensorID {
    let prefix = "blk.\(layer)."
    let (d, f) = (model.embeddingLength, model.feedForwardLength)
    let h = try norm(x, prefix + "ffn_norm.weight")
    let gate = try builder.matmul(h, weight(prefix + "ffn_gate.weight", [f, d]))
    let up = try builder.matmul(h, weight(prefix + "ffn_up.weight", [f, d]))
    let inner = try builder.gatedActivation(gate, up: up, activation: model.gatedActivation)
    return try add(x, inner, prefix + "ffn_down.weight", inner: f, postNorm: prefix + "post_ffw_norm.weight")
  }

  /// x + projection of y, normed in between where the family does.
  private mutating func add(_ x: TensorID, _ y: TensorID, _ projection: String, inner: Int, postNorm: String) throws(BackplaneError) -> TensorID {
    let w = try weight(projection, [model.embeddingLength, inner])
    guard model.hasPostNorms else { return try builder.matmul(y, w, residual: x) }
    return try builder.add(x, norm(builder.matmul(y, w), postNorm))
  }

  /// A projection seen as heads, normed and rotated where asked: [tokens, count, length].
  private mutating func heads(_ h: TensorID, _ name: String, count: Int, length: Int, norm normName: String? = nil, positions: TensorID? = nil,
                              rope: TensorID? = nil) throws(BackplaneError) -> TensorID {
    let w = try weight(name + ".weight", [count * length, model.embeddingLength])
    let bias = model.hasProjectionBias ? try weight(name + ".bias", [count * length]) : nil
    var y = try builder.reshape(builder.matmul(h, w, bias: bias), shape: [0, count, length])
    if let normName, model.hasQKNorm { y = try builder.rmsNorm(y, weight: weight(normName + ".weight", [length]), epsilon: model.normEpsilon) }
    if let positions, let rope {
      y = try builder.rotaryEmbedding(y, positions: positions, frequencies: rope, interleaved: model.rope.interleaved ? 1 : 0)
    }
    return y
  }

  private mutating func norm(_ x: TensorID, _ name: String) throws(BackplaneError) -> TensorID {
    try builder.rmsNorm(x, weight: weight(name, [model.embeddingLength]), epsilon: model.normEpsilon)
  }

  /// The constant of that name; vectors must be f32 as the operators take them.
  private mutating func weight(_ name: String, _ extents: [Int]) throws(BackplaneError) -> TensorID {
    if let known = weights[name] { return known }
    guard let tensor = file.tensor(name) else {
      throw BackplaneError(.file, "tensor \(name) is missing (\(model.architecture.rawValue) needs it)", subject: file.path)
    }
    guard tensor.shape.fixedExtents == extents else {
      throw BackplaneError(.file, "tensor \(name) is \(tensor.shape), not \(Shape(extents)) as the metadata says", subject: file.path)
    }
    guard extents.count > 1 || tensor.format == .f32 else {
      throw BackplaneError(.file, "tensor \(name) is \(tensor.format); vectors must be f32", subject: file.path)
    }
    let id = builder.constant(name, tensor.format, tensor.shape)
    sources[id] = .file(offset: tensor.offset, byteCount: tensor.byteCount)
    weights[name] = id
    return id
  }

  /// - Throws: `BackplaneError` (unsupported) when the file has tensors that the graph does not use: the model would compute something else.
  private func checkNothingIsLeft() throws(BackplaneError) {
    // The frequency factors are in the rope tables.
    let left = file.tensors.map(\.name).filter { weights[$0] == nil && $0 != "rope_freqs.weight" }
    if left.isEmpty { return }
    let shown = left.prefix(4).joined(separator: ", ") + (left.count > 4 ? " and \(left.count - 4) more" : "")
    throw BackplaneError(.unsupported, "the file has tensors that our \(model.architecture.rawValue) graph does not use: \(shown)", subject: file.path,
                         hint: "the model is of a variant we do not know; its results would be wrong")
  }

  private mutating func table(_ name: String, _ values: [Float]) -> TensorID {
    let id = builder.constant(name, .f32, Shape([values.count]))
    sources[id] = .memory(values.withUnsafeBytes(Array.init))
    return id
  }
}
