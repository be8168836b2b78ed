import BackplanePlanner
import Testing


@Suite struct PlanPictureTests {
  @Test func everyTensorOfTheArenaHasATooltip() throws {
    let problem = PlanProblem(
      tensors: [
        Lifetime(name: "a<b & \"c\"\u{1}", sizeInBytes: 2048, steps: 0..<3), .bytes(64, 2..<4, arena: 1), .bytes(0, 0..<1),
        .bytes(100, 1..<3),
      ], aliases: [Alias(3, of: 0, offsetInBytes: 64)], arenas: [Arena(name: "R&D"), Arena()])
    let svg = PlanPicture.svg(of: try planAndValidate(problem), for: problem)
    #expect(svg.contains("<title>#0 &quot;a&lt;b &amp; &quot;c&quot; &quot;: 2 KiB at byte 0, steps 0..&lt;3</title>"))
    #expect(svg.contains("<title>#3: 100 B at byte 64, steps 1..&lt;3</title>"))
    #expect(!svg.contains("<title>#1") && !svg.contains("<title>#2"))
    #expect(svg.contains("lower bound") && svg.contains("R&amp;D"))
    #expect(elementCounts(svg)["rect"] == 3)
  }

  @Test func aThousandTensorsMakeWellFormedXml() throws {
    let problem = ProblemFamily.transformer.makeProblem(tensorCount: 1000, seed: 2)
    let svg = PlanPicture.svg(of: try Planner(orders: [.size]).plan(problem), for: problem)
    #expect(elementCounts(svg)["rect"] == 1001)
  }

  @Test func anEmptyArenaIsDrawn() throws {
    let problem = PlanProblem(tensors: [])
    #expect(elementCounts(PlanPicture.svg(of: try Planner().plan(problem), for: problem))["rect"] == 1)
  }

  /// Counts open tags and checks that each is closed, in order.
  private func elementCounts(_ xml: String) -> [Substring: Int] {
    var counts: [Substring: Int] = [:]
    var open: [Substring] = []
    for match in xml.matches(of: /<(\/?)([a-z]+)[^<>]*?(\/?)>/) {
      if match.1.isEmpty { counts[match.2, default: 0] += 1 }
      if !match.1.isEmpty { #expect(open.popLast() == match.2) } else if match.3.isEmpty { open.append(match.2) }
    }
    #expect(open.isEmpty)
    return counts
  }
}
