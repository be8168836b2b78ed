import Backplane
import BackplaneCHeader
import Foundation

/// Runs the body of a C function: what it throws becomes a code and, where the caller wants it, a text.
func answer(_ failure: UnsafeMutablePointer<bp_failure>?, _ body: () throws -> Int32) -> Int32 {
  do {
    return try body()
  } catch let busy as Turnstile.Busy {
    var error = BackplaneError(.invalid, "the \(busy.what) is at work for another call")
    error.hint = "wait for that call, or make another \(busy.what)"
    return report(error, code: BP_E_BUSY, to: failure)
  } catch let error as BackplaneError {
    return report(error, code: code(of: error), to: failure)
  } catch {
    return report(BackplaneError(.internal, "\(error)"), code: BP_E_INTERNAL, to: failure)
  }
}

func code(of error: BackplaneError) -> Int32 {
  switch error.kind {
  case .constraint: BP_E_CONSTRAINT
  case .file: BP_E_FILE
  default: error.kind.status
  }
}

/// Writes as much of a `bp_failure` as the caller's `struct_size` has room for.
private func report(_ error: BackplaneError, code: Int32, to failure: UnsafeMutablePointer<bp_failure>?) -> Int32 {
  guard let failure else { return code }
  let target = UnsafeMutableRawPointer(failure)
  let size = min(Int(target.loadUnaligned(as: UInt32.self)), MemoryLayout<bp_failure>.size)
  guard size >= MemoryLayout<UInt32>.size else { return code }
  var record = bp_failure()
  record.struct_size = target.loadUnaligned(as: UInt32.self)
  record.code = code
  record.reason = error.reason
  record.node = error.node.flatMap { Int32(exactly: $0) } ?? -1
  withUnsafeMutableBytes(of: &record.op) { put(error.op ?? "", into: $0) }
  withUnsafeMutableBytes(of: &record.label) { put(error.label ?? "", into: $0) }
  withUnsafeMutableBytes(of: &record.message) { put(error.description, into: $0) }
  withUnsafeBytes(of: &record) { target.copyMemory(from: $0.baseAddress!, byteCount: size) }
  // A text that the caller's struct cuts off still ends.
  if size < MemoryLayout<bp_failure>.size, size > MemoryLayout<bp_failure>.offset(of: \.op)! { target.storeBytes(of: 0, toByteOffset: size - 1, as: UInt8.self) }
  return code
}

/// The text with a final 0, shortened to whole characters where there is not room for all. The rest of the field is 0 already.
private func put(_ text: String, into field: UnsafeMutableRawBufferPointer) {
  var bytes = Array(text.utf8.prefix(field.count))
  if bytes.count == field.count {
    bytes.removeLast()
    while let last = bytes.last, last & 0xc0 == 0x80 { bytes.removeLast() }
    if let last = bytes.last, last >= 0xc0 { bytes.removeLast() }
  }
  field.copyBytes(from: bytes)
}
