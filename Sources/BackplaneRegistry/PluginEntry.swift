/// What may be done with a plugin.
public enum PluginState: Sendable, Equatable {
  case ready
  /// Not a plugin that this host can work with: wrong file, ABI, hash, or an incomplete table.
  case refused(String)
  /// It crashed, hung, exited, printed or computed wrongly when it was tried.
  case quarantined(String)
  /// In order, but with nothing to run on.
  case unavailable(String)

  public var reason: String? {
    switch self {
    case .ready: nil
    case .refused(let why), .quarantined(let why), .unavailable(let why): why
    }
  }
  public var word: String {
    switch self {
    case .ready: "ready"
    case .refused: "refused"
    case .quarantined: "quarantined"
    case .unavailable: "unavailable"
    }
  }
}

/// A plugin that was found, or something that lay where plugins are looked for.
public struct PluginEntry: Sendable {
  public enum Probing: String, Sendable { case off, cached, probed, missing, inProcess = "in_process" }

  /// Such as "BackplaneCPU"; the file's name when nothing better is known.
  public var name: String
  /// What device IDs begin with.
  public var shortName: String { PluginLibrary.shortName(name) }
  /// Nil for a plugin that is part of this process.
  public var path: String?
  public var origin: PluginOrigin
  public var state: PluginState
  public var vendor = "", version = "", buildID = ""
  /// Has a manifest that the library was checked against.
  public var isSigned = false
  public var isDebugBuild = false
  public var sha256: String?
  public var probing: Probing = .off
  /// Operators of its own, registered from the definitions beside it.
  public var operators: [String] = []
  /// As the probe or an open instance saw them.
  public var devices: [DeviceSummary] = []
}
