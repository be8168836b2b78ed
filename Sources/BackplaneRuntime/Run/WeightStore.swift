import BackplaneCore
import BackplaneRegistry
import Synchronization

/// A weight as a device sees it.
struct WeightBinding {
  var buffer: DeviceBuffer
  var offset: Int
  /// The device works on a copy.
  var isCopy: Bool
}

/// Weights that devices hold, each once, however many sessions use them.
///
/// A mapped file is imported as a whole and its tensors are bound by offset. A device that cannot use host memory as it is gets
/// copies. Buffers live as long as a session uses them.
final class WeightStore: Sendable {
  private struct Key: Hashable {
    var device: ObjectIdentifier
    var start: UInt
    var byteCount: Int
    var isImport: Bool
  }
  private struct Entry: @unchecked Sendable {
    weak var buffer: DeviceBuffer?
    /// Whose bytes were copied. Once it is gone, other bytes may lie at the same address.
    weak var owner: AnyObject?
  }
  private let entries = Mutex<[Key: Entry]>([:])

  /// - Throws: What the device says when it can neither import nor allocate.
  func bind(_ source: ConstantSource, on device: Device, _ memory: DeviceMemory) throws(BackplaneError) -> WeightBinding {
    if let type = memory.importType {
      switch source.place {
      case .file(let file, let offset):
        if let buffer = try? imported(file.bytes, owner: file, device, type) { return WeightBinding(buffer: buffer, offset: offset, isCopy: buffer.wasCopied) }
      case .memory(_, let owner, _):
        if let buffer = try? imported(source.bytes, owner: owner, device, type) { return WeightBinding(buffer: buffer, offset: 0, isCopy: buffer.wasCopied) }
      }
    }
    return WeightBinding(buffer: try copied(source, device, memory), offset: 0, isCopy: true)
  }

  private func known(_ key: Key) -> DeviceBuffer? {
    entries.withLock { entries in
      guard let entry = entries[key], key.isImport || entry.owner != nil else { return nil }
      return entry.buffer
    }
  }

  private func keep(_ buffer: DeviceBuffer, owner: AnyObject?, _ key: Key) {
    let entry = Entry(buffer: buffer, owner: owner)
    entries.withLock { entries in
      if entries.count > 4096 { entries = entries.filter { $0.value.buffer != nil } }
      entries[key] = entry
    }
  }

  private func imported(_ bytes: UnsafeRawBufferPointer, owner: AnyObject?, _ device: Device, _ type: UInt32) throws(BackplaneError) -> DeviceBuffer {
    let key = Key(device: ObjectIdentifier(device), start: UInt(bitPattern: bytes.baseAddress), byteCount: bytes.count, isImport: true)
    if let buffer = known(key) { return buffer }
    let memory = UnsafeMutableRawBufferPointer(mutating: bytes)
    let buffer = try device.importBuffer(memory, usage: .weights, memoryType: type, access: [.read], owner: owner)
    keep(buffer, owner: owner, key)
    return buffer
  }

  private func copied(_ source: ConstantSource, _ device: Device, _ memory: DeviceMemory) throws(BackplaneError) -> DeviceBuffer {
    let bytes = source.bytes
    let key = Key(device: ObjectIdentifier(device), start: UInt(bitPattern: bytes.baseAddress), byteCount: bytes.count, isImport: false)
    if let buffer = known(key) { return buffer }
    let buffer = try device.makeBuffer(byteCount: max(bytes.count, 1), alignment: memory.alignment, usage: .weights, memoryType: memory.main)
    try upload(bytes, to: buffer, memory)
    switch source.place {
    case .file(let file, _): keep(buffer, owner: file, key)
    case .memory(_, let owner, _): if let owner { keep(buffer, owner: owner, key) }
    }
    return buffer
  }
}
