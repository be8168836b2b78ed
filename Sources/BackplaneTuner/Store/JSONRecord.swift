public import BackplaneRegistry
public import BackplaneCore
import Foundation

/// What is known of one configuration for one problem on one device, or that it was chosen: a row of the store, a line of an exchange file.
public struct JSONRecord: Codable, Sendable, Hashable {
  public enum Kind: String, Codable, Sendable {
    /// It was timed.
    case measured
    /// It must not be used: what is wrong with it.
    case rejected
    /// It is the one to use.
    case chosen
    /// A run met the problem and had no choice for it.
    case wanted
  }

  public struct Device: Codable, Sendable, Hashable {
    public var name, driver, driverVersion, uuid: String

    public init(_ device: BackplaneRegistry.Device) {
      let info = device.info
      (name, driver, driverVersion) = (info.name, info.driver, info.driverVersion)
      uuid = info.uuid.map { byte in let digits = String(byte, radix: 16); return digits.count == 1 ? "0" + digits : digits }.joined()
    }
    public init(name: String, driver: String, driverVersion: String, uuid: String) {
      (self.name, self.driver, self.driverVersion, self.uuid) = (name, driver, driverVersion, uuid)
    }
  }

  public struct Plugin: Codable, Sendable, Hashable {
    public var name, version, build: String
    /// Of the variant's device code; for a plugin that does not know it, of the library.
    public var kernel: String

    public init(name: String, version: String, build: String, kernel: String) { (self.name, self.version, self.build, self.kernel) = (name, version, build, kernel) }
  }

  public struct Times: Codable, Sendable, Hashable {
    public var median, low, high: Double
    public var count: Int
    /// To the default in the same race, with its 95 % interval.
    public var ratio, ratioLow, ratioHigh: Double
  }

  public var v = 1
  public var kind: Kind
  public var problem: Problem
  public var device: Device
  public var plugin: Plugin
  public var space: String
  public var configuration: String
  public var times: Times?
  public var fault: String?
  public var worstError: Double?
  /// Of a choice: how far it is behind the best finalist at the worst end of its bucket, 0.03 for 3 %; absent where the bucket has no ends.
  public var regret: Double?
  /// Of a choice: the least microseconds that the machine's own limits allow.
  public var limit: Double?
  /// Of what is wanted: the case to tune.
  public var `case`: String?
  /// Seconds since 1970.
  public var time: Int
  /// Hash of the host's name; "" in a record from elsewhere.
  public var host: String

  /// A run met this problem; the same record each time, whenever it is.
  public init(wanted id: String, problem: Problem, device: Device, plugin: Plugin, space: String) {
    self.init(kind: .wanted, problem: problem, device: device, plugin: plugin, space: space, configuration: "", time: 0)
    self.case = id
  }

  public init(kind: Kind, problem: Problem, device: Device, plugin: Plugin, space: String, configuration: String, times: Times? = nil, fault: String? = nil,
              worstError: Double? = nil, time: Int = Int(Date().timeIntervalSince1970), host: String = JSONRecord.thisHost) {
    (self.kind, self.problem, self.device, self.plugin, self.space) = (kind, problem, device, plugin, space)
    (self.configuration, self.times, self.fault, self.worstError, self.time, self.host) = (configuration, times, fault, worstError, time, host)
  }

  static let encoder: JSONEncoder = {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return encoder
  }()

  public static let thisHost = String(Identifier(ProcessInfo.processInfo.hostName).value, radix: 16)

  public var line: String { (try? JSONRecord.encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? "" }

  /// Two records with one identity are the same record: a merge is a union of sets.
  public var identity: String { SHA256.hexadecimal(SHA256.hash(Array(line.utf8))) }

  public init?(line: some StringProtocol) {
    guard let record = try? JSONDecoder().decode(JSONRecord.self, from: Data(line.utf8)), record.v == 1 else { return nil }
    self = record
  }
}

/// What is to be computed, as far as choices depend on it: operator, formats and attributes, and the extents in buckets.
public struct Problem: Codable, Sendable, Hashable {
  public var op: String
  /// Formats, attributes and which optional operands there are.
  public var signature: String
  /// The extents, those that vary from run to run rounded to their bucket.
  public var bucket: String

  /// Under which class it is to be computed: the signature says it where it is not the standard one.
  public var numerics: Numerics { Numerics.allCases.first { signature.hasSuffix("numerics=\($0)") } ?? .standard }

  public init(op: String, signature: String, bucket: String) { (self.op, self.signature, self.bucket) = (op, signature, bucket) }
}
