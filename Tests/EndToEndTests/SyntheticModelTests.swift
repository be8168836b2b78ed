import Foundation
import Testing

private let architectures = ["gemma3", "llama", "qwen2", "qwen3"]

@Suite struct SyntheticModelTests {
  @Test(arguments: architectures) func everyNodeOfAModelStaysWithinItsBound(architecture: String) throws {
    let result = try Tool.run(["verify", Tool.synthetic(architecture), "--device", "cpu", "--prompt", "the quick brown fox", "--json"])
    #expect(result.status == 0, "\(result.errors)\(result.output)")
    let report = try result.json()
    #expect(report["failed_nodes"] as? Int == 0)
    #expect(report["nodes"] as? Int ?? 0 > 10)
    #expect(report["cosine"] as? Double ?? 0 >= 0.9999)
  }

  @Test(arguments: architectures, ["scalar", "avx2", "auto"]) func everyLevelGeneratesTheOraclesText(architecture: String, isa: String) throws {
    let model = try Tool.synthetic(architecture)
    let arguments = ["run", model, "--prompt", "hello world", "--tokens", "12", "--greedy", "--json"]
    let expected = try Tool.run(arguments + ["--device", "reference"])
    let got = try Tool.run(arguments + ["--device", "cpu"], environment: ["BACKPLANE_CPU_ISA": isa])
    #expect(expected.status == 0, "\(expected.errors)")
    #expect(got.status == 0, "\(got.errors)")
    #expect(try got.json()["token_ids"] as? [Int] == expected.json()["token_ids"] as? [Int])
  }

  @Test func aRunReportsWhatTheDocumentationPromises() throws {
    let result = try Tool.run(["run", Tool.synthetic("gemma3"), "--prompt", "hello", "--tokens", "5", "--greedy", "--device", "cpu", "--json"])
    let report = try result.json()
    #expect((report["token_ids"] as? [Int])?.count ?? 0 <= 5)
    #expect(report["text"] is String)
    #expect((report["prompt_token_ids"] as? [Int])?.isEmpty == false)
    for key in ["prompt_tokens_per_second", "decode_tokens_per_second"] { #expect((report[key] as? Double ?? 0) > 0, "\(key)") }
    #expect((report["peak_memory_bytes"] as? Int ?? 0) > 1_000_000)
    #expect(report["placement"] != nil)
  }

  @Test func chunkedPromptsGiveTheSameTextAsWholeOnes() throws {
    let arguments = ["run", try Tool.synthetic("gemma3"), "--prompt", String(repeating: "hello world ", count: 12), "--tokens", "8", "--greedy", "--json", "--device", "cpu"]
    let whole = try Tool.run(arguments)
    let chunked = try Tool.run(arguments + ["--batch", "7"])
    #expect(whole.status == 0 && chunked.status == 0, "\(whole.errors)\(chunked.errors)")
    #expect(try whole.json()["token_ids"] as? [Int] == chunked.json()["token_ids"] as? [Int])
  }

  @Test func samplingRepeatsWithItsSeed() throws {
    let arguments = ["run", try Tool.synthetic("llama"), "--prompt", "hello", "--tokens", "16", "--temperature", "1.5", "--json", "--device", "cpu", "--seed"]
    let (a, b, c) = try (Tool.run(arguments + ["1"]), Tool.run(arguments + ["1"]), Tool.run(arguments + ["2"]))
    #expect(try a.json()["token_ids"] as? [Int] == b.json()["token_ids"] as? [Int])
    #expect(try a.json()["token_ids"] as? [Int] != c.json()["token_ids"] as? [Int])
  }

  @Test func logitsAreWrittenAsNumpyArrays() throws {
    let file = Tool.scratch.appendingPathComponent("logits.npy")
    let result = try Tool.run(["run", Tool.synthetic("gemma3"), "--prompt", "hello", "--tokens", "1", "--greedy", "--device", "cpu", "--logits", file.path])
    #expect(result.status == 0, "\(result.errors)")
    let bytes = try Data(contentsOf: file)
    #expect(bytes.prefix(6) == Data([0x93] + Array("NUMPY".utf8)))
    let header = String(decoding: bytes.dropFirst(10).prefix(118), as: UTF8.self)
    #expect(header.contains("'descr': '<f4'") && header.contains("'fortran_order': False"))
  }

  @Test func explainDrawsTheMemoryPlan() throws {
    let picture = Tool.scratch.appendingPathComponent("plan.svg")
    let result = try Tool.run(["explain", Tool.synthetic("gemma3"), "--device", "cpu", "--svg", picture.path])
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.output.contains("matmul"))
    #expect(try String(contentsOf: picture, encoding: .utf8).contains("<svg"))
  }

  @Test func tokenizeRoundTrips() throws {
    let result = try Tool.run(["tokenize", Tool.synthetic("llama"), "--text", "hello world", "--json"])
    #expect(result.status == 0, "\(result.errors)")
    #expect((try result.json()["token_ids"] as? [Int])?.isEmpty == false)
  }
}
