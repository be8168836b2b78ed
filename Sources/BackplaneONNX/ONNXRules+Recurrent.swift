import BackplaneCore

/// Recurrent cells, written out step by step.
extension ONNXRules {
  static let recurrent: [String: Rule] = [
    "LSTM": { importer, call throws(BackplaneError) in
      let x = try call.input(0), w = try call.input(1), r = try call.input(2)
      let hidden = call.int("hidden_size", r.shape.last ?? 0), direction = call.string("direction", "forward")
      guard x.rank == 3, w.rank == 3, r.rank == 3, (1...65536).contains(hidden), w.shape[1] == 4 * hidden, r.shape[1] == 4 * hidden, r.shape[2] == hidden else { throw .unmapped("LSTM: operands that do not fit") }
      guard call.node.attributes["activations"] == nil, call.node.attributes["clip"] == nil, call.int("input_forget", 0) == 0, call.int("layout", 0) == 0, !call.has(4), !call.has(7) else {
        throw .unmapped("LSTM: other than the plain one (activations, clip, input_forget, layout, sequence_lens, peepholes)")
      }
      guard x.shape[0] <= ONNXImporter.mostSteps else { throw .unmapped("LSTM: more than \(ONNXImporter.mostSteps) steps") }
      let ways = direction == "bidirectional" ? [false, true] : [direction == "reverse"]
      guard w.shape[0] == ways.count, x.shape[0] > 0 else { throw .unmapped("LSTM: operands that do not fit") }
      var sequences: [ONNXValue] = [], last: [ONNXValue] = [], cells: [ONNXValue] = []
      for (d, isReverse) in ways.enumerated() {
        let made = try importer.lstm(call, x, direction: d, isReverse: isReverse, hidden)
        sequences.append(made.steps)
        last.append(made.hidden)
        cells.append(made.cell)
      }
      return list(try importer.concat(sequences, axis: 1), try importer.concat(last, axis: 0), try importer.concat(cells, axis: 0))
    },
  ]
}

extension ONNXImporter {
  static let mostSteps = 64

  /// One direction: its hidden states [steps, 1, batch, hidden], and the last one and the last cell [1, batch, hidden].
  fileprivate mutating func lstm(_ call: ONNXCall, _ x: ONNXValue, direction d: Int, isReverse: Bool, _ hidden: Int)
    throws(BackplaneError) -> (steps: ONNXValue, hidden: ONNXValue, cell: ONNXValue)
  {
    let batch = x.shape[1]
    func one(_ importer: inout ONNXImporter, _ i: Int, _ shape: [Int]) throws(BackplaneError) -> ONNXValue? {
      guard let value = call.optional(i) else { return nil }
      return try importer.reshape(try importer.slice(value, axis: 0, d..<d + 1), shape)
    }
    let (w, r) = (try one(&self, 1, [4 * hidden, x.shape[2]])!, try one(&self, 2, [4 * hidden, hidden])!)
    var bias: ONNXValue?
    if let both = try one(&self, 3, [2, 4 * hidden]) { bias = try reshape(try reduce("reduce_sum", both, [0], keep: false), [4 * hidden]) }
    var h = try one(&self, 5, [batch, hidden]), c = try one(&self, 6, [batch, hidden])
    // What comes from the input, for all steps at once.
    let given = try apply("matmul", x, w, bias)
    var steps: [ONNXValue] = []
    for t in isReverse ? Array((0..<x.shape[0]).reversed()) : Array(0..<x.shape[0]) {
      var gates = try reshape(try slice(given, axis: 0, t..<t + 1), [batch, 4 * hidden])
      if let h { gates = try apply("add", gates, try apply("matmul", h, r)) }
      func gate(_ importer: inout ONNXImporter, _ k: Int, _ function: String) throws(BackplaneError) -> ONNXValue {
        try importer.apply(function, try importer.slice(gates, axis: 1, k * hidden..<(k + 1) * hidden))
      }
      // In the order input, output, forget, cell.
      var new = try apply("mul", try gate(&self, 0, "sigmoid"), try gate(&self, 3, "tanh"))
      if let c { new = try apply("add", new, try apply("mul", c, try gate(&self, 2, "sigmoid"))) }
      let out = try apply("mul", try gate(&self, 1, "sigmoid"), try apply("tanh", new))
      (h, c) = (out, new)
      steps.append(try reshape(out, [1, 1, batch, hidden]))
    }
    if isReverse { steps.reverse() }
    return (try concat(steps, axis: 0), try reshape(h!, [1, batch, hidden]), try reshape(c!, [1, batch, hidden]))
  }
}
