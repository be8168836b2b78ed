import BackplaneABI
import BackplaneCore
import Glibc

/// A plugin whose table has been read and whose ABI version is agreed.
///
/// A library stays mapped until the process ends: unloading a Swift library crashes, and a plugin may have threads of a driver.
/// Immutable; any thread.
public final class PluginLibrary: @unchecked Sendable {
  /// Absolute; nil for a plugin that is part of this process.
  public let path: String?
  public let name, vendor, version, buildID: String
  /// The range that the plugin speaks, and the version in use.
  public let minimumABI, maximumABI, negotiatedABI: ABIVersion
  /// Built without optimisation: its times mean nothing.
  public let isDebugBuild: Bool
  /// Has threads of its own, such as a driver's.
  public let hasOwnThreads: Bool
  /// The table with stubs in empty slots.
  let table: bp_plugin

  /// What device IDs begin with: the plugin's name in lower case, without a leading "Backplane".
  public var shortName: String { PluginLibrary.shortName(name) }

  static func shortName(_ name: String) -> String {
    var text = name.lowercased()
    for prefix in ["libbackplane", "backplane", "lib"] where text.hasPrefix(prefix) && text.count > prefix.count {
      text.removeFirst(prefix.count)
      break
    }
    return String(text.map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") ? $0 : "-" }.drop { $0 == "-" })
  }

  /// Registers a plugin that is part of this process, such as the oracle.
  ///
  /// - Parameter plugin: Static data: it must live as long as the process.
  /// - Throws: ``BackplaneError`` (abi), naming what the table lacks or where the versions do not meet.
  public init(inProcess plugin: UnsafePointer<bp_plugin>) throws(BackplaneError) {
    path = nil
    let agreed = try PluginLibrary.agree(plugin, subject: "in-process plugin")
    (name, vendor, version, buildID) = (agreed.name, agreed.vendor, agreed.version, agreed.buildID)
    (table, minimumABI, maximumABI, negotiatedABI) = (agreed.table, agreed.minimum, agreed.maximum, agreed.version_)
    isDebugBuild = table.flags & BP_PLUGIN_DEBUG_BUILD != 0
    hasOwnThreads = table.flags & BP_PLUGIN_OWN_THREADS != 0
  }

  /// Loads a library and agrees on a version with it.
  ///
  /// The ELF note is read first, so a library of another machine or ABI is refused before any of its code runs. Hash and origin
  /// are the registry's to check (``PluginManifest/verify(library:)``).
  ///
  /// - Parameters:
  ///   - path: Absolute; it is opened with `RTLD_NOW | RTLD_LOCAL`.
  ///   - step: Told the name of each step before it begins; the probe reports from it where a plugin died.
  /// - Throws: ``BackplaneError`` (file, abi): one sentence that says what is wrong with the library.
  public init(loading path: String, step: (String) -> Void = { _ in }) throws(BackplaneError) {
    guard path.hasPrefix("/") else { throw BackplaneError(.file, "the path of a plugin must be absolute", subject: path) }
    try PluginLibrary.check(note: try ELFNote.read(path), subject: path)
    step("dlopen")
    guard let handle = dlopen(path, RTLD_NOW | RTLD_LOCAL) else {
      throw BackplaneError(.file, "cannot be loaded: \(String(cString: dlerror()))", subject: path)
    }
    guard let symbol = dlsym(handle, BP_PLUGIN_SYMBOL) else {
      throw BackplaneError(.abi, "does not export \(BP_PLUGIN_SYMBOL): not a Backplane plugin, or the symbol is hidden", subject: path)
    }
    step("bp_plugin_query")
    let query = unsafeBitCast(symbol, to: (@convention(c) (UInt32, UInt32) -> UnsafePointer<bp_plugin>?).self)
    guard let plugin = query(ABIVersion.hostMinimum.number, ABIVersion.hostMaximum.number) else {
      throw BackplaneError(.abi, "bp_plugin_query returned NULL: the plugin shares no version with ABI "
        + "\(ABIVersion.hostMinimum)…\(ABIVersion.hostMaximum)", subject: path)
    }
    self.path = path
    let agreed = try PluginLibrary.agree(plugin, subject: path)
    (name, vendor, version, buildID) = (agreed.name, agreed.vendor, agreed.version, agreed.buildID)
    (table, minimumABI, maximumABI, negotiatedABI) = (agreed.table, agreed.minimum, agreed.maximum, agreed.version_)
    isDebugBuild = table.flags & BP_PLUGIN_DEBUG_BUILD != 0
    hasOwnThreads = table.flags & BP_PLUGIN_OWN_THREADS != 0
  }

  /// Refuses a note whose machine, ABI range or layout hash does not fit this host.
  static func check(note: ELFNote, subject: String) throws(BackplaneError) {
    guard note.architecture == ELFNote.hostArchitecture else {
      throw BackplaneError(.file, "built for \(note.architecture), this machine is \(ELFNote.hostArchitecture)", subject: subject)
    }
    let version = try ABIVersion.negotiate(pluginMinimum: note.minimumABI.number, pluginMaximum: note.maximumABI.number, subject: subject)
    guard let hash = note.layoutHashes[version.minor] else {
      throw BackplaneError(.abi, "the ELF note has no layout hash for ABI \(version)", subject: subject)
    }
    try check(layoutHash: hash, of: version, subject: subject)
  }

  private static func check(layoutHash: UInt64, of version: ABIVersion, subject: String) throws(BackplaneError) {
    guard let own = version.layoutHash, own != layoutHash else { return }
    throw BackplaneError(.abi, "layout hash of ABI \(version) is \(hexadecimal(layoutHash)) in the plugin, \(hexadecimal(own)) in this host: "
      + "it was built with another backplane_plugin.h of the same version", subject: subject, hint: "rebuild the plugin with this host's header")
  }

  private struct Agreed {
    var table: bp_plugin
    var minimum, maximum, version_: ABIVersion
    var name, vendor, version, buildID: String
  }

  private static func agree(_ plugin: UnsafePointer<bp_plugin>, subject: String) throws(BackplaneError) -> Agreed {
    let raw = UnsafeRawPointer(plugin)
    let size = Int(raw.load(as: UInt32.self))
    // Every ABI 1 table reaches at least to the layout hash; less is no table.
    let least = MemoryLayout<bp_plugin>.offset(of: \.abi_layout_hash)! + 8
    guard size != 0 else { throw BackplaneError(.abi, "bp_plugin.h.struct_size is 0", subject: subject, hint: "set it to sizeof(bp_plugin)") }
    guard size >= least else { throw BackplaneError(.abi, "bp_plugin.h.struct_size is \(size), less than \(least)", subject: subject) }
    let table = copyOfTable(raw, zero: bp_plugin())
    let version = try ABIVersion.negotiate(pluginMinimum: table.abi_min, pluginMaximum: table.abi_max, subject: subject)
    try check(layoutHash: table.abi_layout_hash, of: version, subject: subject)
    let missing = table.missingFunctions
    guard missing.isEmpty else {
      throw BackplaneError(.abi, "the plugin table lacks \(missing.joined(separator: ", "))", subject: subject)
    }
    let name = String(table.name)
    guard !shortName(name).isEmpty else { throw BackplaneError(.abi, "the plugin has no name", subject: subject) }
    return Agreed(table: table.filledWithStubs(), minimum: ABIVersion(number: table.abi_min), maximum: ABIVersion(number: table.abi_max),
                  version_: version, name: name, vendor: String(table.vendor), version: String(table.version), buildID: String(table.build_id))
  }
}

/// "0x" and 16 digits.
func hexadecimal(_ value: UInt64) -> String {
  let digits = String(value, radix: 16)
  return "0x" + String(repeating: "0", count: 16 - digits.count) + digits
}
