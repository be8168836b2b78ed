import BackplaneCore

/// A file of kernels and of the variants that use them, `<folder>/<name>.json` beside its sources. The form is in
/// `Specs/writing-a-kernel.md`.
///
/// A *kernel* is device code with formal operands: which of them it takes, what is defined when it is compiled, and how it is launched are formulas
/// over them. A *variant* says which operators it computes under which conditions, and as which kernels one after the other.
struct KernelManifest {
  let file: String
  /// The device's own, or of the user's folder: these come first.
  let isUsers: Bool
  var kernels: [String: KernelTemplate] = [:]
  var variants: [VariantTemplate] = []
}

/// Device code with formal operands.
struct KernelTemplate {
  /// What a kernel is given at a launch, in order.
  enum Argument: Equatable {
    /// An address and a number of bytes to it; absent operands give nothing and 0.
    case buffer(String)
    case int(Formula), long(Formula), float(Formula)
    /// The walk's extents as eight 32-bit numbers, and its steps through an operand as eight 64-bit numbers: right-aligned.
    case extents, steps(String)
    /// Of the axes that the walk sets apart.
    case innerExtents, innerSteps(String)
  }

  /// Dimensions that several operands share, broadcast to the first; `dropped` trailing ones of each are left out.
  struct Walk: Equatable {
    var operands: [(name: String, dropped: Int)]
    /// An attribute with numbers of dimensions that are walked apart from the others.
    var axes: String?

    static func == (a: Walk, b: Walk) -> Bool { a.axes == b.axes && a.operands.elementsEqual(b.operands, by: ==) }
  }

  let name: String
  /// Path of the source in the library.
  let source: String
  let entry: String
  var lets: [(name: String, formula: Formula)] = []
  var walk: Walk?
  /// Given to the compiler; texts as they stand, conditions as 0 and 1.
  var defines: [(name: String, formula: Formula)] = []
  var arguments: [Argument] = []
  /// Work items (a multiple of `local` is launched), and work items of a group.
  var global: [Formula] = []
  var local: [Formula] = []
}

/// How a device computes some operators.
struct VariantTemplate {
  struct Operand {
    let name: String
    let isOptional: Bool
    let isVariadic: Bool
    /// Names of formats; empty: any.
    let formats: [String]
    /// The operand whose format it must have.
    let sameAs: String?
  }
  struct Condition {
    let formula: Formula
    let reason: UInt32
    let operand: String?
  }
  struct Parameter {
    let name: String
    let onCPU: Int
    let onGPU: Int
    let choices: [Int]
  }
  /// A tensor in scratch memory, dense; or another shape of an operand's dense storage.
  struct LocalTensor {
    let name: String
    let format: Formula
    let shape: [Formula]
    /// The operand whose storage it is; nil scratch memory.
    let of: String?
  }
  struct Launch {
    let kernel: String
    /// Formal operands by name; what is not named is bound to the operand of that name, or absent.
    let bind: [String: String]
    let condition: Formula?
    /// Left out when both operands lie at the same address.
    let unlessSame: (String, String)?
    /// Values that the kernel's formulas may use, beside those of its own.
    let values: [(name: String, formula: Formula)]
  }

  let name: String
  let file: String
  let isUsers: Bool
  let operators: [String]
  var inputs: [Operand] = []
  var outputs: [Operand] = []
  var conditions: [Condition] = []
  var features: [String] = []
  var parameters: [Parameter] = []
  var locals: [LocalTensor] = []
  var launches: [Launch] = []
  /// Copies that the operator's attributes describe (transpose, slice, concat …), as this kernel; `fill` sets what they leave.
  var copyKernel: String?
  var fillKernel: String?
  /// (output, input): the output may take the input's storage.
  var inPlace: (output: String, input: String)?
  /// What the variant declares to the judge, such as ("operand_round", "f16").
  var declares: [(name: String, value: Formula.Value)] = []
}
