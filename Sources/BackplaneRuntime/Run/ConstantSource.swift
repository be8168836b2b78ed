import BackplaneCore

/// Where the bytes of a weight are: a part of a mapped file, or memory. Nothing is copied here.
public struct ConstantSource: Sendable {
  enum Place: @unchecked Sendable {
    case file(MappedFile, offset: Int)
    case memory(UnsafeRawPointer?, owner: AnyObject?, isMapped: Bool)
  }
  let place: Place
  public let byteCount: Int

  /// - Throws: ``BackplaneError`` (file) when the file is too short.
  public init(_ file: MappedFile, offset: Int, byteCount: Int) throws(BackplaneError) {
    _ = try file.range(offset: offset, byteCount: byteCount)
    place = .file(file, offset: offset)
    self.byteCount = byteCount
  }

  /// - Parameters:
  ///   - owner: Keeps the memory alive; nil when it outlives every session that uses it.
  ///   - isMapped: The memory is a file mapped read-only, whose pages come back from the file when they were dropped.
  public init(_ bytes: UnsafeRawBufferPointer, owner: AnyObject?, isMapped: Bool = false) {
    place = .memory(bytes.baseAddress, owner: owner, isMapped: isMapped)
    byteCount = bytes.count
  }

  /// A copy of the elements.
  public init<T: BitwiseCopyable>(_ elements: [T]) {
    let block = MemoryBlock(byteCount: elements.count * MemoryLayout<T>.stride)
    elements.withUnsafeBytes { block.bytes.copyMemory(from: $0) }
    self.init(UnsafeRawBufferPointer(block.bytes), owner: block)
  }

  private init(_ place: Place, _ byteCount: Int) { (self.place, self.byteCount) = (place, byteCount) }

  /// Some of the bytes. A source that is too short gives one that is too short, which the session finds.
  func part(offset: Int, byteCount count: Int) -> ConstantSource {
    let count = max(0, min(count, byteCount - offset))
    return switch place {
    case .file(let file, let begin): ConstantSource(.file(file, offset: begin + offset), count)
    case .memory(let start, let owner, let isMapped): ConstantSource(.memory(start.map { $0 + offset }, owner: owner, isMapped: isMapped), count)
    }
  }

  public var bytes: UnsafeRawBufferPointer {
    switch place {
    case .file(let file, let offset): UnsafeRawBufferPointer(rebasing: file.bytes[offset..<offset + byteCount])
    case .memory(let start, _, _): UnsafeRawBufferPointer(start: start, count: byteCount)
    }
  }

  /// The bytes are a mapped file's.
  var isMapped: Bool { switch place { case .file: true; case .memory(_, _, let isMapped): isMapped } }
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
