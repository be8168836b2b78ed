import BackplaneCore

/// What the oracle says a tensor's elements are: their values and how far a correct kernel may be from each.
public struct ReferenceTensor: Sendable {
  public let format: ElementFormat
  public let shape: [Int]
  /// Row-major. Results that are not exact are not rounded to `format`: the bound holds that rounding.
  public var values: [Double] { stored ?? withView { $0.decoded() } }
  /// How far a correct result may be from each value; nil when it must be exact, or when nobody asked.
  ///
  /// Infinite where nothing can be promised (a sum that may overflow in another order); NaN where the result may be any number
  /// that is not finite.
  public internal(set) var error: [Double]?
  /// The result bit for bit, where an operator moves or converts elements. Dense.
  public let bits: [UInt8]?
  private let stored: [Double]?

  public init(_ format: ElementFormat, _ shape: [Int], values: [Double], error: [Double]? = nil) {
    precondition(values.count == shape.reduce(1, *) && error.map { $0.count == values.count } ?? true, "one value for each element")
    self.format = format
    self.shape = shape
    self.error = error
    stored = values
    bits = nil
  }

  public init(_ format: ElementFormat, _ shape: [Int], bits: [UInt8]) {
    self.format = format
    self.shape = shape
    self.bits = bits
    stored = nil
  }

  /// Decodes a tensor in memory.
  public init(_ view: TensorView) { self.init(view.format, view.shape, values: view.decoded()) }

  public var count: Int { shape.reduce(1, *) }

  /// The elements in `format`: floats rounded to nearest, ties to even; q8_0 and q4_0 as ggml's reference quantizers do.
  ///
  /// - Throws: ``BackplaneError`` (unsupported) for a block format that nothing writes.
  public func encoded() throws(BackplaneError) -> [UInt8] {
    if let bits { return bits }
    let values = values
    if format.isBlock {
      guard let quantize = Quantizer.named(format) else { throw BackplaneError(.unsupported, "nothing quantises to \(format)") }
      let (length, size) = (format.blockElements, format.blockBytes)
      guard values.count % length == 0 else { throw BackplaneError(.invalid, "\(values.count) elements are not whole blocks of \(format)") }
      let row = values.map(Float.init)
      return [UInt8](filling: values.count / length * size) { out in
        row.withUnsafeBufferPointer { row in
          for block in 0..<values.count / length { quantize(row.baseAddress! + block * length, out.baseAddress! + block * size) }
        }
      }
    }
    let size = format.blockBytes
    return [UInt8](filling: values.count * size) { out in
      var to = UnsafeMutableRawPointer(out.baseAddress!)
      for value in values {
        PlainFormat.encode(value, format, to: to)
        to += size
      }
    }
  }

  private func withView<R>(_ body: (TensorView) -> R) -> R {
    bits!.withUnsafeBytes { body(TensorView($0.baseAddress ?? UnsafeRawPointer(bitPattern: 8)!, format, shape)) }
  }
}
