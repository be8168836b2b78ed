import BackplaneCore

/// How the blocks of a format are decoded, looked up once for a tensor.
///
/// A weight is `product + offset` in f32 arithmetic, as the format's page says. The products of 16-bit scales and quants fit the 24 bits
/// of an f32, so that a weight is rounded once at most: where a minimum is added, or where the scale is an f32.
struct BlockFormat {
  /// Writes each element's product, and its offset where the format has minima.
  typealias Decode = (_ block: UnsafePointer<UInt8>, _ product: UnsafeMutablePointer<Float>, _ offset: UnsafeMutablePointer<Float>) -> Void
  let decode: Decode
  let hasMinimum: Bool
  /// Quants are reduced by a number before the scale: `offset` is no part of the weight, only of what kernels that sum both apart round.
  let hasZeroPoint: Bool
  /// Scales of sub-blocks are quantised themselves.
  let isTwoLevel: Bool

  private init(_ decode: @escaping Decode, hasMinimum: Bool = false, hasZeroPoint: Bool = false, isTwoLevel: Bool = false) {
    self.decode = decode
    self.hasMinimum = hasMinimum
    self.hasZeroPoint = hasZeroPoint
    self.isTwoLevel = isTwoLevel
  }

  /// nil for a plain format.
  static func named(_ format: ElementFormat) -> BlockFormat? {
    switch format {
    case .q4_0: BlockFormat(Q4_0.decode)
    case .q4_1: BlockFormat(Q4_1.decode, hasMinimum: true)
    case .q5_0: BlockFormat(Q5_0.decode)
    case .q5_1: BlockFormat(Q5_1.decode, hasMinimum: true)
    case .q8_0: BlockFormat(Q8_0.decode)
    case .q2K: BlockFormat(Q2K.decode, hasMinimum: true, isTwoLevel: true)
    case .q3K: BlockFormat(Q3K.decode, isTwoLevel: true)
    case .q4K: BlockFormat(Q4K.decode, hasMinimum: true, isTwoLevel: true)
    case .q5K: BlockFormat(Q5K.decode, hasMinimum: true, isTwoLevel: true)
    case .q6K: BlockFormat(Q6K.decode, isTwoLevel: true)
    case .iq4Nl: BlockFormat(IQ4NL.decode)
    case .mxfp4: BlockFormat(MXFP4.decode)
    case .tq2_0: BlockFormat(TQ2_0.decode)
    case .q4Z: BlockFormat(Q4Z.decode, hasZeroPoint: true)
    case .nf4: BlockFormat(NF4.decode)
    default: nil
    }
  }
}

/// The f16 at `bytes`, which need not be aligned.
func half(_ bytes: UnsafePointer<UInt8>) -> Float {
  Float(Float16(bitPattern: UInt16(bytes[0]) | UInt16(bytes[1]) << 8))
}

/// The f32 at `bytes`, which need not be aligned.
func single(_ bytes: UnsafePointer<UInt8>) -> Float {
  Float(bitPattern: UInt32(littleEndian: UnsafeRawPointer(bytes).loadUnaligned(as: UInt32.self)))
}
