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
  /// The command that runs a case again, but for its ID.
  public var replay: String?

  public init(_ device: Device, level: OperatorSpec.Level, size: CaseList.Size, ops: [String], results: [CaseResult], started: Date, seconds: Double,
              waivers: Waivers? = nil, replay: String? = nil) {
    (self.waivers, self.replay) = (waivers?.waivers, replay)
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
    return conformant ? "conformant: \(what) (\(size))" + (waived > 0 ? " with \(waived) waivers" : "") : "NOT conformant: \(what) (\(size))"
  }

  public func json() throws -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return try encoder.encode(self)
  }

  public init(json: Data) throws { self = try JSONDecoder().decode(Report.self, from: json) }
}
