import BackplaneCore

/// A tensor's elements in memory that someone else owns.
///
/// Strides are in bytes, outermost first, 0 for a dimension that repeats; the last one is a block's for block formats.
public struct TensorView: @unchecked Sendable {
  public let base: UnsafeRawPointer
  public let format: ElementFormat
  public let shape: [Int]
  public let strides: [Int]

  public init(_ base: UnsafeRawPointer, _ format: ElementFormat, _ shape: [Int], strides: [Int]? = nil) {
    precondition(strides.map { $0.count == shape.count } ?? true, "one stride for each dimension")
    self.base = base
    self.format = format
    self.shape = shape
    self.strides = strides ?? TensorView.denseStrides(format, shape)
  }

  public static func denseStrides(_ format: ElementFormat, _ shape: [Int]) -> [Int] {
    var strides = [Int](repeating: format.blockBytes, count: shape.count)
    var step = format.blockBytes
    for i in shape.indices.reversed() {
      strides[i] = step
      step *= max(i == shape.count - 1 ? shape[i] / format.blockElements : shape[i], 1)
    }
    return strides
  }

  public var count: Int { shape.reduce(1, *) }
  /// Elements along the last dimension; 1 for a scalar.
  public var rowLength: Int { shape.last ?? 1 }
  public var rowCount: Int { shape.dropLast().reduce(1, *) }
  var isDense: Bool { count == 0 || strides == TensorView.denseStrides(format, shape) }

  /// Bytes from `base` to row `row`, rows counted in row-major order.
  func offset(ofRow row: Int) -> Int {
    var (rest, offset) = (row, 0)
    for i in shape.indices.dropLast().reversed() {
      offset += rest % shape[i] * strides[i]
      rest /= shape[i]
    }
    return offset
  }

  /// The elements of one row; `magnitudes` instead gives |product| + |offset| of each.
  func decode(row: Int, magnitudes: Bool = false, _ decoder: BlockFormat?, into out: UnsafeMutablePointer<Double>) {
    let (from, count, stride) = (base + offset(ofRow: row), rowLength, strides.last ?? format.blockBytes)
    guard let decoder else {
      PlainFormat.decode(format, from, stride: stride, count: count, into: out)
      if magnitudes { for i in 0..<count { out[i] = abs(out[i]) } }
      return
    }
    let length = format.blockElements
    withUnsafeTemporaryAllocation(of: Float.self, capacity: 512) { buffer in
      let (product, offset) = (buffer.baseAddress!, buffer.baseAddress! + 256)
      for block in 0..<count / length {
        decoder.decode((from + block * stride).assumingMemoryBound(to: UInt8.self), product, offset)
        let out = out + block * length
        switch (decoder.hasMinimum || decoder.hasZeroPoint && magnitudes, magnitudes) {
        case (false, false): for i in 0..<length { out[i] = Double(product[i]) }
        case (false, true): for i in 0..<length { out[i] = Double(abs(product[i])) }
        case (true, false): for i in 0..<length { out[i] = Double(product[i] + offset[i]) }
        case (true, true): for i in 0..<length { out[i] = Double(abs(product[i])) + Double(abs(offset[i])) }
        }
      }
    }
  }

  /// Every element, row-major.
  public func decoded() -> [Double] {
    let decoder = BlockFormat.named(format)
    return [Double](filling: count) { out in
      for row in 0..<rowCount { decode(row: row, decoder, into: out.baseAddress! + row * rowLength) }
    }
  }

  /// Every element of an integer or bool tensor, row-major.
  func integers() -> [Int64] {
    [Int64](filling: count) { out in
      for row in 0..<rowCount {
        PlainFormat.decodeIntegers(format, base + offset(ofRow: row), stride: strides.last ?? format.blockBytes, count: rowLength,
                                   into: out.baseAddress! + row * rowLength)
      }
    }
  }

  /// The blocks (elements of a plain format) as they are, dense and row-major.
  public func bytes() -> [UInt8] {
    let size = format.blockBytes
    let total = count / format.blockElements * size
    return [UInt8](filling: total) { out in
      if isDense { out.baseAddress!.update(from: base.assumingMemoryBound(to: UInt8.self), count: total); return }
      var to = UnsafeMutableRawPointer(out.baseAddress!)
      for row in 0..<rowCount {
        let from = base + offset(ofRow: row)
        for unit in 0..<rowLength / format.blockElements {
          to.copyMemory(from: from + unit * (strides.last ?? size), byteCount: size)
          to += size
        }
      }
    }
  }

  /// Writes dense row-major blocks to where this view says.
  func store(_ bytes: [UInt8]) {
    let (size, total) = (format.blockBytes, count / format.blockElements * format.blockBytes)
    precondition(bytes.count == total, "\(bytes.count) bytes for a tensor of \(total)")
    guard total > 0 else { return }
    let to = UnsafeMutableRawPointer(mutating: base)
    bytes.withUnsafeBytes { from in
      if isDense { to.copyMemory(from: from.baseAddress!, byteCount: total); return }
      var at = from.baseAddress!
      for row in 0..<rowCount {
        let row = to + offset(ofRow: row)
        for unit in 0..<rowLength / format.blockElements {
          (row + unit * (strides.last ?? size)).copyMemory(from: at, byteCount: size)
          at += size
        }
      }
    }
  }
}
