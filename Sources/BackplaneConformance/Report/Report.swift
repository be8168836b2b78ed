import BackplaneRegistry
import BackplaneSpecs
import Foundation

/// A run as a file: what was tested, with what, and every result.
public struct Report: Codable, Sendable {
  public struct Subject: Codable, Sendable {
    public var device, name, vendor, driver, plugin, pluginVersion, buildID: String
    /// Of the plugin's library; nil when it is part of this process.
    public var sha256: String?
    public var library: String?
    public var properties: [String: String]
  }

  public var format = 1
  public var suiteVersion = Suite.version
  public var specHash = Suite.specHash
  public var level: String
  public var size: String
  public var ops: [String]
  public var started: String
  public var seconds: Double
  public var subject: Subject
  public var conformant: Bool
  /// True when refusals do not count: the verdict is about what the device takes.
  public var claimedOnly: Bool?
  public var counts: [String: Int]
  public var results: [CaseResult]
  public var grades: [Grade]?
  /// Faults that were accepted, if any.
  public var waivers: [Waivers.Waiver]?

  public init(_ device: Device, level: OperatorSpec.Level, size: CaseList.Size, ops: [String], results: [CaseResult], started: Date, seconds: Double,
              waivers: Waivers? = nil) {
    self.waivers = waivers?.waivers
    specHash = Suite.specHash(of: results)
    var summary = Summary()
    for result in results { summary.add(result) }
    (self.level, self.size, self.ops, self.results, self.seconds) = (level.rawValue, size.rawValue, ops, results, seconds)
    self.started = ISO8601DateFormatter().string(from: started)
    (conformant, counts) = (summary.isConformant, summary.counts)
    grades = Grade.all(results)
    let library = device.plugin.path
    subject = Subject(device: device.id, name: device.info.name, vendor: device.info.vendor, driver: "\(device.info.driver) \(device.info.driverVersion)",
                      plugin: device.plugin.name, pluginVersion: device.plugin.version, buildID: device.plugin.buildID,
                      sha256: library.flatMap { try? Data(contentsOf: URL(fileURLWithPath: $0)) }.map { SHA256.hexadecimal(SHA256.hash([UInt8]($0))) }, library: library,
                      properties: Dictionary(device.info.properties.map { ($0.name, CaseID.text($0.value)) }, uniquingKeysWith: { a, _ in a }))
  }

  /// One line that says it all.
  public var verdict: String {
    let what = (claimedOnly ?? false ? "what it claims of " : "") + (ops.isEmpty ? level : ops.joined(separator: ", "))
    let waived = counts["waived"] ?? 0
    if conformant { return "conformant: \(what) (\(size))" + (waived > 0 ? " with \(waived) waivers" : "") }
    return "NOT conformant: \(what) (\(size)): \(results.count(where: \.isWrong)) wrong, \(results.count(where: \.isMissing)) not implemented yet"
  }

  /// What the plugin's level requires and the plugin refuses, by the plugin's reason.
  public struct Missing: Sendable {
    public let reason: String
    /// Operators that have no case at all that passes.
    public var wholly: [String] = []
    /// Operators of which some cases pass, with the first case that is refused and how many are.
    public var partly: [(op: String, example: String, count: Int)] = []
  }

  /// Operators of which every required case passes.
  public var implemented: [String] { operators.filter { op in !results.contains { $0.subject == op && $0.isBad } && passes(op) } }

  public var missing: [Missing] {
    var found: [Missing] = []
    for result in results where result.isMissing {
      // A relation that cannot be tried says nothing that the operator's own cases do not say.
      if result.op == "metamorphic", results.contains(where: { $0.op == result.subject && $0.isMissing }) { continue }
      let reason = result.op == "metamorphic" ? "needed for a relation between results" : String((result.message ?? "no reason").trimmingPrefix("no: "))
      let k = found.firstIndex { $0.reason == reason } ?? found.count
      if k == found.count { found.append(Missing(reason: reason)) }
      let op = result.subject
      if !passes(op) {
        if !found[k].wholly.contains(op) { found[k].wholly.append(op) }
      } else if let p = found[k].partly.firstIndex(where: { $0.op == op }) {
        found[k].partly[p].count += 1
      } else {
        found[k].partly.append((op, result.id, 1))
      }
    }
    return found
  }

  private func passes(_ op: String) -> Bool { results.contains { $0.op == op && $0.outcome == .pass } }
  private var operators: [String] {
    var names: [String] = []
    for result in results where result.id.contains("=") && names.last != result.op { names.append(result.op) }
    return names
  }

  /// The words that name the plugin on a command line: its library, or its device where it is no library.
  public var target: String { subject.library ?? "--device \(subject.device)" }

  public func json() throws -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return try encoder.encode(self)
  }

  public init(json: Data) throws { self = try JSONDecoder().decode(Report.self, from: json) }
}
