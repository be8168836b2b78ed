// swift-tools-version: 6.2
import PackageDescription

// One package. Four kinds of target, so that one line says what a target is:
//   host(…)    Swift without unsafe flags: other packages may depend on it by version
//   fast(…)    Swift that is optimised in debug builds too (oracle, plugins, kit)
//   kernels(…) C kernels of one backend: -O3, hidden symbols
//   tests(…)   a test target
// What may depend on what is written in Specs/architecture.md and checked by Tests/ArchitectureTests.

let strict: [SwiftSetting] = [.enableUpcomingFeature("ExistentialAny")]

/// Leaves only the symbols that `script` names visible, and a library mapped once it is loaded. In a program with a sanitizer, which takes the linker
/// options of all that it is made of, the sanitizer's own functions must stay visible: `.ci/sanitize` and `.ci/fuzz` set BACKPLANE_SANITIZE.
func exports(_ script: String) -> LinkerSetting {
  let scripts = ["-Xlinker", "--version-script=\(Context.packageDirectory)/\(script)"]
  return .unsafeFlags(["-Xlinker", "-z", "-Xlinker", "nodelete"] + (Context.environment["BACKPLANE_SANITIZE"] == nil ? scripts : []))
}
func host(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, path: "Sources/\(name)", swiftSettings: strict)
}
func fast(_ name: String, path: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, path: path, exclude: [], swiftSettings: strict + [.unsafeFlags(["-O"])])
}
func kernels(_ name: String, path: String) -> Target {
  .target(name: name, dependencies: ["BackplaneABI"], path: path, publicHeadersPath: "include",
          cSettings: [.unsafeFlags(["-O3", "-fvisibility=hidden", "-fno-math-errno", "-Wall", "-Wextra", "-Wno-missing-field-initializers"])])
}
func plugin(_ name: String, path: String, _ dependencies: [Target.Dependency]) -> Target {
  .target(name: name, dependencies: dependencies, path: path, swiftSettings: strict + [.unsafeFlags(["-O"])],
          linkerSettings: [exports("Plugins/exports.map")])
}
func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .testTarget(name: name, dependencies: dependencies + ["_TestSupport"], path: "Tests/\(name)", swiftSettings: strict)
}

let package = Package(
  name: "backplane",
  products: [
    .library(name: "Backplane", targets: ["Backplane", "BackplaneModels"]),
    .library(name: "BackplaneC", type: .dynamic, targets: ["BackplaneC"]),
    .library(name: "BackplanePluginKit", targets: ["BackplanePluginKit"]),
    .library(name: "BackplaneCPU", type: .dynamic, targets: ["BackplaneCPU"]),
    .library(name: "BackplaneNPUStub", type: .dynamic, targets: ["BackplaneNPUStub"]),
    .library(name: "BackplaneOpenCL", type: .dynamic, targets: ["BackplaneOpenCL"]),
    .library(name: "BackplaneVulkan", type: .dynamic, targets: ["BackplaneVulkan"]),
    .executable(name: "backplane", targets: ["backplane-cli"]),
    .executable(name: "backplane-probe", targets: ["backplane-probe"]),
  ],
  targets: [
    // The narrow waist.
    .target(name: "BackplaneABI", path: "Sources/BackplaneABI"),
    // The host.
    host("BackplaneCore", ["BackplaneABI"]),
    host("BackplaneSpecs", ["BackplaneCore", "BackplaneABI"]),
    host("BackplanePlanner"),
    host("BackplaneRegistry", ["BackplaneSpecs", "BackplaneCore", "BackplaneABI"]),
    host("BackplaneHostPlugin", ["BackplaneSpecs", "BackplaneCore", "BackplaneABI"]),
    host("BackplaneRuntime", ["BackplaneHostPlugin", "BackplaneRegistry", "BackplanePlanner", "BackplaneSpecs", "BackplaneCore", "BackplaneABI"]),
    host("Backplane", ["BackplaneRuntime", "BackplaneRegistry", "BackplanePlanner", "BackplaneSpecs", "BackplaneCore"]),
    host("BackplaneModels", ["Backplane"]),
    .target(name: "BackplaneCHeader", dependencies: ["BackplaneABI"], path: "Sources/BackplaneC/Header"),
    // One symbol for each function of backplane.h is exported, and nothing else.
    .target(name: "BackplaneC", dependencies: ["BackplaneCHeader", "Backplane", "BackplaneModels", "BackplaneABI"], path: "Sources/BackplaneC",
            exclude: ["Header", "exports.map"], swiftSettings: strict,
            linkerSettings: [exports("Sources/BackplaneC/exports.map")]),
    host("BackplaneGenerator", ["BackplaneCore"]),
    fast("BackplaneReference", path: "Sources/BackplaneReference", ["BackplaneHostPlugin", "BackplaneSpecs", "BackplaneCore", "BackplaneABI"]),
    host("BackplaneONNX", ["BackplaneSpecs", "BackplaneCore"]),
    host("BackplaneConformance", ["BackplaneONNX", "BackplaneReference", "BackplaneRuntime", "BackplaneRegistry", "BackplaneSpecs", "BackplaneCore", "BackplaneABI"]),
    .target(name: "BackplaneLimits", path: "Sources/BackplaneLimits", cSettings: [.unsafeFlags(["-O3"])]),  // measures the machine, for `backplane bench`
    .target(name: "BackplaneTemplates", path: "Sources/BackplaneTemplates"),  // Plugins/Template*, embedded
    fast("BackplanePluginKit", path: "Sources/BackplanePluginKit", ["BackplaneABI", "BackplanePlanner"]),
    fast("BackplaneKernelKit", path: "Sources/BackplaneKernelKit", ["BackplanePluginKit", "BackplaneCore", "BackplaneABI"]),
    .target(name: "SQLiteLibrary", path: "Sources/SQLiteLibrary", linkerSettings: [.linkedLibrary("dl", .when(platforms: [.linux]))]),  // found at run time
    host("BackplaneTuner", ["SQLiteLibrary", "BackplaneConformance", "BackplaneReference", "BackplaneRuntime", "BackplaneRegistry", "BackplaneSpecs", "BackplaneCore", "BackplaneABI"]),
    .executableTarget(name: "backplane-cli",
      dependencies: ["Backplane", "BackplaneModels", "BackplaneReference", "BackplaneConformance", "BackplaneONNX", "BackplaneTuner", "BackplaneGenerator", "BackplaneTemplates", "BackplaneLimits"], path: "Sources/backplane-cli",
      swiftSettings: strict),
    .executableTarget(name: "backplane-probe", dependencies: ["BackplaneRegistry"], path: "Sources/backplane-probe", swiftSettings: strict),
    // Device code and the plugins around it.
    kernels("CPUKernels", path: "Kernels/CPU"),
    plugin("BackplaneCPU", path: "Plugins/CPU", ["CPUKernels", "BackplanePluginKit", "BackplaneABI"]),
    kernels("NPUStubEngine", path: "Kernels/NPUStub"),
    plugin("BackplaneNPUStub", path: "Plugins/NPUStub", ["NPUStubEngine", "BackplanePluginKit", "BackplaneABI"]),
    .target(name: "OpenCLKernels", path: "Kernels/OpenCL/host", publicHeadersPath: "include", linkerSettings: [.linkedLibrary("dl", .when(platforms: [.linux]))]),
    plugin("BackplaneOpenCL", path: "Plugins/OpenCL", ["OpenCLKernels", "BackplaneKernelKit", "BackplanePluginKit", "BackplaneABI"]),
    .target(name: "VulkanKernels", path: "Kernels/Vulkan/host", publicHeadersPath: "include", linkerSettings: [.linkedLibrary("dl", .when(platforms: [.linux]))]),
    plugin("BackplaneVulkan", path: "Plugins/Vulkan", ["VulkanKernels", "BackplaneKernelKit", "BackplanePluginKit", "BackplaneABI"]),
    // Tests.
    .target(name: "_TestSupport", path: "Tests/_TestSupport", swiftSettings: strict),
    // Stands in for malloc in the test executable, to count allocations.
    .target(name: "_AllocationCounter", path: "Tests/_AllocationCounter"),
    // Random calls of the C interface.
    .target(name: "_CAPIFuzzer", dependencies: ["BackplaneCHeader"], path: "Tests/_CAPIFuzzer"),
    .executableTarget(name: "_CAPIFuzz", dependencies: ["_CAPIFuzzer", "BackplaneC", "BackplaneCHeader", "BackplaneModels", "BackplaneReference"],
                      path: "Tests/_CAPIFuzz", swiftSettings: strict),
    tests("BackplaneCTests", ["BackplaneC", "BackplaneCHeader", "BackplaneModels", "BackplaneReference", "BackplaneABI", "_CAPIFuzzer"]),
    tests("ABITests", ["BackplaneRegistry"]),
    tests("ArchitectureTests", []),
    tests("EndToEndTests", []),
    tests("BackplaneCoreTests", ["BackplaneCore", "BackplaneABI"]),
    tests("BackplaneGeneratorTests", ["BackplaneGenerator", "BackplaneCore"]),
    tests("BackplaneKernelKitTests", ["BackplaneKernelKit", "BackplanePluginKit", "BackplaneCore", "BackplaneABI"]),
    tests("BackplaneOpenCLTests", ["BackplaneConformance", "BackplaneRuntime", "BackplaneRegistry", "BackplaneCore", "BackplaneABI"]),  // opens the plugin with dlopen
    tests("BackplanePlannerTests", ["BackplanePlanner"]),
    tests("BackplaneCPUTests", ["BackplaneReference", "BackplaneSpecs", "BackplaneCore", "BackplaneABI"]),  // opens the plugin with dlopen: it links nothing of it
    tests("BackplaneReferenceTests", ["BackplaneReference", "BackplaneSpecs", "BackplaneCore", "BackplaneABI"]),
    tests("BackplaneRegistryTests", ["BackplaneRegistry", "BackplaneCore", "BackplaneABI"]),
    tests("BackplaneRuntimeTests", ["BackplaneRuntime", "BackplaneRegistry", "BackplaneSpecs", "BackplaneCore", "BackplaneABI", "_AllocationCounter"]),
    tests("BackplaneSpecsTests", ["BackplaneSpecs", "BackplaneCore", "BackplaneABI"]),
    tests("BackplaneModelsTests", ["BackplaneModels"]),
    tests("BackplaneONNXTests", ["BackplaneONNX", "BackplaneConformance", "BackplaneReference", "BackplaneRegistry", "BackplaneCore"]),
    tests("BackplaneConformanceTests", ["BackplaneConformance", "BackplaneReference", "BackplaneRegistry", "BackplaneSpecs", "BackplaneCore", "BackplaneABI"]),
    // Compiles the kernels for 64-bit Arm, and Tests/_ARMKernelDriver with them, and runs them in an emulator.
    tests("ARMKernelTests", ["BackplaneConformance", "BackplaneReference", "BackplaneCore", "BackplaneABI"]),
    tests("MutantTests", ["BackplaneConformance", "BackplaneSpecs", "BackplaneCore", "BackplaneABI"]),  // builds Plugins/Mutant with cc
    tests("EvilTests", ["BackplaneConformance", "BackplaneRegistry", "BackplaneCore", "BackplaneABI"]),  // builds Plugins/Evil with cc
    tests("NPUStubTests", ["BackplaneModels", "BackplaneConformance", "BackplaneReference", "BackplaneRuntime", "BackplaneRegistry", "BackplaneCore", "BackplaneABI"]),  // opens the plugins with dlopen
    tests("BackplaneTunerTests", ["BackplaneTuner", "BackplaneConformance", "BackplaneRuntime", "BackplaneRegistry", "BackplaneSpecs", "BackplaneCore", "BackplaneABI"]),  // opens the CPU plugin with dlopen
    tests("VulkanTests", ["BackplaneConformance", "BackplaneRuntime", "BackplaneRegistry", "BackplaneCore"]),  // opens the plugin with dlopen, or by the tool
  ],
  cLanguageStandard: .gnu2x
)
