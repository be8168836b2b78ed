import BackplaneCore

/// Rows of a cache replaced at given positions, converted to its format. Later updates win.
struct TensorScatter: ReferenceOperator {
  func evaluate(_ call: Call) throws(BackplaneError) -> [ReferenceTensor?] {
    let (cache, update, output) = (call.input(0), call.input(1), call.outputs[0])
    let positions = call.input(2).integers()
    let (rows, isCircular) = (cache.shape[0], call.string("mode") == "circular")
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
}
