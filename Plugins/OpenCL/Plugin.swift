@_exported import BackplaneABI
import BackplanePluginKit
import BackplaneKernelKit
import OpenCLKernels

let pluginVersion: StaticString = "0.1.0"

/// The one exported symbol. Pure; the table is static data.
@c @implementation
public func bp_plugin_query(_ hostMinimum: UInt32, _ hostMaximum: UInt32) -> UnsafePointer<bp_plugin>! {
  withUnsafePointer(to: &pluginTable) { answerQuery($0, hostMinimum, hostMaximum) }  // a global's address is stable
}

/// Written once, when it is first used. The threads are the drivers' own.
nonisolated(unsafe) private var pluginTable = makePluginTable(name: "opencl", vendor: "Backplane", version: pluginVersion, flags: BP_PLUGIN_OWN_THREADS) { host, out, error in
  makeInstance(host, out, error) { (host) throws(PluginError) in try Instance(host) }
}

/// One use of the plugin by a host: the loader, its platforms' devices, and the kernels.
final class Instance: PluginInstance, @unchecked Sendable {
  let api: OpenCL
  /// Platform by platform, as the loader gives them.
  let devices: [cl_device_id]
  let library: KernelLibrary

  /// - Throws: What is missing on this machine, and what to install.
  init(_ host: Host) throws(PluginError) {
    api = try OpenCL(library: host.setting("opencl.library") ?? "libOpenCL.so.1")
    devices = try Instance.findDevices(api)
    library = try KernelLibrary(files: Instance.files(), suffix: ".cl", userFolder: host.setting("kernels.folder").map { $0 + "/opencl" })
    super.init(host: host)
    for problem in library.problems { host.log(BP_LOG_WARNING, "kernels", problem) }
  }

  override var deviceCount: Int { devices.count }
  override func openDevice(_ index: Int) throws(PluginError) -> PluginDevice { try Device(self, index) }

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
