import BackplaneABI
import BackplaneCore

// How structs cross the ABI: `struct_size` bytes of them, what is missing is zero.

/// As much of a struct as its producer has.
public func readInput<T>(_ pointer: UnsafePointer<T>) -> T {
  withUnsafeTemporaryAllocation(of: T.self, capacity: 1) { local in
    let raw = UnsafeMutableRawBufferPointer(local)
    raw.initializeMemory(as: UInt8.self, repeating: 0)
    let size = Int(UnsafeRawPointer(pointer).loadUnaligned(as: UInt32.self))
    raw.copyMemory(from: UnsafeRawBufferPointer(start: pointer, count: min(max(size, 0), MemoryLayout<T>.size)))
    return local[0]
  }
}

/// As ``readInput(_:)``, of a struct to which others may be chained.
///
/// - Throws: ``BackplaneError`` (unsupported) when one of them must be understood: none is known here.
func readChained<T>(_ pointer: UnsafePointer<T>, _ call: String) throws(BackplaneError) -> T {
  var next = UnsafeRawPointer(pointer).load(as: bp_head.self).next
  while let link = next {
    let type = link.pointee.struct_type
    if type & 0x8000_0000 != 0 { throw BackplaneError(.unsupported, "\(call): the chained struct of type \(type & 0x7fff_ffff) is not known here") }
    next = link.pointee.next
  }
  return readInput(pointer)
}

/// Writes all but the head, as far as the caller has room.
func writeOutput<T>(_ value: T, to pointer: UnsafeMutablePointer<T>) {
  let raw = UnsafeMutableRawPointer(pointer)
  let room = min(Int(raw.loadUnaligned(as: UInt32.self)), MemoryLayout<T>.size)
  let head = MemoryLayout<bp_head>.size
  guard room > head else { return }
  withUnsafeBytes(of: value) { (raw + head).copyMemory(from: $0.baseAddress! + head, byteCount: room - head) }
}

/// The elements of an array of structs.
///
/// - Throws: ``BackplaneError`` (invalid) for an array that cannot be one.
func readAll<T>(_ array: bp_array, _: T.Type) throws(BackplaneError) -> [T] {
  if array.count == 0 { return [] }
  guard let base = array.ptr, Int(array.stride) >= MemoryLayout<bp_head>.size, array.count < 1 << 24 else {
    throw BackplaneError(.invalid, "an array of \(array.count) elements, \(array.stride) bytes apart, at \(array.ptr.map { "\($0)" } ?? "NULL")")
  }
  return (0..<Int(array.count)).map { readInput((base + $0 * Int(array.stride)).assumingMemoryBound(to: T.self)) }
}

func head<T>(_: T.Type, _ type: UInt32) -> bp_head { bp_head(struct_size: UInt32(MemoryLayout<T>.size), struct_type: type, next: nil) }

func string(_ text: StaticString) -> bp_str { bp_str(ptr: UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self), len: UInt64(text.utf8CodeUnitCount)) }

/// Runs the body of an ABI function: what it throws becomes a status and the caller's bp_error.
func answering(_ out: UnsafeMutablePointer<bp_error>?, _ body: () throws(BackplaneError) -> Void) -> bp_status {
  do {
    try body()
    return BP_OK
  } catch {
    if let out { fill(out, error) }
    return error.kind.status
  }
}

private func fill(_ out: UnsafeMutablePointer<bp_error>, _ error: BackplaneError) {
  var record = bp_error()
  record.code = error.kind.status
  record.node_plus_1 = error.node.map { UInt32(clamping: $0 + 1) } ?? 0
  record.reason = error.reason
  withUnsafeMutableBytes(of: &record.message) { room in
    var text = Array(error.description.utf8.prefix(room.count - 1))
    // Do not cut through a character.
    if text.count == room.count - 1, let lead = text.lastIndex(where: { $0 & 0xC0 != 0x80 }), text[lead] >= 0xC0 { text.removeSubrange(lead...) }
    room.copyBytes(from: text)
  }
  writeOutput(record, to: out)
}
