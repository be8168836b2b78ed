@_exported import BackplaneABI
import BackplaneKernelKit
import BackplanePluginKit
import VulkanKernels

let pluginVersion: StaticString = "0.1.0"

/// The one exported symbol. Pure; the table is static data.
@c @implementation
public func bp_plugin_query(_ hostMinimum: UInt32, _ hostMaximum: UInt32) -> UnsafePointer<bp_plugin>! {
  withUnsafePointer(to: &pluginTable) { answerQuery($0, hostMinimum, hostMaximum) }  // a global's address is stable
}

/// Written once, when it is first used. The threads are the drivers' own.
nonisolated(unsafe) private var pluginTable = {
  var table = makePluginTable(name: "vulkan", vendor: "Backplane", version: pluginVersion, flags: BP_PLUGIN_OWN_THREADS) { host, out, error in
    makeInstance(host, out, error) { (host) throws(PluginError) in try Instance(host) }
  }
  table.extension = { _, name, version in
    guard version == 1, name.string == "backplane.lose_device" else { return nil }
    return unsafeBitCast(loseDevice, to: UnsafeRawPointer.self)
  }
  return table
}()

/// What the ABI's extension of that name gives: the device behaves as if the driver had lost it.
private let loseDevice: @convention(c) (bp_device?) -> Void = { device in
  if let device { unsafeDowncast(object(device, as: PluginDevice.self), to: Device.self).lose() }
}

/// One use of the plugin by a host: the loader, its devices, and the kernels.
final class Instance: PluginInstance, @unchecked Sendable {
  let handle: OpaquePointer
  let devices: [bp_vk_facts]
  let library: KernelLibrary
  let shaders: ShaderStore
  private let complaints: Unmanaged<Complaints>

  /// - Throws: What is missing on this machine, and what to install.
  init(_ host: Host) throws(PluginError) {
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
      throw error
    }
    self.complaints = complaints
    super.init(host: host)
    for problem in library.problems { host.log(BP_LOG_WARNING, "kernels", problem) }
  }

  deinit {
    bp_vk_close(handle)
    complaints.release()
  }

  override var deviceCount: Int { devices.count }
  override func openDevice(_ index: Int) throws(PluginError) -> PluginDevice { try Device(self, index) }
}

/// What the validation layer says becomes errors of the host's log.
private final class Complaints: Sendable {
  private let host: Host
  init(_ host: Host) { self.host = host }
  func add(_ message: String) { host.log(BP_LOG_ERROR, "validation", message) }
}
