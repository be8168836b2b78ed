import Foundation

/// One small change to a kernel's source.
public struct GeneratedMutant: Sendable {
  /// File, function, what becomes what, and which of several such places, counted through the function: stays what it is when other code
  /// changes. `norm/run_softmax "<" to "<=" #2`.
  public let key: String
  /// The file's name, and its text with the change.
  public let file, text: String
  /// Operators whose kernels may come by here; those that are likeliest to show the change first.
  public internal(set) var ops: [String] = []
}

/// Where a file's functions may be mutated: swapped operators, other constants, loops that end elsewhere, negated conditions.
///
/// What is there only for a planted fault is left out: `FAULT(…)` conditions, their branches, and what depends on variables or functions that say
/// nothing but `FAULT(…)`.
struct MutationSites {
  struct Site {
    let function: String
    let label: String
    let edits: [(range: Range<Int>, text: String)]
  }

  private let source: CSource
  private let types: Set<String>
  private(set) var sites: [Site] = []
  /// By token: belongs to a fault.
  private(set) var isPlanted: [Bool]

  private static let swaps: [String: String] = [
    "+": "-", "-": "+", "*": "/", "/": "*", "%": "/", "+=": "-=", "-=": "+=", "*=": "/=", "/=": "*=", "<": "<=", "<=": "<", ">": ">=", ">=": ">",
    "==": "!=", "!=": "==", "&&": "||", "||": "&&", "&": "|", "|": "&", "<<": ">>", ">>": "<<",
  ]
  private static let calls = ["fmaxf": "fminf", "fminf": "fmaxf", "fmax": "fmin", "fmin": "fmax", "sinf": "cosf", "cosf": "sinf"]
  private static let keywords: Set<String> = ["return", "case", "else", "do", "goto", "sizeof", "if", "while", "for", "switch"]
  private static let builtIn: Set<String> = ["void", "char", "short", "int", "long", "float", "double", "signed", "unsigned", "const", "volatile", "static", "inline",
                                              "struct", "enum", "bool"]

  /// - Parameter types: Names of types beside C's own and those that end in `_t`.
  init(_ source: CSource, types: Set<String>) {
    self.source = source
    self.types = types
    isPlanted = [Bool](repeating: false, count: source.tokens.count)
    let plantedFunctions = Set(source.functions.filter { source[$0.body.lowerBound] == "return" && source[$0.body.lowerBound + 1] == "FAULT" }.map(\.name))
    for function in source.functions {
      markPlanted(function, plantedFunctions)
      collect(function)
    }
  }

  // MARK: What belongs to a fault

  private mutating func mark(_ range: Range<Int>) { for i in range { isPlanted[i] = true } }

  private mutating func markPlanted(_ function: CSource.Function, _ functions: Set<String>) {
    var names = functions.union(["FAULT"])
    if names.contains(function.name) { mark(function.body); return }
    var i = function.body.lowerBound
    while i < function.body.upperBound {
      defer { i += 1 }
      guard source.tokens[i].kind == .word, names.contains(source[i]), !isPlanted[i] else { continue }
      let isNegated = source[i - 1] == "!"
      // int late = bias->data && FAULT(304): a variable that says nothing else.
      let start = statementStart(i, function.body)
      if let equals = (start..<i).first(where: { source[$0] == "=" }), source.tokens[equals - 1].kind == .word, isType(source[start]),
         !(equals..<i).contains(where: { source[$0] == "?" || source[$0] == "," }) { names.insert(source[equals - 1]) }
      if names.contains(source[i]), source[i] != "FAULT", source[i + 1] == "=" { mark(start..<statementEnd(i, function.body)); continue }
      // The innermost parentheses; with `if`, the branch, too.
      var open = i
      while open > function.body.lowerBound, !(source[open] == "(" && source.partner[open] > i) {
        open = [")", "}"].contains(source[open]) && source.partner[open] >= 0 && source.partner[open] < open ? source.partner[open] - 1 : open - 1
      }
      if source[open] == "(", source.partner[open] > i, open > start || source[open - 1] == "if" {
        mark(open..<source.partner[open] + 1)
        if let condition = outermostIf(open, start), source.partner[condition] > i {
          mark(condition..<source.partner[condition] + 1)
          if !isNegated { mark(source.partner[condition] + 1..<statementEnd(source.partner[condition] + 1, function.body)) }
        }
      }
      // FAULT(…) && … ? planted : right
      if let question = question(after: i), !isNegated {
        mark(start..<question)
        mark(question..<(colon(of: question) ?? question))
      } else if !isNegated, source[open] != "(" || source.partner[open] < i { mark(start..<statementEnd(i, function.body)) }
    }
  }

  /// The parenthesis of the `if` in whose condition the parenthesis at `open` stands.
  private func outermostIf(_ open: Int, _ start: Int) -> Int? {
    var at = open
    while at >= start, at > 0 {
      if source[at] == "(", source[at - 1] == "if", source.partner[at] >= source.partner[open] { return at }
      at -= 1
    }
    return nil
  }

  private func statementStart(_ i: Int, _ body: Range<Int>) -> Int {
    var at = i
    while at > body.lowerBound {
      let text = source[at - 1]
      if [";", "{", "}"].contains(text) { break }
      at = text == ")" && source.partner[at - 1] >= 0 ? source.partner[at - 1] : at - 1
    }
    // for (…) if (…) else: what they govern begins after them.
    while true {
      if source[at] == "else" { at += 1 }
      guard ["for", "if", "while"].contains(source[at]), source[at + 1] == "(", source.partner[at + 1] < i, source.partner[at + 1] > at else { return at }
      at = source.partner[at + 1] + 1
    }
  }

  /// The `?` of the condition that token `i` is part of.
  private func question(after i: Int) -> Int? {
    var at = i
    while at < source.tokens.count, ![";", "{", "}", ")", "]", ","].contains(source[at]) {
      if source[at] == "?" { return at }
      at = ["(", "["].contains(source[at]) && source.partner[at] > at ? source.partner[at] + 1 : at + 1
    }
    return nil
  }

  /// Past the statement that begins at, or holds, token `i`.
  private func statementEnd(_ i: Int, _ body: Range<Int>) -> Int {
    var at = i
    while at < body.upperBound {
      switch source[at] {
      case "{":
        let end = source.partner[at] + 1
        if at == i || ["for", "while", "if"].contains(where: { source[i] == $0 }) { return end }
        at = end
      case "(", "[": at = source.partner[at] + 1
      case ";": return at + 1
      case "}": return at
      default: at += 1
      }
    }
    return body.upperBound
  }

  private func colon(of question: Int) -> Int? {
    var (at, depth) = (question + 1, 0)
    while at < source.tokens.count, source[at] != ";" {
      if ["(", "[", "{"].contains(source[at]) { at = source.partner[at] }
      if source[at] == "?" { depth += 1 }
      if source[at] == ":" { if depth == 0 { return at }; depth -= 1 }
      at += 1
    }
    return nil
  }

  // MARK: What may change

  private func isType(_ word: String) -> Bool { MutationSites.builtIn.contains(word) || word.hasSuffix("_t") || types.contains(word) }

  /// Whether the token before `i` ends an operand, so that a sign at `i` has two.
  private func followsOperand(_ i: Int) -> Bool {
    let before = source.tokens[i - 1]
    switch before.kind {
    case .number: return true
    case .word: return !isType(before.text) && !MutationSites.keywords.contains(before.text)
    case .text: return false
    case .mark:
      if before.text == "]" { return true }
      guard before.text == ")", source.partner[i - 1] >= 0 else { return false }
      // A cast, or an operand in parentheses?
      let inside = source.partner[i - 1] + 1..<i - 1
      let isCast = !inside.isEmpty && inside.allSatisfy { isType(source[$0]) || source[$0] == "*" }
      return !isCast && !["if", "for", "while"].contains(source[source.partner[i - 1] - 1])
    }
  }

  private mutating func collect(_ function: CSource.Function) {
    func add(_ label: String, _ edits: [(range: Range<Int>, text: String)]) { sites.append(Site(function: function.name, label: label, edits: edits)) }
    for i in function.body where !isPlanted[i] {
      let token = source.tokens[i]
      switch token.kind {
      case .mark:
        if let other = MutationSites.swaps[token.text], followsOperand(i) { add("\"\(token.text)\" to \"\(other)\"", [(token.range, other)]) }
        if token.text == "-", !followsOperand(i) { add("sign removed", [(token.range, "")]) }
      case .number:
        // The size of an array that is declared here is no matter of results.
        if source[i - 1] == "[", isType(source[i - 3]) || source[i - 3] == "*" { continue }
        for other in MutationSites.otherNumbers(token.text) { add("\(token.text) to \(other)", [(token.range, other)]) }
      case .word:
        if token.text == "if", source[i + 1] == "(", let last = lastOf(i + 1), !isPlanted[i + 1] {
          add("condition negated", [(source.tokens[i + 1].range, "(!("), (source.tokens[last].range, "))")])
        }
        if token.text == "for", source[i + 1] == "(" { collectLoop(i + 1, add) }
        if ["continue", "break"].contains(token.text), source[i + 1] == ";" { add("\(token.text) removed", [(token.range, "")]) }
        if let other = MutationSites.calls[token.text], source[i + 1] == "(" { add("\(token.text) to \(other)", [(token.range, other)]) }
      case .text: break
      }
    }
  }

  private func lastOf(_ open: Int) -> Int? { source.partner[open] > open ? source.partner[open] : nil }

  /// `i < n` in a loop's head ends one earlier; one later is `<=`.
  private func collectLoop(_ open: Int, _ add: (String, [(range: Range<Int>, text: String)]) -> Void) {
    guard let last = lastOf(open) else { return }
    let inside = open + 1..<last
    guard let first = inside.first(where: { source[$0] == ";" }), let second = (first + 1..<last).first(where: { source[$0] == ";" }),
          let less = (first..<second).first(where: { source[$0] == "<" }), !isPlanted[less],
          !(less..<second).contains(where: { ["&&", "||", "?"].contains(source[$0]) || isPlanted[$0] }) else { return }
    let end = source.tokens[second].range.lowerBound
    add("loop end - 1", [(source.tokens[less].range, "< ("), (end..<end, ") - 1")])
  }

  /// A whole number one more and one less; another number with its third digit one higher; another power of two.
  private static func otherNumbers(_ text: String) -> [String] {
    let lower = text.lowercased()
    if lower.hasPrefix("0x") {
      guard let p = lower.firstIndex(of: "p"), let power = Int(lower[lower.index(after: p)...].filter { $0.isNumber || $0 == "-" }) else {
        let digits = lower.dropFirst(2).filter(\.isHexDigit)
        return UInt64(digits, radix: 16).map { ["0x" + String($0 ^ 1, radix: 16) + lower.dropFirst(2).drop(while: \.isHexDigit)] } ?? []
      }
      return [String(lower[...p]) + String(power + 1) + (lower.hasSuffix("f") ? "f" : "")]
    }
    if let whole = Int(text) { return whole > 0 ? [String(whole + 1), String(whole - 1)] : ["1"] }
    guard lower.contains(".") || lower.contains("e") else { return [] }
    let mantissa = lower.prefix { $0.isNumber || $0 == "." }
    var digits = String(mantissa) + (mantissa.contains(".") ? "" : ".")
    let significant = digits.indices.filter { digits[$0].isNumber }.drop { digits[$0] == "0" }
    while digits.filter(\.isNumber).drop(while: { $0 == "0" }).count < 3, digits.count < 12 { digits += "0" }
    let places = digits.indices.filter { digits[$0].isNumber }.drop { digits[$0] == "0" }
    guard !significant.isEmpty, places.count >= 3, let place = places.dropFirst(2).first, let digit = digits[place].wholeNumberValue else { return [] }
    digits.replaceSubrange(place...place, with: String(digit == 9 ? 8 : digit + 1))
    return [digits + lower.dropFirst(mantissa.count)]
  }
}
