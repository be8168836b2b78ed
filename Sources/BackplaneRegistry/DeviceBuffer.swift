import BackplaneABI
import BackplaneCore

/// What a buffer will be used for.
public struct BufferUsage: OptionSet, Sendable, Hashable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let input = BufferUsage(rawValue: BP_USAGE_INPUT)
  public static let output = BufferUsage(rawValue: BP_USAGE_OUTPUT)
  public static let weights = BufferUsage(rawValue: BP_USAGE_WEIGHTS)
  public static let state = BufferUsage(rawValue: BP_USAGE_STATE)
  public static let workspace = BufferUsage(rawValue: BP_USAGE_WORKSPACE)
  public static let staging = BufferUsage(rawValue: BP_USAGE_STAGING)
}

public struct BufferAccess: OptionSet, Sendable, Hashable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let read = BufferAccess(rawValue: BP_ACCESS_READ)
  public static let write = BufferAccess(rawValue: BP_ACCESS_WRITE)
  /// An import may copy when the device cannot use the memory as it is.
  public static let allowCopy = BufferAccess(rawValue: BP_ACCESS_ALLOW_COPY)
}

/// Memory of a device, destroyed with this object. The programs that use it must be done by then.
public final class DeviceBuffer: @unchecked Sendable {
  public let device: Device
  public let handle: bp_buffer?
  /// Bytes asked for.
  public let byteCount: Int
  /// Bytes that the device really took, as it says.
  public let actualByteCount: Int
  public let memoryType: UInt32
  /// An import that had to copy; only when ``BufferAccess/allowCopy`` was given.
  public let wasCopied: Bool
  /// The API's own handle; 0 none.
  public let native: UInt64
  private let owner: AnyObject?

  fileprivate init(_ device: Device, _ description: inout bp_buffer_desc, owner: AnyObject?) throws(BackplaneError) {
    description.h = head(bp_buffer_desc.self, BP_ST_BUFFER_DESC)
    var handle: bp_buffer?
    var info = bp_buffer_info()
    info.h = head(bp_buffer_info.self, BP_ST_BUFFER_INFO)
    try checked("buffer_create (\(description.bytes) bytes)", device.id) {
      device.functions.pointee.buffer_create(device.handle, &description, &handle, &info, $0)
    }
    (self.device, self.handle, self.owner) = (device, handle, owner)
    byteCount = Int(description.bytes)
    actualByteCount = Int(clamping: max(info.actual_bytes, info.bytes))
    memoryType = description.memory_type
    wasCopied = info.was_copied != 0
    native = info.native
  }

  deinit { device.functions.pointee.buffer_destroy(device.handle, handle) }

  /// A host address for the range, valid until ``unmap()``.
  public func map(offset: Int = 0, byteCount: Int? = nil, access: BufferAccess = [.read, .write]) throws(BackplaneError) -> UnsafeMutableRawBufferPointer {
    let count = byteCount ?? self.byteCount - offset
    var address: UnsafeMutableRawPointer?
    try checked("buffer_map", device.id) {
      device.functions.pointee.buffer_map(device.handle, handle, UInt64(offset), UInt64(count), access.rawValue, &address, $0)
    }
    guard let address else {
      if count == 0 { return UnsafeMutableRawBufferPointer(start: nil, count: 0) }
      throw BackplaneError(.internal, "buffer_map gave no address", subject: device.id)
    }
    return UnsafeMutableRawBufferPointer(start: address, count: count)
  }

  public func unmap() throws(BackplaneError) {
    try checked("buffer_unmap", device.id) { device.functions.pointee.buffer_unmap(device.handle, handle, $0) }
  }

  /// The whole range as one binding of a dispatch.
  public func binding(offset: Int = 0, byteCount: Int? = nil) -> bp_binding {
    bp_binding(h: head(bp_binding.self, BP_ST_BINDING), buffer: handle, offset: UInt64(offset), bytes: UInt64(byteCount ?? self.byteCount - offset))
  }
}

extension Device {
  /// Allocates memory of this device.
  public func makeBuffer(byteCount: Int, alignment: Int = 64, usage: BufferUsage, memoryType: UInt32 = 0,
                         access: BufferAccess = [.read, .write]) throws(BackplaneError) -> DeviceBuffer {
    var description = bp_buffer_desc()
    (description.memory_type, description.usage) = (memoryType, usage.rawValue)
    (description.bytes, description.align) = (UInt64(byteCount), UInt64(alignment))
    description.source = BP_SOURCE_ALLOCATE
    description.access = access.rawValue
    return try DeviceBuffer(self, &description, owner: nil)
  }

  /// Lets the device use host memory as it is.
  ///
  /// - Parameters:
  ///   - memory: Valid until the buffer is gone. Read only unless `access` has ``BufferAccess/write``.
  ///   - owner: Kept alive with the buffer.
  /// - Throws: ``BackplaneError`` (unsupported) when the device cannot and `access` does not allow a copy.
  public func importBuffer(_ memory: UnsafeMutableRawBufferPointer, alignment: Int = 1, usage: BufferUsage, memoryType: UInt32 = 0,
                           access: BufferAccess = [.read], owner: AnyObject? = nil) throws(BackplaneError) -> DeviceBuffer {
    var description = bp_buffer_desc()
    (description.memory_type, description.usage) = (memoryType, usage.rawValue)
    (description.bytes, description.align) = (UInt64(memory.count), UInt64(alignment))
    description.source = BP_SOURCE_HOST_POINTER
    description.host_ptr = memory.baseAddress
    description.access = access.rawValue
    return try DeviceBuffer(self, &description, owner: owner)
  }

  /// Lets the device use memory behind a file descriptor, which stays the caller's.
  public func importBuffer(descriptor: Int32, offset: Int, byteCount: Int, usage: BufferUsage, memoryType: UInt32 = 0,
                           access: BufferAccess = [.read]) throws(BackplaneError) -> DeviceBuffer {
    var description = bp_buffer_desc()
    (description.memory_type, description.usage) = (memoryType, usage.rawValue)
    description.bytes = UInt64(byteCount)
    description.source = BP_SOURCE_FD
    (description.fd, description.fd_offset) = (Int64(descriptor), UInt64(offset))
    description.access = access.rawValue
    return try DeviceBuffer(self, &description, owner: nil)
  }
}
