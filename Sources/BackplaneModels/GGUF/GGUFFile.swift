/// A tensor in a GGUF file: what it is and where its bytes lie.
public struct GGUFTensor: Hashable, Sendable {
  public let name: String
  public let format: ElementFormat
  /// Outermost dimension first, the reverse of the order in the file.
  public let shape: Shape
  /// From the beginning of the file, in bytes; a multiple of the file's alignment.
  public let offset: Int
  public let byteCount: Int
}

/// A GGUF model file (version 2 or 3), mapped read-only.
///
/// Everything that the header says has been checked against the file's size before `init` returns: no later access can leave
/// the file, whoever wrote it. Tensor data is never copied. Immutable; any thread.
///
/// **A file that shrinks.** When another program truncates the file while it is mapped, touching a page past the new end raises
/// SIGBUS, which no program can catch as an error. Call ``checkUnchanged()`` before and after long use, and replace model files by
/// renaming a new file over the old one: a mapping keeps the old one alive.
public final class GGUFFile: Sendable {
  public let path: String
  public let version: Int
  /// Every tensor begins at a multiple of this many bytes.
  public let alignment: Int
  public let metadata: GGUFMetadata
  /// In the file's order.
  public let tensors: [GGUFTensor]
  private let byName: [String: Int]
  private let mapping: FileMapping

  /// Maps and checks a file; reads the header only.
  ///
  /// - Throws: `BackplaneError` (file): missing, unreadable, not GGUF, truncated, or inconsistent.
  public convenience init(path: String) throws(BackplaneError) { try self.init(mapping: FileMapping(path: path)) }

  /// Reads a file's contents from memory, copying them once.
  public convenience init(contents: [UInt8], name: String) throws(BackplaneError) {
    try self.init(mapping: FileMapping(contents: contents, path: name))
  }

  private init(mapping: FileMapping) throws(BackplaneError) {
    var parser = GGUFParser(mapping)
    try parser.parse()
    self.mapping = mapping
    path = mapping.path
    version = Int(parser.version)
    alignment = parser.alignment
    metadata = GGUFMetadata(keys: parser.keys, values: parser.values, subject: mapping.path)
    tensors = parser.tensors
    byName = parser.tensorsByName
  }

  /// Bytes of the whole file.
  public var byteCount: Int { mapping.bytes.count }

  /// Tensor data are pages of the file, not a copy in memory.
  public var isMapped: Bool { mapping.isMapped }

  public func tensor(_ name: String) -> GGUFTensor? { byName[name].map { tensors[$0] } }

  /// The tensor's bytes in the mapping, valid while this object lives.
  public func bytes(of tensor: GGUFTensor) -> UnsafeRawBufferPointer { bytes(at: tensor.offset, count: tensor.byteCount) }

  /// Bytes of the file from `offset`, valid while this object lives.
  public func bytes(at offset: Int, count: Int) -> UnsafeRawBufferPointer {
    precondition(offset >= 0 && count >= 0 && offset <= byteCount - count, "bytes \(offset) + \(count) of a file of \(byteCount)")
    return UnsafeRawBufferPointer(rebasing: mapping.bytes[offset..<(offset + count)])
  }

  /// Compares the file's size and modification time with those at opening.
  ///
  /// - Throws: `BackplaneError` (file) when they differ: data read meanwhile may be wrong.
  public func checkUnchanged() throws(BackplaneError) { try mapping.checkUnchanged() }
}
