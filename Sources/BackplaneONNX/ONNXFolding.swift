import BackplaneCore

/// Nodes whose result follows from shapes and constants, computed while importing: the arithmetic of shapes that ONNX graphs are full of.
enum ONNXFolding {
  /// Elements of a folded tensor, at most: what is larger is a matter for a device.
  static let largest = 1 << 20

  /// Nil when the node must run.
  static func result(_ call: ONNXCall) throws(BackplaneError) -> ONNXValue? {
    func made(_ type: ONNXDataType, _ shape: [Int], _ numbers: [Double]) throws(BackplaneError) -> ONNXValue? {
      guard ONNXTensor.isPossible(shape), shape.reduce(1, *) == numbers.count, numbers.count <= largest, type.format != nil else { return nil }
      return ONNXValue(tensor: nil, type: type, shape: shape, known: try ONNXTensor(type, shape, numbers: numbers), isFolded: true)
    }
    switch call.node.op {
    case "Constant": return try constant(call.node)
    case "Shape":
      let shape = try call.input(0).shape, n = shape.count
      func place(_ i: Int) -> Int { min(max(i < 0 ? i + n : i, 0), n) }
      let start = place(call.int("start", 0)), end = max(start, place(call.int("end", n)))
      return try made(.int64, [end - start], shape[start..<end].map(Double.init))
    case "Size": return try made(.int64, [], [Double(try call.input(0).count)])
    default: break
    }
    guard !call.inputs.isEmpty, call.inputs.allSatisfy({ $0 == nil || ($0!.isFolded && $0!.type.format != nil && $0!.count <= largest) }), let first = call.inputs[0] else { return nil }
    let x = first.known!.numbers, type = first.type
    func ints(_ i: Int) -> [Int]? { call.optional(i)?.known!.numbers.map(ONNXTensor.whole) }
    func float(_ value: Double) -> Double { type.format?.kind == .float ? value : value.rounded(.towardZero) }
    if let unary = unaries[call.node.op] { return try made(type, first.shape, x.map { float(unary($0)) }) }
    if let binary = binaries[call.node.op], let second = call.optional(1), call.inputs.count == 2 {
      let shape = broadcast(first.shape, second.shape)
      guard let shape, ONNXTensor.isPossible(shape), shape.reduce(1, *) <= largest else { return nil }
      let a = spread(x, first.shape, to: shape), b = spread(second.known!.numbers, second.shape, to: shape)
      return try made(comparisons.contains(call.node.op) ? .bool : type, shape, zip(a, b).map { float(binary($0, $1)) })
    }
    switch call.node.op {
    case "Identity": return first
    case "Cast", "CastLike":
      guard let target = call.node.op == "Cast" ? ONNXDataType(rawValue: call.int("to", 0)) : call.optional(1)?.type, target.format != nil else { return nil }
      let isWhole = target.format?.kind != .float
      return try made(target, first.shape, x.map { target == .bool ? ($0 == 0 ? 0 : 1) : isWhole ? $0.rounded(.towardZero) : $0 })
    case "ConstantOfShape":
      let shape = x.map(ONNXTensor.whole)
      guard ONNXTensor.isPossible(shape), shape.reduce(1, *) <= largest else { return nil }
      var value = ONNXTensor(.float, [1], bytes: [0, 0, 0, 0])
      if case .tensor(let given)? = call.node.attributes["value"] { value = given }
      return try made(value.type, shape, [Double](repeating: value.numbers.first ?? 0, count: shape.reduce(1, *)))
    case "Range":
      guard let limit = call.optional(1)?.known!.numbers.first, let step = call.optional(2)?.known!.numbers.first, let start = x.first, step != 0 else { return nil }
      let count = ((limit - start) / step).rounded(.up)
      guard abs(count) <= Double(largest) else { return nil }
      return try made(type, [max(Int(count), 0)], (0..<max(Int(count), 0)).map { start + Double($0) * step })
    case "Where":
      guard let a = call.optional(1), let b = call.optional(2), let inner = broadcast(a.shape, b.shape), let shape = broadcast(first.shape, inner), ONNXTensor.isPossible(shape), shape.reduce(1, *) <= largest else { return nil }
      let (c, p, q) = (spread(x, first.shape, to: shape), spread(a.known!.numbers, a.shape, to: shape), spread(b.known!.numbers, b.shape, to: shape))
      return try made(a.type, shape, c.indices.map { c[$0] != 0 ? p[$0] : q[$0] })
    case "Not": return try made(.bool, first.shape, x.map { $0 == 0 ? 1 : 0 })
    case "Concat":
      guard first.rank == 1 else { return nil }
      return try made(type, [call.inputs.reduce(0) { $0 + $1!.count }], call.inputs.flatMap { $0!.known!.numbers })
    case "Gather":
      guard call.int("axis", 0) == 0, first.rank == 1, let second = call.optional(1) else { return nil }
      var taken: [Double] = []
      for index in second.known!.numbers {
        let whole = ONNXTensor.whole(index), i = whole < 0 ? whole + x.count : whole
        guard x.indices.contains(i) else { throw .unmapped("Gather: an index outside") }
        taken.append(x[i])
      }
      return try made(type, second.shape, taken)
    case "Slice":
      guard call.opset >= 10, first.rank == 1, let start = ints(1)?.first, let end = ints(2)?.first, (ints(4)?.first ?? 1) == 1 else { return nil }
      func place(_ i: Int) -> Int { min(max(i < 0 ? i + x.count : i, 0), x.count) }
      let kept = x[place(start)..<max(place(start), place(end))]
      return try made(type, [kept.count], Array(kept))
    case "Unsqueeze", "Squeeze", "Reshape":
      // The same elements: the shape comes from the operator's own rule, on a constant.
      return nil
    default: return nil
    }
  }

  private static let unaries: [String: @Sendable (Double) -> Double] = [
    "Neg": { -$0 }, "Abs": { abs($0) }, "Sqrt": { $0.squareRoot() }, "Reciprocal": { 1 / $0 }, "Floor": { $0.rounded(.down) }, "Ceil": { $0.rounded(.up) },
  ]
  private static let comparisons: Set<String> = ["Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual", "And", "Or"]
  private static let binaries: [String: @Sendable (Double, Double) -> Double] = [
    "Add": { $0 + $1 }, "Sub": { $0 - $1 }, "Mul": { $0 * $1 }, "Div": { $0 / $1 }, "Max": { Swift.max($0, $1) }, "Min": { Swift.min($0, $1) },
    "Mod": { $1 == 0 ? 0 : $0 - ($0 / $1).rounded(.down) * $1 }, "Equal": { $0 == $1 ? 1 : 0 }, "Less": { $0 < $1 ? 1 : 0 }, "Greater": { $0 > $1 ? 1 : 0 },
    "LessOrEqual": { $0 <= $1 ? 1 : 0 }, "GreaterOrEqual": { $0 >= $1 ? 1 : 0 }, "And": { $0 != 0 && $1 != 0 ? 1 : 0 }, "Or": { $0 != 0 || $1 != 0 ? 1 : 0 },
  ]

  private static func constant(_ node: ONNXNode) throws(BackplaneError) -> ONNXValue? {
    let tensor: ONNXTensor
    if case .tensor(let t)? = node.attributes["value"] { tensor = t }
    else if case .int(let i)? = node.attributes["value_int"] { tensor = try ONNXTensor(.int64, [], numbers: [Double(i)]) }
    else if case .ints(let v)? = node.attributes["value_ints"] { tensor = try ONNXTensor(.int64, [v.count], numbers: v.map(Double.init)) }
    else if case .float(let f)? = node.attributes["value_float"] { tensor = try ONNXTensor(.float, [], numbers: [Double(f)]) }
    else if case .floats(let v)? = node.attributes["value_floats"] { tensor = try ONNXTensor(.float, [v.count], numbers: v.map(Double.init)) }
    else { throw .unmapped("Constant: no tensor") }
    return ONNXValue(tensor: nil, type: tensor.type, shape: tensor.shape, known: tensor, isFolded: true)
  }

  private static func broadcast(_ a: [Int], _ b: [Int]) -> [Int]? {
    var shape: [Int] = []
    for d in 0..<max(a.count, b.count) {
      let (m, n) = (d < a.count ? a[a.count - 1 - d] : 1, d < b.count ? b[b.count - 1 - d] : 1)
      guard m == n || m == 1 || n == 1 else { return nil }
      shape.insert(m == 1 ? n : m, at: 0)
    }
    return shape
  }

  private static func spread(_ values: [Double], _ own: [Int], to shape: [Int]) -> [Double] {
    if own == shape { return values }
    return (0..<shape.reduce(1, *)).map { i in
      var (rest, offset, step) = (i, 0, 1)
      for d in 0..<shape.count {
        let extent = shape[shape.count - 1 - d]
        if d < own.count {
          offset += own[own.count - 1 - d] == 1 ? 0 : rest % extent * step
          step *= own[own.count - 1 - d]
        }
        rest /= extent
      }
      return values[offset]
    }
  }
}
