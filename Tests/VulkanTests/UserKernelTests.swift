import Foundation
import Testing
import _TestSupport

/// Kernels of a user's folder, and what is wrong with them, through the tool.
@Suite(.enabled(if: Machine.hasDevice, "there is no Vulkan driver (mesa-vulkan-drivers)"), .serialized) struct UserKernelTests {
  static let hasCompiler = FileManager.default.isExecutableFile(atPath: "/usr/bin/glslc") || FileManager.default.isExecutableFile(atPath: "/usr/bin/glslangValidator")
  static let unlessCompiler: Comment = "there is no GLSL compiler (glslc)"
  static let plainCase = "leaky_relu/x=f32.7x64/data=normal/mem=plain"

  /// The text of a kernel for leaky_relu whose result is `y` of a value v and the slope.
  private static func source(_ y: String) -> String {
    """
    #version 460
    #include "shared/values.glsl"
    #include "shared/walk.glsl"
    layout(constant_id = 3) const int FORMAT = F32;
    ARGUMENTS { uint64_t y, x; int64_t n; float slope; int extents[8]; int64_t y_steps[8], x_steps[8]; };
    void main() {
      for (uint i = item(); i < uint(n); i += items()) {
        int64_t from, to;
        WALK(extents, x_steps, i, from)
        WALK(extents, y_steps, i, to)
        float v = load_float(x + from, FORMAT);
        store_float(y + to, FORMAT, \(y));
      }
    }
    """
  }

  private static func manifest(_ source: String, constant: String = "FORMAT") -> String {
    """
    {"format": 1,
     "kernels": {"mine": {"source": "\(source)", "walk": "y x", "defines": {"LOCAL": "group", "\(constant)": "format(x)"},
                          "arguments": ["buffer y", "buffer x", "long n = outer", "float slope = alpha", "extents", "steps y", "steps x"],
                          "global": ["outer"], "local": ["group"]}},
     "variants": [{"name": "mine", "operators": ["leaky_relu"], "inputs": ["x: @float"], "outputs": ["y: =x"],
                   "parameters": {"group": {"cpu": 8, "gpu": 64, "choices": [8, 64]}}, "launches": [{"kernel": "mine"}]}]}
    """
  }

  /// What `conform` says of leaky_relu with files in a user's folder.
  private func judged(_ files: [String: Data], _ more: [String] = []) throws -> (status: Int32, output: String) {
    let folder = try TemporaryFolder(), own = folder.path + "/backplane/kernels/vulkan/mine"
    try FileManager.default.createDirectory(atPath: own, withIntermediateDirectories: true)
    for (name, data) in files { try data.write(to: URL(fileURLWithPath: own + "/" + name)) }
    let result = try Machine.tool(["conform", "--device", "vulkan:0", "--quick", "--op", "leaky_relu", "--in-process", "--timeout", "120"] + more, ["XDG_DATA_HOME": folder.path])
    return (result.status, result.output + result.error)
  }

  @Test(.enabled(if: hasCompiler, unlessCompiler)) func aSourceDroppedIntoAFolderIsUsed() throws {
    let right = Data(Self.source("v < 0.0 ? slope * v : v").utf8), wrong = Data(Self.source("v < 0.0 ? slope * v : 2.0 * v").utf8)
    let manifest = Data(Self.manifest("mine.comp").utf8)
    let good = try judged(["mine.comp": right, "mine.json": manifest])
    #expect(good.status == 0, "\(good.output)")
    let bad = try judged(["mine.comp": wrong, "mine.json": manifest])
    #expect(bad.status == 3, "\(bad.output)")
    let others = try judged(["mine.comp": wrong, "mine.json": manifest], ["--set", "vulkan.kernel.leaky_relu=unary_slope"])
    #expect(others.status == 0, "\(others.output)")
    let unknown = try judged(["mine.comp": right, "mine.json": manifest], ["--set", "vulkan.mine.group=7"])
    #expect(unknown.status != 0 && unknown.output.contains("valid are 8, 64"), "\(unknown.output)")
  }

  @Test(.enabled(if: hasCompiler, unlessCompiler)) func aSourceThatDoesNotCompileShowsTheLineThatIsWrong() throws {
    let result = try judged(["mine.comp": Data(Self.source("v + nothing").utf8), "mine.json": Data(Self.manifest("mine.comp").utf8)])
    #expect(result.status != 0 && result.output.contains("mine.comp:12") && result.output.contains("nothing"), "\(result.output)")
  }

  @Test func aShaderThatIsBrokenIsNamed() throws {
    let whole = try #require(FileManager.default.contents(atPath: packageFolder + "/Kernels/Vulkan/unary.spv"))
    let manifest = Data(Self.manifest("mine.spv").utf8)
    for (data, words) in [(Data("no shader at all, but text".utf8), "is no SPIR-V"), (whole.prefix(whole.count / 2 / 4 * 4), "SPIR-V"), (Data(), "0 bytes")] {
      let result = try judged(["mine.spv": data, "mine.json": manifest])
      #expect(result.status != 0 && result.output.contains("mine.spv") && result.output.contains(words), "\(result.output)")
    }
    let other = try judged(["mine.spv": whole, "mine.json": Data(Self.manifest("mine.spv", constant: "NOWHERE").utf8)])
    #expect(other.status != 0 && other.output.contains("no specialisation constant 'NOWHERE'"), "\(other.output)")
  }
}
