import BackplaneCore
import BackplaneRegistry

/// What a session allocates on one device. Buffers of no bytes are left out.
final class DeviceBuffers {
  let io: DeviceBuffer?
  let arena: DeviceBuffer?
  /// Perhaps another session's.
  let states: DeviceBuffer?
  /// Where the host sees them, for the session's life; nil where they must be mapped each time.
  private let ioAddress: UnsafeMutableRawPointer?
  private let arenaAddress: UnsafeMutableRawPointer?
  private let memory: DeviceMemory

  /// - Parameter states: Memory of a session that shares its states; nil allocates.
  init(_ device: Device, _ memory: DeviceMemory, _ plan: MemoryPlan.OnDevice, states shared: DeviceBuffer? = nil) throws(BackplaneError) {
    self.memory = memory
    func make(_ bytes: Int, _ usage: BufferUsage, _ type: UInt32) throws(BackplaneError) -> DeviceBuffer? {
      // A tensor of no bytes needs a buffer to be bound to.
      if bytes == 0, !(usage.contains(.input) ? plan.slots.values.contains { if case .io = $0 { true } else { false } }
        : usage.contains(.state) ? plan.slots.values.contains { if case .state = $0 { true } else { false } }
        : plan.slots.values.contains { if case .arena = $0 { true } else { false } }) { return nil }
      return try device.makeBuffer(byteCount: max(bytes, 1), alignment: memory.alignment, usage: usage, memoryType: type)
    }
    io = try make(plan.ioBytes, [.input, .output], memory.io)
    arena = try make(plan.arenaBytes, [.workspace], memory.main)
    if let shared { states = shared } else { states = try make(plan.stateBytes, [.state], memory.main) }
    if let io, memory.isIOMapped {
      let bytes = try io.map()
      bytes.initializeMemory(as: UInt8.self, repeating: 0)
      ioAddress = bytes.baseAddress
    } else { ioAddress = nil }
    arenaAddress = memory.isMainMapped ? try arena?.map().baseAddress : nil
  }

  deinit {
    if ioAddress != nil { try? io?.unmap() }
    if arenaAddress != nil { try? arena?.unmap() }
  }

  func address(of buffer: DeviceBuffer) -> UnsafeMutableRawPointer? { buffer === io ? ioAddress : buffer === arena ? arenaAddress : nil }

  func zeroStates() throws(BackplaneError) {
    guard let states else { return }
    do throws(BackplaneError) {
      try states.map(access: [.write]).initializeMemory(as: UInt8.self, repeating: 0)
      try states.unmap()
    } catch where error.kind == .unsupported {
      try upload(UnsafeRawBufferPointer(MemoryBlock(byteCount: states.byteCount).bytes), to: states, memory)
    }
  }
}

/// An input or output as the host sees it.
final class HostTensor {
  let id: TensorID
  private(set) var bytes: UnsafeMutableRawBufferPointer
  /// Host memory that stands in where the device's cannot stay mapped.
  private(set) var shadow: MemoryBlock?
  /// Nil once its device was lost.
  private var buffer: DeviceBuffer?
  private let offset: Int

  init(_ id: TensorID, _ compiled: CompiledGraph, _ buffers: [DeviceBuffers]) {
    self.id = id
    let home = compiled.memory.homes[id]!
    guard case .io(let offset)? = compiled.memory.devices[home].slots[id] else { preconditionFailure("no place for \(compiled.graph[id].name)") }
    let count = compiled.graph[id].maximumBytes ?? 0
    let buffer = buffers[home].io!
    self.buffer = buffer
    self.offset = offset
    if let address = buffers[home].address(of: buffer) {
      bytes = UnsafeMutableRawBufferPointer(start: address + offset, count: count)
      shadow = nil
    } else {
      let block = MemoryBlock(byteCount: count)
      shadow = block
      bytes = UnsafeMutableRawBufferPointer(rebasing: block.bytes[0..<count])
    }
  }

  /// The device is lost: what the host sees stays, in host memory.
  func release() {
    if shadow == nil {
      let block = MemoryBlock(byteCount: bytes.count)
      block.bytes.copyMemory(from: UnsafeRawBufferPointer(bytes))
      (shadow, bytes) = (block, UnsafeMutableRawBufferPointer(rebasing: block.bytes[0..<bytes.count]))
    }
    buffer = nil
  }
  func attach(_ buffer: DeviceBuffer) { self.buffer = buffer }

  func flush() throws(BackplaneError) {
    guard !bytes.isEmpty, let buffer else { return }
    try buffer.map(offset: offset, byteCount: bytes.count, access: [.write]).copyMemory(from: UnsafeRawBufferPointer(bytes))
    try buffer.unmap()
  }

  func fetch() throws(BackplaneError) {
    guard !bytes.isEmpty, let buffer else { return }
    bytes.copyMemory(from: UnsafeRawBufferPointer(try buffer.map(offset: offset, byteCount: bytes.count, access: [.read])))
    try buffer.unmap()
  }
}

/// A tensor's way from one device's memory to another's, through the host.
struct Move {
  let target: DeviceBuffer
  /// For traces.
  let label: String
  private let source: DeviceBuffer
  private let sourceOffset: Int, targetOffset: Int
  private let sourceAddress: UnsafeMutableRawPointer?, targetAddress: UnsafeMutableRawPointer?
  /// Bytes of the tensor with every symbol taken as 1, and which of the session's symbols multiply it.
  private let unitBytes: Int
  private let factors: [Int]

  init(_ tensor: TensorDescription, _ symbols: [Symbol], from: (DeviceBuffer, Int, UnsafeMutableRawPointer?),
       to: (DeviceBuffer, Int, UnsafeMutableRawPointer?)) throws(BackplaneError) {
    (source, sourceOffset, sourceAddress) = from
    (target, targetOffset, targetAddress) = to
    label = "\(tensor.name) from \(source.device.id)"
    var elements = 1
    var factors: [Int] = []
    for dimension in tensor.shape.dimensions {
      switch dimension {
      case .fixed(let n): elements *= n
      case .symbol(let symbol): factors.append(symbols.firstIndex { $0.number == symbol.number }!)
      }
    }
    // Blocks run along the last dimension, which then is fixed: the product below is whole blocks.
    guard let bytes = tensor.format.bytes(forElements: elements) else {
      throw BackplaneError(.invalid, "\(tensor.name)\(tensor.shape) of \(tensor.format) is no number of whole blocks")
    }
    unitBytes = bytes
    self.factors = factors
  }

  var isSourceMapped: Bool { sourceAddress != nil }

  func run(_ symbols: UnsafeMutableBufferPointer<Session.SymbolSlot>) throws(BackplaneError) {
    var count = unitBytes
    for i in factors { count *= symbols[i].value }
    if count == 0 { return }
    let from = sourceAddress != nil ? sourceAddress! + sourceOffset : try source.map(offset: sourceOffset, byteCount: count, access: [.read]).baseAddress!
    let to = targetAddress != nil ? targetAddress! + targetOffset : try target.map(offset: targetOffset, byteCount: count, access: [.write]).baseAddress!
    to.copyMemory(from: from, byteCount: count)
    if sourceAddress == nil { try source.unmap() }
    if targetAddress == nil { try target.unmap() }
  }
}
