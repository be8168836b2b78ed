import BackplaneCore

/// Conversion to another plain format, bit for bit.
struct Cast: ReferenceOperator {
  func evaluate(_ call: Call) throws(BackplaneError) -> [ReferenceTensor?] {
    let (x, output) = (call.input(0), call.outputs[0])
    let size = output.format.blockBytes
    var bytes = [UInt8](repeating: 0, count: output.count * size)
    if x.format.kind == .float {
      let values = x.values()
      if let error = x.error(.nothing, of: values), output.format.kind == .float { return [call.exact(values, propagated: error)] }
      bytes.withUnsafeMutableBytes { to in
        for (i, value) in values.enumerated() { PlainFormat.encode(value, output.format, to: to.baseAddress! + i * size) }
      }
    } else {
      let values = x.integers()  // not as Double: an i64 does not fit
      bytes.withUnsafeMutableBytes { to in
        for (i, value) in values.enumerated() {
          if output.format == .bool { to[i] = value == 0 ? 0 : 1 } else { PlainFormat.encode(value, output.format, to: to.baseAddress! + i * size) }
        }
      }
    }
    return [ReferenceTensor(output.format, output.shape, bits: bytes)]
  }
}
