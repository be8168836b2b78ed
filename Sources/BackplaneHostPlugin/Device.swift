import BackplaneABI
import BackplaneCore

/// What the host offers, kept for the instance's life.
final class Instance: Sendable {
  let host: Host
  let plugin: HostPlugin
  init(_ host: UnsafePointer<bp_host>?, _ plugin: HostPlugin) { (self.host, self.plugin) = (Host(host.map(readInput)), plugin) }
}

/// The host's services; each may be missing.
struct Host: @unchecked Sendable {
  private let table: bp_host?
  init(_ table: bp_host?) { self.table = table }

  func isCancelled(_ token: UnsafeMutableRawPointer?) -> Bool {
    guard let token, let table, let cancelled = table.cancelled else { return false }
    return cancelled(table.ctx, token) != 0
  }
  var now: UInt64? { table.flatMap { table in table.now_ns.map { $0(table.ctx) } } }

  static let tag: UInt32 = 0x686f_7374  // "host"
  func allocate(_ bytes: Int, _ alignment: Int) -> UnsafeMutableRawPointer? {
    guard let table, let alloc = table.alloc, table.free != nil else { return .allocate(byteCount: bytes, alignment: alignment) }
    return alloc(table.ctx, UInt64(bytes), UInt64(alignment), Host.tag)
  }
  func free(_ memory: UnsafeMutableRawPointer, _ bytes: Int, _ alignment: Int) {
    guard let table, table.alloc != nil, let free = table.free else { return memory.deallocate() }
    free(table.ctx, memory, UInt64(bytes), UInt64(alignment), Host.tag)
  }
}

final class Device: @unchecked Sendable {
  let host: Host
  let evaluator: any NodeEvaluator
  let info: bp_device_info
  private let memoryType: UnsafeMutablePointer<bp_memory_type>

  init(_ instance: Instance) {
    (host, evaluator) = (instance.host, instance.plugin.evaluator)
    memoryType = .allocate(capacity: 1)
    var memory = bp_memory_type()
    memory.h = head(bp_memory_type.self, BP_ST_MEMORY_TYPE)
    memory.flags = BP_MEMORY_HOST_VISIBLE | BP_MEMORY_COHERENT | BP_MEMORY_CACHED | BP_MEMORY_UNIFIED | BP_MEMORY_IMPORT_HOST | BP_MEMORY_READONLY_OK
    memory.align = 64
    memory.granularity = 1
    memoryType.initialize(to: memory)

    var info = bp_device_info()
    info.h = head(bp_device_info.self, BP_ST_DEVICE_INFO)
    info.kind = BP_KIND_REFERENCE
    info.name = string(instance.plugin.name)
    info.vendor = string("Backplane")
    info.driver = string("in-process")
    info.driver_version = string("1.0")
    info.groups = BP_GROUP_BASE
    info.memory_types = bp_array(ptr: UnsafeRawPointer(memoryType), count: 1, stride: UInt32(MemoryLayout<bp_memory_type>.stride))
    info.timestamp_hz = 1_000_000_000
    info.caps_epoch = 1
    self.info = info
  }
  deinit { memoryType.deallocate() }
}

/// Host memory: the device's own, or the host's without a copy.
final class Buffer: @unchecked Sendable {
  private let host: Host
  private let memory: UnsafeMutableRawPointer
  private let bytes: Int
  private let alignment: Int
  private let isOwned: Bool
  let isReadOnly: Bool

  init(_ device: Device, _ description: bp_buffer_desc) throws(BackplaneError) {
    host = device.host
    guard description.memory_type == 0 else { throw BackplaneError(.invalid, "there is no memory type \(description.memory_type), only 0") }
    guard let bytes = Int(exactly: description.bytes), bytes <= 1 << 47 else { throw BackplaneError(.outOfHostMemory, "\(description.bytes) bytes") }
    self.bytes = bytes
    let wanted = max(description.align, 64)
    guard wanted <= 1 << 30, wanted & (wanted - 1) == 0 else { throw BackplaneError(.invalid, "\(description.align) is no alignment") }
    alignment = Int(wanted)
    switch description.source {
    case BP_SOURCE_ALLOCATE:
      guard let memory = device.host.allocate(max(bytes, 1), alignment) else { throw BackplaneError(.outOfHostMemory, "\(bytes) bytes") }
      (self.memory, isOwned, isReadOnly) = (memory, true, false)
    case BP_SOURCE_HOST_POINTER:
      guard let memory = description.host_ptr ?? (bytes == 0 ? UnsafeMutableRawPointer(bitPattern: 64) : nil) else {
        throw BackplaneError(.invalid, "the host pointer is NULL")
      }
      (self.memory, isOwned, isReadOnly) = (memory, false, description.access & BP_ACCESS_WRITE == 0)
    default: throw BackplaneError(.unsupported, "buffers are allocated or imported from host pointers, not from source \(description.source)")
    }
  }
  deinit { if isOwned { host.free(memory, max(bytes, 1), alignment) } }

  var info: bp_buffer_info {
    var info = bp_buffer_info()
    info.h = head(bp_buffer_info.self, BP_ST_BUFFER_INFO)
    (info.bytes, info.actual_bytes) = (UInt64(bytes), UInt64(isOwned ? bytes : 0))
    return info
  }

  func range(_ offset: UInt64, _ length: UInt64, _ call: String) throws(BackplaneError) -> UnsafeMutableRawPointer {
    let (end, overflow) = offset.addingReportingOverflow(length)
    guard !overflow, end <= UInt64(bytes) else {
      throw BackplaneError(.invalid, "\(call): \(length) bytes at \(offset) are not inside a buffer of \(bytes)")
    }
    return memory + Int(offset)
  }
}
