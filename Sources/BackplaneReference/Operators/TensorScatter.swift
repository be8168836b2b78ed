import BackplaneCore

/// Rows of a cache replaced at given positions, converted to its format. Later updates win.
struct TensorScatter: ReferenceOperator {
  func evaluate(_ call: Call) throws(BackplaneError) -> [ReferenceTensor?] {
    let (cache, update, output) = (call.input(0), call.input(1), call.outputs[0])
    let positions = call.input(2).integers()
    let (rows, isCircular) = (cache.shape[0], call.string("mode") == "circular")
    if call.wantsBounds, update.error(.nothing, of: []) != nil { return [approximate(call)] }
    var bytes = try cache.bytes()
    let converted = try ReferenceTensor(output.format, update.shape, values: update.values()).encoded()
    guard rows > 0, !positions.isEmpty else { return [ReferenceTensor(output.format, output.shape, bits: bytes)] }
    let row = bytes.count / rows
    for (t, position) in positions.enumerated() {
      guard position >= 0, isCircular || position < rows else { continue }
      let at = Int(position) % rows
      bytes.replaceSubrange(at * row..<(at + 1) * row, with: converted[t * row..<(t + 1) * row])
    }
    return [ReferenceTensor(output.format, output.shape, bits: bytes)]
  }

  /// Inside a composition, where the update is not known to the bit.
  private func approximate(_ call: Call) -> ReferenceTensor {
    let (cache, update, output) = (call.input(0), call.input(1), call.outputs[0])
    let (rows, isCircular) = (cache.shape[0], call.string("mode") == "circular")
    let (new, block) = (update.values(), output.format.blockElements)
    let incoming = update.error(call.declared, of: new)!
    let bound = OutputBound(output.format, call.declared)
    var y = cache.values()
    var error = [Double](repeating: 0, count: y.count)
    let row = rows == 0 ? 0 : y.count / rows
    for (t, position) in call.input(2).integers().enumerated() {
      guard position >= 0, rows > 0, isCircular || position < rows else { continue }
      let at = Int(position) % rows * row
      for i in 0..<row {
        let from = t * row + i
        y[at + i] = new[from]
        if block == 1 { error[at + i] = bound.total(new[from], own: incoming[from]); continue }
        // Half a step of the scale and the scale's rounding to f16; q4_0 has one step less on the far side of zero.
        let range = from / block * block..<(from / block + 1) * block
        let largest = range.reduce(0) { max($0, abs(new[$1]) + incoming[$1]) }
        // What is not finite, or overflows the scale, takes its block with it.
        if range.contains(where: { !(abs(new[$0]) + incoming[$0] <= 65504 * 7) }) { error[at + i] = .infinity; continue }
        error[at + i] = incoming[from] + largest * (output.format == .q8_0 ? 1 / 253.0 : 1 / 7.9) + largest * 0x1p-11 + 128 * 0x1p-25
      }
    }
    return ReferenceTensor(output.format, output.shape, values: y, error: error)
  }
}
