import BackplaneKernelKit
import BackplanePluginKit
import VulkanKernels

/// Of buffers: no kernel loads more at a time.
private let bufferAlignment: UInt64 = 64

/// Which of Vulkan's memory types are offered to the host, by our number: first where kernels work best, then where the host writes and reads.
struct MemoryPlan: Sendable {
  struct Offer: Sendable {
    let vulkanType: UInt32
    let isVisible: Bool
  }
  let types: [Offer]
  /// Host memory is used as it is: only where it is as near to the device as its own.
  let imports: Bool
  /// Where uniform blocks lie.
  let blocks: UInt32
  private let isUnified: Bool

  init(_ facts: bp_vk_facts) {
    var facts = facts
    let flags = withUnsafeBytes(of: &facts.type_flags) { Array($0.bindMemory(to: UInt32.self).prefix(Int(facts.type_count))) }
    let heaps = withUnsafeBytes(of: &facts.type_heap) { Array($0.bindMemory(to: UInt32.self).prefix(Int(facts.type_count))) }
    let sizes = withUnsafeBytes(of: &facts.heap_bytes) { Array($0.bindMemory(to: UInt64.self)) }
    let local = UInt32(VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT), cached = UInt32(VK_MEMORY_PROPERTY_HOST_CACHED_BIT)
    let visible = UInt32(VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT) | UInt32(VK_MEMORY_PROPERTY_HOST_COHERENT_BIT)
    func first(_ wanted: UInt32) -> Int? { flags.firstIndex { $0 & wanted == wanted } }
    isUnified = facts.type == UInt32(VK_PHYSICAL_DEVICE_TYPE_CPU) || facts.type == UInt32(VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU)
    imports = isUnified && facts.has(BP_VK_HOST_IMPORT)
    let own = first(local) ?? 0
    // All of the device's memory may be visible to the host; a window of 256 MB is not that.
    let both = first(local | visible | cached) ?? first(local | visible)
    let main = both.map { sizes[Int(heaps[$0])] >= sizes[Int(heaps[own])] } == true ? both! : own
    let host = first(visible | cached) ?? first(visible) ?? main
    var list = [Offer(vulkanType: UInt32(main), isVisible: flags.isEmpty ? false : flags[main] & visible == visible)]
    if !list[0].isVisible { list.append(Offer(vulkanType: UInt32(host), isVisible: true)) }
    (types, blocks) = (list, UInt32(first(local | visible) ?? host))
  }

  func records(_ facts: bp_vk_facts) -> [bp_memory_type] {
    var facts = facts
    let heaps = withUnsafeBytes(of: &facts.type_heap) { Array($0.bindMemory(to: UInt32.self)) }
    let sizes = withUnsafeBytes(of: &facts.heap_bytes) { Array($0.bindMemory(to: UInt64.self)) }
    let budgets = withUnsafeBytes(of: &facts.heap_budget) { Array($0.bindMemory(to: UInt64.self)) }
    let uses = withUnsafeBytes(of: &facts.heap_usage) { Array($0.bindMemory(to: UInt64.self)) }
    return types.enumerated().map { number, offer in
      var type = bp_memory_type()
      type.h = head(bp_memory_type.self, BP_ST_MEMORY_TYPE)
      type.index = UInt32(number)
      if number == 0 { type.flags |= BP_MEMORY_DEVICE_LOCAL }
      if offer.isVisible { type.flags |= BP_MEMORY_HOST_VISIBLE | BP_MEMORY_COHERENT | BP_MEMORY_CACHED }
      if isUnified, offer.isVisible { type.flags |= BP_MEMORY_UNIFIED }
      if imports, number == 0 { type.flags |= BP_MEMORY_IMPORT_HOST | BP_MEMORY_READONLY_OK }
      let heap = Int(heaps[Int(offer.vulkanType)])
      (type.align, type.granularity, type.max_alloc) = (bufferAlignment, 1, facts.max_allocation)
      (type.total, type.budget, type.in_use) = (sizes[heap], budgets[heap] > 0 ? budgets[heap] : sizes[heap], uses[heap])
      return type
    }
  }
}

final class Buffer: PluginBuffer, @unchecked Sendable {
  var memory: bp_vk_memory
  /// From the beginning of `memory`: host memory is imported by pages.
  let offset: UInt64

  /// - Parameter isOwn: The device has set it aside.
  init(_ memory: bp_vk_memory, offset: UInt64, bytes: UInt64, isWritable: Bool, isOwn: Bool) {
    (self.memory, self.offset) = (memory, offset)
    super.init(bytes: bytes, isWritable: isWritable, address: UInt(memory.address + offset), allocatedBytes: isOwn ? memory.bytes : 0,
               native: UInt64(UInt(bitPattern: memory.buffer)))
  }
  /// For kernels.
  var deviceAddress: UInt64 { memory.address + offset }
  /// Where the host sees the first byte; nil: nowhere.
  var hostAddress: UnsafeMutablePointer<CChar>? { memory.host.map { $0 + Int(offset) } }
}

extension Device {
  func makeBuffer(_ wanted: bp_buffer_desc) throws(PluginError) -> Buffer {
    guard wanted.align <= 4096 else { throw PluginError(BP_E_UNSUPPORTED, "buffer_create: buffers begin at a multiple of 4096, not of \(wanted.align)", reason: BP_REASON_ALIGN) }
    if wanted.bytes > UInt64(Int64.max) { throw failure(VkResult(VK_ERROR_OUT_OF_DEVICE_MEMORY), "buffer_create of \(wanted.bytes) bytes") }
    let type = memoryPlan.types[Int(wanted.memory_type)], size = max(wanted.bytes, 1) &+ 15 & ~15
    var memory = bp_vk_memory()
    try check(bp_vk_allocate(handle, size, type.vulkanType, type.isVisible ? 1 : 0, &memory), "vkAllocateMemory of \(wanted.bytes) bytes")
    return Buffer(memory, offset: 0, bytes: wanted.bytes, isWritable: true, isOwn: true)
  }

  func wrap(_ block: UnsafeMutableRawPointer, _ wanted: bp_buffer_desc, isWritable: Bool) throws(PluginError) -> Buffer {
    var memory = bp_vk_memory()
    if wanted.bytes == 0 { return Buffer(memory, offset: 0, bytes: 0, isWritable: isWritable, isOwn: false) }
    let address = UInt64(UInt(bitPattern: block)), page = max(facts.import_align, 4096)
    let first = address & ~(page - 1), end = (address + wanted.bytes + page - 1) & ~(page - 1)
    try check(bp_vk_import(handle, UnsafeMutableRawPointer(bitPattern: UInt(first)), end - first, &memory), "the import of \(wanted.bytes) bytes of host memory")
    return Buffer(memory, offset: address - first, bytes: wanted.bytes, isWritable: isWritable, isOwn: false)
  }

  func destroy(_ handle: bp_buffer) {
    let buffer = unsafeDowncast(take(handle, as: PluginBuffer.self), to: Buffer.self)
    bp_vk_free(self.handle, &buffer.memory)
  }

  func place(_ buffer: Buffer, _ offset: UInt64) throws(PluginError) -> UnsafeMutableRawPointer? {
    guard let address = buffer.hostAddress else {
      if buffer.bytes == 0 { return nil }
      throw PluginError(BP_E_UNSUPPORTED, "buffer_map: the host does not see this memory; copy through memory type \(memoryPlan.types.count - 1)", reason: BP_REASON_FEATURE)
    }
    return UnsafeMutableRawPointer(address + Int(offset))
  }
}
