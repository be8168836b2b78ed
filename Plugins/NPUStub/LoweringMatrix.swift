import BackplanePluginKit
import NPUStubEngine

// Operators of the matrix unit.

extension Lowering {
  /// Rows of activations, ready for the matrix unit, for the whole of a tile of rows.
  private struct Activations {
    var codes: UInt32, scales: UInt32, values: UInt32
    var block: Int
  }

  /// One matrix of weights, [n, k], or [k, n] when `isTransposed`.
  private struct Weights {
    var operand: Operand
    var view: UInt32
    var isTransposed: Bool
    var format: UInt32?
    /// In memory and in the scratchpad, of one of the n.
    var columnBytes: Int
  }

  private func kernel(_ b: Operand, _ numerics: UInt32) throws(Refusal) -> Kernel {
    if b.isFloat { return .matrixFloat }
    guard b.weightFormat != nil else { throw Refusal(reason: BP_REASON_DTYPE, operand: b.number) }
    guard numerics != BP_NUMERICS_STRICT else { throw Refusal(reason: BP_REASON_NUMERICS, operand: 0) }
    return emitter.chip.hasInt8Activations ? .matrixInt8 : .matrixHalf
  }

  private mutating func weights(_ b: Operand, offset: Int, isTransposed: Bool) -> Weights {
    let k = b.shape[b.shape.count - (isTransposed ? 2 : 1)]
    var matrix = b
    (matrix.shape, matrix.strides) = (Array(b.shape.suffix(2)), Array(b.strides.suffix(2)))
    return Weights(operand: matrix, view: emitter.view(matrix, offset: offset), isTransposed: isTransposed, format: b.weightFormat,
                   columnBytes: b.isBlock ? k / b.format.blockElements * b.format.blockBytes : 4 * k)
  }

  /// y[m, n] = finish(Σ a · w …): rows of `a` stay, weights stream through the halves.
  ///
  /// - Parameters:
  ///   - a: [rows, k], leading dimensions counting as rows.
  ///   - extra: Of y's shape, loaded beside the weights; its address is given to `finish`.
  ///   - finish: The sums of each matrix of weights lie at `sums`; the result must be at the first.
  private mutating func multiply(_ a: Operand, aOffset: Int, _ all: [Weights], _ y: Operand, yOffset: Int, kernel: Kernel, extra: UInt32?, keep: Int,
                                 _ finish: (inout Emitter, _ slot: Int, _ tile: Emitter.Tile, _ sums: [Int], _ extra: Int) -> Void) throws(Refusal) {
    let (k, n) = (a.shape.last!, y.shape.last!), rows = a.shape.dropLast().reduce(1, *)
    if rows == 0 || n == 0 { return }
    let (from, to) = (emitter.view(a, offset: aOffset), emitter.view(y, offset: yOffset))
    let block = emitter.chip.activationBlock == 0 ? max(k, 1) : emitter.chip.activationBlock
    let steps = (k + block - 1) / max(block, 1)
    // A quarter of the scratchpad for activations; fewer rows where weights need the room.
    var tileRows = max(1, min(rows, 64, emitter.chip.scratchpadBytes / 4 / max(4 * k, 1)))
    while true {
      let bytes = kernel == .matrixInt8 ? Emitter.aligned(tileRows * k) + Emitter.aligned(4 * tileRows * steps) : Emitter.aligned(4 * tileRows * k)
      let half = (emitter.chip.scratchpadBytes - keep - bytes) / 2 - 256
      // What one of the n needs: weights, decoded weights, sums, what is added.
      let column = all.reduce(0) { $0 + $1.columnBytes + (kernel == .matrixHalf ? 4 * k : 0) + 4 * tileRows } + (extra == nil ? 0 : 4 * tileRows)
      let slack = 64 * (3 * all.count + 1)
      // The floats that become codes pass through the halves.
      let passes = kernel != .matrixInt8 || 4 * tileRows * k <= 2 * half
      if half > slack, half - slack >= column, passes {
        let tileColumns = min(n, (half - slack) / max(column, 1))
        try stream(a, from, all, to, kernel, extra, rows, tileRows, n, tileColumns, k, block, finish)
        return
      }
      if tileRows == 1 { throw emitter.tooLarge(all[0].operand, keep + bytes + 2 * (column + slack)) }
      tileRows /= 2
    }
  }

  private mutating func stream(_ a: Operand, _ from: UInt32, _ all: [Weights], _ to: UInt32, _ kernel: Kernel, _ extra: UInt32?, _ rows: Int, _ tileRows: Int,
                               _ n: Int, _ tileColumns: Int, _ k: Int, _ block: Int,
                               _ finish: (inout Emitter, _ slot: Int, _ tile: Emitter.Tile, _ sums: [Int], _ extra: Int) -> Void) throws(Refusal) {
    let steps = (k + block - 1) / max(block, 1)
    var active = Activations(codes: 0, scales: 0, values: 0, block: block)
    if kernel == .matrixInt8 {
      active.codes = try emitter.keep(tileRows * k, a)
      active.scales = try emitter.keep(4 * tileRows * steps, a)
    } else {
      active.values = try emitter.keep(4 * tileRows * k, a)
    }
    let sumRoom = Emitter.aligned(4 * tileRows * tileColumns)
    // A half: for each matrix weights, decoded weights, sums; then what is added.
    var offsets: [(weights: Int, decoded: Int, sums: Int)] = []
    var used = 0
    for w in all {
      let weights = used, decoded = weights + Emitter.aligned(w.columnBytes * tileColumns)
      let sums = decoded + (kernel == .matrixHalf ? Emitter.aligned(4 * k * tileColumns) : 0)
      used = sums + sumRoom
      offsets.append((weights, decoded, sums))
    }
    for row in stride(from: 0, to: rows, by: tileRows) {
      let rowCount = min(tileRows, rows - row)
      load(a, from, active, kernel, row, rowCount, k)
      let tiles = stride(from: 0, to: n, by: tileColumns).map { Emitter.Tile(row: row, rows: rowCount, col: $0, cols: min(tileColumns, n - $0)) }
      emitter.pipeline(tiles, load: { e, tile, slot in
        for (w, at) in zip(all, offsets) {
          if w.isTransposed { e.load(w.view, slot: slot, rows: k, col: tile.col, cols: tile.cols, to: e.base(slot) + at.weights) } else {
            e.load(w.view, slot: slot, row: tile.col, rows: tile.cols, cols: k / w.operand.format.blockElements, to: e.base(slot) + at.weights)
          }
        }
        if let extra { e.load(extra, slot: slot, row: tile.row, rows: tile.rows, col: tile.col, cols: tile.cols, to: e.base(slot) + used) }
      }, run: { e, tile, slot in
        let base = e.base(slot)
        for (w, at) in zip(all, offsets) { Lowering.dot(&e, w, active, kernel, tile, k, slot, weights: base + at.weights, decoded: base + at.decoded, sums: base + at.sums) }
        finish(&e, slot, tile, offsets.map { base + $0.sums }, base + used)
        e.store(to, slot: slot, row: tile.row, rows: tile.rows, col: tile.col, cols: tile.cols, from: base + offsets[0].sums)
      })
    }
  }

  /// A tile of activations into its place, as codes or rounded where the kernel wants that.
  private mutating func load(_ a: Operand, _ from: UInt32, _ active: Activations, _ kernel: Kernel, _ row: Int, _ rows: Int, _ k: Int) {
    guard kernel == .matrixInt8 else {
      emitter.load(from, slot: 2, row: row, rows: rows, cols: k, to: Int(active.values))
      if kernel == .matrixHalf { emitter.emit(NPU_ROUND_F16, slot: 2, cols: rows * k) { $0.a = active.values } }
      return
    }
    // Through both halves, which are free here; slot 2 waits for all work before.
    let staging = emitter.base(0)
    emitter.load(from, slot: 2, row: row, rows: rows, cols: k, to: staging)
    emitter.emit(NPU_QUANTISE, slot: 2, rows: rows, cols: k) {
      ($0.a, $0.b, $0.c, $0.n0) = (active.codes, UInt32(staging), active.scales, UInt32(active.block))
    }
  }

  private static func dot(_ e: inout Emitter, _ w: Weights, _ active: Activations, _ kernel: Kernel, _ tile: Emitter.Tile, _ k: Int, _ slot: Int,
                          weights: Int, decoded: Int, sums: Int) {
    switch kernel {
    case .matrixInt8:
      e.emit(NPU_MATMUL_I8, slot: slot, rows: tile.rows, cols: k) {
        ($0.a, $0.b, $0.c, $0.d) = (UInt32(sums), active.codes, active.scales, UInt32(weights))
        ($0.function, $0.n0, $0.n1) = (UInt16(w.format!), UInt32(active.block), UInt32(tile.cols))
      }
    default:
      var matrix = weights
      if let format = w.format {
        e.emit(NPU_DECODE, slot: slot, cols: tile.cols * k) { ($0.function, $0.a, $0.b) = (UInt16(format), UInt32(decoded), UInt32(weights)) }
        e.emit(NPU_ROUND_F16, slot: slot, cols: tile.cols * k) { $0.a = UInt32(decoded) }
        matrix = decoded
      }
      e.emit(NPU_MATMUL, slot: slot, rows: tile.rows, cols: k) {
        ($0.a, $0.b, $0.c, $0.n1, $0.flags) = (UInt32(sums), active.values, UInt32(matrix), UInt32(tile.cols), w.isTransposed ? UInt16(NPU_TRANSPOSED) : 0)
      }
    }
  }

  mutating func matmul(_ call: Call) throws(Refusal) -> Kernel {
    let (a, b, y) = (try call.float(try call.input(0)), try call.input(1), try call.float(try call.output()))
    let isTransposed = try call.int(BP_MATMUL_TRANSPOSE_B) == 0
    let kernel = try kernel(b, call.node.numerics), activation = try Lowering.gate(try call.text(BP_MATMUL_ACTIVATION))
    let residual = try call.optional(3).map { (r) throws(Refusal) in try call.float(r) }
    guard a.shape.count >= 2, b.shape.count >= 2 else { throw Refusal(reason: BP_REASON_RANK, operand: 0, limit: 2, actual: Int64(min(a.shape.count, b.shape.count))) }
    guard !isTransposed || !b.isBlock else { throw Refusal(reason: BP_REASON_DTYPE, operand: 1) }
    var bias: UInt32?
    if let operand = try call.optional(2) { bias = try emitter.keepVector(try call.float(operand)) }
    let kept = emitter.resident, lead = Array(y.shape.dropLast(2))
    func finish(_ e: inout Emitter, _ slot: Int, _ tile: Emitter.Tile, _ sums: [Int], _ extra: Int) {
      if let bias { e.binary(NPU_ADD, slot: slot, tile.count, to: sums[0], sums[0], Int(bias) + 4 * tile.col, rowVector: tile.cols) }
      if activation != NPU_COPY { e.unary(activation, slot: slot, tile.count, at: sums[0]) }
      if residual != nil { e.binary(NPU_ADD, slot: slot, tile.count, to: sums[0], sums[0], extra) }
    }
    if b.shape.dropLast(2).allSatisfy({ $0 == 1 }), Array(a.shape.dropLast(2)) == lead {
      let extra = residual.map { emitter.view($0.broadcast(to: y.shape)) }
      let w = weights(b, offset: 0, isTransposed: isTransposed)
      try multiply(a, aOffset: 0, [w], y, yOffset: 0, kernel: kernel, extra: extra, keep: kept, finish)
      return kernel
    }
    // A batch at a time.
    let (aAll, bAll) = (a.broadcast(to: lead + a.shape.suffix(2)), b.broadcast(to: lead + b.shape.suffix(2)))
    let rAll = residual?.broadcast(to: y.shape)
    func part(_ operand: Operand) -> Operand {
      var part = operand
      (part.shape, part.strides) = (Array(operand.shape.suffix(2)), Array(operand.strides.suffix(2)))
      return part
    }
    let batches = lead.reduce(1, *)
    for batch in 0..<batches {
      func offset(_ operand: Operand) -> Int {
        var (rest, at) = (batch, 0)
        for d in lead.indices.reversed() { (at, rest) = (at + rest % lead[d] * operand.strides[d], rest / lead[d]) }
        return at
      }
      emitter.rewind(to: kept)
      let extra = rAll.map { emitter.view(part($0), offset: offset($0)) }
      let w = weights(bAll, offset: offset(bAll), isTransposed: isTransposed)
      try multiply(part(aAll), aOffset: offset(aAll), [w], part(y), yOffset: offset(y), kernel: kernel, extra: extra, keep: kept, finish)
    }
    return kernel
  }

  mutating func matmulGated(_ call: Call) throws(Refusal) -> Kernel {
    let (a, gate, up, y) = (try call.float(try call.input(0)), try call.input(1), try call.input(2), try call.float(try call.output()))
    let function = try Lowering.gate(try call.text(BP_MATMUL_GATED_ACTIVATION))
    let kernel = try kernel(gate, call.node.numerics)
    guard try self.kernel(up, call.node.numerics) == kernel else { throw Refusal(reason: BP_REASON_DTYPE, operand: 2) }
    let both = [weights(gate, offset: 0, isTransposed: false), weights(up, offset: 0, isTransposed: false)]
    try multiply(a, aOffset: 0, both, y, yOffset: 0, kernel: kernel, extra: nil, keep: 0) { e, slot, tile, sums, _ in
      e.unary(function, slot: slot, tile.count, at: sums[0])
      e.binary(NPU_MUL, slot: slot, tile.count, to: sums[0], sums[0], sums[1])
    }
    return kernel
  }

  // MARK: Attention

  /// A head at a time: its keys and values stay, tiles of queries pass. Small static shapes only; no masks, sinks or slopes.
  mutating func attention(_ call: Call) throws(Refusal) -> Kernel {
    for i in 3..<6 where call.has(i) { throw Refusal(reason: BP_REASON_OPERAND_UNEXPECTED, operand: UInt32(i)) }
    let (q, k, v) = (try call.float(try call.input(0)), try call.float(try call.input(1)), try call.float(try call.input(2)))
    let y = try call.float(try call.output()), rank = q.shape.count
    let lse = call.hasOutput(1) ? try call.float(try call.output(1)) : nil
    let (t, h, d) = (q.shape[rank - 3], q.shape[rank - 2], q.shape[rank - 1]), (s, g, e) = (k.shape[rank - 3], k.shape[rank - 2], v.shape[rank - 1])
    let given = try call.double(BP_ATTENTION_SCALE), cap = try call.double(BP_ATTENTION_SOFTCAP)
    let window = min(try call.int(BP_ATTENTION_WINDOW), Int(Int32.max)), flags = try call.int(BP_ATTENTION_CAUSAL) == 1 ? UInt16(NPU_CAUSAL) : 0
    let scale = given == 0 ? 1 / Double(d).squareRoot() : given
    if y.count == 0, lse?.count ?? 0 == 0 { return .matrixFloat }
    let (keys, values) = (try emitter.keep(4 * s * d, k), try emitter.keep(4 * s * e, v))
    let step = try emitter.rows(of: [4 * d, 4 * s, 4 * e, 4], k, atMost: t)
    let (scores, result) = (Emitter.aligned(4 * d * step), Emitter.aligned(4 * d * step) + Emitter.aligned(4 * s * step))
    let sums = result + Emitter.aligned(4 * e * step)
    func head(_ operand: Operand, _ batch: Int, _ head: Int) -> UInt32 {
      var part = operand
      (part.shape, part.strides) = ([operand.shape[rank - 3], operand.shape[rank - 1]], [operand.strides[rank - 3], operand.strides[rank - 1]])
      var (rest, at) = (batch, head * operand.strides[rank - 2])
      for i in (0..<rank - 3).reversed() { (at, rest) = (at + rest % operand.shape[i] * operand.strides[i], rest / operand.shape[i]) }
      return emitter.view(part, offset: at)
    }
    func logSums(_ batch: Int, _ head: Int) -> UInt32? {
      guard let lse else { return nil }
      var part = lse
      (part.shape, part.strides) = ([t, 1], [lse.strides[rank - 3], 4])
      var (rest, at) = (batch, head * lse.strides[rank - 2])
      for i in (0..<rank - 3).reversed() { (at, rest) = (at + rest % lse.shape[i] * lse.strides[i], rest / lse.shape[i]) }
      return emitter.view(part, offset: at)
    }
    for batch in 0..<q.shape.dropLast(3).reduce(1, *) {
      for group in 0..<g {
        emitter.load(head(k, batch, group), slot: 2, rows: s, cols: d, to: Int(keys))
        emitter.load(head(v, batch, group), slot: 2, rows: s, cols: e, to: Int(values))
        for i in 0..<h / g {
          let (from, to) = (head(q, batch, group * (h / g) + i), head(y, batch, group * (h / g) + i))
          let toSums = logSums(batch, group * (h / g) + i)
          emitter.pipeline(Array(stride(from: 0, to: t, by: step)), load: { m, row, slot in
            m.load(from, slot: slot, row: row, rows: min(step, t - row), cols: d, to: m.base(slot))
          }, run: { m, row, slot in
            let (rows, base) = (min(step, t - row), m.base(slot))
            m.emit(NPU_MATMUL, slot: slot, rows: rows, cols: d) { ($0.a, $0.b, $0.c, $0.n1) = (UInt32(base + scores), UInt32(base), keys, UInt32(s)) }
            m.emit(NPU_VISIBLE, slot: slot, rows: rows, cols: s) {
              ($0.a, $0.row, $0.n0, $0.n1) = (UInt32(base + scores), Int64(row), UInt32(t), UInt32(window))
              ($0.f0, $0.f1, $0.flags) = (Float(scale), Float(cap), flags | (toSums == nil ? 0 : UInt16(NPU_HAS_B)))
              $0.b = UInt32(base + sums)
            }
            m.emit(NPU_MATMUL, slot: slot, rows: rows, cols: s) {
              ($0.a, $0.b, $0.c, $0.n1) = (UInt32(base + result), UInt32(base + scores), values, UInt32(e))
              $0.flags = UInt16(NPU_TRANSPOSED | NPU_SKIP_ZERO)
            }
            m.store(to, slot: slot, row: row, rows: rows, cols: e, from: base + result)
            if let toSums { m.store(toSums, slot: slot, row: row, rows: rows, cols: 1, from: base + sums) }
          })
        }
      }
    }
    return .matrixFloat
  }
}
