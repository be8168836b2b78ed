/// Recursive descent over bytes. Nesting is limited, because some formulas come from plugins.
struct FormulaParser {
  private let text: String
  private let bytes: [UInt8]
  private var at = 0
  private var depth = 0
  private(set) var references: [Formula.Reference] = []
  private(set) var terms: [Formula.Term] = []

  static let maximumDepth = 64
  static let maximumBytes = 4096

  init(_ text: String) {
    self.text = text
    bytes = Array(text.utf8)
  }

  /// The index of the root in `terms`.
  mutating func whole() throws(BackplaneError) -> Int {
    if bytes.count > FormulaParser.maximumBytes { throw BackplaneError(.invalid, "a formula of \(bytes.count) bytes is too long (4096 at most)") }
    let term = try binary(from: 0)
    skipSpaces()
    if at < bytes.count { throw unexpected("an operator or the end") }
    return term
  }

  private static let levels: [[Formula.Operation]] = [
    [.or], [.and], [.equal, .notEqual, .lessOrEqual, .greaterOrEqual, .less, .greater], [.plus, .minus], [.times, .over, .remainder],
  ]

  private mutating func binary(from level: Int) throws(BackplaneError) -> Int {
    if level == FormulaParser.levels.count { return try unary() }
    var left = try binary(from: level + 1)
    var joined = 0
    while let op = take(FormulaParser.levels[level]) {
      joined += 1
      if joined > 256 { throw BackplaneError(.invalid, "'\(text)' joins too many parts") }
      let right = try binary(from: level + 1)
      left = add(.binary(op, left, right))
      if level == 2 { break }  // comparisons do not chain
    }
    return left
  }

  private mutating func unary() throws(BackplaneError) -> Int {
    depth += 1
    defer { depth -= 1 }
    if depth > FormulaParser.maximumDepth { throw BackplaneError(.invalid, "'\(text)' is nested too deeply") }
    skipSpaces()
    guard at < bytes.count else { throw unexpected("a value") }
    switch bytes[at] {
    case UInt8(ascii: "!"):
      at += 1
      return add(.not(try unary()))
    case UInt8(ascii: "-"):
      at += 1
      return add(.negative(try unary()))
    case UInt8(ascii: "("):
      at += 1
      let inner = try binary(from: 0)
      try expect(UInt8(ascii: ")"), "')'")
      return inner
    case UInt8(ascii: "'"), UInt8(ascii: "\""): return try string()
    case UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
    case let c where isLetter(c): return try name()
    default: throw unexpected("a value")
    }
  }

  private mutating func string() throws(BackplaneError) -> Int {
    let quote = bytes[at]
    let start = at + 1
    guard let end = bytes[start...].firstIndex(of: quote) else { throw BackplaneError(.invalid, "'\(text)': the string from character \(start) on has no end") }
    at = end + 1
    return add(.string(String(decoding: bytes[start..<end], as: UTF8.self)))
  }

  private mutating func number() throws(BackplaneError) -> Int {
    let start = at
    func isDigit(_ i: Int) -> Bool { i < bytes.count && (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[i]) }
    while isDigit(at) { at += 1 }
    var isFloat = false
    if at < bytes.count, bytes[at] == UInt8(ascii: "."), isDigit(at + 1) {
      isFloat = true
      at += 1
      while isDigit(at) { at += 1 }
    }
    if at < bytes.count, bytes[at] == UInt8(ascii: "e") {
      let sign = at + 1 < bytes.count && (bytes[at + 1] == UInt8(ascii: "-") || bytes[at + 1] == UInt8(ascii: "+")) ? 1 : 0
      if isDigit(at + 1 + sign) {
        isFloat = true
        at += 1 + sign
        while isDigit(at) { at += 1 }
      }
    }
    let digits = String(decoding: bytes[start..<at], as: UTF8.self)
    if isFloat, let value = Double(digits) { return add(.float(value)) }
    guard let value = Int(digits) else { throw BackplaneError(.invalid, "'\(text)': \(digits) does not fit in 64 bits") }
    return add(.int(value))
  }

  private mutating func name() throws(BackplaneError) -> Int {
    let first = word()
    skipSpaces()
    guard at < bytes.count, bytes[at] == UInt8(ascii: "(") else { return reference(function: nil, first) }
    at += 1
    skipSpaces()
    guard at < bytes.count, isLetter(bytes[at]) else { throw unexpected("a name") }
    let argument = word()
    try expect(UInt8(ascii: ")"), "')'")
    return reference(function: first, argument)
  }

  private mutating func reference(function: String?, _ name: String) -> Int {
    let wanted = Formula.Reference(function: function, name: name)
    if let known = references.firstIndex(of: wanted) { return add(.reference(known)) }
    references.append(wanted)
    return add(.reference(references.count - 1))
  }

  private mutating func add(_ term: Formula.Term) -> Int {
    terms.append(term)
    return terms.count - 1
  }

  private mutating func word() -> String {
    let start = at
    while at < bytes.count, isLetter(bytes[at]) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[at]) { at += 1 }
    return String(decoding: bytes[start..<at], as: UTF8.self)
  }

  private func isLetter(_ c: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(c) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(c) || c == UInt8(ascii: "_")
  }

  /// The first of `operations` that stands here. Longer spellings come first in each level.
  private mutating func take(_ operations: [Formula.Operation]) -> Formula.Operation? {
    skipSpaces()
    for operation in operations where bytes[at...].starts(with: operation.rawValue.utf8) {
      at += operation.rawValue.utf8.count
      return operation
    }
    return nil
  }

  private mutating func expect(_ byte: UInt8, _ what: String) throws(BackplaneError) {
    skipSpaces()
    guard at < bytes.count, bytes[at] == byte else { throw unexpected(what) }
    at += 1
  }

  private mutating func skipSpaces() { while at < bytes.count, bytes[at] == UInt8(ascii: " ") { at += 1 } }

  private func unexpected(_ wanted: String) -> BackplaneError {
    let found = at < bytes.count ? "'\(String(decoding: bytes[at...].prefix(8), as: UTF8.self))'" : "the end"
    return BackplaneError(.invalid, "'\(text)', character \(at + 1): expected \(wanted), found \(found)")
  }
}
