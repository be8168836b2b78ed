import Foundation

/// What `backplane devices` shows: every device, and why what was found cannot be used.
public struct DeviceReport: Codable, Sendable, Equatable {
  public struct Plugin: Codable, Sendable, Equatable {
    public var name, state: String
    /// Why it is not ready.
    public var reason: String?
    public var path: String?
    public var origin, vendor, version, buildID: String
    public var signed, debugBuild: Bool
    public var probing: String
    public var devices: [DeviceSummary]
    /// Of the plugin's own.
    public var operators: [String]?
  }

  public var format = 1
  public var abi: String
  public var plugins: [Plugin]

  public init(_ entries: [PluginEntry]) {
    abi = "\(ABIVersion.hostMinimum)…\(ABIVersion.hostMaximum)"
    plugins = entries.map { entry in
      let origin = switch entry.origin {
      case .explicit: "explicit"
      case .folder(let path): path
      case .buildTree: "build tree"
      case .inProcess: "in process"
      }
      return Plugin(name: entry.name, state: entry.state.word, reason: entry.state.reason, path: entry.path, origin: origin, vendor: entry.vendor,
                    version: entry.version, buildID: entry.buildID, signed: entry.isSigned, debugBuild: entry.isDebugBuild,
                    probing: entry.probing.rawValue, devices: entry.devices, operators: entry.operators.isEmpty ? nil : entry.operators)
    }
  }

  /// Sorted and indented.
  public func json() -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
  }

  /// One line a device, then one or two a plugin that cannot be used.
  public func lines() -> [String] {
    var lines: [String] = []
    for plugin in plugins where plugin.state == "ready" {
      for device in plugin.devices {
        var notes = [device.vendor, device.driver.isEmpty ? "" : "\(device.driver) \(device.driverVersion)", device.groups.joined(separator: "+")]
        if let memory = device.memory.map(\.total).max(), memory > 0 { notes.append("\(memory >> 20) MiB") }
        if plugin.debugBuild { notes.append("debug build") }
        if !plugin.signed && plugin.path != nil { notes.append("unsigned") }
        if !["", "passed"].contains(device.canary) { notes.append("canary: \(device.canary)") }
        let id = device.id.count < 14 ? device.id + String(repeating: " ", count: 14 - device.id.count) : device.id + "  "
        lines.append("\(id)\(device.kind)  \(device.name)  (\(notes.filter { !$0.trimmingCharacters(in: .whitespaces).isEmpty }.joined(separator: ", ")))")
      }
      if plugin.devices.isEmpty { lines.append("\(PluginLibrary.shortName(plugin.name)): ready, not opened yet  (\(plugin.path ?? plugin.origin))") }
    }
    for plugin in plugins where plugin.state != "ready" {
      lines.append("\(plugin.name): \(plugin.state): \(plugin.reason ?? "")")
      if let path = plugin.path { lines.append("  \(path)") }
    }
    return lines.isEmpty ? ["no plugins were found"] : lines
  }
}

extension PluginRegistry {
  /// - Parameter opening: Opens devices that are not known from a probe (in-process plugins, probing off).
  public func deviceReport(opening: Bool = true) -> DeviceReport {
    if opening { for entry in entries where entry.state == .ready && entry.devices.isEmpty { _ = try? device(entry.shortName) } }
    return DeviceReport(entries)
  }
}
