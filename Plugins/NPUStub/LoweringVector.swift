import BackplanePluginKit
import NPUStubEngine

// Operators of the vector unit, and those that only move bytes.

extension Lowering {
  /// Element by element with broadcasting: tiles of any elements.
  private mutating func elementwise(_ inputs: [Operand], _ output: Operand, _ compute: (inout Emitter, _ slot: Int, _ count: Int, _ at: [Int]) -> Void) throws(Refusal) {
    let isFlat = output.isDense && inputs.allSatisfy { $0.isDense && $0.shape == output.shape }
    let y = isFlat ? output.flat : output
    let views = inputs.map { emitter.view(isFlat ? $0.flat : $0.broadcast(to: output.shape)) }, result = emitter.view(y)
    let capacity = (emitter.half / inputs.count / 4 - 16) & ~15
    guard capacity > 0 else { throw emitter.tooLarge(output, 128 * inputs.count) }
    let tiles = Emitter.tiles(rows: y.shape.dropLast().reduce(1, *), cols: y.shape.last!, capacity: capacity)
    let room = Emitter.aligned(capacity * 4)
    func places(_ e: Emitter, _ slot: Int) -> [Int] { inputs.indices.map { e.base(slot) + $0 * room } }
    emitter.pipeline(tiles, load: { e, tile, slot in
      for (view, at) in zip(views, places(e, slot)) { e.load(view, slot: slot, row: tile.row, rows: tile.rows, col: tile.col, cols: tile.cols, to: at) }
    }, run: { e, tile, slot in
      let at = places(e, slot)
      compute(&e, slot, tile.count, at)
      e.store(result, slot: slot, row: tile.row, rows: tile.rows, col: tile.col, cols: tile.cols, from: at[0])
    })
  }

  mutating func unary(_ call: Call, _ function: npu_function, _ p: Double = 0, _ q: Double = 0) throws(Refusal) -> Kernel {
    let (x, y) = (try call.float(try call.input(0)), try call.float(try call.output()))
    try elementwise([x], y) { e, slot, count, at in e.unary(function, slot: slot, count, at: at[0], p, q) }
    return .vector
  }

  mutating func binary(_ call: Call, _ function: npu_function) throws(Refusal) -> Kernel {
    let (x, y) = (try call.float(try call.input(0)), try call.float(try call.input(1)))
    try elementwise([x, y], try call.float(try call.output())) { e, slot, count, at in e.binary(function, slot: slot, count, to: at[0], at[0], at[1]) }
    return .vector
  }

  static func gate(_ name: String) throws(Refusal) -> npu_function {
    switch name {
    case "swiglu", "silu": return NPU_SILU
    case "geglu_tanh", "gelu_tanh": return NPU_GELU_TANH
    case "geglu_erf", "gelu_erf": return NPU_GELU_ERF
    case "reglu", "relu": return NPU_RELU
    case "none": return NPU_COPY
    default: throw Refusal(reason: BP_REASON_ATTRIBUTE)
    }
  }

  mutating func gatedActivation(_ call: Call) throws(Refusal) -> Kernel {
    let (gate, up) = (try call.float(try call.input(0)), try call.float(try call.input(1)))
    let function = try Lowering.gate(try call.text(BP_GATED_ACTIVATION_ACTIVATION))
    try elementwise([gate, up], try call.float(try call.output())) { e, slot, count, at in
      e.unary(function, slot: slot, count, at: at[0])
      e.binary(NPU_MUL, slot: slot, count, to: at[0], at[0], at[1])
    }
    return .vector
  }

  // MARK: Whole rows

  /// Row by row, in place; `extra` has the output's shape or is broadcast to it.
  private mutating func rowwise(_ x: Operand, _ y: Operand, extra: Operand? = nil, _ compute: (inout Emitter, Emitter.Tile, _ slot: Int, _ at: Int, _ extra: Int) -> Void) throws(Refusal) {
    let (rows, n) = (x.shape.dropLast().reduce(1, *), x.shape.last!)
    let (from, to, other) = (emitter.view(x), emitter.view(y), extra.map { emitter.view($0.broadcast(to: x.shape)) })
    let step = try emitter.rows(of: [4 * n, 4 * n], x, atMost: max(rows, 1))
    let tiles = rows == 0 || n == 0 ? [] : stride(from: 0, to: rows, by: step).map { Emitter.Tile(row: $0, rows: min(step, rows - $0), col: 0, cols: n) }
    let room = Emitter.aligned(4 * n * step)
    emitter.pipeline(tiles, load: { e, tile, slot in
      e.load(from, slot: slot, row: tile.row, rows: tile.rows, cols: n, to: e.base(slot))
      if let other { e.load(other, slot: slot, row: tile.row, rows: tile.rows, cols: n, to: e.base(slot) + room) }
    }, run: { e, tile, slot in
      compute(&e, tile, slot, e.base(slot), e.base(slot) + room)
      e.store(to, slot: slot, row: tile.row, rows: tile.rows, cols: n, from: e.base(slot))
    })
  }

  mutating func softmax(_ call: Call) throws(Refusal) -> Kernel {
    let (x, y) = (try call.float(try call.input(0)), try call.float(try call.output()))
    let mask = try call.optional(1), scale = try call.double(BP_SOFTMAX_SCALE)
    if let mask { _ = try call.float(mask) }
    try rowwise(x, y, extra: mask) { e, tile, slot, at, extra in
      e.emit(NPU_SOFTMAX, slot: slot, rows: tile.rows, cols: tile.cols) {
        ($0.a, $0.b, $0.f0, $0.flags) = (UInt32(at), UInt32(extra), Float(scale), mask == nil ? 0 : UInt16(NPU_HAS_B))
      }
    }
    return .vector
  }

  mutating func norm(_ call: Call, isLayerNorm: Bool) throws(Refusal) -> Kernel {
    let (x, y) = (try call.float(try call.input(0)), try call.float(try call.output()))
    let epsilon = try call.double(isLayerNorm ? BP_LAYER_NORM_EPSILON : BP_RMS_NORM_EPSILON)
    let offset = isLayerNorm ? 0 : try call.double(BP_RMS_NORM_WEIGHT_OFFSET)
    var weight: UInt32?, bias: UInt32?
    if let operand = try call.optional(1) { weight = try emitter.keepVector(try call.float(operand)) }
    if isLayerNorm, let operand = try call.optional(2) { bias = try emitter.keepVector(try call.float(operand)) }
    try rowwise(x, y) { e, tile, slot, at, _ in
      e.emit(isLayerNorm ? NPU_LAYER_NORM : NPU_RMS_NORM, slot: slot, rows: tile.rows, cols: tile.cols) {
        ($0.a, $0.b, $0.c, $0.d) = (UInt32(at), UInt32(at), weight ?? 0, bias ?? 0)
        ($0.f0, $0.f1) = (Float(epsilon), Float(offset))
        $0.flags = UInt16((weight == nil ? 0 : NPU_HAS_C) | (bias == nil ? 0 : NPU_HAS_D))
      }
    }
    return .vector
  }

  mutating func rope(_ call: Call) throws(Refusal) -> Kernel {
    let (x, y) = (try call.float(try call.input(0)), try call.float(try call.output()))
    let (positions, frequencies) = (try call.input(1), try call.float(try call.input(2)))
    guard ["i32", "i64"].contains(positions.format.name) else { throw Refusal(reason: BP_REASON_DTYPE, operand: 1) }
    guard x.shape.count >= 3 else { throw Refusal(reason: BP_REASON_RANK, operand: 0, limit: 3, actual: Int64(x.shape.count)) }
    let (t, h) = (x.shape[x.shape.count - 3], x.shape[x.shape.count - 2])
    let flags = try call.int(BP_ROTARY_EMBEDDING_INTERLEAVED) == 1 ? UInt16(NPU_INTERLEAVED) : 0, scale = try call.double(BP_ROTARY_EMBEDDING_SCALE)
    let (at, table) = (try emitter.keepVector(positions, raw: true), try emitter.keepVector(frequencies))
    try rowwise(x, y) { e, tile, slot, from, to in
      e.emit(NPU_ROPE, slot: slot, rows: tile.rows, cols: tile.cols) {
        ($0.a, $0.b, $0.c, $0.d) = (UInt32(to), UInt32(from), at, table)
        ($0.row, $0.n0, $0.n1, $0.n2, $0.n3) = (Int64(tile.row), UInt32(positions.format.blockBytes), UInt32(frequencies.count), UInt32(h), UInt32(t))
        ($0.f0, $0.flags) = (Float(scale), flags)
      }
      // Both halves of a room are rows of the tile: bring the result to where it is stored from.
      e.emit(NPU_UNARY, slot: slot, cols: tile.count) { ($0.a, $0.b) = (UInt32(from), UInt32(to)) }
    }
    return .vector
  }

  // MARK: Moves

  mutating func gather(_ call: Call) throws(Refusal) -> Kernel {
    let (table, indices, y) = (try call.input(0), try call.input(1), try call.float(try call.output()))
    guard table.isFloat || table.weightFormat != nil else { throw Refusal(reason: BP_REASON_DTYPE, operand: 0) }
    guard ["i32", "i64"].contains(indices.format.name) else { throw Refusal(reason: BP_REASON_DTYPE, operand: 1) }
    guard indices.isDense else { throw Refusal(reason: BP_REASON_LAYOUT, operand: 1) }
    let (n, count, scale) = (table.shape[1], indices.count, try call.double(BP_GATHER_SCALE))
    let columns = n / table.format.blockElements, rowBytes = columns * table.format.blockBytes
    let (names, rows, to) = (emitter.view(indices.flat, raw: true), emitter.view(table), emitter.view(y))
    let wide = indices.format.blockBytes
    let step = try emitter.rows(of: [wide, 4 * n, table.isBlock ? rowBytes : 0], table, atMost: max(count, 1))
    let (result, raw) = (Emitter.aligned(wide * step), Emitter.aligned(wide * step) + Emitter.aligned(4 * n * step))
    let tiles = n == 0 || count == 0 ? [] : Array(stride(from: 0, to: count, by: step))
    emitter.pipeline(tiles, load: { e, begin, slot in
      let rowCount = min(step, count - begin)
      e.load(names, slot: slot, col: begin, cols: rowCount, to: e.base(slot))
      let base = e.base(slot)
      e.emit(NPU_GATHER, slot: slot, rows: rowCount, cols: columns) {
        ($0.view, $0.a, $0.b, $0.n0) = (rows, UInt32(base + (table.isBlock ? raw : result)), UInt32(base), UInt32(wide))
      }
    }, run: { e, begin, slot in
      let rowCount = min(step, count - begin), base = e.base(slot), at = base + result
      if let format = table.weightFormat {
        e.emit(NPU_DECODE, slot: slot, cols: rowCount * n) { ($0.function, $0.a, $0.b) = (UInt16(format), UInt32(at), UInt32(base + raw)) }
      }
      if scale != 1 { e.unary(NPU_SCALE, slot: slot, rowCount * n, at: at, scale, 0) }
      e.store(to, slot: slot, row: begin, rows: rowCount, cols: n, from: at)
    })
    return .vector
  }

  /// Units of one tensor to another of the same shape, as they are.
  private mutating func copy(_ from: Operand, _ to: Operand, offset: Int = 0) throws(Refusal) {
    let unit = from.format.blockBytes
    let (source, target) = (emitter.view(from, raw: true), emitter.view(to, offset: offset, raw: true))
    let capacity = (emitter.half - 64) / unit
    guard capacity > 0 else { throw emitter.tooLarge(from, 2 * unit + 128) }
    let tiles = Emitter.tiles(rows: from.shape.dropLast().reduce(1, *), cols: from.shape.last! / from.format.blockElements, capacity: capacity)
    emitter.pipeline(tiles, load: { e, tile, slot in
      e.load(source, slot: slot, row: tile.row, rows: tile.rows, col: tile.col, cols: tile.cols, to: e.base(slot))
    }, run: { e, tile, slot in
      e.store(target, slot: slot, row: tile.row, rows: tile.rows, col: tile.col, cols: tile.cols, from: e.base(slot))
    })
  }

  mutating func reshape(_ call: Call) throws(Refusal) -> Kernel {
    let (x, y) = (try call.input(0), try call.output())
    guard x.isDense else { throw Refusal(reason: BP_REASON_LAYOUT, operand: 0) }
    guard y.isDense else { throw Refusal(reason: BP_REASON_LAYOUT, operand: 1) }
    if !graph.isView(call.node) { try copy(x.flat, y.flat) }
    return .dma
  }

  mutating func transpose(_ call: Call) throws(Refusal) -> Kernel {
    var x = try call.input(0)
    let y = try call.output()
    guard !x.isBlock else { throw Refusal(reason: BP_REASON_DTYPE, operand: 0) }
    if x.count == 0 { return .dma }
    let given = try call.ints(BP_TRANSPOSE_PERMUTATION)
    let order = given.isEmpty ? Array(x.shape.indices.reversed()) : given
    guard order.sorted() == Array(x.shape.indices) else { throw Refusal(reason: BP_REASON_ATTRIBUTE) }
    (x.shape, x.strides) = (order.map { x.shape[$0] }, order.map { x.strides[$0] })
    try copy(x, y)
    return .dma
  }

  mutating func expand(_ call: Call) throws(Refusal) -> Kernel {
    let (x, y) = (try call.input(0), try call.output())
    guard !x.isBlock else { throw Refusal(reason: BP_REASON_DTYPE, operand: 0) }
    try copy(x.broadcast(to: y.shape), y)
    return .dma
  }

  mutating func concat(_ call: Call) throws(Refusal) -> Kernel {
    let y = try call.output()
    guard !y.isBlock else { throw Refusal(reason: BP_REASON_DTYPE, operand: UInt32(call.node.inputs.count)) }
    var axis = try call.int(BP_CONCAT_AXIS), offset = 0
    if axis < 0 { axis += y.shape.count }
    guard y.shape.indices.contains(axis) else { throw Refusal(reason: BP_REASON_ATTRIBUTE) }
    for i in call.node.inputs.indices {
      let x = try call.input(i)
      var part = y
      part.shape = x.shape
      try copy(x, part, offset: offset)
      offset += x.shape[axis] * y.strides[axis]
    }
    return .dma
  }
}
