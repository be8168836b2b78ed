import BackplanePluginKit
import NPUStubEngine

/// An operand of a node: fixed extents in elements (of the last dimension too, for block formats), strides in bytes.
struct Operand {
  let tensor: Int
  /// Among the node's inputs, then outputs: for refusals.
  let number: UInt32
  var shape: [Int]
  var strides: [Int]
  let format: FormatSize

  var count: Int { shape.reduce(1, *) }
  var isBlock: Bool { format.blockElements > 1 }
  var isFloat: Bool { conversion != nil }
  /// As DMA converts it to the scratchpad's f32.
  var conversion: Int? {
    switch format.name { case "f32": Int(NPU_F32); case "f16": Int(NPU_F16); case "bf16": Int(NPU_BF16); default: nil }
  }
  /// As the matrix unit takes it.
  var weightFormat: UInt32? {
    switch format.name {
    case "q4_0": UInt32(NPU_Q4_0); case "q4_1": UInt32(NPU_Q4_1); case "q5_0": UInt32(NPU_Q5_0); case "q5_1": UInt32(NPU_Q5_1)
    case "q8_0": UInt32(NPU_Q8_0); case "q4_K": UInt32(NPU_Q4_K); case "q5_K": UInt32(NPU_Q5_K); case "q6_K": UInt32(NPU_Q6_K)
    default: nil
    }
  }
  var isDense: Bool {
    var step = format.blockBytes
    for i in shape.indices.reversed() {
      if shape[i] != 1, strides[i] != step { return false }
      step *= i == shape.count - 1 ? shape[i] / format.blockElements : shape[i]
    }
    return true
  }
  /// From the first byte to behind the last.
  var spanInBytes: Int {
    if count == 0 { return 0 }
    return shape.indices.reduce(format.blockBytes) { $0 + ((shape[$1] - 1) / ($1 == shape.count - 1 ? format.blockElements : 1)) * strides[$1] }
  }

  init(_ tensor: Int, _ description: GraphTensor, number: Int) throws(Refusal) {
    self.tensor = tensor
    self.number = UInt32(number)
    guard let format = FormatSize.of(description.format) else { throw Refusal(reason: BP_REASON_DTYPE, operand: UInt32(number)) }
    guard description.layout == 0 || description.layout == stridedLayout else { throw Refusal(reason: BP_REASON_LAYOUT, operand: UInt32(number)) }
    self.format = format
    (shape, strides) = ([], [])
    for i in 0..<description.rank {
      guard description.symbol[i] == 0 else {
        throw Refusal(reason: BP_REASON_DYNAMIC_DIM, operand: UInt32(number), limit: description.maximum[i], actual: Int64(description.symbol[i]))
      }
      guard description.stride[i] >= 0 else { throw Refusal(reason: BP_REASON_LAYOUT, operand: UInt32(number), limit: 0, actual: description.stride[i]) }
      shape.append(Int(description.dim[i]))
      strides.append(Int(description.stride[i]))
    }
    if let last = shape.last, last % format.blockElements != 0 {
      throw Refusal(reason: BP_REASON_DIM_MULTIPLE, operand: UInt32(number), limit: Int64(format.blockElements), actual: Int64(last))
    }
    if shape.isEmpty { (shape, strides) = ([1], [format.blockBytes]) }
    // 4 TiB: far beyond any memory, and products of extents cannot overflow.
    guard shape.reduce(1.0, { $0 * Double($1) }) < 0x1p42, strides.allSatisfy({ $0 < 1 << 42 }) else { throw Refusal(reason: BP_REASON_DIM_TOO_LARGE, operand: UInt32(number), limit: 1 << 42) }
  }

  /// The operand with all its elements in one dimension.
  var flat: Operand {
    var flat = self
    (flat.shape, flat.strides) = ([count], [format.blockBytes])
    return flat
  }

  /// Seen as `shape`, which it is broadcast to.
  func broadcast(to shape: [Int]) -> Operand {
    var result = self
    let missing = shape.count - self.shape.count
    result.shape = shape
    result.strides = shape.indices.map { $0 < missing || (self.shape[$0 - missing] == 1 && shape[$0] != 1) ? 0 : strides[$0 - missing] }
    return result
  }
}

let stridedLayout = identifier("strided")
