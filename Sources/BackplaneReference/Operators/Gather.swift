import BackplaneCore

/// Rows of a table, decoded and scaled; an index outside the table gives zeros.
struct Gather: ReferenceOperator {
  func evaluate(_ call: Call) throws(BackplaneError) -> [ReferenceTensor?] {
    let (table, output) = (call.input(0), call.outputs[0])
    let (rows, n) = (table.shape[0], table.shape[1])
    let indices = call.input(1).integers()
    let scale = call.float("scale")
    let decoder = BlockFormat.named(table.format)
    var y = [Double](repeating: 0, count: output.count)
    var magnitudes = call.wantsBounds && scale != 1 ? y : []
    func copy(_ magnitude: Bool, to out: inout [Double]) {
      guard n > 0 else { return }
      let decoded: [Double]? = if case .computed(let tensor) = table.source { tensor.values } else { nil }
      out.withUnsafeMutableBufferPointer { out in
        for (i, index) in indices.enumerated() where index >= 0 && index < rows {
          let to = out.baseAddress! + i * n
          if case .memory(let view) = table.source { view.decode(row: Int(index), magnitudes: magnitude, decoder, into: to) }
          else if let decoded { for j in 0..<n { to[j] = magnitude ? abs(decoded[Int(index) * n + j]) : decoded[Int(index) * n + j] } }
          for j in 0..<n where scale != 1 { to[j] *= magnitude ? abs(scale) : scale }
        }
      }
    }
    copy(false, to: &y)
    if scale == 1 { return [call.exact(y)] }
    if call.wantsBounds { copy(true, to: &magnitudes) }
    // Two roundings: the decoding (a kernel may scale product and minimum apart) and the scale.
    let relative = 2 * u + call.roundingOfAttribute("scale") / abs(scale)
    return [call.result(y) { times(magnitudes[$0], relative) }]
  }
}
