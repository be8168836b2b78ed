import Foundation
import Testing
import _TestSupport

/// `backplane new-plugin`: what it writes builds outside the package and is right in all that it implements.
@Suite struct NewPluginTests {
  /// A plugin called Acme in a folder of its own, built by `make`. The folder goes with the object.
  private func built(_ language: String) throws -> (folder: TemporaryFolder, library: String) {
    let folder = try TemporaryFolder()
    let made = try Tool.run(["new-plugin", "Acme", "--lang", language, "--output", folder.path + "/acme"])
    try #require(made.status == 0, "\(made.errors)")
    let compiler = language == "swift" ? ["SWIFTC=\(try _TestSupport.Tool("swiftc").path)"] : []
    try _TestSupport.Tool("make").run(compiler, in: folder.path + "/acme")
    return (folder, folder.path + "/acme/libacme.so")
  }

  @Test(arguments: ["c", "swift"]) func whatItWritesBuildsAndConformsInWhatItImplements(language: String) throws {
    let (folder, library) = try built(language)
    defer { withExtendedLifetime(folder) {} }
    let own = try Tool.run(["conform", library, "--op", "add,mul,silu", "--quick"])
    #expect(own.status == 0, "\(own.output)")
    #expect(own.output.contains("acme:0: Acme device, Acme 0.1"))
    #expect(own.output.contains("conformant: add, mul, silu (quick)"))
    // Of an operator that it has in part, and of one that it has not, each case is refused with a reason; nothing is wrong.
    let more = try Tool.run(["conform", library, "--op", "add,matmul,softmax", "--quick"])
    #expect(more.status == 3)
    #expect(more.output.contains("implemented: add\n"), "\(more.output)")
    #expect(more.output.contains("the operator is not implemented: softmax"), "\(more.output)")
    #expect(more.output.contains("matmul, "), "\(more.output)")
    #expect(more.output.contains("NOT conformant: add, matmul, softmax (quick): 0 wrong, "), "\(more.output)")
  }

  @Test func whatItWritesKeepsTheRulesOfTheInterface() throws {
    let (folder, library) = try built("c")
    defer { withExtendedLifetime(folder) {} }
    for test in ["short-binding", "struct-size", "chain", "unknown-operator", "unknown-format", "unknown-layout", "unknown-memory"] {
      let result = try Tool.run(["conform", "replay", "behaviour/\(test)", library])
      #expect(result.status == 0, "\(result.output)")
    }
  }

  @Test func aWrongKernelIsShownAndItsCaseReplays() throws {
    let (folder, library) = try built("c")
    let source = folder.path + "/acme/acme.c"
    let text = try String(contentsOfFile: source, encoding: .utf8)
    try #require(text.contains("(1.0f + expf(-x[i]))"))
    try text.replacing("(1.0f + expf(-x[i]))", with: "(1.001f + expf(-x[i]))").write(toFile: source, atomically: true, encoding: .utf8)
    try _TestSupport.Tool("make").run([], in: folder.path + "/acme")
    let report = folder.path + "/report"
    let run = try Tool.run(["conform", library, "--op", "silu", "--quick", "--json", report + ".json", "--html", report + ".html"])
    #expect(run.status == 3)
    let line = try #require(run.output.split(separator: "\n").first { $0.contains("conform replay '") }, "\(run.output)")
    let id = String(line.split(separator: "'")[1])
    #expect(try String(contentsOfFile: report + ".html", encoding: .utf8).contains("conform replay"))
    let again = try Tool.run(["conform", "replay", id, library, "--output", folder.path + "/replay"])
    #expect(again.status == 3)
    #expect(again.output.contains("outside the bound"))
    #expect(FileManager.default.fileExists(atPath: folder.path + "/replay/x.npy"))
  }

  @Test func badNamesAndPlacesAreRefused() throws {
    for (name, word) in [("9lives", "letter"), ("my-npu", "letters"), ("", "letters"), ("cpu", "taken"), ("Template", "taken"), ("libfoo", "lib"), ("../x", "letters")] {
      let result = try Tool.run(["new-plugin", name, "--output", Tool.scratch.path + "/never"])
      #expect(result.status == 2, "\(name)")
      #expect(result.errors.contains(word), "\(name): \(result.errors)")
    }
    #expect(!FileManager.default.fileExists(atPath: Tool.scratch.path + "/never"))
    let language = try Tool.run(["new-plugin", "Acme", "--lang", "rust", "--output", Tool.scratch.path + "/never"])
    #expect(language.status == 2)
    #expect(language.errors.contains("c or swift"))
    let existing = try Tool.run(["new-plugin", "Acme", "--output", Tool.scratch.path])
    #expect(existing.status == 1)
    #expect(existing.errors.contains("exists already"))
    let place = try Tool.run(["new-plugin", "Acme", "--output", "/proc/nowhere/acme"])
    #expect(place.status == 1)
    #expect(place.errors.contains("cannot be written"))
  }

  @Test func aMachineWithoutACompilerIsTold() throws {
    let result = try Tool.run(["new-plugin", "Acme", "--output", Tool.scratch.path + "/toolless"], environment: ["PATH": "/nonexistent"])
    #expect(result.status == 0)
    #expect(result.errors.contains("no C compiler"))
    #expect(FileManager.default.fileExists(atPath: Tool.scratch.path + "/toolless/acme.c"))
  }
}
