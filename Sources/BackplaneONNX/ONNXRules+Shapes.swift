import BackplaneCore

/// Operators that move elements or give them another shape.
extension ONNXRules {
  static let shapes: [String: Rule] = [
    "Reshape": one { importer, call, x throws(BackplaneError) in
      var shape = try call.opset < 5 ? call.ints("shape") ?? [] : call.knownInts(1) ?? []
      if call.int("allowzero", 0) == 0 { for i in shape.indices where shape[i] == 0 && i < x.rank { shape[i] = x.shape[i] } }
      if let free = shape.firstIndex(of: -1) {
        var rest = shape
        rest.remove(at: free)
        try importer.check(rest)
        let others = rest.reduce(1, *)
        shape[free] = others == 0 ? 0 : x.count / others
      }
      return try importer.reshape(x, shape)
    },
    "Flatten": one { importer, call, x throws(BackplaneError) in
      let axis = call.int("axis", 1), k = axis < 0 ? axis + x.rank : axis
      guard (0...x.rank).contains(k) else { throw .unmapped("Flatten: there is no such axis") }
      return try importer.reshape(x, [x.shape.prefix(k).reduce(1, *), x.shape.dropFirst(k).reduce(1, *)])
    },
    "Squeeze": one { importer, call, x throws(BackplaneError) in
      var axes: [Int] = []
      for axis in try (call.opset < 13 ? call.ints("axes") : call.knownInts(1)) ?? x.shape.indices.filter({ x.shape[$0] == 1 }) { axes.append(try call.axis(axis, x.rank)) }
      return try importer.reshape(x, x.shape.indices.filter { !axes.contains($0) }.map { x.shape[$0] })
    },
    "Unsqueeze": one { importer, call, x throws(BackplaneError) in
      let given = try (call.opset < 13 ? call.ints("axes") : call.knownInts(1)) ?? []
      var axes: [Int] = []
      for axis in given { axes.append(try call.axis(axis, x.rank + given.count)) }
      var rest = x.shape[...]
      return try importer.reshape(x, (0..<x.rank + axes.count).map { axes.contains($0) ? 1 : rest.popFirst() ?? 1 })
    },
    "Transpose": one { importer, call, x throws(BackplaneError) in try importer.transpose(x, call.ints("perm") ?? (0..<x.rank).reversed()) },
    "Concat": { importer, call throws(BackplaneError) in
      var parts: [ONNXValue] = []
      for i in call.inputs.indices { parts.append(try call.input(i)) }
      guard let first = parts.first else { throw .unmapped("Concat: nothing to join") }
      return list(try importer.concat(parts, axis: try call.axis(call.int("axis", 1), first.rank)))
    },
    "Split": { importer, call throws(BackplaneError) in
      let x = try call.input(0), axis = try call.axis(call.int("axis", 0), x.rank), n = max(call.node.outputs.count, 1)
      let size = (x.shape[axis] + n - 1) / n
      let equal = (0..<n).map { max(0, min(size, x.shape[axis] - $0 * size)) }
      let sizes = try (call.opset < 13 ? call.ints("split") : call.knownInts(1)) ?? equal
      var (parts, start): ([ONNXValue], Int) = ([], 0)
      for size in sizes {
        guard (0...x.shape[axis] - start).contains(size) else { throw .unmapped("Split: sizes beyond the axis") }
        parts.append(try importer.slice(x, axis: axis, start..<start + size))
        start += size
      }
      return parts
    },
    "Slice": one { importer, call, x throws(BackplaneError) in
      let isOld = call.opset < 10
      let starts = try isOld ? call.ints("starts") ?? [] : call.knownInts(1) ?? []
      let ends = try isOld ? call.ints("ends") ?? [] : call.knownInts(2) ?? []
      let axes = try (isOld ? call.ints("axes") : call.knownInts(3)) ?? Array(starts.indices)
      let steps = try (isOld ? nil : call.knownInts(4)) ?? starts.map { _ in 1 }
      guard starts.count == ends.count, axes.count == starts.count, steps.count == starts.count else { throw .unmapped("Slice: lists of different lengths") }
      var result = x
      for k in axes.indices {
        let axis = try call.axis(axes[k], x.rank), n = x.shape[axis], step = max(steps[k], -n - 1)
        // Ends may be any number: what lies outside means the border.
        func place(_ i: Int, _ range: ClosedRange<Int>) -> Int { min(max(i < 0 ? i < -n ? -n - 1 + n : i + n : i, range.lowerBound), range.upperBound) }
        if step > 0 {
          let start = place(starts[k], 0...n), end = place(ends[k], 0...n)
          result = try importer.slice(result, axis: axis, start..<max(start, end), step: step)
        } else if step < 0 {
          let start = place(starts[k], -1...(n - 1)), end = place(ends[k], -1...(n - 1))
          result = try importer.take(result, axis: axis, Array(stride(from: start, to: end, by: step)))
        } else { throw .unmapped("Slice: a step of 0") }
      }
      return result
    },
    "Expand": one { importer, call, x throws(BackplaneError) in
      let wanted = try call.knownInts(1) ?? [], rank = max(wanted.count, x.rank)
      let own = [Int](repeating: 1, count: rank - x.rank) + x.shape, other = [Int](repeating: 1, count: rank - wanted.count) + wanted
      return try importer.expand(x, zip(own, other).map { $0 == 1 ? $1 : $0 })
    },
    "Tile": one { importer, call, x throws(BackplaneError) in
      guard let repeats = try call.knownInts(1), repeats.count == x.rank else { throw .unmapped("Tile: one number for each dimension is needed") }
      try importer.check(repeats + x.shape)
      // Each dimension gets one before it, which is then expanded.
      let apart = try importer.reshape(x, x.shape.flatMap { [1, $0] })
      let many = try importer.expand(apart, zip(repeats, x.shape).flatMap { [$0, $1] })
      return try importer.reshape(many, zip(repeats, x.shape).map { $0 * $1 })
    },
    "Pad": one { importer, call, x throws(BackplaneError) in try importer.pad(x, call) },
    "CenterCropPad": one { importer, call, x throws(BackplaneError) in
      let wanted = try call.knownInts(1) ?? [], axes = call.ints("axes") ?? Array(wanted.indices)
      guard axes.count == wanted.count else { throw .unmapped("CenterCropPad: one number for each axis is needed") }
      var result = x
      for (given, size) in zip(axes, wanted) {
        let axis = try call.axis(given, x.rank), n = x.shape[axis]
        try importer.checkSmall(size)
        if size < n {
          let start = (n - size) / 2
          result = try importer.slice(result, axis: axis, start..<start + size)
        } else if size > n {
          let before = (size - n) / 2
          result = try importer.pad(result, axis: axis, before: before, after: size - n - before, 0)
        }
      }
      return result
    },
    "Trilu": one { importer, call, x throws(BackplaneError) in
      guard x.rank >= 2 else { throw .unmapped("Trilu: a matrix is needed") }
      let k = ONNXTensor.whole(try call.knownNumber(1) ?? 0), upper = call.int("upper", 1) != 0, shape = Array(x.shape.suffix(2))
      try importer.checkSmall(shape.reduce(1, *))
      let mask = (0..<shape[0]).flatMap { row in (0..<shape[1]).map { column in (upper ? column - row >= k : column - row <= k) ? 1.0 : 0.0 } }
      return try importer.apply("where", try importer.constant(mask, .bool, shape), x, try importer.scalar(0, like: x))
    },
    "DepthToSpace": one { importer, call, x throws(BackplaneError) in
      let b = call.int("blocksize", 1)
      guard x.rank == 4, (1...1024).contains(b), x.shape[1] % (b * b) == 0 else { throw .unmapped("DepthToSpace: channels are not whole blocks") }
      let (n, c, h, w) = (x.shape[0], x.shape[1] / (b * b), x.shape[2], x.shape[3])
      let isDepthFirst = call.string("mode", "DCR") == "DCR"
      let apart = try importer.reshape(x, isDepthFirst ? [n, b, b, c, h, w] : [n, c, b, b, h, w])
      return try importer.reshape(try importer.transpose(apart, isDepthFirst ? [0, 3, 4, 1, 5, 2] : [0, 1, 4, 2, 5, 3]), [n, c, h * b, w * b])
    },
    "SpaceToDepth": one { importer, call, x throws(BackplaneError) in
      let b = call.int("blocksize", 1)
      guard x.rank == 4, (1...1024).contains(b), x.shape[2] % b == 0, x.shape[3] % b == 0 else { throw .unmapped("SpaceToDepth: the picture is not whole blocks") }
      let (n, c, h, w) = (x.shape[0], x.shape[1], x.shape[2] / b, x.shape[3] / b)
      let apart = try importer.transpose(try importer.reshape(x, [n, c, h, b, w, b]), [0, 3, 5, 1, 2, 4])
      return try importer.reshape(apart, [n, b * b * c, h, w])
    },
    "Compress": one { importer, call, x throws(BackplaneError) in
      let kept = (try call.knownInts(1) ?? []).enumerated().filter { $0.element != 0 }.map(\.offset)
      let hasAxis = call.node.attributes["axis"] != nil
      let flat = hasAxis ? x : try importer.reshape(x, [x.count])
      return try importer.take(flat, axis: hasAxis ? try call.axis(call.int("axis", 0), x.rank) : 0, kept)
    },
  ]
}

extension ONNXImporter {
  fileprivate mutating func pad(_ x: ONNXValue, axis: Int, before: Int, after: Int, _ value: Double) throws(BackplaneError) -> ONNXValue {
    func list(_ n: Int) -> [Int] { (0..<x.rank).map { $0 == axis ? n : 0 } }
    return try apply("pad", x, attributes: [Attribute("before", .ints(list(before))), Attribute("after", .ints(list(after))), Attribute("value", .float(value))])
  }

  fileprivate mutating func pad(_ x: ONNXValue, _ call: ONNXCall) throws(BackplaneError) -> ONNXValue {
    let pads = try call.opset < 11 ? call.ints("pads") ?? [] : call.knownInts(1) ?? []
    let value = try call.opset < 11 ? call.float("value", 0) : call.knownNumber(2) ?? 0
    let axes = try call.knownInts(3) ?? Array(0..<x.rank), mode = call.string("mode", "constant")
    guard pads.count == 2 * axes.count else { throw .unmapped("Pad: two numbers for each axis are needed") }
    for pad in pads { try checkSmall(pad == .min ? pad : abs(pad)) }
    var result = x
    for (k, given) in axes.enumerated() {
      let axis = try call.axis(given, x.rank), n = x.shape[axis], (before, after) = (pads[k], pads[k + axes.count])
      if mode == "constant" {
        let kept = max(0, -before)..<max(max(0, -before), n - max(0, -after))
        result = try slice(result, axis: axis, kept)
        if before > 0 || after > 0 { result = try pad(result, axis: axis, before: max(before, 0), after: max(after, 0), value) }
      } else {
        guard n > 0, ["edge", "reflect", "wrap"].contains(mode) else { throw .unmapped("Pad: mode \(mode)") }
        result = try take(result, axis: axis, (-before..<max(-before, n + after)).map { i in
          if mode == "edge" { return min(max(i, 0), n - 1) }
          if mode == "wrap" { return ((i % n) + n) % n }
          let period = max(2 * n - 2, 1), j = ((i % period) + period) % period
          return j < n ? j : period - j
        })
      }
    }
    return result
  }
}
