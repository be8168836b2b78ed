import Foundation
import Testing
import _TestSupport

/// What a C or C++ compiler and the linker see of the interface.
@Suite struct HeaderTests {
  private static let folders = ["Sources/BackplaneC/Header/include", "Sources/BackplaneABI/include"].map { "\(packageFolder)/\($0)" }

  @Test(arguments: [("gcc", "c", "c99"), ("clang", "c", "c99"), ("gcc", "c", "c17"), ("g++", "c++", "c++11"), ("clang++", "c++", "c++11"), ("g++", "c++", "c++20")])
  func theHeaderCompilesWithoutAWarning(compiler: String, language: String, standard: String) throws {
    let folder = try TemporaryFolder()
    let headers = ["#include <backplane.h>\n", "#include <backplane_plugin.h>\n"]
    // Alone, and beside the plugins' in either order.
    for (i, includes) in [headers[0], headers[0] + headers[1], headers[1] + headers[0] + headers[0]].enumerated() {
      let file = "\(folder.path)/use\(i).\(language == "c" ? "c" : "cc")"
      try (includes + "int use(bp_failure *failure) { return bp_memory(0, failure) == BP_E_INVALID; }\n").write(toFile: file, atomically: true, encoding: .utf8)
      try Tool(compiler).run(["-x", language, "-std=\(standard)", "-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only"] + HeaderTests.folders.flatMap { ["-I", $0] } + [file])
    }
  }

  /// The library exports each function of the header, and nothing else.
  @Test func theLibraryHasWhatTheHeaderDeclares() throws {
    let header = try String(contentsOfFile: HeaderTests.folders[0] + "/backplane.h", encoding: .utf8)
    let declared = Set(header.matches(of: /(?m)^BP_API .*?(bp_\w+)\(/).map { String($0.output.1) })
    #expect(declared.count > 40, "\(declared)")
    let exported = try Tool("nm").run(["-D", "-g", "--defined-only", "--format=just-symbols", buildFolder + "/libBackplaneC.so"])
    #expect(Set(exported.split(separator: "\n").map(String.init)) == declared)
  }
}
