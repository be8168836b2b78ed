import BackplaneCore
import BackplaneSpecs

/// Evaluates operators and graphs in double precision, straight from the specs. Slow and plain on purpose.
public struct ReferenceInterpreter: Sendable {
  public init() {}

  /// Whether the oracle knows the operator.
  public static func knows(_ op: String) -> Bool {
    Operators.all[op] != nil || OperatorSpec.named(op).map { spec in
      spec.functions?.reference != nil || spec.isFused && spec.composition.allSatisfy { knows($0.op) }
    } ?? false
  }

  /// Evaluates one node on given inputs.
  ///
  /// - Parameters:
  ///   - node: Operator, attributes and which optional outputs are wanted; its tensor numbers are not looked at otherwise.
  ///   - inputs: The operands' memory in the spec's order, nil where absent.
  ///   - declared: What the kernel to be judged says of its accuracy.
  ///   - bounds: Whether to compute how far a correct kernel may be from each value.
  /// - Returns: One tensor for each output, nil for one that is not wanted.
  /// - Throws: ``BackplaneError`` with the label of the constraint that does not hold.
  public func evaluate(node: Node, inputs: [TensorView?], declared: Declared = .nothing, bounds: Bool = true)
    throws(BackplaneError) -> [ReferenceTensor?]
  {
    try evaluate(node.op, node.attributes, inputs.map { $0.map(Argument.init) }, wanted: node.outputs.map { $0 != nil }, declared, bounds)
  }

  /// Evaluates an operator on given inputs; attributes that are left out have their default.
  public func evaluate(_ op: String, _ inputs: [TensorView?], _ attributes: [Attribute] = [], declared: Declared = .nothing,
                       bounds: Bool = true) throws(BackplaneError) -> [ReferenceTensor?] {
    try evaluate(op, attributes, inputs.map { $0.map(Argument.init) }, wanted: nil, declared, bounds)
  }

  /// As above, on tensors that may carry errors of their own.
  public func evaluate(_ op: String, tensors: [ReferenceTensor?], _ attributes: [Attribute] = [], declared: Declared = .nothing,
                       bounds: Bool = true) throws(BackplaneError) -> [ReferenceTensor?] {
    try evaluate(op, attributes, tensors.map { $0.map(Argument.init) }, wanted: nil, declared, bounds)
  }

  private func evaluate(_ op: String, _ attributes: [Attribute], _ inputs: [Argument?], wanted: [Bool]?, _ declared: Declared, _ bounds: Bool)
    throws(BackplaneError) -> [ReferenceTensor?]
  {
    guard let spec = OperatorSpec.named(op) else {
      var error = BackplaneError(.unsupported, "no operator is called '\(op)'", hint: "Specs/operators lists them")
      error.op = op
      error.reason = 1
      throw error
    }
    let descriptions = inputs.enumerated().map { k, input in
      input.map { TensorDescription(name: "operand \(k)", format: $0.format, shape: Shape($0.shape), role: .input) }
    }
    let resolution = try spec.resolve(inputs: descriptions, attributes: attributes)
    let outputs = resolution.outputs.enumerated().map { j, output in
      Call.Output(format: output.format, shape: output.shape.fixedExtents!,
                  isWanted: wanted.map { j < $0.count && $0[j] } ?? true)
    }
    let call = Call(inputs: inputs, attributes: resolution.attributes, outputs: outputs, declared: declared, wantsBounds: bounds)
    if let implementation = Operators.all[op] { return try implementation.evaluate(call) }
    if spec.functions?.reference != nil { return try CustomOperator(spec: spec).evaluate(call) }
    guard spec.isFused else { throw BackplaneError(.unsupported, "the oracle does not know \(op)") }
    return try compose(spec, call)
  }

  /// A fused operator: its parts one after the other. What lies between them is not rounded to a format; its rounding is in the
  /// bound, so that fused and unfused kernels both pass.
  private func compose(_ spec: OperatorSpec, _ call: Call) throws(BackplaneError) -> [ReferenceTensor?] {
    var named: [String: Argument] = [:]
    for (operand, input) in zip(spec.inputs, call.inputs) { named[operand.name] = input }
    var made: [String: ReferenceTensor] = [:]
    for step in spec.composition {
      if let operand = step.ifPresent, named[operand] == nil {
        named[step.outputs[0]] = named[step.inputs[0]]
        continue
      }
      let attributes = step.attributes.map { name, value in
        switch value {
        case .value(let value): Attribute(name, value)
        case .attribute(let of): Attribute(name, call.attributes.first { $0.name == of }!.value)
        }
      }
      let results = try evaluate(step.op, attributes, step.inputs.map { named[$0] }, wanted: nil, call.declared, call.wantsBounds)
      for (name, result) in zip(step.outputs, results) {
        made[name] = result
        named[name] = result.map { Argument(mayOverflow($0)) }
      }
    }
    return spec.outputs.map { made[$0.name] }
  }

  /// An unfused kernel stores what lies between operators: nothing is promised where that overflows the format.
  private func mayOverflow(_ tensor: ReferenceTensor) -> ReferenceTensor {
    let largest: Double
    switch tensor.format {
    case .f32: largest = largestFloat
    case .f16: largest = 65504
    case .bf16: largest = 0x1.fep127
    default: return tensor
    }
    guard var error = tensor.error else { return tensor }
    let values = tensor.values
    for i in values.indices where values[i].isFinite && abs(values[i]) + error[i] >= largest { error[i] = .infinity }
    var limited = tensor
    limited.error = error
    return limited
  }

  /// Runs a whole graph; each node's output is rounded to its tensor's format before the next node reads it.
  ///
  /// - Parameters:
  ///   - bindings: Memory of every input, constant and state, and of outputs, which are written. An output without memory is only returned.
  ///   - symbols: The value of every symbol.
  ///   - isCancelled: Asked before each node.
  ///   - observe: Called after each node with its number and its outputs, before they are rounded.
  /// - Returns: The graph's outputs, in their order, decoded.
  /// - Throws: ``BackplaneError``; `node` is the number of the node concerned.
  @discardableResult
  public func run(graph: Graph, bindings: [TensorID: TensorView], symbols: SymbolValues = [:], isCancelled: () -> Bool = { false },
                  observe: ((Int, [ReferenceTensor?]) -> Void)? = nil) throws(BackplaneError) -> [ReferenceTensor] {
    let memory = try write(graph, bindings, symbols, isCancelled, observe)
    return withExtendedLifetime(memory) { graph.outputs.map { ReferenceTensor(bindings[$0] ?? memory[$0]!.view) } }
  }

  /// Runs a graph whose outputs all have memory.
  func write(_ graph: Graph, _ bindings: [TensorID: TensorView], _ symbols: SymbolValues, _ isCancelled: () -> Bool,
             _ observe: ((Int, [ReferenceTensor?]) -> Void)? = nil) throws(BackplaneError) -> [TensorID: OwnedTensor] {
    for id in graph.abiInputs where bindings[id] == nil { throw BackplaneError(.invalid, "\(graph[id].name) has no memory") }
    var lastUse = [Int](repeating: -1, count: graph.tensors.count)
    for (number, node) in graph.nodes.enumerated() {
      for id in (node.inputs + node.outputs).compactMap({ $0 }) { lastUse[id.index] = number }
    }
    for id in graph.outputs { lastUse[id.index] = graph.nodes.count }

    var made: [TensorID: OwnedTensor] = [:]
    for (number, node) in graph.nodes.enumerated() {
      if isCancelled() { throw BackplaneError(.cancelled, "cancelled before node \(number)") }
      do {
        try evaluate(number, graph, bindings, symbols, &made, observe)
      } catch {
        var located = error
        located.node = number
        throw located
      }
      for id in (node.inputs + node.outputs).compactMap({ $0 }) where lastUse[id.index] == number { made[id] = nil }
    }
    for id in graph.outputs where bindings[id] == nil && made[id] == nil { throw BackplaneError(.invalid, "output \(graph[id].name) is made by no node") }
    return made
  }

  private func evaluate(_ number: Int, _ graph: Graph, _ bindings: [TensorID: TensorView], _ symbols: SymbolValues,
                        _ made: inout [TensorID: OwnedTensor], _ observe: ((Int, [ReferenceTensor?]) -> Void)?) throws(BackplaneError) {
    let node = graph.nodes[number]
    var inputs: [TensorView?] = []
    for id in node.inputs {
      guard let id else { inputs.append(nil); continue }
      guard let view = bindings[id] ?? made[id]?.view else { throw BackplaneError(.invalid, "\(graph[id].name) is read before any node has made it") }
      inputs.append(view)
    }
    let results = try evaluate(node: node, inputs: inputs, bounds: false)
    observe?(number, results)
    for (id, result) in zip(node.outputs, results) {
      guard let id, let result else { continue }
      let tensor = graph[id]
      guard tensor.shape.extents(in: symbols) == result.shape, tensor.format == result.format else {
        throw BackplaneError(.invalid, "\(tensor.name)\(tensor.shape) of \(tensor.format) is \(result.shape) of \(result.format)")
      }
      let bytes = try result.encoded()
      guard let view = bindings[id] else { made[id] = OwnedTensor(result.format, result.shape, bytes); continue }
      guard view.shape == result.shape, view.format == result.format else {
        throw BackplaneError(.invalid, "the memory of \(tensor.name) is \(view.shape) of \(view.format), needed is \(result.shape) of \(result.format)")
      }
      view.store(bytes)
    }
  }
}

/// Dense bytes and the tensor they are.
final class OwnedTensor {
  let view: TensorView
  private let memory: UnsafeMutableRawBufferPointer

  init(_ format: ElementFormat, _ shape: [Int], _ bytes: [UInt8]) {
    memory = .allocate(byteCount: max(bytes.count, 1), alignment: 64)
    memory.copyBytes(from: bytes)
    view = TensorView(UnsafeRawPointer(memory.baseAddress!), format, shape)
  }
  deinit { memory.deallocate() }
}
