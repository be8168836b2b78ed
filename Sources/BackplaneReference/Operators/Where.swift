import BackplaneCore

/// Bits of a where the condition holds, else of b, with broadcasting.
struct Where: ReferenceOperator {
  func evaluate(_ call: Call) throws(BackplaneError) -> [ReferenceTensor?] {
    let output = call.outputs[0]
    let size = output.format.blockBytes
    let holds = call.input(0).integers()
    let index = (0..<3).map { broadcastIndices(call.input($0).shape, to: output.shape) }
    let sources = [try call.input(1).bytes(), try call.input(2).bytes()]
    var bytes: [UInt8] = []
    bytes.reserveCapacity(output.count * size)
    for i in 0..<output.count {
      let which = holds[index[0]?[i] ?? i] != 0 ? 0 : 1
      let from = (index[which + 1]?[i] ?? i) * size
      bytes += sources[which][from..<from + size]
    }
    return [ReferenceTensor(output.format, output.shape, bits: bytes)]
  }
}
