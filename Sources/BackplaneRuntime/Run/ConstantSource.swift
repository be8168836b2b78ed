import BackplaneCore

/// Where the bytes of a weight are: a part of a mapped file, or memory. Nothing is copied here.
public struct ConstantSource: Sendable {
  enum Place: @unchecked Sendable {
    case file(MappedFile, offset: Int)
    case memory(UnsafeRawPointer?, owner: AnyObject?)
  }
  let place: Place
  public let byteCount: Int

  /// - Throws: ``BackplaneError`` (file) when the file is too short.
  public init(_ file: MappedFile, offset: Int, byteCount: Int) throws(BackplaneError) {
    _ = try file.range(offset: offset, byteCount: byteCount)
    place = .file(file, offset: offset)
    self.byteCount = byteCount
  }

  /// - Parameter owner: Keeps the memory alive; nil when it outlives every session that uses it.
  public init(_ bytes: UnsafeRawBufferPointer, owner: AnyObject?) {
    place = .memory(bytes.baseAddress, owner: owner)
    byteCount = bytes.count
  }

  /// A copy of the elements.
  public init<T: BitwiseCopyable>(_ elements: [T]) {
    let block = MemoryBlock(byteCount: elements.count * MemoryLayout<T>.stride)
    elements.withUnsafeBytes { block.bytes.copyMemory(from: $0) }
    self.init(UnsafeRawBufferPointer(block.bytes), owner: block)
  }

  public var bytes: UnsafeRawBufferPointer {
    switch place {
    case .file(let file, let offset): UnsafeRawBufferPointer(rebasing: file.bytes[offset..<offset + byteCount])
    case .memory(let start, _): UnsafeRawBufferPointer(start: start, count: byteCount)
    }
  }
}

/// Zeroed host memory, aligned to a cache line at least.
final class MemoryBlock: @unchecked Sendable {
  let bytes: UnsafeMutableRawBufferPointer
  init(byteCount: Int, alignment: Int = 64) {
    bytes = .allocate(byteCount: byteCount, alignment: max(alignment, 64))
    bytes.initializeMemory(as: UInt8.self, repeating: 0)
  }
  deinit { bytes.deallocate() }
}
