import Foundation

/// Collects metadata and tensors and writes them as a GGUF file, version 3.
///
/// Tensor bytes are held in memory until ``write(to:)``.
public struct GGUFWriter: Sendable {
  /// Every tensor begins at a multiple of this many bytes.
  public let alignment: Int
  private var pairs: [(key: String, value: GGUFValue)] = []
  private var tensors: [(name: String, format: ElementFormat, extents: [Int], bytes: [UInt8])] = []

  /// - Parameter alignment: A power of two; written as `general.alignment` when it is not 32.
  public init(alignment: Int = 32) {
    precondition(alignment > 0 && alignment & (alignment - 1) == 0, "alignment \(alignment) is not a power of two")
    self.alignment = alignment
    if alignment != 32 { pairs.append(("general.alignment", .uint32(UInt32(alignment)))) }
  }

  /// Sets a key, replacing an earlier value.
  public mutating func set(_ key: String, _ value: GGUFValue) {
    if let at = pairs.firstIndex(where: { $0.key == key }) { pairs[at].value = value } else { pairs.append((key, value)) }
  }

  /// Adds a tensor.
  ///
  /// - Parameters:
  ///   - extents: Outermost first.
  ///   - bytes: The encoded elements, exactly as many as format and extents need.
  public mutating func add(_ name: String, _ format: ElementFormat, _ extents: [Int], bytes: [UInt8]) {
    precondition(format.ggmlType != nil, "format \(format) has no number in GGUF files")
    precondition(format.bytes(forElements: extents.reduce(1, *)) == bytes.count, "tensor \(name)\(extents) of \(format): \(bytes.count) bytes given")
    precondition(!tensors.contains { $0.name == name }, "tensor \(name) appears twice")
    tensors.append((name, format, extents, bytes))
  }

  /// The whole file.
  public func encoded() -> [UInt8] {
    var file = header()
    file.reserveCapacity(file.count + tensors.reduce(0) { $0 + $1.bytes.count + alignment })
    for tensor in tensors {
      file += repeatElement(0, count: padding(file.count))
      file += tensor.bytes
    }
    return file + repeatElement(0, count: padding(file.count))
  }

  /// Writes the file under a temporary name and renames it, so that a reader sees all of it or nothing.
  ///
  /// - Throws: `BackplaneError` (file) when the place cannot be written or the disk is full.
  public func write(to path: String) throws(BackplaneError) {
    let partial = path + ".partial-\(getpid())"
    func fail(_ what: String) -> BackplaneError {
      let text = systemText(errno)
      unlink(partial)
      return BackplaneError(.file, "\(what): \(text)", subject: path, hint: "check that the folder exists, may be written and has space")
    }
    let descriptor = open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    if descriptor < 0 { throw fail("cannot be created") }
    let complete = encoded().withUnsafeBytes { bytes in
      var done = 0
      while done < bytes.count {
        let wrote = Foundation.write(descriptor, bytes.baseAddress! + done, bytes.count - done)
        if wrote < 0 && errno == EINTR { continue }
        if wrote <= 0 { return false }
        done += wrote
      }
      return true
    }
    if !complete {
      close(descriptor)
      throw fail("cannot be written")
    }
    if close(descriptor) != 0 || rename(partial, path) != 0 { throw fail("cannot be written") }
  }

  private func header() -> [UInt8] {
    var file: [UInt8] = []
    file.appendLittleEndian(GGUFParser.magic)
    file.appendLittleEndian(UInt32(3))
    file.appendLittleEndian(UInt64(tensors.count))
    file.appendLittleEndian(UInt64(pairs.count))
    for (key, value) in pairs {
      file.appendText(key)
      file.appendLittleEndian(value.type.rawValue)
      value.encode(into: &file)
    }
    var offset = 0
    for tensor in tensors {
      file.appendText(tensor.name)
      file.appendLittleEndian(UInt32(tensor.extents.count))
      for extent in tensor.extents.reversed() { file.appendLittleEndian(UInt64(extent)) }
      file.appendLittleEndian(UInt32(tensor.format.ggmlType!))
      file.appendLittleEndian(UInt64(offset))
      offset += tensor.bytes.count
      offset += padding(offset)
    }
    return file
  }

  /// Bytes from `count` to the next multiple of the alignment.
  private func padding(_ count: Int) -> Int { -count & (alignment - 1) }
}

extension GGUFValue {
  /// Appends the value as files have it, without its type.
  func encode(into file: inout [UInt8]) {
    switch self {
    case .uint8(let v): file.append(v)
    case .int8(let v): file.append(UInt8(bitPattern: v))
    case .uint16(let v): file.appendLittleEndian(v)
    case .int16(let v): file.appendLittleEndian(v)
    case .uint32(let v): file.appendLittleEndian(v)
    case .int32(let v): file.appendLittleEndian(v)
    case .uint64(let v): file.appendLittleEndian(v)
    case .int64(let v): file.appendLittleEndian(v)
    case .float32(let v): file.appendLittleEndian(v.bitPattern)
    case .float64(let v): file.appendLittleEndian(v.bitPattern)
    case .bool(let v): file.append(v ? 1 : 0)
    case .string(let v): file.appendText(v)
    case .array(let v):
      file.appendLittleEndian(v.elementType.rawValue)
      file.appendLittleEndian(UInt64(v.count))
      file += v.bytes
    }
  }
}

extension Array where Element == UInt8 {
  /// A string as GGUF has it: length in 8 bytes, then UTF-8.
  fileprivate mutating func appendText(_ text: String) {
    appendLittleEndian(UInt64(text.utf8.count))
    append(contentsOf: text.utf8)
  }
}
