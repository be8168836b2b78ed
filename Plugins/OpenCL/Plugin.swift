@_exported import BackplaneABI
import BackplanePluginKit
import BackplaneKernelKit
import OpenCLKernels

/// What this build speaks.
let spokenABI = UInt32(BP_ABI_1_0)...UInt32(BP_ABI_THIS)
let pluginVersion: StaticString = "0.1.0"

/// The one exported symbol. Pure; the table is static data.
@c @implementation
public func bp_plugin_query(_ hostMinimum: UInt32, _ hostMaximum: UInt32) -> UnsafePointer<bp_plugin>! {
  guard hostMaximum >= spokenABI.lowerBound, hostMinimum <= spokenABI.upperBound, hostMinimum <= hostMaximum else { return nil }
  return withUnsafePointer(to: &pluginTable) { $0 }  // a global's address is stable
}

/// Written once, when it is first used.
nonisolated(unsafe) private var pluginTable: bp_plugin = {
  var table = bp_plugin()
  table.h = head(bp_plugin.self, BP_ST_PLUGIN)
  (table.abi_min, table.abi_max) = (spokenABI.lowerBound, spokenABI.upperBound)
  table.name = bp_str("opencl")
  table.vendor = bp_str("Backplane")
  table.version = bp_str(pluginVersion)
  table.build_id = bp_str(pluginVersion)
  table.flags = BP_PLUGIN_OWN_THREADS  // the drivers' own
  #if DEBUG
  table.flags |= BP_PLUGIN_DEBUG_BUILD
  #endif
  table.abi_layout_hash = UInt64(BP_ABI_LAYOUT_HASH_1_0)
  table.instance_create = { host, out, error in withError(error) { () throws(PluginError) in
    guard let out else { throw .invalid("instance_create: no place for the instance") }
    out.pointee = makeHandle(try Instance(host))
  } }
  table.instance_destroy = { if let instance = $0 { _ = take(instance, as: Instance.self) } }
  table.device_count = { instance, out, error in withError(error) { () throws(PluginError) in
    guard let instance, let out else { throw .invalid("device_count: an argument is NULL") }
    out.pointee = UInt32(object(instance, as: Instance.self).devices.count)
  } }
  table.device_open = { instance, index, out, functions, error in withError(error) { () throws(PluginError) in
    guard let instance, let out, let functions else { throw .invalid("device_open: an argument is NULL") }
    out.pointee = makeHandle(try Device(object(instance, as: Instance.self), Int(index)))
    functions.pointee = deviceFunctionTable()
  } }
  table.device_close = { if let device = $0 { _ = take(device, as: PluginDevice.self) } }
  return table
}()

/// One use of the plugin by a host: the loader, its platforms' devices, and the kernels.
final class Instance: @unchecked Sendable {
  let host: Host
  let api: OpenCL
  /// Platform by platform, as the loader gives them.
  let devices: [cl_device_id]
  let library: KernelLibrary

  /// - Throws: What is missing on this machine, and what to install.
  init(_ table: UnsafePointer<bp_host>?) throws(PluginError) {
    let host = try Host(table, abi: spokenABI)
    do throws(PluginError) {
      api = try OpenCL(library: host.setting("opencl.library") ?? "libOpenCL.so.1")
      devices = try Instance.findDevices(api)
      library = try KernelLibrary(files: Instance.files(), suffix: ".cl", userFolder: host.setting("kernels.folder").map { $0 + "/opencl" })
    } catch {
      host.deallocate()
      throw error
    }
    self.host = host
    for problem in library.problems { host.log(BP_LOG_WARNING, "kernels", problem) }
  }
  deinit { host.deallocate() }

  private static func files() -> [(path: String, text: String)] {
    var count = 0
    let files = bp_opencl_files(&count)!
    return (0..<count).map { i in
      (String(cString: files[i].path), String(decoding: UnsafeBufferPointer(start: files[i].text, count: files[i].bytes), as: UTF8.self))
    }
  }

  private static func findDevices(_ api: OpenCL) throws(PluginError) -> [cl_device_id] {
    var count: UInt32 = 0
    let status = api.table.clGetPlatformIDs(0, nil, &count)
    guard status != BP_CL_PLATFORM_NOT_FOUND, status != 0 || count > 0 else {
      throw PluginError(BP_E_UNSUPPORTED, "the OpenCL loader is there, but no driver (ICD); for a processor install pocl-opencl-icd, for a GPU its vendor's driver",
                        reason: BP_REASON_FEATURE)
    }
    try api.check(status, "clGetPlatformIDs")
    var platforms = [cl_platform_id?](repeating: nil, count: Int(count))
    try api.check(api.table.clGetPlatformIDs(count, &platforms, nil), "clGetPlatformIDs")
    var devices: [cl_device_id] = []
    for case let platform? in platforms {
      guard api.table.clGetDeviceIDs(platform, UInt64(BP_CL_DEVICE_TYPE_ALL), 0, nil, &count) == 0, count > 0 else { continue }
      var found = [cl_device_id?](repeating: nil, count: Int(count))
      guard api.table.clGetDeviceIDs(platform, UInt64(BP_CL_DEVICE_TYPE_ALL), count, &found, nil) == 0 else { continue }
      devices += found.compactMap { $0 }
    }
    if devices.isEmpty {
      throw PluginError(BP_E_UNSUPPORTED, "the OpenCL drivers of this machine (\(platforms.count)) have no device", reason: BP_REASON_FEATURE)
    }
    return devices
  }
}
