/// The shape of an operand in a spec, such as `... T H D`: words, outermost dimension first.
///
/// A name binds an extent, a number is itself, `...` stands for any dimensions, `..*` for leading dimensions that broadcast, `?`
/// alone for what a shape rule says; any other word is a formula over extents and attributes (outputs only).
public struct ShapePattern: Hashable, Sendable {
  public enum Word: Hashable, Sendable {
    case extent(String)
    case number(Int)
    case formula(Formula)
  }
  public enum Spread: Hashable, Sendable {
    case none
    /// `...`: the same dimensions wherever it appears.
    case same
    /// `..*`: leading dimensions that broadcast together.
    case broadcast
  }

  public let text: String
  /// Words before the spread; all words when there is none.
  public let prefix: [Word]
  public let spread: Spread
  /// Words after the spread.
  public let suffix: [Word]
  /// `?`: the shape rule says.
  public let isRuled: Bool

  public init(_ text: String) throws(BackplaneError) {
    self.text = text
    isRuled = text == "?"
    var before: [Word] = []
    var after: [Word] = []
    var spread = Spread.none
    for word in isRuled ? [] : text.split(separator: " ") {
      switch word {
      case "...", "..*":
        if spread != .none { throw BackplaneError(.invalid, "shape '\(text)' has two spreads") }
        spread = word == "..." ? .same : .broadcast
      default:
        let parsed = try ShapePattern.word(String(word))
        if spread == .none { before.append(parsed) } else { after.append(parsed) }
      }
    }
    if spread == .broadcast, !before.isEmpty { throw BackplaneError(.invalid, "shape '\(text)': only leading dimensions broadcast") }
    (prefix, suffix, self.spread) = (before, after, spread)
  }

  private static func word(_ word: String) throws(BackplaneError) -> Word {
    let formula = try Formula(word)
    switch formula.root {
    case .int(let n): return .number(n)
    case .reference(let i) where formula.references[i].function == nil: return .extent(word)
    default: return .formula(formula)
    }
  }

  /// The names of extents that a tensor of this shape binds.
  public var extentNames: [String] { (prefix + suffix).compactMap { if case .extent(let name) = $0 { name } else { nil } } }
}

extension ShapePattern: CustomStringConvertible {
  public var description: String { text.isEmpty ? "scalar" : text }
}
