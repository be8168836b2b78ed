import BackplanePluginKit
import NPUStubEngine

/// Writes a node's commands: the tiling planner.
///
/// The scratchpad holds what a node keeps for all its tiles (slot 2) and, above that, two equal halves (slots 0 and 1). While one half is
/// computed on, DMA fills the other. A node begins with an empty scratchpad.
struct Emitter {
  let chip: Chip
  private(set) var commands: [npu_command] = []
  private(set) var views: [npu_view] = []
  private(set) var cost = Cost()
  var node: UInt32 = 0
  /// Bytes at the scratchpad's bottom that stay for the node.
  private(set) var resident = 0

  init(_ chip: Chip) { self.chip = chip }

  // MARK: Scratchpad

  static func aligned(_ bytes: Int) -> Int { (bytes + 63) & ~63 }

  mutating func begin(_ node: Int) { (self.node, resident) = (UInt32(node), 0) }

  /// Bytes of a half when nothing more is kept.
  var half: Int { max(0, (chip.scratchpadBytes - resident) / 2 & ~63) }

  func base(_ slot: Int) -> Int { resident + slot * half }

  /// Room that stays for the node.
  mutating func keep(_ bytes: Int, _ operand: Operand) throws(Refusal) -> UInt32 {
    let at = resident
    resident += Emitter.aligned(bytes)
    guard resident < chip.scratchpadBytes else { throw tooLarge(operand, resident) }
    return UInt32(at)
  }

  /// Gives up what was kept beyond `bytes`.
  mutating func rewind(to bytes: Int) { resident = bytes }

  func tooLarge(_ operand: Operand, _ needed: Int) -> Refusal {
    Refusal(reason: BP_REASON_DIM_TOO_LARGE, operand: operand.number, limit: Int64(chip.scratchpadBytes), actual: Int64(needed))
  }

  /// The part of a half that each of `count` equal rooms may have, in rows of `rowBytes`; at least one row.
  func rows(of rowBytes: [Int], _ operand: Operand, atMost limit: Int) throws(Refusal) -> Int {
    let each = rowBytes.reduce(0, +), slack = rowBytes.count * 64
    let rows = each == 0 ? limit : (half - slack) / each
    guard half > slack, rows >= 1 else { throw tooLarge(operand, 2 * (each + slack) + resident) }
    return max(1, min(rows, limit))
  }

  // MARK: Commands

  mutating func view(_ operand: Operand, offset: Int = 0, raw: Bool = false) -> UInt32 {
    var view = npu_view()
    view.tensor = UInt32(operand.tensor)
    view.format = UInt32(raw ? Int(NPU_RAW) : operand.conversion ?? Int(NPU_RAW))
    view.rank = UInt32(operand.shape.count)
    view.unit_bytes = UInt32(operand.format.blockBytes)
    view.offset = Int64(offset)
    withUnsafeMutableBytes(of: &view.extent) { bytes in
      for (i, n) in operand.shape.enumerated() {
        bytes.storeBytes(of: Int64(i == operand.shape.count - 1 ? n / operand.format.blockElements : n), toByteOffset: 8 * i, as: Int64.self)
      }
    }
    withUnsafeMutableBytes(of: &view.stride) { bytes in
      for (i, n) in operand.strides.enumerated() { bytes.storeBytes(of: Int64(n), toByteOffset: 8 * i, as: Int64.self) }
    }
    views.append(view)
    return UInt32(views.count - 1)
  }

  mutating func emit(_ operation: npu_operation, slot: Int, rows: Int = 1, cols: Int, _ fill: (inout npu_command) -> Void) {
    if rows == 0 || (cols == 0 && ![NPU_MATMUL, NPU_MATMUL_I8, NPU_VISIBLE].contains(operation)) { return }
    var command = npu_command()
    command.operation = UInt16(operation.rawValue)
    command.slot = UInt16(slot)
    command.node = node
    (command.rows, command.cols) = (UInt32(rows), UInt32(cols))
    fill(&command)
    commands.append(command)
    cost.add(command, views, chip)
  }

  mutating func load(_ view: UInt32, slot: Int, row: Int = 0, rows: Int = 1, col: Int = 0, cols: Int, to address: Int) {
    emit(NPU_LOAD, slot: slot, rows: rows, cols: cols) { ($0.view, $0.row, $0.col, $0.a) = (view, Int64(row), Int64(col), UInt32(address)) }
  }
  mutating func store(_ view: UInt32, slot: Int, row: Int = 0, rows: Int = 1, col: Int = 0, cols: Int, from address: Int) {
    emit(NPU_STORE, slot: slot, rows: rows, cols: cols) { ($0.view, $0.row, $0.col, $0.a) = (view, Int64(row), Int64(col), UInt32(address)) }
  }
  mutating func unary(_ function: npu_function, slot: Int, _ count: Int, at address: Int, _ p: Double = 0, _ q: Double = 0) {
    emit(NPU_UNARY, slot: slot, cols: count) {
      ($0.function, $0.a, $0.b, $0.f0, $0.f1) = (UInt16(function.rawValue), UInt32(address), UInt32(address), Float(p), Float(q))
    }
  }
  mutating func binary(_ function: npu_function, slot: Int, _ count: Int, to target: Int, _ x: Int, _ y: Int, rowVector: Int = 0) {
    emit(NPU_BINARY, slot: slot, cols: count) {
      ($0.function, $0.a, $0.b, $0.c) = (UInt16(function.rawValue), UInt32(target), UInt32(x), UInt32(y))
      if rowVector > 0 { ($0.flags, $0.n0) = (UInt16(NPU_ROW_VECTOR), UInt32(rowVector)) }
    }
  }

  /// A one-dimensional operand in the scratchpad for the whole node, at the address given back.
  mutating func keepVector(_ operand: Operand, raw: Bool = false) throws(Refusal) -> UInt32 {
    let at = try keep(operand.count * (raw ? operand.format.blockBytes : 4), operand)
    load(view(operand, raw: raw), slot: 2, cols: operand.count, to: Int(at))
    return at
  }

  /// Double buffering: while `run` works on one half, `load` fills the other.
  mutating func pipeline<T>(_ tiles: [T], load: (inout Emitter, T, Int) -> Void, run: (inout Emitter, T, Int) -> Void) {
    guard let first = tiles.first else { return }
    load(&self, first, 0)
    for (i, tile) in tiles.enumerated() {
      if i + 1 < tiles.count { load(&self, tiles[i + 1], (i + 1) % 2) }
      run(&self, tile, i % 2)
    }
  }

  struct Tile {
    var row, rows, col, cols: Int
    var count: Int { rows * cols }
  }

  /// Covers rows × columns with tiles of at most `capacity` elements: whole rows, or parts of one.
  static func tiles(rows: Int, cols: Int, capacity: Int) -> [Tile] {
    if rows == 0 || cols == 0 { return [] }
    if cols > capacity {
      return (0..<rows).flatMap { row in stride(from: 0, to: cols, by: capacity).map { Tile(row: row, rows: 1, col: $0, cols: min(capacity, cols - $0)) } }
    }
    let step = min(capacity / cols, rows)
    return stride(from: 0, to: rows, by: step).map { Tile(row: $0, rows: min(step, rows - $0), col: 0, cols: cols) }
  }
}
