public import BackplaneConformance
import BackplaneCore

/// How much there is to do in a case, whatever computes it: what a machine's limits are compared with.
public struct CaseWork: Sendable {
  /// Of all inputs and outputs, each touched once.
  public var bytes: Double
  /// Multiplications with an addition, in matrix products and attention; 0 where an operator has none worth counting.
  public var multiplyAdds: Double

  /// - Throws: ``BackplaneError`` when the case is none that its operator's spec allows.
  public init(_ id: CaseID) throws(BackplaneError) {
    let made = try CaseGraph(id), graph = made.graph
    bytes = (graph.abiInputs + graph.abiOutputs).reduce(0) { $0 + Double(graph[$1].bytes(in: made.symbols) ?? 0) }
    func shape(_ operand: Int) -> [Double] { id.inputs.indices.contains(operand) ? id.inputs[operand].first.map { $0.shape.map(Double.init) } ?? [] : [] }
    let rows = shape(0).dropLast().reduce(1, *)
    multiplyAdds = switch id.op {
    case "attention":
      // Scores and their sum of values: queries × heads × keys × (head size of keys + head size of values).
      shape(0).count >= 2 && shape(1).count >= 3 && !shape(2).isEmpty
        ? rows * shape(1)[shape(1).count - 3] * (shape(1).last! + shape(2).last!) : 0
    case let op where op.contains("matmul") || op == "qkv_rope_cache":
      // Every weight's rows times the rows of the activations: weights are the operands of two dimensions that share the activations' last extent.
      id.inputs.dropFirst().joined().filter { $0.shape.count >= 2 && Double($0.shape.last!) == shape(0).last }
        .reduce(0) { $0 + rows * $1.shape.suffix(2).reduce(1) { $0 * Double($1) } }
    default: 0
    }
  }
}
