import BackplaneKernelKit
import BackplanePluginKit
import OpenCLKernels

/// Of buffers that the plugin allocates: the largest vector type of OpenCL C.
let bufferAlignment: UInt64 = 128
/// Tag of the plugin's buffers at the host: "ocl ".
private let bufferTag: UInt32 = 0x206c_636f

final class Buffer: PluginBuffer, @unchecked Sendable {
  let memory: cl_mem
  /// Bytes of host memory to be freed, 0 none.
  let ownedBytes: UInt64
  let align: UInt64
  /// Mapped ranges of memory that the host sees only while it is mapped. Guarded by the device's `mapping`.
  var mapped: [UnsafeMutableRawPointer] = []

  init(_ memory: cl_mem, bytes: UInt64, isWritable: Bool, address: UInt, allocated: UInt64, ownedBytes: UInt64, align: UInt64) {
    (self.memory, self.ownedBytes, self.align) = (memory, ownedBytes, align)
    super.init(bytes: bytes, isWritable: isWritable, address: address, allocatedBytes: allocated, native: UInt64(UInt(bitPattern: memory)))
  }
}

extension Device {
  func makeBuffer(_ wanted: bp_buffer_desc) throws(PluginError) -> Buffer {
    let size = max(wanted.bytes, 1), align = max(wanted.align, bufferAlignment)
    guard usesHostMemory else {
      return Buffer(try memoryObject(UInt64(BP_CL_MEM_READ_WRITE), size, nil), bytes: wanted.bytes, isWritable: true, address: 0, allocated: size, ownedBytes: 0, align: align)
    }
    let block = try host.allocate(bytes: size, align: align, tag: bufferTag)
    do throws(PluginError) {
      let memory = try memoryObject(UInt64(BP_CL_MEM_READ_WRITE | BP_CL_MEM_USE_HOST_PTR), size, block)
      return Buffer(memory, bytes: wanted.bytes, isWritable: true, address: UInt(bitPattern: block), allocated: size, ownedBytes: size, align: align)
    } catch {
      host.free(block, bytes: size, align: align, tag: bufferTag)
      throw error
    }
  }

  func wrap(_ block: UnsafeMutableRawPointer, _ wanted: bp_buffer_desc, isWritable: Bool) throws(PluginError) -> Buffer {
    let flags = UInt64((isWritable ? BP_CL_MEM_READ_WRITE : BP_CL_MEM_READ_ONLY) | BP_CL_MEM_USE_HOST_PTR)
    return Buffer(try memoryObject(flags, max(wanted.bytes, 1), block), bytes: wanted.bytes, isWritable: isWritable, address: UInt(bitPattern: block), allocated: 0,
                  ownedBytes: 0, align: 1)
  }

  private func memoryObject(_ flags: UInt64, _ bytes: UInt64, _ pointer: UnsafeMutableRawPointer?) throws(PluginError) -> cl_mem {
    var code: Int32 = 0
    guard let memory = api.table.clCreateBuffer(context, flags, Int(bytes), pointer, &code) else {
      throw api.failure(code, "clCreateBuffer of \(bytes) bytes")
    }
    return memory
  }

  func freeBuffer(_ handle: bp_buffer) {
    let buffer = unsafeDowncast(take(handle, as: PluginBuffer.self), to: Buffer.self)
    _ = api.table.clReleaseMemObject(buffer.memory)
    if buffer.ownedBytes > 0 {
      host.free(UnsafeMutableRawPointer(bitPattern: buffer.address)!, bytes: buffer.ownedBytes, align: buffer.align, tag: bufferTag)
    }
  }

  /// Maps a range where the host does not see the memory anyway.
  func place(_ buffer: Buffer, _ offset: UInt64, _ length: UInt64, _ access: UInt32) throws(PluginError) -> UnsafeMutableRawPointer {
    if let address = UnsafeMutableRawPointer(bitPattern: buffer.address) { return address + Int(offset) }
    let queue = try queues.take()
    defer { queues.give(queue) }
    var code: Int32 = 0
    let flags = UInt64(access & BP_ACCESS_WRITE != 0 ? BP_CL_MAP_READ | BP_CL_MAP_WRITE : BP_CL_MAP_READ)
    guard let address = api.table.clEnqueueMapBuffer(queue.handle, buffer.memory, 1, flags, Int(offset), max(Int(length), 1), 0, nil, nil, &code) else {
      throw note(api.failure(code, "clEnqueueMapBuffer"))
    }
    queues.locked { buffer.mapped.append(address) }
    return address
  }

  func release(_ handle: bp_buffer) throws(PluginError) {
    let buffer = unsafeDowncast(object(handle, as: PluginBuffer.self), to: Buffer.self)
    guard buffer.address == 0, let address = queues.locked({ buffer.mapped.popLast() }) else { return }
    let queue = try queues.take()
    defer { queues.give(queue) }
    do throws(PluginError) {
      try api.check(api.table.clEnqueueUnmapMemObject(queue.handle, buffer.memory, address, 0, nil, nil), "clEnqueueUnmapMemObject")
      try api.check(api.table.clFinish(queue.handle), "clFinish")
    } catch { throw note(error) }
  }
}
