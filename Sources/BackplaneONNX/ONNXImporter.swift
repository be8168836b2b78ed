import BackplaneCore
import BackplaneSpecs

/// An ONNX graph said in this package's operators.
public struct ONNXImport: Sendable {
  public let graph: Graph
  /// Inputs of the ONNX graph that the result needs, by their names there.
  public let inputs: [(name: String, id: TensorID)]
  public let constants: [TensorID: [UInt8]]
  public let outputs: [(name: String, id: TensorID)]

  /// - Parameters:
  ///   - given: Values of graph inputs. They fix the inputs' shapes, and stand for operands that are attributes here (a shape, axes, a
  ///     number of elements). They are not computed with: an input stays an input.
  ///   - extents: For inputs that are not given: values of extents, by the name that the model has for them or by their place, `x[0]`.
  /// - Throws: ``BackplaneError`` (unsupported): which node has no counterpart here, and why.
  public init(_ model: ONNXModel, given: [String: ONNXTensor] = [:], extents: [String: Int] = [:]) throws(BackplaneError) {
    var importer = ONNXImporter(opset: model.opsets[""] ?? 1, functions: model.functions)
    var inputs: [(String, TensorID)] = []
    for tensor in model.graph.initializers { importer.values[tensor.name] = try importer.constant(tensor) }
    if let sparse = model.graph.sparseInitializers.first { throw .unmapped("a sparse initializer", sparse.values.name) }
    for input in model.graph.inputs where importer.values[input.name] == nil {
      let known = given[input.name]
      let (type, shape) = if let known { (known.type, known.shape) } else { try ONNXImport.declared(input, extents) }
      guard let format = type.format else { throw .unmapped("no format for \(type)") }
      let id = importer.builder.input(input.name, format, Shape(shape))
      inputs.append((input.name, id))
      importer.values[input.name] = ONNXValue(tensor: id, type: type, shape: shape, known: known)
    }
    for node in model.graph.nodes { try importer.append(node) }
    var outputs: [(String, TensorID)] = []
    for output in model.graph.outputs {
      guard let value = importer.values[output.name] else { throw .unmapped("an output that is no tensor", output.name) }
      if value.isFolded { throw .unmapped("the result is known without computing") }
      var id = try importer.tensor(value)
      // What nobody computes is copied.
      if importer.builder[id].role != .intermediate { id = try importer.builder.apply("reshape", [id], [Attribute("shape", .ints(value.shape))])[0]! }
      importer.builder.output(id, name: output.name)
      outputs.append((output.name, id))
    }
    (graph, self.inputs, constants, self.outputs) = (importer.builder.graph, inputs, importer.constants, outputs)
  }

  /// What the model says of an input, with numbers for names.
  private static func declared(_ input: ONNXValueInfo, _ extents: [String: Int]) throws(BackplaneError) -> (ONNXDataType, [Int]) {
    guard case .tensor(let type?, shape: let shape?)? = input.type else { throw .unmapped("an input that is no tensor of a known type and rank", input.name) }
    var numbers: [Int] = []
    for (d, extent) in shape.enumerated() {
      // By its place it has a name even where the model has none, or one for several.
      let place = "\(input.name)[\(d)]"
      switch extent {
      case .number(let number) where number >= 0: numbers.append(number)
      case .name(let name):
        guard let number = extents[place] ?? extents[name] else { throw .unmapped("input \(input.name): extent \"\(name)\" (\(place)) needs a value") }
        numbers.append(number)
      case .number, .unknown:
        guard let number = extents[place] else { throw .unmapped("input \(input.name): extent \(place) needs a value") }
        numbers.append(number)
      }
    }
    guard numbers.count <= Shape.maximumRank, ONNXTensor.isPossible(numbers) else { throw .unmapped("input \(input.name): an impossible shape", "\(numbers)") }
    return (type, numbers)
  }
}

extension BackplaneError {
  /// - Parameter detail: Left out of the reason, so that reasons can be counted.
  static func unmapped(_ reason: String, _ detail: String = "") -> BackplaneError {
    BackplaneError(.unsupported, reason, hint: detail.isEmpty ? nil : detail)
  }
}

/// A tensor on its way from ONNX to a graph.
struct ONNXValue {
  /// Nil while it is a constant that no node has needed as a tensor.
  var tensor: TensorID?
  var type: ONNXDataType
  var shape: [Int]
  /// The elements, where they are known while importing.
  var known: ONNXTensor?
  /// Computed while importing, or an initializer; false for an input of the graph.
  var isFolded = false

  var rank: Int { shape.count }
  var count: Int { shape.reduce(1, *) }
}

/// One ONNX node with its operands, as a rule of the table sees it.
struct ONNXCall {
  let node: ONNXNode
  let inputs: [ONNXValue?]
  let opset: Int

  func has(_ i: Int) -> Bool { i < inputs.count && inputs[i] != nil }
  func input(_ i: Int) throws(BackplaneError) -> ONNXValue {
    guard has(i) else { throw .unmapped("\(node.op): operand \(i) is missing") }
    return inputs[i]!
  }
  func optional(_ i: Int) -> ONNXValue? { has(i) ? inputs[i] : nil }

  func int(_ name: String, _ other: Int) -> Int { if case .int(let i)? = node.attributes[name] { i } else { other } }
  func float(_ name: String, _ other: Double) -> Double { if case .float(let f)? = node.attributes[name] { Double(f) } else { other } }
  func string(_ name: String, _ other: String) -> String { if case .string(let s)? = node.attributes[name] { s } else { other } }
  func ints(_ name: String) -> [Int]? { if case .ints(let list)? = node.attributes[name] { list } else { nil } }
  func wants(_ output: Int) -> Bool { output < node.outputs.count && !node.outputs[output].isEmpty }

  /// Whole numbers of an operand that is an attribute here.
  func knownInts(_ i: Int) throws(BackplaneError) -> [Int]? {
    guard let value = optional(i) else { return nil }
    guard let known = value.known else { throw .unmapped("\(node.op): operand \(i) must be known, and is computed") }
    return known.numbers.map(ONNXTensor.whole)
  }
  func knownNumber(_ i: Int) throws(BackplaneError) -> Double? {
    guard let value = optional(i) else { return nil }
    guard let known = value.known else { throw .unmapped("\(node.op): operand \(i) must be known, and is computed") }
    return known.numbers.first
  }
  /// A dimension's number from one that may count from the end.
  func axis(_ axis: Int, _ rank: Int) throws(BackplaneError) -> Int {
    guard axis >= -rank, axis < rank else { throw .unmapped("\(node.op): there is no such axis") }
    return axis < 0 ? axis + rank : axis
  }
}

/// Builds our graph node by node. Rules are methods of this type; ``ONNXRules`` is the table.
struct ONNXImporter {
  var builder = GraphBuilder()
  var constants: [TensorID: [UInt8]] = [:]
  var values: [String: ONNXValue] = [:]
  let opset: Int
  let functions: [ONNXFunction]

  init(opset: Int, functions: [ONNXFunction]) { (self.opset, self.functions) = (opset, functions) }

  mutating func append(_ node: ONNXNode) throws(BackplaneError) {
    var inputs: [ONNXValue?] = []
    for name in node.inputs {
      if !name.isEmpty, values[name] == nil { throw .unmapped("\(node.op): an operand is no tensor", name) }
      inputs.append(name.isEmpty ? nil : values[name])
    }
    let rules = node.domain == "" ? ONNXRules.all : node.domain == "com.microsoft" ? ONNXRules.microsoft : [:]
    let call = ONNXCall(node: node, inputs: inputs, opset: opset)
    let made: [ONNXValue?]
    if node.domain == "", let folded = try ONNXFolding.result(call) {
      made = [folded]
    } else {
      guard let rule = rules[node.op] else { throw .unmapped("no operator for \(node.domain.isEmpty ? "" : node.domain + ".")\(node.op)") }
      do { made = try rule(&self, call) } catch {
        // Our spec's refusal, said without the values that differ from case to case.
        if error.kind == .constraint {
          let isFormat = error.label?.hasPrefix("I") == true
          throw .unmapped("\(node.op): our \(error.op ?? "") " + (isFormat ? "does not take \(call.inputs.first.flatMap { $0.map { "\($0.type)" } } ?? "it")" : "does not allow it (\(error.label ?? ""))"), error.message)
        }
        throw error
      }
    }
    for (k, name) in node.outputs.enumerated() where !name.isEmpty {
      guard k < made.count, let value = made[k] else { throw .unmapped("\(node.op): its output \(k) is not computed here") }
      values[name] = value
    }
  }

  // MARK: Values

  mutating func constant(_ tensor: ONNXTensor) throws(BackplaneError) -> ONNXValue {
    ONNXValue(tensor: nil, type: tensor.type, shape: tensor.shape, known: tensor, isFolded: true)
  }
  func constant(_ numbers: [Double], _ type: ONNXDataType, _ shape: [Int]) throws(BackplaneError) -> ONNXValue {
    ONNXValue(tensor: nil, type: type, shape: shape, known: try ONNXTensor(type, shape, numbers: numbers), isFolded: true)
  }
  func scalar(_ number: Double, like value: ONNXValue) throws(BackplaneError) -> ONNXValue { try constant([number], value.type, []) }

  /// The value as a tensor of the graph.
  mutating func tensor(_ value: ONNXValue) throws(BackplaneError) -> TensorID {
    if let id = value.tensor { return id }
    guard let format = value.type.format else { throw .unmapped("no format for \(value.type)") }
    let id = builder.constant("constant.\(builder.graph.tensors.count)", format, Shape(value.shape))
    constants[id] = value.known!.bytes
    return id
  }

  func value(_ id: TensorID) throws(BackplaneError) -> ONNXValue {
    guard let type = ONNXDataType(builder[id].format), let shape = builder[id].shape.fixedExtents else { throw .unmapped("a result without a fixed shape") }
    try check(shape)
    return ONNXValue(tensor: id, type: type, shape: shape)
  }

  /// Shapes come from files: none may be so large that counting its elements fails.
  func check(_ shape: [Int]) throws(BackplaneError) {
    guard ONNXTensor.isPossible(shape) else { throw .unmapped("an impossible shape", "\(shape)") }
  }
  /// What is written out while importing must stay small.
  func checkSmall(_ count: Int) throws(BackplaneError) {
    guard (0...ONNXFolding.largest).contains(count) else { throw .unmapped("too many elements to write out", "\(count)") }
  }

  // MARK: Our operators

  mutating func applyAll(_ op: String, _ inputs: [ONNXValue?], _ attributes: [Attribute] = [], outputs: Set<String> = []) throws(BackplaneError) -> [ONNXValue] {
    var ids: [TensorID?] = []
    for input in inputs { ids.append(input == nil ? nil : try tensor(input!)) }
    var made: [ONNXValue] = []
    for case let id? in try builder.apply(op, ids, attributes, optionalOutputs: outputs) { made.append(try value(id)) }
    return made
  }
  /// The first output; operands that are absent at the end are left out.
  mutating func apply(_ op: String, _ a: ONNXValue, _ b: ONNXValue? = nil, _ c: ONNXValue? = nil, _ d: ONNXValue? = nil,
                      attributes: [Attribute] = []) throws(BackplaneError) -> ONNXValue {
    var inputs: [ONNXValue?] = [a, b, c, d]
    while let last = inputs.last, last == nil { inputs.removeLast() }
    return try applyAll(op, inputs, attributes)[0]
  }

  mutating func reshape(_ x: ONNXValue, _ shape: [Int]) throws(BackplaneError) -> ONNXValue {
    if x.shape == shape { return x }
    try check(shape)
    if x.isFolded, x.count == shape.reduce(1, *), let known = x.known { return try constant(ONNXTensor(known.type, shape, bytes: known.bytes)) }
    return try apply("reshape", x, attributes: [Attribute("shape", .ints(shape))])
  }
  mutating func transpose(_ x: ONNXValue, _ permutation: [Int]) throws(BackplaneError) -> ONNXValue {
    if permutation == Array(0..<x.rank) { return x }
    if let folded = ONNXFolding.transposed(x, permutation) { return try constant(folded) }
    return try apply("transpose", x, attributes: [Attribute("permutation", .ints(permutation))])
  }
  mutating func cast(_ x: ONNXValue, _ type: ONNXDataType) throws(BackplaneError) -> ONNXValue {
    if x.type == type { return x }
    guard let format = type.format, x.type.format != nil else { throw .unmapped("no format for \(type.format == nil ? type : x.type)") }
    return try apply("cast", x, attributes: [Attribute("to", .string(format.name))])
  }
  mutating func scale(_ x: ONNXValue, _ factor: Double, _ offset: Double = 0) throws(BackplaneError) -> ONNXValue {
    if factor == 1, offset == 0 { return x }
    return try apply("scale", x, attributes: [Attribute("factor", .float(factor)), Attribute("offset", .float(offset))])
  }
  mutating func slice(_ x: ONNXValue, axis: Int, _ range: Range<Int>, step: Int = 1) throws(BackplaneError) -> ONNXValue {
    guard axis < x.rank, range.lowerBound >= 0, range.upperBound <= x.shape[axis] else { throw .unmapped("a slice beyond its operand", "\(range) along dimension \(axis) of \(x.shape)") }
    if range == 0..<x.shape[axis], step == 1 { return x }
    if x.isFolded, range.count <= ONNXFolding.largest, let folded = ONNXFolding.taken(x, axis: axis, Array(stride(from: range.lowerBound, to: range.upperBound, by: step))) { return try constant(folded) }
    return try apply("slice", x, attributes: [
      Attribute("axis", .int(axis)), Attribute("start", .int(range.lowerBound)), Attribute("end", .int(range.upperBound)), Attribute("step", .int(step)),
    ])
  }
  mutating func concat(_ parts: [ONNXValue], axis: Int) throws(BackplaneError) -> ONNXValue {
    if parts.count == 1 { return parts[0] }
    if let folded = ONNXFolding.joined(parts, axis: axis) { return try constant(folded) }
    var parts = parts
    // Devices have a limit to the operands of one operator.
    while parts.count > ONNXImporter.mostOperands {
      var joined: [ONNXValue] = []
      for start in stride(from: 0, to: parts.count, by: ONNXImporter.mostOperands) {
        joined.append(try concat(Array(parts[start..<min(start + ONNXImporter.mostOperands, parts.count)]), axis: axis))
      }
      parts = joined
    }
    return try applyAll("concat", parts, [Attribute("axis", .int(axis))])[0]
  }
  private static let mostOperands = 16

  mutating func expand(_ x: ONNXValue, _ shape: [Int]) throws(BackplaneError) -> ONNXValue {
    if x.shape == shape { return x }
    try check(shape)
    return try apply("expand", x, attributes: [Attribute("shape", .ints(shape))])
  }
  mutating func reduce(_ op: String, _ x: ONNXValue, _ axes: [Int], keep: Bool) throws(BackplaneError) -> ONNXValue {
    if axes.isEmpty { return x }
    return try apply(op, x, attributes: [Attribute("axes", .ints(axes)), Attribute("keep_dims", .int(keep ? 1 : 0))])
  }

  /// `body` applied with `axis` as the last dimension.
  mutating func last(_ x: ONNXValue, axis: Int, _ body: (inout ONNXImporter, ONNXValue) throws(BackplaneError) -> ONNXValue) throws(BackplaneError) -> ONNXValue {
    var order = Array(0..<x.rank)
    order.swapAt(axis, x.rank - 1)
    let turned = try transpose(x, order)
    let made = try body(&self, turned)
    return made.rank == x.rank ? try transpose(made, order) : made
  }

  /// The elements of `x` at `indices` along `axis`, by one gather where there is one for the format, else piece by piece.
  mutating func take(_ x: ONNXValue, axis: Int, _ indices: [Int]) throws(BackplaneError) -> ONNXValue {
    if indices == Array(0..<x.shape[axis]) { return x }
    try checkSmall(indices.count)
    if let folded = ONNXFolding.taken(x, axis: axis, indices) { return try constant(folded) }
    guard let format = x.type.format, [.f32, .f16, .bf16].contains(format) else {
      var parts: [ONNXValue] = []
      for i in indices { parts.append(try slice(x, axis: axis, i..<i + 1)) }
      guard !parts.isEmpty else { return try slice(x, axis: axis, 0..<0) }
      return try concat(parts, axis: axis)
    }
    return try gather(x, axis: axis, try constant(indices.map(Double.init), .int64, [indices.count]))
  }

  /// Rows of `x` along `axis`; `indices` may have any shape and must lie inside.
  mutating func gather(_ x: ONNXValue, axis: Int, _ indices: ONNXValue) throws(BackplaneError) -> ONNXValue {
    guard x.rank > axis, let format = x.type.format, [.f32, .f16, .bf16].contains(format) else { throw .unmapped("Gather: no gather for \(x.type)") }
    let order = [axis] + (0..<x.rank).filter { $0 != axis }
    let front = try transpose(x, order)
    let rest = Array(front.shape.dropFirst())
    let table = try reshape(front, [front.shape[0], rest.reduce(1, *)])
    let rows = try apply("gather", table, indices, attributes: [Attribute("to", .string(format.name))])
    let shaped = try reshape(rows, indices.shape + rest)
    // The dimensions of the indices go where the axis was.
    let n = indices.rank
    return try transpose(shaped, (0..<axis).map { n + $0 } + Array(0..<n) + (axis..<rest.count).map { n + $0 })
  }
}
