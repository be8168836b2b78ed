import BackplaneConformance
import BackplaneCore
public import BackplaneRuntime

/// Problems worth tuning: the nodes of a compiled model, or what models usually ask of an operator.
public enum ModelCases {
  /// Each node once, as a case for each number of tokens, with its share of the estimated time: those first that take most.
  public static func of(_ compiled: CompiledGraph, tokens: [Int]) -> [(id: String, weight: Double)] {
    var weights: [String: Double] = [:], seen: [Problem: String] = [:]
    for (node, entry) in zip(compiled.graph.nodes, compiled.report.entries) {
      for count in tokens {
        var values = SymbolValues()
        // The first symbol of a language model is its tokens; caches stand a quarter full.
        for (k, symbol) in compiled.symbols.enumerated() {
          values[symbol] = k == 0 ? min(max(count, symbol.bounds.lowerBound), symbol.bounds.upperBound) : max(symbol.bounds.upperBound / 4, symbol.bounds.lowerBound)
        }
        guard let id = CaseID(node, in: compiled.graph, values) else { continue }
        let problem = Problem(id, numerics: node.numerics), text = seen[problem] ?? id.description
        seen[problem] = text
        // A prompt is as much work as its tokens one by one: both ends matter the same.
        weights[text, default: 0] += Double(entry.estimatedNanoseconds) / Double(tokens.count)
      }
    }
    let total = max(weights.values.reduce(0, +), 1)
    return weights.sorted { ($0.value, $1.key) > ($1.value, $0.key) }.map { ($0.key, $0.value / total) }
  }

  /// Cases by operator, of the shapes of a small language model: one token, and a prompt.
  public static let typical: [String: [String]] = [
    "matmul": ["matmul/a=f32.1x768/b=q4_K.2048x768", "matmul/a=f32.64x768/b=q4_K.2048x768", "matmul/a=f32.64x512/b=f32.512x512"],
    "matmul_gated": ["matmul_gated/a=f32.1x768/gate=q4_K.2048x768/up=q4_K.2048x768", "matmul_gated/a=f32.64x768/gate=q4_K.2048x768/up=q4_K.2048x768"],
    "softmax": ["softmax/x=f32.64x1024", "softmax/x=f32.1x32768"],
    "rms_norm": ["rms_norm/x=f32.64x768/weight=f32.768", "rms_norm/x=f32.1x768/weight=f32.768"],
    "add": ["add/a=f32.64x768/b=f32.64x768"], "gelu": ["gelu/x=f32.64x2048"], "silu": ["silu/x=f32.64x2048"],
    "transpose": ["transpose/x=f32.512x768/permutation=1,0"],
  ]
}
