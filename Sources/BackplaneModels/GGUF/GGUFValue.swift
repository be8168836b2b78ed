/// The type of a metadata value; raw values are the file format's.
public enum GGUFValueType: UInt32, Sendable, CaseIterable {
  case uint8 = 0, int8, uint16, int16, uint32, int32, float32, bool, string, array, uint64, int64, float64

  /// Bytes of one value, nil for strings and arrays.
  public var byteCount: Int? {
    switch self {
    case .uint8, .int8, .bool: 1
    case .uint16, .int16: 2
    case .uint32, .int32, .float32: 4
    case .uint64, .int64, .float64: 8
    case .string, .array: nil
    }
  }
}

/// A metadata value with its exact type, so that reading and writing a file loses nothing.
public enum GGUFValue: Sendable {
  case uint8(UInt8), int8(Int8), uint16(UInt16), int16(Int16), uint32(UInt32), int32(Int32), uint64(UInt64), int64(Int64)
  case float32(Float), float64(Double)
  case bool(Bool)
  case string(String)
  case array(GGUFArray)

  public var type: GGUFValueType {
    switch self {
    case .uint8: .uint8
    case .int8: .int8
    case .uint16: .uint16
    case .int16: .int16
    case .uint32: .uint32
    case .int32: .int32
    case .uint64: .uint64
    case .int64: .int64
    case .float32: .float32
    case .float64: .float64
    case .bool: .bool
    case .string: .string
    case .array: .array
    }
  }

  /// The value of any integer type; nil for other types and when it does not fit.
  public var int: Int? {
    switch self {
    case .uint8(let v): Int(v)
    case .int8(let v): Int(v)
    case .uint16(let v): Int(v)
    case .int16(let v): Int(v)
    case .uint32(let v): Int(v)
    case .int32(let v): Int(v)
    case .uint64(let v): Int(exactly: v)
    case .int64(let v): Int(exactly: v)
    default: nil
    }
  }

  /// The value of either float type, nil for other types.
  public var float: Double? {
    switch self {
    case .float32(let v): Double(v)
    case .float64(let v): v
    default: nil
    }
  }

  public var bool: Bool? { if case .bool(let v) = self { v } else { nil } }
  public var string: String? { if case .string(let v) = self { v } else { nil } }
  public var array: GGUFArray? { if case .array(let v) = self { v } else { nil } }
}

extension GGUFValue: CustomStringConvertible {
  public var description: String {
    if let int { return "\(int)" }
    if let float { return "\(float)" }
    if let bool { return "\(bool)" }
    if let string { return "\"\(string)\"" }
    if let array { return "\(array.count) × \(array.elementType)" }
    return "\(type)"
  }
}
