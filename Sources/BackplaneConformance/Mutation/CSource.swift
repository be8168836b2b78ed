/// A file of C as far as mutating it needs: its tokens, and where its functions are. No preprocessor: directives are skipped.
struct CSource {
  struct Token {
    enum Kind { case word, number, text, mark }
    let kind: Kind
    let text: String
    /// Bytes of the file.
    let range: Range<Int>
  }

  struct Function {
    let name: String
    /// Of `tokens`: what lies between the braces.
    let body: Range<Int>
  }

  let bytes: [UInt8]
  private(set) var tokens: [Token] = []
  private(set) var functions: [Function] = []
  /// The token that closes or opens what the token at an index opens or closes; -1 elsewhere.
  private(set) var partner: [Int] = []

  init(_ text: String) {
    bytes = Array(text.utf8)
    scan()
    pair()
    findFunctions()
  }

  subscript(i: Int) -> String { tokens.indices.contains(i) ? tokens[i].text : "" }

  /// The file with some bytes replaced.
  func replacing(_ edits: [(range: Range<Int>, text: String)]) -> String {
    var out: [UInt8] = []
    var at = 0
    for edit in edits.sorted(by: { $0.range.lowerBound < $1.range.lowerBound }) {
      out += bytes[at..<edit.range.lowerBound]
      out += Array(edit.text.utf8)
      at = edit.range.upperBound
    }
    return String(decoding: out + bytes[at...], as: UTF8.self)
  }

  /// Names that `typedef` makes: `typedef … name;`, `typedef struct … { … } name;`.
  var typeNames: Set<String> {
    var names: Set<String> = []
    var i = 0
    while i < tokens.count {
      guard tokens[i].text == "typedef" else { i += 1; continue }
      while i < tokens.count, tokens[i].text != ";" { i = tokens[i].text == "{" && partner[i] > i ? partner[i] : i + 1 }
      // typedef float (*unary_fn)(const call *, float);
      if self[i - 1] == ")", partner[i - 1] > 0, self[partner[i - 1] - 1] == ")" { names.insert(self[partner[i - 1] - 2]) } else { names.insert(self[i - 1]) }
    }
    return names
  }

  // MARK: Reading

  private static let marks = ["<<=", ">>=", "...", "->", "++", "--", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "##"]
    .map { Array($0.utf8) }

  private mutating func scan() {
    var i = 0
    func isWord(_ c: UInt8) -> Bool { c == 95 || (c >= 48 && c <= 57) || (c | 32 >= 97 && c | 32 <= 122) }
    func next(_ offset: Int) -> UInt8 { i + offset < bytes.count ? bytes[i + offset] : 0 }
    var isLineStart = true
    while i < bytes.count {
      let c = bytes[i], start = i
      if c == 10 { isLineStart = true; i += 1; continue }
      if c <= 32 { i += 1; continue }
      if c == UInt8(ascii: "#"), isLineStart {
        while i < bytes.count, bytes[i] != 10 || bytes[i - 1] == UInt8(ascii: "\\") { i += 1 }
        continue
      }
      isLineStart = false
      if c == UInt8(ascii: "/"), next(1) == UInt8(ascii: "/") { while i < bytes.count, bytes[i] != 10 { i += 1 }; continue }
      if c == UInt8(ascii: "/"), next(1) == UInt8(ascii: "*") {
        i += 2
        while i < bytes.count, !(bytes[i] == UInt8(ascii: "*") && next(1) == UInt8(ascii: "/")) { i += 1 }
        i += 2
        continue
      }
      var kind = Token.Kind.mark
      if c == UInt8(ascii: "\"") || c == UInt8(ascii: "'") {
        kind = .text
        i += 1
        while i < bytes.count, bytes[i] != c { i += bytes[i] == UInt8(ascii: "\\") ? 2 : 1 }
        i += 1
      } else if (c >= 48 && c <= 57) || (c == UInt8(ascii: ".") && next(1) >= 48 && next(1) <= 57) {
        kind = .number
        while i < bytes.count, isWord(bytes[i]) || bytes[i] == UInt8(ascii: ".")
          || ((bytes[i] == 43 || bytes[i] == 45) && isExponent(before: i, from: start)) { i += 1 }
      } else if isWord(c) {
        kind = .word
        while i < bytes.count, isWord(bytes[i]) { i += 1 }
      } else {
        i += CSource.marks.first { mark in bytes[i...].starts(with: mark) }?.count ?? 1
      }
      i = min(i, bytes.count)
      tokens.append(Token(kind: kind, text: String(decoding: bytes[start..<i], as: UTF8.self), range: start..<i))
    }
  }

  /// Whether a sign at `i` belongs to the exponent of the number from `start` on: 1e-7, 0x1p+3.
  private func isExponent(before i: Int, from start: Int) -> Bool {
    let isHexadecimal = i > start + 1 && bytes[start + 1] | 32 == UInt8(ascii: "x")
    return bytes[i - 1] | 32 == UInt8(ascii: isHexadecimal ? "p" : "e")
  }

  private mutating func pair() {
    partner = [Int](repeating: -1, count: tokens.count)
    var open: [Int] = []
    for (i, token) in tokens.enumerated() where token.kind == .mark {
      if ["(", "{", "["].contains(token.text) { open.append(i) }
      if [")", "}", "]"].contains(token.text), let start = open.popLast() { (partner[start], partner[i]) = (i, start) }
    }
  }

  private mutating func findFunctions() {
    var i = 0
    while i < tokens.count {
      guard tokens[i].text == "{", partner[i] > i else { i += 1; continue }
      if self[i - 1] == ")", partner[i - 1] > 0, tokens[partner[i - 1] - 1].kind == .word {
        functions.append(Function(name: self[partner[i - 1] - 1], body: i + 1..<partner[i]))
      }
      i = partner[i] + 1
    }
  }
}
