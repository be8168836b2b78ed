// Generated from Specs/operators/*.json by `backplane generate`. Do not edit.

import BackplaneCore

extension OperatorSpec {
  /// In alphabetical order.
  static let generated: [OperatorSpec] = [
    spec_abs(), spec_add(), spec_add_rms_norm(), spec_argmax(), spec_attention(), spec_cast(), spec_ceil(), spec_clip(),
    spec_concat(), spec_cos(), spec_cumsum(), spec_dequantize(), spec_dequantize_linear(), spec_div(), spec_dynamic_quantize(),
    spec_elu(), spec_equal(), spec_erf(), spec_exp(), spec_expand(), spec_floor(), spec_gated_activation(), spec_gather(),
    spec_gelu(), spec_gelu_quick(), spec_greater(), spec_hardsigmoid(), spec_hardswish(), spec_layer_norm(), spec_leaky_relu(),
    spec_less(), spec_log(), spec_matmul(), spec_matmul_gated(), spec_matmul_integer(), spec_max(), spec_merge_attention(),
    spec_min(), spec_mul(), spec_neg(), spec_norm_matmul(), spec_pad(), spec_pow(), spec_qkv_rope_cache(), spec_qlinear_matmul(),
    spec_quantize_linear(), spec_reciprocal(), spec_reduce_l2(), spec_reduce_max(), spec_reduce_mean(), spec_reduce_min(),
    spec_reduce_prod(), spec_reduce_sum(), spec_relu(), spec_relu_squared(), spec_reshape(), spec_rms_norm(),
    spec_rms_norm_rope(), spec_rotary_embedding(), spec_round(), spec_rsqrt(), spec_sample(), spec_scale(), spec_sigmoid(),
    spec_sign(), spec_silu(), spec_sin(), spec_slice(), spec_softcap(), spec_softmax(), spec_softplus(), spec_sqrt(),
    spec_square(), spec_sub(), spec_tanh(), spec_tensor_scatter(), spec_topk(), spec_transpose(), spec_where()
  ]
}

private func spec_abs() -> OperatorSpec {
  OperatorSpec(
    "abs", version: 1, level: .core, tier: 1, summary: "Computes |x| for each element.",
    inputs: [
      Operand("x", ["@float"], "..."),
    ],
    outputs: [
      Operand("y", ["=x"], "...", inPlace: "x"),
    ],
    semantics: [
      "y = |x|",
    ],
    numerics: NumericsSpec(.exact),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"],
    conformance: ConformanceSpec(metamorphic: ["scale_pow2"]))
}

private func spec_add() -> OperatorSpec {
  OperatorSpec(
    "add", version: 1, level: .core, tier: 1, summary: "Computes a + b for each element, broadcasting.",
    inputs: [
      Operand("a", ["@float", "i32"], "..*"),
      Operand("b", ["=a"], "..*"),
    ],
    outputs: [
      Operand("y", ["=a"], "..*", inPlace: "a"),
    ],
    semantics: [
      "y = a + b; extents are equal or 1, missing leading dimensions count as 1",
      "integers wrap; division truncates towards 0, by zero gives 0",
    ],
    numerics: NumericsSpec(.rounding, roundings: 1),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"])
}

private func spec_add_rms_norm() -> OperatorSpec {
  OperatorSpec(
    "add_rms_norm", version: 1, level: .llm, tier: 1, summary: "Adds a residual and normalises the sum.",
    inputs: [
      Operand("x", ["@float"], "... n"),
      Operand("residual", ["=x"], "... n"),
      Operand("weight", ["f32"], "n", optional: true),
    ],
    outputs: [
      Operand("y", ["=x"], "... n"),
      Operand("sum", ["=x"], "... n", inPlace: "residual"),
    ],
    attributes: [
      AttributeSpec("epsilon", .float, default: .float(1e-06), minimum: 0.0, text: "As rms_norm."),
      AttributeSpec("weight_offset", .float, default: .float(0.0), text: "As rms_norm."),
    ],
    constraints: [
      OperatorSpec.Constraint("C1", "n >= 1", text: "a row has at least one element"),
    ],
    semantics: [
      "sum = x + residual; y = rms_norm(sum, weight)",
    ],
    composition: [
      OperatorSpec.CompositionStep("add", ["x", "residual"], ["sum"]),
      OperatorSpec.CompositionStep("rms_norm", ["sum", "weight"], ["y"], [("epsilon", .attribute("epsilon")), ("weight_offset", .attribute("weight_offset"))]),
    ],
    numerics: NumericsSpec(.composition),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"],
    conformance: ConformanceSpec(extents: [("n", [1, 2, 3, 7, 8, 16, 31, 33, 64, 127, 257, 640])],
      attributes: [("epsilon", [.float(1e-06), .float(0.001)]), ("weight_offset", [.float(0.0), .float(1.0), .float(0.3)])],
      metamorphic: ["fused"]))
}

private func spec_argmax() -> OperatorSpec {
  OperatorSpec(
    "argmax", version: 1, level: .core, tier: 1, summary: "Index of the largest element along the last dimension.",
    inputs: [
      Operand("x", ["@float"], "... n"),
    ],
    outputs: [
      Operand("y", ["i32"], "..."),
    ],
    constraints: [
      OperatorSpec.Constraint("C1", "n >= 1", text: "the axis is not empty"),
    ],
    semantics: [
      "y = the lowest index j with x[..., j] = max; NaN counts as larger than everything",
    ],
    numerics: NumericsSpec(.exact),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"],
    conformance: ConformanceSpec(extents: [("n", [1, 2, 3, 7, 8, 16, 31, 33, 64, 127, 257, 1057])],
      data: ["normal", "int", "constant", "allpos", "negzero", "nan", "inf", "ramp", "last", "huge"]))
}

private func spec_attention() -> OperatorSpec {
  OperatorSpec(
    "attention", version: 1, level: .llm, tier: 1, summary: "Scaled dot-product attention with grouped heads: one operator for prefill and decode.",
    inputs: [
      Operand("q", ["@float"], "... T H D"),
      Operand("k", ["f32", "f16", "bf16", "q8_0", "q4_0"], "... S G D"),
      Operand("v", ["f32", "f16", "bf16", "q8_0", "q4_0"], "... S G E"),
      Operand("mask", ["f32", "f16", "bool"], "T S", optional: true),
      Operand("sinks", ["f32"], "H", optional: true),
      Operand("alibi_slopes", ["f32"], "H", optional: true),
    ],
    outputs: [
      Operand("y", ["=q"], "... T H E"),
      Operand("lse", ["f32"], "... T H", optional: true),
    ],
    attributes: [
      AttributeSpec("scale", .float, default: .float(0.0), text: "Of the scores; 0 means 1/sqrt(D)."),
      AttributeSpec("causal", .int, default: .int(0), values: [.int(0), .int(1)], text: "1: query t sees keys j <= t + S - T (bottom-right aligned)."),
      AttributeSpec("window", .int, default: .int(0), minimum: 0.0, text: "With w > 0, query t sees keys j > t + S - T - w only."),
      AttributeSpec("softcap", .float, default: .float(0.0), minimum: 0.0, text: "With c > 0, scores become c * tanh(score / c), before masks."),
    ],
    constraints: [
      OperatorSpec.Constraint("C1", "H % G == 0", text: "each key head serves a whole group of query heads"),
      OperatorSpec.Constraint("C2", "D % block(k) == 0 && E % block(v) == 0", text: "a head is whole blocks of the cache's format"),
      OperatorSpec.Constraint("C3", "D >= 1", text: "a head has at least one element"),
    ],
    semantics: [
      "s[t, h, j] = softcap(scale * q[t, h, :] . k[j, h / (H/G), :]) + mask[t, j] + alibi_slopes[h] * (j - (t + S - T))",
      "a bool mask keeps where true",
      "p = softmax over visible j, with exp(sinks[h]) added to the denominator",
      "y[t, h, :] = sum_j p[t, h, j] * v[j, h / (H/G), :]; a row that sees no key is 0",
      "lse[t, h] = log(sum_j exp(s) + exp(sinks[h])); -infinity for a row that sees nothing",
    ],
    numerics: NumericsSpec(.attention, accumulate: "f32", declares: ["operand_round", "p_round", "act_block"]),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"],
    conformance: ConformanceSpec(leading: [[], [1], [2]],
      extents: [("T", [1, 2, 7, 17, 33]), ("H", [1, 3, 6, 8, 12]), ("D", [1, 20, 32, 64, 80, 128]), ("G", [1, 2, 3, 4]), ("S", [1, 2, 7, 31, 33, 64, 129]), ("E", [1, 20, 32, 64, 96])],
      attributes: [("scale", [.float(0.0), .float(0.1)]), ("window", [.int(0), .int(1), .int(5), .int(40)]), ("softcap", [.float(0.0), .float(30.0)])],
      data: ["normal", "outlier", "ramp", "huge", "constant", "saturate", "saturate_nan", "zero_query", "nan", "inf", "sparse", "denormal", "masked_huge"],
      operands: [("mask", "mask"), ("sinks", "normal"), ("alibi_slopes", "slopes")],
      exact: ["saturate"],
      metamorphic: ["kv_permutation", "gqa_repeat", "decode_rows", "padding_keys", "chunked_prefill", "value_scale_pow2"],
      require: ["attention/q=f32.1x2x8x32/k=f16.1x31x4x32/v=q8_0.1x31x4x96/alibi_slopes=f32.8/scale=0.125/causal=1/window=5/data=inf/mem=strided"]))
}

private func spec_cast() -> OperatorSpec {
  OperatorSpec(
    "cast", version: 1, level: .core, tier: 1, summary: "Converts elements to another plain format.",
    inputs: [
      Operand("x", ["f32", "f16", "bf16", "i8", "u8", "i32", "i64", "bool"], "..."),
    ],
    outputs: [
      Operand("y", ["f32", "f16", "bf16", "i8", "u8", "i32", "i64", "bool"], "...", formatAttribute: "to"),
    ],
    attributes: [
      AttributeSpec("to", .string, default: .string("f32"), values: [.string("f32"), .string("f16"), .string("bf16"), .string("i8"), .string("u8"), .string("i32"), .string("i64"), .string("bool")], text: "Format of y."),
    ],
    semantics: [
      "float to float: round to nearest, ties to even; beyond the range becomes infinity",
      "float to integer: truncate, saturate at the range, NaN gives 0",
      "integer to integer: saturate at the range; integer to float: as float to float",
      "to bool: 1 where x is not 0",
    ],
    numerics: NumericsSpec(.exact),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"],
    conformance: ConformanceSpec(data: ["normal", "huge", "special", "int", "negzero", "denormal", "ties", "nan", "inf", "overflow", "constant"],
      cross: ["x", "to", "data"]))
}

private func spec_ceil() -> OperatorSpec {
  OperatorSpec(
    "ceil", version: 1, level: .core, tier: 1, summary: "Rounds each element up to an integer.",
    inputs: [
      Operand("x", ["@float"], "..."),
    ],
    outputs: [
      Operand("y", ["=x"], "...", inPlace: "x"),
    ],
    semantics: [
      "y = the smallest integer that is not below x",
    ],
    numerics: NumericsSpec(.exact),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"],
    conformance: ConformanceSpec(data: ["normal", "wide", "halves", "int", "huge", "overflow", "denormal", "negzero", "nan", "inf", "constant"]))
}

private func spec_clip() -> OperatorSpec {
  OperatorSpec(
    "clip", version: 1, level: .core, tier: 1, summary: "Limits elements to a range.",
    inputs: [
      Operand("x", ["@float"], "..."),
    ],
    outputs: [
      Operand("y", ["=x"], "...", inPlace: "x"),
    ],
    attributes: [
      AttributeSpec("minimum", .float, default: .float(-3.4028234663852886e+38), text: "Lower limit."),
      AttributeSpec("maximum", .float, default: .float(3.4028234663852886e+38), text: "Upper limit."),
    ],
    constraints: [
      OperatorSpec.Constraint("C1", "minimum <= maximum", text: "the range is not empty"),
    ],
    semantics: [
      "y = min(max(x, minimum), maximum); NaN stays NaN",
    ],
    numerics: NumericsSpec(.exact),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"],
    conformance: ConformanceSpec(attributes: [("minimum", [.float(-3.4028234663852886e+38), .float(-1.1), .float(0.0)]), ("maximum", [.float(3.4028234663852886e+38), .float(0.7), .float(6.0)])]))
}

private func spec_concat() -> OperatorSpec {
  OperatorSpec(
    "concat", version: 1, level: .core, tier: 1, summary: "Joins tensors along one dimension.",
    inputs: [
      Operand("inputs", ["@any"], "?", variadic: true),
    ],
    outputs: [
      Operand("y", ["=inputs"], "?"),
    ],
    attributes: [
      AttributeSpec("axis", .int, default: .int(0), text: "Dimension to join along; negative counts from the end."),
    ],
    constraints: [
      OperatorSpec.Constraint("C1", "rank(inputs) >= 1", text: "a scalar has no dimension to join along"),
    ],
    semantics: [
      "y is the operands, one after the other along the axis; all other extents are equal",
    ],
    shapeRule: .concat,
    numerics: NumericsSpec(.exact),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"],
    conformance: ConformanceSpec(shapes: [[[3], [4]], [[7]], [[3, 5], [3, 5]], [[1, 17], [32, 17], [3, 17]], [[2, 3, 4], [2, 3, 4]], [[3, 2], [3, 5], [3, 1]], [[2, 256], [5, 256]], [[2, 256], [2, 512]], [[2, 1, 3], [2, 4, 3]]],
      attributes: [("axis", [.int(0), .int(-1), .int(1)])]))
}

private func spec_cos() -> OperatorSpec {
  OperatorSpec(
    "cos", version: 1, level: .core, tier: 1, summary: "Computes cos x, |x| <= 2^13 for each element.",
    inputs: [
      Operand("x", ["@float"], "..."),
    ],
    outputs: [
      Operand("y", ["=x"], "...", inPlace: "x"),
    ],
    semantics: [
      "y = cos x, |x| <= 2^13",
    ],
    numerics: NumericsSpec(.ulpAbsolute, ulp: 4),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"])
}

private func spec_cumsum() -> OperatorSpec {
  OperatorSpec(
    "cumsum", version: 1, level: .core, tier: 1, summary: "Running sums along a dimension.",
    inputs: [
      Operand("x", ["@float", "i32"], "..."),
    ],
    outputs: [
      Operand("y", ["=x"], "...", inPlace: "x"),
    ],
    attributes: [
      AttributeSpec("axis", .int, default: .int(-1), text: "The dimension; negative counts from the end."),
      AttributeSpec("exclusive", .int, default: .int(0), values: [.int(0), .int(1)], text: "1: the sum of what comes before, without the element itself."),
      AttributeSpec("reverse", .int, default: .int(0), values: [.int(0), .int(1)], text: "1: from the end of the dimension."),
    ],
    constraints: [
      OperatorSpec.Constraint("C1", "axis >= -rank(x) && axis < rank(x)", text: "x has that dimension"),
    ],
    semantics: [
      "y[i] = sum of x[j] for j <= i (j < i when exclusive; j >= i, j > i when reverse)",
      "integers wrap",
    ],
    numerics: NumericsSpec(.sum),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"],
    conformance: ConformanceSpec(attributes: [("axis", [.int(-1), .int(0), .int(1), .int(-2)])],
      exact: ["int"],
      metamorphic: ["scale_pow2"]))
}

private func spec_dequantize() -> OperatorSpec {
  OperatorSpec(
    "dequantize", version: 1, level: .core, tier: 1, summary: "Decodes a block format.",
    inputs: [
      Operand("x", ["@block"], "... n"),
    ],
    outputs: [
      Operand("y", ["f32", "f16", "bf16"], "... n", formatAttribute: "to"),
    ],
    attributes: [
      AttributeSpec("to", .string, default: .string("f32"), values: [.string("f32"), .string("f16"), .string("bf16")], text: "Format of y."),
    ],
    constraints: [
      OperatorSpec.Constraint("C1", "n % block(x) == 0", text: "a row is whole blocks"),
    ],
    semantics: [
      "y = decode(x), computed in f32 as the format's page says, then rounded to y's format",
    ],
    numerics: NumericsSpec(.exact),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"],
    conformance: ConformanceSpec(leading: [[], [1], [3], [2, 5]],
      extents: [("n", [1, 33, 257, 513])]))
}

private func spec_dequantize_linear() -> OperatorSpec {
  OperatorSpec(
    "dequantize_linear", version: 1, level: .core, tier: 1, summary: "Turns 8-bit or 32-bit integers into floats with given scales and zero points.",
    inputs: [
      Operand("x", ["i8", "u8", "i32"], "..."),
      Operand("scale", ["f32"], "..*"),
      Operand("zero_point", ["i8", "u8", "i32"], "..*", optional: true),
    ],
    outputs: [
      Operand("y", ["f32", "f16", "bf16"], "...", formatAttribute: "to"),
    ],
    attributes: [
      AttributeSpec("to", .string, default: .string("f32"), values: [.string("f32"), .string("f16"), .string("bf16")], text: "Format of y."),
    ],
    semantics: [
      "y = (x - zero_point) scale; scale and zero_point broadcast to x: [] for the tensor, [n] or [m, 1] for an axis",
    ],
    numerics: NumericsSpec(.rounding, roundings: 2),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"],
    conformance: ConformanceSpec(operands: [("scale", "scales"), ("zero_point", "zero_points")]))
}

private func spec_div() -> OperatorSpec {
  OperatorSpec(
    "div", version: 1, level: .core, tier: 1, summary: "Computes a / b for each element, broadcasting.",
    inputs: [
      Operand("a", ["@float", "i32"], "..*"),
      Operand("b", ["=a"], "..*"),
    ],
    outputs: [
      Operand("y", ["=a"], "..*", inPlace: "a"),
    ],
    semantics: [
      "y = a / b; extents are equal or 1, missing leading dimensions count as 1",
      "integers wrap; division truncates towards 0, by zero gives 0",
    ],
    numerics: NumericsSpec(.rounding, roundings: 1),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"])
}

private func spec_dynamic_quantize() -> OperatorSpec {
  OperatorSpec(
    "dynamic_quantize", version: 1, level: .core, tier: 1, summary: "Quantises with scales taken from the data.",
    inputs: [
      Operand("x", ["@float"], "... n"),
    ],
    outputs: [
      Operand("y", ["i8", "u8", "q8_0"], "... n", formatAttribute: "to"),
      Operand("scale", ["f32"], "... 1", optional: true, shapeWhen: [("to == 'u8'", "1")]),
      Operand("zero_point", ["u8"], "... 1", optional: true, shapeWhen: [("to == 'u8'", "1")]),
    ],
    attributes: [
      AttributeSpec("to", .string, default: .string("i8"), values: [.string("i8"), .string("u8"), .string("q8_0")], text: "i8: symmetric, a scale a row; u8: asymmetric, one scale; q8_0: blocks with their scales."),
    ],
    constraints: [
      OperatorSpec.Constraint("C1", "n % block(y) == 0", text: "a row is whole blocks of y's format"),
    ],
    semantics: [
      "x is near (decode(y) - zero_point) scale",
      "i8: scale = max |x| of the row / 127, y = round(x / scale), zero_point = 0",
      "u8: with lo = min(0, min x), hi = max(0, max x): scale = (hi - lo) / 255, zero_point = round(-lo / scale), y = saturate(round(x / scale) + zero_point)",
      "a range of 0 has scale 1; i8 and u8 are computed in f32, rounded to nearest, ties to even; within 3 ulp of a tie that is not exact a kernel may take either side",
      "q8_0: d = max |x| / 127, y = x (1 / d) rounded to nearest, ties away from zero, bit for bit in f32, 0 where that is not finite (d so small that 1 / d overflows); scale = 1, zero_point = 0",
    ],
    numerics: NumericsSpec(.quantize),
    specialValues: ["nan": "nothing is promised for what shares its scale", "inf": "nothing is promised for what shares its scale", "empty": "an extent of 0 gives an empty result"],
    conformance: ConformanceSpec(data: ["normal", "int", "allpos", "outlier", "cancel", "ramp", "huge", "denormal", "overflow", "negzero", "nan", "inf", "constant", "last", "sparse", "halves"]))
}

private func spec_elu() -> OperatorSpec {
  OperatorSpec(
    "elu", version: 1, level: .core, tier: 1, summary: "Exponential linear unit.",
    inputs: [
      Operand("x", ["@float"], "..."),
    ],
    outputs: [
      Operand("y", ["=x"], "...", inPlace: "x"),
    ],
    attributes: [
      AttributeSpec("alpha", .float, default: .float(1.0), text: "Limit at -infinity, negated."),
    ],
    semantics: [
      "y = x for x > 0, else alpha (exp(x) - 1)",
      "the error for x < 0 may be 4 ulp of alpha: exp(x) - 1 cancels",
    ],
    numerics: NumericsSpec(.ulpAbsolute, ulp: 4),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"],
    conformance: ConformanceSpec(attributes: [("alpha", [.float(1.0), .float(0.7)])]))
}

private func spec_equal() -> OperatorSpec {
  OperatorSpec(
    "equal", version: 1, level: .core, tier: 1, summary: "Says for each element whether a equals b, broadcasting.",
    inputs: [
      Operand("a", ["@float", "i32", "i64"], "..*"),
      Operand("b", ["=a"], "..*"),
    ],
    outputs: [
      Operand("y", ["bool"], "..*"),
    ],
    semantics: [
      "y = a = b; extents are equal or 1, missing leading dimensions count as 1",
      "a comparison with NaN is false",
    ],
    numerics: NumericsSpec(.exact),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"],
    conformance: ConformanceSpec(data: ["normal", "int", "constant", "negzero", "nan", "inf", "huge", "sparse"]))
}

private func spec_erf() -> OperatorSpec {
  OperatorSpec(
    "erf", version: 1, level: .core, tier: 1, summary: "Computes erf x for each element.",
    inputs: [
      Operand("x", ["@float"], "..."),
    ],
    outputs: [
      Operand("y", ["=x"], "...", inPlace: "x"),
    ],
    semantics: [
      "y = erf x",
    ],
    numerics: NumericsSpec(.ulp, ulp: 5),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"])
}

private func spec_exp() -> OperatorSpec {
  OperatorSpec(
    "exp", version: 1, level: .core, tier: 1, summary: "Computes e^x for each element.",
    inputs: [
      Operand("x", ["@float"], "..."),
    ],
    outputs: [
      Operand("y", ["=x"], "...", inPlace: "x"),
    ],
    semantics: [
      "y = e^x",
    ],
    numerics: NumericsSpec(.ulp, ulp: 3),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"])
}

private func spec_expand() -> OperatorSpec {
  OperatorSpec(
    "expand", version: 1, level: .core, tier: 1, summary: "Repeats dimensions of extent 1.",
    inputs: [
      Operand("x", ["@plain"], "?"),
    ],
    outputs: [
      Operand("y", ["=x"], "?"),
    ],
    attributes: [
      AttributeSpec("shape", .ints, default: .ints([]), text: "Extents to broadcast with; -1 or 1 keeps x's own."),
    ],
    semantics: [
      "y = x broadcast with shape, as in a sum: extents are equal or 1, missing leading dimensions count as 1",
    ],
    shapeRule: .expand,
    numerics: NumericsSpec(.exact),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"],
    conformance: ConformanceSpec(shapes: [[[1]], [[7]], [[3, 1]], [[1, 5]], [[2, 1, 4]], [[]], [[33, 17]]],
      attributes: [("shape", [.ints([7]), .ints([3, 5]), .ints([2, 3, 4]), .ints([2, 3, 7]), .ints([33, 17]), .ints([1]), .ints([])])]))
}

private func spec_floor() -> OperatorSpec {
  OperatorSpec(
    "floor", version: 1, level: .core, tier: 1, summary: "Rounds each element down to an integer.",
    inputs: [
      Operand("x", ["@float"], "..."),
    ],
    outputs: [
      Operand("y", ["=x"], "...", inPlace: "x"),
    ],
    semantics: [
      "y = the largest integer that is not above x",
    ],
    numerics: NumericsSpec(.exact),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"],
    conformance: ConformanceSpec(data: ["normal", "wide", "halves", "int", "huge", "overflow", "denormal", "negzero", "nan", "inf", "constant"]))
}

private func spec_gated_activation() -> OperatorSpec {
  OperatorSpec(
    "gated_activation", version: 1, level: .llm, tier: 1, summary: "Activates a gate and multiplies it with a second stream (GLU).",
    inputs: [
      Operand("gate", ["@float"], "..."),
      Operand("up", ["=gate"], "..."),
    ],
    outputs: [
      Operand("y", ["=gate"], "...", inPlace: "gate"),
    ],
    attributes: [
      AttributeSpec("activation", .string, default: .string("swiglu"), values: [.string("swiglu"), .string("geglu_tanh"), .string("geglu_erf"), .string("reglu")], text: "Activation of the gate."),
    ],
    semantics: [
      "y = act(gate) * up with act silu, gelu_tanh, gelu_erf, relu",
    ],
    numerics: NumericsSpec(.ulp, ulp: 7),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"])
}

private func spec_gather() -> OperatorSpec {
  OperatorSpec(
    "gather", version: 1, level: .core, tier: 1, summary: "Takes rows of a table, decoding and scaling them.",
    inputs: [
      Operand("table", ["@float", "@block"], "V n"),
      Operand("indices", ["i32", "i64"], "..."),
    ],
    outputs: [
      Operand("y", ["f32", "f16", "bf16"], "... n", formatAttribute: "to"),
    ],
    attributes: [
      AttributeSpec("scale", .float, default: .float(1.0), text: "Multiplies every element."),
      AttributeSpec("to", .string, default: .string("f32"), values: [.string("f32"), .string("f16"), .string("bf16")], text: "Format of y."),
    ],
    constraints: [
      OperatorSpec.Constraint("C1", "n % block(table) == 0", text: "a row is whole blocks"),
    ],
    semantics: [
      "y[..., j] = scale * decode(table)[indices[...], j]",
      "an index outside 0 … V-1 gives a row of zeros",
    ],
    numerics: NumericsSpec(.rounding, roundings: 2),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"],
    conformance: ConformanceSpec(leading: [[], [1], [7], [3, 5]],
      extents: [("V", [1, 2, 33, 257]), ("n", [1, 7, 33, 64, 256])],
      attributes: [("scale", [.float(1.0), .float(0.5), .float(33.94112777709961)])],
      operands: [("indices", "indices")]))
}

private func spec_gelu() -> OperatorSpec {
  OperatorSpec(
    "gelu", version: 1, level: .core, tier: 1, summary: "Gaussian error linear unit.",
    inputs: [
      Operand("x", ["@float"], "..."),
    ],
    outputs: [
      Operand("y", ["=x"], "...", inPlace: "x"),
    ],
    attributes: [
      AttributeSpec("approximate", .string, default: .string("none"), values: [.string("none"), .string("tanh")], text: "none: x/2 (1 + erf(x/sqrt 2)); tanh: x/2 (1 + tanh(sqrt(2/pi)(x + 0.044715 x^3)))."),
    ],
    semantics: [
      "y as the attribute says",
    ],
    numerics: NumericsSpec(.ulp, ulp: 6),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"])
}

private func spec_gelu_quick() -> OperatorSpec {
  OperatorSpec(
    "gelu_quick", version: 1, level: .core, tier: 1, summary: "Gaussian error linear unit by a sigmoid.",
    inputs: [
      Operand("x", ["@float"], "..."),
    ],
    outputs: [
      Operand("y", ["=x"], "...", inPlace: "x"),
    ],
    semantics: [
      "y = x / (1 + exp(-1.702 x))",
      "6 ulp, and 2 |1.702 x| roundings for the argument of exp",
    ],
    numerics: NumericsSpec(.ulp, ulp: 6),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"])
}

private func spec_greater() -> OperatorSpec {
  OperatorSpec(
    "greater", version: 1, level: .core, tier: 1, summary: "Says for each element whether a is greater than b, broadcasting.",
    inputs: [
      Operand("a", ["@float", "i32", "i64"], "..*"),
      Operand("b", ["=a"], "..*"),
    ],
    outputs: [
      Operand("y", ["bool"], "..*"),
    ],
    semantics: [
      "y = a > b; extents are equal or 1, missing leading dimensions count as 1",
      "a comparison with NaN is false",
    ],
    numerics: NumericsSpec(.exact),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"],
    conformance: ConformanceSpec(data: ["normal", "int", "constant", "negzero", "nan", "inf", "huge", "sparse"]))
}

private func spec_hardsigmoid() -> OperatorSpec {
  OperatorSpec(
    "hardsigmoid", version: 1, level: .core, tier: 1, summary: "Sigmoid by a straight line.",
    inputs: [
      Operand("x", ["@float"], "..."),
    ],
    outputs: [
      Operand("y", ["=x"], "...", inPlace: "x"),
    ],
    attributes: [
      AttributeSpec("alpha", .float, default: .float(0.2), text: "Slope."),
      AttributeSpec("beta", .float, default: .float(0.5), text: "Value at 0."),
    ],
    semantics: [
      "y = max(0, min(1, alpha x + beta))",
    ],
    numerics: NumericsSpec(.rounding, roundings: 3),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"],
    conformance: ConformanceSpec(attributes: [("alpha", [.float(0.2), .float(0.1666666716337204)]), ("beta", [.float(0.5), .float(0.0), .float(0.3)])]))
}

private func spec_hardswish() -> OperatorSpec {
  OperatorSpec(
    "hardswish", version: 1, level: .core, tier: 1, summary: "Swish by a straight line.",
    inputs: [
      Operand("x", ["@float"], "..."),
    ],
    outputs: [
      Operand("y", ["=x"], "...", inPlace: "x"),
    ],
    semantics: [
      "y = x max(0, min(1, x/6 + 1/2))",
    ],
    numerics: NumericsSpec(.rounding, roundings: 4),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"])
}

private func spec_layer_norm() -> OperatorSpec {
  OperatorSpec(
    "layer_norm", version: 1, level: .llm, tier: 1, summary: "Centres and scales each row to unit variance.",
    inputs: [
      Operand("x", ["@float"], "... n"),
      Operand("weight", ["f32"], "n", optional: true),
      Operand("bias", ["f32"], "n", optional: true),
    ],
    outputs: [
      Operand("y", ["=x"], "... n", inPlace: "x"),
    ],
    attributes: [
      AttributeSpec("epsilon", .float, default: .float(1e-05), minimum: 0.0, text: "Added to the variance."),
    ],
    constraints: [
      OperatorSpec.Constraint("C1", "n >= 1", text: "a row has at least one element"),
    ],
    semantics: [
      "y = (x - mean(x)) / sqrt(var(x) + epsilon) * weight + bias, var without Bessel's correction",
    ],
    numerics: NumericsSpec(.layerNorm, statistics: "f32"),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"],
    conformance: ConformanceSpec(extents: [("n", [1, 2, 3, 7, 8, 16, 31, 33, 64, 127, 257, 640, 1057])],
      attributes: [("epsilon", [.float(1e-05), .float(0.001)])],
      data: ["int", "allpos", "normal", "outlier", "cancel", "ramp", "offset", "denormal", "constant", "last", "sparse", "nan", "inf"],
      metamorphic: ["rows_alone"]))
}

private func spec_leaky_relu() -> OperatorSpec {
  OperatorSpec(
    "leaky_relu", version: 1, level: .core, tier: 1, summary: "Leaky rectified linear unit.",
    inputs: [
      Operand("x", ["@float"], "..."),
    ],
    outputs: [
      Operand("y", ["=x"], "...", inPlace: "x"),
    ],
    attributes: [
      AttributeSpec("alpha", .float, default: .float(0.01), text: "Slope for x < 0."),
    ],
    semantics: [
      "y = x for x >= 0, else alpha x",
    ],
    numerics: NumericsSpec(.rounding, roundings: 2),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"],
    conformance: ConformanceSpec(attributes: [("alpha", [.float(0.01), .float(0.25), .float(-1.0), .float(1.3)])]))
}

private func spec_less() -> OperatorSpec {
  OperatorSpec(
    "less", version: 1, level: .core, tier: 1, summary: "Says for each element whether a is less than b, broadcasting.",
    inputs: [
      Operand("a", ["@float", "i32", "i64"], "..*"),
      Operand("b", ["=a"], "..*"),
    ],
    outputs: [
      Operand("y", ["bool"], "..*"),
    ],
    semantics: [
      "y = a < b; extents are equal or 1, missing leading dimensions count as 1",
      "a comparison with NaN is false",
    ],
    numerics: NumericsSpec(.exact),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"],
    conformance: ConformanceSpec(data: ["normal", "int", "constant", "negzero", "nan", "inf", "huge", "sparse"]))
}

private func spec_log() -> OperatorSpec {
  OperatorSpec(
    "log", version: 1, level: .core, tier: 1, summary: "Computes ln x for each element.",
    inputs: [
      Operand("x", ["@float"], "..."),
    ],
    outputs: [
      Operand("y", ["=x"], "...", inPlace: "x"),
    ],
    semantics: [
      "y = ln x",
    ],
    numerics: NumericsSpec(.ulp, ulp: 3),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"])
}

private func spec_matmul() -> OperatorSpec {
  OperatorSpec(
    "matmul", version: 1, level: .core, tier: 1, summary: "Multiplies matrices, weights in any format, with optional bias, activation and residual.",
    inputs: [
      Operand("a", ["@float"], "..* M K"),
      Operand("b", ["@float", "@block"], "..* N K", shapeWhen: [("transpose_b == 0", "..* K N")]),
      Operand("bias", ["f32"], "N", optional: true),
      Operand("residual", ["=a"], "..* M N", optional: true),
    ],
    outputs: [
      Operand("y", ["=a"], "..* M N"),
    ],
    attributes: [
      AttributeSpec("transpose_b", .int, default: .int(1), values: [.int(0), .int(1)], text: "1: b is [N, K], as weights are stored; 0: b is [K, N]."),
      AttributeSpec("activation", .string, default: .string("none"), values: [.string("none"), .string("relu"), .string("silu"), .string("gelu_tanh"), .string("gelu_erf")], text: "Applied to the sum before the residual is added."),
    ],
    constraints: [
      OperatorSpec.Constraint("C1", "transpose_b == 1 || block(b) == 1", text: "a block format runs along K, so b is [N, K]"),
      OperatorSpec.Constraint("C2", "K % block(b) == 0", text: "K is whole blocks of b's format"),
    ],
    semantics: [
      "y[m, n] = activation(sum_k a[m, k] * decode(b)[n, k] + bias[n]) + residual[m, n]",
      "leading dimensions broadcast; K = 0 gives activation(bias) + residual",
    ],
    numerics: NumericsSpec(.dot, accumulate: "f32", declares: ["act_block", "operand_round"]),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"],
    conformance: ConformanceSpec(leading: [[], [1], [3], [2, 3]],
      extents: [("M", [1, 2, 3, 7, 8, 32, 77]), ("N", [1, 2, 5, 7, 16, 31, 33, 127, 257]), ("K", [1, 3, 7, 16, 31, 64, 127, 256, 257, 1057])],
      exact: ["int", "one_hot"],
      metamorphic: ["scale_pow2", "rows_alone", "row_blocks"]))
}

private func spec_matmul_gated() -> OperatorSpec {
  OperatorSpec(
    "matmul_gated", version: 1, level: .llm, tier: 1, summary: "Gate and up projections with the gated activation of their results.",
    inputs: [
      Operand("a", ["@float"], "... M K"),
      Operand("gate", ["@float", "@block"], "N K"),
      Operand("up", ["@float", "@block"], "N K"),
    ],
    outputs: [
      Operand("y", ["=a"], "... M N"),
    ],
    attributes: [
      AttributeSpec("activation", .string, default: .string("swiglu"), values: [.string("swiglu"), .string("geglu_tanh"), .string("geglu_erf"), .string("reglu")], text: "As gated_activation."),
    ],
    constraints: [
      OperatorSpec.Constraint("C1", "K % block(gate) == 0 && K % block(up) == 0", text: "K is whole blocks"),
    ],
    semantics: [
      "y = gated_activation(matmul(a, gate), matmul(a, up))",
    ],
    composition: [
      OperatorSpec.CompositionStep("matmul", ["a", "gate"], ["g"]),
      OperatorSpec.CompositionStep("matmul", ["a", "up"], ["u"]),
      OperatorSpec.CompositionStep("gated_activation", ["g", "u"], ["y"], [("activation", .attribute("activation"))]),
    ],
    numerics: NumericsSpec(.composition, declares: ["act_block", "operand_round"]),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"],
    conformance: ConformanceSpec(leading: [[], [1], [2, 3]],
      extents: [("M", [1, 2, 7, 32]), ("N", [1, 5, 16, 33, 127]), ("K", [1, 7, 64, 127, 256, 257])],
      exact: ["int"],
      metamorphic: ["rows_alone", "row_blocks", "fused"]))
}

private func spec_matmul_integer() -> OperatorSpec {
  OperatorSpec(
    "matmul_integer", version: 1, level: .core, tier: 1, summary: "Multiplies matrices of 8-bit integers into 32 bits.",
    inputs: [
      Operand("a", ["i8", "u8"], "..* M K"),
      Operand("b", ["i8", "u8"], "..* N K", shapeWhen: [("transpose_b == 0", "..* K N")]),
      Operand("a_zero_point", ["i8", "u8", "i32"], "A", optional: true),
      Operand("b_zero_point", ["i8", "u8", "i32"], "B", optional: true),
    ],
    outputs: [
      Operand("y", ["i32"], "..* M N"),
    ],
    attributes: [
      AttributeSpec("transpose_b", .int, default: .int(1), values: [.int(0), .int(1)], text: "1: b is [N, K], as weights are stored; 0: b is [K, N]."),
    ],
    constraints: [
      OperatorSpec.Constraint("C1", "A == 1 || A == M", text: "one zero point for a, or one a row"),
      OperatorSpec.Constraint("C2", "B == 1 || B == N", text: "one zero point for b, or one a column"),
    ],
    semantics: [
      "y[m, n] = sum_k (a[m, k] - a_zero_point[m]) (b[n, k] - b_zero_point[n]); leading dimensions broadcast",
      "integers wrap; K = 0 gives 0",
    ],
    numerics: NumericsSpec(.exact),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"],
    conformance: ConformanceSpec(leading: [[], [1], [3], [2, 3]],
      extents: [("M", [1, 2, 7, 8, 33]), ("N", [1, 5, 16, 33, 127]), ("K", [1, 3, 31, 64, 127, 256, 1057]), ("A", [1, 2, 7, 8, 33]), ("B", [1, 5, 16, 33, 127])],
      operands: [("a_zero_point", "zero_points"), ("b_zero_point", "zero_points")]))
}

private func spec_max() -> OperatorSpec {
  OperatorSpec(
    "max", version: 1, level: .core, tier: 1, summary: "Computes max(a, b) for each element, broadcasting.",
    inputs: [
      Operand("a", ["@float", "i32"], "..*"),
      Operand("b", ["=a"], "..*"),
    ],
    outputs: [
      Operand("y", ["=a"], "..*", inPlace: "a"),
    ],
    semantics: [
      "y = max(a, b); extents are equal or 1, missing leading dimensions count as 1",
      "NaN if either is NaN",
    ],
    numerics: NumericsSpec(.exact),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"])
}

private func spec_merge_attention() -> OperatorSpec {
  OperatorSpec(
    "merge_attention", version: 1, level: .llm, tier: 1, summary: "Joins the results of attention over two parts of the keys.",
    inputs: [
      Operand("a", ["@float"], "... T H E"),
      Operand("a_lse", ["f32"], "... T H"),
      Operand("b", ["=a"], "... T H E"),
      Operand("b_lse", ["f32"], "... T H"),
    ],
    outputs: [
      Operand("y", ["=a"], "... T H E", inPlace: "a"),
      Operand("lse", ["f32"], "... T H", optional: true),
    ],
    semantics: [
      "lse = log(exp(a_lse) + exp(b_lse)); y = exp(a_lse - lse) a + exp(b_lse - lse) b",
      "a part with lse -infinity has seen no key and counts nothing, whatever it holds; two such parts give 0 and -infinity",
    ],
    numerics: NumericsSpec(.merge),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"],
    conformance: ConformanceSpec(leading: [[], [1], [2]],
      extents: [("T", [1, 2, 7, 33]), ("H", [1, 3, 8]), ("E", [1, 16, 33, 64, 128])],
      operands: [("a_lse", "lse"), ("b_lse", "lse")],
      metamorphic: ["split_kv"]))
}

private func spec_min() -> OperatorSpec {
  OperatorSpec(
    "min", version: 1, level: .core, tier: 1, summary: "Computes min(a, b) for each element, broadcasting.",
    inputs: [
      Operand("a", ["@float", "i32"], "..*"),
      Operand("b", ["=a"], "..*"),
    ],
    outputs: [
      Operand("y", ["=a"], "..*", inPlace: "a"),
    ],
    semantics: [
      "y = min(a, b); extents are equal or 1, missing leading dimensions count as 1",
      "NaN if either is NaN",
    ],
    numerics: NumericsSpec(.exact),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"])
}

private func spec_mul() -> OperatorSpec {
  OperatorSpec(
    "mul", version: 1, level: .core, tier: 1, summary: "Computes a * b for each element, broadcasting.",
    inputs: [
      Operand("a", ["@float", "i32"], "..*"),
      Operand("b", ["=a"], "..*"),
    ],
    outputs: [
      Operand("y", ["=a"], "..*", inPlace: "a"),
    ],
    semantics: [
      "y = a * b; extents are equal or 1, missing leading dimensions count as 1",
      "integers wrap; division truncates towards 0, by zero gives 0",
    ],
    numerics: NumericsSpec(.rounding, roundings: 1),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"])
}

private func spec_neg() -> OperatorSpec {
  OperatorSpec(
    "neg", version: 1, level: .core, tier: 1, summary: "Computes -x for each element.",
    inputs: [
      Operand("x", ["@float"], "..."),
    ],
    outputs: [
      Operand("y", ["=x"], "...", inPlace: "x"),
    ],
    semantics: [
      "y = -x",
    ],
    numerics: NumericsSpec(.exact),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"],
    conformance: ConformanceSpec(metamorphic: ["scale_pow2"]))
}

private func spec_norm_matmul() -> OperatorSpec {
  OperatorSpec(
    "norm_matmul", version: 1, level: .llm, tier: 1, summary: "Normalises rows, then multiplies them by a matrix.",
    inputs: [
      Operand("x", ["@float"], "... M K"),
      Operand("norm_weight", ["f32"], "K", optional: true),
      Operand("b", ["@float", "@block"], "N K"),
      Operand("bias", ["f32"], "N", optional: true),
    ],
    outputs: [
      Operand("y", ["=x"], "... M N"),
    ],
    attributes: [
      AttributeSpec("epsilon", .float, default: .float(1e-06), minimum: 0.0, text: "As rms_norm."),
      AttributeSpec("weight_offset", .float, default: .float(0.0), text: "As rms_norm."),
      AttributeSpec("activation", .string, default: .string("none"), values: [.string("none"), .string("relu"), .string("silu"), .string("gelu_tanh"), .string("gelu_erf")], text: "As matmul."),
    ],
    constraints: [
      OperatorSpec.Constraint("C1", "K >= 1", text: "a row has at least one element"),
      OperatorSpec.Constraint("C2", "K % block(b) == 0", text: "K is whole blocks of b's format"),
    ],
    semantics: [
      "y = matmul(rms_norm(x, norm_weight), b, bias)",
    ],
    composition: [
      OperatorSpec.CompositionStep("rms_norm", ["x", "norm_weight"], ["normed"], [("epsilon", .attribute("epsilon")), ("weight_offset", .attribute("weight_offset"))]),
      OperatorSpec.CompositionStep("matmul", ["normed", "b", "bias"], ["y"], [("activation", .attribute("activation"))]),
    ],
    numerics: NumericsSpec(.composition, declares: ["act_block", "operand_round"]),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"],
    conformance: ConformanceSpec(leading: [[], [1], [2, 3]],
      extents: [("M", [1, 2, 7, 32]), ("N", [1, 5, 16, 33, 127]), ("K", [1, 7, 64, 127, 256, 257])],
      attributes: [("epsilon", [.float(1e-06), .float(0.001)]), ("weight_offset", [.float(0.0), .float(1.0), .float(0.3)])],
      data: ["normal", "int", "allpos", "outlier", "cancel", "constant", "last", "sparse", "nan", "inf", "huge", "overflow", "denormal", "tiny"],
      metamorphic: ["rows_alone", "fused"]))
}

private func spec_pad() -> OperatorSpec {
  OperatorSpec(
    "pad", version: 1, level: .core, tier: 1, summary: "Surrounds a tensor with a constant.",
    inputs: [
      Operand("x", ["@plain"], "?"),
    ],
    outputs: [
      Operand("y", ["=x"], "?"),
    ],
    attributes: [
      AttributeSpec("before", .ints, default: .ints([]), required: true, text: "Elements added before each dimension."),
      AttributeSpec("after", .ints, default: .ints([]), required: true, text: "Elements added after each dimension."),
      AttributeSpec("value", .float, default: .float(0.0), text: "What is added."),
    ],
    semantics: [
      "y is x with before[d] and after[d] copies of value around dimension d",
    ],
    shapeRule: .pad,
    numerics: NumericsSpec(.exact),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"],
    conformance: ConformanceSpec(shapes: [[[1]], [[7]], [[3, 5]], [[33, 17]], [[2, 3, 4]], [[5, 1, 31]]],
      attributes: [("before", [.ints([1]), .ints([0]), .ints([0, 0]), .ints([2, 1]), .ints([0, 3]), .ints([1, 0, 2]), .ints([0, 0, 0])]), ("after", [.ints([0]), .ints([3]), .ints([1, 0]), .ints([0, 0]), .ints([2, 5]), .ints([0, 2, 1]), .ints([0, 0, 0])]), ("value", [.float(0.0), .float(1.7), .float(-3.0)])]))
}

private func spec_pow() -> OperatorSpec {
  OperatorSpec(
    "pow", version: 1, level: .core, tier: 1, summary: "Computes a to the power b for each element, broadcasting.",
    inputs: [
      Operand("a", ["@float"], "..*"),
      Operand("b", ["=a"], "..*"),
    ],
    outputs: [
      Operand("y", ["=a"], "..*", inPlace: "a"),
    ],
    semantics: [
      "y = a^b; extents are equal or 1, missing leading dimensions count as 1",
      "as C's pow: a^0 = 1 and 1^b = 1 also for NaN; a < 0 with b no integer gives NaN",
    ],
    numerics: NumericsSpec(.ulp, ulp: 16),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"],
    conformance: ConformanceSpec(operands: [("b", "exponents")]))
}

private func spec_qkv_rope_cache() -> OperatorSpec {
  OperatorSpec(
    "qkv_rope_cache", version: 1, level: .llm, tier: 1, summary: "Projects to queries, keys and values, rotates the first two and writes the last two to the cache.",
    inputs: [
      Operand("x", ["@float"], "T K"),
      Operand("wq", ["@float", "@block"], "H D K"),
      Operand("wk", ["@float", "@block"], "G D K"),
      Operand("wv", ["@float", "@block"], "G E K"),
      Operand("positions", ["i32", "i64"], "T"),
      Operand("frequencies", ["f32"], "F"),
      Operand("k_cache", ["f32", "f16", "bf16", "q8_0", "q4_0"], "S G D"),
      Operand("v_cache", ["f32", "f16", "bf16", "q8_0", "q4_0"], "S G E"),
      Operand("q_norm", ["f32"], "D", optional: true),
      Operand("k_norm", ["f32"], "D", optional: true),
      Operand("q_bias", ["=x"], "H D", optional: true),
      Operand("k_bias", ["=x"], "G D", optional: true),
      Operand("v_bias", ["=x"], "G E", optional: true),
    ],
    outputs: [
      Operand("q", ["=x"], "T H D"),
      Operand("keys", ["=k_cache"], "S G D", inPlace: "k_cache"),
      Operand("values", ["=v_cache"], "S G E", inPlace: "v_cache"),
    ],
    attributes: [
      AttributeSpec("epsilon", .float, default: .float(1e-06), minimum: 0.0, text: "As rms_norm."),
      AttributeSpec("weight_offset", .float, default: .float(0.0), text: "As rms_norm."),
      AttributeSpec("interleaved", .int, default: .int(0), values: [.int(0), .int(1)], text: "As rotary_embedding."),
      AttributeSpec("scale", .float, default: .float(1.0), text: "As rotary_embedding."),
      AttributeSpec("mode", .string, default: .string("linear"), values: [.string("linear"), .string("circular")], text: "As tensor_scatter."),
    ],
    constraints: [
      OperatorSpec.Constraint("C1", "K % block(wq) == 0 && K % block(wk) == 0 && K % block(wv) == 0", text: "K is whole blocks"),
      OperatorSpec.Constraint("C2", "D % block(k_cache) == 0 && E % block(v_cache) == 0", text: "a head is whole blocks of the cache's format"),
      OperatorSpec.Constraint("C3", "2 * F <= D", text: "the rotated part fits in the head"),
      OperatorSpec.Constraint("C4", "F >= 1", text: "there is at least one frequency"),
    ],
    semantics: [
      "q = rope(norm(heads of x wq^T + q_bias)); a bias or a norm without its operand is left out",
      "keys = k_cache with rope(norm(heads of x wk^T + k_bias)) at positions; values = v_cache with heads of x wv^T + v_bias at positions",
    ],
    composition: [
      OperatorSpec.CompositionStep("matmul", ["x", "wq"], ["q0"]),
      OperatorSpec.CompositionStep("transpose", ["q0"], ["q1"], [("permutation", .value(.ints([1, 0, 2])))]),
      OperatorSpec.CompositionStep("add", ["q1", "q_bias"], ["q2"], ifPresent: "q_bias"),
      OperatorSpec.CompositionStep("rms_norm", ["q2", "q_norm"], ["q3"], [("epsilon", .attribute("epsilon")), ("weight_offset", .attribute("weight_offset"))], ifPresent: "q_norm"),
      OperatorSpec.CompositionStep("rotary_embedding", ["q3", "positions", "frequencies"], ["q"], [("interleaved", .attribute("interleaved")), ("scale", .attribute("scale"))]),
      OperatorSpec.CompositionStep("matmul", ["x", "wk"], ["k0"]),
      OperatorSpec.CompositionStep("transpose", ["k0"], ["k1"], [("permutation", .value(.ints([1, 0, 2])))]),
      OperatorSpec.CompositionStep("add", ["k1", "k_bias"], ["k2"], ifPresent: "k_bias"),
      OperatorSpec.CompositionStep("rms_norm", ["k2", "k_norm"], ["k3"], [("epsilon", .attribute("epsilon")), ("weight_offset", .attribute("weight_offset"))], ifPresent: "k_norm"),
      OperatorSpec.CompositionStep("rotary_embedding", ["k3", "positions", "frequencies"], ["k4"], [("interleaved", .attribute("interleaved")), ("scale", .attribute("scale"))]),
      OperatorSpec.CompositionStep("tensor_scatter", ["k_cache", "k4", "positions"], ["keys"], [("mode", .attribute("mode"))]),
      OperatorSpec.CompositionStep("matmul", ["x", "wv"], ["v0"]),
      OperatorSpec.CompositionStep("transpose", ["v0"], ["v1"], [("permutation", .value(.ints([1, 0, 2])))]),
      OperatorSpec.CompositionStep("add", ["v1", "v_bias"], ["v2"], ifPresent: "v_bias"),
      OperatorSpec.CompositionStep("tensor_scatter", ["v_cache", "v2", "positions"], ["values"], [("mode", .attribute("mode"))]),
    ],
    numerics: NumericsSpec(.composition, declares: ["act_block", "operand_round"]),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"],
    conformance: ConformanceSpec(attributes: [("epsilon", [.float(1e-06), .float(0.001)]), ("weight_offset", [.float(0.0), .float(0.3)]), ("scale", [.float(1.0), .float(1.19)])],
      data: ["normal", "allpos", "outlier", "negzero", "constant", "sparse", "last", "nan", "inf", "huge", "denormal"],
      operands: [("positions", "positions"), ("frequencies", "frequencies")],
      metamorphic: ["fused"]))
}

private func spec_qlinear_matmul() -> OperatorSpec {
  OperatorSpec(
    "qlinear_matmul", version: 1, level: .core, tier: 1, summary: "Multiplies quantised matrices and quantises the result.",
    inputs: [
      Operand("a", ["i8", "u8"], "..* M K"),
      Operand("b", ["i8", "u8"], "..* N K", shapeWhen: [("transpose_b == 0", "..* K N")]),
      Operand("a_scale", ["f32"], "A"),
      Operand("b_scale", ["f32"], "B"),
      Operand("y_scale", ["f32"], "1"),
      Operand("a_zero_point", ["i8", "u8", "i32"], "P", optional: true),
      Operand("b_zero_point", ["i8", "u8", "i32"], "Q", optional: true),
      Operand("y_zero_point", ["i8", "u8", "i32"], "1", optional: true),
    ],
    outputs: [
      Operand("y", ["i8", "u8"], "..* M N", formatAttribute: "to"),
    ],
    attributes: [
      AttributeSpec("transpose_b", .int, default: .int(1), values: [.int(0), .int(1)], text: "1: b is [N, K], as weights are stored; 0: b is [K, N]."),
      AttributeSpec("to", .string, default: .string("i8"), values: [.string("i8"), .string("u8")], text: "Format of y."),
    ],
    constraints: [
      OperatorSpec.Constraint("C1", "(A == 1 || A == M) && (B == 1 || B == N)", text: "one scale for a matrix, or one a row of a, one a column of the result"),
      OperatorSpec.Constraint("C2", "P == 1 || P == M", text: "one zero point for a, or one a row"),
      OperatorSpec.Constraint("C3", "Q == 1 || Q == N", text: "one zero point for b, or one a column"),
    ],
    semantics: [
      "s[m, n] = sum_k (a[m, k] - a_zero_point[m]) (b[n, k] - b_zero_point[n]) in i32",
      "y = saturate(round(s[m, n] (a_scale[m] b_scale[n] / y_scale)) + y_zero_point)",
      "computed in f32, rounded to nearest, ties to even; within 6 ulp of a tie that is not exact a kernel may take either side",
    ],
    numerics: NumericsSpec(.quantize),
    specialValues: ["nan": "counts as 0", "inf": "propagate", "empty": "an extent of 0 gives an empty result"],
    conformance: ConformanceSpec(leading: [[], [1], [2, 3]],
      extents: [("M", [1, 2, 7, 8, 33]), ("N", [1, 5, 16, 33, 127]), ("K", [1, 3, 31, 64, 127, 256]), ("A", [1, 2, 7, 8, 33]), ("B", [1, 5, 16, 33, 127]), ("P", [1, 2, 7, 8, 33]), ("Q", [1, 5, 16, 33, 127])],
      operands: [("a_scale", "scales"), ("b_scale", "scales"), ("y_scale", "large_scales"), ("a_zero_point", "zero_points"), ("b_zero_point", "zero_points"), ("y_zero_point", "zero_points")]))
}

private func spec_quantize_linear() -> OperatorSpec {
  OperatorSpec(
    "quantize_linear", version: 1, level: .core, tier: 1, summary: "Quantises to 8 bits with given scales and zero points.",
    inputs: [
      Operand("x", ["@float"], "..."),
      Operand("scale", ["f32"], "..*"),
      Operand("zero_point", ["i8", "u8", "i32"], "..*", optional: true),
    ],
    outputs: [
      Operand("y", ["i8", "u8"], "...", formatAttribute: "to"),
    ],
    attributes: [
      AttributeSpec("to", .string, default: .string("i8"), values: [.string("i8"), .string("u8")], text: "Format of y."),
    ],
    semantics: [
      "y = saturate(round(x / scale) + zero_point); scale and zero_point broadcast to x: [] for the tensor, [n] or [m, 1] for an axis",
      "computed in f32, rounded to nearest, ties to even; within 3 ulp of a tie that is not exact a kernel may take either side",
    ],
    numerics: NumericsSpec(.quantize),
    specialValues: ["nan": "counts as 0", "inf": "propagate", "empty": "an extent of 0 gives an empty result"],
    conformance: ConformanceSpec(data: ["normal", "huge", "int", "allpos", "halves", "negzero", "denormal", "constant", "nan", "inf"],
      operands: [("scale", "scales"), ("zero_point", "zero_points")],
      metamorphic: ["quantize_again"]))
}

private func spec_reciprocal() -> OperatorSpec {
  OperatorSpec(
    "reciprocal", version: 1, level: .core, tier: 1, summary: "Computes 1 / x for each element.",
    inputs: [
      Operand("x", ["@float"], "..."),
    ],
    outputs: [
      Operand("y", ["=x"], "...", inPlace: "x"),
    ],
    semantics: [
      "y = 1 / x",
    ],
    numerics: NumericsSpec(.ulp, ulp: 1),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"])
}

private func spec_reduce_l2() -> OperatorSpec {
  OperatorSpec(
    "reduce_l2", version: 1, level: .core, tier: 1, summary: "Euclidean norm over some dimensions.",
    inputs: [
      Operand("x", ["@float"], "?"),
    ],
    outputs: [
      Operand("y", ["=x"], "?"),
    ],
    attributes: [
      AttributeSpec("axes", .ints, default: .ints([-1]), text: "Dimensions to reduce; negative counts from the end; empty means all."),
      AttributeSpec("keep_dims", .int, default: .int(0), values: [.int(0), .int(1)], text: "1: reduced dimensions stay with extent 1."),
    ],
    semantics: [
      "y = sqrt(sum of x^2 over the axes)",
    ],
    shapeRule: .reduce,
    numerics: NumericsSpec(.l2Norm),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"],
    conformance: ConformanceSpec(shapes: [[[1]], [[7]], [[257]], [[3, 5]], [[33, 17]], [[2, 3, 4]], [[5, 1, 31]], [[4, 64, 3]], [[2, 1057]], [[2, 3, 4, 5]]],
      attributes: [("axes", [.ints([-1]), .ints([0]), .ints([]), .ints([0, 1]), .ints([1]), .ints([0, -1]), .ints([-2])]), ("keep_dims", [.int(0), .int(1)])]))
}

private func spec_reduce_max() -> OperatorSpec {
  OperatorSpec(
    "reduce_max", version: 1, level: .core, tier: 1, summary: "Maximum over some dimensions.",
    inputs: [
      Operand("x", ["@float"], "?"),
    ],
    outputs: [
      Operand("y", ["=x"], "?"),
    ],
    attributes: [
      AttributeSpec("axes", .ints, default: .ints([-1]), text: "Dimensions to reduce; negative counts from the end; empty means all."),
      AttributeSpec("keep_dims", .int, default: .int(0), values: [.int(0), .int(1)], text: "1: reduced dimensions stay with extent 1."),
    ],
    constraints: [
      OperatorSpec.Constraint("C1", "elements(x) >= 1", text: "there is something to reduce"),
    ],
    semantics: [
      "y = maximum of x over the axes",
    ],
    shapeRule: .reduce,
    numerics: NumericsSpec(.exact),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"],
    conformance: ConformanceSpec(shapes: [[[1]], [[7]], [[257]], [[3, 5]], [[33, 17]], [[2, 3, 4]], [[5, 1, 31]], [[4, 64, 3]], [[2, 1057]], [[2, 3, 4, 5]]],
      attributes: [("axes", [.ints([-1]), .ints([0]), .ints([]), .ints([0, 1]), .ints([1]), .ints([0, -1]), .ints([-2])]), ("keep_dims", [.int(0), .int(1)])],
      metamorphic: ["scale_pow2"]))
}

private func spec_reduce_mean() -> OperatorSpec {
  OperatorSpec(
    "reduce_mean", version: 1, level: .core, tier: 1, summary: "Mean over some dimensions.",
    inputs: [
      Operand("x", ["@float"], "?"),
    ],
    outputs: [
      Operand("y", ["=x"], "?"),
    ],
    attributes: [
      AttributeSpec("axes", .ints, default: .ints([-1]), text: "Dimensions to reduce; negative counts from the end; empty means all."),
      AttributeSpec("keep_dims", .int, default: .int(0), values: [.int(0), .int(1)], text: "1: reduced dimensions stay with extent 1."),
    ],
    constraints: [
      OperatorSpec.Constraint("C1", "elements(x) >= 1", text: "there is something to reduce"),
    ],
    semantics: [
      "y = mean of x over the axes",
    ],
    shapeRule: .reduce,
    numerics: NumericsSpec(.sum),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"],
    conformance: ConformanceSpec(shapes: [[[1]], [[7]], [[257]], [[3, 5]], [[33, 17]], [[2, 3, 4]], [[5, 1, 31]], [[4, 64, 3]], [[2, 1057]], [[2, 3, 4, 5]]],
      attributes: [("axes", [.ints([-1]), .ints([0]), .ints([]), .ints([0, 1]), .ints([1]), .ints([0, -1]), .ints([-2])]), ("keep_dims", [.int(0), .int(1)])]))
}

private func spec_reduce_min() -> OperatorSpec {
  OperatorSpec(
    "reduce_min", version: 1, level: .core, tier: 1, summary: "Minimum over some dimensions.",
    inputs: [
      Operand("x", ["@float"], "?"),
    ],
    outputs: [
      Operand("y", ["=x"], "?"),
    ],
    attributes: [
      AttributeSpec("axes", .ints, default: .ints([-1]), text: "Dimensions to reduce; negative counts from the end; empty means all."),
      AttributeSpec("keep_dims", .int, default: .int(0), values: [.int(0), .int(1)], text: "1: reduced dimensions stay with extent 1."),
    ],
    constraints: [
      OperatorSpec.Constraint("C1", "elements(x) >= 1", text: "there is something to reduce"),
    ],
    semantics: [
      "y = minimum of x over the axes",
    ],
    shapeRule: .reduce,
    numerics: NumericsSpec(.exact),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"],
    conformance: ConformanceSpec(shapes: [[[1]], [[7]], [[257]], [[3, 5]], [[33, 17]], [[2, 3, 4]], [[5, 1, 31]], [[4, 64, 3]], [[2, 1057]], [[2, 3, 4, 5]]],
      attributes: [("axes", [.ints([-1]), .ints([0]), .ints([]), .ints([0, 1]), .ints([1]), .ints([0, -1]), .ints([-2])]), ("keep_dims", [.int(0), .int(1)])]))
}

private func spec_reduce_prod() -> OperatorSpec {
  OperatorSpec(
    "reduce_prod", version: 1, level: .core, tier: 1, summary: "Product over some dimensions.",
    inputs: [
      Operand("x", ["@float"], "?"),
    ],
    outputs: [
      Operand("y", ["=x"], "?"),
    ],
    attributes: [
      AttributeSpec("axes", .ints, default: .ints([-1]), text: "Dimensions to reduce; negative counts from the end; empty means all."),
      AttributeSpec("keep_dims", .int, default: .int(0), values: [.int(0), .int(1)], text: "1: reduced dimensions stay with extent 1."),
    ],
    semantics: [
      "y = product of x over the axes; of nothing it is 1",
      "nothing is promised where a part of the product may leave f32's range",
    ],
    shapeRule: .reduce,
    numerics: NumericsSpec(.product),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"],
    conformance: ConformanceSpec(shapes: [[[1]], [[7]], [[257]], [[3, 5]], [[33, 17]], [[2, 3, 4]], [[5, 1, 31]], [[4, 64, 3]], [[2, 1057]], [[2, 3, 4, 5]]],
      attributes: [("axes", [.ints([-1]), .ints([0]), .ints([]), .ints([0, 1]), .ints([1]), .ints([0, -1]), .ints([-2])]), ("keep_dims", [.int(0), .int(1)])]))
}

private func spec_reduce_sum() -> OperatorSpec {
  OperatorSpec(
    "reduce_sum", version: 1, level: .core, tier: 1, summary: "Sum over some dimensions.",
    inputs: [
      Operand("x", ["@float"], "?"),
    ],
    outputs: [
      Operand("y", ["=x"], "?"),
    ],
    attributes: [
      AttributeSpec("axes", .ints, default: .ints([-1]), text: "Dimensions to reduce; negative counts from the end; empty means all."),
      AttributeSpec("keep_dims", .int, default: .int(0), values: [.int(0), .int(1)], text: "1: reduced dimensions stay with extent 1."),
    ],
    semantics: [
      "y = sum of x over the axes",
    ],
    shapeRule: .reduce,
    numerics: NumericsSpec(.sum),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"],
    conformance: ConformanceSpec(shapes: [[[1]], [[7]], [[257]], [[3, 5]], [[33, 17]], [[2, 3, 4]], [[5, 1, 31]], [[4, 64, 3]], [[2, 1057]], [[2, 3, 4, 5]]],
      attributes: [("axes", [.ints([-1]), .ints([0]), .ints([]), .ints([0, 1]), .ints([1]), .ints([0, -1]), .ints([-2])]), ("keep_dims", [.int(0), .int(1)])],
      exact: ["int"],
      metamorphic: ["scale_pow2"]))
}

private func spec_relu() -> OperatorSpec {
  OperatorSpec(
    "relu", version: 1, level: .core, tier: 1, summary: "Computes max(x, 0) for each element.",
    inputs: [
      Operand("x", ["@float"], "..."),
    ],
    outputs: [
      Operand("y", ["=x"], "...", inPlace: "x"),
    ],
    semantics: [
      "y = max(x, 0)",
    ],
    numerics: NumericsSpec(.exact),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"],
    conformance: ConformanceSpec(metamorphic: ["scale_pow2"]))
}

private func spec_relu_squared() -> OperatorSpec {
  OperatorSpec(
    "relu_squared", version: 1, level: .core, tier: 1, summary: "Square of the rectified linear unit.",
    inputs: [
      Operand("x", ["@float"], "..."),
    ],
    outputs: [
      Operand("y", ["=x"], "...", inPlace: "x"),
    ],
    semantics: [
      "y = max(x, 0)^2",
    ],
    numerics: NumericsSpec(.rounding, roundings: 1),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"])
}

private func spec_reshape() -> OperatorSpec {
  OperatorSpec(
    "reshape", version: 1, level: .core, tier: 1, summary: "Gives the same elements another shape.",
    inputs: [
      Operand("x", ["@any"], "..."),
    ],
    outputs: [
      Operand("y", ["=x"], "?", inPlace: "x"),
    ],
    attributes: [
      AttributeSpec("shape", .ints, default: .ints([]), required: true, text: "Extents; 0 copies x's extent at that place, -1 is inferred."),
    ],
    constraints: [
      OperatorSpec.Constraint("C1", "elements(x) == elements(y)", text: "the element counts are equal"),
      OperatorSpec.Constraint("C2", "block(x) == 1 || last(x) == last(y)", text: "blocks stay whole"),
    ],
    semantics: [
      "y has x's elements in row-major order",
    ],
    shapeRule: .reshape,
    numerics: NumericsSpec(.exact),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"],
    conformance: ConformanceSpec(shapes: [[[7]], [[6, 4]], [[2, 3, 4]], [[33, 64]], [[3, 256]], [[2, 2, 256]], [[]]],
      attributes: [("shape", [.ints([-1]), .ints([4, 6]), .ints([24]), .ints([0, -1]), .ints([2, 12]), .ints([1, -1, 1]), .ints([3, 2, 4]), .ints([-1, 64]), .ints([-1, 256]), .ints([0, 0, 4]), .ints([])])]))
}

private func spec_rms_norm() -> OperatorSpec {
  OperatorSpec(
    "rms_norm", version: 1, level: .llm, tier: 1, summary: "Divides each row by its root mean square and scales it.",
    inputs: [
      Operand("x", ["@float"], "... n"),
      Operand("weight", ["f32"], "n", optional: true),
    ],
    outputs: [
      Operand("y", ["=x"], "... n", inPlace: "x"),
    ],
    attributes: [
      AttributeSpec("epsilon", .float, default: .float(1e-06), minimum: 0.0, text: "Added to the mean square."),
      AttributeSpec("weight_offset", .float, default: .float(0.0), text: "Added to the weight (1 where weights are stored around 0)."),
    ],
    constraints: [
      OperatorSpec.Constraint("C1", "n >= 1", text: "a row has at least one element"),
    ],
    semantics: [
      "y = x / sqrt(mean(x^2) + epsilon) * (weight + weight_offset), the weight being 1 where it is absent",
    ],
    numerics: NumericsSpec(.rmsNorm, statistics: "f32"),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"],
    conformance: ConformanceSpec(extents: [("n", [1, 2, 3, 7, 8, 16, 31, 33, 64, 127, 257, 640, 1057])],
      attributes: [("epsilon", [.float(1e-06), .float(0.001)]), ("weight_offset", [.float(0.0), .float(1.0), .float(0.3)])],
      metamorphic: ["rows_alone", "scale_invariance"]))
}

private func spec_rms_norm_rope() -> OperatorSpec {
  OperatorSpec(
    "rms_norm_rope", version: 1, level: .llm, tier: 1, summary: "Normalises each head, then rotates it (QK-norm with rope).",
    inputs: [
      Operand("x", ["@float"], "... T H D"),
      Operand("weight", ["f32"], "D", optional: true),
      Operand("positions", ["i32", "i64"], "T"),
      Operand("frequencies", ["f32"], "F"),
    ],
    outputs: [
      Operand("y", ["=x"], "... T H D", inPlace: "x"),
    ],
    attributes: [
      AttributeSpec("epsilon", .float, default: .float(1e-06), minimum: 0.0, text: "As rms_norm."),
      AttributeSpec("weight_offset", .float, default: .float(0.0), text: "As rms_norm."),
      AttributeSpec("interleaved", .int, default: .int(0), values: [.int(0), .int(1)], text: "As rotary_embedding."),
      AttributeSpec("scale", .float, default: .float(1.0), text: "As rotary_embedding."),
    ],
    constraints: [
      OperatorSpec.Constraint("C1", "2 * F <= D", text: "the rotated part fits in the head"),
      OperatorSpec.Constraint("C2", "F >= 1", text: "there is at least one frequency"),
    ],
    semantics: [
      "y = rotary_embedding(rms_norm(x, weight), positions, frequencies)",
    ],
    composition: [
      OperatorSpec.CompositionStep("rms_norm", ["x", "weight"], ["normed"], [("epsilon", .attribute("epsilon")), ("weight_offset", .attribute("weight_offset"))]),
      OperatorSpec.CompositionStep("rotary_embedding", ["normed", "positions", "frequencies"], ["y"], [("interleaved", .attribute("interleaved")), ("scale", .attribute("scale"))]),
    ],
    numerics: NumericsSpec(.composition),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"],
    conformance: ConformanceSpec(leading: [[], [1], [2]],
      extents: [("T", [1, 2, 7, 33]), ("H", [1, 3, 8]), ("D", [2, 6, 20, 64, 80, 128]), ("F", [1, 3, 16, 32, 40])],
      attributes: [("scale", [.float(1.0), .float(1.19)]), ("epsilon", [.float(1e-06), .float(0.001)]), ("weight_offset", [.float(0.0), .float(1.0), .float(0.3)])],
      operands: [("positions", "angles"), ("frequencies", "frequencies")],
      metamorphic: ["fused"]))
}

private func spec_rotary_embedding() -> OperatorSpec {
  OperatorSpec(
    "rotary_embedding", version: 1, level: .llm, tier: 1, summary: "Rotates pairs of elements of each head by position-dependent angles.",
    inputs: [
      Operand("x", ["@float"], "... T H D"),
      Operand("positions", ["i32", "i64"], "T"),
      Operand("frequencies", ["f32"], "F"),
    ],
    outputs: [
      Operand("y", ["=x"], "... T H D", inPlace: "x"),
    ],
    attributes: [
      AttributeSpec("interleaved", .int, default: .int(0), values: [.int(0), .int(1)], text: "1: pairs (2i, 2i+1); 0: pairs (i, i+F)."),
      AttributeSpec("scale", .float, default: .float(1.0), text: "Of the rotated elements (YaRN's attention factor)."),
    ],
    constraints: [
      OperatorSpec.Constraint("C1", "2 * F <= D", text: "the rotated part fits in the head"),
      OperatorSpec.Constraint("C2", "F >= 1", text: "there is at least one frequency"),
    ],
    semantics: [
      "angle[t, i] = positions[t] * frequencies[i]",
      "(y1, y2) = scale * (x1 cos - x2 sin, x1 sin + x2 cos) for each of the F pairs; elements from 2F on are copied",
    ],
    numerics: NumericsSpec(.rotary),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"],
    conformance: ConformanceSpec(leading: [[], [1], [2]],
      extents: [("T", [1, 2, 7, 33]), ("H", [1, 3, 8]), ("D", [2, 6, 20, 64, 80, 128]), ("F", [1, 3, 16, 32, 40])],
      attributes: [("scale", [.float(1.0), .float(1.19)])],
      operands: [("positions", "angles"), ("frequencies", "frequencies")],
      metamorphic: ["rows_alone", "inverse_rotation", "relative_position"]))
}

private func spec_round() -> OperatorSpec {
  OperatorSpec(
    "round", version: 1, level: .core, tier: 1, summary: "Rounds each element to the nearest integer, ties to even.",
    inputs: [
      Operand("x", ["@float"], "..."),
    ],
    outputs: [
      Operand("y", ["=x"], "...", inPlace: "x"),
    ],
    semantics: [
      "y = the integer nearest to x, ties to even",
    ],
    numerics: NumericsSpec(.exact),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"],
    conformance: ConformanceSpec(data: ["normal", "wide", "halves", "int", "huge", "overflow", "denormal", "negzero", "nan", "inf", "constant"]))
}

private func spec_rsqrt() -> OperatorSpec {
  OperatorSpec(
    "rsqrt", version: 1, level: .core, tier: 1, summary: "Computes 1 / sqrt(x) for each element.",
    inputs: [
      Operand("x", ["@float"], "..."),
    ],
    outputs: [
      Operand("y", ["=x"], "...", inPlace: "x"),
    ],
    semantics: [
      "y = 1 / sqrt(x)",
    ],
    numerics: NumericsSpec(.ulp, ulp: 3),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"])
}

private func spec_sample() -> OperatorSpec {
  OperatorSpec(
    "sample", version: 1, level: .llm, tier: 1, summary: "Draws an index from each row of logits.",
    inputs: [
      Operand("logits", ["@float"], "... n"),
      Operand("draws", ["f32"], "..."),
    ],
    outputs: [
      Operand("y", ["i32"], "..."),
    ],
    attributes: [
      AttributeSpec("temperature", .float, default: .float(1.0), minimum: 0.0, text: "Divides the logits before the draw; 0 takes the largest."),
      AttributeSpec("top_k", .int, default: .int(0), minimum: 0.0, text: "With k > 0 only the k largest are kept."),
      AttributeSpec("top_p", .float, default: .float(1.0), minimum: 0.0, text: "Below 1 only the largest that make up this much of the probability are kept, at least one."),
      AttributeSpec("min_p", .float, default: .float(0.0), minimum: 0.0, text: "Only those at least this probable, relative to the largest, are kept."),
    ],
    constraints: [
      OperatorSpec.Constraint("C1", "n >= 1", text: "there is something to draw"),
    ],
    semantics: [
      "kept, one filter after the other, at temperature 1, equal logits in order of their index: the top_k largest; of those the fewest, from the largest, whose probabilities reach top_p of theirs; of those the ones with exp(logit - max) >= min_p, and the largest",
      "w = exp((logit - max) / temperature); y = the lowest kept index i with sum of w[j], kept j <= i, above draws sum of w; draws lie in 0 up to, not including, 1",
      "temperature 0: the lowest index of the largest logit; a logit of NaN counts as -infinity; a row without a number above -infinity gives 0",
      "where rounding in f32 could decide otherwise (a draw or a filter that meets its limit within 2^-14 of the whole), nothing is promised",
    ],
    numerics: NumericsSpec(.exact),
    specialValues: ["nan": "counts as -infinity", "inf": "+infinity is the largest and takes all", "empty": "an extent of 0 gives an empty result"],
    conformance: ConformanceSpec(extents: [("n", [1, 2, 3, 7, 16, 33, 257, 1057])],
      attributes: [("temperature", [.float(1.0), .float(0.0), .float(0.7)]), ("top_k", [.int(0), .int(1), .int(5), .int(40)]), ("top_p", [.float(1.0), .float(0.9), .float(0.1)]), ("min_p", [.float(0.0), .float(0.05)])],
      data: ["normal", "constant", "ramp", "outlier", "sparse", "nan", "inf", "int"],
      operands: [("draws", "draws")]))
}

private func spec_scale() -> OperatorSpec {
  OperatorSpec(
    "scale", version: 1, level: .core, tier: 1, summary: "Multiplies by a factor and adds an offset.",
    inputs: [
      Operand("x", ["@float"], "..."),
    ],
    outputs: [
      Operand("y", ["=x"], "...", inPlace: "x"),
    ],
    attributes: [
      AttributeSpec("factor", .float, default: .float(1.0), text: "Multiplier."),
      AttributeSpec("offset", .float, default: .float(0.0), text: "Added."),
    ],
    semantics: [
      "y = x * factor + offset",
    ],
    numerics: NumericsSpec(.rounding, roundings: 2),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"],
    conformance: ConformanceSpec(attributes: [("factor", [.float(1.0), .float(0.125), .float(-3.3)]), ("offset", [.float(0.0), .float(0.7)])]))
}

private func spec_sigmoid() -> OperatorSpec {
  OperatorSpec(
    "sigmoid", version: 1, level: .core, tier: 1, summary: "Computes 1 / (1 + e^-x) for each element.",
    inputs: [
      Operand("x", ["@float"], "..."),
    ],
    outputs: [
      Operand("y", ["=x"], "...", inPlace: "x"),
    ],
    semantics: [
      "y = 1 / (1 + e^-x)",
    ],
    numerics: NumericsSpec(.ulp, ulp: 5),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"])
}

private func spec_sign() -> OperatorSpec {
  OperatorSpec(
    "sign", version: 1, level: .core, tier: 1, summary: "Gives each element's sign: -1, 0 or 1.",
    inputs: [
      Operand("x", ["@float"], "..."),
    ],
    outputs: [
      Operand("y", ["=x"], "...", inPlace: "x"),
    ],
    semantics: [
      "y = -1, 0 or 1 with the sign of x",
    ],
    numerics: NumericsSpec(.exact),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"])
}

private func spec_silu() -> OperatorSpec {
  OperatorSpec(
    "silu", version: 1, level: .core, tier: 1, summary: "Computes x / (1 + e^-x) for each element.",
    inputs: [
      Operand("x", ["@float"], "..."),
    ],
    outputs: [
      Operand("y", ["=x"], "...", inPlace: "x"),
    ],
    semantics: [
      "y = x / (1 + e^-x)",
    ],
    numerics: NumericsSpec(.ulp, ulp: 6),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"])
}

private func spec_sin() -> OperatorSpec {
  OperatorSpec(
    "sin", version: 1, level: .core, tier: 1, summary: "Computes sin x, |x| <= 2^13 for each element.",
    inputs: [
      Operand("x", ["@float"], "..."),
    ],
    outputs: [
      Operand("y", ["=x"], "...", inPlace: "x"),
    ],
    semantics: [
      "y = sin x, |x| <= 2^13",
    ],
    numerics: NumericsSpec(.ulpAbsolute, ulp: 4),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"])
}

private func spec_slice() -> OperatorSpec {
  OperatorSpec(
    "slice", version: 1, level: .core, tier: 1, summary: "Takes a range of one dimension.",
    inputs: [
      Operand("x", ["@any"], "?"),
    ],
    outputs: [
      Operand("y", ["=x"], "?"),
    ],
    attributes: [
      AttributeSpec("axis", .int, default: .int(0), text: "Negative counts from the end."),
      AttributeSpec("start", .int, default: .int(0), text: "First index; negative counts from the end."),
      AttributeSpec("end", .int, default: .int(9223372036854775807), text: "One past the last; negative counts from the end; limited to the extent."),
      AttributeSpec("step", .int, default: .int(1), text: "Positive."),
    ],
    constraints: [
      OperatorSpec.Constraint("C1", "step >= 1", text: "the step is positive"),
    ],
    semantics: [
      "y[..., i, ...] = x[..., start + i * step, ...]",
    ],
    shapeRule: .slice,
    numerics: NumericsSpec(.exact),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"],
    notes: ["a symbolic extent along the axis can only be taken whole", "along the last dimension of a block format the step is 1 and the range is whole blocks"],
    conformance: ConformanceSpec(shapes: [[[7]], [[257]], [[3, 5]], [[33, 17]], [[2, 3, 4]], [[5, 64]], [[4, 512]], [[3, 1024]], [[6, 2, 256]]],
      attributes: [("axis", [.int(0), .int(-1), .int(1)]), ("start", [.int(0), .int(1), .int(-3), .int(2), .int(64), .int(256)]), ("end", [.int(9223372036854775807), .int(-1), .int(3), .int(5), .int(512)]), ("step", [.int(1), .int(2), .int(3)])]))
}

private func spec_softcap() -> OperatorSpec {
  OperatorSpec(
    "softcap", version: 1, level: .llm, tier: 1, summary: "Soft limit: c tanh(x / c).",
    inputs: [
      Operand("x", ["@float"], "..."),
    ],
    outputs: [
      Operand("y", ["=x"], "...", inPlace: "x"),
    ],
    attributes: [
      AttributeSpec("cap", .float, default: .float(30.0), text: "c, positive."),
    ],
    constraints: [
      OperatorSpec.Constraint("C1", "cap > 0", text: "the cap is positive"),
    ],
    semantics: [
      "y = cap * tanh(x / cap)",
    ],
    numerics: NumericsSpec(.ulp, ulp: 7),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"],
    conformance: ConformanceSpec(attributes: [("cap", [.float(30.0), .float(1.0), .float(7.3)])]))
}

private func spec_softmax() -> OperatorSpec {
  OperatorSpec(
    "softmax", version: 1, level: .core, tier: 1, summary: "Exponentials that sum to one along the last dimension.",
    inputs: [
      Operand("x", ["@float"], "... n"),
      Operand("mask", ["f32"], "..* n", optional: true),
    ],
    outputs: [
      Operand("y", ["=x"], "... n", inPlace: "x"),
    ],
    attributes: [
      AttributeSpec("scale", .float, default: .float(1.0), text: "Of x, before the mask is added."),
    ],
    constraints: [
      OperatorSpec.Constraint("C1", "n >= 1", text: "the axis is not empty"),
    ],
    semantics: [
      "z = scale * x + mask; y = exp(z - max z) / sum exp(z - max z)",
      "a row that is -infinity throughout gives 0",
    ],
    numerics: NumericsSpec(.softmax),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"],
    notes: ["the mask's leading dimensions broadcast to x's"],
    conformance: ConformanceSpec(extents: [("n", [1, 2, 3, 7, 8, 16, 31, 33, 64, 127, 257, 1057])],
      attributes: [("scale", [.float(1.0), .float(0.125), .float(-2.3)])],
      operands: [("mask", "mask")],
      metamorphic: ["shift", "rows_alone"]))
}

private func spec_softplus() -> OperatorSpec {
  OperatorSpec(
    "softplus", version: 1, level: .core, tier: 1, summary: "Computes ln(1 + e^x) for each element.",
    inputs: [
      Operand("x", ["@float"], "..."),
    ],
    outputs: [
      Operand("y", ["=x"], "...", inPlace: "x"),
    ],
    semantics: [
      "y = ln(1 + e^x)",
    ],
    numerics: NumericsSpec(.ulp, ulp: 6),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"])
}

private func spec_sqrt() -> OperatorSpec {
  OperatorSpec(
    "sqrt", version: 1, level: .core, tier: 1, summary: "Computes sqrt(x) for each element.",
    inputs: [
      Operand("x", ["@float"], "..."),
    ],
    outputs: [
      Operand("y", ["=x"], "...", inPlace: "x"),
    ],
    semantics: [
      "y = sqrt(x)",
    ],
    numerics: NumericsSpec(.ulp, ulp: 1),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"])
}

private func spec_square() -> OperatorSpec {
  OperatorSpec(
    "square", version: 1, level: .core, tier: 1, summary: "Computes x^2 for each element.",
    inputs: [
      Operand("x", ["@float"], "..."),
    ],
    outputs: [
      Operand("y", ["=x"], "...", inPlace: "x"),
    ],
    semantics: [
      "y = x^2",
    ],
    numerics: NumericsSpec(.ulp, ulp: 1),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"])
}

private func spec_sub() -> OperatorSpec {
  OperatorSpec(
    "sub", version: 1, level: .core, tier: 1, summary: "Computes a - b for each element, broadcasting.",
    inputs: [
      Operand("a", ["@float", "i32"], "..*"),
      Operand("b", ["=a"], "..*"),
    ],
    outputs: [
      Operand("y", ["=a"], "..*", inPlace: "a"),
    ],
    semantics: [
      "y = a - b; extents are equal or 1, missing leading dimensions count as 1",
      "integers wrap; division truncates towards 0, by zero gives 0",
    ],
    numerics: NumericsSpec(.rounding, roundings: 1),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"])
}

private func spec_tanh() -> OperatorSpec {
  OperatorSpec(
    "tanh", version: 1, level: .core, tier: 1, summary: "Computes tanh x for each element.",
    inputs: [
      Operand("x", ["@float"], "..."),
    ],
    outputs: [
      Operand("y", ["=x"], "...", inPlace: "x"),
    ],
    semantics: [
      "y = tanh x",
    ],
    numerics: NumericsSpec(.ulp, ulp: 5),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"])
}

private func spec_tensor_scatter() -> OperatorSpec {
  OperatorSpec(
    "tensor_scatter", version: 1, level: .llm, tier: 1, summary: "Writes rows into a cache at given positions, converting on the way.",
    inputs: [
      Operand("cache", ["f32", "f16", "bf16", "q8_0", "q4_0"], "S ..."),
      Operand("update", ["@float"], "T ..."),
      Operand("positions", ["i32", "i64"], "T"),
    ],
    outputs: [
      Operand("out", ["=cache"], "S ...", inPlace: "cache"),
    ],
    attributes: [
      AttributeSpec("mode", .string, default: .string("linear"), values: [.string("linear"), .string("circular")], text: "circular: row = position mod S."),
    ],
    constraints: [
      OperatorSpec.Constraint("C1", "block(cache) == 1 || rank(cache) >= 2", text: "a row of the cache is whole blocks"),
    ],
    semantics: [
      "out = cache; out[positions[t], ...] = convert(update[t, ...]); later t wins",
      "linear: a position outside 0 … S-1 writes nothing; circular: a negative position writes nothing",
      "to q8_0 and q4_0 in f32: d = max |x| / 127, q = x (1 / d) rounded to nearest, ties away from zero; d = x' / -8 for the first x' of largest magnitude, q = min(15, trunc(x (1 / d) + 8.5)); 1 / d counts as 0 for d = 0, and where x (1 / d) is not finite (d so small that 1 / d overflows) q is 0; of a block with a NaN or an infinity nothing is promised",
    ],
    numerics: NumericsSpec(.exact),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"],
    conformance: ConformanceSpec(leading: [[], [1], [32], [3, 64], [2, 3, 32]],
      extents: [("S", [1, 2, 7, 33, 129]), ("T", [1, 2, 7, 17])],
      data: ["normal", "outlier", "constant", "sparse", "negzero", "denormal", "tiny", "halves", "int", "ramp"],
      operands: [("positions", "positions")],
      metamorphic: ["quantize_again"]))
}

private func spec_topk() -> OperatorSpec {
  OperatorSpec(
    "topk", version: 1, level: .core, tier: 1, summary: "The largest or smallest elements of each row, in order.",
    inputs: [
      Operand("x", ["@float"], "... n"),
    ],
    outputs: [
      Operand("values", ["=x"], "... k+0"),
      Operand("indices", ["i32"], "... k+0"),
    ],
    attributes: [
      AttributeSpec("k", .int, default: .int(1), minimum: 1.0, text: "How many."),
      AttributeSpec("largest", .int, default: .int(1), values: [.int(0), .int(1)], text: "1: the largest, in falling order; 0: the smallest, in rising order."),
    ],
    constraints: [
      OperatorSpec.Constraint("C1", "k <= n", text: "a row has k elements"),
    ],
    semantics: [
      "values[..., i] = x[..., indices[..., i]]; equal elements come in order of their index",
      "NaN counts as larger than everything; zeros are equal whatever their sign",
    ],
    numerics: NumericsSpec(.exact),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"],
    conformance: ConformanceSpec(extents: [("n", [1, 2, 3, 7, 8, 16, 31, 33, 64, 127, 257, 1057])],
      attributes: [("k", [.int(1), .int(2), .int(5), .int(40), .int(1000)])],
      data: ["normal", "int", "constant", "allpos", "negzero", "nan", "inf", "ramp", "last", "huge"]))
}

private func spec_transpose() -> OperatorSpec {
  OperatorSpec(
    "transpose", version: 1, level: .core, tier: 1, summary: "Permutes dimensions.",
    inputs: [
      Operand("x", ["@plain"], "..."),
    ],
    outputs: [
      Operand("y", ["=x"], "?"),
    ],
    attributes: [
      AttributeSpec("permutation", .ints, default: .ints([]), text: "Dimension i of y is dimension permutation[i] of x; empty reverses."),
    ],
    semantics: [
      "y[i0, i1, ...] = x[...] with y's dimension i being x's permutation[i]",
    ],
    shapeRule: .transpose,
    numerics: NumericsSpec(.exact),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"],
    conformance: ConformanceSpec(shapes: [[[7]], [[3, 5]], [[33, 17]], [[64, 64]], [[2, 3, 4]], [[5, 1, 31]], [[17, 33, 2]], [[2, 3, 4, 5]], [[3, 8, 5, 2]], [[1, 257]]],
      attributes: [("permutation", [.ints([]), .ints([0]), .ints([1, 0]), .ints([0, 1]), .ints([1, 0, 2]), .ints([2, 1, 0]), .ints([0, 2, 1]), .ints([1, 2, 0]), .ints([0, 2, 1, 3]), .ints([3, 1, 0, 2])])]))
}

private func spec_where() -> OperatorSpec {
  OperatorSpec(
    "where", version: 1, level: .core, tier: 1, summary: "Takes elements of a where a condition holds, else of b, broadcasting.",
    inputs: [
      Operand("condition", ["bool"], "..*"),
      Operand("a", ["@plain"], "..*"),
      Operand("b", ["=a"], "..*"),
    ],
    outputs: [
      Operand("y", ["=a"], "..*"),
    ],
    semantics: [
      "y = condition ? a : b; extents are equal or 1, missing leading dimensions count as 1",
    ],
    numerics: NumericsSpec(.exact),
    specialValues: ["nan": "propagate", "inf": "propagate", "empty": "an extent of 0 gives an empty result"])
}
