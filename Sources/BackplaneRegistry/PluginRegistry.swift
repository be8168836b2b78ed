import BackplaneABI
import BackplaneCore
import Foundation
import Synchronization

/// When plugins are tried in a child process before they are loaded into this one.
public enum ProbePolicy: String, Sendable, CaseIterable {
  case off
  /// Once for each library, and again when it, the host or the machine's libraries change.
  case onChange = "on-change"
  case always
}

/// Finds plugins, tries them, opens their devices.
///
/// Making one looks for plugins and probes those that changed; a plugin is loaded into this process when the first of its devices
/// is opened, and stays open as long as the registry or one of its devices lives. Any thread.
public final class PluginRegistry: Sendable {
  public let host: HostServices

  private struct Item: Sendable {
    var entry: PluginEntry
    var library: PluginLibrary?
    var instance: PluginInstance?
    var devices: [Int: Device] = [:]
  }
  private let items: Mutex<[Item]>
  /// Serialises opening, so that a plugin has one instance. No function of the host table takes it.
  private let opening = Mutex(())

  /// - Parameters:
  ///   - host: What plugins may call; its table must live as long as the process.
  ///   - inProcess: Plugins that are part of this process; they come first. Static tables.
  ///   - probe: Nil: plugins are not tried first (and shown so), whatever the policy is.
  ///   - cachePath: Where probe answers are kept; nil keeps none.
  public init(host: HostServices, search: PluginSearch = PluginSearch(), inProcess: [UnsafePointer<bp_plugin>] = [],
              policy: ProbePolicy = .onChange, probe: PluginProbe? = PluginProbe.installed(),
              cachePath: String? = PluginRegistry.standardCachePath) {
    self.host = host
    var items = inProcess.map { PluginRegistry.item(inProcess: $0) }
    let found = search.run()
    let cache = ProbeCache(path: cachePath)
    for candidate in found.candidates {
      items.append(PluginRegistry.examine(candidate, policy: policy, probe: probe, cache: cache))
    }
    for rejected in found.rejected {
      items.append(Item(entry: PluginEntry(name: (rejected.path as NSString).lastPathComponent, path: rejected.path, origin: rejected.origin,
                                           state: .refused(rejected.reason))))
    }
    self.items = Mutex(PluginRegistry.withoutDuplicates(items))
  }

  public static var standardCachePath: String? { ProbeCache.standardPath() }

  /// Where what can be made again is kept: `$XDG_CACHE_HOME/backplane`, or under `~/.cache`; nil where there is no home.
  public static func cacheFolder(_ environment: [String: String]) -> String? {
    let cache = environment["XDG_CACHE_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil } ?? environment["HOME"].map { $0 + "/.cache" }
    return cache.flatMap { $0.hasPrefix("/") ? $0 + "/backplane" : nil }
  }

  /// Everything that was found, in search order, and why what cannot be used cannot.
  public var entries: [PluginEntry] { items.withLock { $0.map(\.entry) } }

  /// Adds a plugin that is part of this process, such as the oracle. It must live as long as the process.
  public func register(_ plugin: UnsafePointer<bp_plugin>) throws(BackplaneError) {
    let item = PluginRegistry.item(inProcess: plugin)
    if case .refused(let why) = item.entry.state { throw BackplaneError(.abi, why, subject: item.entry.name) }
    let name = item.entry.shortName
    let isNew = items.withLock { items in
      if items.contains(where: { $0.entry.state == .ready && $0.entry.shortName == name }) { return false }
      items.append(item)
      return true
    }
    if !isNew { throw BackplaneError(.invalid, "a plugin named \(name) is there already", subject: item.entry.name) }
  }

  /// The device of that ID: `cpu`, `opencl:1`; a plugin's name alone means its first device.
  ///
  /// - Throws: ``BackplaneError``: what devices there are, or why the plugin cannot be used.
  public func device(_ id: String) throws(BackplaneError) -> Device {
    let parts = id.split(separator: ":", omittingEmptySubsequences: false)
    let name = String(parts.first ?? "").lowercased()
    guard let index = parts.count == 1 ? 0 : parts.count == 2 ? Int(parts[1]) : nil, index >= 0 else {
      throw BackplaneError(.invalid, "\"\(id)\" is no device ID", hint: "write PLUGIN or PLUGIN:INDEX, such as cpu or opencl:1")
    }
    let position = items.withLock { items in
      items.firstIndex { $0.entry.shortName == name && $0.entry.state == .ready } ?? items.firstIndex { $0.entry.shortName == name }
    }
    guard let position else {
      let names = entries.filter { $0.state == .ready }.map(\.shortName)
      throw BackplaneError(.invalid, "there is no plugin for device \"\(id)\"",
                           hint: names.isEmpty ? "no plugin was found" : "there are: \(names.joined(separator: ", "))")
    }
    return try open(position, index)
  }

  /// Every device of every ready plugin, in search order. Devices that cannot be opened are left out; ``entries`` says why.
  public func openAll() -> [Device] {
    var devices: [Device] = []
    for position in entries.indices where entries[position].state == .ready {
      guard let count = try? opening.withLock({ _ throws(BackplaneError) in try instance(position).deviceCount }) else { continue }
      for index in 0..<count { if let device = try? open(position, index) { devices.append(device) } }
    }
    return devices
  }

  private func open(_ position: Int, _ index: Int) throws(BackplaneError) -> Device {
    try opening.withLock { _ throws(BackplaneError) in
      if let device = items.withLock({ $0[position].devices[index] }) { return device }
      let instance = try instance(position)
      guard index < instance.deviceCount else {
        throw BackplaneError(.invalid, "there is no device \(index)", subject: instance.library.name,
                             hint: "it has \(instance.deviceCount)")
      }
      let device = try Device(instance, index: index)
      items.withLock { items in
        items[position].devices[index] = device
        var summary = DeviceSummary(device)
        if let known = items[position].entry.devices.firstIndex(where: { $0.index == index }) {
          summary.canary = items[position].entry.devices[known].canary
          items[position].entry.devices[known] = summary
        } else {
          items[position].entry.devices.append(summary)
        }
      }
      return device
    }
  }

  /// The plugin's instance, made when there is none. Called with `opening` held, and with `items` free while the plugin runs.
  private func instance(_ position: Int) throws(BackplaneError) -> PluginInstance {
    let item = items.withLock { $0[position] }
    if let instance = item.instance { return instance }
    if let why = item.entry.state.reason {
      throw BackplaneError(.unsupported, "the plugin is \(item.entry.state.word): \(why)", subject: item.entry.name)
    }
    do throws(BackplaneError) {
      let library: PluginLibrary
      if let known = item.library { library = known } else { library = try PluginLibrary(loading: item.entry.path!) }
      let instance = try PluginInstance(library, host: host)
      items.withLock { items in
        items[position].library = library
        items[position].instance = instance
      }
      return instance
    } catch {
      let state: PluginState = error.kind == .abi || error.kind == .file ? .refused(error.message) : .unavailable(error.message)
      items.withLock { $0[position].entry.state = state }
      throw error
    }
  }
}

extension PluginRegistry {
  private static func item(inProcess plugin: UnsafePointer<bp_plugin>) -> Item {
    do throws(BackplaneError) {
      let library = try PluginLibrary(inProcess: plugin)
      var entry = PluginEntry(name: library.name, path: nil, origin: .inProcess, state: .ready)
      entry.probing = .inProcess
      fill(&entry, from: library)
      return Item(entry: entry, library: library)
    } catch {
      return Item(entry: PluginEntry(name: "in-process plugin", path: nil, origin: .inProcess, state: .refused(error.message)))
    }
  }

  private static func fill(_ entry: inout PluginEntry, from library: PluginLibrary) {
    (entry.name, entry.vendor, entry.version, entry.buildID) = (library.name, library.vendor, library.version, library.buildID)
    entry.isDebugBuild = library.isDebugBuild
  }

  /// Checks a candidate's file, and tries it in a child process if the policy says so.
  private static func examine(_ candidate: PluginCandidate, policy: ProbePolicy, probe: PluginProbe?, cache: ProbeCache) -> Item {
    let path = candidate.library
    var entry = PluginEntry(name: candidate.manifest?.name ?? PluginManifest.name(ofLibrary: (path as NSString).lastPathComponent), path: path,
                            origin: candidate.origin, state: .ready)
    entry.isSigned = candidate.manifest != nil
    do throws(BackplaneError) {
      let manifest: PluginManifest
      if let given = candidate.manifest {
        try given.verify(library: path)
        manifest = given
      } else {
        manifest = try PluginManifest.unsigned(library: path)
      }
      try PluginLibrary.check(note: try ELFNote.read(path), subject: path)
      var isTrusted = true
      if case .folder = candidate.origin { isTrusted = false }
      entry.operators = try OperatorFolder(library: path).register(candidate.manifest.map { $0.operators ?? [] }, isTrusted: isTrusted)
      (entry.vendor, entry.version, entry.buildID, entry.sha256) = (manifest.vendor, manifest.version, manifest.buildID, manifest.sha256)
      guard policy != .off, let probe else {
        entry.probing = policy == .off ? .off : .missing
        // The name of a plugin without a manifest is known only to the plugin; its query function is pure.
        guard candidate.manifest == nil else { return Item(entry: entry) }
        let library = try PluginLibrary(loading: path)
        fill(&entry, from: library)
        return Item(entry: entry, library: library)
      }
      let known = policy == .always ? nil : cache.answer(for: manifest.sha256)
      entry.probing = known == nil ? .probed : .cached
      let answer = known ?? probe.run(library: path)
      if known == nil { cache.store(answer, for: manifest.sha256) }
      switch answer {
      case .failed(let why), .silent(let why): entry.state = .quarantined(why)
      case .report(let report): take(report, into: &entry)
      }
    } catch {
      // A fault of another file than the library's is told with that file.
      let file = error.subject.flatMap { $0 == path ? nil : "\($0): " } ?? ""
      entry.state = .refused(file + error.message + (error.hint.map { " (\($0))" } ?? ""))
    }
    return Item(entry: entry)
  }

  private static func take(_ report: ProbeReport, into entry: inout PluginEntry) {
    if let plugin = report.plugin {
      (entry.name, entry.vendor, entry.version, entry.buildID) = (plugin.name, plugin.vendor, plugin.version, plugin.buildID)
      entry.isDebugBuild = plugin.debugBuild
    }
    entry.devices = report.devices
    if let why = report.refused { entry.state = .refused(why) }
    else if let why = report.fault { entry.state = .quarantined(why) }
    else if let why = report.unavailable { entry.state = .unavailable(why) }
  }

  /// Of ready plugins with one name, the first in search order is used.
  private static func withoutDuplicates(_ items: [Item]) -> [Item] {
    var first: [String: String] = [:]
    return items.map { item in
      guard item.entry.state == .ready else { return item }
      var item = item
      if let other = first[item.entry.shortName] {
        item.entry.state = .refused("another plugin named \(item.entry.shortName) comes first: \(other)")
        item.library = nil
      } else {
        first[item.entry.shortName] = item.entry.path ?? "part of this process"
      }
      return item
    }
  }
}
