import Backplane
import BackplaneCHeader

// What C functions are given, checked as far as it can be.

func text(_ pointer: UnsafePointer<CChar>?, _ name: StaticString) throws(BackplaneError) -> String {
  guard let pointer else { throw BackplaneError(.invalid, "\(name) is NULL") }
  guard let text = String(validatingCString: pointer) else { throw BackplaneError(.invalid, "\(name) is not UTF-8") }
  return text
}

/// Where a result is to be written.
func place<T>(_ pointer: UnsafeMutablePointer<T>?, _ name: StaticString) throws(BackplaneError) -> UnsafeMutablePointer<T> {
  guard let pointer else { throw BackplaneError(.invalid, "\(name) is NULL: there is nowhere to put the result") }
  return pointer
}

/// The caller's struct; `standard` when the pointer is NULL. A newer caller's larger one is read as far as this version knows it.
///
/// No caller has a smaller one than version 1.0 had, which is the one here. When a struct grows, its sizes so far must be told apart here: half a
/// pointer is none.
func options<T: BitwiseCopyable>(_ pointer: UnsafePointer<T>?, _ standard: T, _ name: StaticString) throws(BackplaneError) -> T {
  guard let pointer else { return standard }
  let size = Int(UnsafeRawPointer(pointer).loadUnaligned(as: UInt32.self))
  guard size >= MemoryLayout<T>.size else {
    throw BackplaneError(.invalid, "\(name)->struct_size is \(size), the struct has \(MemoryLayout<T>.size) bytes", hint: "set it to the struct's sizeof")
  }
  return UnsafeRawPointer(pointer).loadUnaligned(as: T.self)
}

/// Writes as much of a result struct as the caller's `struct_size` has room for.
func write<T: BitwiseCopyable>(_ value: T, to pointer: UnsafeMutablePointer<T>, _ name: StaticString) throws(BackplaneError) {
  let target = UnsafeMutableRawPointer(pointer)
  let size = target.loadUnaligned(as: UInt32.self)
  guard size >= 4 else { throw BackplaneError(.invalid, "\(name)->struct_size is \(size)", hint: "set it to the struct's sizeof") }
  withUnsafeBytes(of: value) { target.copyMemory(from: $0.baseAddress!, byteCount: min(Int(size), $0.count)) }
  target.storeBytes(of: size, as: UInt32.self)
}

/// The elements of an array argument.
func array<T>(_ pointer: UnsafePointer<T>?, _ count: UInt32, _ name: StaticString, limit: UInt32 = 65536) throws(BackplaneError) -> UnsafeBufferPointer<T> {
  guard count <= limit else { throw BackplaneError(.invalid, "\(count) elements of \(name); \(limit) are possible") }
  guard pointer != nil || count == 0 else { throw BackplaneError(.invalid, "\(name) is NULL, but \(count) elements are announced") }
  return UnsafeBufferPointer(start: pointer, count: Int(count))
}

func bytes(_ pointer: UnsafeRawPointer?, _ count: Int, _ name: StaticString) throws(BackplaneError) -> UnsafeRawBufferPointer {
  guard count >= 0, pointer != nil || count == 0 else { throw BackplaneError(.invalid, "\(name) is NULL or too long: \(UInt(bitPattern: count)) bytes") }
  return UnsafeRawBufferPointer(start: pointer, count: count)
}

/// Gives a text to a caller's buffer.
func give(_ text: String, _ buffer: UnsafeMutablePointer<CChar>?, _ capacity: Int, _ needed: UnsafeMutablePointer<Int>?) throws(BackplaneError) -> Int32 {
  let count = text.utf8.count + 1
  guard buffer != nil || capacity == 0 else { throw BackplaneError(.invalid, "the buffer is NULL, but its capacity is \(capacity)") }
  guard buffer != nil || needed != nil else { throw BackplaneError(.invalid, "buffer and needed are both NULL: there is nowhere to put the result") }
  needed?.pointee = count
  guard let buffer, UInt(bitPattern: capacity) >= UInt(count) else { return BP_MORE }
  text.withCString { buffer.update(from: $0, count: count) }
  return BP_OK
}

/// What an application handed over to be handed back, or to be used from threads as it has said it may.
struct Foreign<Value>: @unchecked Sendable {
  let value: Value
  init(_ value: Value) { self.value = value }
}
