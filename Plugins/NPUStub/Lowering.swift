import BackplanePluginKit
import NPUStubEngine

/// Turns nodes into commands, or refuses them with a reason. What `query` says yes to is what this lowers.
struct Lowering {
  let graph: GraphReader
  var emitter: Emitter

  init(_ graph: GraphReader, _ chip: Chip) {
    self.graph = graph
    emitter = Emitter(chip)
  }

  /// The operands and attributes of one node.
  struct Call {
    let node: GraphNode
    fileprivate let graph: GraphReader

    func has(_ i: Int) -> Bool { i < node.inputs.count && node.inputs[i] != BP_NO_TENSOR }
    func input(_ i: Int) throws(Refusal) -> Operand {
      guard has(i) else { throw Refusal(reason: BP_REASON_OPERAND_MISSING, operand: UInt32(i)) }
      return try Operand(Int(node.inputs[i]), graph.tensors[Int(node.inputs[i])], number: i)
    }
    func optional(_ i: Int) throws(Refusal) -> Operand? { has(i) ? try input(i) : nil }
    func hasOutput(_ i: Int) -> Bool { i < node.outputs.count && node.outputs[i] != BP_NO_TENSOR }
    func output(_ i: Int = 0) throws(Refusal) -> Operand {
      let number = node.inputs.count + i
      guard hasOutput(i) else { throw Refusal(reason: BP_REASON_OPERAND_MISSING, operand: UInt32(number)) }
      let tensor = Int(node.outputs[i])
      guard !graph.tensors[tensor].isState else { throw Refusal(reason: BP_REASON_FEATURE, operand: UInt32(number)) }
      return try Operand(tensor, graph.tensors[tensor], number: number)
    }
    /// Float operands, or a refusal.
    func float(_ operand: Operand) throws(Refusal) -> Operand {
      guard operand.isFloat else { throw Refusal(reason: BP_REASON_DTYPE, operand: operand.number) }
      return operand
    }
    private func attribute(_ i: Int) throws(Refusal) -> bp_attr {
      guard i < node.attributes.count else { throw Refusal(reason: BP_REASON_ATTRIBUTE, limit: Int64(i), actual: Int64(node.attributes.count)) }
      return node.attributes[i].record
    }
    func int(_ i: Int32) throws(Refusal) -> Int { Int(try attribute(Int(i)).i) }
    func double(_ i: Int32) throws(Refusal) -> Double { try attribute(Int(i)).f }
    func text(_ i: Int32) throws(Refusal) -> String {
      let record = try attribute(Int(i))
      return bp_str(ptr: record.data?.assumingMemoryBound(to: CChar.self), len: UInt64(record.count)).string
    }
    func ints(_ i: Int32) throws(Refusal) -> [Int] {
      let record = try attribute(Int(i))
      guard let data = record.data, record.count > 0 else { return [] }
      return UnsafeBufferPointer(start: data.assumingMemoryBound(to: Int64.self), count: Int(record.count)).map { Int($0) }
    }
  }

  /// Adds the commands of node `index`.
  ///
  /// - Returns: How a verdict describes its kernel.
  mutating func lower(_ index: Int) throws(Refusal) -> Kernel {
    let call = Call(node: graph.nodes[index], graph: graph)
    // Every operator is at its first version.
    guard call.node.version <= 1 else { throw Refusal(reason: BP_REASON_OP_VERSION, limit: 1, actual: Int64(call.node.version)) }
    emitter.begin(index)
    return try lower(call)
  }

  private mutating func lower(_ call: Call) throws(Refusal) -> Kernel {
    switch call.node.op {
    case BP_OP_MATMUL: return try matmul(call)
    case BP_OP_MATMUL_GATED: return try matmulGated(call)
    case BP_OP_ATTENTION: return try attention(call)
    case BP_OP_SOFTMAX: return try softmax(call)
    case BP_OP_RMS_NORM: return try norm(call, isLayerNorm: false)
    case BP_OP_LAYER_NORM: return try norm(call, isLayerNorm: true)
    case BP_OP_ROTARY_EMBEDDING: return try rope(call)
    case BP_OP_GATED_ACTIVATION: return try gatedActivation(call)
    case BP_OP_GATHER: return try gather(call)
    case BP_OP_RESHAPE: return try reshape(call)
    case BP_OP_TRANSPOSE: return try transpose(call)
    case BP_OP_EXPAND: return try expand(call)
    case BP_OP_CONCAT: return try concat(call)
    case BP_OP_GELU: return try unary(call, try call.text(BP_GELU_APPROXIMATE) == "tanh" ? NPU_GELU_TANH : NPU_GELU_ERF)
    case BP_OP_SCALE: return try unary(call, NPU_SCALE, try call.double(BP_SCALE_FACTOR), try call.double(BP_SCALE_OFFSET))
    case BP_OP_SOFTCAP: return try unary(call, NPU_SOFTCAP, try call.double(BP_SOFTCAP_CAP))
    case BP_OP_NEG: return try unary(call, NPU_NEG)
    case BP_OP_ABS: return try unary(call, NPU_ABS)
    case BP_OP_RELU: return try unary(call, NPU_RELU)
    case BP_OP_SILU: return try unary(call, NPU_SILU)
    case BP_OP_SIGMOID: return try unary(call, NPU_SIGMOID)
    case BP_OP_TANH: return try unary(call, NPU_TANH)
    case BP_OP_EXP: return try unary(call, NPU_EXP)
    case BP_OP_SQRT: return try unary(call, NPU_SQRT)
    case BP_OP_SQUARE: return try unary(call, NPU_SQUARE)
    case BP_OP_ADD: return try binary(call, NPU_ADD)
    case BP_OP_SUB: return try binary(call, NPU_SUB)
    case BP_OP_MUL: return try binary(call, NPU_MUL)
    case BP_OP_DIV: return try binary(call, NPU_DIV)
    case BP_OP_MAX: return try binary(call, NPU_MAX)
    case BP_OP_MIN: return try binary(call, NPU_MIN)
    default: throw Refusal(reason: BP_REASON_OP_UNKNOWN)
    }
  }
}

/// What runs a node, for verdicts.
enum Kernel: String, CaseIterable {
  case vector = "vector unit, f32"
  case dma = "DMA only"
  case matrixInt8 = "matrix unit, int8 activations"
  case matrixHalf = "matrix unit, f16 operands"
  case matrixFloat = "matrix unit, f32 operands"
}
