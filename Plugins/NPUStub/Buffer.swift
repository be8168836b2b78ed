import BackplanePluginKit

/// Memory of the device: not coherent, so the host sees it through map and unmap only.
final class Buffer: @unchecked Sendable {
  /// Tag of the plugin's buffers at the host: "npu ".
  private static let tag: UInt32 = 0x2075_706e
  static let alignment: UInt64 = 64
  let device: Device
  let data: UnsafeMutableRawPointer
  let bytes: UInt64
  private let align: UInt64

  init(_ device: Device, _ wanted: bp_buffer_desc) throws(PluginError) {
    try checkChain(wanted.h, of: "buffer_create")
    guard wanted.memory_type == 0 else { throw .invalid("buffer_create: memory type \(wanted.memory_type) does not exist, there is 1") }
    guard wanted.align & (wanted.align &- 1) == 0 else { throw .invalid("buffer_create: alignment \(wanted.align) is no power of two") }
    guard wanted.source == BP_SOURCE_ALLOCATE else {
      throw PluginError(BP_E_UNSUPPORTED, "buffer_create: this device has memory of its own and imports none (source \(wanted.source))", reason: BP_REASON_FEATURE)
    }
    (self.device, bytes, align) = (device, wanted.bytes, max(wanted.align, Buffer.alignment))
    data = try device.host.allocate(bytes: max(wanted.bytes, 1), align: align, tag: Buffer.tag)
  }
  deinit { device.host.free(data, bytes: max(bytes, 1), align: align, tag: Buffer.tag) }

  func contains(_ offset: UInt64, _ length: UInt64) -> Bool { offset <= bytes && length <= bytes - offset }
}
