import BackplaneABI
import BackplanePluginKit
import CPUKernels

/// Of buffers that the plugin allocates: a cache line, and the widest vector.
let bufferAlignment: UInt64 = 64
/// Tag of the plugin's buffers at the host: "cpu ".
private let bufferTag: UInt32 = 0x2075_7063

extension Device {
  func makeBuffer(_ source: UnsafePointer<bp_buffer_desc>?, _ out: UnsafeMutablePointer<bp_buffer?>?,
                  _ info: UnsafeMutablePointer<bp_buffer_info>?) throws(PluginError) {
    guard let source, let out else { throw .invalid("buffer_create: an argument is NULL") }
    let wanted = readRecord(source, zero: bp_buffer_desc())
    try checkChain(wanted.h, of: "buffer_create")
    guard wanted.memory_type == 0 else { throw .invalid("buffer_create: memory type \(wanted.memory_type) does not exist, there is 1") }
    guard wanted.align & (wanted.align &- 1) == 0 else { throw .invalid("buffer_create: alignment \(wanted.align) is no power of two") }
    var buffer = bp_cpu_buffer()
    buffer.bytes = wanted.bytes
    switch wanted.source {
    case BP_SOURCE_ALLOCATE:
      buffer.align = max(wanted.align, bufferAlignment)
      buffer.owned_bytes = max(wanted.bytes, 1)
      buffer.data = try host.allocate(bytes: buffer.owned_bytes, align: buffer.align, tag: bufferTag).assumingMemoryBound(to: CChar.self)
      buffer.writable = 1
    case BP_SOURCE_HOST_POINTER:
      guard let memory = wanted.host_ptr else { throw .invalid("buffer_create: a host pointer to import is missing") }
      guard wanted.align == 0 || UInt64(UInt(bitPattern: memory)) & (wanted.align - 1) == 0 else {
        throw .invalid("buffer_create: the host pointer is no multiple of \(wanted.align)")
      }
      buffer.data = memory.assumingMemoryBound(to: CChar.self)
      buffer.writable = wanted.access & BP_ACCESS_WRITE != 0 ? 1 : 0
    default:
      throw PluginError(BP_E_UNSUPPORTED, "buffer_create: source \(wanted.source) cannot be imported here, host pointers can", reason: BP_REASON_FEATURE)
    }
    let handle = UnsafeMutablePointer<bp_cpu_buffer>.allocate(capacity: 1)
    handle.initialize(to: buffer)
    out.pointee = OpaquePointer(handle)
    guard let info else { return }
    var description = bp_buffer_info()
    (description.bytes, description.actual_bytes) = (wanted.bytes, buffer.owned_bytes)
    writeRecord(description, to: info)
  }

  func freeBuffer(_ handle: bp_buffer) {
    let buffer = UnsafeMutablePointer<bp_cpu_buffer>(handle)
    if buffer.pointee.owned_bytes > 0 {
      host.free(UnsafeMutableRawPointer(buffer.pointee.data), bytes: buffer.pointee.owned_bytes, align: buffer.pointee.align, tag: bufferTag)
    }
    buffer.deallocate()
  }

  func address(_ handle: bp_buffer?, _ offset: UInt64, _ length: UInt64, _ access: UInt32,
               _ out: UnsafeMutablePointer<UnsafeMutableRawPointer?>?) throws(PluginError) {
    guard let handle, let out else { throw .invalid("buffer_map: an argument is NULL") }
    let buffer = UnsafePointer<bp_cpu_buffer>(handle).pointee
    guard offset <= buffer.bytes, length <= buffer.bytes - offset else {
      throw .invalid("buffer_map: bytes \(offset) to \(offset &+ length) of a buffer of \(buffer.bytes)")
    }
    guard access & BP_ACCESS_WRITE == 0 || buffer.writable != 0 else { throw .invalid("buffer_map: the buffer was imported read-only") }
    out.pointee = UnsafeMutableRawPointer(buffer.data) + Int(offset)
  }
}

/// Copies bytes, or rows of bytes, from one binding to another.
func copy(_ source: UnsafePointer<bp_copy>) throws(PluginError) {
  let copy = readRecord(source, zero: bp_copy())
  guard let from = copy.src, let to = copy.dst else { throw .invalid("copy: source or destination is missing") }
  let rows = UInt64(max(copy.rows, 1)), bytes = from.pointee.bytes
  let input = try range(from, bytes, rows, copy.src_pitch), output = try range(to, bytes, rows, copy.dst_pitch)
  guard output.isWritable else { throw .invalid("copy: the destination was imported read-only") }
  for row in 0..<Int(rows) {
    (output.address + row * Int(copy.dst_pitch)).copyMemory(from: input.address + row * Int(copy.src_pitch), byteCount: Int(bytes))
  }
}

private func range(_ binding: UnsafePointer<bp_binding>, _ bytes: UInt64, _ rows: UInt64, _ pitch: UInt64) throws(PluginError)
  -> (address: UnsafeMutableRawPointer, isWritable: Bool) {
  guard let handle = binding.pointee.buffer else { throw .invalid("copy: a binding has no buffer") }
  let buffer = UnsafePointer<bp_cpu_buffer>(handle).pointee
  let (span, tooLong) = pitch.multipliedReportingOverflow(by: rows - 1)
  let (end, tooFar) = binding.pointee.offset.addingReportingOverflow(span)
  guard !tooLong, !tooFar, end <= buffer.bytes, bytes <= buffer.bytes - end else {
    throw .invalid("copy: \(rows) rows of \(bytes) bytes from offset \(binding.pointee.offset) leave a buffer of \(buffer.bytes) bytes")
  }
  return (UnsafeMutableRawPointer(buffer.data) + Int(binding.pointee.offset), buffer.writable != 0)
}
