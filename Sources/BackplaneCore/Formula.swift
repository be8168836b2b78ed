/// A condition or a number written over names, such as `K % block(b) == 0`: the language of constraints in operator specs and
/// in what kernel variants ask of their parameters.
///
/// Knows `+ - * / %`, comparisons, `&& || !`, parentheses, numbers, quoted strings, names, and functions of one name. It is parsed
/// once; evaluation allocates nothing unless strings are compared. Arithmetic that overflows or divides by zero is an error,
/// never a trap.
public struct Formula: Hashable, Sendable {
  /// What a formula asks for: a bare name, or a function of a name.
  public struct Reference: Hashable, Sendable, CustomStringConvertible {
    public let function: String?
    public let name: String
    public var description: String { function.map { "\($0)(\(name))" } ?? name }
  }

  public enum Value: Hashable, Sendable {
    case int(Int), float(Double), string(String), bool(Bool)
  }

  public let text: String
  /// Each thing asked for, once, in order of first use. `evaluate` asks by index in this list.
  public let references: [Reference]
  /// The tree, flat: terms name others by index.
  private let terms: [Term]
  private let rootIndex: Int
  var root: Term { terms[rootIndex] }

  /// - Throws: ``BackplaneError`` (invalid) that points at the character where the text stops making sense.
  public init(_ text: String) throws(BackplaneError) {
    var parser = FormulaParser(text)
    rootIndex = try parser.whole()
    terms = parser.terms
    references = parser.references
    self.text = text
  }

  private init(part root: Int, of whole: Formula) {
    text = whole.describe(root)
    references = whole.references
    terms = whole.terms
    rootIndex = root
  }

  /// The parts that `&&` joins at the top, so that a message can name the one that failed. They share `references`.
  public var conjuncts: [Formula] {
    var parts: [Int] = []
    func split(_ term: Int) {
      if case .binary(.and, let a, let b) = terms[term] { split(a); split(b) } else { parts.append(term) }
    }
    split(rootIndex)
    return parts.map { Formula(part: $0, of: self) }
  }

  /// The references that occur in this formula itself (a conjunct shares the list of its whole), by index.
  public var usedReferences: [Int] {
    var used: [Int] = []
    func walk(_ term: Int) {
      switch terms[term] {
      case .reference(let i): if !used.contains(i) { used.append(i) }
      case .not(let a), .negative(let a): walk(a)
      case .binary(_, let a, let b): walk(a); walk(b)
      default: break
      }
    }
    walk(rootIndex)
    return used
  }

  /// Dividend and divisor when the formula reads `a % b == 0`.
  public var divisibility: (dividend: Formula, divisor: Formula)? {
    guard case .binary(.equal, let left, let right) = root, case .int(0) = terms[right], case .binary(.remainder, let a, let b) = terms[left] else { return nil }
    return (Formula(part: a, of: self), Formula(part: b, of: self))
  }

  /// Whether a remainder is taken anywhere.
  public var usesRemainder: Bool { terms.contains { if case .binary(.remainder, _, _) = $0 { true } else { false } } }

  /// - Parameter value: The value of a reference by index; nil when it has none.
  /// - Returns: nil when a reference that matters has no value.
  /// - Throws: ``BackplaneError`` (invalid) on overflow, division by zero, or operands of the wrong type.
  public func evaluate(_ value: (Int) -> Value?) throws(BackplaneError) -> Value? { try evaluate(rootIndex, value) }

  private func evaluate(_ term: Int, _ value: (Int) -> Value?) throws(BackplaneError) -> Value? {
    switch terms[term] {
    case .int(let i): return .int(i)
    case .float(let f): return .float(f)
    case .string(let s): return .string(s)
    case .reference(let i): return value(i)
    case .not(let a):
      guard let v = try evaluate(a, value) else { return nil }
      return .bool(!(try truth(v)))
    case .negative(let a):
      guard let v = try evaluate(a, value) else { return nil }
      return try calculate(.minus, .int(0), v)
    case .binary(.and, let a, let b):
      guard let left = try evaluate(a, value) else { return nil }
      return try truth(left) ? evaluate(b, value) : .bool(false)
    case .binary(.or, let a, let b):
      guard let left = try evaluate(a, value) else { return nil }
      return try truth(left) ? .bool(true) : evaluate(b, value)
    case .binary(let op, let a, let b):
      guard let left = try evaluate(a, value), let right = try evaluate(b, value) else { return nil }
      return try calculate(op, left, right)
    }
  }

  /// The text with each reference that has a value replaced by it: what is left asks for the others alone.
  ///
  /// - Parameter value: The value of a reference by index; nil leaves its name.
  public func substituting(_ value: (Int) -> Value?) -> String { describe(rootIndex, value) }

  private func describe(_ term: Int, _ value: (Int) -> Value? = { _ in nil }) -> String {
    switch terms[term] {
    case .int(let i): return "\(i)"
    case .float(let f): return "\(f)"
    case .string(let s): return "'\(s)'"
    case .reference(let i):
      switch value(i) {
      case nil: return references[i].description
      case .int(let i): return i < 0 ? "(\(i))" : "\(i)"
      case .float(let f): return f < 0 ? "(\(f))" : "\(f)"
      case .string(let s): return "'\(s)'"
      case .bool(let b): return b ? "1" : "0"
      }
    case .not(let a): return "!(\(describe(a, value)))"
    case .negative(let a): return "-(\(describe(a, value)))"
    case .binary(let op, let a, let b):
      // Operators of one strength are taken from the left.
      return [(a, op.strength), (b, op.strength + 1)].map { part, least in
        if case .binary(let inner, _, _) = terms[part], inner.strength < least { "(\(describe(part, value)))" } else { describe(part, value) }
      }.joined(separator: " \(op.rawValue) ")
    }
  }

  enum Term: Hashable, Sendable {
    case int(Int), float(Double), string(String)
    case reference(Int)
    case not(Int), negative(Int)
    case binary(Operation, Int, Int)
  }

  enum Operation: String, Hashable, Sendable {
    case or = "||", and = "&&"
    case equal = "==", notEqual = "!=", less = "<", lessOrEqual = "<=", greater = ">", greaterOrEqual = ">="
    case plus = "+", minus = "-", times = "*", over = "/", remainder = "%"

    var strength: Int {
      switch self {
      case .or: 0
      case .and: 1
      case .equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual: 2
      case .plus, .minus: 3
      case .times, .over, .remainder: 4
      }
    }
  }
}

// MARK: - Arithmetic

private func truth(_ value: Formula.Value) throws(BackplaneError) -> Bool {
  switch value {
  case .bool(let b): return b
  case .int(let i): return i != 0
  default: throw BackplaneError(.invalid, "\(value) is neither true nor false")
  }
}

private func calculate(_ op: Formula.Operation, _ a: Formula.Value, _ b: Formula.Value) throws(BackplaneError) -> Formula.Value {
  switch (a, b) {
  case (.int(let x), .int(let y)): return try integers(op, x, y)
  case (.float(let x), .float(let y)): return try floats(op, x, y)
  case (.int(let x), .float(let y)): return try floats(op, Double(x), y)
  case (.float(let x), .int(let y)): return try floats(op, x, Double(y))
  case (.string(let x), .string(let y)):
    if op == .equal { return .bool(x == y) }
    if op == .notEqual { return .bool(x != y) }
  case (.bool(let x), .bool(let y)):
    if op == .equal { return .bool(x == y) }
    if op == .notEqual { return .bool(x != y) }
  case (.bool(let x), .int), (.bool(let x), .float): return try calculate(op, .int(x ? 1 : 0), b)
  case (.int, .bool(let y)), (.float, .bool(let y)): return try calculate(op, a, .int(y ? 1 : 0))
  default: break
  }
  throw BackplaneError(.invalid, "\(op.rawValue) does not apply to \(a) and \(b)")
}

private func integers(_ op: Formula.Operation, _ x: Int, _ y: Int) throws(BackplaneError) -> Formula.Value {
  let (result, overflow): (Int, Bool)
  switch op {
  case .equal: return .bool(x == y)
  case .notEqual: return .bool(x != y)
  case .less: return .bool(x < y)
  case .lessOrEqual: return .bool(x <= y)
  case .greater: return .bool(x > y)
  case .greaterOrEqual: return .bool(x >= y)
  case .plus: (result, overflow) = x.addingReportingOverflow(y)
  case .minus: (result, overflow) = x.subtractingReportingOverflow(y)
  case .times: (result, overflow) = x.multipliedReportingOverflow(by: y)
  case .over: (result, overflow) = x.dividedReportingOverflow(by: y)
  case .remainder: (result, overflow) = x.remainderReportingOverflow(dividingBy: y)
  case .and, .or: (result, overflow) = (0, true)
  }
  if overflow { throw BackplaneError(.invalid, y == 0 ? "\(x) \(op.rawValue) 0 is a division by zero" : "\(x) \(op.rawValue) \(y) overflows") }
  return .int(result)
}

private func floats(_ op: Formula.Operation, _ x: Double, _ y: Double) throws(BackplaneError) -> Formula.Value {
  switch op {
  case .equal: .bool(x == y)
  case .notEqual: .bool(x != y)
  case .less: .bool(x < y)
  case .lessOrEqual: .bool(x <= y)
  case .greater: .bool(x > y)
  case .greaterOrEqual: .bool(x >= y)
  case .plus: .float(x + y)
  case .minus: .float(x - y)
  case .times: .float(x * y)
  case .over: .float(x / y)
  case .remainder: .float(x.truncatingRemainder(dividingBy: y))
  case .and, .or: throw BackplaneError(.invalid, "\(op.rawValue) does not apply to numbers with a fraction")
  }
}
