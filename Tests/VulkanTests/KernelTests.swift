import BackplaneConformance
import BackplaneRegistry
import BackplaneRuntime
import Testing
import _TestSupport

/// The plugin beside the test binary, as a host opens it.
enum VulkanHost {
  static func runtime(_ settings: [String: String] = [:]) -> Runtime {
    var options = Runtime.Options()
    options.pluginPaths = [buildFolder + "/libBackplaneVulkan.so"]
    (options.searchesForPlugins, options.probe) = (false, .off)
    (options.settings, options.environment, options.logLevel) = (settings, [:], .error)
    return Runtime(options)
  }

  static func outcome(_ id: String, _ device: Device) -> CaseResult { InProcessExecutor(device).run(id) }
}

/// Cases that the suite's lists have few of.
@Suite(.enabled(if: Machine.hasDevice, "there is no Vulkan driver (mesa-vulkan-drivers)"), .serialized) struct KernelTests {
  /// Kept: a device lives as long as its runtime.
  private static let plain = VulkanHost.runtime(), withDots = VulkanHost.runtime(["vulkan.integer_dot": "1", "vulkan.kernel.matmul": "matmul_dot8"])

  /// Up to four queries over more than 128 keys: a head's keys are several groups' work.
  @Test(arguments: [
    "attention/q=f32.1x4x64/k=f32.129x1x64/v=f32.129x1x64/data=normal/mem=plain",
    "attention/q=f32.2x1x8x64/k=f16.2x300x2x64/v=f16.2x300x2x32/causal=1/softcap=30.0/data=normal/mem=plain",
    "attention/q=f16.3x6x32/k=bf16.1000x3x32/v=bf16.1000x3x96/sinks=f32.6/alibi_slopes=f32.6/causal=1/window=500/out=lse/data=normal/mem=plain",
    "attention/q=f32.4x4x96/k=q8_0.257x4x96/v=q4_0.257x4x64/mask=bool.4x257/sinks=f32.4/out=lse/data=normal/mem=plain",
    "attention/q=bf16.1x2x20/k=f16.131x1x20/v=f32.131x1x7/mask=f32.1x131/window=5/causal=1/data=inf/mem=plain",
    "attention/q=f32.2x4x64/k=f32.200x2x64/v=f32.200x2x64/mask=bool.2x200/data=nan/mem=strided",
    "attention/q=f32.1x4x64/k=q4_0.640x2x64/v=f16.640x2x64/causal=1/data=outlier/mem=symbolic",
  ])
  func attentionOfFewQueriesIsSplit(_ id: String) throws {
    let result = VulkanHost.outcome(id, try KernelTests.plain.device("vulkan"))
    #expect(result.outcome == .pass, "\(result)")
  }

  /// By the processor's instructions or the driver's own steps. What they round is declared.
  @Test(arguments: [
    "matmul/a=f32.5x96/b=q8_0.17x96/data=normal/mem=plain", "matmul/a=f16.1x288/b=q4_0.33x288/activation=relu/data=cancel/mem=plain",
    "matmul/a=f32.2x64/b=q4_0.7x64/data=inf/mem=plain", "matmul/a=f32.2x64/b=q8_0.7x64/data=denormal/mem=plain",
    "matmul/a=bf16.2x3x32/b=q4_0.2x5x32/bias=f32.5/data=huge/mem=plain",
  ])
  func productsOfFourBytesAreTakenWhereTheyAreAskedFor(_ id: String) throws {
    let device = try KernelTests.plain.device("vulkan")
    let strict = VulkanHost.outcome(id, device)
    #expect(strict.outcome == .pass && !strict.declares.contains { $0.hasPrefix("act_block") }, "\(strict)")
    let asked = try KernelTests.withDots.device("vulkan")
    guard asked.info[property: "integer_dot"] != nil else { return }  // the driver has no such products
    let result = VulkanHost.outcome(id, asked)
    #expect(result.outcome == .pass && result.declares.contains { $0.hasPrefix("act_block") }, "\(result)")
  }
}
