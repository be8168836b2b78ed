import BackplaneABI
import BackplaneCore
import BackplaneRegistry
import Glibc

/// Host memory that ends at a page nobody may touch, poisoned around what it holds.
///
/// A read beyond the end stops the process there; a read of the poison before it gives NaN; a write is seen by `isIntact`.
final class GuardedMemory {
  /// What was asked for: the last bytes before the forbidden page, moved down as far as `alignment` wants.
  let bytes: UnsafeMutableRawBufferPointer
  private let mapping: UnsafeMutableRawPointer
  private let mappedBytes: Int
  private let usable: UnsafeMutableRawBufferPointer
  static let poison: UInt8 = 0xFF

  init(byteCount: Int, alignment: Int) {
    let page = 4096
    let needed = (byteCount + alignment + 64 + page - 1) / page * page
    mappedBytes = needed + 2 * page
    mapping = mmap(nil, mappedBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    precondition(mapping != MAP_FAILED, "no memory for a case")
    mprotect(mapping + page, needed, PROT_READ | PROT_WRITE)
    usable = UnsafeMutableRawBufferPointer(start: mapping + page, count: needed)
    let end = UInt(bitPattern: mapping) + UInt(page + needed)
    let start = (end - UInt(byteCount)) & ~UInt(max(alignment, 1) - 1)
    bytes = UnsafeMutableRawBufferPointer(start: UnsafeMutableRawPointer(bitPattern: start), count: byteCount)
    // Poison a little before and all after; more would only cost time.
    memset(margin.0.baseAddress!, Int32(GuardedMemory.poison), margin.0.count)
    if margin.1.count > 0 { memset(margin.1.baseAddress!, Int32(GuardedMemory.poison), margin.1.count) }
  }

  deinit { munmap(mapping, mappedBytes) }

  private var margin: (UnsafeMutableRawBufferPointer, UnsafeMutableRawBufferPointer) {
    let before = bytes.baseAddress! - usable.baseAddress!
    let after = bytes.baseAddress! + bytes.count
    let first = max(0, before - 4096)
    return (UnsafeMutableRawBufferPointer(start: usable.baseAddress! + first, count: before - first),
            UnsafeMutableRawBufferPointer(start: after, count: usable.baseAddress! + usable.count - after))
  }

  /// Whether nothing was written around the bytes.
  var isIntact: Bool { margin.0.allSatisfy { $0 == GuardedMemory.poison } && margin.1.allSatisfy { $0 == GuardedMemory.poison } }
}

/// A tensor's memory on the device, with something to see around it.
package final class CasePlace {
  let buffer: DeviceBuffer
  let byteCount: Int
  private let offset: Int
  private let guarded: GuardedMemory?
  private static let margin = 256

  /// - Parameter isGuarded: Host memory of the suite, which the device imports; else the device's own, with a margin around the tensor.
  init(_ device: Device, byteCount: Int, alignment: Int, isGuarded: Bool, usage: BufferUsage) throws(BackplaneError) {
    self.byteCount = byteCount
    if isGuarded {
      let memory = GuardedMemory(byteCount: max(byteCount, 1), alignment: alignment)
      guarded = memory
      offset = 0
      buffer = try device.importBuffer(memory.bytes, alignment: alignment, usage: usage, memoryType: CasePlace.memoryType(device), access: [.read, .write], owner: memory)
    } else {
      guarded = nil
      offset = max(CasePlace.margin, alignment)
      buffer = try device.makeBuffer(byteCount: offset + byteCount + CasePlace.margin, alignment: alignment, usage: usage, memoryType: CasePlace.memoryType(device))
      try write(all: GuardedMemory.poison)
    }
  }

  package static func memoryType(_ device: Device) -> UInt32 {
    let types = device.info.memoryTypes
    return (types.first { $0.flags.contains(.importsHostMemory) } ?? types.first { $0.flags.contains(.hostVisible) } ?? types.first)?.index ?? 0
  }
  static func canImport(_ device: Device) -> Bool { device.info.memoryTypes.contains { $0.flags.contains(.importsHostMemory) } }
  package static func alignment(_ device: Device) -> Int {
    let type = memoryType(device)
    return max(64, Int(device.info.memoryTypes.first { $0.index == type }?.alignment ?? 64))
  }

  var binding: bp_binding { buffer.binding(offset: offset, byteCount: byteCount) }

  private func write(all value: UInt8) throws(BackplaneError) {
    try buffer.map(access: [.write]).initializeMemory(as: UInt8.self, repeating: value)
    try buffer.unmap()
  }

  func write(_ bytes: [UInt8]) throws(BackplaneError) {
    if bytes.isEmpty { return }
    if let guarded { guarded.bytes.copyBytes(from: bytes); return }
    try buffer.map(offset: offset, byteCount: bytes.count, access: [.write]).copyBytes(from: bytes)
    try buffer.unmap()
  }

  func fill(_ value: UInt8) throws(BackplaneError) { try write([UInt8](repeating: value, count: byteCount)) }

  func read() throws(BackplaneError) -> [UInt8] {
    if byteCount == 0 { return [] }
    if let guarded { return Array(guarded.bytes.prefix(byteCount)) }
    let bytes = Array(try buffer.map(offset: offset, byteCount: byteCount, access: [.read]))
    try buffer.unmap()
    return bytes
  }

  func isIntact() throws(BackplaneError) -> Bool {
    if let guarded { return guarded.isIntact }
    let all = try buffer.map(access: [.read])
    let intact = all[0..<offset].allSatisfy { $0 == GuardedMemory.poison } && all[(offset + byteCount)...].allSatisfy { $0 == GuardedMemory.poison }
    try buffer.unmap()
    return intact
  }
}
