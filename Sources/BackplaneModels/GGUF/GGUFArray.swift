/// A metadata array, left as it lies in the file and decoded when asked.
///
/// A vocabulary of 262,144 strings costs nothing until it is read. Keeps the mapping alive. Immutable; any thread.
public struct GGUFArray: @unchecked Sendable {
  public let elementType: GGUFValueType
  public let count: Int
  /// The elements as the file has them: little-endian, strings preceded by their length in 8 bytes.
  let bytes: UnsafeRawBufferPointer
  let owner: FileMapping

  init(elementType: GGUFValueType, count: Int, bytes: UnsafeRawBufferPointer, owner: FileMapping) {
    self.elementType = elementType
    self.count = count
    self.bytes = bytes
    self.owner = owner
  }

  private init(_ type: GGUFValueType, _ count: Int, encoded: [UInt8]) {
    let owner = FileMapping(contents: encoded)
    self.init(elementType: type, count: count, bytes: owner.bytes, owner: owner)
  }

  public init(_ values: [String]) { self.init(values.map { Array($0.utf8) }) }
  /// Strings given as bytes, which need not be UTF-8.
  public init(_ values: [[UInt8]]) {
    var encoded: [UInt8] = []
    for value in values {
      encoded.appendLittleEndian(UInt64(value.count))
      encoded += value
    }
    self.init(.string, values.count, encoded: encoded)
  }
  public init(_ values: [Float]) { self.init(.float32, values.count, encoded: values.withUnsafeBytes(Array.init)) }
  public init(_ values: [Double]) { self.init(.float64, values.count, encoded: values.withUnsafeBytes(Array.init)) }
  public init(_ values: [UInt8]) { self.init(.uint8, values.count, encoded: values) }
  public init(_ values: [Int32]) { self.init(.int32, values.count, encoded: values.withUnsafeBytes(Array.init)) }
  public init(_ values: [UInt32]) { self.init(.uint32, values.count, encoded: values.withUnsafeBytes(Array.init)) }
  public init(_ values: [Int64]) { self.init(.int64, values.count, encoded: values.withUnsafeBytes(Array.init)) }
  public init(_ values: [Bool]) { self.init(.bool, values.count, encoded: values.map { $0 ? 1 : 0 }) }
  /// Arrays of arrays.
  public init(_ values: [GGUFArray]) {
    var encoded: [UInt8] = []
    for value in values {
      encoded.appendLittleEndian(value.elementType.rawValue)
      encoded.appendLittleEndian(UInt64(value.count))
      encoded += value.bytes
    }
    self.init(.array, values.count, encoded: encoded)
  }

  /// The elements of any integer type; nil for other types and when one does not fit.
  public func ints() -> [Int]? {
    switch elementType {
    case .uint8: load(UInt8.self).map(Int.init)
    case .int8: load(Int8.self).map(Int.init)
    case .uint16: load(UInt16.self).map(Int.init)
    case .int16: load(Int16.self).map(Int.init)
    case .uint32: load(UInt32.self).map(Int.init)
    case .int32: load(Int32.self).map(Int.init)
    case .int64: load(Int64.self).map(Int.init)
    case .uint64: load(UInt64.self).allSatisfy { $0 <= UInt64(Int.max) } ? load(UInt64.self).map(Int.init) : nil
    default: nil
    }
  }

  /// The elements of either float type, nil for other types.
  public func floats() -> [Double]? {
    switch elementType {
    case .float32: load(Float.self).map(Double.init)
    case .float64: load(Double.self)
    default: nil
    }
  }

  public func bools() -> [Bool]? { elementType == .bool ? bytes.map { $0 != 0 } : nil }

  /// The elements as strings, ill-formed UTF-8 repaired; nil for other types.
  public func strings() -> [String]? {
    stringOffsets().map { $0.map { String(decoding: self.string(at: $0), as: UTF8.self) } }
  }

  public func arrays() -> [GGUFArray]? {
    guard elementType == .array else { return nil }
    var cursor = ByteCursor(bytes)
    return (0..<count).map { _ in
      // The file's parser has been here: nothing can be missing.
      let type = GGUFValueType(rawValue: cursor.next(UInt32.self)!)!
      let count = Int(cursor.next(UInt64.self)!)
      let start = cursor.position
      _ = cursor.skip(count, type, depth: 0)
      return GGUFArray(elementType: type, count: count, bytes: UnsafeRawBufferPointer(rebasing: bytes[start..<cursor.position]), owner: owner)
    }
  }

  /// The elements in memory order, for a type of the element's size.
  func load<T: BitwiseCopyable>(_: T.Type) -> [T] {
    [T](filling: count) { buffer in
      UnsafeMutableRawBufferPointer(buffer).copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<(count * MemoryLayout<T>.stride)]))
    }
  }

  /// Where the bytes of each string begin, counted from the start of `bytes`; nil for other types.
  func stringOffsets() -> [Int]? {
    guard elementType == .string else { return nil }
    return [Int](filling: count) { buffer in
      var position = 0
      var i = 0
      while i < count {
        let length = bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self)
        buffer[i] = position + 8
        position += 8 + Int(truncatingIfNeeded: length)
        i += 1
      }
    }
  }

  /// The string that begins at `offset`, one of ``stringOffsets()``.
  func string(at offset: Int) -> UnsafeRawBufferPointer {
    let length = Int(truncatingIfNeeded: bytes.loadUnaligned(fromByteOffset: offset - 8, as: UInt64.self))
    return UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset + length)])
  }
}
