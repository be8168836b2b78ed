// Generated from Specs/operators/*.json by `backplane generate`. Do not edit.

import BackplaneCore

extension GraphBuilder {
  /// Computes |x| for each element. See Specs/operators/abs.md.
  public mutating func abs(_ x: TensorID, name: String? = nil) throws(BackplaneError) -> TensorID {
    let made = try apply("abs", [x], [], name: name)
    return made[0]!
  }

  /// Computes a + b for each element, broadcasting. See Specs/operators/add.md.
  public mutating func add(_ a: TensorID, _ b: TensorID, name: String? = nil) throws(BackplaneError) -> TensorID {
    let made = try apply("add", [a, b], [], name: name)
    return made[0]!
  }

  /// Adds a residual and normalises the sum. See Specs/operators/add_rms_norm.md.
  public mutating func addRmsNorm(
    _ x: TensorID, residual: TensorID, weight: TensorID? = nil, epsilon: Double = 1e-06, weightOffset: Double = 0.0, name: String? = nil
  ) throws(BackplaneError) -> (y: TensorID, sum: TensorID) {
    let made = try apply("add_rms_norm", [x, residual, weight], [
      Attribute("epsilon", .float(epsilon)),
      Attribute("weight_offset", .float(weightOffset)),
    ], name: name)
    return (y: made[0]!, sum: made[1]!)
  }

  /// Index of the largest element along the last dimension. See Specs/operators/argmax.md.
  public mutating func argmax(_ x: TensorID, name: String? = nil) throws(BackplaneError) -> TensorID {
    let made = try apply("argmax", [x], [], name: name)
    return made[0]!
  }

  /// Scaled dot-product attention with grouped heads: one operator for prefill and decode. See Specs/operators/attention.md.
  public mutating func attention(
    _ q: TensorID, _ k: TensorID, _ v: TensorID, mask: TensorID? = nil, sinks: TensorID? = nil, alibiSlopes: TensorID? = nil,
    scale: Double = 0.0, causal: Int = 0, window: Int = 0, softcap: Double = 0.0, name: String? = nil
  ) throws(BackplaneError) -> TensorID {
    let made = try apply("attention", [q, k, v, mask, sinks, alibiSlopes], [
      Attribute("scale", .float(scale)),
      Attribute("causal", .int(causal)),
      Attribute("window", .int(window)),
      Attribute("softcap", .float(softcap)),
    ], name: name)
    return made[0]!
  }

  /// Scaled dot-product attention with grouped heads: one operator for prefill and decode. See Specs/operators/attention.md.
  /// Makes the optional output lse too.
  public mutating func attentionWithLse(
    _ q: TensorID, _ k: TensorID, _ v: TensorID, mask: TensorID? = nil, sinks: TensorID? = nil, alibiSlopes: TensorID? = nil,
    scale: Double = 0.0, causal: Int = 0, window: Int = 0, softcap: Double = 0.0, name: String? = nil
  ) throws(BackplaneError) -> (y: TensorID, lse: TensorID) {
    let made = try apply("attention", [q, k, v, mask, sinks, alibiSlopes], [
      Attribute("scale", .float(scale)),
      Attribute("causal", .int(causal)),
      Attribute("window", .int(window)),
      Attribute("softcap", .float(softcap)),
    ], name: name, optionalOutputs: ["lse"])
    return (y: made[0]!, lse: made[1]!)
  }

  /// Converts elements to another plain format. See Specs/operators/cast.md.
  public mutating func cast(_ x: TensorID, to: String = "f32", name: String? = nil) throws(BackplaneError) -> TensorID {
    let made = try apply("cast", [x], [
      Attribute("to", .string(to)),
    ], name: name)
    return made[0]!
  }

  /// Rounds each element up to an integer. See Specs/operators/ceil.md.
  public mutating func ceil(_ x: TensorID, name: String? = nil) throws(BackplaneError) -> TensorID {
    let made = try apply("ceil", [x], [], name: name)
    return made[0]!
  }

  /// Limits elements to a range. See Specs/operators/clip.md.
  public mutating func clip(
    _ x: TensorID, minimum: Double = -3.4028234663852886e+38, maximum: Double = 3.4028234663852886e+38, name: String? = nil
  ) throws(BackplaneError) -> TensorID {
    let made = try apply("clip", [x], [
      Attribute("minimum", .float(minimum)),
      Attribute("maximum", .float(maximum)),
    ], name: name)
    return made[0]!
  }

  /// Joins tensors along one dimension. See Specs/operators/concat.md.
  public mutating func concat(_ inputs: [TensorID], axis: Int = 0, name: String? = nil) throws(BackplaneError) -> TensorID {
    let made = try apply("concat", inputs, [
      Attribute("axis", .int(axis)),
    ], name: name)
    return made[0]!
  }

  /// Computes cos x, |x| <= 2^13 for each element. See Specs/operators/cos.md.
  public mutating func cos(_ x: TensorID, name: String? = nil) throws(BackplaneError) -> TensorID {
    let made = try apply("cos", [x], [], name: name)
    return made[0]!
  }

  /// Running sums along a dimension. See Specs/operators/cumsum.md.
  public mutating func cumsum(
    _ x: TensorID, axis: Int = -1, exclusive: Int = 0, reverse: Int = 0, name: String? = nil
  ) throws(BackplaneError) -> TensorID {
    let made = try apply("cumsum", [x], [
      Attribute("axis", .int(axis)),
      Attribute("exclusive", .int(exclusive)),
      Attribute("reverse", .int(reverse)),
    ], name: name)
    return made[0]!
  }

  /// Decodes a block format. See Specs/operators/dequantize.md.
  public mutating func dequantize(_ x: TensorID, to: String = "f32", name: String? = nil) throws(BackplaneError) -> TensorID {
    let made = try apply("dequantize", [x], [
      Attribute("to", .string(to)),
    ], name: name)
    return made[0]!
  }

  /// Turns 8-bit or 32-bit integers into floats with given scales and zero points. See Specs/operators/dequantize_linear.md.
  public mutating func dequantizeLinear(
    _ x: TensorID, scale: TensorID, zeroPoint: TensorID? = nil, to: String = "f32", name: String? = nil
  ) throws(BackplaneError) -> TensorID {
    let made = try apply("dequantize_linear", [x, scale, zeroPoint], [
      Attribute("to", .string(to)),
    ], name: name)
    return made[0]!
  }

  /// Computes a / b for each element, broadcasting. See Specs/operators/div.md.
  public mutating func div(_ a: TensorID, _ b: TensorID, name: String? = nil) throws(BackplaneError) -> TensorID {
    let made = try apply("div", [a, b], [], name: name)
    return made[0]!
  }

  /// Quantises with scales taken from the data. See Specs/operators/dynamic_quantize.md.
  public mutating func dynamicQuantize(_ x: TensorID, to: String = "i8", name: String? = nil) throws(BackplaneError) -> TensorID {
    let made = try apply("dynamic_quantize", [x], [
      Attribute("to", .string(to)),
    ], name: name)
    return made[0]!
  }

  /// Quantises with scales taken from the data. See Specs/operators/dynamic_quantize.md.
  /// Makes the optional output scale, zero_point too.
  public mutating func dynamicQuantizeWithScaleAndZeroPoint(
    _ x: TensorID, to: String = "i8", name: String? = nil
  ) throws(BackplaneError) -> (y: TensorID, scale: TensorID, zero_point: TensorID) {
    let made = try apply("dynamic_quantize", [x], [
      Attribute("to", .string(to)),
    ], name: name, optionalOutputs: ["scale", "zero_point"])
    return (y: made[0]!, scale: made[1]!, zero_point: made[2]!)
  }

  /// Exponential linear unit. See Specs/operators/elu.md.
  public mutating func elu(_ x: TensorID, alpha: Double = 1.0, name: String? = nil) throws(BackplaneError) -> TensorID {
    let made = try apply("elu", [x], [
      Attribute("alpha", .float(alpha)),
    ], name: name)
    return made[0]!
  }

  /// Says for each element whether a equals b, broadcasting. See Specs/operators/equal.md.
  public mutating func equal(_ a: TensorID, _ b: TensorID, name: String? = nil) throws(BackplaneError) -> TensorID {
    let made = try apply("equal", [a, b], [], name: name)
    return made[0]!
  }

  /// Computes erf x for each element. See Specs/operators/erf.md.
  public mutating func erf(_ x: TensorID, name: String? = nil) throws(BackplaneError) -> TensorID {
    let made = try apply("erf", [x], [], name: name)
    return made[0]!
  }

  /// Computes e^x for each element. See Specs/operators/exp.md.
  public mutating func exp(_ x: TensorID, name: String? = nil) throws(BackplaneError) -> TensorID {
    let made = try apply("exp", [x], [], name: name)
    return made[0]!
  }

  /// Repeats dimensions of extent 1. See Specs/operators/expand.md.
  public mutating func expand(_ x: TensorID, shape: [Int] = [], name: String? = nil) throws(BackplaneError) -> TensorID {
    let made = try apply("expand", [x], [
      Attribute("shape", .ints(shape)),
    ], name: name)
    return made[0]!
  }

  /// Rounds each element down to an integer. See Specs/operators/floor.md.
  public mutating func floor(_ x: TensorID, name: String? = nil) throws(BackplaneError) -> TensorID {
    let made = try apply("floor", [x], [], name: name)
    return made[0]!
  }

  /// Activates a gate and multiplies it with a second stream (GLU). See Specs/operators/gated_activation.md.
  public mutating func gatedActivation(
    _ gate: TensorID, up: TensorID, activation: String = "swiglu", name: String? = nil
  ) throws(BackplaneError) -> TensorID {
    let made = try apply("gated_activation", [gate, up], [
      Attribute("activation", .string(activation)),
    ], name: name)
    return made[0]!
  }

  /// Takes rows of a table, decoding and scaling them. See Specs/operators/gather.md.
  public mutating func gather(
    _ table: TensorID, indices: TensorID, scale: Double = 1.0, to: String = "f32", name: String? = nil
  ) throws(BackplaneError) -> TensorID {
    let made = try apply("gather", [table, indices], [
      Attribute("scale", .float(scale)),
      Attribute("to", .string(to)),
    ], name: name)
    return made[0]!
  }

  /// Gaussian error linear unit. See Specs/operators/gelu.md.
  public mutating func gelu(_ x: TensorID, approximate: String = "none", name: String? = nil) throws(BackplaneError) -> TensorID {
    let made = try apply("gelu", [x], [
      Attribute("approximate", .string(approximate)),
    ], name: name)
    return made[0]!
  }

  /// Gaussian error linear unit by a sigmoid. See Specs/operators/gelu_quick.md.
  public mutating func geluQuick(_ x: TensorID, name: String? = nil) throws(BackplaneError) -> TensorID {
    let made = try apply("gelu_quick", [x], [], name: name)
    return made[0]!
  }

  /// Says for each element whether a is greater than b, broadcasting. See Specs/operators/greater.md.
  public mutating func greater(_ a: TensorID, _ b: TensorID, name: String? = nil) throws(BackplaneError) -> TensorID {
    let made = try apply("greater", [a, b], [], name: name)
    return made[0]!
  }

  /// Sigmoid by a straight line. See Specs/operators/hardsigmoid.md.
  public mutating func hardsigmoid(
    _ x: TensorID, alpha: Double = 0.2, beta: Double = 0.5, name: String? = nil
  ) throws(BackplaneError) -> TensorID {
    let made = try apply("hardsigmoid", [x], [
      Attribute("alpha", .float(alpha)),
      Attribute("beta", .float(beta)),
    ], name: name)
    return made[0]!
  }

  /// Swish by a straight line. See Specs/operators/hardswish.md.
  public mutating func hardswish(_ x: TensorID, name: String? = nil) throws(BackplaneError) -> TensorID {
    let made = try apply("hardswish", [x], [], name: name)
    return made[0]!
  }

  /// Centres and scales each row to unit variance. See Specs/operators/layer_norm.md.
  public mutating func layerNorm(
    _ x: TensorID, weight: TensorID? = nil, bias: TensorID? = nil, epsilon: Double = 1e-05, name: String? = nil
  ) throws(BackplaneError) -> TensorID {
    let made = try apply("layer_norm", [x, weight, bias], [
      Attribute("epsilon", .float(epsilon)),
    ], name: name)
    return made[0]!
  }

  /// Leaky rectified linear unit. See Specs/operators/leaky_relu.md.
  public mutating func leakyRelu(_ x: TensorID, alpha: Double = 0.01, name: String? = nil) throws(BackplaneError) -> TensorID {
    let made = try apply("leaky_relu", [x], [
      Attribute("alpha", .float(alpha)),
    ], name: name)
    return made[0]!
  }

  /// Says for each element whether a is less than b, broadcasting. See Specs/operators/less.md.
  public mutating func less(_ a: TensorID, _ b: TensorID, name: String? = nil) throws(BackplaneError) -> TensorID {
    let made = try apply("less", [a, b], [], name: name)
    return made[0]!
  }

  /// Computes ln x for each element. See Specs/operators/log.md.
  public mutating func log(_ x: TensorID, name: String? = nil) throws(BackplaneError) -> TensorID {
    let made = try apply("log", [x], [], name: name)
    return made[0]!
  }

  /// Multiplies matrices, weights in any format, with optional bias, activation and residual. See Specs/operators/matmul.md.
  public mutating func matmul(
    _ a: TensorID, _ b: TensorID, bias: TensorID? = nil, residual: TensorID? = nil, transposeB: Int = 1, activation: String = "none",
    name: String? = nil
  ) throws(BackplaneError) -> TensorID {
    let made = try apply("matmul", [a, b, bias, residual], [
      Attribute("transpose_b", .int(transposeB)),
      Attribute("activation", .string(activation)),
    ], name: name)
    return made[0]!
  }

  /// Gate and up projections with the gated activation of their results. See Specs/operators/matmul_gated.md.
  public mutating func matmulGated(
    _ a: TensorID, gate: TensorID, up: TensorID, activation: String = "swiglu", name: String? = nil
  ) throws(BackplaneError) -> TensorID {
    let made = try apply("matmul_gated", [a, gate, up], [
      Attribute("activation", .string(activation)),
    ], name: name)
    return made[0]!
  }

  /// Multiplies matrices of 8-bit integers into 32 bits. See Specs/operators/matmul_integer.md.
  public mutating func matmulInteger(
    _ a: TensorID, _ b: TensorID, aZeroPoint: TensorID? = nil, bZeroPoint: TensorID? = nil, transposeB: Int = 1, name: String? = nil
  ) throws(BackplaneError) -> TensorID {
    let made = try apply("matmul_integer", [a, b, aZeroPoint, bZeroPoint], [
      Attribute("transpose_b", .int(transposeB)),
    ], name: name)
    return made[0]!
  }

  /// Computes max(a, b) for each element, broadcasting. See Specs/operators/max.md.
  public mutating func max(_ a: TensorID, _ b: TensorID, name: String? = nil) throws(BackplaneError) -> TensorID {
    let made = try apply("max", [a, b], [], name: name)
    return made[0]!
  }

  /// Joins the results of attention over two parts of the keys. See Specs/operators/merge_attention.md.
  public mutating func mergeAttention(
    _ a: TensorID, aLse: TensorID, _ b: TensorID, bLse: TensorID, name: String? = nil
  ) throws(BackplaneError) -> TensorID {
    let made = try apply("merge_attention", [a, aLse, b, bLse], [], name: name)
    return made[0]!
  }

  /// Joins the results of attention over two parts of the keys. See Specs/operators/merge_attention.md.
  /// Makes the optional output lse too.
  public mutating func mergeAttentionWithLse(
    _ a: TensorID, aLse: TensorID, _ b: TensorID, bLse: TensorID, name: String? = nil
  ) throws(BackplaneError) -> (y: TensorID, lse: TensorID) {
    let made = try apply("merge_attention", [a, aLse, b, bLse], [], name: name, optionalOutputs: ["lse"])
    return (y: made[0]!, lse: made[1]!)
  }

  /// Computes min(a, b) for each element, broadcasting. See Specs/operators/min.md.
  public mutating func min(_ a: TensorID, _ b: TensorID, name: String? = nil) throws(BackplaneError) -> TensorID {
    let made = try apply("min", [a, b], [], name: name)
    return made[0]!
  }

  /// Computes a * b for each element, broadcasting. See Specs/operators/mul.md.
  public mutating func mul(_ a: TensorID, _ b: TensorID, name: String? = nil) throws(BackplaneError) -> TensorID {
    let made = try apply("mul", [a, b], [], name: name)
    return made[0]!
  }

  /// Computes -x for each element. See Specs/operators/neg.md.
  public mutating func neg(_ x: TensorID, name: String? = nil) throws(BackplaneError) -> TensorID {
    let made = try apply("neg", [x], [], name: name)
    return made[0]!
  }

  /// Normalises rows, then multiplies them by a matrix. See Specs/operators/norm_matmul.md.
  public mutating func normMatmul(
    _ x: TensorID, normWeight: TensorID? = nil, b: TensorID, bias: TensorID? = nil, epsilon: Double = 1e-06, weightOffset: Double = 0.0,
    activation: String = "none", name: String? = nil
  ) throws(BackplaneError) -> TensorID {
    let made = try apply("norm_matmul", [x, normWeight, b, bias], [
      Attribute("epsilon", .float(epsilon)),
      Attribute("weight_offset", .float(weightOffset)),
      Attribute("activation", .string(activation)),
    ], name: name)
    return made[0]!
  }

  /// Surrounds a tensor with a constant. See Specs/operators/pad.md.
  public mutating func pad(
    _ x: TensorID, before: [Int], after: [Int], value: Double = 0.0, name: String? = nil
  ) throws(BackplaneError) -> TensorID {
    let made = try apply("pad", [x], [
      Attribute("before", .ints(before)),
      Attribute("after", .ints(after)),
      Attribute("value", .float(value)),
    ], name: name)
    return made[0]!
  }

  /// Computes a to the power b for each element, broadcasting. See Specs/operators/pow.md.
  public mutating func pow(_ a: TensorID, _ b: TensorID, name: String? = nil) throws(BackplaneError) -> TensorID {
    let made = try apply("pow", [a, b], [], name: name)
    return made[0]!
  }

  /// Projects to queries, keys and values, rotates the first two and writes the last two to the cache. See Specs/operators/qkv_rope_cache.md.
  public mutating func qkvRopeCache(
    _ x: TensorID, wq: TensorID, wk: TensorID, wv: TensorID, positions: TensorID, frequencies: TensorID, kCache: TensorID, vCache: TensorID,
    qNorm: TensorID? = nil, kNorm: TensorID? = nil, qBias: TensorID? = nil, kBias: TensorID? = nil, vBias: TensorID? = nil,
    epsilon: Double = 1e-06, weightOffset: Double = 0.0, interleaved: Int = 0, scale: Double = 1.0, mode: String = "linear",
    name: String? = nil
  ) throws(BackplaneError) -> (q: TensorID, keys: TensorID, values: TensorID) {
    let made = try apply("qkv_rope_cache", [x, wq, wk, wv, positions, frequencies, kCache, vCache, qNorm, kNorm, qBias, kBias, vBias], [
      Attribute("epsilon", .float(epsilon)),
      Attribute("weight_offset", .float(weightOffset)),
      Attribute("interleaved", .int(interleaved)),
      Attribute("scale", .float(scale)),
      Attribute("mode", .string(mode)),
    ], name: name)
    return (q: made[0]!, keys: made[1]!, values: made[2]!)
  }

  /// Multiplies quantised matrices and quantises the result. See Specs/operators/qlinear_matmul.md.
  public mutating func qlinearMatmul(
    _ a: TensorID, _ b: TensorID, aScale: TensorID, bScale: TensorID, yScale: TensorID, aZeroPoint: TensorID? = nil,
    bZeroPoint: TensorID? = nil, yZeroPoint: TensorID? = nil, transposeB: Int = 1, to: String = "i8", name: String? = nil
  ) throws(BackplaneError) -> TensorID {
    let made = try apply("qlinear_matmul", [a, b, aScale, bScale, yScale, aZeroPoint, bZeroPoint, yZeroPoint], [
      Attribute("transpose_b", .int(transposeB)),
      Attribute("to", .string(to)),
    ], name: name)
    return made[0]!
  }

  /// Quantises to 8 bits with given scales and zero points. See Specs/operators/quantize_linear.md.
  public mutating func quantizeLinear(
    _ x: TensorID, scale: TensorID, zeroPoint: TensorID? = nil, to: String = "i8", name: String? = nil
  ) throws(BackplaneError) -> TensorID {
    let made = try apply("quantize_linear", [x, scale, zeroPoint], [
      Attribute("to", .string(to)),
    ], name: name)
    return made[0]!
  }

  /// Computes 1 / x for each element. See Specs/operators/reciprocal.md.
  public mutating func reciprocal(_ x: TensorID, name: String? = nil) throws(BackplaneError) -> TensorID {
    let made = try apply("reciprocal", [x], [], name: name)
    return made[0]!
  }

  /// Euclidean norm over some dimensions. See Specs/operators/reduce_l2.md.
  public mutating func reduceL2(
    _ x: TensorID, axes: [Int] = [-1], keepDims: Int = 0, name: String? = nil
  ) throws(BackplaneError) -> TensorID {
    let made = try apply("reduce_l2", [x], [
      Attribute("axes", .ints(axes)),
      Attribute("keep_dims", .int(keepDims)),
    ], name: name)
    return made[0]!
  }

  /// Maximum over some dimensions. See Specs/operators/reduce_max.md.
  public mutating func reduceMax(
    _ x: TensorID, axes: [Int] = [-1], keepDims: Int = 0, name: String? = nil
  ) throws(BackplaneError) -> TensorID {
    let made = try apply("reduce_max", [x], [
      Attribute("axes", .ints(axes)),
      Attribute("keep_dims", .int(keepDims)),
    ], name: name)
    return made[0]!
  }

  /// Mean over some dimensions. See Specs/operators/reduce_mean.md.
  public mutating func reduceMean(
    _ x: TensorID, axes: [Int] = [-1], keepDims: Int = 0, name: String? = nil
  ) throws(BackplaneError) -> TensorID {
    let made = try apply("reduce_mean", [x], [
      Attribute("axes", .ints(axes)),
      Attribute("keep_dims", .int(keepDims)),
    ], name: name)
    return made[0]!
  }

  /// Minimum over some dimensions. See Specs/operators/reduce_min.md.
  public mutating func reduceMin(
    _ x: TensorID, axes: [Int] = [-1], keepDims: Int = 0, name: String? = nil
  ) throws(BackplaneError) -> TensorID {
    let made = try apply("reduce_min", [x], [
      Attribute("axes", .ints(axes)),
      Attribute("keep_dims", .int(keepDims)),
    ], name: name)
    return made[0]!
  }

  /// Product over some dimensions. See Specs/operators/reduce_prod.md.
  public mutating func reduceProd(
    _ x: TensorID, axes: [Int] = [-1], keepDims: Int = 0, name: String? = nil
  ) throws(BackplaneError) -> TensorID {
    let made = try apply("reduce_prod", [x], [
      Attribute("axes", .ints(axes)),
      Attribute("keep_dims", .int(keepDims)),
    ], name: name)
    return made[0]!
  }

  /// Sum over some dimensions. See Specs/operators/reduce_sum.md.
  public mutating func reduceSum(
    _ x: TensorID, axes: [Int] = [-1], keepDims: Int = 0, name: String? = nil
  ) throws(BackplaneError) -> TensorID {
    let made = try apply("reduce_sum", [x], [
      Attribute("axes", .ints(axes)),
      Attribute("keep_dims", .int(keepDims)),
    ], name: name)
    return made[0]!
  }

  /// Computes max(x, 0) for each element. See Specs/operators/relu.md.
  public mutating func relu(_ x: TensorID, name: String? = nil) throws(BackplaneError) -> TensorID {
    let made = try apply("relu", [x], [], name: name)
    return made[0]!
  }

  /// Square of the rectified linear unit. See Specs/operators/relu_squared.md.
  public mutating func reluSquared(_ x: TensorID, name: String? = nil) throws(BackplaneError) -> TensorID {
    let made = try apply("relu_squared", [x], [], name: name)
    return made[0]!
  }

  /// Gives the same elements another shape. See Specs/operators/reshape.md.
  public mutating func reshape(_ x: TensorID, shape: [Int], name: String? = nil) throws(BackplaneError) -> TensorID {
    let made = try apply("reshape", [x], [
      Attribute("shape", .ints(shape)),
    ], name: name)
    return made[0]!
  }

  /// Divides each row by its root mean square and scales it. See Specs/operators/rms_norm.md.
  public mutating func rmsNorm(
    _ x: TensorID, weight: TensorID? = nil, epsilon: Double = 1e-06, weightOffset: Double = 0.0, name: String? = nil
  ) throws(BackplaneError) -> TensorID {
    let made = try apply("rms_norm", [x, weight], [
      Attribute("epsilon", .float(epsilon)),
      Attribute("weight_offset", .float(weightOffset)),
    ], name: name)
    return made[0]!
  }

  /// Normalises each head, then rotates it (QK-norm with rope). See Specs/operators/rms_norm_rope.md.
  public mutating func rmsNormRope(
    _ x: TensorID, weight: TensorID? = nil, positions: TensorID, frequencies: TensorID, epsilon: Double = 1e-06, weightOffset: Double = 0.0,
    interleaved: Int = 0, scale: Double = 1.0, name: String? = nil
  ) throws(BackplaneError) -> TensorID {
    let made = try apply("rms_norm_rope", [x, weight, positions, frequencies], [
      Attribute("epsilon", .float(epsilon)),
      Attribute("weight_offset", .float(weightOffset)),
      Attribute("interleaved", .int(interleaved)),
      Attribute("scale", .float(scale)),
    ], name: name)
    return made[0]!
  }

  /// Rotates pairs of elements of each head by position-dependent angles. See Specs/operators/rotary_embedding.md.
  public mutating func rotaryEmbedding(
    _ x: TensorID, positions: TensorID, frequencies: TensorID, interleaved: Int = 0, scale: Double = 1.0, name: String? = nil
  ) throws(BackplaneError) -> TensorID {
    let made = try apply("rotary_embedding", [x, positions, frequencies], [
      Attribute("interleaved", .int(interleaved)),
      Attribute("scale", .float(scale)),
    ], name: name)
    return made[0]!
  }

  /// Rounds each element to the nearest integer, ties to even. See Specs/operators/round.md.
  public mutating func round(_ x: TensorID, name: String? = nil) throws(BackplaneError) -> TensorID {
    let made = try apply("round", [x], [], name: name)
    return made[0]!
  }

  /// Computes 1 / sqrt(x) for each element. See Specs/operators/rsqrt.md.
  public mutating func rsqrt(_ x: TensorID, name: String? = nil) throws(BackplaneError) -> TensorID {
    let made = try apply("rsqrt", [x], [], name: name)
    return made[0]!
  }

  /// Draws an index from each row of logits. See Specs/operators/sample.md.
  public mutating func sample(
    _ logits: TensorID, draws: TensorID, temperature: Double = 1.0, topK: Int = 0, topP: Double = 1.0, minP: Double = 0.0,
    name: String? = nil
  ) throws(BackplaneError) -> TensorID {
    let made = try apply("sample", [logits, draws], [
      Attribute("temperature", .float(temperature)),
      Attribute("top_k", .int(topK)),
      Attribute("top_p", .float(topP)),
      Attribute("min_p", .float(minP)),
    ], name: name)
    return made[0]!
  }

  /// Multiplies by a factor and adds an offset. See Specs/operators/scale.md.
  public mutating func scale(
    _ x: TensorID, factor: Double = 1.0, offset: Double = 0.0, name: String? = nil
  ) throws(BackplaneError) -> TensorID {
    let made = try apply("scale", [x], [
      Attribute("factor", .float(factor)),
      Attribute("offset", .float(offset)),
    ], name: name)
    return made[0]!
  }

  /// Computes 1 / (1 + e^-x) for each element. See Specs/operators/sigmoid.md.
  public mutating func sigmoid(_ x: TensorID, name: String? = nil) throws(BackplaneError) -> TensorID {
    let made = try apply("sigmoid", [x], [], name: name)
    return made[0]!
  }

  /// Gives each element's sign: -1, 0 or 1. See Specs/operators/sign.md.
  public mutating func sign(_ x: TensorID, name: String? = nil) throws(BackplaneError) -> TensorID {
    let made = try apply("sign", [x], [], name: name)
    return made[0]!
  }

  /// Computes x / (1 + e^-x) for each element. See Specs/operators/silu.md.
  public mutating func silu(_ x: TensorID, name: String? = nil) throws(BackplaneError) -> TensorID {
    let made = try apply("silu", [x], [], name: name)
    return made[0]!
  }

  /// Computes sin x, |x| <= 2^13 for each element. See Specs/operators/sin.md.
  public mutating func sin(_ x: TensorID, name: String? = nil) throws(BackplaneError) -> TensorID {
    let made = try apply("sin", [x], [], name: name)
    return made[0]!
  }

  /// Takes a range of one dimension. See Specs/operators/slice.md.
  public mutating func slice(
    _ x: TensorID, axis: Int = 0, start: Int = 0, end: Int = 9223372036854775807, step: Int = 1, name: String? = nil
  ) throws(BackplaneError) -> TensorID {
    let made = try apply("slice", [x], [
      Attribute("axis", .int(axis)),
      Attribute("start", .int(start)),
      Attribute("end", .int(end)),
      Attribute("step", .int(step)),
    ], name: name)
    return made[0]!
  }

  /// Soft limit: c tanh(x / c). See Specs/operators/softcap.md.
  public mutating func softcap(_ x: TensorID, cap: Double = 30.0, name: String? = nil) throws(BackplaneError) -> TensorID {
    let made = try apply("softcap", [x], [
      Attribute("cap", .float(cap)),
    ], name: name)
    return made[0]!
  }

  /// Exponentials that sum to one along the last dimension. See Specs/operators/softmax.md.
  public mutating func softmax(
    _ x: TensorID, mask: TensorID? = nil, scale: Double = 1.0, name: String? = nil
  ) throws(BackplaneError) -> TensorID {
    let made = try apply("softmax", [x, mask], [
      Attribute("scale", .float(scale)),
    ], name: name)
    return made[0]!
  }

  /// Computes ln(1 + e^x) for each element. See Specs/operators/softplus.md.
  public mutating func softplus(_ x: TensorID, name: String? = nil) throws(BackplaneError) -> TensorID {
    let made = try apply("softplus", [x], [], name: name)
    return made[0]!
  }

  /// Computes sqrt(x) for each element. See Specs/operators/sqrt.md.
  public mutating func sqrt(_ x: TensorID, name: String? = nil) throws(BackplaneError) -> TensorID {
    let made = try apply("sqrt", [x], [], name: name)
    return made[0]!
  }

  /// Computes x^2 for each element. See Specs/operators/square.md.
  public mutating func square(_ x: TensorID, name: String? = nil) throws(BackplaneError) -> TensorID {
    let made = try apply("square", [x], [], name: name)
    return made[0]!
  }

  /// Computes a - b for each element, broadcasting. See Specs/operators/sub.md.
  public mutating func sub(_ a: TensorID, _ b: TensorID, name: String? = nil) throws(BackplaneError) -> TensorID {
    let made = try apply("sub", [a, b], [], name: name)
    return made[0]!
  }

  /// Computes tanh x for each element. See Specs/operators/tanh.md.
  public mutating func tanh(_ x: TensorID, name: String? = nil) throws(BackplaneError) -> TensorID {
    let made = try apply("tanh", [x], [], name: name)
    return made[0]!
  }

  /// Writes rows into a cache at given positions, converting on the way. See Specs/operators/tensor_scatter.md.
  public mutating func tensorScatter(
    _ cache: TensorID, update: TensorID, positions: TensorID, mode: String = "linear", name: String? = nil
  ) throws(BackplaneError) -> TensorID {
    let made = try apply("tensor_scatter", [cache, update, positions], [
      Attribute("mode", .string(mode)),
    ], name: name)
    return made[0]!
  }

  /// The largest or smallest elements of each row, in order. See Specs/operators/topk.md.
  public mutating func topk(
    _ x: TensorID, k: Int = 1, largest: Int = 1, name: String? = nil
  ) throws(BackplaneError) -> (values: TensorID, indices: TensorID) {
    let made = try apply("topk", [x], [
      Attribute("k", .int(k)),
      Attribute("largest", .int(largest)),
    ], name: name)
    return (values: made[0]!, indices: made[1]!)
  }

  /// Permutes dimensions. See Specs/operators/transpose.md.
  public mutating func transpose(_ x: TensorID, permutation: [Int] = [], name: String? = nil) throws(BackplaneError) -> TensorID {
    let made = try apply("transpose", [x], [
      Attribute("permutation", .ints(permutation)),
    ], name: name)
    return made[0]!
  }

  /// Takes elements of a where a condition holds, else of b, broadcasting. See Specs/operators/where.md.
  public mutating func `where`(
    _ condition: TensorID, _ a: TensorID, _ b: TensorID, name: String? = nil
  ) throws(BackplaneError) -> TensorID {
    let made = try apply("where", [condition, a, b], [], name: name)
    return made[0]!
  }
}
