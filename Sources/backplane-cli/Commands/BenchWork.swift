import Backplane

/// One operator with sizes: what `backplane bench --op` measures, and what peers are asked to do too.
struct BenchWork {
  /// Such as `matmul q4_K, 512 rows`.
  let name: String
  let op: String
  /// Of the weights or the cache; of everything where there is neither.
  let format: ElementFormat
  /// Sizes by name, as peers read them: rows, columns, depth; tokens, keys, heads, key_heads, head.
  let sizes: [String: Int]
  let inputs: [(name: String, format: ElementFormat, shape: [Int], isConstant: Bool)]
  let attributes: [Attribute]
  /// Products and sums, counted apart; 0 for work that is only memory traffic.
  let operations: Double

  static let operators = ["matmul", "attention", "softmax", "rms_norm", "gated_activation", "add", "argmax", "sample"]
  static let matmulFormats = ["q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "iq4_nl", "mxfp4", "q2_K", "q3_K", "q4_K", "q5_K", "q6_K", "tq2_0", "f32", "f16", "bf16"]

  /// - Parameters:
  ///   - formats: Of matmul's weights; empty takes all. Caches of attention take those of them that they can have, f16 and q8_0 by default.
  ///   - rows: Of matmul's activations.
  static func all(of op: String, formats: [ElementFormat], rows: [Int], size: Int) -> [BenchWork] {
    switch op {
    case "matmul":
      let formats = formats.isEmpty ? matmulFormats.map { ElementFormat.named($0)! } : formats
      return rows.flatMap { rows in formats.map { matmul($0, rows: rows, columns: size, depth: size) } }
    case "attention":
      let taken = formats.filter { ["f16", "f32", "bf16", "q8_0", "q4_0"].contains($0.name) }
      return (taken.isEmpty ? [.f16, ElementFormat.named("q8_0")!] : taken).flatMap { format in
        [attention(format, tokens: 1, keys: 4096), attention(format, tokens: 512, keys: 512)]
      }
    case "argmax": return [rowWork(op, rows: 1, columns: 262_144)]
    case "sample":
      return [BenchWork(name: "sample, top 40 of 262144", op: op, format: .f32, sizes: ["rows": 1, "columns": 262_144],
                        inputs: [("logits", .f32, [1, 262_144], false), ("draws", .f32, [1], false)],
                        attributes: [Attribute("temperature", .float(0.8)), Attribute("top_k", .int(40)), Attribute("top_p", .float(0.95))], operations: 0)]
    default: return [rowWork(op, rows: 512, columns: 4096)]
    }
  }

  private static func matmul(_ format: ElementFormat, rows: Int, columns: Int, depth: Int) -> BenchWork {
    BenchWork(name: "matmul \(format.name), \(rows) row\(rows == 1 ? "" : "s")", op: "matmul", format: format,
              sizes: ["rows": rows, "columns": columns, "depth": depth],
              inputs: [("a", .f32, [rows, depth], false), ("b", format, [columns, depth], true)], attributes: [],
              operations: 2 * Double(rows) * Double(columns) * Double(depth))
  }

  private static func attention(_ format: ElementFormat, tokens: Int, keys: Int) -> BenchWork {
    let (heads, keyHeads, head) = (8, 2, 128)
    let isCausal = tokens > 1
    let pairs = Double(tokens) * Double(keys) - (isCausal ? Double(tokens) * Double(tokens - 1) / 2 : 0)
    return BenchWork(name: "attention \(format.name) cache, \(tokens) token\(tokens == 1 ? "" : "s"), \(keys) keys", op: "attention", format: format,
                     sizes: ["tokens": tokens, "keys": keys, "heads": heads, "key_heads": keyHeads, "head": head],
                     inputs: [("q", .f32, [tokens, heads, head], false), ("k", format, [keys, keyHeads, head], false), ("v", format, [keys, keyHeads, head], false)],
                     attributes: isCausal ? [Attribute("causal", .int(1))] : [], operations: 4 * pairs * Double(heads * head))
  }

  /// Work along rows of f32.
  private static func rowWork(_ op: String, rows: Int, columns: Int) -> BenchWork {
    var inputs: [(name: String, format: ElementFormat, shape: [Int], isConstant: Bool)] = [("x", .f32, [rows, columns], false)]
    if op == "rms_norm" { inputs.append(("weight", .f32, [columns], true)) }
    if op == "add" || op == "gated_activation" { inputs.append(("y", .f32, [rows, columns], false)) }
    return BenchWork(name: "\(op), \(rows) × \(columns)", op: op, format: .f32, sizes: ["rows": rows, "columns": columns], inputs: inputs,
                     attributes: op == "gated_activation" ? [Attribute("activation", .string("geglu_tanh"))] : [], operations: 0)
  }

  /// Bytes of every input and output, each touched once.
  func bytes(outputs: [TensorDescription]) -> Int {
    let all = inputs.map { ($0.format, $0.shape) } + outputs.map { ($0.format, $0.shape.fixedExtents ?? []) }
    return all.reduce(0) { $0 + ($1.0.bytes(forElements: $1.1.reduce(1, *)) ?? 0) }
  }
}
