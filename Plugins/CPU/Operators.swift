import BackplaneABI
import BackplanePluginKit

/// What the plugin, not a kernel, must know about operators: which outputs may take an input's storage, and what costs time.
enum Operators {
  /// (output, input) as the spec's `in_place` says.
  static func inPlace(_ op: bp_id) -> (output: Int, input: Int)? { inPlaceOperands[op] }

  private static let inPlaceOperands: [bp_id: (output: Int, input: Int)] = {
    let first = [
      "abs", "neg", "relu", "square", "sqrt", "rsqrt", "reciprocal", "exp", "log", "sin", "cos", "tanh", "erf", "sigmoid", "silu", "softplus",
      "gelu", "scale", "softcap", "clip", "add", "sub", "mul", "div", "max", "min", "gated_activation", "rms_norm", "layer_norm",
      "rotary_embedding", "rms_norm_rope", "softmax", "tensor_scatter", "floor", "ceil", "round", "sign", "elu", "leaky_relu", "relu_squared",
      "hardsigmoid", "hardswish", "gelu_quick", "pow", "cumsum", "merge_attention",
    ]
    var table = Dictionary(uniqueKeysWithValues: first.map { (identifier($0), (output: 0, input: 0)) })
    table[identifier("add_rms_norm")] = (output: 1, input: 1)
    return table
  }()

  static let normMatmul = identifier("norm_matmul")

  /// Bytes that go to scratch and back in a fused operator which runs as its parts here, and what starting one of them costs: it
  /// is not cheaper than they are, so nobody need fuse them.
  static func between(_ op: bp_id, bytes: () -> Int) -> Double { op == normMatmul ? 12_000 + 3 * Double(bytes()) : 0 }

  /// Multiply-adds of a node, 0 for those whose time is their memory traffic.
  static func multiplyAdds(_ op: bp_id, _ graph: GraphReader, _ node: GraphNode) -> Double {
    func tensor(_ i: Int) -> GraphTensor? { i < node.inputs.count && node.inputs[i] != BP_NO_TENSOR ? graph.tensors[Int(node.inputs[i])] : nil }
    func elements(_ t: GraphTensor) -> Double { (0..<t.rank).reduce(1) { $0 * Double(t.maximum[$1]) } }
    guard let out = node.outputs.first, out != BP_NO_TENSOR, let a = tensor(0), a.rank > 0 else { return 0 }
    let inner = Double(a.maximum[a.rank - 1]), results = elements(graph.tensors[Int(out)])
    switch op {
    case matmul, normMatmul, matmulInteger, qlinearMatmul: return results * inner
    case matmulGated: return 2 * results * inner
    case attention: return tensor(1).map { $0.rank > 0 ? 2 * elements(a) * Double($0.maximum[0]) : 0 } ?? 0
    default: return 0
    }
  }
  private static let matmul = identifier("matmul"), matmulGated = identifier("matmul_gated"), attention = identifier("attention")
  private static let matmulInteger = identifier("matmul_integer"), qlinearMatmul = identifier("qlinear_matmul")
}
