/// Builds the graph of a decoder: embedding, layers, head.
struct DecoderGraph {
  let configuration: ModelConfiguration
  let options: LanguageModel.Options
  var builder = GraphBuilder()
  var weights: WeightTable
  let symbols: LanguageModel.Symbols
  let inputs: LanguageModel.Inputs
  private(set) var caches: [LanguageModel.Cache] = []
  private(set) var logits = TensorID(0)
  private var family: ModelConfiguration.Family { configuration.family }

  /// The residual stream, and what the last block adds to it but has not yet.
  private struct Stream {
    var residual: TensorID
    var pending: TensorID?
  }

  /// - Parameter options: With a capacity.
  init(_ file: GGUFFile, _ configuration: ModelConfiguration, _ options: LanguageModel.Options) {
    self.configuration = configuration
    self.options = options
    weights = WeightTable(file)
    builder.numerics = options.numerics
    symbols = LanguageModel.Symbols(tokens: builder.symbol("tokens", 1...options.maximumTokens), kv: builder.symbol("kv", 1...options.contextCapacity!),
                                    outputs: builder.symbol("outputs", 1...options.maximumOutputs))
    inputs = LanguageModel.Inputs(tokenIDs: builder.input("token_ids", .i32, [.symbol(symbols.tokens)]),
                                  positions: builder.input("positions", .i32, [.symbol(symbols.tokens)]),
                                  outputRows: builder.input("output_rows", .i32, [.symbol(symbols.outputs)]))
  }

  mutating func build() throws(BackplaneError) {
    let c = configuration
    let embedding = try weights.matrix("token_embd.weight", [c.vocabularySize, c.embeddingSize], in: &builder)
    var stream = Stream(residual: try builder.gather(embedding, indices: inputs.tokenIDs, scale: c.embeddingScale, name: "embedded"))
    for (i, layer) in c.layers.enumerated() { try add(layer, i, to: &stream) }
    let last = try settle(&stream, name: "decoded")
    // Only the rows that are wanted meet the head, by far the largest matrix.
    let wanted = try builder.gather(last, indices: inputs.outputRows, name: "wanted")
    let norm = try weights.vector("output_norm.weight", c.embeddingSize, in: &builder)
    let normed = try builder.rmsNorm(wanted, weight: norm, epsilon: c.epsilon, name: "output_norm")
    var head = embedding
    if weights.file.tensor("output.weight") != nil {
      head = try weights.matrix("output.weight", [c.vocabularySize, c.embeddingSize], in: &builder)
    }
    logits = try builder.matmul(normed, head, name: "logits")
    if c.logitSoftcap > 0 { logits = try builder.softcap(logits, cap: c.logitSoftcap, name: "logits_capped") }
    builder.output(logits)
    try weights.checkNothingIsLeft(family)
  }

  // MARK: A layer

  private mutating func add(_ layer: ModelConfiguration.Layer, _ i: Int, to stream: inout Stream) throws(BackplaneError) {
    let normed = try normalize(&stream, weight: "blk.\(i).attn_norm", name: "l\(i).attn_norm")
    var attended = try attend(layer, i, normed)
    if family.normalizesResults { attended = try norm(attended, "blk.\(i).post_attention_norm", name: "l\(i).post_attention_norm") }
    stream.pending = attended
    let fed = try normalize(&stream, weight: "blk.\(i).ffn_norm", name: "l\(i).ffn_norm")
    var result = try feedForward(layer, i, fed)
    if family.normalizesResults { result = try norm(result, "blk.\(i).post_ffw_norm", name: "l\(i).post_ffw_norm") }
    stream.pending = result
  }

  private mutating func attend(_ layer: ModelConfiguration.Layer, _ i: Int, _ x: TensorID) throws(BackplaneError) -> TensorID {
    let frequencies = try frequencies(layer.rope)
    var q = try project(x, i, "attn_q", layer.heads, layer.keySize)
    var k = try project(x, i, "attn_k", layer.keyHeads, layer.keySize)
    let v = try project(x, i, "attn_v", layer.keyHeads, layer.valueSize)
    q = try turn(q, layer, frequencies, norm: "blk.\(i).attn_q_norm", name: "l\(i).q")
    k = try turn(k, layer, frequencies, norm: "blk.\(i).attn_k_norm", name: "l\(i).k")

    func cache(_ name: String, _ size: Int) -> TensorID {
      builder.state("l\(i).\(name)", options.cacheFormat, [.symbol(symbols.kv), .fixed(layer.keyHeads), .fixed(size)])
    }
    // A scatter into a state gives back the state.
    let keys = try builder.tensorScatter(cache("key_cache", layer.keySize), update: k, positions: inputs.positions)
    let values = try builder.tensorScatter(cache("value_cache", layer.valueSize), update: v, positions: inputs.positions)
    caches.append(LanguageModel.Cache(keys: keys, values: values))
    let heads = try builder.attention(q, keys, values, scale: configuration.attentionScale, causal: 1, window: layer.window, name: "l\(i).attention")
    let flat = try builder.reshape(heads, shape: [0, layer.heads * layer.valueSize], name: "l\(i).heads")
    return try linear(flat, "blk.\(i).attn_output", layer.heads * layer.valueSize, configuration.embeddingSize, name: "l\(i).attn_output")
  }

  /// Projects and shows the result as heads: [tokens, heads, size].
  private mutating func project(_ x: TensorID, _ i: Int, _ name: String, _ heads: Int, _ size: Int) throws(BackplaneError) -> TensorID {
    let flat = try linear(x, "blk.\(i).\(name)", configuration.embeddingSize, heads * size, needsBias: family == .qwen2, name: "l\(i).\(name)")
    return try builder.reshape(flat, shape: [0, heads, size], name: "l\(i).\(name).heads")
  }

  /// Turns heads by their positions, after normalising them where the family does.
  private mutating func turn(_ heads: TensorID, _ layer: ModelConfiguration.Layer, _ frequencies: TensorID, norm: String,
                             name: String) throws(BackplaneError) -> TensorID {
    let rope = layer.rope
    let interleaved = rope.isInterleaved ? 1 : 0
    var heads = heads
    if family.normalizesHeads {
      let weight = try weights.vector(norm + ".weight", layer.keySize, in: &builder)
      if options.fused {
        return try builder.rmsNormRope(heads, weight: weight, positions: inputs.positions, frequencies: frequencies, epsilon: configuration.epsilon,
                                       interleaved: interleaved, scale: rope.scale, name: name)
      }
      heads = try builder.rmsNorm(heads, weight: weight, epsilon: configuration.epsilon, name: name + "_norm")
    }
    return try builder.rotaryEmbedding(heads, positions: inputs.positions, frequencies: frequencies, interleaved: interleaved, scale: rope.scale,
                                       name: name)
  }

  private mutating func feedForward(_ layer: ModelConfiguration.Layer, _ i: Int, _ x: TensorID) throws(BackplaneError) -> TensorID {
    let d = configuration.embeddingSize, n = layer.feedForward
    let gate = try weights.matrix("blk.\(i).ffn_gate.weight", [n, d], in: &builder)
    let up = try weights.matrix("blk.\(i).ffn_up.weight", [n, d], in: &builder)
    let hidden: TensorID
    if options.fused {
      hidden = try builder.matmulGated(x, gate: gate, up: up, activation: family.activation, name: "l\(i).hidden")
    } else {
      let g = try builder.matmul(x, gate, name: "l\(i).ffn_gate")
      let u = try builder.matmul(x, up, name: "l\(i).ffn_up")
      hidden = try builder.gatedActivation(g, up: u, activation: family.activation, name: "l\(i).hidden")
    }
    return try linear(hidden, "blk.\(i).ffn_down", n, d, name: "l\(i).ffn_down")
  }

  // MARK: Pieces

  /// x · weightᵀ + bias, the bias where the file has one.
  private mutating func linear(_ x: TensorID, _ weight: String, _ inputs: Int, _ outputs: Int, needsBias: Bool = false,
                               name: String) throws(BackplaneError) -> TensorID {
    let matrix = try weights.matrix(weight + ".weight", [outputs, inputs], in: &builder)
    let bias = needsBias ? try weights.vector(weight + ".bias", outputs, in: &builder)
      : try weights.optionalVector(weight + ".bias", outputs, in: &builder)
    return try builder.matmul(x, matrix, bias: bias, name: name)
  }

  private mutating func norm(_ x: TensorID, _ weight: String, name: String) throws(BackplaneError) -> TensorID {
    let vector = try weights.vector(weight + ".weight", configuration.embeddingSize, in: &builder)
    return try builder.rmsNorm(x, weight: vector, epsilon: configuration.epsilon, name: name)
  }

  /// Adds what is pending to the residual stream, and normalises the sum.
  private mutating func normalize(_ stream: inout Stream, weight: String, name: String) throws(BackplaneError) -> TensorID {
    if options.fused, let pending = stream.pending {
      let vector = try weights.vector(weight + ".weight", configuration.embeddingSize, in: &builder)
      let made = try builder.addRmsNorm(pending, residual: stream.residual, weight: vector, epsilon: configuration.epsilon, name: name)
      stream = Stream(residual: made.sum)
      return made.y
    }
    let sum = try settle(&stream, name: name + ".sum")
    return try norm(sum, weight, name: name)
  }

  private mutating func settle(_ stream: inout Stream, name: String) throws(BackplaneError) -> TensorID {
    if let pending = stream.pending { stream = Stream(residual: try builder.add(pending, stream.residual, name: name)) }
    return stream.residual
  }

  /// The table of a rope, one for all layers that share it.
  private mutating func frequencies(_ rope: ModelConfiguration.Rope) throws(BackplaneError) -> TensorID {
    // Llama 3's frequency factors lie in a tensor of their own.
    let divisors = family == .llama ? try weights.values("rope_freqs.weight", rope.dimensions / 2) : nil
    if let bad = divisors?.first(where: { !($0 > 0 && $0.isFinite) }) {
      throw BackplaneError(.file, "tensor rope_freqs.weight holds \(bad); positive numbers are wanted", subject: weights.file.path,
                           hint: "convert the model again with a current converter")
    }
    return weights.computed("rope.\(rope.base).\(rope.factor).\(rope.dimensions)", rope.frequencies(divisors: divisors), in: &builder)
  }
}
