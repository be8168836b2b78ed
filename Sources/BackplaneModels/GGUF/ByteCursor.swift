/// A position in bytes that never moves past their end.
///
/// Reads answer nil, and do not move, when there are too few bytes left.
struct ByteCursor {
  let bytes: UnsafeRawBufferPointer
  private(set) var position = 0

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  var remaining: Int { bytes.count - position }

  /// The next little-endian number.
  mutating func next<T: FixedWidthInteger & BitwiseCopyable>(_: T.Type) -> T? {
    guard remaining >= MemoryLayout<T>.size else { return nil }
    defer { position += MemoryLayout<T>.size }
    return T(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: T.self))
  }

  mutating func next(byteCount: Int) -> UnsafeRawBufferPointer? {
    guard byteCount >= 0, byteCount <= remaining else { return nil }
    defer { position += byteCount }
    return UnsafeRawBufferPointer(rebasing: bytes[position..<(position + byteCount)])
  }

  /// Why an array could not be skipped.
  enum ArrayFault {
    case pastTheEnd, tooDeep, unknownType(UInt32), notBool
  }

  /// Arrays may hold arrays this many levels down; more is refused, since recursion eats stack.
  static let maximumDepth = 4

  /// Moves over the elements of an array; nil when all is well.
  mutating func skip(_ count: Int, _ type: GGUFValueType, depth: Int) -> ArrayFault? {
    switch type {
    case .string:
      if count > remaining / 8 { return .pastTheEnd }
      // The one loop that sees every token of a vocabulary.
      var at = position
      let end = bytes.count
      for _ in 0..<count {
        if end - at < 8 { return .pastTheEnd }
        let length = bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self)
        at += 8
        if length > UInt64(end - at) { return .pastTheEnd }
        at += Int(length)
      }
      position = at
    case .array:
      if depth >= ByteCursor.maximumDepth { return .tooDeep }
      if count > remaining / 12 { return .pastTheEnd }
      for _ in 0..<count {
        guard let code = next(UInt32.self), let inner = next(UInt64.self) else { return .pastTheEnd }
        guard let type = GGUFValueType(rawValue: code) else { return .unknownType(code) }
        guard let inner = Int(exactly: inner) else { return .pastTheEnd }
        if let fault = skip(inner, type, depth: depth + 1) { return fault }
      }
    default:
      let size = type.byteCount!
      guard count <= remaining / size, let values = next(byteCount: count * size) else { return .pastTheEnd }
      if type == .bool, values.contains(where: { $0 > 1 }) { return .notBool }
    }
    return nil
  }
}

extension Array where Element == UInt8 {
  mutating func appendLittleEndian<T: FixedWidthInteger>(_ value: T) {
    Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
  }
}
