import Foundation
import Testing

/// The root of the checkout, from where this file stands.
private let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

/// What each module may import of this package. Specs/architecture.md draws it.
private let allowed: [String: Set<String>] = [
  "Sources/BackplaneCore": ["BackplaneABI"],
  "Sources/BackplaneSpecs": ["BackplaneCore", "BackplaneABI"],
  "Sources/BackplaneHostPlugin": ["BackplaneSpecs", "BackplaneCore", "BackplaneABI"],
  "Sources/BackplaneReference": ["BackplaneHostPlugin", "BackplaneSpecs", "BackplaneCore", "BackplaneABI"],
  "Sources/BackplanePlanner": [],
  "Sources/BackplaneRegistry": ["BackplaneSpecs", "BackplaneCore", "BackplaneABI"],
  "Sources/BackplaneRuntime": ["BackplaneHostPlugin", "BackplaneRegistry", "BackplanePlanner", "BackplaneSpecs", "BackplaneCore", "BackplaneABI"],
  "Sources/Backplane": ["BackplaneRuntime", "BackplaneRegistry", "BackplanePlanner", "BackplaneSpecs", "BackplaneCore"],
  "Sources/BackplaneModels": ["Backplane"],
  "Sources/BackplaneC": ["BackplaneCHeader", "Backplane", "BackplaneModels", "BackplaneABI"],
  "Sources/BackplaneONNX": ["BackplaneSpecs", "BackplaneCore"],
  "Sources/BackplaneConformance": ["BackplaneONNX", "BackplaneReference", "BackplaneRuntime", "BackplaneRegistry", "BackplaneSpecs", "BackplaneCore", "BackplaneABI"],
  "Sources/BackplaneTuner": ["SQLiteLibrary", "BackplaneConformance", "BackplaneReference", "BackplaneRuntime", "BackplaneRegistry", "BackplaneSpecs", "BackplaneCore", "BackplaneABI"],
  "Sources/BackplaneGenerator": ["BackplaneSpecs", "BackplaneCore", "BackplaneABI"],
  "Sources/BackplanePluginKit": ["BackplaneABI", "BackplanePlanner"],
  "Sources/BackplaneKernelKit": ["BackplanePluginKit", "BackplaneCore", "BackplaneABI"],
  "Sources/backplane-cli": ["Backplane", "BackplaneModels", "BackplaneReference", "BackplaneConformance", "BackplaneONNX", "BackplaneTuner", "BackplaneGenerator", "BackplaneTemplates", "BackplaneLimits"],
  "Sources/backplane-probe": ["BackplaneRegistry", "BackplaneCore", "BackplaneABI"],
  "Plugins/TemplateSwift": ["BackplaneABI"],
  "Plugins/CPU": ["CPUKernels", "BackplanePluginKit", "BackplaneABI"],
  "Plugins/NPUStub": ["NPUStubEngine", "BackplanePluginKit", "BackplaneABI"],
  "Plugins/OpenCL": ["OpenCLKernels", "BackplaneKernelKit", "BackplanePluginKit", "BackplaneABI"],
  "Plugins/Vulkan": ["VulkanKernels", "BackplaneKernelKit", "BackplanePluginKit", "BackplaneABI"],
]

/// Modules that must not need Foundation: they run where it is not, or in every plugin.
private let withoutFoundation: Set<String> = [
  "Sources/BackplaneCore", "Sources/BackplanePlanner", "Sources/BackplanePluginKit", "Plugins/CPU",
  "Sources/BackplaneKernelKit", "Plugins/OpenCL", "Plugins/Vulkan", "Plugins/TemplateSwift",
]

private func files(below folder: String, ending suffixes: [String]) -> [URL] {
  let all = FileManager.default.enumerator(at: root.appendingPathComponent(folder), includingPropertiesForKeys: nil)
  return (all?.compactMap { $0 as? URL } ?? []).filter { suffixes.contains($0.pathExtension) }
}

private func imports(of file: URL) throws -> [String] {
  try String(contentsOf: file, encoding: .utf8).split(separator: "\n").compactMap { line in
    let words = line.split(separator: " ").map(String.init)
    guard let at = words.firstIndex(of: "import"), at + 1 < words.count,
          words[..<at].allSatisfy({ $0.hasPrefix("@") || ["public", "internal", "package", "private", "fileprivate"].contains($0) })
    else { return nil }
    let name = ["struct", "func", "class", "enum"].contains(words[at + 1]) && at + 2 < words.count ? words[at + 2] : words[at + 1]
    return String(name.split(separator: ".")[0])
  }
}

@Suite struct DependencyTests {
  @Test(arguments: allowed.keys.sorted()) func everyImportIsAllowed(folder: String) throws {
    let sources = files(below: folder, ending: ["swift"])
    #expect(!sources.isEmpty, "\(folder) has no sources: is the table of this test stale?")
    let devices = ["SQLiteLibrary", "CPUKernels", "OpenCLKernels", "VulkanKernels", "NPUStubEngine", "BackplaneCPU", "BackplaneOpenCL", "BackplaneVulkan", "BackplaneTemplates",
                   "BackplaneCHeader", "BackplaneLimits"]
    let ours = Set(allowed.keys.map { String($0.split(separator: "/")[1]) }).union(devices).union(["BackplaneABI"])
    for source in sources {
      for module in try imports(of: source) where ours.contains(module) {
        #expect(allowed[folder]!.contains(module), "\(source.lastPathComponent) in \(folder) imports \(module)")
      }
    }
  }

  @Test(arguments: withoutFoundation.sorted()) func theCoreAndThePluginsDoWithoutFoundation(folder: String) throws {
    for source in files(below: folder, ending: ["swift"]) {
      #expect(try !imports(of: source).contains { $0.hasPrefix("Foundation") }, "\(source.lastPathComponent) imports Foundation")
    }
  }

  @Test func everySourceFolderIsInTheTable() throws {
    let folders = try ["Sources", "Plugins"].flatMap { top in
      try FileManager.default.contentsOfDirectory(atPath: root.appendingPathComponent(top).path).map { "\(top)/\($0)" }
    }
    let inC: Set<String> = ["Sources/BackplaneABI", "Sources/SQLiteLibrary", "Sources/BackplaneTemplates", "Plugins/Template", "Plugins/Mutant", "Plugins/Evil"]
    for folder in folders where !inC.contains(folder) && !files(below: folder, ending: ["swift"]).isEmpty {
      #expect(allowed[folder] != nil, "\(folder) is not in the table of allowed imports")
    }
  }

  @Test func kernelsNeitherAllocateNorStartThreads() throws {
    let forbidden = ["malloc(", "calloc(", "realloc(", "free(", "pthread_create", "printf(", "abort(", "exit("]
    for source in files(below: "Kernels/CPU", ending: ["c", "h"]) {
      let text = try String(contentsOf: source, encoding: .utf8)
      for word in forbidden {
        #expect(!text.contains(word), "\(source.lastPathComponent) calls \(word)…)")
      }
    }
  }

  @Test func theBackplaneProductUsesNoUnsafeFlags() throws {
    let manifest = try String(contentsOf: root.appendingPathComponent("Package.swift"), encoding: .utf8)
    let unsafe = manifest.split(separator: "\n").map(String.init).filter {
      ($0.contains("fast(\"") || $0.contains("kernels(\"") || $0.contains("plugin(\"")) && !$0.contains("func ")
    }
    for module in ["BackplaneCore", "BackplaneSpecs", "BackplaneHostPlugin", "BackplanePlanner", "BackplaneRegistry", "BackplaneRuntime", "Backplane", "BackplaneModels"] {
      #expect(!unsafe.contains { $0.contains("(\"\(module)\"") }, "\(module) is built with unsafeFlags, so other packages could not depend on it")
      #expect(manifest.contains("host(\"\(module)\""))
    }
  }

  @Test func noCommittedFileNamesAMachinesPaths() throws {
    let folders = ["Sources", "Plugins", "Kernels", "Tests", "Specs"]
    let words = ["/" + "work/", "/" + "tmp/wt", "shared/" + "design", "shared/" + "research"]
    for folder in folders {
      for source in files(below: folder, ending: ["swift", "c", "h", "md", "json", "py", "def", "txt"]) {
        let text = try String(contentsOf: source, encoding: .utf8)
        for word in words { #expect(!text.contains(word), "\(source.lastPathComponent) names \(word)") }
      }
    }
  }

  /// What the product Backplane throws says its type: callers switch over codes without a cast. Closures of the application's may throw what they like.
  @Test(arguments: ["Core", "Specs", "Planner", "Registry", "Runtime", "Models"]) func publicFunctionsThrowTyped(module: String) throws {
    for file in files(below: "Sources/Backplane\(module)", ending: ["swift"]) {
      for declaration in try String(contentsOf: file, encoding: .utf8).matches(of: /public [^{}\n=]*\b(func|init)\b[^{}]*(\{ _ in true \}[^{}]*)?\{/) {
        var text = String(declaration.output.0).replacing("throws(", with: "typed(")
        // Parameters, innermost parentheses first.
        while case let inner = text.replacing(/\([^()]*\)/, with: ""), inner != text { text = inner }
        if declaration.output.0.contains("from decoder: any Decoder") { continue }
        #expect(!text.contains(/\bthrows\b/), "\(file.lastPathComponent): \(declaration.output.0)")
      }
    }
  }
}
