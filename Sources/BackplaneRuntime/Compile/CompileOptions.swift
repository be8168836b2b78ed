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
  /// Check each memory plan with a second, independent program. On in debug builds and with `BACKPLANE_VALIDATE=1`.
  public var validates = CompileOptions.validatesByDefault
  public var cancellation: CancellationToken?
  /// What it costs to begin another device's program, in nanoseconds, besides moving bytes.
  public var switchNanoseconds: UInt64 = 5_000
  /// How bytes move from the first device (nil: the host) to the second; nil here asks the devices.
  public var linkCost: (@Sendable (_ from: Device?, _ to: Device?) -> LinkCost)?
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
