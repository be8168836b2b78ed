import BackplaneCore
import BackplaneSpecs
import Foundation

/// Makes mutants of the mutant plugin's kernels: the same ones from the same sources, spread over all kernels.
public struct MutationGenerator {
  /// Every place that could be mutated, by key, in the order of files and places.
  public let candidates: [GeneratedMutant]
  private let groups: [(ops: [String], candidates: [GeneratedMutant])]

  /// - Parameters:
  ///   - files: Names and texts of the C files with kernels: `run_<operator>` functions and what they call.
  ///   - headers: Texts that say which types there are.
  public init(files: [(name: String, text: String)], headers: [String]) {
    let sources = files.map { (file: $0.name, source: CSource($0.text)) }
    let types = sources.reduce(into: Set<String>()) { $0.formUnion($1.source.typeNames) }.union(headers.flatMap { CSource($0).typeNames })
    let places = sources.map { MutationSites($0.source, types: types) }
    let users = MutationGenerator.operators(zip(sources, places).map { ($0.file, $0.source, $1.isPlanted) })
    var candidates: [GeneratedMutant] = []
    for ((file, source), places) in zip(sources, places) {
      var counts: [String: Int] = [:]
      for site in places.sites {
        guard let ops = users[file + "/" + site.function], !ops.isEmpty else { continue }
        let place = "\(file.split(separator: ".")[0])/\(site.function) \(site.label)"
        counts[place, default: 0] += 1
        candidates.append(GeneratedMutant(key: "\(place) #\(counts[place]!)", file: file, text: source.replacing(site.edits), ops: ops))
      }
    }
    self.candidates = candidates
    var groups: [String: [GeneratedMutant]] = [:]
    for candidate in candidates { groups[candidate.ops.joined(separator: " "), default: []].append(candidate) }
    self.groups = groups.sorted { $0.key < $1.key }.map { (ops: $0.value[0].ops, candidates: $0.value) }
  }

  /// About `count` of the candidates, in an order that hangs on their keys alone.
  ///
  /// Kernels that share their code are a group; a group gives its share by the root of its number of candidates, and at least one.
  public func choose(_ count: Int) -> [GeneratedMutant] {
    let roots = groups.map { Double($0.candidates.count).squareRoot() }
    let whole = roots.reduce(0, +)
    return zip(groups, roots).flatMap { group, root in
      let share = max(1, Int((Double(count) * root / whole).rounded()))
      return group.candidates.map { (MutationGenerator.rank($0.key), $0) }.sorted { $0.0 < $1.0 }.prefix(share).map(\.1)
    }
  }

  private static func rank(_ key: String) -> UInt64 {
    var random = Random(key: Identifier(key).value, stream: 0x4D17)
    return UInt64(random.next())
  }

  /// The operators whose kernels come by each function, by "file/function", unless a fault is planted. Functions of another file are found by name.
  private static func operators(_ sources: [(file: String, source: CSource, isPlanted: [Bool])]) -> [String: [String]] {
    var calls: [String: Set<String>] = [:]
    var owners: [String: [String]] = [:]
    for (file, source, _) in sources { for function in source.functions { owners[function.name, default: []].append(file) } }
    for (file, source, isPlanted) in sources {
      for function in source.functions {
        for i in function.body where source.tokens[i].kind == .word && !isPlanted[i] {
          let name = source[i]
          guard let files = owners[name], name != function.name else { continue }
          calls[file + "/" + function.name, default: []].insert((files.contains(file) ? file : files[0]) + "/" + name)
        }
      }
    }
    var users: [String: [String]] = [:]
    let specs = OperatorSpec.all.sorted { breadth($0) == breadth($1) ? $0.name < $1.name : breadth($0) > breadth($1) }
    for spec in specs {
      guard let home = owners["run_" + spec.name]?.first else { continue }
      var seen: Set<String> = []
      var open = [home + "/run_" + spec.name]
      while let next = open.popLast() {
        guard seen.insert(next).inserted else { continue }
        users[next, default: []].append(spec.name)
        open += calls[next] ?? []
      }
    }
    return users
  }

  /// Formats that an operator's operands may have: who takes more shows more of what decoders do.
  private static func breadth(_ spec: OperatorSpec) -> Int { spec.inputs.reduce(0) { max($0, $1.formats.count) } }
}

/// Generated mutants that cannot be told from the kernel, each with a proof in words: `{"equivalents": [{"mutant", "why"}]}`.
public struct MutationEquivalents: Codable, Sendable {
  public struct Entry: Codable, Sendable {
    /// A ``GeneratedMutant/key``.
    public let mutant: String
    public let why: String
    public init(mutant: String, why: String) { (self.mutant, self.why) = (mutant, why) }
  }
  public var equivalents: [Entry]

  /// - Throws: ``BackplaneError`` (file): what is wrong with the file.
  public init(file: String) throws(BackplaneError) {
    do { self = try JSONDecoder().decode(MutationEquivalents.self, from: try Data(contentsOf: URL(fileURLWithPath: file))) } catch {
      throw BackplaneError(.file, "is no list of equivalent mutants: \(error)", subject: file)
    }
  }
  public init(_ equivalents: [Entry] = []) { self.equivalents = equivalents }
}
