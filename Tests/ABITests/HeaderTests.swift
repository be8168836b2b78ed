import Foundation
import Testing
import _TestSupport

@Suite struct HeaderTests {
  @Test func theHeaderKeepsItsHouseRules() throws {
    let header = try Header()
    #expect(header.records.count > 30, "clang's dump was not understood")
    #expect(HouseRules.violations(header) == [])
  }

  @Test(arguments: [
    ("uint32_t rank;", "enum { A } rank;", "enum"),
    ("uint32_t rank;", "uint32_t rank : 4;", "bit-field"),
    ("uint32_t rank;", "_Bool rank;", "_Bool"),
    ("uint32_t rank;", "long rank;", "long"),
    ("uint32_t rank;", "size_t rank;", "size_t"),
    ("uint32_t rank;", "union { int32_t a; float b; } rank;", "union"),
    ("uint32_t rank;", "float rank;", "float"),
    ("uint64_t value_hash;", "uint32_t value_hash;", "padding at its end"),
    ("uint32_t rank;\n", "uint64_t rank;\n", "padding before"),
    ("uint64_t value_hash;", "uint64_t value_hash[];", "flexible array"),
    ("const bp_graph *graph;", "bp_graph graph;", "embeds bp_graph"),
    ("typedef struct bp_clock {\n  bp_head h;", "typedef struct bp_clock {", "bp_clock does not begin with bp_head h"),
    ("void *ctx;\n", "void *ctx; void (*say)(void *, const char *, ...);\n", "varargs"),
    ("#define BP_MAX_DIMS 8", "#define BP_MAX_DIMS 8\n#define BP_ROUND(x) (x)", "function-like macro"),
  ])
  func theLintSeesABrokenRule(_ text: String, _ replacement: String, _ complaint: String) throws {
    let changed = try ChangedHeader(replacing: text, by: replacement)
    let found = HouseRules.violations(try Header(changed.path))
    #expect(found.contains { $0.contains(complaint) }, "\(found)")
  }

  @Test(arguments: [
    ("gcc", "c", "c11"), ("clang", "c", "c11"), ("g++", "c++", "c++11"), ("clang++", "c++", "c++11"),
  ])
  func theHeaderCompilesWithoutAWarning(_ compiler: String, _ language: String, _ standard: String) throws {
    let folder = try TemporaryFolder()
    let file = folder.path + "/use." + (language == "c" ? "c" : "cc")
    try "#define BP_EMIT_NOTE\n#include \"backplane_plugin.h\"\n#include \"backplane_operators.h\"\nint use(const bp_plugin *p) { return (int)p->flags; }\n".write(toFile: file, atomically: true, encoding: .utf8)
    var flags = ["-x", language, "-std=\(standard)", "-Wall", "-Wextra", "-Wpadded", "-pedantic", "-Werror", "-fsyntax-only"]
    flags += ["-I", URL(fileURLWithPath: Header.path).deletingLastPathComponent().path]
    try Tool(compiler).run(flags + [file])
  }
}

/// A copy of the header in which one text is replaced.
struct ChangedHeader {
  let folder: TemporaryFolder
  var path: String { folder.path + "/backplane_plugin.h" }

  init(replacing text: String, by replacement: String) throws {
    let header = try String(contentsOfFile: Header.path, encoding: .utf8)
    guard let range = header.range(of: text) else { throw Tool.Failure(description: "the header has no \"\(text)\" any more") }
    folder = try TemporaryFolder()
    try header.replacingCharacters(in: range, with: replacement).write(toFile: path, atomically: true, encoding: .utf8)
  }
}
