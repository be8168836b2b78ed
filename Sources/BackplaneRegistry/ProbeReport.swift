import BackplaneABI
import BackplaneCore

/// What a probe found: the one line of JSON that `backplane-probe` prints.
public struct ProbeReport: Codable, Sendable, Equatable {
  public struct Plugin: Codable, Sendable, Equatable {
    public var name, vendor, version, buildID: String
    public var abiMinimum, abiMaximum, abiNegotiated: String
    public var debugBuild, ownThreads: Bool
  }

  public static let currentFormat = 1

  public var format = ProbeReport.currentFormat
  public var plugin: Plugin?
  public var devices: [DeviceSummary] = []
  /// The two sides cannot work together.
  public var refused: String?
  /// The plugin is in order, but there is nothing to run on.
  public var unavailable: String?
  /// The plugin broke a promise: a wrong result, or output where none may be.
  public var fault: String?

  public init() {}
}

/// A device as reports show it.
public struct DeviceSummary: Codable, Sendable, Equatable {
  public struct Memory: Codable, Sendable, Equatable {
    public var flags: [String]
    public var total, budget, maximumAllocation, alignment: UInt64
  }

  public var id: String
  public var index: Int
  public var name, vendor, kind, driver, driverVersion, uuid, busID: String
  public var groups: [String]
  public var queues: Int
  public var capsEpoch: UInt64
  public var memory: [Memory]
  public var properties: [String: String]
  /// "passed", or why the canary program was not run; empty when none was tried.
  public var canary = ""

  public init(_ device: Device) {
    let info = device.info
    (id, index) = (device.id, device.index)
    (name, vendor, kind) = (info.name, info.vendor, "\(info.kind)")
    (driver, driverVersion, busID) = (info.driver, info.driverVersion, info.busID)
    uuid = info.uuid.allSatisfy { $0 == 0 } ? "" : SHA256.hexadecimal(info.uuid)
    (groups, queues, capsEpoch) = (info.groups.names, info.queueCount, info.capsEpoch)
    memory = info.memoryTypes.map {
      Memory(flags: $0.flags.names, total: $0.total, budget: $0.budget, maximumAllocation: $0.maximumAllocation, alignment: $0.alignment)
    }
    properties = Dictionary(info.properties.map { ($0.name, $0.value.text) }, uniquingKeysWith: { first, _ in first })
  }
}
