import Foundation
import Testing

/// What the tool says and does about devices, time and memory.
@Suite struct PlacementTests {
  private func file(_ name: String) -> String { Tool.scratch.appendingPathComponent(name).path }

  @Test func theReportIsWrittenAsTextJSONAndPicture() throws {
    let files = ["txt", "json", "svg"].map { file("placement.\($0)") }
    let result = try Tool.run(["explain", try Tool.synthetic("gemma3"), "--device", "npu,cpu", "--fallback", "allow", "--pin", "matmul=npu"] + files.flatMap { ["--placement", $0] })
    #expect(result.status == 0, "\(result.errors)")
    let text = try String(contentsOfFile: files[0], encoding: .utf8), svg = try String(contentsOfFile: files[2], encoding: .utf8)
    #expect(text.contains("changes of device") && text.contains("copy ") && text.contains("npu:0 refuses"))
    #expect(svg.hasPrefix("<svg") && svg.contains("npu:0") && svg.contains("<line"))
    let json = try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: files[1]))) as? [String: Any])
    let entries = try #require(json["entries"] as? [[String: Any]])
    #expect(entries.allSatisfy { $0["basis"] != nil && $0["estimatedNanoseconds"] != nil } && entries.contains { $0["device"] as? String == "npu:0" })
  }

  @Test func wrongOptionsAreRefusedWithWhatIsRight() throws {
    let model = try Tool.synthetic("llama")
    for (arguments, word) in [(["--placement", "x.pdf"], ".svg"), (["--pin", "matmul"], "NAME=VALUE"), (["--split", "2"], "from 0.0 to 1.0"), (["--fallback", "maybe"], "forbid"),
                              (["--device-memory", "cpu=much"], "200MB")] {
      let result = try Tool.run(["explain", model, "--device", "cpu"] + arguments)
      #expect(result.status == 2 && result.errors.contains(word), "\(arguments): \(result.errors)")
    }
    let result = try Tool.run(["explain", model, "--device", "cpu", "--pin", "nothing=cpu"])
    #expect(result.status == 1 && result.errors.contains("no node fits the pin nothing"), "\(result.errors)")
  }

  @Test func aTraceHasEveryDeviceOnOneAxis() throws {
    let trace = file("trace.json")
    let result = try Tool.run(["run", try Tool.synthetic("gemma3"), "--prompt", "abc", "--tokens", "3", "--greedy", "--device", "npu,cpu", "--fallback", "allow", "--pin", "matmul=npu",
                               "--trace", trace, "--json"])
    #expect(result.status == 0, "\(result.errors)")
    let json = try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: trace))) as? [String: Any])
    let events = try #require(json["traceEvents"] as? [[String: Any]])
    let rows = Set(events.filter { $0["ph"] as? String == "M" }.compactMap { ($0["args"] as? [String: String])?["name"] })
    #expect(rows.isSuperset(of: ["cpu", "npu:0", "npu:0, device clock", "npu:0, move"]), "\(rows)")
    let costs = try #require(try result.json()["estimated_costs"] as? [String: [String: Double]])
    #expect(costs["npu:0"]?["joules"] ?? 0 > 0)
  }

  @Test func aMemoryBudgetThatIsTooSmallNamesTheSmallestThatWorks() throws {
    let result = try Tool.run(["run", try Tool.synthetic("llama"), "--prompt", "abc", "--tokens", "2", "--device", "cpu", "--memory-budget", "2MB"])
    #expect(result.status == 1 && result.errors.contains("a memory budget of 2 MB is too small, the smallest that works is"), "\(result.errors)")
  }

  /// The real model in less memory than its weights take.
  @Test(.enabled(if: Tool.gemma != nil, "BACKPLANE_TEST_MODEL names no model")) func theRealModelRunsWithinAMemoryBudget() throws {
    let arguments = ["run", Tool.gemma!, "--prompt", "The capital of France is", "--tokens", "6", "--greedy", "--device", "cpu", "--context", "64", "--batch", "16", "--json"]
    let refusal = try Tool.run(arguments + ["--memory-budget", "10MB"])
    let smallest = try #require(refusal.errors.components(separatedBy: "the smallest that works is ").last?.split(separator: " ").first.flatMap { Int($0) }, "\(refusal.errors)")
    let free = try Tool.run(arguments).json(), paged = try Tool.run(arguments + ["--memory-budget", "\(smallest)MB"]).json()
    #expect(paged["token_ids"] as? [Int] == free["token_ids"] as? [Int])
    let (peak, freePeak) = (try #require(paged["peak_memory_bytes"] as? Int), try #require(free["peak_memory_bytes"] as? Int))
    #expect(peak <= smallest * 1_000_000 && peak < freePeak, "peak \(peak) of \(smallest) MB, without a budget \(freePeak)")
    print("Gemma within \(smallest) MB: peak \(peak / 1_000_000) MB, without a budget \(freePeak / 1_000_000) MB")
  }
}
