import BackplaneABI
import BackplaneCore

extension String {
  /// What a plugin says, with care: no pointer means empty, bad UTF-8 is repaired, 4 KiB at most.
  init(_ text: bp_str) {
    guard let start = text.ptr, text.len > 0 else { self = ""; return }
    self = String(decoding: UnsafeRawBufferPointer(start: start, count: Int(Swift.min(text.len, 4096))), as: UTF8.self)
  }
}

extension bp_array {
  /// The elements as this host's `T`, whatever the producer's size of it is. Nothing when the array says nonsense.
  ///
  /// `T` begins with a `bp_head`; each element's own `struct_size` and the stride bound what is read.
  func elements<T>(_ zero: T) -> [T] {
    guard let start = ptr, count > 0, count <= 1 << 24, stride >= UInt32(MemoryLayout<bp_head>.size) else { return [] }
    return (0..<Int(count)).map { i in
      let element = start + i * Int(stride)
      var copy = zero
      let known = min(Int(element.loadUnaligned(as: UInt32.self)), Int(stride), MemoryLayout<T>.size)
      withUnsafeMutableBytes(of: &copy) { $0.baseAddress!.copyMemory(from: element, byteCount: known & ~3) }
      return copy
    }
  }
}

/// A value with a name that crossed the ABI as a number: a device's property, or what a kernel declares about its accuracy.
public struct NamedValue: Sendable, Equatable {
  public let id: Identifier
  public let value: AttributeValue

  public init(id: Identifier, value: AttributeValue) {
    self.id = id
    self.value = value
  }

  /// The name, where this host knows it, else the number in hexadecimal.
  public var name: String { NamedValue.known[id] ?? "0x" + String(id.value, radix: 16) }

  /// Names used by the plugins of this repository; an unknown one is still compared by number.
  static let known: [Identifier: String] = {
    let names = ["act_block", "operand_round", "p_round", "ftz", "isa", "clock_mhz", "cores", "threads", "compute_units", "subgroup_size",
      "local_memory_bytes", "l1_bytes", "l2_bytes", "l3_bytes", "cache_line_bytes", "numa_nodes", "api_version", "device_version", "features",
      "simulated", "tops", "bandwidth_bytes_per_s", "peak_flops", "scratchpad_bytes", "build", "kernels", "blas", "amx", "max_group_size", "local_memory", "group_limit", "quirks"]
    return Dictionary(uniqueKeysWithValues: names.map { (Identifier($0), $0) })
  }()

  init(_ attribute: bp_attr) {
    id = Identifier(value: attribute.name)
    let count = attribute.data == nil ? 0 : Int(min(attribute.count, 1 << 16))
    let bytes = UnsafeRawPointer(bitPattern: UInt(bitPattern: attribute.data))
    value = switch attribute.kind {
    case BP_ATTR_I64: .int(Int(attribute.i))
    case BP_ATTR_F64: .float(attribute.f)
    case BP_ATTR_STR: .string(bytes.map { String(decoding: UnsafeRawBufferPointer(start: $0, count: count), as: UTF8.self) } ?? "")
    case BP_ATTR_I64S: .ints((0..<count).map { Int(bytes!.loadUnaligned(fromByteOffset: $0 * 8, as: Int64.self)) })
    case BP_ATTR_F64S: .floats((0..<count).map { bytes!.loadUnaligned(fromByteOffset: $0 * 8, as: Double.self) })
    default: .int(0)
    }
  }
}

extension AttributeValue {
  /// For people and reports.
  var text: String {
    switch self {
    case .int(let i): "\(i)"
    case .float(let f): "\(f)"
    case .string(let s): s
    case .ints(let v): v.map(String.init).joined(separator: " ")
    case .floats(let v): v.map { "\($0)" }.joined(separator: " ")
    }
  }
}

/// An error record that says "nothing yet", for a plugin to fill.
func emptyError() -> bp_error {
  var error = bp_error()
  error.h.struct_size = UInt32(MemoryLayout<bp_error>.size)
  error.h.struct_type = BP_ST_ERROR
  return error
}

func head<T>(_: T.Type, _ type: UInt32) -> bp_head {
  bp_head(struct_size: UInt32(MemoryLayout<T>.size), struct_type: type, next: nil)
}

/// Runs one call of a plugin and throws when it comes back with an error. Soft results (> 0) are returned.
///
/// Allocates nothing when the call succeeds.
@inline(__always) @discardableResult
public func checked(_ call: @autoclosure () -> String, _ subject: @autoclosure () -> String,
                    _ body: (UnsafeMutablePointer<bp_error>) -> bp_status) throws(BackplaneError) -> bp_status {
  var error = emptyError()
  let status = body(&error)
  if status < 0 { throw BackplaneError(status: status, error: error, call: call(), subject: subject()) }
  return status
}
