import BackplaneCore

/// Reads protocol buffers field by field, straight from memory that someone else keeps.
///
/// Nothing in a message is believed: every length is checked against what encloses it, nesting is limited, and an error names the byte.
/// The wire format: protobuf.dev/programming-guides/encoding.
struct ProtobufReader {
  enum Wire: UInt8 { case varint = 0, fixed64 = 1, bytes = 2, groupStart = 3, groupEnd = 4, fixed32 = 5 }

  /// Messages within messages, at most.
  static let deepest = 64

  private let memory: UnsafeRawBufferPointer
  private(set) var offset: Int
  private let end: Int
  private let depth: Int
  /// Of the field that `next` found.
  private(set) var field = 0
  private var wire = Wire.varint

  init(_ memory: UnsafeRawBufferPointer) { self.init(memory, 0..<memory.count, depth: 0) }

  private init(_ memory: UnsafeRawBufferPointer, _ range: Range<Int>, depth: Int) {
    (self.memory, offset, end, self.depth) = (memory, range.lowerBound, range.upperBound, depth)
  }

  func error(_ message: String) -> BackplaneError { BackplaneError(.file, "byte \(offset): \(message)") }

  // MARK: Fields

  /// Goes to the next field; false at the message's end. The field must then be read or skipped.
  mutating func next() throws(BackplaneError) -> Bool {
    if offset == end { return false }
    let key = try rawVarint()
    guard key >> 3 > 0, key >> 3 < 1 << 29, let kind = Wire(rawValue: UInt8(key & 7)) else { throw error("\(key) is no field's key") }
    (field, wire) = (Int(key >> 3), kind)
    return true
  }

  mutating func skip() throws(BackplaneError) {
    switch wire {
    case .varint: _ = try rawVarint()
    case .fixed64: try take(8)
    case .fixed32: try take(4)
    case .bytes: _ = try range()
    case .groupStart, .groupEnd: throw error("field \(field) is a group, which this format does not have")
    }
  }

  mutating func int() throws(BackplaneError) -> Int {
    try expect(.varint)
    return Int(Int64(bitPattern: try rawVarint()))
  }

  mutating func float() throws(BackplaneError) -> Float {
    try expect(.fixed32)
    return try fixed(UInt32.self, Float.init(bitPattern:))
  }

  /// Where the bytes of a length-delimited field lie.
  mutating func bytes() throws(BackplaneError) -> Range<Int> {
    try expect(.bytes)
    return try range()
  }

  /// The bytes of the field, valid as long as the reader's memory.
  mutating func data() throws(BackplaneError) -> UnsafeRawBufferPointer { contents(of: try bytes()) }

  func contents(of range: Range<Int>) -> UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory[range]) }

  mutating func string() throws(BackplaneError) -> String {
    let range = try bytes()
    guard let text = String(validating: contents(of: range), as: UTF8.self) else { throw error("field \(field) is not UTF-8") }
    return text
  }

  /// A reader of the message that the field holds.
  mutating func message() throws(BackplaneError) -> ProtobufReader {
    let range = try bytes()
    guard depth < ProtobufReader.deepest else { throw error("messages lie more than \(ProtobufReader.deepest) deep in each other") }
    return ProtobufReader(memory, range, depth: depth + 1)
  }

  // MARK: Repeated numbers, packed or one a field

  mutating func append(ints list: inout [Int]) throws(BackplaneError) {
    try repeated(.varint) { reader throws(BackplaneError) in list.append(Int(Int64(bitPattern: try reader.rawVarint()))) }
  }
  mutating func append(floats list: inout [Float]) throws(BackplaneError) {
    try repeated(.fixed32) { reader throws(BackplaneError) in list.append(try reader.fixed(UInt32.self, Float.init(bitPattern:))) }
  }
  mutating func append(doubles list: inout [Double]) throws(BackplaneError) {
    try repeated(.fixed64) { reader throws(BackplaneError) in list.append(try reader.fixed(UInt64.self, Double.init(bitPattern:))) }
  }

  private mutating func repeated(_ element: Wire, _ read: (inout ProtobufReader) throws(BackplaneError) -> Void) throws(BackplaneError) {
    if wire == element { try read(&self); return }
    try expect(.bytes)
    var packed = ProtobufReader(memory, try range(), depth: depth)
    packed.field = field
    while packed.offset < packed.end { try read(&packed) }
  }

  // MARK: Bytes

  private func expect(_ wanted: Wire) throws(BackplaneError) {
    if wire != wanted { throw error("field \(field) has wire type \(wire.rawValue), needed is \(wanted.rawValue)") }
  }

  private mutating func take(_ count: Int) throws(BackplaneError) {
    guard count <= end - offset else { throw error("field \(field) needs \(count) bytes, \(end - offset) are left") }
    offset += count
  }

  private mutating func range() throws(BackplaneError) -> Range<Int> {
    let length = try rawVarint()
    guard length <= UInt64(end - offset) else { throw error("field \(field) says it has \(length) bytes, \(end - offset) are left") }
    offset += Int(length)
    return offset - Int(length)..<offset
  }

  private mutating func fixed<Bits: FixedWidthInteger, Value>(_: Bits.Type, _ make: (Bits) -> Value) throws(BackplaneError) -> Value {
    let at = offset
    try take(MemoryLayout<Bits>.size)
    return make(Bits(littleEndian: memory.loadUnaligned(fromByteOffset: at, as: Bits.self)))
  }

  private mutating func rawVarint() throws(BackplaneError) -> UInt64 {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 70, by: 7) {
      guard offset < end else { throw error("a number is cut off") }
      let byte = memory[offset]
      offset += 1
      if shift == 63, byte > 1 { break }
      value |= UInt64(byte & 0x7f) << shift
      if byte & 0x80 == 0 { return value }
    }
    throw error("a number is longer than 64 bits")
  }
}
