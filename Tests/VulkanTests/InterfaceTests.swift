import Foundation
import Testing
import _TestSupport

private let kernels = packageFolder + "/Kernels/Vulkan"

/// The plugin's own part of Vulkan's headers against the system's.
@Suite struct InterfaceTests {
  @Test(.enabled(if: FileManager.default.fileExists(atPath: "/usr/include/vulkan/vulkan.h"), "there are no Vulkan headers (libvulkan-dev)"))
  func theSubsetIsWhatTheSystemsHeadersSay() throws {
    let header = try String(contentsOfFile: kernels + "/host/include/vulkan_subset.h", encoding: .utf8)
    let structs = try names(header, "\\} (Vk\\w+);"), constants = try names(header, "\\b(VK_[A-Z0-9_]+) = ")
    #expect(structs.count > 30 && constants.count > 60)
    // Fields behind parts that the subset leaves out.
    let fields = [
      "VkPhysicalDeviceLimits": ["maxUniformBufferRange", "maxComputeSharedMemorySize", "maxComputeWorkGroupSize", "minUniformBufferOffsetAlignment", "timestampPeriod"],
      "VkPhysicalDeviceFeatures": ["shaderFloat64", "shaderInt64", "shaderInt16"],
      "VkPhysicalDeviceVulkan11Properties": ["subgroupSize", "subgroupSupportedOperations", "maxMemoryAllocationSize"],
      "VkPhysicalDeviceVulkan12Properties": ["driverInfo", "shaderSignedZeroInfNanPreserveFloat32", "shaderDenormPreserveFloat32"],
      "VkPhysicalDeviceVulkan11Features": ["storageBuffer16BitAccess"],
      "VkPhysicalDeviceVulkan12Features": ["storageBuffer8BitAccess", "shaderFloat16", "shaderInt8", "uniformBufferStandardLayout", "timelineSemaphore", "bufferDeviceAddress", "vulkanMemoryModel"],
    ]
    var program = "#include <stddef.h>\n#include <stdio.h>\nint main(void) {\n"
    for name in structs { program += "printf(\"\(name) %zu\\n\", sizeof(\(name)));\n" }
    for name in constants { program += "printf(\"\(name) %lld\\n\", (long long)\(name));\n" }
    for (name, list) in fields.sorted(by: { $0.key < $1.key }) { for field in list { program += "printf(\"\(name).\(field) %zu\\n\", offsetof(\(name), \(field)));\n" } }
    let folder = try TemporaryFolder()
    func output(_ include: String) throws -> [Substring] {
      try "#include \(include)\n\(program)}\n".write(toFile: folder.path + "/facts.c", atomically: true, encoding: .utf8)
      try Tool("cc", "gcc", "clang").run(["-I\(kernels)/host/include", folder.path + "/facts.c", "-o", folder.path + "/facts"])
      return try String(decoding: run(folder.path + "/facts"), as: UTF8.self).split(separator: "\n")
    }
    let ours = try output("\"vulkan_subset.h\""), theirs = try output("<vulkan/vulkan.h>")
    #expect(ours.count == theirs.count)
    for (a, b) in zip(ours, theirs) { #expect(a == b) }
  }

  /// What the pattern's group is in each match.
  private func names(_ text: String, _ pattern: String) throws -> [String] {
    try NSRegularExpression(pattern: pattern).matches(in: text, range: NSRange(text.startIndex..., in: text)).map { String(text[Range($0.range(at: 1), in: text)!]) }
  }

  private func run(_ path: String) throws -> Data {
    let process = Process(), pipe = Pipe()
    process.executableURL = URL(fileURLWithPath: path)
    process.standardOutput = pipe
    try process.run()
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return data
  }
}

/// The committed shaders.
@Suite struct ShaderTests {
  /// The compiler of Kernels/Vulkan/compile, where it was installed.
  static let compiler: String? = {
    let path = ProcessInfo.processInfo.environment["GLSLANG"] ?? packageFolder + "/build/glslang/bin/glslang"
    return FileManager.default.isExecutableFile(atPath: path) ? path : nil
  }()

  @Test(.enabled(if: compiler != nil, "the pinned compiler is not installed (Kernels/Vulkan/compile installs it)"))
  func everyShaderIsWhatItsSourceCompilesTo() throws {
    let folder = try TemporaryFolder()
    try Tool("bash").run([kernels + "/compile", folder.path])
    let sources = try FileManager.default.contentsOfDirectory(atPath: kernels).filter { $0.hasSuffix(".comp") }
    #expect(!sources.isEmpty)
    for source in sources {
      let name = source.dropLast(5) + ".spv"
      let made = try Data(contentsOf: URL(fileURLWithPath: "\(folder.path)/\(name)")), kept = FileManager.default.contents(atPath: "\(kernels)/\(name)")
      #expect(made == kept, "\(name) is stale: run Kernels/Vulkan/compile")
    }
  }

  @Test func everySourceHasAShaderInThePlugin() throws {
    let names = try FileManager.default.contentsOfDirectory(atPath: kernels)
    let table = try String(contentsOfFile: kernels + "/host/table.c", encoding: .utf8)
    for name in names where name.hasSuffix(".comp") {
      #expect(names.contains(name.dropLast(5) + ".spv"), "\(name) is not compiled: run Kernels/Vulkan/compile")
      #expect(table.contains("SHADER(\(name.dropLast(5)))"), "host/table.c lacks \(name)")
    }
    for name in names where name.hasSuffix(".json") { #expect(table.contains("MANIFEST(\(name.dropLast(5)))"), "host/table.c lacks \(name)") }
  }
}
