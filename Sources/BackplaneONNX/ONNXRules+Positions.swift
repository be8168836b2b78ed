import BackplaneCore

/// Operators that look up, write at, or turn by positions.
extension ONNXRules {
  static let positions: [String: Rule] = [
    "Gather": one { importer, call, x throws(BackplaneError) in
      let axis = try call.axis(call.int("axis", 0), x.rank)
      return try importer.gather(x, axis: axis, try importer.inside(try call.input(1), x.shape[axis]))
    },
    "GatherElements": one { importer, call, x throws(BackplaneError) in
      let axis = try call.axis(call.int("axis", 0), x.rank), indices = try call.input(1)
      return try importer.element(of: x, at: indices, axis: axis)
    },
    "GatherND": one { importer, call, x throws(BackplaneError) in
      let indices = try call.input(1)
      guard call.int("batch_dims", 0) == 0, let depth = indices.shape.last, depth <= x.rank, depth > 0 else { throw .unmapped("GatherND: batch dimensions") }
      // One number from `depth` of them, in the table of what they choose.
      var flat: ONNXValue?
      for k in 0..<depth {
        let part = try importer.slice(indices, axis: indices.rank - 1, k..<k + 1)
        let step = x.shape[(k + 1)..<depth].reduce(1, *)
        let scaled = try importer.apply("mul", try importer.inside(part, x.shape[k], always: true), try importer.constant([Double(step)], .int32, []))
        flat = flat == nil ? scaled : try importer.apply("add", flat!, scaled)
      }
      let rest = Array(x.shape[depth...])
      let table = try importer.reshape(x, [x.shape[..<depth].reduce(1, *)] + rest)
      return try importer.gather(table, axis: 0, try importer.reshape(flat!, Array(indices.shape.dropLast())))
    },
    "TensorScatter": one { importer, call, cache throws(BackplaneError) in
      let update = try call.input(1), axis = try call.axis(call.int("axis", -2), cache.rank)
      guard axis >= 1, update.rank == cache.rank, cache.shape[0] <= 4096 else { throw .unmapped("TensorScatter: the first dimension") }
      // A sequence at a time: its axis first, then rows at a run of positions.
      let order = [axis - 1] + (0..<cache.rank - 1).filter { $0 != axis - 1 }
      let back = (0..<order.count).map { order.firstIndex(of: $0)! }
      let rows = Array(update.shape.dropFirst())[axis - 1]
      var parts: [ONNXValue] = []
      for b in 0..<cache.shape[0] {
        func sequence(_ importer: inout ONNXImporter, _ x: ONNXValue) throws(BackplaneError) -> ONNXValue {
          try importer.transpose(try importer.reshape(try importer.slice(x, axis: 0, b..<b + 1), Array(x.shape.dropFirst())), order)
        }
        var places = try importer.constant((0..<rows).map(Double.init), .int32, [rows])
        if let starts = call.optional(2) { places = try importer.apply("add", places, try importer.cast(try importer.slice(starts, axis: 0, b..<b + 1), .int32)) }
        let made = try importer.apply("tensor_scatter", try sequence(&importer, cache), try sequence(&importer, update), places,
                                      attributes: [Attribute("mode", .string(call.string("mode", "linear")))])
        parts.append(try importer.reshape(try importer.transpose(made, back), [1] + cache.shape.dropFirst()))
      }
      return try importer.concat(parts, axis: 0)
    },
    "OneHot": { importer, call throws(BackplaneError) in
      guard let depth = try call.knownInts(1)?.first, let values = call.optional(2), values.shape == [2] else { throw .unmapped("OneHot: the depth must be known") }
      try importer.checkSmall(depth)
      let indices = try importer.inside(try importer.cast(try call.input(0), .int32), depth, always: true)
      let axis = try call.axis(call.int("axis", -1), indices.rank + 1)
      let hits = try importer.hits(indices, depth, axis: axis)
      return ONNXRules.list(try importer.apply("where", hits, try importer.slice(values, axis: 0, 1..<2), try importer.slice(values, axis: 0, 0..<1)))
    },
    "Hardmax": one { importer, call, x throws(BackplaneError) in
      guard call.opset >= 13 else { throw .unmapped("Hardmax: before version 13") }
      let axis = try call.axis(call.int("axis", -1), x.rank)
      let best = try importer.apply("argmax", try importer.transpose(x, (0..<x.rank).filter { $0 != axis } + [axis]))
      return try importer.cast(try importer.hits(best, x.shape[axis], axis: axis), x.type)
    },
    "RotaryEmbedding": one { importer, call, x throws(BackplaneError) in try importer.rotated(x, call) },
    "Attention": { importer, call throws(BackplaneError) in try importer.attention(call) },
  ]
}

extension ONNXImporter {
  /// Indices from 0 on: ONNX counts negative ones from the end. Known ones are looked at, others are computed.
  fileprivate mutating func inside(_ indices: ONNXValue, _ count: Int, always: Bool = false) throws(BackplaneError) -> ONNXValue {
    if let known = indices.known, !always, !known.numbers.contains(where: { $0 < 0 }) { return indices }
    let narrow = try cast(indices, .int32)
    let below = try apply("less", narrow, try constant([0], .int32, []))
    return try apply("where", below, try apply("add", narrow, try constant([Double(count)], .int32, [])), narrow)
  }

  /// Where along a new dimension of `count` the index is.
  fileprivate mutating func hits(_ indices: ONNXValue, _ count: Int, axis: Int) throws(BackplaneError) -> ONNXValue {
    try checkSmall(count)
    let places = try constant((0..<count).map(Double.init), .int32, [count] + [Int](repeating: 1, count: indices.rank - axis))
    return try apply("equal", try reshape(indices, Array(indices.shape[..<axis]) + [1] + indices.shape[axis...]), places)
  }

  /// x[…, indices[…], …]: the number of each element in the flat tensor, which is a table of rows of 1.
  mutating func element(of x: ONNXValue, at indices: ONNXValue, axis: Int) throws(BackplaneError) -> ONNXValue {
    guard indices.rank == x.rank, let format = x.type.format, [.f32, .f16, .bf16].contains(format) else { throw .unmapped("GatherElements: no gather for \(x.type)") }
    try checkSmall(indices.count)
    func step(_ d: Int) -> Int { x.shape[(d + 1)...].reduce(1, *) }
    let others = (0..<indices.count).map { i in
      var (rest, sum) = (i, 0)
      for d in (0..<x.rank).reversed() {
        if d != axis { sum += rest % indices.shape[d] * step(d) }
        rest /= indices.shape[d]
      }
      return Double(sum)
    }
    let scaled = try apply("mul", try inside(indices, x.shape[axis], always: true), try constant([Double(step(axis))], .int32, []))
    let flat = try apply("add", scaled, try constant(others, .int32, indices.shape))
    let rows = try apply("gather", try reshape(x, [x.count, 1]), flat, attributes: [Attribute("to", .string(format.name))])
    return try reshape(rows, indices.shape)
  }

  /// ONNX gives tables of cosines and sines, which need not be those of frequencies: said in products.
  fileprivate mutating func rotated(_ given: ONNXValue, _ call: ONNXCall) throws(BackplaneError) -> ONNXValue {
    let heads = call.int("num_heads", 0)
    // [batch, heads, tokens, head]
    var x = given
    if given.rank == 3 {
      guard heads > 0, given.shape[2] % heads == 0 else { throw .unmapped("RotaryEmbedding: the number of heads is missing") }
      x = try transpose(try reshape(given, [given.shape[0], given.shape[1], heads, given.shape[2] / heads]), [0, 2, 1, 3])
    }
    guard x.rank == 4 else { throw .unmapped("RotaryEmbedding: an operand of rank \(x.rank)") }
    let width = x.shape[3], turned = call.int("rotary_embedding_dim", 0) == 0 ? width : call.int("rotary_embedding_dim", 0), half = turned / 2
    guard (0...width).contains(turned) else { throw .unmapped("RotaryEmbedding: more is turned than there is") }
    var tables: [ONNXValue] = []
    for i in [1, 2] {
      var table = try call.input(i)
      if table.rank > 0, let positions = call.optional(3) { table = try gather(table, axis: 0, try inside(positions, table.shape[0])) }
      guard table.rank == 3, table.shape[2] == half else { throw .unmapped("RotaryEmbedding: tables of another width") }
      tables.append(try reshape(table, [table.shape[0], 1, table.shape[1], half]))
    }
    let isInterleaved = call.int("interleaved", 0) != 0
    let rotating = try slice(x, axis: 3, 0..<turned)
    let a = isInterleaved ? try slice(rotating, axis: 3, 0..<turned, step: 2) : try slice(rotating, axis: 3, 0..<half)
    let b = isInterleaved ? try slice(rotating, axis: 3, 1..<turned, step: 2) : try slice(rotating, axis: 3, half..<turned)
    let real = try apply("sub", try apply("mul", a, tables[0]), try apply("mul", b, tables[1]))
    let imaginary = try apply("add", try apply("mul", a, tables[1]), try apply("mul", b, tables[0]))
    var y: ONNXValue
    if isInterleaved {
      let first = try reshape(real, real.shape + [1]), second = try reshape(imaginary, real.shape + [1])
      let pairs = try concat([first, second], axis: 4)
      y = try reshape(pairs, rotating.shape)
    } else {
      y = try concat([real, imaginary], axis: 3)
    }
    if turned < width {
      let rest = try slice(x, axis: 3, turned..<width)
      y = try concat([y, rest], axis: 3)
    }
    return given.rank == 3 ? try reshape(try transpose(y, [0, 2, 1, 3]), given.shape) : y
  }

  // MARK: Attention

  /// Ours has tokens before heads, and one mask for all heads: heads and sequences with masks of their own are nodes of their own.
  fileprivate mutating func attention(_ call: ONNXCall) throws(BackplaneError) -> [ONNXValue?] {
    let given = try call.input(0)
    func split(_ importer: inout ONNXImporter, _ x: ONNXValue, _ heads: String) throws(BackplaneError) -> ONNXValue {
      if x.rank == 4 { return x }
      let n = call.int(heads, 0)
      guard x.rank == 3, n > 0, x.shape[2] % n == 0 else { throw .unmapped("Attention: the number of heads is missing") }
      return try importer.transpose(try importer.reshape(x, [x.shape[0], x.shape[1], n, x.shape[2] / n]), [0, 2, 1, 3])
    }
    // [batch, heads, tokens, head]
    let q = try split(&self, given, "q_num_heads")
    var k = try split(&self, try call.input(1), "kv_num_heads"), v = try split(&self, try call.input(2), "kv_num_heads")
    for i in [4, 5] where call.optional(i).map({ $0.rank != 4 }) == true { throw .unmapped("Attention: a past of another rank") }
    let past = call.optional(4)?.shape[2] ?? 0
    if let earlier = call.optional(4) { k = try concat([earlier, k], axis: 2) }
    if let earlier = call.optional(5) { v = try concat([earlier, v], axis: 2) }
    let (batches, heads, tokens, keys) = (q.shape[0], q.shape[1], q.shape[2], k.shape[2]), group = heads / max(k.shape[1], 1)
    guard batches <= 4096, heads <= 4096, tokens > 0 else { throw .unmapped("Attention: too many sequences or heads, or no tokens") }
    guard group > 0, heads % max(k.shape[1], 1) == 0 else { throw .unmapped("Attention: key heads do not divide query heads") }
    guard ![ONNXDataType.float16, .bfloat16].contains(q.type) || call.int("softmax_precision", 1) == 1 else { throw .unmapped("Attention: a softmax in 16 bits") }
    let scale = call.float("scale", 1 / Double(q.shape[3]).squareRoot()), cap = call.float("softcap", 0)
    var mask = try mask(call, keys: keys)
    if let lengths = call.optional(6) { mask = try joined(mask, try limit(lengths, batches, tokens, keys)) }
    var isCausal = call.int("is_causal", 0) != 0
    if isCausal, keys - tokens != past || call.wants(3) {
      try checkSmall(tokens * keys)
      // Query i sees keys up to i + past; ours counts from the last key.
      let seen = (0..<tokens).flatMap { i in (0..<keys).map { $0 <= i + past ? 1.0 : 0.0 } }
      mask = try joined(mask, try constant(seen, .bool, [1, 1, tokens, keys]))
      isCausal = false
    }
    let attributes = [Attribute("scale", .float(scale)), Attribute("causal", .int(isCausal ? 1 : 0)), Attribute("softcap", .float(cap))]
    func tokensFirst(_ importer: inout ONNXImporter, _ x: ONNXValue, _ b: Int?, _ h: Range<Int>) throws(BackplaneError) -> ONNXValue {
      let one = b == nil ? x : try importer.slice(x, axis: 0, b!..<b! + 1)
      return try importer.transpose(try importer.slice(one, axis: 1, h), [0, 2, 1, 3])
    }
    /// Sequence `b`, or all; heads `h`, which share a mask.
    func run(_ importer: inout ONNXImporter, _ b: Int?, _ h: Range<Int>, _ mask: ONNXValue?) throws(BackplaneError) -> ONNXValue {
      let g = h.lowerBound / group..<(h.upperBound - 1) / group + 1
      let y = try importer.apply("attention", try tokensFirst(&importer, q, b, h), try tokensFirst(&importer, k, b, g), try tokensFirst(&importer, v, b, g),
                                 mask == nil ? nil : try importer.reshape(mask!, [tokens, keys]), attributes: attributes)
      return try importer.transpose(y, [0, 2, 1, 3])
    }
    var y: ONNXValue
    if mask == nil || mask!.shape[..<2] == [1, 1] { y = try run(&self, nil, 0..<heads, mask) } else {
      let mask = mask!
      var sequences: [ONNXValue] = []
      for b in 0..<batches {
        let own = try slice(mask, axis: 0, mask.shape[0] == 1 ? 0..<1 : b..<b + 1)
        var parts: [ONNXValue] = []
        for h in 0..<(mask.shape[1] == 1 ? 1 : heads) {
          parts.append(try run(&self, b, mask.shape[1] == 1 ? 0..<heads : h..<h + 1, try slice(own, axis: 1, h..<h + 1)))
        }
        sequences.append(try concat(parts, axis: 1))
      }
      y = try concat(sequences, axis: 0)
    }
    if given.rank == 3 { y = try reshape(try transpose(y, [0, 2, 1, 3]), [batches, tokens, heads * v.shape[3]]) }
    guard call.wants(3) else { return [y, k, v] }
    return [y, k, v, try scores(call, q, k, mask, scale: scale, cap: cap)]
  }

  /// The optional output of queries and keys: 0 their product, 1 with the soft limit, 2 with the mask, 3 as probabilities.
  private mutating func scores(_ call: ONNXCall, _ q: ONNXValue, _ k: ONNXValue, _ mask: ONNXValue?, scale factor: Double, cap: Double) throws(BackplaneError) -> ONNXValue {
    let mode = call.int("qk_matmul_output_mode", 0), (heads, own) = (q.shape[1], k.shape[1])
    var keys = k
    if heads != own {
      let apart = try reshape(k, [k.shape[0], own, 1] + k.shape[2...])
      keys = try reshape(try expand(apart, [k.shape[0], own, heads / own] + k.shape[2...]), [k.shape[0], heads] + k.shape[2...])
    }
    var scores = try scale(try apply("matmul", q, keys, attributes: [Attribute("transpose_b", .int(1))]), factor)
    if mode >= 1, cap > 0 { scores = try apply("softcap", scores, attributes: [Attribute("cap", .float(cap))]) }
    if mode >= 2, let mask {
      scores = mask.type == .bool ? try apply("where", mask, scores, try scalar(-.infinity, like: scores)) : try apply("add", scores, mask)
    }
    return mode >= 3 ? try apply("softmax", scores) : scores
  }

  /// The mask as [batches or 1, heads or 1, tokens, keys]; keys that it does not reach are hidden.
  private mutating func mask(_ call: ONNXCall, keys: Int) throws(BackplaneError) -> ONNXValue? {
    guard let given = call.optional(3) else { return nil }
    guard (2...4).contains(given.rank) else { throw .unmapped("Attention: a mask of rank \(given.rank)") }
    var mask = try reshape(given, [Int](repeating: 1, count: 4 - given.rank) + given.shape)
    if mask.type != .bool { mask = try cast(mask, .float) }
    let missing = keys - mask.shape[3]
    if missing > 0 {
      try checkSmall(mask.shape[..<3].reduce(missing, *))
      let rest = try constant([Double](repeating: mask.type == .bool ? 0 : -.infinity, count: mask.shape[..<3].reduce(missing, *)), mask.type, mask.shape.dropLast() + [missing])
      mask = try concat([mask, rest], axis: 3)
    }
    let tokens = (try call.input(0)).rank == 4 ? (try call.input(0)).shape[2] : (try call.input(0)).shape[1]
    return mask.shape[2] == tokens ? mask : try expand(mask, [mask.shape[0], mask.shape[1], tokens, keys])
  }

  /// Keys below each sequence's length.
  private mutating func limit(_ lengths: ONNXValue, _ batches: Int, _ tokens: Int, _ keys: Int) throws(BackplaneError) -> ONNXValue {
    try checkSmall(keys)
    let places = try constant((0..<keys).map(Double.init), .int32, [1, 1, 1, keys])
    let seen = try apply("less", places, try reshape(try cast(lengths, .int32), [batches, 1, 1, 1]))
    return try expand(seen, [batches, 1, tokens, keys])
  }

  /// What both let through.
  private mutating func joined(_ mask: ONNXValue?, _ seen: ONNXValue) throws(BackplaneError) -> ONNXValue {
    guard let mask else { return seen }
    if mask.type == .bool { return try logic("mul", mask, seen) }
    return try apply("where", seen, mask, try scalar(-.infinity, like: mask))
  }
}
