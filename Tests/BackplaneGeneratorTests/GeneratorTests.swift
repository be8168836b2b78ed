import BackplaneCore
@testable import BackplaneGenerator
import Foundation
import Testing

/// The root of the checkout, from where this file stands.
private let checkout = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

/// A copy of the specs and of what is generated, removed at the end.
private final class Copy {
  let root: String

  init() throws {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("backplane-generator-\(UUID().uuidString)")
    self.root = url.path
    let include = url.appendingPathComponent("Sources/BackplaneABI/include")
    try FileManager.default.createDirectory(at: include, withIntermediateDirectories: true)
    try FileManager.default.copyItem(atPath: "\(checkout)/Specs", toPath: url.appendingPathComponent("Specs").path)
    try FileManager.default.copyItem(atPath: "\(checkout)/Sources/BackplaneABI/include/backplane_plugin.h",
                                     toPath: include.appendingPathComponent("backplane_plugin.h").path)
  }
  deinit { try? FileManager.default.removeItem(atPath: root) }

  func text(_ path: String) throws -> String { try String(contentsOfFile: "\(root)/\(path)", encoding: .utf8) }
  func write(_ text: String, to path: String) throws { try text.write(toFile: "\(root)/\(path)", atomically: true, encoding: .utf8) }
  func replace(_ old: String, _ new: String, in path: String) throws {
    let text = try text(path)
    try #require(text.contains(old), "\(path) no longer has \(old)")
    try write(text.replacingOccurrences(of: old, with: new), to: path)
  }
}

@Suite struct GeneratorTests {
  @Test func theGeneratedFilesAreFresh() throws {
    #expect(try Generator.check(root: checkout) == [], "run `backplane generate`")
  }

  @Test func everyGeneratedFileSaysSoInLineOne() throws {
    for product in try Generator.products(root: checkout) where !product.path.hasSuffix("backplane_plugin.h") {
      let first = product.text.prefix { $0 != "\n" }
      #expect(first.contains("Generated from") && first.contains("`backplane generate`"), "\(product.path)")
    }
  }

  @Test func runWritesOnlyWhatIsStale() throws {
    let copy = try Copy()
    #expect(try Generator.run(root: copy.root).count == 5, "the four Swift files and the C header were not copied")
    #expect(try Generator.run(root: copy.root) == [])
    try copy.replace("Computes |x|", "Takes |x|", in: "Specs/operators/abs.json")
    let stale = ["Sources/BackplaneSpecs/Catalogue.generated.swift", "Sources/BackplaneSpecs/GraphBuilder+Operators.generated.swift",
                 "Specs/operators/README.md", "Specs/operators/abs.md"]
    #expect(try Generator.check(root: copy.root) == stale)
    #expect(try Generator.run(root: copy.root) == stale)
  }

  @Test func thePageOfAnOperatorThatIsGoneGoesToo() throws {
    let copy = try Copy()
    _ = try Generator.run(root: copy.root)
    try FileManager.default.removeItem(atPath: "\(copy.root)/Specs/operators/abs.json")
    #expect(try Generator.check(root: copy.root).contains("Specs/operators/abs.md"))
    _ = try Generator.run(root: copy.root)
    #expect(!FileManager.default.fileExists(atPath: "\(copy.root)/Specs/operators/abs.md"))
  }

  @Test func aHandWrittenPageStays() throws {
    let copy = try Copy()
    try copy.write("# mine\n", to: "Specs/operators/mine.md")
    _ = try Generator.run(root: copy.root)
    #expect(try copy.text("Specs/operators/mine.md") == "# mine\n")
  }

  @Test(arguments: ["c11", "c++11"]) func theHeaderCompilesWithoutWarnings(standard: String) throws {
    let compiler = Process()
    compiler.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    compiler.arguments = [standard == "c11" ? "cc" : "c++", "-std=\(standard)", "-x", standard == "c11" ? "c" : "c++", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
                          "-fsyntax-only", "-I\(checkout)/Sources/BackplaneABI/include", "-"]
    let input = Pipe()
    compiler.standardInput = input
    try compiler.run()
    // A switch over all operators: two equal numbers would not compile.
    let operators = try SpecFolder(root: checkout).operators.map { "case BP_OP_\($0.name.uppercased()): return 1;" }.joined(separator: "\n")
    input.fileHandleForWriting.write(Data("""
      #include "backplane_operators.h"
      #include "backplane_plugin.h"
      int known(bp_id op);
      int known(bp_id op) { switch (op) { \(operators) default: return BP_RMS_NORM_EPSILON + BP_ATTENTION_IN_MASK; } }

      """.utf8))
    try input.fileHandleForWriting.close()
    compiler.waitUntilExit()
    #expect(compiler.terminationStatus == 0)
  }

  @Test func namesWithOneNumberAreDetected() {
    #expect(Validation.collision(among: ["a", "b", "a"]) == nil)
    let pair = Validation.collision(among: ["matmul", "softmax", "scale"], hash: { UInt64($0.utf8.count) })
    #expect(pair == nil)
    let same = Validation.collision(among: ["matmul", "softmax", "concat"], hash: { UInt64($0.utf8.count) })
    #expect(same?.0 == "matmul" && same?.1 == "concat")
  }

  /// A change to a file, and a piece of the message it must bring.
  struct Fault: CustomStringConvertible, Sendable {
    let path, old, new, message: String
    init(_ file: String, _ old: String, _ new: String, _ message: String) { (path, self.old, self.new, self.message) = ("Specs/\(file).json", old, new, message) }
    var description: String { "\(path): \(new)" }
  }

  static let faults: [Fault] = [
    Fault("operators/abs", "\"tier\"", "\"teir\"", "'teir' is not a known field"),
    Fault("operators/abs", "\"name\": \"x\",", "\"name\": \"x\", \"layout\": 1,", "input 0: 'layout' is not a known field"),
    Fault("operators/abs", "\"version\": 1", "\"version\": \"1\"", "'version' is no whole number"),
    Fault("operators/abs", "\"version\": 1,", "\"version\": 1", "line "),
    Fault("operators/abs", "\"op\": \"abs\"", "\"op\": \"absolute\"", "not the file's name"),
    Fault("operators/abs", "\"level\": \"core\"", "\"level\": \"basic\"", "'basic' is none of"),
    Fault("operators/abs", "@float", "@floats", "the set '@floats' is unknown"),
    Fault("operators/abs", "@float", "f31", "the format 'f31' is unknown"),
    Fault("operators/abs", "\"=x\"", "\"=z\"", "does not name an input"),
    Fault("operators/abs", "\"=x\"", "\"@float\"", "which of its formats"),
    Fault("operators/abs", "\"in_place\": \"x\"", "\"in_place\": \"z\"", "which is no input"),
    Fault("operators/abs", "\"bound\": \"exact\"", "\"bound\": \"about\"", "the bound 'about' is unknown"),
    Fault("operators/abs", "\"bound\": \"exact\"", "\"bound\": \"ulp\"", "'ulp' goes with"),
    Fault("operators/rms_norm", "\"default\": 1e-06", "\"default\": \"small\"", "'small' is no float"),
    Fault("operators/rms_norm", "\"default\": 1e-06", "\"default\": -1", "less than the minimum"),
    Fault("operators/rms_norm", "\"name\": \"weight_offset\"", "\"name\": \"epsilon\"", "has the name of"),
    Fault("operators/rms_norm", "\"name\": \"weight_offset\"", "\"name\": \"Offset\"", "no lower-case word"),
    Fault("operators/rms_norm", "\"name\": \"weight_offset\"", "\"name\": \"n\"", "has the name of an extent"),
    Fault("operators/rms_norm", "n >= 1", "n >= ", "expected a value"),
    Fault("operators/rms_norm", "n >= 1", "m >= 1", "'m' is neither an extent nor an attribute"),
    Fault("operators/rms_norm", "n >= 1", "size(x) >= 1", "the function 'size' is unknown"),
    Fault("operators/rms_norm", "n >= 1", "block(w) >= 1", "'w' is no operand"),
    Fault("operators/rms_norm", "\"id\": \"C1\"", "\"id\": \"C2\"", "labelled 'C2', not 'C1'"),
    Fault("operators/rms_norm", "\"... n\"", "\"... n ...\"", "two spreads"),
    Fault("operators/argmax", "\"shape\": \"...\"", "\"shape\": \"... m\"", "no input binds the extent 'm'"),
    Fault("operators/cast", "\"default\": \"f32\"", "\"default\": \"f31\"", "none of its values"),
    Fault("operators/cast", "\"format_attribute\": \"to\"", "\"format_attribute\": \"from\"", "no string attribute"),
    Fault("operators/matmul", "transpose_b == 0\"", "K == 0\"", "may ask for attributes only"),
    Fault("operators/concat", "\"shape_rule\": \"concat\"", "\"shape_rule\": \"join\"", "'join' is unknown"),
    Fault("operators/add_rms_norm", "\"op\": \"rms_norm\"", "\"op\": \"rsm_norm\"", "there is no such operator"),
    Fault("operators/add_rms_norm", "\"residual\"\n      ],\n      \"outputs\"", "\"rest\"\n      ],\n      \"outputs\"", "'rest' is no operand"),
    Fault("operators/add_rms_norm", "\"$epsilon\"", "\"$eps\"", "'$eps' is no attribute of add_rms_norm"),
    Fault("operators/add_rms_norm", "\"epsilon\": \"$epsilon\"", "\"eps\": 1", "it has no attribute 'eps'"),
    Fault("operators/add_rms_norm", "\"epsilon\": \"$epsilon\"", "\"epsilon\": \"x\"", "'x' is no float"),
    Fault("operators/add_rms_norm", "\"outputs\": [\n        \"y\"\n      ]", "\"outputs\": [\n        \"z\"\n      ]", "does not make 'y'"),
    Fault("formats/q4_0", "\"block_bytes\": 18", "\"block_bytes\": 20", "are 18 bytes, block_bytes says 20"),
    Fault("formats/q4_1", "\"ggml_type\": 3", "\"ggml_type\": 2", "'ggml_type' 2 is q4_0's too"),
    Fault("formats/f32", "\"kind\": \"float\"", "\"kind\": \"real\"", "'real' is none of"),
    Fault("abi/reasons", "\"code\": 5", "\"code\": 6", "codes are given in order"),
    Fault("abi/registry", "\"f32\", ", "", "differ: f32"),
    Fault("abi/registry", "\"value\": -2", "\"value\": -1", "one number twice"),
  ]

  @Test(arguments: faults) func aFaultInASpecIsNamedWithFileAndPlace(fault: Fault) throws {
    let copy = try Copy()
    try copy.replace(fault.old, fault.new, in: fault.path)
    let error = #expect(throws: BackplaneError.self) { try Generator.run(root: copy.root) }
    #expect(error?.kind == .file)
    #expect(error?.subject == fault.path)
    #expect(error?.message.contains(fault.message) == true, "\(error?.description ?? "")")
  }

  @Test func namesThatMakeOneMacroAreRefused() throws {
    // abs.in_x is the attribute index BP_ABS_IN_X, which is already the operand's.
    let copy = try Copy()
    try copy.replace("\"attributes\": []", "\"attributes\": [{\"name\": \"in_x\", \"type\": \"int\", \"default\": 0, \"text\": \"t\"}]", in: "Specs/operators/abs.json")
    let error = #expect(throws: BackplaneError.self) { try Generator.run(root: copy.root) }
    #expect(error?.message == "two names make the macro BP_ABS_IN_X")
  }

  @Test func aHeaderWithoutMarkersIsRefused() throws {
    let copy = try Copy()
    try copy.replace("/* END registry */", "", in: "Sources/BackplaneABI/include/backplane_plugin.h")
    #expect(throws: BackplaneError(.file, "")) { try Generator.check(root: copy.root) }
  }

  @Test func aFolderThatIsNoRootIsRefused() {
    #expect(throws: BackplaneError(.file, "")) { try Generator.check(root: "/nonexistent") }
  }
}

@Suite struct JSONTests {
  @Test func valuesKeepTheirKindAndOrder() throws {
    let json = try JSON.parse(#" {"b": [1, 1.0, -2e3, true, null], "a": "x\n\u00e9\ud83d\ude00"} "#)
    #expect(json == .object([.init(key: "b", value: .array([.int(1), .float(1), .float(-2000), .bool(true), .null])), .init(key: "a", value: .string("x\né😀"))]))
    #expect(try JSON.parse("9223372036854775807") == .int(.max))
  }

  @Test(arguments: ["", "{", "[1,]", "{\"a\" 1}", "{\"a\": 1, \"a\": 2}", "\"open", "nul", "01x", "1 2", "[1 2]", "\"\\q\"", "\"\\ud800\"", "{a: 1}",
                    String(repeating: "[", count: 1000), "99999999999999999999"])
  func whatIsNoJSONIsRefused(text: String) { #expect(throws: BackplaneError(.file, "")) { try JSON.parse(text) } }
}
