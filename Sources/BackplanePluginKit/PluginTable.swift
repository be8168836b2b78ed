public import BackplaneABI

/// What this kit speaks.
public let spokenABI = UInt32(BP_ABI_1_0)...UInt32(BP_ABI_THIS)

/// One use of a plugin by a host: what stands behind the instance's handle. A plugin's own class adds what its devices share.
open class PluginInstance: @unchecked Sendable {
  public let host: Host

  /// Takes over the host's table. An initialiser that throws does so before it calls this one.
  public init(host: Host) { self.host = host }
  deinit { host.deallocate() }

  open var deviceCount: Int { 1 }
  /// Opens a device that there is.
  open func openDevice(_ index: Int) throws(PluginError) -> PluginDevice {
    throw PluginError(BP_E_UNSUPPORTED, "device_open: this plugin opens no device", reason: BP_REASON_FEATURE)
  }
}

/// Makes an instance and puts it behind its handle: what `instance_create` does.
public func makeInstance(_ table: UnsafePointer<bp_host>?, _ out: UnsafeMutablePointer<bp_instance?>?, _ error: UnsafeMutablePointer<bp_error>?,
                         _ make: (Host) throws(PluginError) -> PluginInstance) -> bp_status {
  withError(error) { () throws(PluginError) in
    guard let out else { throw .invalid("instance_create: no place for the instance") }
    let host = try Host(table, abi: spokenABI)
    do throws(PluginError) { out.pointee = makeHandle(try make(host)) } catch {
      host.deallocate()
      throw error
    }
  }
}

/// The table of a plugin whose instances are ``PluginInstance``.
///
/// Keep it in a global, so that it lives as long as the process, and give its address to ``answerQuery(_:_:_:)`` from `bp_plugin_query`.
///
/// - Parameters:
///   - build: Changes with every build whose programs differ; the version when it is left out.
///   - flags: `BP_PLUGIN_…`; whether it is a debug build is added.
///   - create: Makes an instance with ``makeInstance(_:_:_:_:)``.
public func makePluginTable(
  name: StaticString, vendor: StaticString, version: StaticString, build: StaticString? = nil, flags: UInt32 = 0,
  create: @escaping @convention(c) (UnsafePointer<bp_host>?, UnsafeMutablePointer<bp_instance?>?, UnsafeMutablePointer<bp_error>?) -> bp_status
) -> bp_plugin {
  var table = bp_plugin()
  table.h = head(bp_plugin.self, BP_ST_PLUGIN)
  (table.abi_min, table.abi_max) = (spokenABI.lowerBound, spokenABI.upperBound)
  (table.name, table.vendor, table.version, table.build_id) = (bp_str(name), bp_str(vendor), bp_str(version), bp_str(build ?? version))
  table.flags = flags
  #if DEBUG
  table.flags |= BP_PLUGIN_DEBUG_BUILD
  #endif
  table.abi_layout_hash = UInt64(BP_ABI_LAYOUT_HASH_1_0)
  table.instance_create = create
  table.instance_destroy = { if let instance = $0 { _ = take(instance, as: PluginInstance.self) } }
  table.device_count = { instance, out, error in withError(error) { () throws(PluginError) in
    guard let instance, let out else { throw .invalid("device_count: an argument is NULL") }
    out.pointee = UInt32(object(instance, as: PluginInstance.self).deviceCount)
  } }
  table.device_open = { instance, index, out, functions, error in withError(error) { () throws(PluginError) in
    guard let instance, let out, let functions else { throw .invalid("device_open: an argument is NULL") }
    let owner = object(instance, as: PluginInstance.self)
    guard Int(index) < owner.deviceCount else {
      throw .invalid("device_open: device \(index) does not exist, there \(owner.deviceCount == 1 ? "is" : "are") \(owner.deviceCount)")
    }
    out.pointee = makeHandle(try owner.openDevice(Int(index)))
    functions.pointee = deviceFunctionTable()
  } }
  table.device_close = { if let device = $0 { take(device, as: PluginDevice.self).close() } }
  return table
}

/// What `bp_plugin_query` answers: nil without a common version.
public func answerQuery(_ table: UnsafePointer<bp_plugin>, _ hostMinimum: UInt32, _ hostMaximum: UInt32) -> UnsafePointer<bp_plugin>? {
  hostMaximum >= spokenABI.lowerBound && hostMinimum <= spokenABI.upperBound && hostMinimum <= hostMaximum ? table : nil
}
