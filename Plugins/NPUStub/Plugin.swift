@_exported import BackplaneABI
import BackplanePluginKit

let pluginVersion: StaticString = "0.1.0"
/// Of the programs that this build makes; raise it with every change of commands, lowering or blob.
let buildNumber: UInt64 = 2
/// Of the simulated driver: blobs of another minor version are usable, of another major version not.
let driverVersion: (major: UInt32, minor: UInt32) = (1, 0)

/// The one exported symbol. Pure; the table is static data.
@c @implementation
public func bp_plugin_query(_ hostMinimum: UInt32, _ hostMaximum: UInt32) -> UnsafePointer<bp_plugin>! {
  withUnsafePointer(to: &pluginTable) { answerQuery($0, hostMinimum, hostMaximum) }  // a global's address is stable
}

/// Written once, when it is first used.
nonisolated(unsafe) private var pluginTable = {
  var table = makePluginTable(name: "npu", vendor: "Backplane", version: pluginVersion, build: "2", flags: BP_PLUGIN_OWN_THREADS) { host, out, error in
    makeInstance(host, out, error) { (host) throws(PluginError) in Instance(host: host) }
  }
  table.extension = { _, name, version in
    guard version == 1, name.string == "backplane.program_cost" else { return nil }
    return unsafeBitCast(programCost, to: UnsafeRawPointer.self)
  }
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
final class Instance: PluginInstance, @unchecked Sendable {
  override func openDevice(_ index: Int) throws(PluginError) -> PluginDevice { try Device(host) }
}
