/// A tiny but real vocabulary: every text can be encoded, common English words are one token.
///
/// Words enter with all their prefixes, so that merging from characters can reach them.
struct SyntheticVocabulary {
  private(set) var tokens: [String] = []
  private(set) var scores: [Float] = []
  private(set) var types: [Int32] = []
  private(set) var merges: [String] = []
  private var ids: [String: Int] = [:]

  private static let normal: Int32 = 1, unknown: Int32 = 2, control: Int32 = 3, userDefined: Int32 = 4, byte: Int32 = 6

  static let words = """
    the of and to in a is that for it as was with be by on not he his but at are this have from or had an they which one you were \
    all her she there would their we him been has when who will no more if out so up said what its about than into them can only \
    other time new some could these two may first then do any like my now over such our man me even most made after also did many \
    off before must well back through years much where your way down should because long each just state those people too mister \
    how little good world make very year still see own work men day get here old life both between being under three never know \
    same last another while us might great go come since against right came take used himself few house use during without again \
    place around however small found thought went say part once general high upon school every kernel tensor device token model \
    hello language program memory number
    """.split(separator: " ").map(String.init)

  /// Pieces of words that are not in the list.
  private static let pairs = ["th", "he", "in", "er", "an", "re", "on", "at", "ti", "es"]

  /// A SentencePiece-like vocabulary with scores and byte tokens.
  ///
  /// - Parameter controls: Control tokens in order of their numbers; `<unk>` becomes the unknown token.
  static func sentencePiece(controls: [String]) -> SyntheticVocabulary {
    var v = SyntheticVocabulary()
    for text in controls { v.add(text, text == "<unk>" ? unknown : control) }
    for b in 0..<256 { v.add("<0x\(b < 16 ? "0" : "")\(String(b, radix: 16, uppercase: true))>", byte) }
    v.add("\n\n", userDefined)
    // SentencePiece: the earlier a piece was learned, the higher its score. Pairs come after words, lest they break them up.
    for text in ["▁▁", "▁▁▁▁"] { v.add(text, normal) }
    for word in words { v.addPrefixes("▁" + word) }
    for text in pairs + ["ing"] { v.add(text, normal) }
    v.add("▁", normal)
    for c in 0x21..<0x7f { v.add(String(UnicodeScalar(UInt8(c))), normal) }
    for text in "éèüöäñçßøåαβγабвгд日本語中文한국어" { v.add(String(text), normal) }
    return v
  }

  /// A byte-level BPE vocabulary with merges.
  ///
  /// - Parameter controls: Control tokens, numbered after all others.
  static func bytePairs(controls: [String]) -> SyntheticVocabulary {
    var v = SyntheticVocabulary()
    for b in 0..<256 { v.add(ByteLevel.text(of: UInt8(b)), normal) }
    func merge(_ left: String, _ right: String) {
      if v.ids[left + right] == nil { v.merges.append(left + " " + right) }
      v.add(left + right, normal)
    }
    for text in ["ĠĠ", "ĊĊ", "Ã©"] { merge(String(text.first!), String(text.last!)) }
    merge("ĠĠ", "ĠĠ")
    for word in words {
      var prefix = "Ġ"
      for character in word {
        merge(prefix, String(character))
        prefix.append(character)
      }
    }
    for text in pairs { merge(String(text.first!), String(text.last!)) }
    merge("in", "g")
    for text in controls { v.add(text, control) }
    return v
  }

  func id(_ text: String) -> Int { ids[text]! }

  private mutating func addPrefixes(_ word: String) {
    var prefix = ""
    for character in word {
      prefix.append(character)
      if prefix.unicodeScalars.count > 1 { add(prefix, SyntheticVocabulary.normal) }
    }
  }

  private mutating func add(_ text: String, _ type: Int32) {
    if ids[text] != nil { return }
    ids[text] = tokens.count
    scores.append(type == SyntheticVocabulary.normal ? -Float(tokens.count) : type == SyntheticVocabulary.userDefined ? -1000 : 0)
    tokens.append(text)
    types.append(type)
  }
}
