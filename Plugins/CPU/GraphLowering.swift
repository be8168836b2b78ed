import BackplaneABI
import BackplanePluginKit
import CPUKernels

/// A graph's tensors and symbols in the form that kernels and the step loop take, and calls made from its nodes.
final class GraphLowering {
  let graph: GraphReader
  private(set) var tensors: [bp_cpu_tensor] = []
  private(set) var symbols: [bp_cpu_symbol] = []
  /// Bytes at the symbols' upper bounds.
  private(set) var bytes: [Int] = []
  /// Why no kernel can take the tensor.
  private var refusals: [Int: Refusal] = [:]
  private let call = UnsafeMutablePointer<bp_cpu_call>.allocate(capacity: 1)
  private let attributes = UnsafeMutablePointer<bp_attr>.allocate(capacity: GraphLowering.attributeRoom)
  private let workers: UInt32

  /// No operator has more attributes; kernels find zeros beyond the last.
  static let attributeRoom = 32

  init(_ graph: GraphReader, workers: Int) throws(PluginError) {
    self.graph = graph
    self.workers = UInt32(workers)
    call.initialize(to: bp_cpu_call())
    attributes.initialize(repeating: bp_attr(), count: GraphLowering.attributeRoom)
    var indexOfSymbol: [UInt32: Int] = [:]
    tensors.reserveCapacity(graph.tensors.count)
    for (number, tensor) in graph.tensors.enumerated() {
      do throws(Refusal) {
        let lowered = try lower(tensor, &indexOfSymbol)
        tensors.append(lowered)
        bytes.append(withUnsafePointer(to: lowered.view) { Int(bp_cpu_span($0)) })
      } catch {
        refusals[number] = error
        tensors.append(bp_cpu_tensor())
        bytes.append(0)
      }
    }
  }
  deinit {
    call.deallocate()
    attributes.deallocate()
  }

  private func lower(_ tensor: GraphTensor, _ indexOfSymbol: inout [UInt32: Int]) throws(Refusal) -> bp_cpu_tensor {
    guard let format = FormatSize.of(tensor.format) else { throw Refusal(reason: BP_REASON_DTYPE) }
    guard tensor.layout == stridedLayout || tensor.layout == 0 else { throw Refusal(reason: BP_REASON_LAYOUT) }
    var lowered = bp_cpu_tensor()
    lowered.view.dtype = tensor.format
    lowered.view.rank = UInt32(tensor.rank)
    (lowered.view.block_elements, lowered.view.block_bytes) = (UInt32(format.blockElements), UInt32(format.blockBytes))
    lowered.view.is_const = tensor.isConstant ? 1 : 0
    lowered.align = UInt32(format.alignment)
    lowered.place = UInt32(BP_CPU_IN_WORKSPACE)
    var extent = PerDimension(), stride = PerDimension(), symbol = SIMD8<UInt32>()
    var dense = Int64(format.blockBytes)
    var last = Int64(format.blockBytes), overflow = false
    for i in (0..<tensor.rank).reversed() {
      extent[i] = tensor.maximum[i]
      if tensor.symbol[i] != 0 {
        symbol[i] = UInt32(use(tensor.symbol[i], tensor.minimum[i], tensor.maximum[i], &indexOfSymbol)) + 1
        lowered.symbolic = 1
      }
      if tensor.stride[i] == -1 { lowered.computed_strides |= 1 << UInt32(i) }
      stride[i] = tensor.stride[i] == -1 ? dense : tensor.stride[i]
      guard stride[i] >= 0 else { throw Refusal(reason: BP_REASON_LAYOUT, limit: 0, actual: stride[i]) }
      var units = extent[i]
      if i == tensor.rank - 1 {
        guard units % Int64(format.blockElements) == 0 else {
          throw Refusal(reason: BP_REASON_DIM_MULTIPLE, limit: Int64(format.blockElements), actual: units)
        }
        units /= Int64(format.blockElements)
      }
      let (next, tooDense) = stride[i].multipliedReportingOverflow(by: max(units, 1))
      let (end, tooFar) = last.addingReportingOverflow(next)
      (dense, last) = (next, end)
      overflow = overflow || tooDense || tooFar
    }
    if overflow { throw Refusal(reason: BP_REASON_DIM_TOO_LARGE, limit: Int64.max, actual: 0) }
    lowered.view.extent = unsafeBitCast(extent, to: type(of: lowered.view.extent))
    lowered.view.stride = unsafeBitCast(stride, to: type(of: lowered.view.stride))
    lowered.symbol = unsafeBitCast(symbol, to: type(of: lowered.symbol))
    return lowered
  }

  /// The symbol's index; its bounds become the narrowest of all its uses.
  private func use(_ number: UInt32, _ minimum: Int64, _ maximum: Int64, _ indexOfSymbol: inout [UInt32: Int]) -> Int {
    if let index = indexOfSymbol[number] {
      symbols[index].minimum = max(symbols[index].minimum, minimum)
      symbols[index].maximum = min(symbols[index].maximum, maximum)
      return index
    }
    indexOfSymbol[number] = symbols.count
    symbols.append(bp_cpu_symbol(number: number, reserved0: 0, minimum: minimum, maximum: maximum))
    return symbols.count - 1
  }

  /// The call of node `index`, valid until the next; extents at the bounds, no data.
  ///
  /// - Parameter strict: Demand strict numerics whatever the node says.
  func call(ofNode index: Int, strict: Bool = false) throws(Refusal) -> UnsafePointer<bp_cpu_call> {
    let node = graph.nodes[index]
    guard node.version <= 1 else { throw Refusal(reason: BP_REASON_OP_VERSION, limit: 1, actual: Int64(node.version)) }
    guard node.inputs.count <= Int(BP_CPU_MAX_IN) else {
      throw Refusal(reason: BP_REASON_OPERAND_UNEXPECTED, operand: UInt32(BP_CPU_MAX_IN), limit: Int64(BP_CPU_MAX_IN), actual: Int64(node.inputs.count))
    }
    guard node.outputs.count <= Int(BP_CPU_MAX_OUT), node.attributes.count <= GraphLowering.attributeRoom else {
      throw Refusal(reason: BP_REASON_OPERAND_UNEXPECTED, operand: UInt32(node.inputs.count), limit: Int64(BP_CPU_MAX_OUT), actual: Int64(node.outputs.count))
    }
    call.pointee = bp_cpu_call()
    let raw = UnsafeMutableRawPointer(call)
    let views = (raw + MemoryLayout<bp_cpu_call>.offset(of: \.in)!).assumingMemoryBound(to: bp_cpu_view.self)
    let results = (raw + MemoryLayout<bp_cpu_call>.offset(of: \.out)!).assumingMemoryBound(to: bp_cpu_view.self)
    for (i, tensor) in node.inputs.enumerated() where tensor != BP_NO_TENSOR { views[i] = try view(tensor, operand: i) }
    for (i, tensor) in node.outputs.enumerated() where tensor != BP_NO_TENSOR { results[i] = try view(tensor, operand: node.inputs.count + i) }
    for i in 0..<GraphLowering.attributeRoom { attributes[i] = i < node.attributes.count ? node.attributes[i].record : bp_attr() }
    (call.pointee.n_in, call.pointee.n_out) = (UInt32(node.inputs.count), UInt32(node.outputs.count))
    (call.pointee.attrs, call.pointee.n_attrs) = (UnsafePointer(attributes), UInt32(node.attributes.count))
    call.pointee.workers = workers
    call.pointee.numerics = strict ? BP_NUMERICS_STRICT : node.numerics
    return UnsafePointer(call)
  }

  private func view(_ tensor: UInt32, operand: Int) throws(Refusal) -> bp_cpu_view {
    if var refusal = refusals[Int(tensor)] {
      refusal.operand = UInt32(operand)
      throw refusal
    }
    return tensors[Int(tensor)].view
  }

  /// The tensors' records with their places filled in.
  func tensors(at places: [TensorPlace]) -> [bp_cpu_tensor] {
    var placed = tensors
    for (i, place) in places.enumerated() {
      switch place {
      case .binding(let number): placed[i].place = UInt32(number)
      case .workspace(let offset): placed[i].offset = UInt64(offset)
      case .nowhere: break
      }
    }
    return placed
  }
}

let stridedLayout = identifier("strided")
