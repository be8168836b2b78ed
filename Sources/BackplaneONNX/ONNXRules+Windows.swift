import BackplaneCore

/// Convolutions and pools: windows are slices with steps, put side by side for a product of matrices, or added or compared one after the other.
extension ONNXRules {
  static let windows: [String: Rule] = [
    "Conv": { importer, call throws(BackplaneError) in
      // Sums of products of 16 bits are rounded once, at the end.
      let type = try call.input(0).type, x = try importer.singles(try call.input(0)), w = try importer.singles(try call.input(1))
      let groups = call.int("group", 1)
      guard x.rank >= 3, w.rank == x.rank, (1...4096).contains(groups), x.shape[1] % groups == 0, x.shape[1] / groups == w.shape[1], w.shape[0] % groups == 0 else { throw .unmapped("Conv: operands that do not fit") }
      let windows = try ONNXWindows(call, Array(x.shape.dropFirst(2)), kernel: Array(w.shape.dropFirst(2)))
      let padded = try importer.padded(x, windows, 0)
      let y: ONNXValue
      if groups > 1, groups == x.shape[1], groups == w.shape[0] {
        y = try importer.convolvedByChannel(padded, w, windows)
      } else {
        var parts: [ONNXValue] = []
        let (channels, filters) = (w.shape[1], w.shape[0] / groups)
        for g in 0..<groups {
          parts.append(try importer.convolved(try importer.slice(padded, axis: 1, g * channels..<(g + 1) * channels), try importer.slice(w, axis: 0, g * filters..<(g + 1) * filters), windows))
        }
        y = try importer.concat(parts, axis: 1)
      }
      guard let bias = call.optional(2) else { return list(try importer.cast(y, type)) }
      return list(try importer.cast(try importer.apply("add", y, try importer.reshape(try importer.singles(bias), [bias.count] + windows.kernel.map { _ in 1 })), type))
    },
    "MaxPool": one { importer, call, x throws(BackplaneError) in
      let windows = try importer.pool(call, x)
      // Every window has an element that is no padding.
      var best: ONNXValue?
      try importer.forEachWindowPlace(try importer.padded(x, windows, -Double(Float.greatestFiniteMagnitude)), windows) { importer, piece, _ throws(BackplaneError) in
        if let known = best { best = try importer.apply("max", known, piece) } else { best = piece }
      }
      return best!
    },
    "AveragePool": one { importer, call, given throws(BackplaneError) in
      let x = try importer.singles(given)
      let windows = try importer.pool(call, x)
      var sum: ONNXValue?
      try importer.forEachWindowPlace(try importer.padded(x, windows, 0), windows) { importer, piece, _ throws(BackplaneError) in
        if let known = sum { sum = try importer.apply("add", known, piece) } else { sum = piece }
      }
      let shares = windows.counts(includingPadding: call.int("count_include_pad", 0) != 0).map { 1 / $0 }
      if Set(shares).count == 1 { return try importer.cast(try importer.scale(sum!, shares[0]), given.type) }
      return try importer.cast(try importer.apply("mul", sum!, try importer.constant(shares, x.type, windows.output)), given.type)
    },
  ]
}

/// Where the windows of a convolution or a pool lie.
struct ONNXWindows {
  let input, kernel, strides, dilations: [Int]
  var before, after: [Int]
  let output: [Int]
  /// Of `after`, what lies beyond the padding that the node asks for: a last window may reach there.
  private var beyond: [Int]

  init(_ call: ONNXCall, _ input: [Int], kernel: [Int]) throws(BackplaneError) {
    let n = input.count, op = call.node.op
    func numbers(_ name: String, _ count: Int, _ standard: Int) throws(BackplaneError) -> [Int] {
      let given = call.ints(name) ?? Array(repeating: standard, count: count)
      guard given.count == count, given.allSatisfy({ (0...ONNXFolding.largest).contains($0) }) else { throw .unmapped("\(op): \(name) that are none", "\(given)") }
      return given
    }
    let (strides, dilations, pads) = (try numbers("strides", n, 1), try numbers("dilations", n, 1), try numbers("pads", 2 * n, 0))
    guard kernel.count == n, kernel.allSatisfy({ (1...1024).contains($0) }), strides.allSatisfy({ $0 > 0 }), dilations.allSatisfy({ $0 > 0 }) else {
      throw .unmapped("\(op): a kernel that is none", "\(kernel)")
    }
    guard input.allSatisfy({ (0...ONNXFolding.largest).contains($0) }) else { throw .unmapped("\(op): a dimension of more than \(ONNXFolding.largest)") }
    guard kernel.reduce(1.0, { $0 * Double($1) }) <= 1024 else { throw .unmapped("\(op): a window of more than 1024 elements") }
    var (before, after) = (Array(pads[..<n]), Array(pads[n...]))
    let automatic = call.string("auto_pad", "NOTSET"), roundsUp = call.int("ceil_mode", 0) != 0
    var output: [Int] = [], beyond = [Int](repeating: 0, count: n)
    for d in 0..<n {
      let reach = dilations[d] * (kernel[d] - 1) + 1
      switch automatic {
      case "NOTSET": break
      case "VALID": (before[d], after[d]) = (0, 0)
      case "SAME_UPPER", "SAME_LOWER":
        let total = max(0, ((input[d] + strides[d] - 1) / strides[d] - 1) * strides[d] + reach - input[d])
        before[d] = automatic == "SAME_UPPER" ? total / 2 : total - total / 2
        after[d] = total - before[d]
      default: throw .unmapped("\(op): auto_pad \(automatic)")
      }
      let room = input[d] + before[d] + after[d] - reach
      guard room >= 0 else { throw .unmapped("\(op): a window larger than what it lies on") }
      var count = room / strides[d] + 1
      if roundsUp, room % strides[d] != 0, count * strides[d] < input[d] + before[d] {
        beyond[d] = count * strides[d] + reach - (input[d] + before[d] + after[d])
        after[d] += beyond[d]
        count += 1
      }
      output.append(count)
      guard output.reduce(1.0, { $0 * Double($1) }) <= Double(ONNXFolding.largest) else { throw .unmapped("\(op): too many windows") }
    }
    (self.input, self.kernel, self.strides, self.dilations, self.before, self.after, self.output, self.beyond) = (input, kernel, strides, dilations, before, after, output, beyond)
  }

  /// How many elements each window has, row-major.
  func counts(includingPadding: Bool) -> [Double] {
    var counts = [1.0]
    for d in output.indices {
      let valid = includingPadding ? 0..<input[d] + before[d] + after[d] - beyond[d] : before[d]..<before[d] + input[d]
      let along = (0..<output[d]).map { o in Double((0..<kernel[d]).count { valid.contains(o * strides[d] + $0 * dilations[d]) }) }
      counts = counts.flatMap { count in along.map { count * $0 } }
    }
    return counts
  }
}

extension ONNXImporter {
  /// Numbers of 16 bits as f32, others as they are.
  fileprivate mutating func singles(_ x: ONNXValue) throws(BackplaneError) -> ONNXValue {
    x.type.format.map { [.f16, .bf16].contains($0) } == true ? try cast(x, .float) : x
  }

  fileprivate func pool(_ call: ONNXCall, _ x: ONNXValue) throws(BackplaneError) -> ONNXWindows {
    guard x.rank >= 3, let kernel = call.ints("kernel_shape") else { throw .unmapped("\(call.node.op): no kernel_shape") }
    return try ONNXWindows(call, Array(x.shape.dropFirst(2)), kernel: kernel)
  }

  fileprivate mutating func padded(_ x: ONNXValue, _ windows: ONNXWindows, _ value: Double) throws(BackplaneError) -> ONNXValue {
    if (windows.before + windows.after).allSatisfy({ $0 == 0 }) { return x }
    return try apply("pad", x, attributes: [Attribute("before", .ints([0, 0] + windows.before)), Attribute("after", .ints([0, 0] + windows.after)), Attribute("value", .float(value))])
  }

  /// The elements that all windows have at one place of the kernel, place after place, row-major; the first dimensions of `x` are batch and channels.
  fileprivate mutating func forEachWindowPlace(_ x: ONNXValue, _ windows: ONNXWindows, firstAxis: Int = 2,
                                               _ body: (inout ONNXImporter, ONNXValue, [Int]) throws(BackplaneError) -> Void) throws(BackplaneError) {
    func walk(_ importer: inout ONNXImporter, _ part: ONNXValue, _ place: [Int]) throws(BackplaneError) {
      let d = place.count
      if d == windows.kernel.count { return try body(&importer, part, place) }
      for k in 0..<windows.kernel[d] {
        let start = k * windows.dilations[d]
        let piece = try importer.slice(part, axis: firstAxis + d, start..<start + (windows.output[d] - 1) * windows.strides[d] + 1, step: windows.strides[d])
        try walk(&importer, piece, place + [k])
      }
    }
    try walk(&self, x, [])
  }

  /// One product of matrices: a row for each window, a column for each filter.
  fileprivate mutating func convolved(_ x: ONNXValue, _ w: ONNXValue, _ windows: ONNXWindows) throws(BackplaneError) -> ONNXValue {
    let n = windows.kernel.count
    let spatial = Array(2..<2 + n)
    var pieces: [ONNXValue] = []
    try forEachWindowPlace(try transpose(x, [0] + spatial + [1]), windows, firstAxis: 1) { _, piece, _ throws(BackplaneError) in pieces.append(piece) }
    let columns = windows.kernel.reduce(w.shape[1], *)
    let rows = try reshape(try concat(pieces, axis: 1 + n), [windows.output.reduce(x.shape[0], *), columns])
    let filters = try reshape(try transpose(w, [0] + spatial + [1]), [w.shape[0], columns])
    let y = try reshape(try apply("matmul", rows, filters), [x.shape[0]] + windows.output + [w.shape[0]])
    return try transpose(y, [0, n + 1] + Array(1...n))
  }

  /// Each channel by its own filter.
  fileprivate mutating func convolvedByChannel(_ x: ONNXValue, _ w: ONNXValue, _ windows: ONNXWindows) throws(BackplaneError) -> ONNXValue {
    let places = windows.kernel.reduce(1, *)
    let filters = try transpose(try reshape(w, [w.shape[0], places]), [1, 0])  // a row for each place
    var sum: ONNXValue?
    var index = 0
    try forEachWindowPlace(x, windows) { importer, piece, _ throws(BackplaneError) in
      let factor = try importer.reshape(try importer.slice(filters, axis: 0, index..<index + 1), [w.shape[0]] + windows.kernel.map { _ in 1 })
      let product = try importer.apply("mul", piece, factor)
      if let known = sum { sum = try importer.apply("add", known, product) } else { sum = product }
      index += 1
    }
    return sum!
  }
}
