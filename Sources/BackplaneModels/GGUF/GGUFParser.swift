/// Reads the header of a GGUF file and trusts nothing in it.
///
/// Layout: magic, version, tensor count, pair count; pairs; tensor records; padding to the alignment; data.
struct GGUFParser {
  private let mapping: FileMapping
  private var cursor: ByteCursor
  private(set) var version: UInt32 = 0
  private(set) var alignment = 32
  private(set) var keys: [String] = []
  private(set) var values: [String: GGUFValue] = [:]
  private(set) var tensors: [GGUFTensor] = []
  private(set) var tensorsByName: [String: Int] = [:]

  static let magic: UInt32 = 0x4655_4747  // "GGUF"
  static let longestName = 65_535
  static let damaged = "the file is truncated or damaged: copy or download it again"
  static let malformed = "the file was written wrongly: convert the model again with a current converter"

  init(_ mapping: FileMapping) {
    self.mapping = mapping
    cursor = ByteCursor(mapping.bytes)
  }

  mutating func parse() throws(BackplaneError) {
    let (pairCount, tensorCount) = try readCounts()
    for i in 0..<pairCount { try readPair("metadata entry \(i + 1) of \(pairCount)") }
    try readAlignment()
    var records: [Record] = []
    records.reserveCapacity(tensorCount)
    for i in 0..<tensorCount { records.append(try readRecord("tensor \(i + 1) of \(tensorCount)")) }
    try place(records)
  }

  // MARK: Header

  private mutating func readCounts() throws(BackplaneError) -> (pairs: Int, tensors: Int) {
    guard let magic = cursor.next(UInt32.self) else { throw truncated("the magic number") }
    if magic != GGUFParser.magic {
      let text = mapping.bytes.prefix(4).map { (0x20..<0x7f).contains($0) ? String(UnicodeScalar($0)) : "\\x" + hex($0) }.joined()
      throw fail("is not a GGUF file: it begins with \"\(text)\", not \"GGUF\"", "convert the model to GGUF first")
    }
    version = try next(UInt32.self, "the version")
    if version.byteSwapped == 2 || version.byteSwapped == 3 {
      throw fail("is a big-endian GGUF file", "convert it to little-endian; big-endian files are not supported")
    }
    if version != 2 && version != 3 { throw fail("is GGUF version \(version); versions 2 and 3 are known", "convert the model again with a current converter") }
    let tensors = try next(UInt64.self, "the tensor count")
    let pairs = try next(UInt64.self, "the metadata count")
    // The shortest pair is 8 + 1 + 4 + 1 bytes, the shortest tensor record 8 + 1 + 4 + 4 + 8.
    func check(_ count: UInt64, _ bytes: Int, _ what: String) throws(BackplaneError) -> Int {
      guard count <= UInt64(cursor.remaining / bytes) else {
        throw fail("claims \(count) \(what), more than its \(mapping.bytes.count) bytes can hold", GGUFParser.damaged)
      }
      return Int(count)
    }
    return (try check(pairs, 14, "metadata entries"), try check(tensors, 25, "tensors"))
  }

  private mutating func readPair(_ place: String) throws(BackplaneError) {
    let key = try name("the key of \(place)")
    let what = "metadata \(key)"
    let code = try next(UInt32.self, "the type of \(what)")
    guard let type = GGUFValueType(rawValue: code) else {
      throw fail("\(what) has type \(code); types 0 to 12 are known", GGUFParser.damaged)
    }
    let value = try value(type, what)
    if values.updateValue(value, forKey: key) != nil { throw fail("\(what) appears twice", GGUFParser.malformed) }
    keys.append(key)
  }

  private mutating func value(_ type: GGUFValueType, _ what: String) throws(BackplaneError) -> GGUFValue {
    switch type {
    case .uint8: return .uint8(try next(UInt8.self, what))
    case .int8: return .int8(try next(Int8.self, what))
    case .uint16: return .uint16(try next(UInt16.self, what))
    case .int16: return .int16(try next(Int16.self, what))
    case .uint32: return .uint32(try next(UInt32.self, what))
    case .int32: return .int32(try next(Int32.self, what))
    case .uint64: return .uint64(try next(UInt64.self, what))
    case .int64: return .int64(try next(Int64.self, what))
    case .float32: return .float32(Float(bitPattern: try next(UInt32.self, what)))
    case .float64: return .float64(Double(bitPattern: try next(UInt64.self, what)))
    case .bool:
      let byte = try next(UInt8.self, what)
      if byte > 1 { throw fail("\(what) is a bool with value \(byte); 0 or 1 is wanted", GGUFParser.damaged) }
      return .bool(byte == 1)
    case .string: return .string(String(decoding: try string(what), as: UTF8.self))
    case .array: return .array(try array(what))
    }
  }

  private mutating func array(_ what: String) throws(BackplaneError) -> GGUFArray {
    let code = try next(UInt32.self, "the element type of \(what)")
    let count = try next(UInt64.self, "the element count of \(what)")
    guard let type = GGUFValueType(rawValue: code) else { throw unknownElement(what, code) }
    let start = cursor.position
    guard let elements = Int(exactly: count) else { throw pastTheEnd("\(what): array of \(count) elements", start) }
    switch cursor.skip(elements, type, depth: 0) {
    case nil: break
    case .pastTheEnd: throw pastTheEnd("\(what): array of \(count) × \(type)", start)
    case .tooDeep: throw fail("\(what): arrays nest deeper than \(ByteCursor.maximumDepth) levels", GGUFParser.malformed)
    case .unknownType(let code): throw unknownElement(what, code)
    case .notBool: throw fail("\(what): a bool element is neither 0 nor 1", GGUFParser.damaged)
    }
    let bytes = UnsafeRawBufferPointer(rebasing: mapping.bytes[start..<cursor.position])
    return GGUFArray(elementType: type, count: elements, bytes: bytes, owner: mapping)
  }

  private mutating func readAlignment() throws(BackplaneError) {
    guard let value = values["general.alignment"] else { return }
    guard let number = value.int, number > 0, number & (number - 1) == 0, number <= 1 << 30 else {
      throw fail("metadata general.alignment is \(value) (\(value.type)); a power of two up to 2^30 is wanted", GGUFParser.malformed)
    }
    alignment = number
  }

  // MARK: Tensors

  private struct Record {
    var name: String
    var format: ElementFormat
    var shape: Shape
    var relativeOffset: Int
    var byteCount: Int
  }

  private mutating func readRecord(_ place: String) throws(BackplaneError) -> Record {
    let name = try name("the name of \(place)")
    if tensorsByName.updateValue(tensorsByName.count, forKey: name) != nil { throw fail("tensor \(name) appears twice", GGUFParser.malformed) }
    let rank = try next(UInt32.self, "the rank of tensor \(name)")
    if rank > UInt32(Shape.maximumRank) {
      throw fail("tensor \(name) has \(rank) dimensions; at most \(Shape.maximumRank) are supported", GGUFParser.damaged)
    }
    var innerFirst: [UInt64] = []
    for _ in 0..<rank { innerFirst.append(try next(UInt64.self, "the extents of tensor \(name)")) }
    let code = try next(UInt32.self, "the type of tensor \(name)")
    let offset = try next(UInt64.self, "the offset of tensor \(name)")
    guard let format = ElementFormat.with(ggmlType: Int(code)) else {
      let known = ElementFormat.all.compactMap { format in format.ggmlType.map { "\($0) \(format)" } }.joined(separator: ", ")
      throw fail("quantization not known: type \(code) of tensor \(name); known: \(known)", "quantize the model to one of these")
    }
    let (shape, bytes) = try size(name, innerFirst, format)
    if offset % UInt64(alignment) != 0 {
      throw fail("tensor \(name) lies at offset \(offset), not a multiple of the alignment \(alignment)", GGUFParser.malformed)
    }
    guard let relative = Int(exactly: offset) else { throw outside(name, "offset \(offset)") }
    return Record(name: name, format: format, shape: shape, relativeOffset: relative, byteCount: bytes)
  }

  private func size(_ name: String, _ innerFirst: [UInt64], _ format: ElementFormat) throws(BackplaneError) -> (Shape, Int) {
    let text = "[" + innerFirst.reversed().map { "\($0)" }.joined(separator: ", ") + "]"
    if let inner = innerFirst.first, inner % UInt64(format.blockElements) != 0 {
      throw fail("tensor \(name)\(text) of \(format): the last extent is not a multiple of the block of \(format.blockElements)", GGUFParser.damaged)
    }
    var elements = 1
    for extent in innerFirst {
      let (product, overflow) = elements.multipliedReportingOverflow(by: Int(exactly: extent) ?? .max)
      if overflow || extent > UInt64(Int.max) { throw fail("tensor \(name)\(text): the number of elements overflows 64 bits", GGUFParser.damaged) }
      elements = product
    }
    guard let bytes = format.bytes(forElements: elements) else {
      throw fail("tensor \(name)\(text) of \(format): its size in bytes overflows 64 bits or is not whole blocks", GGUFParser.damaged)
    }
    return (Shape(innerFirst.reversed().map { Int($0) }), bytes)
  }

  /// Turns offsets within the data section into offsets within the file, and checks that tensors lie in the file and apart.
  private mutating func place(_ records: [Record]) throws(BackplaneError) {
    let dataStart = (cursor.position + alignment - 1) & ~(alignment - 1)
    let available = mapping.bytes.count - dataStart
    for record in records {
      if record.relativeOffset > available || record.byteCount > available - record.relativeOffset {
        throw outside(record.name, "bytes \(record.relativeOffset) to \(record.relativeOffset.addingReportingOverflow(record.byteCount).partialValue)"
          + " of a data section of \(max(available, 0))")
      }
      tensors.append(GGUFTensor(name: record.name, format: record.format, shape: record.shape,
                                offset: dataStart + record.relativeOffset, byteCount: record.byteCount))
    }
    let ordered = tensors.filter { $0.byteCount > 0 }.sorted { $0.offset < $1.offset }
    for (a, b) in zip(ordered, ordered.dropFirst()) where a.offset + a.byteCount > b.offset {
      throw fail("tensors \(a.name) (offset \(a.offset), \(a.byteCount) bytes) and \(b.name) (offset \(b.offset)) overlap", GGUFParser.malformed)
    }
  }

  // MARK: Pieces

  private mutating func next<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type, _ what: String) throws(BackplaneError) -> T {
    if let value = cursor.next(type) { return value }
    throw truncated(what)
  }

  private mutating func string(_ what: String) throws(BackplaneError) -> UnsafeRawBufferPointer {
    let length = try next(UInt64.self, "the length of \(what)")
    let start = cursor.position
    guard let count = Int(exactly: length), let bytes = cursor.next(byteCount: count) else {
      throw pastTheEnd("\(what): string of \(length) bytes", start)
    }
    return bytes
  }

  /// A key or a tensor's name: not empty, not absurdly long, UTF-8.
  private mutating func name(_ what: String) throws(BackplaneError) -> String {
    let bytes = try string(what)
    guard (1...GGUFParser.longestName).contains(bytes.count) else {
      throw fail("\(what) has \(bytes.count) bytes; 1 to \(GGUFParser.longestName) are allowed", GGUFParser.damaged)
    }
    guard let text = String(validating: bytes, as: UTF8.self) else { throw fail("\(what) is not UTF-8", GGUFParser.damaged) }
    return text
  }

  private func hex(_ byte: UInt8) -> String { (byte < 16 ? "0" : "") + String(byte, radix: 16) }
  private func fail(_ message: String, _ hint: String) -> BackplaneError { BackplaneError(.file, message, subject: mapping.path, hint: hint) }
  private func truncated(_ what: String) -> BackplaneError {
    fail("ends at byte \(mapping.bytes.count), within \(what) (byte \(cursor.position))", GGUFParser.damaged)
  }
  private func pastTheEnd(_ what: String, _ offset: Int) -> BackplaneError {
    fail("\(what) at byte \(offset) reaches past the end of the file (\(mapping.bytes.count) bytes)", GGUFParser.damaged)
  }
  private func unknownElement(_ what: String, _ code: UInt32) -> BackplaneError {
    fail("\(what): array elements of type \(code); types 0 to 12 are known", GGUFParser.damaged)
  }
  private func outside(_ name: String, _ what: String) -> BackplaneError {
    fail("tensor \(name) reaches past the end of the file: \(what)", GGUFParser.damaged)
  }
}
