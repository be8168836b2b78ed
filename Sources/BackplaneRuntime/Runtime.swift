import BackplaneABI
import BackplaneCore
import BackplaneRegistry
import Foundation
import Synchronization

/// Plugins, devices, threads: everything that graphs are compiled and run with.
///
/// An application makes one. Any thread. Sessions and compiled graphs keep it alive.
public final class Runtime: Sendable {
  public struct Options: Sendable {
    /// Workers of the thread pool; nil takes the processors that this process may use. "runtime.threads"
    /// (`BACKPLANE_RUNTIME_THREADS`) stands in when it is nil.
    public var threads: Int?
    /// Libraries, manifests or folders, before those found by the usual search. Absolute paths.
    public var pluginPaths: [String] = []
    /// False looks at `pluginPaths` only.
    public var searchesForPlugins = true
    public var probe: ProbePolicy = .onChange
    /// Settings for plugins, such as "cpu.isa"; they win over `BACKPLANE_CPU_ISA`.
    public var settings: [String: String] = [:]
    /// Where `BACKPLANE_…` settings are read; empty reads none.
    public var environment: [String: String] = ProcessInfo.processInfo.environment
    /// Stored choices of variants and parameters; nil leaves them to the devices.
    public var tuning: (any TuningSource)?
    public var logLevel: LogLevel = .warning
    public var log: LogHandler = LogMessage.writeToStandardError
    /// Records what every session does when; nil records nothing.
    public var trace: Trace?

    public init() {}
  }

  public let host: PluginHost
  public let registry: PluginRegistry
  public var pool: ThreadPool { host.pool }
  public let trace: Trace?
  /// Weights that devices hold, shared by every session of this runtime.
  let weights = WeightStore()
  public let tuning: (any TuningSource)?
  /// What to do when a device is lost.
  public let recovery: DeviceRecovery
  private let opened = Mutex<[Device]?>(nil)

  public init(_ options: Options = Options()) {
    tuning = options.tuning
    var settings = PluginHost.settings(from: options.environment).merging(options.settings) { _, explicit in explicit }
    if settings["kernels.folder"] == nil { settings["kernels.folder"] = Runtime.kernelFolder(options.environment) }
    let pool = ThreadPool(workers: options.threads ?? settings["runtime.threads"].flatMap { Int($0) })
    let blobs = Runtime.blobStore(settings: settings, environment: options.environment) { [log = options.log] text in
      log(LogMessage(level: .warning, category: "cache", text: text))
    }
    host = PluginHost(pool: pool, settings: settings, blobs: blobs, logLevel: options.logLevel, log: options.log)
    let search = options.searchesForPlugins
      ? PluginSearch(explicit: options.pluginPaths, environment: options.environment) : PluginSearch.only(options.pluginPaths)
    trace = options.trace
    recovery = DeviceRecovery(host)
    registry = PluginRegistry(host: host.services, search: search, policy: options.probe)
  }

  /// Where users keep kernels of their own, a folder for each backend: `$XDG_DATA_HOME/backplane/kernels`, or under `~/.local/share`. The setting
  /// "kernels.folder" names another.
  static func kernelFolder(_ environment: [String: String]) -> String? {
    let data = environment["XDG_DATA_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil } ?? environment["HOME"].map { $0 + "/.local/share" }
    return data.map { $0 + "/backplane/kernels" }
  }

  /// The blob store that settings name: "cache.directory" (`BACKPLANE_CACHE_DIRECTORY`; "none" for no store) and "cache.limit" in bytes.
  public static func blobStore(settings: [String: String], environment: [String: String], report: @escaping @Sendable (String) -> Void) -> BlobStore? {
    guard let directory = settings["cache.directory"] ?? BlobStore.standardDirectory(environment), directory.hasPrefix("/") else { return nil }
    guard let limit = settings["cache.limit"].flatMap({ Int($0) }), limit > 0 else { return BlobStore(directory: directory, report: report) }
    return BlobStore(directory: directory, limit: limit, report: report)
  }

  /// The host's table outlives the runtime; its threads do not. What still runs then runs on its caller's thread.
  deinit { host.retire() }

  /// Every device that can be opened, in search order. Opened at the first call.
  public var devices: [Device] {
    if let known = opened.withLock({ $0 }) { return known }
    let devices = registry.openAll()
    opened.withLock { $0 = devices }
    return devices
  }

  /// The device of that ID, such as `cpu` or `opencl:1`; a plugin's name alone means its first device.
  public func device(_ id: String) throws(BackplaneError) -> Device { try registry.device(id) }

  /// Adds a plugin that is part of this process, such as the oracle. Its table must live as long as the process.
  public func register(inProcess plugin: UnsafePointer<bp_plugin>) throws(BackplaneError) {
    try registry.register(plugin)
    opened.withLock { $0 = nil }
  }

  /// What a graph may be placed on when the caller names no device: real devices, accelerators first.
  public var defaultDevices: [Device] {
    func order(_ device: Device) -> Int {
      switch device.info.kind { case .gpu: 0; case .npu, .dsp, .fpga, .other: 1; case .cpu: 2; case .reference: 3 }
    }
    // Drivers that run on the processor are the same silicon as the CPU plugin: one of them is enough, the first found.
    let processor = devices.first { $0.info.kind == .cpu }
    let real = devices.filter { $0.info.kind != .reference && $0.info[property: "simulated"] == nil && ($0.info.kind != .cpu || $0 === processor) }
    return real.enumerated().sorted { (order($0.element), $0.offset) < (order($1.element), $1.offset) }.map(\.element)
  }
}
