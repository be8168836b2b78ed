public import BackplaneABI

/// A Swift object as an opaque handle of the ABI. The handle owns one reference until ``take(_:as:)``.
public func makeHandle(_ object: AnyObject) -> OpaquePointer { OpaquePointer(Unmanaged.passRetained(object).toOpaque()) }

/// The object behind a handle that stays alive.
@inline(__always)
public func object<T: AnyObject>(_ handle: OpaquePointer, as _: T.Type) -> T {
  Unmanaged<T>.fromOpaque(UnsafeRawPointer(handle)).takeUnretainedValue()
}

/// The object behind a handle that ends here.
public func take<T: AnyObject>(_ handle: OpaquePointer, as _: T.Type) -> T {
  Unmanaged<T>.fromOpaque(UnsafeRawPointer(handle)).takeRetainedValue()
}

/// Memory for C records that lives as long as this object.
public final class RecordMemory: @unchecked Sendable {
  private var blocks: [UnsafeMutableRawPointer] = []
  public private(set) var bytes = 0

  public init() {}
  deinit { for block in blocks { block.deallocate() } }

  /// A copy of trivial values; a valid pointer also for none.
  public func copy<T>(_ values: [T]) -> UnsafeMutablePointer<T> {
    let size = max(values.count, 1) * MemoryLayout<T>.stride
    let block = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 16)
    blocks.append(block)
    bytes += size
    let typed = block.bindMemory(to: T.self, capacity: values.count)
    typed.initialize(from: values, count: values.count)
    return typed
  }
}

extension RecordMemory {
  public func text(_ string: String) -> bp_str {
    bp_str(ptr: UnsafePointer(copy(string.utf8.map { CChar(bitPattern: $0) })), len: UInt64(string.utf8.count))
  }

  public func list<T>(_ records: [T]) -> bp_array {
    bp_array(ptr: records.isEmpty ? nil : UnsafeRawPointer(copy(records)), count: UInt32(records.count), stride: UInt32(MemoryLayout<T>.stride))
  }

  public func attribute(_ name: String, _ value: Int) -> bp_attr {
    var record = bp_attr()
    record.h = head(bp_attr.self, BP_ST_ATTR)
    (record.name, record.kind, record.i) = (identifier(name), BP_ATTR_I64, Int64(value))
    return record
  }

  public func attribute(_ name: String, _ value: String) -> bp_attr {
    let stored = text(value)
    var record = attribute(name, 0)
    (record.kind, record.data, record.count) = (BP_ATTR_STR, UnsafeRawPointer(stored.ptr), UInt32(stored.len))
    return record
  }
}
