import BackplaneCore

/// Operators that sum, choose or order along dimensions.
extension ONNXRules {
  /// A reduction: `before` each element, our operator, `after` the result.
  private static func reduction(_ op: String, attributeBefore version: Int, before: String? = nil, after: String? = nil) -> Rule {
    one { importer, call, x throws(BackplaneError) in
      let given = try call.opset < version ? call.ints("axes") : call.knownInts(1)
      if (given ?? []).isEmpty, call.int("noop_with_empty_axes", 0) != 0 {
        // Nothing is reduced; what belongs to each element is still done.
        let prepared = before == nil ? x : try importer.apply(before!, x)
        let made = op == "reduce_l2" ? try importer.apply("abs", x) : prepared
        return after == nil ? made : try importer.apply(after!, made)
      }
      var axes: [Int] = []
      for axis in given ?? [] { axes.append(try call.axis(axis, x.rank)) }
      if axes.isEmpty { axes = Array(0..<x.rank) }
      let numbers = x.type == .bool ? try importer.cast(x, .float) : x
      let prepared = before == nil ? numbers : try importer.apply(before!, numbers)
      let reduced = try importer.reduce(op, prepared, axes.sorted(), keep: call.int("keepdims", 1) != 0)
      let made = after == nil ? reduced : try importer.apply(after!, reduced)
      return x.type == .bool ? try importer.cast(made, .bool) : made
    }
  }

  static let reductions: [String: Rule] = [
    "ReduceSum": reduction("reduce_sum", attributeBefore: 13), "ReduceMean": reduction("reduce_mean", attributeBefore: 18),
    "ReduceMax": reduction("reduce_max", attributeBefore: 18), "ReduceMin": reduction("reduce_min", attributeBefore: 18),
    "ReduceProd": reduction("reduce_prod", attributeBefore: 18), "ReduceL2": reduction("reduce_l2", attributeBefore: 18),
    "ReduceL1": reduction("reduce_sum", attributeBefore: 18, before: "abs"),
    "ReduceSumSquare": reduction("reduce_sum", attributeBefore: 18, before: "square"),
    "ReduceLogSum": reduction("reduce_sum", attributeBefore: 18, after: "log"),
    "ReduceLogSumExp": one { importer, call, x throws(BackplaneError) in
      // The maximum is taken out, so that no exponential overflows.
      let given = try call.opset < 18 ? call.ints("axes") : call.knownInts(1)
      if (given ?? []).isEmpty, call.int("noop_with_empty_axes", 0) != 0 { return x }
      var axes: [Int] = []
      for axis in given ?? [] { axes.append(try call.axis(axis, x.rank)) }
      if axes.isEmpty { axes = Array(0..<x.rank) }
      let most = try importer.reduce("reduce_max", x, axes, keep: true)
      let sum = try importer.reduce("reduce_sum", try importer.apply("exp", try importer.apply("sub", x, most)), axes, keep: true)
      let y = try importer.apply("add", try importer.apply("log", sum), most)
      return call.int("keepdims", 1) != 0 ? y : try importer.reshape(y, x.shape.indices.filter { !axes.contains($0) }.map { x.shape[$0] })
    },
    "GlobalAveragePool": one { importer, _, x throws(BackplaneError) in try importer.reduce("reduce_mean", x, Array(2..<max(x.rank, 2)), keep: true) },
    "GlobalMaxPool": one { importer, _, x throws(BackplaneError) in try importer.reduce("reduce_max", x, Array(2..<max(x.rank, 2)), keep: true) },
    "ArgMax": one { importer, call, x throws(BackplaneError) in try importer.best(x, call) },
    "ArgMin": one { importer, call, x throws(BackplaneError) in try importer.best(try importer.apply("neg", x), call) },
    "TopK": { importer, call throws(BackplaneError) in
      let x = try call.input(0), axis = try call.axis(call.int("axis", -1), x.rank)
      guard let k = try call.opset < 10 ? call.int("k", 1) : call.knownInts(1)?.first else { throw .unmapped("TopK: k must be known") }
      var order = Array(0..<x.rank)
      order.swapAt(axis, x.rank - 1)
      let turned = try importer.transpose(x, order)
      let made = try importer.applyAll("topk", [turned], [Attribute("k", .int(k)), Attribute("largest", .int(call.int("largest", 1)))])
      return list(try importer.transpose(made[0], order), try importer.cast(try importer.transpose(made[1], order), .int64))
    },
    "CumSum": one { importer, call, x throws(BackplaneError) in
      guard let axis = try call.knownInts(1)?.first else { throw .unmapped("CumSum: the axis must be known") }
      return try importer.apply("cumsum", x, attributes: [
        Attribute("axis", .int(axis)), Attribute("exclusive", .int(call.int("exclusive", 0))), Attribute("reverse", .int(call.int("reverse", 0))),
      ])
    },
    "LpNormalization": one { importer, call, x throws(BackplaneError) in
      let axis = try call.axis(call.int("axis", -1), x.rank), p = call.int("p", 2)
      let length = p == 1 ? try importer.reduce("reduce_sum", try importer.apply("abs", x), [axis], keep: true) : try importer.reduce("reduce_l2", x, [axis], keep: true)
      guard p == 1 || p == 2 else { throw .unmapped("LpNormalization: p is neither 1 nor 2") }
      // A row of zeros stays zeros.
      let one = try importer.scalar(1, like: x), zero = try importer.scalar(0, like: x)
      return try importer.apply("div", x, try importer.apply("where", try importer.apply("equal", length, zero), one, length))
    },
  ]
}

extension ONNXImporter {
  /// The index of the largest element along an axis, the first or the last of equals.
  fileprivate mutating func best(_ x: ONNXValue, _ call: ONNXCall) throws(BackplaneError) -> ONNXValue {
    let axis = try call.axis(call.int("axis", 0), x.rank), isLast = call.int("select_last_index", 0) != 0
    let turned = isLast ? try take(x, axis: axis, (0..<x.shape[axis]).reversed()) : x
    let order = (0..<x.rank).filter { $0 != axis } + [axis]
    var index = try apply("argmax", try transpose(turned, order))
    if isLast { index = try apply("sub", try constant([Double(x.shape[axis] - 1)], .int32, []), index) }
    var shape = x.shape
    if call.int("keepdims", 1) != 0 { shape[axis] = 1 } else { shape.remove(at: axis) }
    return try cast(try reshape(index, shape), .int64)
  }
}
