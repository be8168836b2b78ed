import BackplaneCore

/// How ONNX's operators are said in ours: one line an operator.
enum ONNXRules {
  typealias Rule = @Sendable (inout ONNXImporter, ONNXCall) throws(BackplaneError) -> [ONNXValue?]

  static let all: [String: Rule] = {
    var table = elementwise
    for part in [comparisons, shapes, reductions, windows, recurrent, matrices, normalizations, quantizations, positions, losses] { table.merge(part) { a, _ in a } }
    for (onnx, ours) in sameMeaning { table[onnx] = one { importer, _, x throws(BackplaneError) in try importer.apply(ours, x) } }
    for (onnx, ours) in sameMeaningOfTwo { table[onnx] = one { importer, call, x throws(BackplaneError) in try importer.binary(ours, x, try call.input(1)) } }
    return table
  }()

  /// Element by element, no attributes.
  static let sameMeaning = [
    "Abs": "abs", "Ceil": "ceil", "Cos": "cos", "Erf": "erf", "Exp": "exp", "Floor": "floor", "HardSwish": "hardswish", "Log": "log", "Neg": "neg",
    "Reciprocal": "reciprocal", "Relu": "relu", "Round": "round", "Sigmoid": "sigmoid", "Sign": "sign", "Sin": "sin", "Softplus": "softplus", "Sqrt": "sqrt",
    "Tanh": "tanh",
  ]
  /// Two operands that broadcast.
  static let sameMeaningOfTwo = ["Add": "add", "Sub": "sub", "Mul": "mul", "Div": "div"]

  static func one(_ rule: @escaping @Sendable (inout ONNXImporter, ONNXCall, ONNXValue) throws(BackplaneError) -> ONNXValue) -> Rule {
    { importer, call throws(BackplaneError) in list(try rule(&importer, call, try call.input(0))) }
  }
  /// A node's outputs; those that are missing are not computed here.
  static func list(_ a: ONNXValue, _ b: ONNXValue? = nil, _ c: ONNXValue? = nil) -> [ONNXValue?] { [a, b, c] }

  static func chain(_ op: String) -> Rule {
    { importer, call throws(BackplaneError) in
      var result = try call.input(0)
      for i in call.inputs.indices.dropFirst() { result = try importer.binary(op, result, try call.input(i)) }
      return [result]
    }
  }

  static let elementwise: [String: Rule] = [
    "Max": chain("max"), "Min": chain("min"), "Sum": chain("add"),
    "Mean": { importer, call throws(BackplaneError) in
      let sum = try chain("add")(&importer, call)[0]!
      return list(try importer.scale(sum, 1 / Double(call.inputs.count)))
    },
    "Pow": { importer, call throws(BackplaneError) in
      let base = try call.input(0)
      return list(try importer.apply("pow", base, try importer.cast(try call.input(1), base.type)))
    },
    "Identity": one { _, _, x throws(BackplaneError) in x },
    "Dropout": { importer, call throws(BackplaneError) in
      let x = try call.input(0)
      if try call.knownNumber(2) ?? 0 != 0, try call.knownNumber(1) ?? 0.5 != 0 { throw .unmapped("Dropout: training") }
      if !call.wants(1) { return [x] }
      try importer.checkSmall(x.count)
      return list(x, try importer.constant([Double](repeating: 1, count: x.count), .bool, x.shape))
    },
    "Cast": one { importer, call, x throws(BackplaneError) in
      guard let type = ONNXDataType(rawValue: call.int("to", 0)) else { throw .unmapped("Cast: an unknown type") }
      return try importer.cast(x, type)
    },
    "CastLike": one { importer, call, x throws(BackplaneError) in try importer.cast(x, try call.input(1).type) },
    "Clip": one { importer, call, x throws(BackplaneError) in
      let least = call.opset < 11 ? call.float("min", -.infinity) : try call.knownNumber(1) ?? -.infinity
      let most = call.opset < 11 ? call.float("max", .infinity) : try call.knownNumber(2) ?? .infinity
      if x.type.format?.kind != .float {
        var result = x
        if least.isFinite { result = try importer.binary("max", result, try importer.scalar(least, like: x)) }
        if most.isFinite { result = try importer.binary("min", result, try importer.scalar(most, like: x)) }
        return result
      }
      let limit = 3.4028234663852886e38
      return try importer.apply("clip", x, attributes: [Attribute("minimum", .float(max(least, -limit))), Attribute("maximum", .float(min(most, limit)))])
    },
    "Elu": one { importer, call, x throws(BackplaneError) in try importer.apply("elu", x, attributes: [Attribute("alpha", .float(call.float("alpha", 1)))]) },
    "Celu": one { importer, call, x throws(BackplaneError) in  // alpha (exp(x / alpha) - 1) for x < 0
      let alpha = call.float("alpha", 1)
      return try importer.scale(try importer.apply("elu", try importer.scale(x, 1 / alpha)), alpha)
    },
    "Selu": one { importer, call, x throws(BackplaneError) in
      let alpha = call.float("alpha", 1.67326319217681884765625), gamma = call.float("gamma", 1.05070102214813232421875)
      return try importer.scale(try importer.apply("elu", x, attributes: [Attribute("alpha", .float(alpha))]), gamma)
    },
    "LeakyRelu": one { importer, call, x throws(BackplaneError) in try importer.apply("leaky_relu", x, attributes: [Attribute("alpha", .float(call.float("alpha", 0.01)))]) },
    "HardSigmoid": one { importer, call, x throws(BackplaneError) in
      try importer.apply("hardsigmoid", x, attributes: [Attribute("alpha", .float(call.float("alpha", 0.2))), Attribute("beta", .float(call.float("beta", 0.5)))])
    },
    "Gelu": one { importer, call, x throws(BackplaneError) in
      try importer.apply("gelu", x, attributes: [Attribute("approximate", .string(call.string("approximate", "none")))])
    },
    "Swish": one { importer, call, x throws(BackplaneError) in
      let alpha = call.float("alpha", 1)
      if alpha == 1 { return try importer.apply("silu", x) }
      return try importer.apply("mul", x, try importer.apply("sigmoid", try importer.scale(x, alpha)))
    },
    "Mish": one { importer, _, x throws(BackplaneError) in try importer.apply("mul", x, try importer.apply("tanh", try importer.apply("softplus", x))) },
    "Softsign": one { importer, _, x throws(BackplaneError) in try importer.apply("div", x, try importer.scale(try importer.apply("abs", x), 1, 1)) },
    "Tan": one { importer, _, x throws(BackplaneError) in try importer.apply("div", try importer.apply("sin", x), try importer.apply("cos", x)) },
    "Cosh": one { importer, _, x throws(BackplaneError) in
      let up = try importer.apply("exp", x), down = try importer.apply("exp", try importer.apply("neg", x))
      return try importer.scale(try importer.apply("add", up, down), 0.5)
    },
    "PRelu": one { importer, call, x throws(BackplaneError) in
      let below = try importer.apply("less", x, try importer.scalar(0, like: x))
      return try importer.apply("where", below, try importer.apply("mul", x, try call.input(1)), x)
    },
    "ThresholdedRelu": one { importer, call, x throws(BackplaneError) in
      let above = try importer.apply("greater", x, try importer.scalar(call.float("alpha", 1), like: x))
      return try importer.apply("where", above, x, try importer.scalar(0, like: x))
    },
    "Shrink": one { importer, call, x throws(BackplaneError) in
      let limit = call.float("lambd", 0.5), bias = call.float("bias", 0)
      let below = try importer.apply("less", x, try importer.scalar(-limit, like: x)), above = try importer.apply("greater", x, try importer.scalar(limit, like: x))
      let upper = try importer.apply("where", above, try importer.scale(x, 1, -bias), try importer.scalar(0, like: x))
      return try importer.apply("where", below, try importer.scale(x, 1, bias), upper)
    },
  ]

  static let comparisons: [String: Rule] = [
    "Equal": { importer, call throws(BackplaneError) in list(try importer.compare("equal", try call.input(0), try call.input(1))) },
    "Greater": { importer, call throws(BackplaneError) in list(try importer.compare("greater", try call.input(0), try call.input(1))) },
    "Less": { importer, call throws(BackplaneError) in list(try importer.compare("less", try call.input(0), try call.input(1))) },
    "GreaterOrEqual": { importer, call throws(BackplaneError) in list(try importer.compareOrEqual("greater", call)) },
    "LessOrEqual": { importer, call throws(BackplaneError) in list(try importer.compareOrEqual("less", call)) },
    // Truth values as 0 and 1: and is their product, or their maximum, not is equality with 0.
    "And": { importer, call throws(BackplaneError) in list(try importer.logic("mul", try call.input(0), try call.input(1))) },
    "Or": { importer, call throws(BackplaneError) in list(try importer.logic("max", try call.input(0), try call.input(1))) },
    "Xor": { importer, call throws(BackplaneError) in list(try importer.not(try importer.compare("equal", try call.input(0), try call.input(1)))) },
    "Not": one { importer, _, x throws(BackplaneError) in try importer.not(x) },
    "IsNaN": one { importer, _, x throws(BackplaneError) in try importer.not(try importer.apply("equal", x, x)) },
    "IsInf": one { importer, call, x throws(BackplaneError) in
      let up = call.int("detect_positive", 1) != 0, down = call.int("detect_negative", 1) != 0
      if up, down { return try importer.apply("equal", try importer.apply("abs", x), try importer.scalar(.infinity, like: x)) }
      guard up || down else { throw .unmapped("IsInf: nothing is asked for") }
      return try importer.apply("equal", x, try importer.scalar(up ? .infinity : -.infinity, like: x))
    },
    "Where": { importer, call throws(BackplaneError) in list(try importer.apply("where", try call.input(0), try call.input(1), try call.input(2))) },
  ]
}

extension ONNXImporter {
  /// 8-bit integers and truth values as i32, which holds them all.
  mutating func widened(_ x: ONNXValue) throws(BackplaneError) -> ONNXValue {
    [.int8, .uint8, .bool].contains(x.type) ? try cast(x, .int32) : x
  }

  /// Of 8-bit integers only what cannot leave their range; sums and products wrap there, and our cast saturates.
  mutating func binary(_ op: String, _ a: ONNXValue, _ b: ONNXValue) throws(BackplaneError) -> ONNXValue {
    guard [.int8, .uint8].contains(a.type), ["max", "min", "div"].contains(op) else { return try apply(op, a, b) }
    return try cast(try apply(op, try widened(a), try widened(b)), a.type)
  }

  mutating func compare(_ op: String, _ a: ONNXValue, _ b: ONNXValue) throws(BackplaneError) -> ONNXValue { try apply(op, try widened(a), try widened(b)) }

  /// Not the opposite of the other comparison: that would make NaN true.
  mutating func compareOrEqual(_ op: String, _ call: ONNXCall) throws(BackplaneError) -> ONNXValue {
    let a = try call.input(0), b = try call.input(1)
    return try logic("max", try compare(op, a, b), try compare("equal", a, b))
  }

  mutating func logic(_ op: String, _ a: ONNXValue, _ b: ONNXValue) throws(BackplaneError) -> ONNXValue {
    try cast(try apply(op, try cast(a, .int32), try cast(b, .int32)), .bool)
  }

  mutating func not(_ x: ONNXValue) throws(BackplaneError) -> ONNXValue { try apply("equal", try cast(x, .int32), try constant([0], .int32, [])) }
}
