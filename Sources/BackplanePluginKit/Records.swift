public import BackplaneABI

// How structs of another build are read and written: the smaller of both sizes counts, what is missing is zero.

/// Reads a struct that begins with a `bp_head`: at most `struct_size` bytes, the rest as in `zero`.
public func readRecord<T>(_ source: UnsafeRawPointer, zero: T) -> T {
  var copy = zero
  let known = min(Int(source.load(as: UInt32.self)), MemoryLayout<T>.size)
  withUnsafeMutableBytes(of: &copy) { $0.baseAddress!.copyMemory(from: source, byteCount: known) }
  return copy
}

/// Writes an output struct: what follows the head, at most `struct_size` bytes of it. The caller's head stays.
public func writeRecord<T>(_ record: T, to out: UnsafeMutablePointer<T>) {
  let raw = UnsafeMutableRawPointer(out), head = MemoryLayout<bp_head>.size
  let count = min(Int(raw.load(as: UInt32.self)), MemoryLayout<T>.size) - head
  guard count > 0 else { return }
  withUnsafeBytes(of: record) { (raw + head).copyMemory(from: $0.baseAddress! + head, byteCount: count) }
}

/// The head of a struct that this build makes.
public func head<T>(_: T.Type, _ type: UInt32) -> bp_head {
  bp_head(struct_size: UInt32(MemoryLayout<T>.size), struct_type: type, next: nil)
}

/// Refuses structs chained to `next` that must be understood; others are skipped.
public func checkChain(_ head: bp_head, of name: String) throws(PluginError) {
  var next = head.next
  while let link = next {
    if link.pointee.struct_type & 0x8000_0000 != 0 {
      throw PluginError(BP_E_UNSUPPORTED, "\(name): the chained struct of type \(link.pointee.struct_type & 0x7fff_ffff) is not known here")
    }
    next = link.pointee.next
  }
}

extension bp_array {
  /// Element `index`, read as its producer's size says.
  @inline(__always)
  public func record<T>(_ index: Int, zero: T) -> T { readRecord(ptr + index * Int(stride), zero: zero) }

  /// Every element; throws when the array cannot be one: no memory behind a count, or a stride smaller than a head.
  public func records<T>(zero: T, named name: String) throws(PluginError) -> [T] {
    if count == 0 { return [] }
    guard ptr != nil, Int(stride) >= MemoryLayout<bp_head>.size else {
      throw .invalid("\(name): an array of \(count) records needs memory and a stride of at least \(MemoryLayout<bp_head>.size), not \(stride)")
    }
    return (0..<Int(count)).map { record($0, zero: zero) }
  }
}

extension bp_str {
  /// Text that lives as long as the process.
  public init(_ text: StaticString) { self.init(ptr: UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self), len: UInt64(text.utf8CodeUnitCount)) }

  public var string: String {
    guard let ptr, len > 0 else { return "" }
    return String(decoding: UnsafeRawBufferPointer(start: ptr, count: Int(len)), as: UTF8.self)
  }
}

/// The number behind a name: FNV-1a-64 of its UTF-8 bytes.
public func identifier(_ name: String) -> bp_id {
  var hash: UInt64 = 0xcbf2_9ce4_8422_2325
  for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
  return hash
}
