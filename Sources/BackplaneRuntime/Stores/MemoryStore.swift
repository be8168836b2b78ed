import BackplaneABI
import Synchronization

/// A host's stores that keep nothing on disk: that of tuning records, and that of blobs where there is no folder for them.
final class MemoryStore: Sendable {
  private struct Key: Hashable {
    var store: UInt32
    var bytes: [UInt8]
  }
  /// Bytes that stay where they are while somebody has them pinned.
  final class Value: @unchecked Sendable {
    let bytes: UnsafeMutableRawBufferPointer
    init(_ copied: UnsafeRawBufferPointer) {
      bytes = .allocate(byteCount: copied.count, alignment: 64)
      bytes.copyMemory(from: copied)
    }
    deinit { bytes.deallocate() }
  }
  private let values = Mutex<[Key: Value]>([:])

  func get(_ store: UInt32, _ key: UnsafeRawBufferPointer) -> Value? { values.withLock { $0[Key(store: store, bytes: Array(key))] } }

  func put(_ store: UInt32, _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
    let (key, value) = (Key(store: store, bytes: Array(key)), Value(value))
    values.withLock { $0[key] = value }
  }

  /// What is pinned lives on until it is unpinned.
  func removeAll() { values.withLock { $0 = [:] } }
}
