/// What the patterns of pre-tokenizers ask about a character.
struct ScalarClass: OptionSet {
  let rawValue: UInt8
  static let letter = ScalarClass(rawValue: 1)  // \p{L}
  static let number = ScalarClass(rawValue: 2)  // \p{N}
  static let space = ScalarClass(rawValue: 4)  // \s: White_Space
  static let mark = ScalarClass(rawValue: 8)  // \p{P} and $+<=>^~|
  static let word: ScalarClass = [.letter, .number, .space]

  static func & (a: ScalarClass, b: ScalarClass) -> ScalarClass { a.intersection(b) }

  init(rawValue: UInt8) { self.rawValue = rawValue }

  init(_ scalar: Unicode.Scalar) {
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: self = .letter
    case .decimalNumber, .letterNumber, .otherNumber: self = .number
    case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation, .finalPunctuation,
      .otherPunctuation: self = .mark
    case .mathSymbol, .currencySymbol, .modifierSymbol: self = "$+<=>^~|".unicodeScalars.contains(scalar) ? .mark : []
    default: self = scalar.properties.isWhitespace ? .space : []
    }
  }

  /// Of the 128 ASCII characters: almost every character of almost every text.
  static let ascii: [UInt8] = (0..<128).map { ScalarClass(Unicode.Scalar(UInt8($0))).rawValue }
}

/// A text as characters with classes, and the patterns that pre-tokenizers are made of.
///
/// A pattern takes a position and the end of what it may look at, and answers the end of its match: at least one character on.
struct ClassifiedText {
  private var classes: [UInt8] = []
  private var ascii: [UInt8] = []  // the character itself, 0 beyond ASCII
  /// Where each character begins, and after the last the text's length.
  private(set) var offsets: [Int32] = []

  var count: Int { classes.count }

  init(_ text: UnsafeRawBufferPointer) {
    classes.reserveCapacity(text.count)
    ascii.reserveCapacity(text.count)
    offsets.reserveCapacity(text.count + 1)
    let table = ScalarClass.ascii
    var at = 0
    while at < text.count {
      offsets.append(Int32(truncatingIfNeeded: at))
      let byte = text[at]
      if byte < 0x80 {
        classes.append(table[Int(byte)])
        ascii.append(byte)
        at += 1
      } else {
        let (scalar, count) = decode(text, at)
        classes.append(ScalarClass(scalar).rawValue)
        ascii.append(0)
        at += count
      }
    }
    offsets.append(Int32(truncatingIfNeeded: text.count))
  }

  /// Applies a pattern over and over.
  func scan(_ range: Range<Int>, _ pattern: (Int, Int) -> Int, _ emit: (Int) -> Void) {
    var at = range.lowerBound
    while at < range.upperBound {
      at = pattern(at, range.upperBound)
      emit(at)
    }
  }

  /// A run of characters that belong, at most `longest` of them, or a run of such that do not.
  func split(_ start: Int, _ end: Int, _ belongs: (ScalarClass) -> Bool, longest: (Int) -> Int) -> Int {
    let first = belongs(ScalarClass(rawValue: classes[start]))
    let limit = first ? longest(start) : .max
    var at = start + 1
    while at < end, at - start < limit, belongs(ScalarClass(rawValue: classes[at])) == first { at += 1 }
    return at
  }

  /// Three ASCII digits, or everything up to the next three.
  func threeDigits(_ start: Int, _ end: Int) -> Int {
    func three(_ at: Int) -> Bool { at + 3 <= end && (at..<(at + 3)).allSatisfy { (0x30...0x39).contains(ascii[$0]) } }
    if three(start) { return start + 3 }
    var at = start + 1
    while at < end, !three(at) { at += 1 }
    return at
  }

  func gpt2(_ start: Int, _ end: Int) -> Int {
    if let contraction = contraction(start, end, ignoringCase: false) { return contraction }
    let first = ascii[start] == 0x20 ? start + 1 : start
    if first < end {
      for kind in [ScalarClass.letter, .number] where classes[first] & kind.rawValue != 0 { return run(first, end, kind) }
      if classes[first] & ScalarClass.word.rawValue == 0 { return others(first, end) }
    }
    return spaces(start, end)
  }

  func llama3(_ start: Int, _ end: Int, _ longestNumber: Int) -> Int {
    if let contraction = contraction(start, end, ignoringCase: true) { return contraction }
    let c = ascii[start]
    if isLetter(start) { return run(start, end, .letter) }
    if c != 0x0d, c != 0x0a, !has(start, .number), start + 1 < end, isLetter(start + 1) { return run(start + 1, end, .letter) }
    if has(start, .number) { return min(run(start, end, .number), start + longestNumber) }
    let first = c == 0x20 ? start + 1 : start
    if first < end, classes[first] & ScalarClass.word.rawValue == 0 {
      var at = others(first, end)
      while at < end, ascii[at] == 0x0d || ascii[at] == 0x0a { at += 1 }
      return at
    }
    // \s*[\r\n]+ ends after the last line break of the run of spaces.
    var at = start, lastBreak = start
    while at < end, has(at, .space) {
      at += 1
      if ascii[at - 1] == 0x0d || ascii[at - 1] == 0x0a { lastBreak = at }
    }
    return lastBreak > start ? lastBreak : spaces(start, end)
  }

  /// `\s+(?!\S)|\s+`, or one character of another kind.
  private func spaces(_ start: Int, _ end: Int) -> Int {
    let at = run(start, end, .space)
    if at == start { return start + 1 }
    // The last space before a word goes with the word.
    return at < end && at - start > 1 ? at - 1 : at
  }

  private func contraction(_ start: Int, _ end: Int, ignoringCase: Bool) -> Int? {
    guard ascii[start] == 0x27, start + 1 < end else { return nil }
    let lower: UInt8 = ignoringCase ? 0x20 : 0
    let a = ascii[start + 1] | lower
    if a == 0x73 || a == 0x74 || a == 0x6d || a == 0x64 { return start + 2 }  // s t m d
    guard start + 2 < end else { return nil }
    let b = ascii[start + 2] | lower
    let isLong = (a == 0x72 && b == 0x65) || (a == 0x76 && b == 0x65) || (a == 0x6c && b == 0x6c)  // re ve ll
    return isLong ? start + 3 : nil
  }

  private func has(_ at: Int, _ kind: ScalarClass) -> Bool { classes[at] & kind.rawValue != 0 }
  private func isLetter(_ at: Int) -> Bool { has(at, .letter) }

  private func run(_ start: Int, _ end: Int, _ kind: ScalarClass) -> Int {
    var at = start
    while at < end, classes[at] & kind.rawValue != 0 { at += 1 }
    return at
  }

  /// A run of characters that are neither letters nor numbers nor spaces.
  private func others(_ start: Int, _ end: Int) -> Int {
    var at = start
    while at < end, classes[at] & ScalarClass.word.rawValue == 0 { at += 1 }
    return at
  }
}

/// The character at `at` of well-formed UTF-8, and its length.
private func decode(_ text: UnsafeRawBufferPointer, _ at: Int) -> (Unicode.Scalar, Int) {
  let first = UInt32(text[at])
  func next(_ i: Int) -> UInt32 { at + i < text.count ? UInt32(text[at + i]) & 0x3f : 0 }
  let (value, count): (UInt32, Int) =
    first < 0xe0 ? ((first & 0x1f) << 6 | next(1), 2)
    : first < 0xf0 ? ((first & 0x0f) << 12 | next(1) << 6 | next(2), 3)
    : ((first & 0x07) << 18 | next(1) << 12 | next(2) << 6 | next(3), 4)
  return (Unicode.Scalar(value) ?? "\u{fffd}", min(count, text.count - at))
}
