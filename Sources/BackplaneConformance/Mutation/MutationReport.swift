import BackplaneSpecs
import Foundation

/// The suite's own figure: how many planted faults it finds, and how many correct kernels it rejects.
public struct MutationReport: Codable, Sendable {
  public struct Score: Codable, Sendable {
    public var total = 0, killed = 0
    /// By name.
    public var survivors: [String] = []
  }
  public struct FalseAlarms: Codable, Sendable {
    /// How many correct kernels were tried, and how many were rejected.
    public var variants = 0, count = 0
    public var names: [String] = []
  }
  /// Faults of one class or operator, and who finds them. The simple rules are asked about operators' faults only.
  public struct Row: Codable, Sendable {
    public var name: String
    public var total = 0, killed = 0
    public var ofOperators = 0
    /// By rule.
    public var byRule: [String: Int] = [:]
  }
  public struct Rule: Codable, Sendable {
    public var name, title: String
    public var total = 0, killed = 0
    /// Correct variants that it rejects on a case that it lets the plain kernel pass.
    public var falseAlarms = FalseAlarms()
    /// Cases on which it rejects the kernel without any fault; they are not counted elsewhere.
    public var rejectedCases: [String] = []
  }
  public struct Equivalent: Codable, Sendable { public var mutant, why: String }
  /// The case that showed a fault, and how.
  public struct Detail: Codable, Sendable { public var mutant, `case`, message: String }

  public var format = 1
  public var suiteVersion = Suite.version
  public var specHash = Suite.specHash
  public var size: String
  public var date: String
  public var seconds: Double
  public var handwritten = Score()
  public var generated = Score()
  public var falseAlarms = FalseAlarms()
  /// Generated mutants of which it is proved that nothing tells them from the kernel. They are not counted.
  public var equivalents: [Equivalent] = []
  /// Generated mutants that do not compile. They are not counted.
  public var invalid: [String] = []
  public var classes: [Row] = []
  public var operators: [Row] = []
  public var rules: [Rule] = []
  public var found: [Detail] = []
  /// Cases that the plugin fails without any fault.
  public var rejected: [Detail] = []

  enum CodingKeys: String, CodingKey {
    case format, suiteVersion, specHash, size, date, seconds, handwritten, generated, equivalents, invalid, classes, operators, rules, found, rejected
    case falseAlarms = "false_alarms"
  }

  init(_ run: MutationRun, _ findings: [MutationRun.Finding], plain: [String: String], size: CaseList.Size, withRules: Bool, seconds: Double) {
    (self.size, self.seconds) = (size.rawValue, seconds)
    date = ISO8601DateFormatter().string(from: Date())
    let bySuite = Dictionary(grouping: findings.filter { $0.judge == MutationRun.suite }, by: \.subject).mapValues { $0[0] }
    for (k, subject) in run.subjects.enumerated() {
      let finding = bySuite[k]
      switch subject.kind {
      case .handwritten: MutationReport.count(finding, subject.title, &handwritten)
      case .generated: MutationReport.count(finding, subject.title, &generated)
      case .variant: MutationReport.count(finding, subject.title, &falseAlarms)
      }
      if let finding { found.append(Detail(mutant: subject.title, case: finding.id, message: finding.message)) }
    }
    rejected = MutationReport.rejected(plain, MutationRun.suite)
    if !rejected.isEmpty {
      falseAlarms.count += 1
      falseAlarms.names.append("without a fault")
    }
    let isFound = Dictionary(grouping: findings, by: \.judge).mapValues { Set($0.map(\.subject)) }
    if withRules {
      for rule in SimpleRule.all {
        var row = Rule(name: rule.name, title: rule.title)
        for (k, fault) in run.faults.enumerated() where !fault.isOfDevice {
          let isBad = isFound[rule.name]?.contains(k) == true
          if fault.isVariant {
            row.falseAlarms.variants += 1
            if isBad { row.falseAlarms.names.append(fault.title); row.falseAlarms.count += 1 }
          } else {
            row.total += 1
            if isBad { row.killed += 1 }
          }
        }
        row.rejectedCases = MutationReport.rejected(plain, rule.name).map(\.case)
        rules.append(row)
      }
    }
    func rows(_ name: (MutantFault) -> String) -> [Row] {
      var rows: [Row] = []
      for (k, fault) in run.faults.enumerated() where !fault.isVariant {
        let i = rows.firstIndex { $0.name == name(fault) } ?? rows.count
        if i == rows.count { rows.append(Row(name: name(fault))) }
        rows[i].total += 1
        if isFound[MutationRun.suite]?.contains(k) == true { rows[i].killed += 1 }
        guard !fault.isOfDevice else { continue }
        rows[i].ofOperators += 1
        for rule in rules { rows[i].byRule[rule.name, default: 0] += isFound[rule.name]?.contains(k) == true ? 1 : 0 }
      }
      return rows.sorted { $0.name < $1.name }
    }
    classes = rows(\.class)
    operators = rows(\.op)
  }

  /// What a judge rejects of the kernels without a fault; `plain` by judge and case.
  private static func rejected(_ plain: [String: String], _ judge: String) -> [Detail] {
    plain.filter { !$0.value.isEmpty && $0.key.hasPrefix(judge + "\t") }.sorted { $0.key < $1.key }
      .map { Detail(mutant: "without a fault", case: String($0.key.dropFirst(judge.count + 1)), message: $0.value) }
  }

  private static func count(_ finding: MutationRun.Finding?, _ title: String, _ score: inout Score) {
    score.total += 1
    if finding == nil { score.survivors.append(title) } else { score.killed += 1 }
  }
  private static func count(_ finding: MutationRun.Finding?, _ title: String, _ alarms: inout FalseAlarms) {
    alarms.variants += 1
    guard finding != nil else { return }
    alarms.count += 1
    alarms.names.append(title)
  }

  /// Takes the survivors that are proved to be equivalent out of the count.
  public mutating func apply(_ known: MutationEquivalents) {
    for entry in known.equivalents where generated.survivors.contains(entry.mutant) {
      generated.survivors.removeAll { $0 == entry.mutant }
      generated.total -= 1
      equivalents.append(Equivalent(mutant: entry.mutant, why: entry.why))
    }
  }

  /// Notes what came of building.
  ///
  /// - Parameters:
  ///   - identical: Mutants of which the compiler makes the kernel's own machine code: proved by that.
  ///   - invalid: Mutants that do not compile, and why.
  public mutating func note(identical: [String], invalid: [String]) {
    equivalents += identical.map { Equivalent(mutant: $0, why: "the compiler makes the same machine code of it as of the kernel") }
    self.invalid += invalid
  }

  /// Every written fault found, 95 of 100 generated ones, and nothing correct rejected.
  public var isGood: Bool {
    handwritten.survivors.isEmpty && falseAlarms.count == 0 && handwritten.total + generated.total + falseAlarms.variants > 0
      && Double(generated.killed) >= 0.95 * Double(generated.total)
  }

  public func json() throws -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]
    return try encoder.encode(self)
  }
  public init(json: Data) throws { self = try JSONDecoder().decode(MutationReport.self, from: json) }
}
