// Generated from Specs/abi/reasons.json by `backplane generate`. Do not edit.

/// Why a device says no: what stands behind `bp_verdict.reason` and `BackplaneError.reason`.
public enum ReasonCatalogue {
  public struct Entry: Hashable, Sendable {
    public let code: UInt32
    /// Such as `DIM_MULTIPLE`.
    public let name: String
    public let text: String
    /// What to try; nil when there is nothing to say.
    public let hint: String?
  }

  /// Nil for a code that a newer plugin may know.
  public static func with(code: UInt32) -> Entry? { code < all.count ? all[Int(code)] : nil }

  /// In the order of their codes, from 0 on.
  public static let all: [Entry] = [
    Entry(code: 0, name: "NONE", text: "no reason given", hint: nil),
    Entry(code: 1, name: "OP_UNKNOWN", text: "the operator is not implemented", hint: "another device, or let the host decompose it"),
    Entry(code: 2, name: "OP_VERSION", text: "the operator's version is newer than the plugin knows", hint: "a newer plugin"),
    Entry(code: 3, name: "DTYPE", text: "the operand's format is not supported here", hint: "cast, or convert the weights"),
    Entry(code: 4, name: "LAYOUT", text: "the operand's layout or strides are not supported", hint: "make it contiguous"),
    Entry(code: 5, name: "RANK", text: "the operand's rank is outside the supported range", hint: nil),
    Entry(code: 6, name: "DIM_TOO_LARGE", text: "an extent exceeds the device's limit", hint: nil),
    Entry(code: 7, name: "DIM_MULTIPLE", text: "an extent is not a multiple of what the kernel needs", hint: nil),
    Entry(code: 8, name: "ALIGN", text: "an address or stride is not aligned enough", hint: nil),
    Entry(code: 9, name: "DYNAMIC_DIM", text: "a symbolic dimension where only a fixed one is supported", hint: nil),
    Entry(code: 10, name: "ATTRIBUTE", text: "the attribute's value is not supported", hint: nil),
    Entry(code: 11, name: "ISA", text: "the processor lacks an instruction set that is needed", hint: nil),
    Entry(code: 12, name: "FEATURE", text: "the device lacks a feature that is needed", hint: nil),
    Entry(code: 13, name: "WORKGROUP_MEMORY", text: "the kernel needs more work-group memory than there is", hint: nil),
    Entry(code: 14, name: "MEMORY", text: "the device's memory is too small", hint: nil),
    Entry(code: 15, name: "QUIRK", text: "a known driver fault is avoided", hint: nil),
    Entry(code: 16, name: "NUMERICS", text: "the demanded numerics cannot be kept", hint: nil),
    Entry(code: 17, name: "DISABLED", text: "switched off by a setting", hint: nil),
    Entry(code: 18, name: "OPERAND_MISSING", text: "an operand that this kernel needs is absent", hint: nil),
    Entry(code: 19, name: "OPERAND_UNEXPECTED", text: "an optional operand that this kernel cannot take is present", hint: nil),
    Entry(code: 20, name: "SHAPE", text: "the operands' shapes do not fit together", hint: nil),
    Entry(code: 21, name: "GRAPH_LIMIT", text: "the graph as a whole exceeds a limit of the device", hint: "split the graph at this node"),
    Entry(code: 22, name: "WEIGHTS_NOT_CONST", text: "the operand must be a constant here", hint: nil),
  ]
}
