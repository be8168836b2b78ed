import Foundation
import Testing
import _TestSupport

/// A plugin with an operator of its own: the template's source and one kernel more, its definition in a folder beside the library.
@Suite struct CustomOperatorTests {
  private static let definition = Tool.fixture("operators/demo.swish_bias.json").path

  private func built(biasFactor: String = "1", definition: (String) -> String = { $0 }) throws -> (folder: TemporaryFolder, library: String) {
    let folder = try TemporaryFolder()
    try #require(try Tool.run(["new-plugin", "Acme", "--output", folder.path + "/acme"]).status == 0)
    let header = try Tool.run(["operator", CustomOperatorTests.definition, "--header"])
    try #require(header.status == 0, "\(header.errors)")
    try header.output.write(toFile: folder.path + "/acme/demo.h", atomically: true, encoding: .utf8)
    let source = folder.path + "/acme/acme.c"
    let kernel = try String(contentsOfFile: Tool.fixture("operators/swish_bias.c").path, encoding: .utf8)
    var text = try String(contentsOfFile: source, encoding: .utf8)
    for (anchor, more) in [("typedef struct kernel {", "#include \"demo.h\"\n#define BIAS_FACTOR \(biasFactor)\n\(kernel)"), ("    {BP_OP_SILU,", "    {BP_OP_DEMO_SWISH_BIAS, 2, check_nothing, swish_bias, NULL},\n")] {
      try #require(text.contains(anchor))
      text = text.replacing(anchor, with: more + anchor, maxReplacements: 1)
    }
    try text.write(toFile: source, atomically: true, encoding: .utf8)
    try _TestSupport.Tool("make").run([], in: folder.path + "/acme")
    try FileManager.default.createDirectory(atPath: folder.path + "/acme/libacme.operators", withIntermediateDirectories: true)
    try definition(String(contentsOfFile: CustomOperatorTests.definition, encoding: .utf8))
      .write(toFile: folder.path + "/acme/libacme.operators/demo.swish_bias.json", atomically: true, encoding: .utf8)
    return (folder, folder.path + "/acme/libacme.so")
  }

  @Test func thePluginsOwnOperatorConforms() throws {
    let (folder, library) = try built()
    defer { withExtendedLifetime(folder) {} }
    let run = try Tool.run(["conform", library, "--level", "custom"])
    #expect(run.status == 0, "\(run.output)\(run.errors)")
    #expect(run.output.contains("demo.swish_bias"), "\(run.output)")
    // A run of another level has it too.
    let list = try Tool.run(["conform", library, "--level", "core", "--quick", "--list"])
    #expect(list.output.contains("\ndemo.swish_bias/x=f32."), "\(list.errors)")
    // Listed in the manifest, which without it names none.
    let manifest = try Tool.run(["manifest", library])
    #expect(manifest.status == 0, "\(manifest.errors)")
    #expect(try Tool.run(["conform", library, "--op", "demo.swish_bias", "--quick"]).status == 0)
  }

  @Test func aWrongKernelOfItIsCaughtAndReplays() throws {
    let (folder, library) = try built(biasFactor: "1.001f")
    defer { withExtendedLifetime(folder) {} }
    let run = try Tool.run(["conform", library, "--op", "demo.swish_bias", "--quick"])
    #expect(run.status == 3, "\(run.output)\(run.errors)")
    let line = try #require(run.output.split(separator: "\n").first { $0.contains("conform replay '") }, "\(run.output)")
    let again = try Tool.run(["conform", "replay", String(line.split(separator: "'")[1]), library, "--output", folder.path + "/replay"])
    #expect(again.status == 3, "\(again.output)")
    #expect(again.output.contains("demo.swish_bias"))
  }

  @Test func aPluginWhoseDefinitionIsWrongIsRefusedWithAReason() throws {
    for (old, new, words) in [("\"sigmoid\"", "\"sigmoids\"", "there is no such operator"), ("demo.swish_bias", "demo.other", "which is not the file's name"),
                              ("\"shape\": \"... n\", \"in_place\"", "\"shape\": \"?\", \"in_place\"", "shape function")] {
      let (folder, library) = try built { $0.replacing(old, with: new) }
      defer { withExtendedLifetime(folder) {} }
      let run = try Tool.run(["conform", library, "--op", "add", "--quick"])
      #expect(run.status == 1, "\(run.output)")
      #expect(run.errors.contains(words) && run.errors.contains("demo.swish_bias.json"), "\(run.errors)")
    }
  }

  @Test func definitionsAreSaidInWordsAndInC() throws {
    let words = try Tool.run(["operator", CustomOperatorTests.definition])
    #expect(words.status == 0 && words.output.contains("demo.swish_bias: Adds a bias"), "\(words.errors)")
    let folder = try TemporaryFolder()
    try "{\"op\": \"swish\"}".write(toFile: folder.path + "/x.json", atomically: true, encoding: .utf8)
    let bad = try Tool.run(["operator", folder.path + "/x.json"])
    #expect(bad.status == 1 && bad.errors.contains("x.json"), "\(bad.errors)")
  }

  /// A C program that has never heard of the plugin's operator: its graph of the catalogue's reaches it, and says the same on a device without it.
  @Test func aGraphOfPartsReachesThePluginsOperator() throws {
    let (folder, library) = try built()
    let program = folder.path + "/parts"
    try _TestSupport.Tool("cc", "gcc", "clang").run(
      ["-std=c99", "-Wall", "-Wextra", "-Werror", "-Wno-missing-field-initializers", "-I\(packageFolder)/Sources/BackplaneC/Header/include",
       Tool.fixture("operators/graph_of_parts.c").path, "-o", program, "-L\(buildFolder)", "-lBackplaneC", "-Wl,-rpath,\(buildFolder)", "-lm"])
    let own = try _TestSupport.Tool("env").attempt([program, library, "acme"])
    #expect(own.status == 0 && own.output.contains("demo.swish_bias") && own.output.contains("fused of add, scale, sigmoid, mul"), "\(own)")
    let other = try _TestSupport.Tool("env").attempt([program, buildFolder + "/libBackplaneCPU.so", "cpu"])
    #expect(other.status == 0 && !other.output.contains("demo.swish_bias"), "\(other)")
  }

  /// Where no device has it, its parts run, and a device that has it takes its parts whole.
  @Test func otherDevicesRunItsParts() throws {
    let (folder, library) = try built()
    defer { withExtendedLifetime(folder) {} }
    let cells = try Tool.run(["ops", "demo.swish_bias", "--plugin", library, "--device", "acme,cpu"])
    #expect(cells.status == 0, "\(cells.errors)")
    #expect(cells.output.contains("1/3") || cells.output.contains("2/"), "\(cells.output)")
  }
}
