import BackplaneCore

/// Losses: what a class's probability costs, by a table lookup.
extension ONNXRules {
  static let losses: [String: Rule] = [
    "NegativeLogLikelihoodLoss": one { importer, call, x throws(BackplaneError) in try importer.likelihoodLoss(x, call) },
    "SoftmaxCrossEntropyLoss": { importer, call throws(BackplaneError) in
      let x = try call.input(0)
      guard x.rank >= 2 else { throw .unmapped("SoftmaxCrossEntropyLoss: no classes") }
      let probabilities = try importer.logSoftmax(x, axis: 1)
      return list(try importer.likelihoodLoss(probabilities, call), probabilities)
    },
  ]
}

extension ONNXImporter {
  /// -weight[target] x[n, target, …], its sum, or its mean by weight. Targets to ignore have weight 0.
  fileprivate mutating func likelihoodLoss(_ x: ONNXValue, _ call: ONNXCall) throws(BackplaneError) -> ONNXValue {
    guard x.rank >= 2 else { throw .unmapped("\(call.node.op): no classes") }
    let target = try cast(try call.input(1), .int32), classes = x.shape[1]
    guard target.shape == [x.shape[0]] + x.shape[2...], x.type == .float else { throw .unmapped("\(call.node.op): targets of another shape") }
    var kept: ONNXValue?, index = target
    if case .int(let ignored)? = call.node.attributes["ignore_index"] {
      let isIgnored = try compare("equal", target, try constant([Double(ignored)], .int32, []))
      kept = try apply("where", isIgnored, try constant([0], .float, []), try constant([1], .float, []))
      index = try apply("where", isIgnored, try constant([0], .int32, []), target)
    }
    let column = try reshape(index, [x.shape[0], 1] + x.shape[2...])
    var cost = try apply("neg", try reshape(try element(of: x, at: column, axis: 1), target.shape)), share = kept
    if let weight = call.optional(2) {
      guard weight.shape == [classes] else { throw .unmapped("\(call.node.op): weights of another shape") }
      let own = try gather(weight, axis: 0, index)
      share = kept == nil ? own : try apply("mul", own, kept!)
    }
    if let share { cost = try apply("mul", cost, share) }
    let all = Array(0..<cost.rank)
    switch call.string("reduction", "mean") {
    case "none": return cost
    case "sum": return try reduce("reduce_sum", cost, all, keep: false)
    default:
      guard let share else { return try reduce("reduce_mean", cost, all, keep: false) }
      return try apply("div", try reduce("reduce_sum", cost, all, keep: false), try reduce("reduce_sum", share, all, keep: false))
    }
  }
}
