import BackplaneCore

/// Every operator that the oracle computes itself. Composed ones run the composition of their spec.
enum Operators {
  static let all: [String: any ReferenceOperator] = Unary.operators.merging(Binary.operators) { a, _ in a }.merging(Movement.operators) { a, _ in a }
    .merging(Compare.operators) { a, _ in a }
    .merging([
      "argmax": Argmax(),
      "attention": Attention(),
      "cast": Cast(),
      "cumsum": Cumsum(),
      "dequantize": Dequantize(),
      "dequantize_linear": DequantizeLinear(),
      "dynamic_quantize": DynamicQuantize(),
      "gated_activation": GatedActivation(),
      "gather": Gather(),
      "layer_norm": LayerNorm(),
      "matmul": Matmul(),
      "matmul_integer": MatmulInteger(),
      "merge_attention": MergeAttention(),
      "qlinear_matmul": QlinearMatmul(),
      "quantize_linear": QuantizeLinear(),
      "reduce_l2": Reduce(function: .norm),
      "reduce_max": Reduce(function: .max),
      "reduce_mean": Reduce(function: .mean),
      "reduce_min": Reduce(function: .min),
      "reduce_prod": Reduce(function: .product),
      "reduce_sum": Reduce(function: .sum),
      "rms_norm": RmsNorm(),
      "rotary_embedding": RotaryEmbedding(),
      "sample": Sample(),
      "softmax": Softmax(),
      "tensor_scatter": TensorScatter(),
      "topk": Topk(),
      "where": Where(),
    ]) { a, _ in a }
}
