import Foundation
import Testing

@Suite struct BadInputTests {
  /// The tool must end by itself with exit code 1, one line on stderr that names the cause, and nothing on stdout.
  private func expectRefusal(_ arguments: [String], saying words: String..., status: Int32 = 1, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let result = try Tool.run(arguments)
    #expect(result.status == status, "\(arguments): status \(result.status), \(result.errors)", sourceLocation: sourceLocation)
    #expect(result.errors.hasPrefix("backplane: error:"), "\(result.errors)", sourceLocation: sourceLocation)
    #expect(result.errors.split(separator: "\n").count == 1, "\(result.errors)", sourceLocation: sourceLocation)
    for word in words { #expect(result.errors.lowercased().contains(word.lowercased()), "'\(word)' is not in: \(result.errors)", sourceLocation: sourceLocation) }
  }

  private func file(_ name: String, _ bytes: Data) throws -> String {
    let url = Tool.scratch.appendingPathComponent(name)
    try bytes.write(to: url)
    return url.path
  }

  private func run(_ model: String) -> [String] { ["run", model, "--prompt", "x", "--tokens", "1", "--device", "cpu"] }

  @Test func truncatedModelsAreRefused() throws {
    let whole = try Data(contentsOf: URL(fileURLWithPath: Tool.synthetic("llama")))
    for length in [0, 3, 8, 23, 40, 500, whole.count / 3, whole.count - 100] {
      try expectRefusal(run(file("truncated-\(length).gguf", whole.prefix(length))), saying: "truncated-\(length).gguf")
    }
  }

  @Test func wrongMagicIsNamed() throws {
    var bytes = try Data(contentsOf: URL(fileURLWithPath: Tool.synthetic("llama")))
    bytes.replaceSubrange(0..<4, with: Data("GGML".utf8))
    try expectRefusal(run(file("magic.gguf", bytes)), saying: "magic")
  }

  @Test func absurdCountsAreRefused() throws {
    var bytes = try Data(contentsOf: URL(fileURLWithPath: Tool.synthetic("llama")))
    bytes.replaceSubrange(8..<16, with: Data(repeating: 0x7f, count: 8))
    try expectRefusal(run(file("counts.gguf", bytes)), saying: "tensor")
  }

  @Test func unknownArchitecturesAreNamedWithTheKnownOnes() throws {
    var bytes = try Data(contentsOf: URL(fileURLWithPath: Tool.synthetic("llama")))
    let at = try #require(bytes.range(of: Data("general.architecture".utf8)))
    let value = at.upperBound + 4 + 8  // type, length, then the text "llama"
    bytes.replaceSubrange(value..<value + 5, with: Data("lhama".utf8))
    try expectRefusal(run(file("architecture.gguf", bytes)), saying: "lhama", "gemma3", "qwen3")
  }

  @Test func missingFilesAndFoldersAreNamed() throws {
    try expectRefusal(run(Tool.scratch.appendingPathComponent("absent.gguf").path), saying: "absent.gguf")
    try expectRefusal(run(Tool.scratch.path), saying: "directory")
  }

  @Test func mutationRunsSayWhatTheyLack() throws {
    try expectRefusal(["conform", "mutation", "--sources", Tool.scratch.path], saying: "Plugins/Mutant", "--plugin")
    try expectRefusal(["conform", "mutation", "--op", "warp"], saying: "warp", status: 2)
    try expectRefusal(["conform", "mutation", "--plugin", "/nowhere/libmutant.so"], saying: "/nowhere/libmutant.so")
  }

  @Test func unknownDevicesAreNamedWithTheKnownOnes() throws {
    try expectRefusal(["run", Tool.synthetic("llama"), "--prompt", "x", "--device", "warp"], saying: "warp", "cpu")
  }

  @Test func unknownInstructionSetsAreNamedWithTheKnownOnes() throws {
    let result = try Tool.run(run(Tool.synthetic("llama")), environment: ["BACKPLANE_CPU_ISA": "sse9"])
    #expect(result.status == 1)
    #expect(result.errors.contains("sse9") && result.errors.contains("avx2"), "\(result.errors)")
  }

  @Test func wrongCommandLinesExitWithTwo() throws {
    try expectRefusal(["run"], saying: "MODEL", status: 2)
    try expectRefusal(["run", "x.gguf", "--tokns", "3"], saying: "did you mean --tokens", status: 2)
    try expectRefusal(["run", "x.gguf", "--prompt", "a", "--tokens", "many"], saying: "whole number", status: 2)
    try expectRefusal(["rnu"], saying: "did you mean 'run'", status: 2)
  }

  @Test func modelsThatAreNoONNXAreNamed() throws {
    let path = try file("no.onnx", Data("this is no model".utf8))
    try expectRefusal(["import-onnx", path, path + ".graph"], saying: "no.onnx")
    try expectRefusal(["import-onnx", path, path + ".graph", "--extent", "batch"], saying: "NAME=N", status: 2)
    try expectRefusal(["import-onnx", path], saying: "FILE.graph", status: 2)
    #expect(!FileManager.default.fileExists(atPath: path + ".graph"))
  }

  @Test func everyCommandHasHelp() throws {
    let overview = try Tool.run(["--help"])
    #expect(overview.status == 0)
    for name in ["run", "devices", "tokenize", "ops", "explain", "verify", "bench", "model", "manifest", "import-onnx", "generate"] {
      #expect(overview.output.contains("  \(name)"))
      let help = try Tool.run([name, "--help"])
      #expect(help.status == 0 && help.output.contains("usage: backplane \(name)"), "\(help.output)")
    }
  }

  @Test func aPluginThatIsNoLibraryIsRefusedAndTheOthersGoOn() throws {
    let path = try file("libjunk.so", Data("this is no ELF file".utf8))
    let result = try Tool.run(["devices", "--json", "--plugin", path])
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.output.contains("refused") && result.output.contains("not an ELF"), "\(result.output)")
    #expect(result.output.contains("\"cpu\""))
    try expectRefusal(["run", Tool.synthetic("llama"), "--prompt", "x", "--plugin", path, "--device", "junk"], saying: "junk")
  }

  @Test func aModelFileThatShrinksWhileItIsUsedIsReported() throws {
    let copy = Tool.scratch.appendingPathComponent("shrinking.gguf")
    try FileManager.default.copyItem(at: URL(fileURLWithPath: Tool.synthetic("qwen3")), to: copy)
    // Far more work than the test waits for: it ends when the file does.
    let result = try Tool.run(["bench", copy.path, "--repeats", "1000", "--decode-tokens", "500", "--prompt-tokens", "64", "--device", "cpu"]) { process in
      // Not before it is mapped: a file that is short when it is opened is another error.
      let deadline = Date().addingTimeInterval(60)
      while (try? String(contentsOfFile: "/proc/\(process)/maps", encoding: .utf8))?.contains(copy.lastPathComponent) != true, Date() < deadline { usleep(5000) }
      usleep(700_000)
      truncate(copy.path, 4096)
    }
    #expect(result.status == 1, "status \(result.status): \(result.errors)")
    // By the signal, or by the look at the file before it is used.
    #expect(result.errors.contains("shrank") || result.errors.contains("has changed since it was mapped"), "\(result.errors)")
  }
}
