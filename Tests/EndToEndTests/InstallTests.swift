import Foundation
import Testing
import _TestSupport

/// `make install`, and the examples built from what it puts there, with a C compiler and `pkg-config` alone.
@Suite struct InstallTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// The real model where there is one; random weights take the same path.
  private var model: String { get throws { try EndToEndTests.Tool.gemma ?? EndToEndTests.Tool.synthetic("gemma3") } }
  private let prompt = "The three primary colors are"

  /// Runs a program as on a machine without the toolchain: a bare environment and, where the system lets us, the toolchain's folder covered up.
  private func alone(_ words: [String], environment: [String: String] = [:]) throws -> (status: Int32, output: String, error: String) {
    let toolchain = URL(fileURLWithPath: try _TestSupport.Tool("swiftc").path).resolvingSymlinksInPath().deletingLastPathComponent().deletingLastPathComponent().path
    var command = ["-i", "HOME=\(folder.path)", "PATH=/usr/bin:/bin"] + environment.map { "\($0)=\($1)" }
    if (try? _TestSupport.Tool("unshare").attempt(["-rm", "true"]).status) == 0 {
      command += ["unshare", "-rm", "sh", "-c", "mount -t tmpfs none \"$0\" && exec \"$@\"", toolchain]
    }
    return try _TestSupport.Tool("env").attempt(command + words, in: "/")
  }

  /// By bytes: what random weights say may end in a carriage return, which is one character with the line feed after it.
  private func ends(_ output: String, with end: String) -> Bool { output.utf8.suffix(end.utf8.count).elementsEqual(end.utf8) }

  private func make(_ what: String, _ prefix: String) throws -> (status: Int32, output: String, error: String) {
    let plugins = try FileManager.default.contentsOfDirectory(atPath: buildFolder).filter { ["libBackplaneCPU.so", "libBackplaneNPUStub.so"].contains($0) }
    return try _TestSupport.Tool("env").attempt(
      ["BUILD=\(buildFolder)", "PLUGINS=\(plugins.map { String($0.dropFirst(3).dropLast(3)) }.joined(separator: " "))", "PREFIX=\(prefix)", "bash", ".ci/install", what],
      in: packageFolder)
  }

  private func compile(_ compiler: String, _ source: String, _ options: [String], to program: String, prefix: String) throws {
    let flags = try _TestSupport.Tool("env").run(["PKG_CONFIG_PATH=\(prefix)/lib/pkgconfig", "pkg-config", "--cflags", "--libs", "backplane"])
      .split { " \n".contains($0) }.map(String.init)
    try _TestSupport.Tool(compiler, "g++", "clang++").run(["-Wall", "-Wextra", "-Werror"] + options + ["\(packageFolder)/Tests/Examples/\(source)", "-o", program] + flags)
  }

  @Test func whatIsInstalledServesCAndCxxAndPythonAndMovesAsAWhole() throws {
    let (place, second) = (folder.path + "/first", folder.path + "/second")
    let installed = try make("install", place)
    try #require(installed.status == 0, "\(installed.output)\(installed.error)")

    // C: text, the same as the tool's.
    let wanted = try EndToEndTests.Tool.run(["run", model, "--prompt", prompt, "--tokens", "32", "--greedy", "--device", "cpu", "--json"])
    let text = try #require(try wanted.json()["text"] as? String)
    let generate = folder.path + "/generate"
    try compile("cc", "C/generate.c", ["-std=c99", "-pedantic", "-Wno-missing-field-initializers"], to: generate, prefix: place)
    let spoken = try alone([generate, model, prompt])
    #expect(spoken.status == 0 && spoken.output == text + "\n", "\(spoken)")
    let wrong = try alone([generate, "/nowhere.gguf", prompt])
    #expect(wrong.status == 1 && wrong.error.contains("/nowhere.gguf"), "\(wrong)")

    // C++: one block on a device by name.
    let block = folder.path + "/block"
    try compile("c++", "Cxx/block.cpp", ["-std=c++11", "-O1"], to: block, prefix: place)
    let ran = try alone([block, "cpu"])
    #expect(ran.status == 0 && ran.output.contains("on cpu") && ran.output.contains("largest difference"), "\(ran)")
    #expect(try alone([block, "warp"]).error.contains("no plugin for device \"warp\""))

    // Moved: what is in it still works, what was built against it needs to be told, and the next is built against the new place.
    try FileManager.default.moveItem(atPath: place, toPath: second)
    let devices = try alone(["\(second)/bin/backplane", "devices"])
    #expect(devices.status == 0 && devices.output.contains("cpu"), "\(devices)")
    let moved = try alone([generate, model, prompt], environment: ["LD_LIBRARY_PATH": "\(second)/lib"])
    #expect(moved.status == 0 && moved.output == text + "\n", "\(moved)")
    try compile("cc", "C/generate.c", ["-std=c99", "-Wno-missing-field-initializers"], to: generate, prefix: second)
    #expect(try alone([generate, model, prompt]).output == text + "\n")
    try python(second, text)

    let gone = try make("uninstall", second)
    #expect(gone.status == 0, "\(gone.error)")
    #expect(!FileManager.default.fileExists(atPath: second + "/lib") && !FileManager.default.fileExists(atPath: second + "/bin"), "\(gone.output)")
    #expect(try make("uninstall", second).error.contains("nothing was installed there"))
  }

  private func python(_ prefix: String, _ text: String) throws {
    let python = try _TestSupport.Tool("python3")
    guard try python.attempt(["-c", "import numpy"]).status == 0 else {
      print("python3 has no numpy: the Python package was not tried")
      return
    }
    let said = try _TestSupport.Tool("env").attempt(["PYTHONPATH=\(prefix)/lib/backplane/python", python.path, "\(packageFolder)/Tests/Examples/Python/story.py", try model, prompt])
    #expect(said.status == 0 && said.output.contains("cpu: ") && ends(said.output, with: "]]\n" + text + "\n"), "\(said)")
  }

  /// It builds the host's modules once more, in a scratch folder that stays for the next time.
  @Test func aSwiftPackageOfItsOwnDependsOnBackplane() throws {
    let package = packageFolder + "/Tests/Examples/Swift"
    let scratch = URL(fileURLWithPath: buildFolder).deletingLastPathComponent().appendingPathComponent("example").path
    try _TestSupport.Tool("swift").run(["build", "--package-path", package, "--scratch-path", scratch, "--product", "Story"])
    let said = try _TestSupport.Tool("env").attempt(["BACKPLANE_PLUGIN_PATH=\(buildFolder)/libBackplaneCPU.so", scratch + "/debug/Story", try model, prompt])
    #expect(said.status == 0 && ends(said.output, with: "\non cpu\n"), "\(said)")
  }
}
