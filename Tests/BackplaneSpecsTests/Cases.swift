import BackplaneCore
@testable import BackplaneSpecs

/// An operand by format and extents; negative extents stand for the symbols below.
struct T: CustomStringConvertible {
  let format: ElementFormat
  let shape: Shape

  init(_ extents: [Int]) { self.init(.f32, extents) }
  init(_ format: ElementFormat, _ extents: [Int]) {
    self.format = format
    shape = Shape(extents.map { $0 >= 0 ? .fixed($0) : .symbol(T.symbols[-$0 - 1]) })
  }

  var tensor: TensorDescription { TensorDescription(name: "t", format: format, shape: shape, role: .input) }
  var description: String { "\(format)\(shape)" }

  static let symbols = [Symbol(number: 1, name: "tokens", bounds: 1...512), Symbol(number: 2, name: "kv", bounds: 32...4096)]
}

/// The symbolic extents, as `T` takes them.
let tokens = -1
let kv = -2

struct Case: CustomStringConvertible {
  let op: String
  let inputs: [T?]
  let attributes: [Attribute]
  /// What comes out; empty when it is refused.
  let outputs: [T]
  let label: String

  init(_ op: String, _ inputs: [T?], _ attributes: [String: AttributeValue] = [:], gives outputs: [T]) {
    (self.op, self.inputs, self.outputs, label) = (op, inputs, outputs, "")
    self.attributes = attributes.map { Attribute($0.key, $0.value) }
  }

  init(_ op: String, _ label: String, _ inputs: [T?], _ attributes: [String: AttributeValue] = [:]) {
    (self.op, self.inputs, self.label, outputs) = (op, inputs, label, [])
    self.attributes = attributes.map { Attribute($0.key, $0.value) }
  }

  var description: String { "\(op) \(label.isEmpty ? "of" : label) \(inputs.map { $0?.description ?? "-" }) \(attributes.map { "\($0.name) = \($0.value)" })" }

  func resolve() throws -> Resolution { try OperatorSpec.named(op)!.resolve(inputs: inputs.map { $0?.tensor }, attributes: attributes) }
}

/// At least one accepted case an operator.
enum Accepted {
  static let unary = ["abs", "cos", "erf", "exp", "gelu", "log", "neg", "reciprocal", "relu", "rsqrt", "sigmoid", "silu", "sin", "softcap", "softplus", "sqrt",
                      "square", "tanh", "clip", "scale", "floor", "ceil", "round", "sign", "elu", "leaky_relu", "relu_squared", "hardsigmoid",
                      "hardswish", "gelu_quick"]
  static let binary = ["add", "sub", "mul", "div", "min", "max"]

  static let all: [Case] =
    unary.flatMap { [Case($0, [T([2, 3])], gives: [T([2, 3])]), Case($0, [T(.f16, [tokens, 7])], gives: [T(.f16, [tokens, 7])]), Case($0, [T([])], gives: [T([])])] }
    + binary.flatMap { [
      Case($0, [T([2, 3]), T([2, 3])], gives: [T([2, 3])]),
      Case($0, [T([3]), T([4, 2, 1])], gives: [T([4, 2, 3])]),
      Case($0, [T(.i32, [tokens, 1]), T(.i32, [5])], gives: [T(.i32, [tokens, 5])]),
      Case($0, [T([1]), T([tokens])], gives: [T([tokens])]),
      Case($0, [T([0, 3]), T([])], gives: [T([0, 3])]),
    ] } + [
      Case("pow", [T([3]), T([4, 2, 1])], gives: [T([4, 2, 3])]),
    ] + ["equal", "less", "greater"].map { Case($0, [T(.i64, [tokens, 1]), T(.i64, [5])], gives: [T(.bool, [tokens, 5])]) } + others

  static let others: [Case] = [
    Case("add_rms_norm", [T([2, 8]), T([2, 8]), T([8])], gives: [T([2, 8]), T([2, 8])]),
    Case("add_rms_norm", [T(.bf16, [tokens, 8]), T(.bf16, [tokens, 8])], gives: [T(.bf16, [tokens, 8]), T(.bf16, [tokens, 8])]),
    Case("argmax", [T([tokens, 9])], gives: [T(.i32, [tokens])]),
    Case("argmax", [T([9])], gives: [T(.i32, [])]),
    Case("attention", [T([tokens, 8, 64]), T(.q8_0, [kv, 2, 64]), T(.f16, [kv, 2, 32]), T([tokens, kv])],
         gives: [T([tokens, 8, 32]), T([tokens, 8])]),
    Case("attention", [T(.f16, [3, 5, 6, 16]), T([3, 7, 3, 16]), T([3, 7, 3, 16]), nil, T([6]), T([6])], ["causal": .int(1)],
         gives: [T(.f16, [3, 5, 6, 16]), T([3, 5, 6])]),
    Case("cast", [T(.i64, [tokens])], ["to": .string("bool")], gives: [T(.bool, [tokens])]),
    Case("cast", [T(.f16, [2])], gives: [T([2])]),
    Case("concat", [T(.q4_0, [2, 32]), T(.q4_0, [3, 32])], gives: [T(.q4_0, [5, 32])]),
    Case("concat", [T([tokens, 2]), T([tokens, 3]), T([tokens, 0])], ["axis": .int(-1)], gives: [T([tokens, 5])]),
    Case("concat", [T([0, 2]), T([tokens, 2])], gives: [T([tokens, 2])]),
    Case("cumsum", [T([tokens, 3])], ["axis": .int(0)], gives: [T([tokens, 3])]),
    Case("dequantize_linear", [T(.u8, [tokens, 3]), T([]), T(.u8, [1])], ["to": .string("f16")], gives: [T(.f16, [tokens, 3])]),
    Case("dequantize_linear", [T(.i32, [2, 3]), T([2, 1])], gives: [T([2, 3])]),
    Case("dynamic_quantize", [T(.f16, [tokens, 5])], gives: [T(.i8, [tokens, 5]), T([tokens, 1]), T(.u8, [tokens, 1])]),
    Case("dynamic_quantize", [T([tokens, 5])], ["to": .string("u8")], gives: [T(.u8, [tokens, 5]), T([1]), T(.u8, [1])]),
    Case("dynamic_quantize", [T([2, 64])], ["to": .string("q8_0")], gives: [T(.q8_0, [2, 64]), T([2, 1]), T(.u8, [2, 1])]),
    Case("expand", [T([3, 1])], ["shape": .ints([2, 1, 4])], gives: [T([2, 3, 4])]),
    Case("expand", [T(.i8, [tokens, 1])], ["shape": .ints([-1, 4])], gives: [T(.i8, [tokens, 4])]),
    Case("dequantize", [T(.q4K, [tokens, 512])], ["to": .string("f16")], gives: [T(.f16, [tokens, 512])]),
    Case("gated_activation", [T([tokens, 4]), T([tokens, 4])], gives: [T([tokens, 4])]),
    Case("gather", [T(.q6K, [1000, 256]), T(.i32, [tokens])], gives: [T([tokens, 256])]),
    Case("gather", [T([10, 4]), T(.i64, [2, 3])], ["to": .string("f16")], gives: [T(.f16, [2, 3, 4])]),
    Case("layer_norm", [T([tokens, 4]), nil, T([4])], gives: [T([tokens, 4])]),
    Case("matmul", [T([tokens, 64]), T(.q4_0, [100, 64]), T([100]), T([tokens, 100])], gives: [T([tokens, 100])]),
    Case("matmul", [T([3, 1, 5, 8]), T([2, 7, 8])], gives: [T([3, 2, 5, 7])]),
    Case("matmul", [T([tokens, kv]), T([kv, 7])], ["transpose_b": .int(0)], gives: [T([tokens, 7])]),
    Case("matmul", [T([2, 0]), T([3, 0])], gives: [T([2, 3])]),
    Case("matmul_integer", [T(.u8, [tokens, 8]), T(.i8, [3, 8]), T(.u8, [1]), T(.i32, [3])], gives: [T(.i32, [tokens, 3])]),
    Case("matmul_integer", [T(.i8, [2, 1, tokens, 8]), T(.i8, [5, 8, 3]), T(.i8, [tokens])], ["transpose_b": .int(0)], gives: [T(.i32, [2, 5, tokens, 3])]),
    Case("merge_attention", [T([tokens, 4, 8]), T([tokens, 4]), T([tokens, 4, 8]), T([tokens, 4])], gives: [T([tokens, 4, 8]), T([tokens, 4])]),
    Case("norm_matmul", [T([tokens, 64]), T([64]), T(.q4_0, [9, 64]), T([9])], gives: [T([tokens, 9])]),
    Case("norm_matmul", [T(.f16, [2, tokens, 64]), nil, T([9, 64])], gives: [T(.f16, [2, tokens, 9])]),
    Case("matmul_gated", [T(.f16, [tokens, 32]), T(.q8_0, [9, 32]), T(.q4_0, [9, 32])], gives: [T(.f16, [tokens, 9])]),
    Case("pad", [T([tokens, 3])], ["before": .ints([0, 1]), "after": .ints([0, 2])], gives: [T([tokens, 6])]),
    Case("qlinear_matmul", [T(.u8, [tokens, 8]), T(.i8, [3, 8]), T([tokens]), T([3]), T([1]), T(.u8, [1])], gives: [T(.i8, [tokens, 3])]),
    Case("quantize_linear", [T([tokens, 3]), T([3]), T(.i32, [])], ["to": .string("u8")], gives: [T(.u8, [tokens, 3])]),
    Case("qkv_rope_cache", [T([tokens, 64]), T(.q4_0, [4, 32, 64]), T(.q8_0, [2, 32, 64]), T([2, 16, 64]), T(.i32, [tokens]), T([16]), T(.q8_0, [kv, 2, 32]),
                            T(.f16, [kv, 2, 16])], gives: [T([tokens, 4, 32]), T(.q8_0, [kv, 2, 32]), T(.f16, [kv, 2, 16])]),
    Case("qkv_rope_cache", [T(.f16, [3, 8]), T([4, 2, 8]), T([1, 2, 8]), T([1, 2, 8]), T(.i64, [3]), T([1]), T([9, 1, 2]), T([9, 1, 2]), T([2]), nil, T(.f16, [4, 2]),
                            T(.f16, [1, 2]), T(.f16, [1, 2])], gives: [T(.f16, [3, 4, 2]), T([9, 1, 2]), T([9, 1, 2])]),
    Case("reduce_l2", [T([tokens, 3])], gives: [T([tokens])]),
    Case("reduce_min", [T([2, 3])], ["axes": .ints([0])], gives: [T([3])]),
    Case("reduce_prod", [T([2, 0])], gives: [T([2])]),
    Case("reduce_max", [T([2, 3, 4])], ["axes": .ints([0, -1]), "keep_dims": .int(1)], gives: [T([1, 3, 1])]),
    Case("reduce_mean", [T([tokens, 3])], ["axes": .ints([])], gives: [T([])]),
    Case("reduce_mean", [T([tokens, 3])], gives: [T([tokens])]),
    Case("reduce_sum", [T([tokens, 3])], ["axes": .ints([0])], gives: [T([3])]),
    Case("reshape", [T([tokens, 12])], ["shape": .ints([0, 3, -1])], gives: [T([tokens, 3, 4])]),
    Case("reshape", [T([2, tokens, 3])], ["shape": .ints([6, -1])], gives: [T([6, tokens])]),
    Case("reshape", [T([1])], ["shape": .ints([])], gives: [T([])]),
    Case("rms_norm", [T([tokens, 3, 4]), T([4])], gives: [T([tokens, 3, 4])]),
    Case("rms_norm_rope", [T([tokens, 3, 8]), nil, T(.i32, [tokens]), T([4])], gives: [T([tokens, 3, 8])]),
    Case("rms_norm_rope", [T(.f16, [2, 5, 3, 8]), T([8]), T(.i64, [5]), T([2])], gives: [T(.f16, [2, 5, 3, 8])]),
    Case("rotary_embedding", [T([tokens, 3, 8]), T(.i32, [tokens]), T([3])], gives: [T([tokens, 3, 8])]),
    Case("sample", [T([tokens, 100]), T([tokens])], gives: [T(.i32, [tokens])]),
    Case("sample", [T(.f16, [100]), T([])], gives: [T(.i32, [])]),
    Case("slice", [T([10, 4])], ["start": .int(1), "end": .int(-1), "step": .int(3)], gives: [T([3, 4])]),
    Case("slice", [T([tokens, 4])], ["axis": .int(1), "start": .int(-2)], gives: [T([tokens, 2])]),
    Case("slice", [T([tokens, 4])], gives: [T([tokens, 4])]),
    Case("slice", [T([5])], ["start": .int(4), "end": .int(2)], gives: [T([0])]),
    Case("slice", [T(.q8_0, [2, 96])], ["axis": .int(-1), "start": .int(32)], gives: [T(.q8_0, [2, 64])]),
    Case("softmax", [T([4, tokens, kv]), T([tokens, kv])], gives: [T([4, tokens, kv])]),
    Case("tensor_scatter", [T(.q8_0, [kv, 2, 32]), T([tokens, 2, 32]), T(.i32, [tokens])], gives: [T(.q8_0, [kv, 2, 32])]),
    Case("tensor_scatter", [T(.f16, [kv]), T([tokens]), T(.i64, [tokens])], gives: [T(.f16, [kv])]),
    Case("topk", [T(.bf16, [tokens, 9])], ["k": .int(4)], gives: [T(.bf16, [tokens, 4]), T(.i32, [tokens, 4])]),
    Case("where", [T(.bool, [tokens, 1]), T(.i8, [3]), T(.i8, [])], gives: [T(.i8, [tokens, 3])]),
    Case("transpose", [T([2, tokens, 4])], gives: [T([4, tokens, 2])]),
    Case("transpose", [T(.i8, [2, tokens, 4])], ["permutation": .ints([1, 0, 2])], gives: [T(.i8, [tokens, 2, 4])]),
  ]
}

/// Each constraint of each operator broken once, and the labels that every operator has.
enum Refused {
  static let constraints: [Case] = [
    Case("add_rms_norm", "C1", [T([2, 0]), T([2, 0])]),
    Case("argmax", "C1", [T([2, 0])]),
    Case("attention", "C1", [T([1, 3, 8]), T([4, 2, 8]), T([4, 2, 8])]),
    Case("attention", "C1", [T([1, 3, 8]), T([4, 0, 8]), T([4, 0, 8])]),
    Case("attention", "C2", [T([1, 2, 16]), T(.q8_0, [4, 2, 16]), T([4, 2, 16])]),
    Case("attention", "C2", [T([1, 2, 32]), T(.q8_0, [4, 2, 32]), T(.q4_0, [4, 2, 16])]),
    Case("attention", "C3", [T([1, 2, 0]), T([4, 2, 0]), T([4, 2, 8])]),
    Case("clip", "C1", [T([2])], ["minimum": .float(1), "maximum": .float(0)]),
    Case("concat", "C1", [T([]), T([])]),
    Case("cumsum", "C1", [T([2])], ["axis": .int(1)]),
    Case("dynamic_quantize", "C1", [T([2, 33])], ["to": .string("q8_0")]),
    Case("matmul_integer", "C1", [T(.i8, [3, 8]), T(.i8, [5, 8]), T(.i8, [5])]),
    Case("matmul_integer", "C2", [T(.i8, [3, 8]), T(.i8, [5, 8]), nil, T(.i8, [3])]),
    Case("norm_matmul", "C1", [T([3, 0]), nil, T([5, 0])]),
    Case("norm_matmul", "C2", [T([3, 33]), nil, T(.q8_0, [5, 33])]),
    Case("qlinear_matmul", "C1", [T(.i8, [3, 8]), T(.i8, [5, 8]), T([5]), T([1]), T([1])]),
    Case("qlinear_matmul", "C2", [T(.i8, [3, 8]), T(.i8, [5, 8]), T([1]), T([1]), T([1]), T(.i8, [2])]),
    Case("qlinear_matmul", "C3", [T(.i8, [3, 8]), T(.i8, [5, 8]), T([1]), T([1]), T([1]), nil, T(.i8, [2])]),
    Case("qkv_rope_cache", "C1", [T([3, 33]), T(.q8_0, [4, 2, 33]), T([1, 2, 33]), T([1, 2, 33]), T(.i32, [3]), T([1]), T([9, 1, 2]), T([9, 1, 2])]),
    Case("qkv_rope_cache", "C2", [T([3, 8]), T([4, 2, 8]), T([1, 2, 8]), T([1, 2, 8]), T(.i32, [3]), T([1]), T(.q8_0, [9, 1, 2]), T([9, 1, 2])]),
    Case("qkv_rope_cache", "C3", [T([3, 8]), T([4, 2, 8]), T([1, 2, 8]), T([1, 2, 8]), T(.i32, [3]), T([2]), T([9, 1, 2]), T([9, 1, 2])]),
    Case("qkv_rope_cache", "C4", [T([3, 8]), T([4, 2, 8]), T([1, 2, 8]), T([1, 2, 8]), T(.i32, [3]), T([0]), T([9, 1, 2]), T([9, 1, 2])]),
    Case("reduce_min", "C1", [T([0, 3])]),
    Case("sample", "C1", [T([2, 0]), T([2])]),
    Case("topk", "C1", [T([2, 3])], ["k": .int(4)]),
    Case("dequantize", "C1", [T(.q4K, [2, 128])]),
    Case("dequantize", "C1", [T(.q8_0, [2, kv])]),
    Case("gather", "C1", [T(.q4_0, [9, 33]), T(.i32, [1])]),
    Case("layer_norm", "C1", [T([3, 0])]),
    Case("matmul", "C1", [T([2, 32]), T(.q8_0, [32, 32])], ["transpose_b": .int(0)]),
    Case("matmul", "C2", [T([2, 33]), T(.q4_0, [5, 33])]),
    Case("matmul", "C2", [T([2, kv]), T(.q4_0, [5, kv])]),
    Case("matmul_gated", "C1", [T([2, 33]), T([5, 33]), T(.q4_0, [5, 33])]),
    Case("reduce_max", "C1", [T([0, 3])]),
    Case("reduce_mean", "C1", [T([3, 0])]),
    Case("reshape", "C1", [T([2, 3])], ["shape": .ints([5])]),
    Case("reshape", "C1", [T([tokens, 4])], ["shape": .ints([4])]),
    Case("reshape", "C2", [T(.q8_0, [2, 32])], ["shape": .ints([64])]),
    Case("rms_norm", "C1", [T([3, 0])]),
    Case("rms_norm_rope", "C1", [T([2, 1, 8]), nil, T(.i32, [2]), T([5])]),
    Case("rms_norm_rope", "C2", [T([2, 1, 8]), nil, T(.i32, [2]), T([0])]),
    Case("rotary_embedding", "C1", [T([2, 1, 8]), T(.i32, [2]), T([5])]),
    Case("rotary_embedding", "C2", [T([2, 1, 8]), T(.i32, [2]), T([0])]),
    Case("slice", "C1", [T([4])], ["step": .int(0)]),
    Case("softcap", "C1", [T([4])], ["cap": .float(0)]),
    Case("softmax", "C1", [T([4, 0])]),
    Case("tensor_scatter", "C1", [T(.q8_0, [64]), T([2]), T(.i32, [2])]),
  ]

  static let others: [Case] = [
    // Operands.
    Case("add", "I1", [T([2])]),
    Case("add", "I1", [T([2]), nil]),
    Case("add", "I0", []),
    Case("add", "I2", [T([2]), T([2]), T([2])]),
    Case("add", "I0", [T(.q4_0, [32]), T(.q4_0, [32])]),
    Case("add", "I1", [T([2]), T(.f16, [2])]),
    Case("abs", "I0", [T(.f64, [2])]),
    Case("concat", "I1", [T([2]), T(.f16, [2])]),
    Case("concat", "I1", [T([2]), nil]),
    Case("concat", "I0", []),
    Case("concat", "I0", [T(.q8_0, [2, 33])]),
    Case("concat", "I0", [T(.q8_0, [kv])]),
    Case("reshape", "I0", [T(.q8_0, [])], ["shape": .ints([])]),
    Case("rms_norm", "I1", [T([2, 4]), T(.f16, [4])]),
    // Attributes.
    Case("add", "A_axis", [T([2]), T([2])], ["axis": .int(0)]),
    Case("softmax", "A_scale", [T([2])], ["scale": .string("1")]),
    Case("softmax", "A_scale", [T([2])], ["scale": .float(.nan)]),
    Case("matmul", "A_transpose_b", [T([2, 4]), T([3, 4])], ["transpose_b": .int(2)]),
    Case("matmul", "A_transpose_b", [T([2, 4]), T([3, 4])], ["transpose_b": .float(1)]),
    Case("matmul", "A_activation", [T([2, 4]), T([3, 4])], ["activation": .string("swish")]),
    Case("rms_norm", "A_epsilon", [T([2, 4])], ["epsilon": .float(-1)]),
    Case("attention", "A_window", [T([1, 2, 8]), T([4, 2, 8]), T([4, 2, 8])], ["window": .int(-1)]),
    Case("reshape", "A_shape", [T([4])]),
    Case("reshape", "A_shape", [T([4])], ["shape": .ints([-1, -1])]),
    Case("reshape", "A_shape", [T([4])], ["shape": .ints([-2])]),
    Case("reshape", "A_shape", [T([4])], ["shape": .ints([4, 0])]),
    Case("reshape", "A_shape", [T([1])], ["shape": .ints([1, 1, 1, 1, 1, 1, 1, 1, 1])]),
    Case("transpose", "A_permutation", [T([2, 3])], ["permutation": .ints([0, 0])]),
    Case("transpose", "A_permutation", [T([2, 3])], ["permutation": .ints([0])]),
    Case("concat", "A_axis", [T([2])], ["axis": .int(1)]),
    Case("expand", "A_shape", [T([2])], ["shape": .ints([-2])]),
    Case("expand", "S", [T([2])], ["shape": .ints([3])]),
    Case("quantize_linear", "S", [T([2, 3]), T([2])]),
    Case("topk", "A_k", [T([2])], ["k": .int(0)]),
    Case("slice", "A_axis", [T([2])], ["axis": .int(-2)]),
    Case("slice", "A_axis", [T([])]),
    Case("pad", "A_before", [T([2])], ["after": .ints([1])]),
    Case("pad", "A_after", [T([2])], ["before": .ints([1]), "after": .ints([1, 1])]),
    Case("pad", "A_before", [T([2])], ["before": .ints([-1]), "after": .ints([1])]),
    Case("reduce_sum", "A_axes", [T([2, 3])], ["axes": .ints([1, -1])]),
    Case("reduce_sum", "A_axes", [T([2, 3])], ["axes": .ints([2])]),
    Case("cast", "A_to", [T([2])], ["to": .string("q4_0")]),
    // Shapes.
    Case("add", "S", [T([2]), T([3])]),
    Case("add", "S", [T([tokens]), T([kv])]),
    Case("add", "S", [T([tokens]), T([4])]),
    Case("matmul", "S", [T([2, 4]), T([3, 5])]),
    Case("matmul", "S", [T([4]), T([3, 4])]),
    Case("matmul", "S", [T([2, tokens]), T([3, kv])]),
    Case("matmul", "S", [T([2, 4]), T([3, 4]), T([2])]),
    Case("matmul", "S", [T([2, 1, 4]), T([3, 3, 4]), nil, T([4, 1, 3])]),
    Case("rms_norm", "S", [T([])]),
    Case("gather", "S", [T([2, 2, 4]), T(.i32, [1])]),
    Case("gather", "S", [T([2, 4]), T(.i32, [1, 1, 1, 1, 1, 1, 1, 1])]),
    Case("gated_activation", "S", [T([2, 4]), T([3, 4])]),
    Case("softmax", "S", [T([2, 4]), T([3, 4])]),
    Case("softmax", "S", [T([4]), T([3, 4])]),
    Case("concat", "S", [T([2, 3]), T([2, 4])]),
    Case("concat", "S", [T([2, 3]), T([2])]),
    Case("concat", "S", [T([tokens]), T([1])]),
    Case("concat", "S", [T([tokens]), T([kv])]),
    Case("reshape", "S", [T([5])], ["shape": .ints([2, -1])]),
    Case("reshape", "S", [T([tokens, 4])], ["shape": .ints([2, -1])]),
    Case("reshape", "S", [T([0, 4])], ["shape": .ints([0, -1])]),
    Case("slice", "S", [T([tokens])], ["start": .int(1)]),
    Case("slice", "S", [T(.q8_0, [64])], ["start": .int(16), "end": .int(48)]),
    Case("slice", "S", [T(.q8_0, [64])], ["step": .int(2)]),
    Case("pad", "S", [T([tokens])], ["before": .ints([1]), "after": .ints([0])]),
    Case("pad", "S", [T([.max])], ["before": .ints([1]), "after": .ints([0])]),
    Case("tensor_scatter", "S", [T([8, 2, 4]), T([3, 2, 5]), T(.i32, [3])]),
  ]
}
