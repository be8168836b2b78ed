import BackplaneCore
import BackplaneRegistry
import Foundation

/// What happens to a node that the first device of the list refuses.
public enum FallbackPolicy: String, Sendable, CaseIterable {
  /// Another device takes it; the report says so.
  case allow
  /// The same, and the log says so.
  case warn
  /// The graph is refused, with the reason.
  case forbid
}

public struct CompileOptions: Sendable {
  /// Where nodes may run, the preferred device first. Empty: ``Runtime/defaultDevices``.
  public var devices: [Device]
  public var fallback: FallbackPolicy = .warn
  /// Rewrite operators into fused ones where a device has them.
  public var fuses = true
  /// Time each kind of node on each device that is not simulated, and place by that. Times are kept in the blob store.
  public var measures = false
  /// Whether one operator may run on two devices at once.
  public var splits = SplitPolicy.never
  /// Most bytes of weights that a program reads, so that a session may page them; nil: any number. Larger matmuls are cut into rows.
  public var weightBytesPerProgram: Int?
  /// Check each memory plan with a second, independent program. On in debug builds and with `BACKPLANE_VALIDATE=1`.
  public var validates = CompileOptions.validatesByDefault
  public var cancellation: CancellationToken?
  /// Programs on different devices run at the same time where neither needs what the other makes.
  public var overlaps = true
  /// What it costs to begin another device's program, in nanoseconds, besides moving bytes.
  public var switchNanoseconds: UInt64 = 5_000
  /// How bytes move from the first device (nil: the host) to the second; nil here asks the devices.
  public var linkCost: (@Sendable (_ from: Device?, _ to: Device?) -> LinkCost)?
  /// Nodes that must be on a given device; the first that fits a node counts.
  public var pins: [PlacementPin] = []
  /// Bytes of weights and states that a device may hold, by device ID, such as "npu:0". A device with memory of its own never holds more than it has.
  public var memoryBudgets: [String: Int] = [:]
  /// Most states that placement keeps at a node when several devices are allowed; beyond it, the cheapest.
  public var placementStateLimit = 256

  public init(devices: [Device] = [], fallback: FallbackPolicy = .warn) {
    self.devices = devices
    self.fallback = fallback
  }

  static let validatesByDefault: Bool = {
    if let value = ProcessInfo.processInfo.environment["BACKPLANE_VALIDATE"] { return value != "0" }
    var isDebug = false
    assert({ isDebug = true; return true }())
    return isDebug
  }()
}

/// Pins nodes to a device: those of an operator, or those whose first output has a name that fits.
public struct PlacementPin: Sendable, Hashable {
  /// An operator ("attention"), or a tensor's name in which `*` stands for anything ("blk.0.*").
  public var pattern: String
  /// Such as "cpu" or "npu:0"; one of the devices allowed.
  public var device: String

  public init(_ pattern: String, device: String) { (self.pattern, self.device) = (pattern, device) }

  func fits(_ node: Node, _ graph: Graph) -> Bool {
    node.op == pattern || node.outputs.lazy.compactMap { $0 }.first.map { PlacementPin.fits(Array(graph[$0].name.utf8), Array(pattern.utf8)) } ?? false
  }

  /// Goes back to the last star when what follows it does not fit.
  private static func fits(_ name: [UInt8], _ pattern: [UInt8]) -> Bool {
    var (i, k, star, resume) = (0, 0, -1, 0)
    while i < name.count {
      if k < pattern.count, pattern[k] == UInt8(ascii: "*") { (star, resume, k) = (k, i, k + 1) } else if k < pattern.count, pattern[k] == name[i] {
        (i, k) = (i + 1, k + 1)
      } else if star >= 0 { (i, k, resume) = (resume + 1, star + 1, resume + 1) } else { return false }
    }
    return pattern[k...].allSatisfy { $0 == UInt8(ascii: "*") }
  }
}

/// The cost of moving bytes over a link.
public struct LinkCost: Sendable, Hashable {
  public var latencyNanoseconds: UInt64
  /// 0: bytes need not move.
  public var nanosecondsPerKibibyte: UInt64

  public init(latencyNanoseconds: UInt64, nanosecondsPerKibibyte: UInt64) {
    self.latencyNanoseconds = latencyNanoseconds
    self.nanosecondsPerKibibyte = nanosecondsPerKibibyte
  }
  public static let free = LinkCost(latencyNanoseconds: 0, nanosecondsPerKibibyte: 0)

  public func nanoseconds(forBytes count: Int) -> UInt64 { latencyNanoseconds + UInt64((count + 1023) / 1024) * nanosecondsPerKibibyte }
}
