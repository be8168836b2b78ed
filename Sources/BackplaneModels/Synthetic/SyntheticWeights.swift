/// Draws a synthetic model's weights.
///
/// Projections have variance 1/inputs, so that activations keep their size; what a layer adds to the residual stream is about as
/// large as the embedding, so that predictions depend on the context and not on the last token alone.
struct SyntheticWeights {
  private var state: UInt64

  init(seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 ^ 0x6261_636b_706c_616e }

  mutating func add(_ sizes: SyntheticModel.Sizes, to writer: inout GGUFWriter) {
    let d = sizes.embedding, q = sizes.heads * sizes.headSize, kv = sizes.keyHeads * sizes.headSize
    let isGemma = sizes.architecture == .gemma3
    // Gemma multiplies embeddings by sqrt(d).
    let embedding: Float = sizes.hasOutputHead ? 1 : (isGemma ? 1 : 2) / Float(d).squareRoot()
    matrix("token_embd.weight", [sizes.vocabulary.tokens.count, d], isGemma ? .q8_0 : .f16, deviation: embedding, to: &writer)
    norm("output_norm.weight", d, around: isGemma ? 2 : 1, to: &writer)
    if sizes.hasOutputHead { projection("output.weight", d, sizes.vocabulary.tokens.count, .q8_0, gain: 2, to: &writer) }
    if sizes.architecture == .llama3 { factors(sizes.headSize / 2, to: &writer) }
    for layer in 0..<sizes.layers {
      func name(_ part: String) -> String { "blk.\(layer).\(part)" }
      // Formats alternate, so that every one meets every architecture.
      let narrow: ElementFormat = layer % 2 == 0 ? .q4_0 : .q5_0
      norm(name("attn_norm.weight"), d, to: &writer)
      projection(name("attn_q.weight"), d, q, narrow, gain: 1.5, to: &writer)
      projection(name("attn_k.weight"), d, kv, .q8_0, gain: 1.5, to: &writer)
      projection(name("attn_v.weight"), d, kv, layer % 2 == 0 ? .q8_0 : .f16, to: &writer)
      projection(name("attn_output.weight"), q, d, .q8_0, gain: 1.5, to: &writer)
      if sizes.architecture == .qwen2 {
        for (bias, count) in [("attn_q.bias", q), ("attn_k.bias", kv), ("attn_v.bias", kv)] {
          vector(name(bias), count, center: 0, spread: 0.3, to: &writer)
        }
      }
      if isGemma || sizes.architecture == .qwen3 {
        norm(name("attn_q_norm.weight"), sizes.headSize, to: &writer)
        norm(name("attn_k_norm.weight"), sizes.headSize, to: &writer)
      }
      norm(name("ffn_norm.weight"), d, to: &writer)
      projection(name("ffn_gate.weight"), d, sizes.feedForward, narrow, to: &writer)
      projection(name("ffn_up.weight"), d, sizes.feedForward, narrow, to: &writer)
      projection(name("ffn_down.weight"), sizes.feedForward, d, layer % 2 == 0 ? .q8_0 : .f32, gain: 1.5, to: &writer)
      if isGemma {
        norm(name("post_attention_norm.weight"), d, around: 1.5, to: &writer)
        norm(name("post_ffw_norm.weight"), d, around: 1.5, to: &writer)
      }
    }
  }

  private mutating func projection(_ name: String, _ inputs: Int, _ outputs: Int, _ format: ElementFormat, gain: Float = 1,
                                   to writer: inout GGUFWriter) {
    matrix(name, [outputs, inputs], format, deviation: gain / Float(inputs).squareRoot(), to: &writer)
  }

  private mutating func matrix(_ name: String, _ extents: [Int], _ format: ElementFormat, deviation: Float, to writer: inout GGUFWriter) {
    let values = uniform(extents.reduce(1, *), center: 0, spread: deviation * Float(3).squareRoot())
    writer.add(name, format, extents, bytes: BlockEncoder.encode(values, as: format))
  }

  private mutating func norm(_ name: String, _ count: Int, around center: Float = 1, to writer: inout GGUFWriter) {
    vector(name, count, center: center, spread: 0.25, to: &writer)
  }

  private mutating func vector(_ name: String, _ count: Int, center: Float, spread: Float, to writer: inout GGUFWriter) {
    writer.add(name, .f32, [count], bytes: BlockEncoder.encode(uniform(count, center: center, spread: spread), as: .f32))
  }

  /// Llama 3's frequency divisors: 1 for fast pairs, rising to 8 for slow ones.
  private mutating func factors(_ count: Int, to writer: inout GGUFWriter) {
    let values = (0..<count).map { 1 + 7 * Float(max(0, 2 * $0 - count)) / Float(count) }
    writer.add("rope_freqs.weight", .f32, [count], bytes: BlockEncoder.encode(values, as: .f32))
  }

  /// Numbers spread evenly over center ± spread (SplitMix64, 24 bits each).
  private mutating func uniform(_ count: Int, center: Float, spread: Float) -> [Float] {
    var state = state
    defer { self.state = state }
    return [Float](filling: count) { buffer in
      var i = 0
      while i < count {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        z ^= z >> 31
        buffer[i] = center + spread * (Float(Int32(truncatingIfNeeded: z >> 40)) * 0x1p-23 - 1)
        i += 1
      }
    }
  }
}
