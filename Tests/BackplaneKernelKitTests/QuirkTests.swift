import BackplaneABI
import BackplaneCore
@testable import BackplaneKernelKit
import BackplanePluginKit
import Foundation
import Testing
import _TestSupport

/// Quirks: which drivers they are about, what they change, and what is wrong with a file of them.
@Suite struct QuirkTests {
  private let driver = DriverIdentity(platform: "Portable Computing Language", vendor: "GenuineIntel", device: "pthread-haswell", driver: "3.1+debian")

  private func quirk(_ match: String, _ rest: String = "") throws -> Quirk {
    try Quirk.list(text: #"{"format": 1, "quirks": [{"name": "q", "why": "w", "match": {\#(match)}\#(rest)}]}"#, file: "q.json")[0]
  }

  @Test(arguments: [
    (#""platform": "Portable*""#, true), (#""platform": "*Computing*", "device": "pthread-*""#, true), (#""platform": "*", "device": "cuda-*""#, false),
    (#""platform": "Portable""#, false), (#""driver": "3.*""#, true), (#""vendor": "*", "since": "3.1""#, true), (#""vendor": "*", "since": "3.1.1""#, false),
    (#""vendor": "*", "before": "3.10""#, true), (#""vendor": "*", "before": "3.1""#, false), (#""vendor": "*", "since": "2", "before": "4""#, true),
  ])
  func aDriverIsMatchedByTextsAndVersion(_ match: String, _ expected: Bool) throws {
    #expect(try quirk(match).matches(driver) == expected)
  }

  @Test func versionsAreTheFirstNumbersOfAText() {
    #expect(Quirk.version("3.1+debian") == [3, 1] && Quirk.version("OpenCL 1.2 Mesa 22.3.6") == [1, 2] && Quirk.version("none").isEmpty)
    #expect(Quirk.version("535.99999999999999999999") == [535, Int.max])
  }

  @Test(arguments: [
    ("{", "line 1"), (#"{"format": 2}"#, "this build reads 1"), (#"{"format": 1, "quirks": [{"why": "w"}]}"#, "'name' is missing"),
    (#"{"format": 1, "quirks": [{"name": "q", "why": "w", "match": {}}]}"#, "names no driver"),
    (#"{"format": 1, "quirks": [{"name": "q", "why": "w", "match": {"driver": "*", "since": "new"}}]}"#, "no number"),
    (#"{"format": 1, "quirks": [{"name": "q", "why": "w", "match": {"driver": "*"}, "defines": {"A": "b"}}]}"#, "no whole number"),
    (#"{"format": 1, "quirks": [{"name": "q", "why": "w", "match": {"driver": "*"}, "disable": []}]}"#, "'disable' is not a known field"),
  ])
  func whatIsWrongIsSaid(_ text: String, _ words: String) {
    do {
      _ = try Quirk.list(text: text, file: "quirks.json")
      Issue.record("\(text) was taken")
    } catch { #expect("\(error)".contains(words) && "\(error)".contains("quirks.json"), "\(error)") }
  }

  @Test func traitsTakeThemOver() throws {
    var traits = DeviceTraits(isCPU: true, features: ["fp16", "fp64"], values: [:], overrides: ["v.depth": 9])
    traits.apply([try quirk(#""driver": "*""#, #", "without": ["fp16"], "avoid": ["bad"], "parameters": {"depth": 3, "w.depth": 4}, "defines": {"SLOW": 1}"#)])
    #expect(traits.features == ["fp64"] && traits.withheld == ["fp16"] && traits.avoided == ["bad"] && traits.defines == ["SLOW=1"] && traits.quirks == ["q"])
    let parameter = VariantTemplate.Parameter(name: "depth", onCPU: 1, onGPU: 2, choices: [])
    let values = ["v", "w", "x"].map { traits.value(of: parameter, VariantTemplate(name: $0, file: "", isUsers: false, operators: [])) }
    #expect(values == [9, 4, 3], "the user's comes first, then a quirk's for the variant, then a quirk's for all")
  }

  // MARK: A library with quirks

  private static let manifest = """
    {"format": 1, "kernels": {"k": {"source": "k.cl", "arguments": ["buffer y", "buffer x"], "global": ["elements(y)"], "local": [1]}},
     "variants": [
       {"name": "plain", "operators": ["relu"], "inputs": ["x: f32"], "outputs": ["y: f32"], "launches": [{"kernel": "k"}]},
       {"name": "half", "operators": ["relu"], "features": ["fp16"], "inputs": ["x: f32"], "outputs": ["y: f32"], "launches": [{"kernel": "k"}]}]}
    """
  private static func list(_ rest: String) -> String {
    #"{"format": 1, "quirks": [{"name": "q", "why": "w", "match": {"platform": "Portable*"}, \#(rest)}]}"#
  }

  /// The variant that relu gets, or the reason why none.
  private func chosen(_ quirks: String, users: String? = nil, forced: String? = nil, setting: String? = nil) throws -> String {
    let folder = try TemporaryFolder()
    if let users { try users.write(toFile: folder.path + "/quirks.json", atomically: true, encoding: .utf8) }
    let library = try KernelLibrary(files: [("k.cl", "x"), ("m.json", QuirkTests.manifest), ("quirks.json", quirks)], suffix: ".cl", userFolder: folder.path)
    #expect(library.problems.isEmpty, "\(library.problems)")
    var traits = DeviceTraits(isCPU: true, features: ["fp16"], values: [:], forced: try library.forced { _ in forced })
    traits.apply(try library.quirks(of: driver) { _ in setting })
    let graph = try ABIGraph(Graph(
      tensors: [TensorDescription(name: "x", format: .f32, shape: [4], role: .input), TensorDescription(name: "y", format: .f32, shape: [4], role: .intermediate)],
      nodes: [Node(op: "relu", inputs: [TensorID(0)], outputs: [TensorID(1)])], inputs: [TensorID(0)], outputs: [TensorID(1)]))
    return try withExtendedLifetime(graph) {
      let lowering = NodeLowering(try GraphReader(graph.pointer), library, traits)
      do throws(Refusal) { return try lowering.choose(0).name } catch { return "reason \(error.reason)" }
    }
  }

  @Test func aQuirkKeepsAwayFromAFeatureOrAVariant() throws {
    #expect(try chosen(#"{"format": 1}"#) == "half")
    #expect(try chosen(QuirkTests.list(#""without": ["fp16"]"#)) == "plain")
    #expect(try chosen(QuirkTests.list(#""avoid": ["half"]"#)) == "plain")
    #expect(try chosen(QuirkTests.list(#""avoid": ["half", "plain"]"#)) == "reason \(BP_REASON_QUIRK)")
  }

  @Test func theUserAddsQuirksAndOverridesThem() throws {
    #expect(try chosen(#"{"format": 1}"#, users: QuirkTests.list(#""avoid": ["half"]"#)) == "plain")
    #expect(try chosen(QuirkTests.list(#""avoid": ["half"]"#), forced: "half") == "half")
    #expect(try chosen(QuirkTests.list(#""avoid": ["half"]"#), setting: "off") == "half")
    #expect(throws: PluginError.self) { try chosen(#"{"format": 1}"#, setting: "maybe") }
  }

  @Test func aProgramIsLookedForInThePath() {
    #expect(isInPath("sh") && !isInPath("no-such-program-anywhere"))
  }
}
