import BackplaneABI
import BackplaneCore

/// A version of the plugin ABI: major and minor.
public struct ABIVersion: Hashable, Sendable, Comparable, CustomStringConvertible {
  public let number: UInt32

  public init(number: UInt32) { self.number = number }
  public init(major: UInt16, minor: UInt16) { number = UInt32(major) << 16 | UInt32(minor) }
  /// Reads "1.0".
  public init?(_ text: String) {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 2, let major = UInt16(parts[0]), let minor = UInt16(parts[1]) else { return nil }
    self.init(major: major, minor: minor)
  }

  public var major: UInt16 { UInt16(number >> 16) }
  public var minor: UInt16 { UInt16(truncatingIfNeeded: number) }
  public var description: String { "\(major).\(minor)" }
  public static func < (a: ABIVersion, b: ABIVersion) -> Bool { a.number < b.number }

  /// The range that this host speaks.
  public static let hostMinimum = ABIVersion(number: BP_ABI_1_0)
  public static let hostMaximum = ABIVersion(number: BP_ABI_THIS)

  /// The layout hash of a version that this host knows; nil for others.
  var layoutHash: UInt64? { self == ABIVersion(number: BP_ABI_1_0) ? BP_ABI_LAYOUT_HASH_1_0 : nil }

  /// The version that host and plugin use: the lower of both maxima, when that is not below either minimum.
  ///
  /// - Throws: ``BackplaneError`` (abi), saying both ranges, when the plugin's is zero or inverted or they do not meet.
  static func negotiate(pluginMinimum: UInt32, pluginMaximum: UInt32, hostMinimum: ABIVersion = .hostMinimum,
                        hostMaximum: ABIVersion = .hostMaximum, subject: String) throws(BackplaneError) -> ABIVersion {
    let (low, high) = (ABIVersion(number: pluginMinimum), ABIVersion(number: pluginMaximum))
    if pluginMinimum == 0 || pluginMaximum == 0 {
      throw BackplaneError(.abi, "the plugin's ABI range \(low)…\(high) is not set", subject: subject)
    }
    if low > high { throw BackplaneError(.abi, "the plugin's ABI range \(low)…\(high) is inverted", subject: subject) }
    let chosen = min(high, hostMaximum)
    guard chosen >= max(low, hostMinimum) else {
      throw BackplaneError(.abi, "the plugin speaks ABI \(low)…\(high), this host \(hostMinimum)…\(hostMaximum)", subject: subject,
                           hint: low > hostMaximum ? "update the host" : "get a newer build of the plugin")
    }
    return chosen
  }
}
