import BackplaneABI

/// A code of the catalogue of refusals, `Specs/abi/reasons.json`.
public struct Reason: Hashable, Sendable, CustomStringConvertible {
  public let code: UInt32
  public init(code: UInt32) { self.code = code }

  /// The catalogue's text; "reason 99" for a code that this host does not know.
  public var description: String { code < Reason.texts.count ? Reason.texts[Int(code)] : "reason \(code)" }

  static let texts = [
    "no reason given",
    "the operator is not implemented",
    "the operator's version is newer than the plugin knows",
    "the operand's format is not supported here",
    "the operand's layout or strides are not supported",
    "the operand's rank is outside the supported range",
    "an extent exceeds the device's limit",
    "an extent is not a multiple of what the kernel needs",
    "an address or stride is not aligned enough",
    "a symbolic dimension where only a fixed one is supported",
    "the attribute's value is not supported",
    "the processor lacks an instruction set that is needed",
    "the device lacks a feature that is needed",
    "the kernel needs more work-group memory than there is",
    "the device's memory is too small",
    "a known driver fault is avoided",
    "the demanded numerics cannot be kept",
    "switched off by a setting",
    "an operand that this kernel needs is absent",
    "an optional operand that this kernel cannot take is present",
    "the operands' shapes do not fit together",
    "the graph as a whole exceeds a limit of the device",
    "the operand must be a constant here",
  ]
}
