import BackplaneCore

extension ONNXTensor {
  /// The nearest whole number that there is; 0 for what is no number.
  static func whole(_ number: Double) -> Int {
    Int(exactly: number.rounded(.towardZero)) ?? (number.isNaN ? 0 : number > 0 ? .max : .min)
  }

  /// The elements as numbers, row-major. Types that have none here give an empty list.
  var numbers: [Double] {
    func read<T: FixedWidthInteger>(_: T.Type, _ value: (T) -> Double) -> [Double] {
      bytes.withUnsafeBytes { raw in (0..<raw.count / MemoryLayout<T>.size).map { value(T(littleEndian: raw.loadUnaligned(fromByteOffset: $0 * MemoryLayout<T>.size, as: T.self))) } }
    }
    return switch type {
    case .float: read(UInt32.self) { Double(Float(bitPattern: $0)) }
    case .double: read(UInt64.self) { Double(bitPattern: $0) }
    case .float16: read(UInt16.self) { Double(Float16(bitPattern: $0)) }
    case .bfloat16: read(UInt16.self) { Double(Float(bitPattern: UInt32($0) << 16)) }
    case .int64: read(Int64.self) { Double($0) }
    case .int32: read(Int32.self) { Double($0) }
    case .int16: read(Int16.self) { Double($0) }
    case .int8: read(Int8.self) { Double($0) }
    case .uint8, .bool: read(UInt8.self) { Double($0) }
    case .uint16: read(UInt16.self) { Double($0) }
    case .uint32: read(UInt32.self) { Double($0) }
    case .uint64: read(UInt64.self) { Double($0) }
    default: []
    }
  }

  /// - Throws: ``BackplaneError`` (unsupported) for a type that numbers are not written in here.
  init(_ type: ONNXDataType, _ shape: [Int], numbers: [Double]) throws(BackplaneError) {
    func bytes<T: FixedWidthInteger>(_ convert: (Double) -> T) -> [UInt8] { numbers.flatMap { number in withUnsafeBytes(of: convert(number).littleEndian) { Array($0) } } }
    func int<T: FixedWidthInteger>(_: T.Type) -> [UInt8] {
      bytes { number in number.isNaN ? 0 : number >= Double(T.max) ? T.max : number <= Double(T.min) ? T.min : T(number) }
    }
    let made: [UInt8]
    switch type {
    case .float: made = bytes { Float($0).bitPattern }
    case .double: made = bytes { $0.bitPattern }
    case .float16: made = bytes { Float16($0).bitPattern }
    case .bfloat16:
      made = bytes { number in
        let bits = Float(number).bitPattern
        return Float(number).isNaN ? UInt16(bits >> 16) | 0x40 : UInt16(truncatingIfNeeded: (bits + 0x7fff + (bits >> 16 & 1)) >> 16)
      }
    case .int64: made = int(Int64.self)
    case .int32: made = int(Int32.self)
    case .int16: made = int(Int16.self)
    case .int8: made = int(Int8.self)
    case .uint8: made = int(UInt8.self)
    case .bool: made = bytes { $0 == 0 ? UInt8(0) : 1 }
    default: throw .unmapped("no format for \(type)")
    }
    self.init(type, shape, bytes: made)
  }
}
