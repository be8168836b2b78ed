@_exported import BackplaneABI
import BackplaneKernelKit
import BackplanePluginKit
import VulkanKernels

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
  table.name = bp_str("vulkan")
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
    out.pointee = makeHandle(try Device(object(instance, as: Instance.self), Int(index)) as PluginDevice)
    functions.pointee = deviceFunctionTable()
  } }
  table.device_close = { if let device = $0 { _ = take(device, as: PluginDevice.self) } }
  table.extension = { _, name, version in
    guard version == 1, let letters = name.ptr, String(decoding: UnsafeRawBufferPointer(start: letters, count: Int(name.len)), as: UTF8.self) == "backplane.lose_device" else { return nil }
    return unsafeBitCast(loseDevice, to: UnsafeRawPointer.self)
  }
  return table
}()

/// What the ABI's extension of that name gives: the device behaves as if the driver had lost it.
private let loseDevice: @convention(c) (bp_device?) -> Void = { device in
  if let device { unsafeDowncast(object(device, as: PluginDevice.self), to: Device.self).lose() }
}

/// One use of the plugin by a host: the loader, its devices, and the kernels.
final class Instance: @unchecked Sendable {
  let host: Host
  let handle: OpaquePointer
  let devices: [bp_vk_facts]
  let library: KernelLibrary
  let shaders: ShaderStore
  private let complaints: Unmanaged<Complaints>

  /// - Throws: What is missing on this machine, and what to install.
  init(_ table: UnsafePointer<bp_host>?) throws(PluginError) {
    let host = try Host(table, abi: spokenABI)
    let complaints = Unmanaged.passRetained(Complaints(host))
    do throws(PluginError) {
      var out: OpaquePointer?
      var why = [CChar](repeating: 0, count: 256)
      let code = bp_vk_open(host.setting("vulkan.library"), host.setting("vulkan.validation") == "1" ? 1 : 0,
                            { Unmanaged<Complaints>.fromOpaque($0!).takeUnretainedValue().add(String(cString: $1!)) }, complaints.toOpaque(), &out, &why)
      guard code >= 0, let out else {
        let text = String(decoding: why.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        throw PluginError(BP_E_UNSUPPORTED, "\(text); install libvulkan1 and a driver (mesa-vulkan-drivers, or a GPU vendor's own)", reason: BP_REASON_FEATURE)
      }
      handle = out
      devices = (0..<bp_vk_count(out)).map { index in
        var facts = bp_vk_facts()
        bp_vk_describe(out, index, &facts)
        return facts
      }
      if devices.isEmpty {
        bp_vk_close(out)
        throw PluginError(BP_E_UNSUPPORTED, "the Vulkan drivers of this machine have no device", reason: BP_REASON_FEATURE)
      }
      do throws(PluginError) {
        let folder = host.setting("kernels.folder").map { $0 + "/vulkan" }
        shaders = ShaderStore(host, userFolder: folder)
        library = try KernelLibrary(files: shaders.texts, suffix: ".comp", binarySuffix: ".spv", userFolder: folder)
      } catch {
        bp_vk_close(out)
        throw error
      }
    } catch {
      complaints.release()
      host.deallocate()
      throw error
    }
    (self.host, self.complaints) = (host, complaints)
    for problem in library.problems { host.log(BP_LOG_WARNING, "kernels", problem) }
  }

  deinit {
    bp_vk_close(handle)
    complaints.release()
    host.deallocate()
  }
}

/// What the validation layer says becomes errors of the host's log.
private final class Complaints: Sendable {
  private let host: Host
  init(_ host: Host) { self.host = host }
  func add(_ message: String) { host.log(BP_LOG_ERROR, "validation", message) }
}
