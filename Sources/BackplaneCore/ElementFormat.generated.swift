// Generated from Specs/formats/*.json by `backplane generate`. Do not edit.

extension ElementFormat {
  /// IEEE 754 binary32.
  public static let f32 = ElementFormat(name: "f32", kind: .float, blockElements: 1, blockBytes: 4, ggmlType: 0)
  /// IEEE 754 binary16.
  public static let f16 = ElementFormat(name: "f16", kind: .float, blockElements: 1, blockBytes: 2, ggmlType: 1)
  /// Bfloat16: the upper half of binary32.
  public static let bf16 = ElementFormat(name: "bf16", kind: .float, blockElements: 1, blockBytes: 2, ggmlType: 30)
  /// IEEE 754 binary64; host tables and the oracle only.
  public static let f64 = ElementFormat(name: "f64", kind: .float, blockElements: 1, blockBytes: 8, ggmlType: 28)
  /// 8-bit two's complement.
  public static let i8 = ElementFormat(name: "i8", kind: .signed, blockElements: 1, blockBytes: 1, ggmlType: 24)
  /// 8-bit unsigned.
  public static let u8 = ElementFormat(name: "u8", kind: .unsigned, blockElements: 1, blockBytes: 1, ggmlType: nil)
  /// 16-bit two's complement.
  public static let i16 = ElementFormat(name: "i16", kind: .signed, blockElements: 1, blockBytes: 2, ggmlType: 25)
  /// 32-bit two's complement.
  public static let i32 = ElementFormat(name: "i32", kind: .signed, blockElements: 1, blockBytes: 4, ggmlType: 26)
  /// 64-bit two's complement.
  public static let i64 = ElementFormat(name: "i64", kind: .signed, blockElements: 1, blockBytes: 8, ggmlType: 27)
  /// One byte, 0 or 1.
  public static let bool = ElementFormat(name: "bool", kind: .bool, blockElements: 1, blockBytes: 1, ggmlType: nil)
  /// 4 bit, one scale, symmetric.
  public static let q4_0 = ElementFormat(name: "q4_0", kind: .block, blockElements: 32, blockBytes: 18, ggmlType: 2)
  /// 4 bit, scale and minimum.
  public static let q4_1 = ElementFormat(name: "q4_1", kind: .block, blockElements: 32, blockBytes: 20, ggmlType: 3)
  /// 5 bit, one scale, symmetric.
  public static let q5_0 = ElementFormat(name: "q5_0", kind: .block, blockElements: 32, blockBytes: 22, ggmlType: 6)
  /// 5 bit, scale and minimum.
  public static let q5_1 = ElementFormat(name: "q5_1", kind: .block, blockElements: 32, blockBytes: 24, ggmlType: 7)
  /// 8 bit, one scale, symmetric.
  public static let q8_0 = ElementFormat(name: "q8_0", kind: .block, blockElements: 32, blockBytes: 34, ggmlType: 8)
  /// 2 bit, 4-bit scales and minima.
  public static let q2K = ElementFormat(name: "q2_K", kind: .block, blockElements: 256, blockBytes: 84, ggmlType: 10)
  /// 3 bit, 6-bit scales.
  public static let q3K = ElementFormat(name: "q3_K", kind: .block, blockElements: 256, blockBytes: 110, ggmlType: 11)
  /// 4 bit, 6-bit scales and minima.
  public static let q4K = ElementFormat(name: "q4_K", kind: .block, blockElements: 256, blockBytes: 144, ggmlType: 12)
  /// 5 bit, 6-bit scales and minima.
  public static let q5K = ElementFormat(name: "q5_K", kind: .block, blockElements: 256, blockBytes: 176, ggmlType: 13)
  /// 6 bit, 8-bit scales.
  public static let q6K = ElementFormat(name: "q6_K", kind: .block, blockElements: 256, blockBytes: 210, ggmlType: 14)
  /// 4 bit codebook, one scale.
  public static let iq4Nl = ElementFormat(name: "iq4_nl", kind: .block, blockElements: 32, blockBytes: 18, ggmlType: 20)
  /// OCP microscaling FP4: E2M1 elements, E8M0 scale.
  public static let mxfp4 = ElementFormat(name: "mxfp4", kind: .block, blockElements: 32, blockBytes: 17, ggmlType: 39)
  /// Ternary, 2 bit.
  public static let tq2_0 = ElementFormat(name: "tq2_0", kind: .block, blockElements: 256, blockBytes: 66, ggmlType: 35)
  /// 4 bit, f32 scale and zero point: weights of GPTQ, AWQ and MatMulNBits, exactly.
  public static let q4Z = ElementFormat(name: "q4_z", kind: .block, blockElements: 32, blockBytes: 22, ggmlType: nil)
  /// 4 bit codebook of quantiles of the normal distribution (QLoRA), f32 scale.
  public static let nf4 = ElementFormat(name: "nf4", kind: .block, blockElements: 32, blockBytes: 20, ggmlType: nil)

  /// Every format, in the order of the registry.
  public static let all: [ElementFormat] = [
    .f32, .f16, .bf16, .f64, .i8, .u8, .i16, .i32, .i64, .bool, .q4_0, .q4_1, .q5_0, .q5_1, .q8_0, .q2K, .q3K, .q4K, .q5K, .q6K, .iq4Nl, .mxfp4, .tq2_0, .q4Z, .nf4,
  ]
}
