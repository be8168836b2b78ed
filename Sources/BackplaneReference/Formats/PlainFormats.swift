import BackplaneCore

/// Reading and writing elements of the plain formats, and rounding to them.
enum PlainFormat {
  /// Decodes `count` elements that lie `stride` bytes apart.
  static func decode(_ format: ElementFormat, _ from: UnsafeRawPointer, stride: Int, count: Int, into out: UnsafeMutablePointer<Double>) {
    switch format {
    case .f32: each(UInt32.self, from, stride, count) { out[$0] = Double(Float(bitPattern: $1)) }
    case .f16: each(UInt16.self, from, stride, count) { out[$0] = Double(Float16(bitPattern: $1)) }
    case .bf16: each(UInt16.self, from, stride, count) { out[$0] = Double(Float(bitPattern: UInt32($1) << 16)) }
    case .f64: each(UInt64.self, from, stride, count) { out[$0] = Double(bitPattern: $1) }
    case .i8: each(Int8.self, from, stride, count) { out[$0] = Double($1) }
    case .u8: each(UInt8.self, from, stride, count) { out[$0] = Double($1) }
    case .i16: each(Int16.self, from, stride, count) { out[$0] = Double($1) }
    case .i32: each(Int32.self, from, stride, count) { out[$0] = Double($1) }
    case .i64: each(Int64.self, from, stride, count) { out[$0] = Double($1) }
    case .bool: each(UInt8.self, from, stride, count) { out[$0] = $1 == 0 ? 0 : 1 }
    default: preconditionFailure("\(format) is no plain format")
    }
  }

  /// Decodes whole numbers, which a Double holds only up to 2^53.
  static func decodeIntegers(_ format: ElementFormat, _ from: UnsafeRawPointer, stride: Int, count: Int, into out: UnsafeMutablePointer<Int64>) {
    switch format {
    case .i8: each(Int8.self, from, stride, count) { out[$0] = Int64($1) }
    case .u8: each(UInt8.self, from, stride, count) { out[$0] = Int64($1) }
    case .i16: each(Int16.self, from, stride, count) { out[$0] = Int64($1) }
    case .i32: each(Int32.self, from, stride, count) { out[$0] = Int64($1) }
    case .i64: each(Int64.self, from, stride, count) { out[$0] = $1 }
    case .bool: each(UInt8.self, from, stride, count) { out[$0] = $1 == 0 ? 0 : 1 }
    default: preconditionFailure("\(format) holds no whole numbers")
    }
  }

  /// Encodes one element: floats to nearest, ties to even; integers truncated and limited to the range, NaN as 0.
  static func encode(_ value: Double, _ format: ElementFormat, to out: UnsafeMutableRawPointer) {
    switch format {
    case .f32: out.storeBytes(of: Float(value).bitPattern, as: UInt32.self)
    case .f16: out.storeBytes(of: Float16(value).bitPattern, as: UInt16.self)
    case .bf16: out.storeBytes(of: brainFloat(value), as: UInt16.self)
    case .f64: out.storeBytes(of: value.bitPattern, as: UInt64.self)
    case .i8: out.storeBytes(of: whole(value), as: Int8.self)
    case .u8: out.storeBytes(of: whole(value), as: UInt8.self)
    case .i16: out.storeBytes(of: whole(value), as: Int16.self)
    case .i32: out.storeBytes(of: whole(value), as: Int32.self)
    case .i64: out.storeBytes(of: whole(value), as: Int64.self)
    case .bool: out.storeBytes(of: value == 0 ? 0 : 1, as: UInt8.self)
    default: preconditionFailure("\(format) is no plain format")
    }
  }

  static func encode(_ value: Int64, _ format: ElementFormat, to out: UnsafeMutableRawPointer) {
    switch format {
    case .i8: out.storeBytes(of: Int8(clamping: value), as: Int8.self)
    case .u8: out.storeBytes(of: UInt8(clamping: value), as: UInt8.self)
    case .i16: out.storeBytes(of: Int16(clamping: value), as: Int16.self)
    case .i32: out.storeBytes(of: Int32(clamping: value), as: Int32.self)
    case .i64: out.storeBytes(of: value, as: Int64.self)
    default: encode(oddlyRounded(value), format, to: out)
    }
  }

  /// The number of `format` nearest to `value`.
  static func round(_ value: Double, to format: ElementFormat) -> Double {
    switch format {
    case .f32: Double(Float(value))
    case .f16: Double(Float16(value))
    case .bf16: Double(Float(bitPattern: UInt32(brainFloat(value)) << 16))
    case .f64: value
    default: value.isNaN ? 0 : value.rounded(.towardZero)
    }
  }

  @inline(__always)
  private static func each<T>(_: T.Type, _ from: UnsafeRawPointer, _ stride: Int, _ count: Int, _ body: (Int, T) -> Void) where T: BitwiseCopyable {
    for i in 0..<count { body(i, from.loadUnaligned(fromByteOffset: i * stride, as: T.self)) }
  }

  /// Truncated and limited to the range; NaN is 0.
  static func integer(_ value: Double) -> Int64 { whole(value) }

  private static func whole<T: FixedWidthInteger>(_ value: Double) -> T {
    if value.isNaN { return 0 }
    return T(exactly: value.rounded(.towardZero)) ?? (value < 0 ? .min : .max)
  }

  /// To nearest, ties to even, in one rounding.
  private static func brainFloat(_ value: Double) -> UInt16 {
    var f = Float(value)
    if f.isNaN { return UInt16(f.bitPattern >> 16) | 0x40 }
    if f.isFinite, Double(f) != value, f.bitPattern & 1 == 0 {
      // Round to odd first: an inexact f32 must not look like a tie between two bfloats.
      f = Double(f) < value ? f.nextUp : f.nextDown
    }
    let bits = f.bitPattern
    return f.isInfinite ? UInt16(bits >> 16) : UInt16(truncatingIfNeeded: (UInt64(bits) + 0x7fff + UInt64((bits >> 16) & 1)) >> 16)
  }

  /// A Double that rounds to any shorter float as `value` itself would.
  private static func oddlyRounded(_ value: Int64) -> Double {
    let near = Double(value)
    if Int64(exactly: near) == value || near.bitPattern & 1 == 1 { return near }
    // 2^63 is beyond Int64, so it compares as larger.
    return (Int64(exactly: near).map { $0 < value } ?? false) ? near.nextUp : near.nextDown
  }
}
