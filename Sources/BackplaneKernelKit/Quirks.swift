import BackplaneCore
public import BackplanePluginKit
import Glibc

/// What quirks are found by: texts as the driver gives them.
public struct DriverIdentity: Sendable {
  public var platform, vendor, device, driver: String

  public init(platform: String, vendor: String, device: String, driver: String) {
    (self.platform, self.vendor, self.device, self.driver) = (platform, vendor, device, driver)
  }
}

/// What is known about some drivers and devices and cannot be asked for: faults to keep away from, parameters that suit them better. It is data: a
/// backend's `quirks.json`, embedded, and one of the user's. The form is in `Specs/writing-a-kernel.md`.
public struct Quirk: Sendable {
  public let name: String
  /// Why it is there, for people.
  public let why: String
  /// Texts that the driver must give, `*` standing for anything: `platform`, `vendor`, `device`, `driver`.
  let patterns: [(field: String, pattern: String)]
  /// Driver versions from `since` on and before `before`; empty: any.
  let since, before: [Int]
  /// Features that the device is taken not to have.
  public let without: [String]
  /// Variants that are not used.
  public let avoid: [String]
  /// Values of parameters, `PARAMETER` or `VARIANT.PARAMETER`, where neither user nor tuner gives one.
  public let parameters: [(name: String, value: Int)]
  /// For the compiler of device code.
  public let defines: [(name: String, value: Int)]
  /// Programs that the driver starts and must find.
  public let programs: [String]

  func matches(_ identity: DriverIdentity) -> Bool {
    let version = Quirk.version(identity.driver)
    guard since.isEmpty || !version.lexicographicallyPrecedes(since), before.isEmpty || version.lexicographicallyPrecedes(before) else { return false }
    return patterns.allSatisfy { field, pattern in
      let text = switch field {
      case "platform": identity.platform
      case "vendor": identity.vendor
      case "device": identity.device
      default: identity.driver
      }
      return globMatches(Array(pattern.utf8), Array(text.utf8))
    }
  }

  /// The first numbers with dots between them in a text: "3.1+debian" is 3, 1.
  static func version(_ text: String) -> [Int] {
    let start = text.drop { !$0.isASCIIDigit }
    return start.prefix { $0.isASCIIDigit || $0 == "." }.split(separator: ".").map { Int($0) ?? Int.max }
  }
}

extension Quirk {
  /// - Parameter text: `{"format": 1, "quirks": [{"name": …, "why": …, "match": {…}, …}]}`
  /// - Throws: ``BackplaneError`` (file) that names file, quirk, and what is wrong.
  static func list(text: String, file: String) throws(BackplaneError) -> [Quirk] {
    let json: JSON
    do { json = try JSON.parse(text) } catch { throw BackplaneError(.file, error.message, subject: file) }
    let reader = try JSONReader(json, file: file, fields: ["format", "quirks"])
    let format = try reader.int("format")
    if format != 1 { throw reader.wrong("format", "is \(format); this build reads 1") }
    var list: [Quirk] = []
    for (number, value) in try reader.array("quirks").enumerated() { list.append(try Quirk(value, "quirks[\(number)]", file)) }
    return list
  }

  private init(_ json: JSON, _ place: String, _ file: String) throws(BackplaneError) {
    let fields = ["name", "why", "match", "without", "avoid", "parameters", "defines", "programs"]
    name = try JSONReader(json, file: file, place: place, fields: fields).string("name")
    let reader = try JSONReader(json, file: file, place: "quirk '\(name)'", fields: fields)
    why = try reader.string("why")
    let texts = ["platform", "vendor", "device", "driver"]
    let match = try JSONReader(reader.required("match"), file: file, place: "quirk '\(name)', match", fields: texts + ["since", "before"])
    var patterns: [(field: String, pattern: String)] = []
    for field in texts {
      if let pattern = try match.optionalString(field) { patterns.append((field, pattern)) }
    }
    if patterns.isEmpty { throw reader.wrong("match", "names no driver", hint: "one of \(texts.joined(separator: ", ")), '*' standing for anything") }
    self.patterns = patterns
    func version(_ field: String) throws(BackplaneError) -> [Int] {
      guard let text = try match.optionalString(field) else { return [] }
      let version = Quirk.version(text)
      if version.isEmpty { throw match.wrong(field, "is \"\(text)\", which has no number") }
      return version
    }
    (since, before) = (try version("since"), try version("before"))
    func numbers(_ field: String) throws(BackplaneError) -> [(name: String, value: Int)] {
      try reader.object(field).map { member throws(BackplaneError) in
        guard case .int(let value) = member.value else { throw reader.wrong(field, "gives '\(member.key)' no whole number") }
        return (member.key, value)
      }
    }
    (without, avoid, programs) = (try reader.strings("without"), try reader.strings("avoid"), try reader.strings("programs"))
    (parameters, defines) = (try numbers("parameters"), try numbers("defines"))
  }
}

extension DeviceTraits {
  /// Takes quirks over, in order: a later one's parameter replaces an earlier one's.
  public mutating func apply(_ quirks: [Quirk]) {
    for quirk in quirks {
      features.subtract(quirk.without)
      withheld.formUnion(quirk.without)
      avoided.formUnion(quirk.avoid)
      for (name, value) in quirk.parameters { defaults[name] = value }
      defines += quirk.defines.map { "\($0.name)=\($0.value)" }
    }
    self.quirks += quirks.map(\.name)
  }
}

extension KernelLibrary {
  /// Quirks of a driver, the backend's before the user's; none when the setting `quirks` is `off`.
  ///
  /// - Throws: `BP_E_INVALID` for another value of the setting than `on` and `off`.
  public func quirks(of identity: DriverIdentity, _ setting: (String) -> String?) throws(PluginError) -> [Quirk] {
    switch setting("quirks") ?? "on" {
    case "on": return quirks.filter { $0.matches(identity) }
    case "off": return []
    case let other: throw .invalid("quirks is \"\(other)\"; valid are on, off")
    }
  }
}

/// Whether a driver that starts the program as a child finds it in this process's PATH.
public func isInPath(_ program: String) -> Bool {
  guard let path = getenv("PATH") else { return false }
  return String(cString: path).split(separator: ":").contains { access($0 + "/" + program, X_OK) == 0 }
}

/// `*` stands for anything, also nothing; everything else for itself.
func globMatches(_ pattern: [UInt8], _ text: [UInt8]) -> Bool {
  var p = 0, t = 0, star: Int?, resume = 0
  while t < text.count {
    if p < pattern.count, pattern[p] == UInt8(ascii: "*") {
      (star, resume) = (p, t)
      p += 1
    } else if p < pattern.count, pattern[p] == text[t] {
      (p, t) = (p + 1, t + 1)
    } else if let star {
      resume += 1
      (p, t) = (star + 1, resume)
    } else { return false }
  }
  return pattern[p...].allSatisfy { $0 == UInt8(ascii: "*") }
}

extension Character {
  fileprivate var isASCIIDigit: Bool { self >= "0" && self <= "9" }
}
