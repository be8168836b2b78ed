import BackplaneCore
import BackplaneReference
import BackplaneSpecs

/// Which cases a run has.
public enum CaseList {
  public enum Size: String, Sendable, CaseIterable {
    /// The rows of each operator's covering array that cover most, for every change.
    case quick
    /// Every pair of levels, twice with other partners.
    case standard
    /// Every pair, eight times with other partners.
    case full

    var rows: Int { self == .quick ? 12 : .max }
    var arrays: Int { switch self { case .quick: 1; case .standard: 2; case .full: 8 } }
  }

  /// The operators of a level: llm has those of core, too; custom those that are registered.
  public static func operators(level: OperatorSpec.Level, named names: [String] = []) -> [OperatorSpec] {
    let levels: Set<OperatorSpec.Level> = switch level { case .core: [.core]; case .llm: [.core, .llm]; case .vision: [.core, .llm, .vision]; case .custom: [.custom] }
    return (OperatorSpec.all + OperatorSpec.registered).filter { spec in (names.isEmpty ? levels.contains(spec.level) : names.contains(spec.name)) && ReferenceInterpreter.knows(spec.name) }
  }

  /// An operator's cases: no two the same, in an order that depends on nothing but spec and size.
  public static func cases(of spec: OperatorSpec, size: Size) -> [CaseID] {
    let generator = ShapeGenerator(spec)
    let levels = generator.factors.map(\.levelCount)
    var cases: [CaseID] = []
    var seen: Set<CaseID> = []
    func add(_ id: CaseID?) { if let id, seen.insert(id).inserted { cases.append(id) } }
    for text in spec.conformance.require { add(try? CaseID(text)) }
    for array in 0..<size.arrays {
      let seed = spec.id.value &+ UInt64(array)
      var random = Random(key: seed, stream: 0xCA5E)
      let rows = CoveringArray.pairwise(levels: levels, seed: seed)
      for row in rows.prefix(size.rows) { add(generator.nearestCase(row, &random)) }
      guard array == 0 else { continue }
      if size != .quick { for id in crossedCases(generator, besides: cases, &random) { add(id) } }
      for id in emptyCases(generator, rows, atMost: size == .quick ? 1 : .max) { add(id) }
    }
    return cases
  }

  /// A case for each combination of what the spec's `cross` names that `known` has not: faults that need three things at once.
  private static func crossedCases(_ generator: ShapeGenerator, besides known: [CaseID], _ random: inout Random) -> [CaseID] {
    let names = generator.spec.conformance.cross
    let crossed = names.compactMap(generator.factor)
    guard !crossed.isEmpty else { return [] }
    func combination(_ id: CaseID) -> [String] {
      names.map { name in
        id.spec.inputIndex(name).map { id.inputs[$0].first?.format.name ?? "" } ?? (name == "data" ? id.data : name == "mem" ? id.memory.rawValue : id.text(of: name) ?? "")
      }
    }
    var seen = Set(known.map(combination))
    var cases: [CaseID] = []
    for number in 0..<crossed.reduce(1, { $0 * generator.factors[$1].levelCount }) {
      for _ in 0..<8 {
        var row = generator.factors.map { random.below($0.levelCount) }
        var rest = number
        for factor in crossed { (row[factor], rest) = (rest % generator.factors[factor].levelCount, rest / generator.factors[factor].levelCount) }
        guard let id = generator.makeCase(row) else { continue }
        if seen.insert(combination(id)).inserted { cases.append(id) }
        break
      }
    }
    return cases
  }

  /// For each extent, and the leading ones, a case where it is 0.
  private static func emptyCases(_ generator: ShapeGenerator, _ rows: [[Int]], atMost limit: Int) -> [CaseID] {
    var overrides: [ShapeGenerator.Override] = []
    for factor in generator.factors {
      switch factor {
      case .extent(let name, _): overrides.append(.init(extent: name))
      case .leading: overrides += [.init(leading: [0]), .init(leading: [2, 0, 3])]
      case .shapes: overrides += (0..<3).map { .init(dimension: $0) }
      default: break
      }
    }
    return overrides.lazy.compactMap { override in rows.lazy.compactMap { generator.makeCase($0, override) }.first { !$0.memory.mayBeRefused } }.prefix(limit).map { $0 }
  }
}
