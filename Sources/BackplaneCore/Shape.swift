/// An extent that is known only at run time, within bounds that are known when a program is compiled.
///
/// The same number means the same value at run time. Relations between symbols (kv = past + tokens) are the caller's.
public struct Symbol: Hashable, Sendable {
  /// 1 and up; unique in a graph.
  public let number: UInt32
  public let name: String
  public let bounds: ClosedRange<Int>

  public init(number: UInt32, name: String, bounds: ClosedRange<Int>) {
    precondition(number > 0 && bounds.lowerBound >= 0, "symbol numbers start at 1, extents at 0")
    self.number = number
    self.name = name
    self.bounds = bounds
  }
}

/// The value of each symbol for one run.
public struct SymbolValues: Hashable, Sendable, ExpressibleByDictionaryLiteral {
  private var values: [(number: UInt32, value: Int)] = []  // ascending by number

  public init() {}
  public init(dictionaryLiteral elements: (Symbol, Int)...) { for (symbol, value) in elements { self[symbol] = value } }

  public subscript(symbol: Symbol) -> Int? {
    get { self[number: symbol.number] }
    set { self[number: symbol.number] = newValue }
  }

  public subscript(number number: UInt32) -> Int? {
    get { values.first { $0.number == number }?.value }
    set {
      let at = values.firstIndex { $0.number >= number } ?? values.count
      let present = at < values.count && values[at].number == number
      switch (present, newValue) {
      case (true, let value?): values[at].value = value
      case (true, nil): values.remove(at: at)
      case (false, let value?): values.insert((number, value), at: at)
      case (false, nil): break
      }
    }
  }

  /// (number, value), ascending by number, as the ABI wants them.
  public var ascending: [(number: UInt32, value: Int)] { values }

  public static func == (a: SymbolValues, b: SymbolValues) -> Bool { a.values.elementsEqual(b.values, by: ==) }
  public func hash(into hasher: inout Hasher) {
    for (number, value) in values { hasher.combine(number); hasher.combine(value) }
  }
}

/// One extent of a shape.
public enum Dimension: Hashable, Sendable, ExpressibleByIntegerLiteral {
  case fixed(Int)
  case symbol(Symbol)

  public init(integerLiteral value: Int) { self = .fixed(value) }

  public var minimum: Int { switch self { case .fixed(let n): n; case .symbol(let s): s.bounds.lowerBound } }
  public var maximum: Int { switch self { case .fixed(let n): n; case .symbol(let s): s.bounds.upperBound } }
  public var fixed: Int? { if case .fixed(let n) = self { n } else { nil } }

  /// The extent under `values`; nil when the symbol has no value there.
  public func value(in values: SymbolValues) -> Int? {
    switch self { case .fixed(let n): n; case .symbol(let s): values[s] }
  }
}

extension Dimension: CustomStringConvertible {
  public var description: String {
    switch self { case .fixed(let n): "\(n)"; case .symbol(let s): "\(s.name)∈\(s.bounds.lowerBound)…\(s.bounds.upperBound)" }
  }
}

/// Extents in elements, outermost first. Rank 0 is a scalar. At most 8 dimensions.
public struct Shape: Hashable, Sendable, ExpressibleByArrayLiteral {
  public static let maximumRank = 8
  public var dimensions: [Dimension]

  public init(_ dimensions: [Dimension]) {
    precondition(dimensions.count <= Shape.maximumRank, "a shape has at most 8 dimensions, not \(dimensions.count)")
    self.dimensions = dimensions
  }
  public init(_ extents: [Int]) { self.init(extents.map(Dimension.fixed)) }
  public init(arrayLiteral elements: Dimension...) { self.init(elements) }

  public var rank: Int { dimensions.count }
  public var isFixed: Bool { dimensions.allSatisfy { $0.fixed != nil } }
  /// The extents, nil where a symbol is left.
  public var fixedExtents: [Int]? {
    let extents = dimensions.compactMap(\.fixed)
    return extents.count == rank ? extents : nil
  }
  public subscript(index: Int) -> Dimension { dimensions[index] }

  /// With each symbol replaced by its value; nil when one has none.
  public func extents(in values: SymbolValues) -> [Int]? {
    let extents = dimensions.compactMap { $0.value(in: values) }
    return extents.count == rank ? extents : nil
  }
  /// Elements at the symbols' upper bounds; nil on overflow.
  public var maximumElementCount: Int? { Shape.product(dimensions.map(\.maximum)) }

  /// nil on overflow or a negative extent.
  public static func product(_ extents: [Int]) -> Int? {
    var product = 1
    for extent in extents {
      let (next, overflow) = product.multipliedReportingOverflow(by: extent)
      if overflow || extent < 0 { return nil }
      product = next
    }
    return product
  }
}

extension Shape: CustomStringConvertible {
  public var description: String { "[" + dimensions.map(\.description).joined(separator: ", ") + "]" }
}
