import Foundation
import Testing
import _TestSupport

/// The plugin on this machine's device, through the tool; the validation layer's messages are errors of the log.
@Suite(.enabled(if: Machine.hasDevice, "there is no Vulkan driver (mesa-vulkan-drivers)"), .serialized) struct DeviceTests {
  @Test(.enabled(if: Machine.hasLayer, "there is no validation layer (vulkan-validationlayers)"))
  func kernelsAreRightAndTheValidationLayerIsSilent() throws {
    let ops = ["add", "softmax", "rms_norm", "rotary_embedding", "matmul", "attention", "transpose"]
    let result = try Machine.tool(["conform", "--device", "vulkan:0", "--quick", "--in-process", "--timeout", "300", "--op", ops.joined(separator: ",")],
                                  ["BACKPLANE_VULKAN_VALIDATION": "1"])
    #expect(result.status == 0, "\(result.output)")
    #expect(!result.error.lowercased().contains("validation") && !result.output.contains("VUID"), "\(result.error)")
  }

  @Test(arguments: ["device-lost", "in-flight", "leak", "queue-*", "semaphore", "short-binding", "copies"]) func itBehaves(_ test: String) throws {
    let result = try Machine.tool(["conform", "--device", "vulkan:0", "--case", "behaviour/" + test, "--timeout", "120"], [:])
    #expect(result.status == 0, "\(result.output)\(result.error)")
    #expect(!result.output.contains("does not apply"), "\(result.output)")
  }

  @Test func aMissingLoaderIsNamed() throws {
    let result = try Machine.tool(["conform", "--device", "vulkan:0", "--set", "vulkan.library=libnothing.so.1", "--op", "abs", "--quick"], [:])
    #expect(result.status != 0 && result.error.contains("libnothing.so.1") && result.error.contains("install libvulkan1"), "\(result.output)\(result.error)")
  }

  @Test func aLoaderWithoutDriversIsNamed() throws {
    let cache = try TemporaryFolder()  // what a probe said before is not asked
    let result = try Machine.tool(["devices"], ["VK_DRIVER_FILES": "/nowhere.json", "VK_ICD_FILENAMES": "/nowhere.json", "XDG_CACHE_HOME": cache.path])
    #expect(result.output.contains("no driver") || result.output.contains("have no device"), "\(result.output)\(result.error)")
  }
}

enum Machine {
  static let hasDevice = ((try? tool(["devices"], [:]).output) ?? "").split(separator: "\n").contains { $0.hasPrefix("vulkan") && !$0.contains(": unavailable") }
  static let hasLayer = FileManager.default.fileExists(atPath: "/usr/share/vulkan/explicit_layer.d/VkLayer_khronos_validation.json")

  static func tool(_ arguments: [String], _ environment: [String: String]) throws -> (status: Int32, output: String, error: String) {
    let folder = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
    let words = environment.map { "\($0.key)=\($0.value)" } + [folder.appendingPathComponent("backplane").path] + arguments
    return try Tool("env").attempt(words)
  }
}
