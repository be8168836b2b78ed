import BackplaneABI
import BackplaneCore
import BackplaneHostPlugin
import BackplaneSpecs

/// The plugin behind device `host`: runs custom operators by the reference functions that applications registered with them, one node a program.
enum FunctionPlugin {
  /// Of the plugin, and so of its one device.
  static let name = "host"
  static var table: UnsafePointer<bp_plugin> { plugin.table }

  private static let plugin: HostPlugin = HostPlugin(name: "host", evaluator: FunctionEvaluator()) { host, out, error in
    FunctionPlugin.plugin.createInstance(host, out, error)
  }
}

private struct FunctionEvaluator: NodeEvaluator {
  func refusal(of graph: Graph, node: Int) -> BackplaneError? {
    let node = graph.nodes[node]
    func refuse(_ reason: UInt32, _ message: String) -> BackplaneError {
      var error = BackplaneError(.unsupported, message)
      error.reason = reason
      return error
    }
    guard OperatorSpec.named(node.op)?.functions?.reference != nil else { return refuse(BP_REASON_OP_UNKNOWN, "\(node.op) has no reference function") }
    let operands = (node.inputs + node.outputs).compactMap { $0 }
    guard let block = operands.first(where: { graph[$0].format.isBlock }) else { return nil }
    return refuse(BP_REASON_DTYPE, "reference functions take plain formats, not \(graph[block].format)")
  }

  func checkSize(_ graph: Graph) throws(BackplaneError) {
    guard graph.nodes.count > 1 else { return }
    var error = BackplaneError(.unsupported, "one function a program")
    (error.reason, error.node) = (BP_REASON_GRAPH_LIMIT, 1)
    throw error
  }

  func run(_ graph: Graph, _ tensors: [TensorID: BoundTensor], _ symbols: SymbolValues, _ isCancelled: () -> Bool) throws(BackplaneError) {
    if isCancelled() { throw BackplaneError(.cancelled, "cancelled before the function ran") }
    let node = graph.nodes[0]
    guard let spec = OperatorSpec.named(node.op) else { throw BackplaneError(.internal, "no operator is called \(node.op)") }
    var wanted: [OperatorValues] = []
    let inputs = node.inputs.map { id in id.map { tensors[$0]!.decoded } }
    // An output that nobody wants has no memory, but the function gives it as well.
    let descriptions = inputs.map { input in input.map { TensorDescription(name: "", format: $0.format, shape: Shape($0.shape), role: .input) } }
    for output in try spec.resolve(inputs: descriptions, attributes: node.attributes).outputs {
      guard let shape = output.shape.fixedExtents else { throw BackplaneError(.internal, "the shape \(output.shape) is not known at run time") }
      wanted.append(OperatorValues(format: output.format, shape: shape))
    }
    let made = try spec.evaluate(inputs, node.attributes, wanted)
    for (id, values) in zip(node.outputs, made) {
      guard let id, let tensor = tensors[id] else { continue }
      guard values.values.count == tensor.shape.reduce(1, *) else { throw BackplaneError(.internal, "\(values.values.count) values for a tensor of \(tensor.shape)") }
      tensor.encode(values.values)
    }
  }
}

extension BoundTensor {
  fileprivate var decoded: OperatorValues {
    var values: [Double] = []
    values.reserveCapacity(shape.reduce(1, *))
    forEachElement { values.append(load($0)) }
    return OperatorValues(format: format, shape: shape, values: values)
  }

  fileprivate func encode(_ values: [Double]) {
    var next = 0
    forEachElement { element in
      store(values[next], element)
      next += 1
    }
  }

  private func forEachElement(_ body: (UnsafeMutableRawPointer) -> Void) {
    func walk(_ dimension: Int, _ at: UnsafeMutableRawPointer) {
      if dimension == shape.count { return body(at) }
      for i in 0..<shape[dimension] { walk(dimension + 1, at + i * strides[dimension]) }
    }
    walk(0, base)
  }

  private func load(_ p: UnsafeMutableRawPointer) -> Double {
    switch format {
    case .f64: p.loadUnaligned(as: Double.self)
    case .f32: Double(p.loadUnaligned(as: Float.self))
    case .f16: Double(p.loadUnaligned(as: Float16.self))
    case .bf16: Double(Float(bitPattern: UInt32(p.loadUnaligned(as: UInt16.self)) << 16))
    case .i64: Double(p.loadUnaligned(as: Int64.self))
    case .i32: Double(p.loadUnaligned(as: Int32.self))
    case .i16: Double(p.loadUnaligned(as: Int16.self))
    case .i8: Double(p.loadUnaligned(as: Int8.self))
    default: Double(p.loadUnaligned(as: UInt8.self))  // u8, bool
    }
  }

  private func store(_ value: Double, _ p: UnsafeMutableRawPointer) {
    func whole<T: FixedWidthInteger & BitwiseCopyable>(_: T.Type) {
      let number = value.isNaN ? 0 : min(max(value.rounded(.toNearestOrEven), Double(T.min)), Double(T.max))
      p.storeBytes(of: T(exactly: number) ?? T.max, as: T.self)
    }
    switch format {
    case .f64: p.storeBytes(of: value, as: Double.self)
    case .f32: p.storeBytes(of: Float(value), as: Float.self)
    case .f16: p.storeBytes(of: Float16(value), as: Float16.self)
    case .bf16:
      let bits = Float(value).bitPattern
      let rounded = value.isNaN ? bits | 0x40_0000 : bits + 0x7FFF + (bits >> 16 & 1)
      p.storeBytes(of: UInt16(truncatingIfNeeded: rounded >> 16), as: UInt16.self)
    case .i64: whole(Int64.self)
    case .i32: whole(Int32.self)
    case .i16: whole(Int16.self)
    case .i8: whole(Int8.self)
    case .bool: p.storeBytes(of: value == 0 ? 0 : 1, as: UInt8.self)
    default: whole(UInt8.self)
    }
  }
}
