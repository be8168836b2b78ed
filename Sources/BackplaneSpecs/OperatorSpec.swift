import BackplaneCore

/// What is true of an operator whatever code computes it: signature, shapes, constraints, meaning, accuracy.
///
/// The catalogue is generated from `Specs/operators`; the language is explained in `Specs/operators.md`. Patterns and formulas are
/// parsed when the catalogue is first used, and never again.
public struct OperatorSpec: Sendable {
  public enum Level: String, Sendable, CaseIterable {
    case core, llm, vision
    /// Of no profile: an application's or a plugin's own, see ``OperatorSpec/register(_:file:functions:)``.
    case custom
  }

  public let name: String
  public let version: Int
  /// The conformance profile it belongs to.
  public let level: Level
  /// 1 is the first release.
  public let tier: Int
  public let summary: String
  public let inputs: [Operand]
  public let outputs: [Operand]
  public let attributes: [AttributeSpec]
  public let constraints: [Constraint]
  /// The meaning in lines of pseudo-code.
  public let semantics: [String]
  public let shapeRule: ShapeRule?
  /// A fused operator's meaning as primitive operators; empty for a primitive one.
  public let composition: [CompositionStep]
  public let numerics: NumericsSpec
  /// What happens at "nan", "inf" and "empty", in words.
  public let specialValues: [String: String]
  public let notes: [String]
  /// What the conformance suite tries beyond what follows from the signature.
  public let conformance: ConformanceSpec
  public let id: Identifier
  /// What an application says of it in code; nil for most.
  public let functions: OperatorFunctions?
  let compiled: CompiledOperator

  /// - Precondition: Patterns and formulas parse and name only what the spec has: the generator has checked that.
  public init(_ name: String, version: Int = 1, level: Level, tier: Int, summary: String, inputs: [Operand], outputs: [Operand],
              attributes: [AttributeSpec] = [], constraints: [Constraint] = [], semantics: [String] = [], shapeRule: ShapeRule? = nil,
              composition: [CompositionStep] = [], numerics: NumericsSpec, specialValues: [String: String] = [:], notes: [String] = [],
              conformance: ConformanceSpec = ConformanceSpec(), functions: OperatorFunctions? = nil) {
    self.name = name
    self.version = version
    self.level = level
    self.tier = tier
    self.summary = summary
    self.inputs = inputs
    self.outputs = outputs
    self.attributes = attributes
    self.constraints = constraints
    self.semantics = semantics
    self.shapeRule = shapeRule
    self.composition = composition
    self.numerics = numerics
    self.specialValues = specialValues
    self.notes = notes
    self.conformance = conformance
    self.functions = functions
    id = Identifier(name)
    do {
      compiled = try CompiledOperator(inputs: inputs, outputs: outputs, attributes: attributes, constraints: constraints)
    } catch {
      preconditionFailure("spec of \(name): \(error)")
    }
  }

  public func inputIndex(_ name: String) -> Int? { inputs.firstIndex { $0.name == name } }
  public func outputIndex(_ name: String) -> Int? { outputs.firstIndex { $0.name == name } }
  public func attributeIndex(_ name: String) -> Int? { attributes.firstIndex { $0.name == name } }
  public var isFused: Bool { !composition.isEmpty }
}

extension OperatorSpec {
  /// A condition that operands and attributes must meet, such as `K % block(b) == 0`.
  public struct Constraint: Sendable {
    /// C1, C2 …: it appears in the check, the error and the test.
    public let label: String
    public let formula: Formula
    public let text: String

    public init(_ label: String, _ formula: String, text: String) {
      self.label = label
      self.formula = parsed { () throws(BackplaneError) in try Formula(formula) }
      self.text = text
    }
  }

  /// One primitive operator of a fused operator's meaning.
  public struct CompositionStep: Sendable {
    public enum Value: Hashable, Sendable {
      case value(AttributeValue)
      /// The fused operator's attribute of that name.
      case attribute(String)
    }
    public let op: String
    /// Names of the fused operator's operands or of earlier steps' outputs. An optional operand that is absent stays absent.
    public let inputs: [String]
    public let outputs: [String]
    public let attributes: [(name: String, value: Value)]
    /// The optional operand without which the step is left out: its output is then its first input.
    public let ifPresent: String?

    public init(_ op: String, _ inputs: [String], _ outputs: [String], _ attributes: [(String, Value)] = [], ifPresent: String? = nil) {
      self.ifPresent = ifPresent
      self.op = op
      self.inputs = inputs
      self.outputs = outputs
      self.attributes = attributes.map { (name: $0.0, value: $0.1) }
    }
  }
}

/// One operand of an operator.
public struct Operand: Sendable {
  public let name: String
  /// The formats it may have; empty when it has another operand's.
  public let formats: [ElementFormat]
  /// The operand whose format it has.
  public let formatOf: String?
  /// The attribute that names an output's format.
  public let formatAttribute: String?
  public let shape: ShapePattern
  /// Other shapes, each when its condition over attributes holds.
  public let shapeWhen: [(condition: Formula, shape: ShapePattern)]
  public let isOptional: Bool
  /// One or more tensors; the last input only.
  public let isVariadic: Bool
  /// The input whose storage this output may take.
  public let inPlace: String?

  /// - Parameter formats: Format names, sets (`@float`), or one `=operand`.
  public init(_ name: String, _ formats: [String], _ shape: String, optional: Bool = false, variadic: Bool = false, inPlace: String? = nil,
              formatAttribute: String? = nil, shapeWhen: [(String, String)] = []) {
    self.name = name
    formatOf = formats.first.flatMap { $0.first == "=" ? String($0.dropFirst()) : nil }
    self.formats = formatOf != nil ? [] : formats.flatMap(Operand.formats(named:))
    self.formatAttribute = formatAttribute
    self.shape = parsed { () throws(BackplaneError) in try ShapePattern(shape) }
    self.shapeWhen = shapeWhen.map { condition, shape in
      parsed { () throws(BackplaneError) in (condition: try Formula(condition), shape: try ShapePattern(shape)) }
    }
    isOptional = optional
    isVariadic = variadic
    self.inPlace = inPlace
  }

  /// The formats behind a word of a spec: a format's name or a set.
  static func formats(named word: String) -> [ElementFormat] {
    switch word {
    case "@float": return [.f32, .f16, .bf16]
    case "@block": return ElementFormat.all.filter(\.isBlock)
    case "@plain": return ElementFormat.all.filter { !$0.isBlock }
    case "@any": return ElementFormat.all
    default:
      guard let format = ElementFormat.named(word) else { preconditionFailure("no format is called \(word)") }
      return [format]
    }
  }
}

/// One attribute of an operator.
public struct AttributeSpec: Sendable {
  public enum Kind: String, Sendable { case int, float, string, ints }

  public let name: String
  public let type: Kind
  public let defaultValue: AttributeValue
  /// Must be given; the default stands only for the type.
  public let isRequired: Bool
  /// The values it may have; empty for any.
  public let values: [AttributeValue]
  public let minimum: Double?
  public let text: String
  public let id: Identifier

  public init(_ name: String, _ type: Kind, default value: AttributeValue, required: Bool = false, values: [AttributeValue] = [],
              minimum: Double? = nil, text: String) {
    self.name = name
    self.type = type
    defaultValue = value
    isRequired = required
    self.values = values
    self.minimum = minimum
    self.text = text
    id = Identifier(name)
  }
}

/// Which error bound the judge uses, and what a kernel may declare.
public struct NumericsSpec: Hashable, Sendable {
  public enum Bound: String, Sendable, CaseIterable {
    case exact, rounding, ulp, dot, sum, product, softmax, attention, merge, rotary, quantize, composition
    case ulpAbsolute = "ulp_absolute"
    case rmsNorm = "rms_norm"
    case layerNorm = "layer_norm"
    case l2Norm = "l2_norm"
  }
  public let bound: Bound
  public let ulp: Int?
  /// How many times the result is rounded.
  public let roundings: Int?
  public let accumulate: String?
  public let statistics: String?
  /// What a kernel may declare to widen the bound: "act_block", "operand_round", "p_round".
  public let declares: [String]

  public init(_ bound: Bound, ulp: Int? = nil, roundings: Int? = nil, accumulate: String? = nil, statistics: String? = nil,
              declares: [String] = []) {
    self.bound = bound
    self.ulp = ulp
    self.roundings = roundings
    self.accumulate = accumulate
    self.statistics = statistics
    self.declares = declares
  }
}

/// For literals of the generated catalogue, which the generator has parsed before.
private func parsed<T>(_ make: () throws(BackplaneError) -> T) -> T {
  do { return try make() } catch { preconditionFailure("\(error)") }
}
