import BackplaneABI
import BackplaneCore

/// A plugin at work: from `instance_create` to `instance_destroy`, which comes when the last device that holds it is gone.
public final class PluginInstance: @unchecked Sendable {
  public let library: PluginLibrary
  public let deviceCount: Int
  /// The services that the plugin was given.
  public let host: HostServices
  let handle: bp_instance?

  /// - Parameter host: Copied; the copy is never freed.
  public init(_ library: PluginLibrary, host: HostServices, step: (String) -> Void = { _ in }) throws(BackplaneError) {
    (self.library, self.host) = (library, host)
    let table = host.copy(negotiated: library.negotiatedABI.number)
    var handle: bp_instance?
    step("instance_create")
    try checked("instance_create", library.name) { library.table.instance_create(table, &handle, $0) }
    self.handle = handle
    var count: UInt32 = 0
    step("device_count")
    do {
      try checked("device_count", library.name) { library.table.device_count(handle, &count, $0) }
    } catch {
      library.table.instance_destroy(handle)
      throw error
    }
    deviceCount = Int(count)
  }

  deinit { library.table.instance_destroy(handle) }

  /// An optional extension's table; nil when the plugin has none of that name and version. It lives as long as this object.
  public func `extension`(_ name: String, version: UInt32) -> UnsafeRawPointer? {
    var name = name
    return name.withUTF8 { bytes in
      bytes.withMemoryRebound(to: CChar.self) {
        library.table.`extension`(handle, bp_str(ptr: $0.baseAddress, len: UInt64($0.count)), version)
      }
    }
  }

  /// What the IDs of this plugin's devices are: `cpu` for the one device of a processor or the oracle, else `opencl:0`.
  func deviceID(index: Int, kind: DeviceKind) -> String {
    deviceCount == 1 && (kind == .cpu || kind == .reference) ? library.shortName : "\(library.shortName):\(index)"
  }
}
