import Foundation
import Testing

/// What llama.cpp generated greedily from the same file (Tests/Peers/llama_greedy.py).
private struct Fixture: Decodable {
  struct Case: Decodable {
    var prompt: String
    var prompt_token_ids, token_ids: [Int]
    /// Distance between llama.cpp's two largest logits at each step.
    var gaps: [Double]
  }
  var cases: [Case]
}

/// llama.cpp rounds activations to 8 bits. At the ends of these prompts that moves the distance between its two best candidates by 0.07 to 0.34
/// against f32 arithmetic (its logits' cosine to ours is 0.9976 to 0.9999; ours to the oracle's 0.9999999). Where its best two are closer than
/// this, either choice is right.
private let nearTie = 0.25

@Suite(.enabled(if: Tool.gemma != nil, "BACKPLANE_TEST_MODEL does not name the Gemma 3 270M file")) struct RealModelTests {
  @Test func greedyTextEqualsLlamaCppUpToNearTies() throws {
    let fixture = try JSONDecoder().decode(Fixture.self, from: Data(contentsOf: Tool.fixture("models/gemma3_270m_greedy.json")))
    for expected in fixture.cases {
      let result = try Tool.run(["run", Tool.gemma!, "--prompt", expected.prompt, "--tokens", "\(expected.token_ids.count)", "--greedy", "--device", "cpu", "--json"])
      try #require(result.status == 0, "\(result.errors)")
      let report = try result.json()
      #expect(report["prompt_token_ids"] as? [Int] == expected.prompt_token_ids, "tokens of \(expected.prompt.debugDescription)")
      let ids = try #require(report["token_ids"] as? [Int])
      if let step = zip(ids, expected.token_ids).enumerated().first(where: { $1.0 != $1.1 })?.offset {
        #expect(expected.gaps[step] < nearTie, "\(expected.prompt.debugDescription) diverges at step \(step), where llama.cpp's best two are \(expected.gaps[step]) apart")
      } else {
        #expect(ids.count == expected.token_ids.count || ids.count < expected.token_ids.count)
      }
    }
  }

  @Test func everyNodeOfGemmaStaysWithinItsBound() throws {
    let result = try Tool.run(["verify", Tool.gemma!, "--device", "cpu", "--prompt", "The three primary colors are", "--json"])
    #expect(result.status == 0, "\(result.errors)\(result.output.suffix(2000))")
    let report = try result.json()
    #expect(report["failed_nodes"] as? Int == 0)
    #expect(report["cosine"] as? Double ?? 0 >= 0.9999)
    #expect(report["top1_agreement"] as? Double == 1)
  }
}
