import BackplaneConformance
import BackplaneRegistry
import BackplaneRuntime
import Foundation
import Testing
import _TestSupport

/// The plugin beside the test binary, as a host opens it.
enum OpenCLHost {
  static func runtime(_ settings: [String: String] = [:], beside others: [String] = []) -> Runtime {
    var options = Runtime.Options()
    options.pluginPaths = (others + ["BackplaneOpenCL"]).map { buildFolder + "/lib\($0).so" }
    (options.searchesForPlugins, options.probe) = (false, .off)
    (options.settings, options.environment, options.logLevel) = (settings, [:], .error)
    return Runtime(options)
  }

  /// Kept: a device lives as long as its runtime.
  static let shared = runtime()
  static let hasDevice = !shared.devices.isEmpty

  /// A kernel of the user's for relu that computes `body` of v, for devices with all of `features`.
  static func writeRelu(_ body: String, _ folder: TemporaryFolder, features: [String] = []) throws {
    let own = folder.path + "/opencl/mine"
    try FileManager.default.createDirectory(atPath: own, withIntermediateDirectories: true)
    try """
      #include "shared/values.cl"
      kernel void mine(OUT(y), IN(x), const int8 extents, const long8 y_steps, const long8 x_steps) {
        uint i = get_global_id(0);
        float v = load_f32(AT(x) + offset_of(i, extents, x_steps));
        store_f32(AT(y) + offset_of(i, extents, y_steps), \(body));
      }
      """.write(toFile: own + "/mine.cl", atomically: true, encoding: .utf8)
    try """
      {"format": 1,
       "kernels": {"mine": {"source": "mine.cl", "walk": "y x", "arguments": ["buffer y", "buffer x", "extents", "steps y", "steps x"], "global": ["outer"], "local": [1]}},
       "variants": [{"name": "relu_of_mine", "operators": ["relu"], "features": \(features), "inputs": ["x: f32"], "outputs": ["y: f32"],
                     "launches": [{"kernel": "mine"}]}]}
      """.write(toFile: own + "/mine.json", atomically: true, encoding: .utf8)
  }

  static func outcome(_ id: String, _ device: Device) -> CaseResult { InProcessExecutor(device).run(id) }
}

/// Needs no OpenCL on the machine.
@Suite struct OpenCLWithoutDriverTests {
  @Test func aMissingLoaderIsAStateWithWhatToInstall() throws {
    let text = why(OpenCLHost.runtime(["opencl.library": "libNoSuchLoader.so.7"]))
    #expect(text.contains("libNoSuchLoader.so.7") && text.contains("pocl-opencl-icd"), "\(text)")
  }

  @Test func aLibraryThatIsNoLoaderIsRefused() throws {
    #expect(why(OpenCLHost.runtime(["opencl.library": "libc.so.6"])).contains("it lacks clGetPlatformIDs"))
  }

  /// Why the runtime has no such device.
  private func why(_ runtime: Runtime) -> String {
    #expect(runtime.devices.isEmpty)
    do {
      _ = try runtime.device("opencl")
      return "it has one"
    } catch { return "\(error)" }
  }
}

@Suite(.serialized, .enabled(if: OpenCLHost.hasDevice, "no OpenCL driver with a device on this machine (pocl-opencl-icd is one)"))
struct OpenCLDeviceTests {
  /// A driver that runs on the processor is no second device for a graph that names none.
  @Test func theProcessorIsTakenOnceByDefault() {
    let runtime = OpenCLHost.runtime(beside: ["BackplaneCPU"])
    #expect(runtime.devices.count { $0.info.kind == .cpu } >= 1)
    #expect(runtime.defaultDevices.filter { $0.info.kind == .cpu }.map(\.id) == ["cpu"])
  }

  /// A case of each family of kernels; the whole of it is what `conform` runs.
  @Test(arguments: [
    "add/a=f32.7x1x64/b=f32.31x64/data=normal/mem=plain", "gelu/x=f32.257/approximate=tanh/data=normal/mem=plain",
    "transpose/x=f16.3x5x17/permutation=2,0,1/data=normal/mem=plain", "reduce_sum/x=f32.3x33x7/axes=1/data=normal/mem=plain",
    "rms_norm/x=f32.3x127/weight=f32.127/data=normal/mem=plain", "softmax/x=f32.5x33/data=normal/mem=plain",
    "matmul/a=f32.1x64/b=q4_0.33x64/data=normal/mem=plain", "matmul/a=f32.33x256/b=q6_K.5x256/data=normal/mem=plain",
    "attention/q=f32.3x4x64/k=f16.7x2x64/v=f16.7x2x64/causal=1/data=normal/mem=plain", "argmax/x=f32.3x257/data=normal/mem=plain",
    "gather/table=q4_K.7x256/indices=i32.5/data=normal/mem=plain", "add/a=f32.0/b=f32.0/data=normal/mem=plain",
  ])
  func theCasePasses(_ id: String) throws {
    let result = OpenCLHost.outcome(id, try #require(OpenCLHost.shared.devices.first))
    #expect(result.outcome == .pass, "\(id): \(result.outcome) \(result.message ?? "")")
  }

  /// Queues of the driver's behind those of the ABI.
  @Test(arguments: ["semaphore", "queue-order", "queue-error", "queue-poison", "queue-cancel", "queue-full", "queue-threads"])
  func queuesBehave(_ name: String) throws {
    let result = OpenCLHost.outcome("behaviour/" + name, try #require(OpenCLHost.shared.devices.first))
    #expect(result.outcome == .pass, "\(name): \(result.outcome) \(result.message ?? "")")
  }

  /// Few queries and many keys: the keys in parts.
  @Test(arguments: [
    "attention/q=f32.1x8x64/k=f16.129x2x64/v=f16.129x2x64/causal=1/data=normal/mem=plain",
    "attention/q=f16.2x12x96/k=q8_0.257x3x96/v=f32.257x3x20/mask=f16.2x257/data=inf/mem=plain",
    "attention/q=f32.4x6x32/k=f32.200x1x32/v=bf16.200x1x17/sinks=f32.6/causal=1/window=150/out=lse/data=normal/mem=plain",
    "attention/q=f32.1x3x32/k=q4_0.600x3x32/v=q4_0.600x3x32/softcap=30.0/data=outlier/mem=symbolic",
  ])
  func partsOfTheKeysAreJoined(_ id: String) throws {
    let result = OpenCLHost.outcome(id, try #require(OpenCLHost.shared.devices.first))
    #expect(result.outcome == .pass, "\(id): \(result.outcome) \(result.message ?? "")")
  }

  // MARK: Kernels of the user

  private func device(_ body: String, _ folder: TemporaryFolder) throws -> (Runtime, Device) {
    try OpenCLHost.writeRelu(body, folder)
    let runtime = OpenCLHost.runtime(["kernels.folder": folder.path])
    return (runtime, try #require(runtime.devices.first))
  }
  private let relu = "relu/x=f32.7/data=normal/mem=plain"

  @Test func aKernelDroppedIntoAFolderIsUsed() throws {
    let folder = try TemporaryFolder()
    let (_, right) = try device("v > 0 || isnan(v) ? v : 0", folder)
    #expect(OpenCLHost.outcome(relu, right).outcome == .pass)
    let other = try TemporaryFolder()
    let (_, wrong) = try device("v + 1", other)
    let result = OpenCLHost.outcome(relu, wrong)
    #expect(result.outcome == .fail && result.fault == "values", "a wrong kernel of the user's must be judged: \(result)")
  }

  @Test func aKernelThatDoesNotCompileShowsTheLineThatIsWrong() throws {
    let folder = try TemporaryFolder()
    let (_, broken) = try device("no_such_thing(v)", folder)
    let result = OpenCLHost.outcome(relu, broken)
    #expect(result.outcome == .fail && result.fault == "refused")
    let message = result.message ?? ""
    #expect(message.contains("mine.cl:5") && message.contains("no_such_thing"), "\(message)")
  }

  @Test func aSettingDemandsAVariantAndItsParameters() throws {
    let id = "matmul/a=f32.9x64/b=q8_0.33x64/data=normal/mem=plain"
    let chosen = OpenCLHost.runtime(["opencl.kernel.matmul": "matmul_dot", "opencl.matmul_dot.rows": "2", "opencl.matmul_dot.columns": "8"])
    #expect(OpenCLHost.outcome(id, try #require(chosen.devices.first)).outcome == .pass)
    for (settings, words) in [(["opencl.kernel.matmul": "nobody"], "matmul_gemm"), (["opencl.matmul_dot.rows": "3"], "valid are 1, 2, 4, 8")] {
      do {
        _ = try OpenCLHost.runtime(settings).device("opencl")
        Issue.record("\(settings) was taken")
      } catch { #expect("\(error)".contains(words), "\(error)") }
    }
  }

  @Test func memoryThatThereIsNotIsAnError() throws {
    let device = try #require(OpenCLHost.shared.devices.first)
    #expect(throws: (any Error).self) { try device.makeBuffer(byteCount: 1 << 50, usage: .input) }
    #expect(OpenCLHost.outcome("relu/x=f32.7/data=normal/mem=plain", device).outcome == .pass)
  }
}
