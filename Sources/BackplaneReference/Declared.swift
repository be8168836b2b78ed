import BackplaneABI
import BackplaneCore
import BackplaneHostPlugin

/// What a kernel says it does to accuracy beyond f32 arithmetic. The bound grows by exactly this.
public struct Declared: Sendable, Hashable {
  public enum Rounding: String, Sendable {
    case bf16, f16
    /// Half an ulp, relative.
    var unit: Double { self == .bf16 ? 0x1p-8 : 0x1p-11 }
    /// Half the smallest subnormal.
    var tiny: Double { self == .bf16 ? 0x1p-134 : 0x1p-25 }
    var largest: Double { self == .bf16 ? 0x1.fep127 : 65504 }

    /// Whether every element of `format` already is such a number.
    func holds(_ format: ElementFormat) -> Bool { format.name == rawValue }
  }

  /// Activations are rounded to 8 bits, with one scale for that many elements; more than a row means one for the row.
  public var activationBlock: Int?
  /// The format of those scales where it is narrower than f32.
  public var activationScale: Rounding?
  /// Operands are rounded on the way.
  public var operandRound: Rounding?
  /// Attention's weights are rounded.
  public var weightRound: Rounding?
  /// Subnormal numbers count as zero.
  public var flushesSubnormals = false

  public static let nothing = Declared()

  public init(activationBlock: Int? = nil, activationScale: Rounding? = nil, operandRound: Rounding? = nil, weightRound: Rounding? = nil,
              flushesSubnormals: Bool = false) {
    self.activationBlock = activationBlock
    self.activationScale = activationScale
    self.operandRound = operandRound
    self.weightRound = weightRound
    self.flushesSubnormals = flushesSubnormals
  }

  /// From a verdict's `declares`: "act_block", "act_scale", "operand_round", "p_round", "ftz". Names that are not known are left out:
  /// nobody may widen a bound by a word the oracle does not understand.
  public init(_ declares: [Attribute]) {
    for attribute in declares {
      switch (attribute.name, attribute.value) {
      case ("act_block", .int(let n)): activationBlock = n > 0 ? n : nil
      case ("act_scale", .string(let s)): activationScale = Rounding(rawValue: s)
      case ("operand_round", .string(let s)): operandRound = Rounding(rawValue: s)
      case ("p_round", .string(let s)): weightRound = Rounding(rawValue: s)
      case ("ftz", .int(let n)): flushesSubnormals = n != 0
      default: break
      }
    }
  }

  /// From the ABI's records in a verdict.
  public init(abi declares: bp_array) {
    var attributes: [Attribute] = []
    for i in 0..<Int(declares.count) {
      guard let base = declares.ptr, Int(declares.stride) >= MemoryLayout<bp_head>.size else { break }
      let record = readInput((base + i * Int(declares.stride)).assumingMemoryBound(to: bp_attr.self))
      guard let name = Declared.names.first(where: { Identifier($0).value == record.name }) else { continue }
      switch record.kind {
      case BP_ATTR_I64: attributes.append(Attribute(name, .int(Int(record.i))))
      case BP_ATTR_STR:
        guard let data = record.data else { continue }
        let text = String(decoding: UnsafeRawBufferPointer(start: data, count: Int(record.count)), as: UTF8.self)
        attributes.append(Attribute(name, .string(text)))
      default: break
      }
    }
    self.init(attributes)
  }

  private static let names = ["act_block", "act_scale", "operand_round", "p_round", "ftz"]
}
