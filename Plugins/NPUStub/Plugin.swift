@_exported import BackplaneABI
import BackplanePluginKit

/// What this build speaks.
let spokenABI = UInt32(BP_ABI_1_0)...UInt32(BP_ABI_THIS)
let pluginVersion: StaticString = "0.1.0"
/// Of the programs that this build makes; raise it with every change of commands, lowering or blob.
let buildNumber: UInt64 = 2
/// Of the simulated driver: blobs of another minor version are usable, of another major version not.
let driverVersion: (major: UInt32, minor: UInt32) = (1, 0)

/// The one exported symbol. Pure; the table is static data.
@c @implementation
public func bp_plugin_query(_ hostMinimum: UInt32, _ hostMaximum: UInt32) -> UnsafePointer<bp_plugin>! {
  guard hostMaximum >= spokenABI.lowerBound, hostMinimum <= spokenABI.upperBound, hostMinimum <= hostMaximum else { return nil }
  return withUnsafePointer(to: &pluginTable) { $0 }
}

/// Written once, at the first query.
nonisolated(unsafe) private var pluginTable: bp_plugin = {
  var table = bp_plugin()
  table.h = head(bp_plugin.self, BP_ST_PLUGIN)
  (table.abi_min, table.abi_max) = (spokenABI.lowerBound, spokenABI.upperBound)
  table.name = bp_str("npu")
  table.vendor = bp_str("Backplane")
  table.version = bp_str(pluginVersion)
  table.build_id = bp_str("2")
  table.flags = BP_PLUGIN_OWN_THREADS
  #if DEBUG
  table.flags |= BP_PLUGIN_DEBUG_BUILD
  #endif
  table.abi_layout_hash = UInt64(BP_ABI_LAYOUT_HASH_1_0)
  table.instance_create = { host, out, error in withError(error) { () throws(PluginError) in
    guard let out else { throw .invalid("instance_create: no place for the instance") }
    out.pointee = makeHandle(try Instance(host))
  } }
  table.instance_destroy = { if let instance = $0 { _ = take(instance, as: Instance.self) } }
  table.device_count = { _, out, error in withError(error) { () throws(PluginError) in
    guard let out else { throw .invalid("device_count: no place for the count") }
    out.pointee = 1
  } }
  table.device_open = { instance, index, out, functions, error in withError(error) { () throws(PluginError) in
    guard let instance, let out, let functions else { throw .invalid("device_open: an argument is NULL") }
    guard index == 0 else { throw .invalid("device_open: device \(index) does not exist, there is 1") }
    out.pointee = makeHandle(try Device(object(instance, as: Instance.self).host))
    functions.pointee = deviceFunctionTable()
  } }
  table.extension = { _, name, version in
    guard version == 1, name.string == "backplane.program_cost" else { return nil }
    return unsafeBitCast(programCost, to: UnsafeRawPointer.self)
  }
  table.device_close = { if let device = $0 { (take(device, as: PluginDevice.self) as? Device)?.close() } }
  return table
}()

/// The extension `backplane.program_cost`: what a run of a program takes on the simulated chip.
private let programCost: @convention(c) (bp_program?, UnsafeMutablePointer<UInt64>?, UnsafeMutablePointer<Double>?) -> bp_status = { handle, nanoseconds, joules in
  guard let handle, let program = object(handle, as: PluginProgram.self) as? Program else { return BP_E_INVALID }
  nanoseconds?.pointee = UInt64(program.content.cost.nanoseconds(program.device.chip))
  joules?.pointee = program.content.cost.joules(program.device.chip)
  return BP_OK
}

/// One use of the plugin by a host.
final class Instance: Sendable {
  let host: Host
  init(_ table: UnsafePointer<bp_host>?) throws(PluginError) { host = try Host(table, abi: spokenABI) }
  deinit { host.deallocate() }
}
