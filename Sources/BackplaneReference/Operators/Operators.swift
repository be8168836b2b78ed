import BackplaneCore

/// Every operator that the oracle computes itself. Composed ones run the composition of their spec.
enum Operators {
  static let all: [String: any ReferenceOperator] = Unary.operators.merging(Binary.operators) { a, _ in a }.merging(Movement.operators) { a, _ in a }
    .merging([
      "argmax": Argmax(),
      "attention": Attention(),
      "cast": Cast(),
      "dequantize": Dequantize(),
      "gated_activation": GatedActivation(),
      "gather": Gather(),
      "layer_norm": LayerNorm(),
      "matmul": Matmul(),
      "reduce_max": Reduce(function: .max),
      "reduce_mean": Reduce(function: .mean),
      "reduce_sum": Reduce(function: .sum),
      "rms_norm": RmsNorm(),
      "rotary_embedding": RotaryEmbedding(),
      "softmax": Softmax(),
      "tensor_scatter": TensorScatter(),
    ]) { a, _ in a }
}
