import BackplaneCore

/// The element types of ONNX, by their numbers in TensorProto.DataType.
public enum ONNXDataType: Int, Sendable, CaseIterable {
  case float = 1, uint8, int8, uint16, int16, int32, int64, string, bool, float16, double, uint32, uint64, complex64, complex128, bfloat16
  case float8e4m3fn, float8e4m3fnuz, float8e5m2, float8e5m2fnuz, uint4, int4, float4e2m1, float8e8m0, uint2, int2

  /// Our format with the same elements, nil where there is none.
  public var format: ElementFormat? {
    switch self {
    case .float: .f32
    case .float16: .f16
    case .bfloat16: .bf16
    case .double: .f64
    case .int8: .i8
    case .uint8: .u8
    case .int16: .i16
    case .int32: .i32
    case .int64: .i64
    case .bool: .bool
    default: nil
    }
  }

  /// Bits of an element as `raw_data` holds it; several to a byte below 8, nil for strings.
  public var bits: Int? {
    switch self {
    case .string: nil
    case .uint2, .int2: 2
    case .uint4, .int4, .float4e2m1: 4
    case .uint8, .int8, .bool, .float8e4m3fn, .float8e4m3fnuz, .float8e5m2, .float8e5m2fnuz, .float8e8m0: 8
    case .uint16, .int16, .float16, .bfloat16: 16
    case .float, .int32, .uint32: 32
    case .double, .int64, .uint64, .complex64: 64
    case .complex128: 128
    }
  }

  init?(_ format: ElementFormat) {
    guard let found = ONNXDataType.allCases.first(where: { $0.format == format }) else { return nil }
    self = found
  }
}
