import BackplaneCore

// Movements of constants, done while importing: weights in another order, the lists that ONNX graphs compute paddings from. Nil where it is no constant.
extension ONNXFolding {
  /// Of weights: what is larger is moved by a device.
  private static let largestMoved = 1 << 24

  /// The elements at `indices` along `axis`.
  static func taken(_ x: ONNXValue, axis: Int, _ indices: [Int]) -> ONNXTensor? {
    guard let (known, size) = elements(x), indices.allSatisfy((0..<x.shape[axis]).contains) else { return nil }
    let inner = x.shape[(axis + 1)...].reduce(size, *), outer = x.shape[..<axis].reduce(1, *)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(outer * indices.count * inner)
    for o in 0..<outer {
      for i in indices { bytes += known.bytes[(o * x.shape[axis] + i) * inner..<(o * x.shape[axis] + i + 1) * inner] }
    }
    var shape = x.shape
    shape[axis] = indices.count
    return ONNXTensor(known.type, shape, bytes: bytes)
  }

  static func transposed(_ x: ONNXValue, _ permutation: [Int]) -> ONNXTensor? {
    guard let (known, size) = elements(x), permutation.sorted() == Array(0..<x.rank) else { return nil }
    let shape = permutation.map { x.shape[$0] }
    var steps = [Int](repeating: size, count: x.rank)
    for d in steps.indices.dropLast().reversed() { steps[d] = steps[d + 1] * x.shape[d + 1] }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(known.bytes.count)
    known.bytes.withUnsafeBytes { from in
      func walk(_ d: Int, _ at: Int) {
        if d == shape.count { return bytes.append(contentsOf: from[at..<at + size]) }
        for i in 0..<shape[d] { walk(d + 1, at + i * steps[permutation[d]]) }
      }
      walk(0, 0)
    }
    return ONNXTensor(known.type, shape, bytes: bytes)
  }

  static func joined(_ parts: [ONNXValue], axis: Int) -> ONNXTensor? {
    var known: [(tensor: ONNXTensor, rowBytes: Int)] = []
    for part in parts {
      guard let (tensor, size) = elements(part), tensor.type == parts[0].type, part.rank == parts[0].rank, axis < part.rank,
            part.shape.indices.allSatisfy({ $0 == axis || part.shape[$0] == parts[0].shape[$0] }) else { return nil }
      known.append((tensor, part.shape[axis...].reduce(size, *)))
    }
    var shape = parts[0].shape
    shape[axis] = parts.reduce(0) { $0 + $1.shape[axis] }
    var bytes: [UInt8] = []
    for o in 0..<shape[..<axis].reduce(1, *) { for (tensor, row) in known { bytes += tensor.bytes[o * row..<(o + 1) * row] } }
    return ONNXTensor(known[0].tensor.type, shape, bytes: bytes)
  }

  /// A constant of a plain type and the bytes of its elements.
  private static func elements(_ x: ONNXValue) -> (ONNXTensor, Int)? {
    guard x.isFolded, let known = x.known, let format = known.type.format, !format.isBlock, x.count <= largestMoved, known.bytes.count == x.count * format.blockBytes else { return nil }
    return (known, format.blockBytes)
  }
}
