import BackplaneCore

/// Products of matrices, normalisations, and quantised forms.
extension ONNXRules {
  static let matrices: [String: Rule] = [
    "MatMul": { importer, call throws(BackplaneError) in list(try importer.product(try call.input(0), try call.input(1))) },
    "Gemm": { importer, call throws(BackplaneError) in
      let a = try call.input(0), b = try call.input(1), alpha = call.float("alpha", 1), beta = call.float("beta", 1)
      guard a.rank == 2, b.rank == 2 else { throw .unmapped("Gemm: operands that are no matrices") }
      let left = call.int("transA", 0) != 0 ? try importer.transpose(a, [1, 0]) : a
      let sides = [Attribute("transpose_b", .int(call.int("transB", 0)))]
      guard let c = call.optional(2) else { return list(try importer.scale(try importer.apply("matmul", left, b, attributes: sides), alpha)) }
      if alpha == 1, beta == 1, c.shape == [b.shape[call.int("transB", 0) != 0 ? 0 : 1]], c.type == .float { return list(try importer.apply("matmul", left, b, c, attributes: sides)) }
      let y = try importer.scale(try importer.apply("matmul", left, b, attributes: sides), alpha)
      return list(try importer.apply("add", y, try importer.scale(c, beta)))
    },
    "MatMulInteger": { importer, call throws(BackplaneError) in
      let a = try call.input(0), b = try call.input(1)
      guard a.rank >= 2, b.rank >= 2 else { throw .unmapped("MatMulInteger: a vector") }
      return list(try importer.apply("matmul_integer", a, b, try importer.listed(call.optional(2)), try importer.listed(call.optional(3)), attributes: [Attribute("transpose_b", .int(0))]))
    },
    "QLinearMatMul": { importer, call throws(BackplaneError) in
      var operands: [ONNXValue] = []
      for i in 0..<8 { operands.append(try call.input(i)) }
      let type = operands[7].type
      guard let format = type.format, operands[0].rank >= 2, operands[3].rank >= 2 else { throw .unmapped("QLinearMatMul: no format for \(type)") }
      var inputs: [ONNXValue?] = [operands[0], operands[3]]
      // Scales are f32 here, which holds 16-bit floats exactly.
      for i in [1, 4, 6] { inputs.append(try importer.listed(try importer.cast(operands[i], .float))) }
      for i in [2, 5, 7] { inputs.append(try importer.listed(operands[i])) }
      return list(try importer.applyAll("qlinear_matmul", inputs, [Attribute("transpose_b", .int(0)), Attribute("to", .string(format.name))])[0])
    },
  ]

  static let quantizations: [String: Rule] = [
    "QuantizeLinear": one { importer, call, x throws(BackplaneError) in
      let type = call.optional(2)?.type ?? ONNXDataType(rawValue: call.int("output_dtype", 0)) ?? .uint8
      guard let format = type.format else { throw .unmapped("no format for \(type)") }
      let scale = try importer.along(try call.input(1), x, call), zero = try call.optional(2).map { value throws(BackplaneError) in try importer.along(value, x, call) }
      return try importer.apply("quantize_linear", x, scale, zero, attributes: [Attribute("to", .string(format.name))])
    },
    "DequantizeLinear": one { importer, call, x throws(BackplaneError) in
      guard x.type.format != nil else { throw .unmapped("no format for \(x.type)") }
      let given = try call.input(1)
      guard let format = given.type.format else { throw .unmapped("no format for \(given.type)") }
      let scale = try importer.along(given, x, call), zero = try call.optional(2).map { value throws(BackplaneError) in try importer.along(value, x, call) }
      return try importer.apply("dequantize_linear", x, scale, zero, attributes: [Attribute("to", .string(format.name))])
    },
    "DynamicQuantizeLinear": { importer, call throws(BackplaneError) in
      // Ours has one scale a row: the tensor as one row.
      let x = try call.input(0)
      let row = try importer.reshape(x, [x.count])
      let made = try importer.applyAll("dynamic_quantize", [row], [Attribute("to", .string("u8"))], outputs: ["scale", "zero_point"])
      return list(try importer.reshape(made[0], x.shape), try importer.reshape(made[1], []), try importer.reshape(made[2], []))
    },
  ]

  static let normalizations: [String: Rule] = [
    "Softmax": one { importer, call, x throws(BackplaneError) in
      if call.opset < 13 {
        let k = try call.axis(call.int("axis", 1), x.rank)
        let flat = try importer.reshape(x, [x.shape.prefix(k).reduce(1, *), x.shape.dropFirst(k).reduce(1, *)])
        return try importer.reshape(try importer.apply("softmax", flat), x.shape)
      }
      return try importer.last(x, axis: try call.axis(call.int("axis", -1), x.rank)) { importer, x throws(BackplaneError) in try importer.apply("softmax", x) }
    },
    "LogSoftmax": one { importer, call, x throws(BackplaneError) in
      guard call.opset >= 13 else { throw .unmapped("LogSoftmax: before version 13") }
      return try importer.logSoftmax(x, axis: try call.axis(call.int("axis", -1), x.rank))
    },
    "LayerNormalization": { importer, call throws(BackplaneError) in try importer.normalized(call, centred: true) },
    "RMSNormalization": { importer, call throws(BackplaneError) in try importer.normalized(call, centred: false) },
    "GroupNormalization": one { importer, call, x throws(BackplaneError) in
      guard call.opset >= 21, x.rank >= 2 else { throw .unmapped("GroupNormalization: before version 21") }
      return try importer.grouped(x, groups: call.int("num_groups", 1), call)
    },
    "InstanceNormalization": one { importer, call, x throws(BackplaneError) in
      guard x.rank >= 2 else { throw .unmapped("InstanceNormalization: no channels") }
      return try importer.grouped(x, groups: x.shape[1], call)
    },
    "MeanVarianceNormalization": one { importer, call, x throws(BackplaneError) in
      let axes = call.ints("axes") ?? [0, 2, 3]
      let centred = try importer.apply("sub", x, try importer.reduce("reduce_mean", x, axes, keep: true))
      let variance = try importer.reduce("reduce_mean", try importer.apply("square", centred), axes, keep: true)
      return try importer.apply("div", centred, try importer.scale(try importer.apply("sqrt", variance), 1, 1e-9))
    },
    "BatchNormalization": { importer, call throws(BackplaneError) in
      guard call.int("training_mode", 0) == 0, call.opset >= 9 else { throw .unmapped("BatchNormalization: training") }
      let x = try call.input(0)
      guard x.rank >= 2 else { throw .unmapped("BatchNormalization: no channels") }
      var parts: [ONNXValue] = []
      for i in 1...4 { parts.append(try importer.channel(try call.input(i), x)) }
      let spread = try importer.apply("rsqrt", try importer.scale(parts[3], 1, call.float("epsilon", 1e-5)))
      let scaled = try importer.apply("mul", try importer.apply("sub", x, parts[2]), try importer.apply("mul", spread, parts[0]))
      return list(try importer.apply("add", scaled, parts[1]))
    },
  ]
}

extension ONNXImporter {
  /// NumPy's product: vectors get a dimension of 1, which the result loses again.
  mutating func product(_ a: ONNXValue, _ b: ONNXValue) throws(BackplaneError) -> ONNXValue {
    guard a.rank >= 1, b.rank >= 1 else { throw .unmapped("MatMul: a number") }
    let left = a.rank == 1 ? try reshape(a, [1] + a.shape) : a, right = b.rank == 1 ? try reshape(b, b.shape + [1]) : b
    var y = try apply("matmul", left, right, attributes: [Attribute("transpose_b", .int(0))])
    if a.rank == 1 { y = try reshape(y, y.shape.dropLast(2) + [y.shape[y.rank - 1]]) }
    if b.rank == 1 { y = try reshape(y, Array(y.shape.dropLast())) }
    return y
  }

  /// x - max - log(sum(exp(x - max))): the logarithm of a softmax would lose what is small.
  mutating func logSoftmax(_ x: ONNXValue, axis: Int) throws(BackplaneError) -> ONNXValue {
    let shifted = try apply("sub", x, try reduce("reduce_max", x, [axis], keep: true))
    let sum = try reduce("reduce_sum", try apply("exp", shifted), [axis], keep: true)
    return try apply("sub", shifted, try apply("log", sum))
  }

  /// A scale or zero point as a list: of one, or of one a row.
  fileprivate mutating func listed(_ x: ONNXValue?) throws(BackplaneError) -> ONNXValue? {
    guard let x else { return nil }
    guard x.rank <= 1 || x.count == x.shape.max() else { throw .unmapped("scales of more than one dimension") }
    return try reshape(x, [x.count])
  }

  /// A scale of an axis, as it broadcasts against `x`; a scale of blocks, one for each element.
  fileprivate mutating func along(_ scale: ONNXValue, _ x: ONNXValue, _ call: ONNXCall) throws(BackplaneError) -> ONNXValue {
    let block = call.int("block_size", 0)
    if block > 0, block <= 1 << 16, scale.rank == x.rank, x.rank > 0 {
      let axis = try call.axis(call.int("axis", 1), x.rank)
      let apart = try reshape(scale, Array(scale.shape[...axis]) + [1] + scale.shape[(axis + 1)...])
      var many = apart.shape
      many[axis + 1] = block
      var shape = scale.shape
      shape[axis] *= block
      return try slice(try reshape(try expand(apart, many), shape), axis: axis, 0..<x.shape[axis])
    }
    if scale.rank == 0 || scale.count == 1 { return try reshape(scale, []) }
    let axis = try call.axis(call.int("axis", 1), x.rank)
    guard scale.rank == 1 else { throw .unmapped("\(call.node.op): scales of more than one dimension") }
    return try reshape(scale, [scale.count] + [Int](repeating: 1, count: x.rank - axis - 1))
  }

  /// A value for each channel, as it broadcasts against `x`.
  fileprivate mutating func channel(_ value: ONNXValue, _ x: ONNXValue) throws(BackplaneError) -> ONNXValue {
    try reshape(value, [value.count] + [Int](repeating: 1, count: x.rank - 2))
  }

  /// Rows of each group of channels normalised, then scale and bias of each channel.
  fileprivate mutating func grouped(_ x: ONNXValue, groups: Int, _ call: ONNXCall) throws(BackplaneError) -> ONNXValue {
    guard groups > 0, x.shape[1] % groups == 0 else { throw .unmapped("\(call.node.op): channels are not whole groups") }
    let rows = try reshape(x, [x.shape[0], groups, x.shape.dropFirst().reduce(1, *) / groups])
    let y = try reshape(try apply("layer_norm", rows, attributes: [Attribute("epsilon", .float(call.float("epsilon", 1e-5)))]), x.shape)
    return try apply("add", try apply("mul", y, try channel(try call.input(1), x)), try channel(try call.input(2), x))
  }

  /// LayerNormalization and RMSNormalization: the dimensions from `axis` on are one row.
  fileprivate mutating func normalized(_ call: ONNXCall, centred: Bool) throws(BackplaneError) -> [ONNXValue?] {
    let x = try call.input(0), axis = try call.axis(call.int("axis", -1), x.rank), epsilon = call.float("epsilon", 1e-5)
    let n = x.shape[axis...].reduce(1, *), rows = try reshape(x, Array(x.shape[..<axis]) + [n])
    var operands: [ONNXValue?] = [rows], later: [(String, ONNXValue)] = []
    for (i, op) in [(1, "mul"), (2, "add")] where i == 1 || centred {
      guard let weight = call.optional(i) else { operands.append(nil); continue }
      // Ours has one weight an element of the row, in f32; another broadcast is a node of its own.
      if weight.count == n, weight.type == .float { operands.append(try reshape(weight, [n])) } else {
        operands.append(nil)
        later.append((op, weight))
      }
    }
    if !later.isEmpty, later.count != operands.dropFirst().count || operands.dropFirst().contains(where: { $0 != nil }) {
      // Scale comes before bias: both or none are part of the operator.
      later = [(1, "mul"), (2, "add")].compactMap { i, op in call.optional(i).map { (op, $0) } }
      operands = centred ? [rows, nil, nil] : [rows, nil]
    }
    var y = try reshape(try applyAll(centred ? "layer_norm" : "rms_norm", operands, [Attribute("epsilon", .float(epsilon))])[0], x.shape)
    for (op, weight) in later { y = try apply(op, y, weight) }
    guard centred, call.wants(1) || call.wants(2) else { return [y] }
    let axes = Array(axis..<x.rank), mean = try reduce("reduce_mean", x, axes, keep: true)
    let variance = try reduce("reduce_mean", try apply("square", try apply("sub", x, mean)), axes, keep: true)
    return ONNXRules.list(y, mean, try apply("rsqrt", try scale(variance, 1, epsilon)))
  }
}
