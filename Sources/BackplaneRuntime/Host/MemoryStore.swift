import BackplaneABI
import Synchronization

/// The blob and tuning stores of a host that keeps nothing on disk.
final class MemoryStore: Sendable {
  private struct Key: Hashable {
    var store: UInt32
    var bytes: [UInt8]
  }
  /// Bytes that stay where they are while somebody has them pinned.
  private final class Value: @unchecked Sendable {
    let bytes: UnsafeMutableRawBufferPointer
    init(_ span: bp_span) {
      bytes = .allocate(byteCount: Int(span.len), alignment: 16)
      if let start = span.ptr { bytes.copyMemory(from: UnsafeRawBufferPointer(start: start, count: Int(span.len))) }
    }
    deinit { bytes.deallocate() }
  }
  private let values = Mutex<[Key: Value]>([:])

  private func key(_ store: UInt32, _ span: bp_span) -> Key {
    Key(store: store, bytes: span.ptr.map { Array(UnsafeRawBufferPointer(start: $0, count: Int(span.len))) } ?? [])
  }

  func get(_ store: UInt32, _ key: bp_span, _ out: UnsafeMutablePointer<bp_span>?, _ pin: UnsafeMutablePointer<UnsafeMutableRawPointer?>?) -> bp_status {
    guard let out, let pin, let value = values.withLock({ $0[self.key(store, key)] }) else { return BP_E_INVALID }
    out.pointee = bp_span(ptr: value.bytes.baseAddress, len: UInt64(value.bytes.count))
    pin.pointee = Unmanaged.passRetained(value).toOpaque()
    return BP_OK
  }

  func put(_ store: UInt32, _ key: bp_span, _ value: bp_span) -> bp_status {
    let (key, value) = (self.key(store, key), Value(value))
    values.withLock { $0[key] = value }
    return BP_OK
  }

  func unpin(_ pin: UnsafeMutableRawPointer?) {
    if let pin { Unmanaged<Value>.fromOpaque(pin).release() }
  }
}
