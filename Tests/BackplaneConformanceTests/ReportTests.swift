import BackplaneCore
import BackplaneReference
import BackplaneRegistry
import BackplaneSpecs
import Foundation
import Testing
@testable import BackplaneConformance

@Suite struct WaiverTests {
  private func bad(_ id: String, _ outcome: CaseResult.Outcome = .fail, _ fault: String? = "values", ratio: Double = 3) -> CaseResult {
    var result = CaseResult(id: id, outcome: outcome, fault: fault)
    result.maxRatio = ratio
    return result
  }

  @Test func aWaiverCoversWrongValuesOfItsCases() {
    var results = [bad("exp/x=f16.3"), bad("log/x=f16.3")]
    Waivers([.init(id: "w1", cases: "exp/*", reason: "known", until: "2030-01-01")]).apply(to: &results, today: "2026-11-21")
    #expect(results.map(\.outcome) == [.waived, .fail])
    #expect(results[0].waiver == "w1")
  }

  @Test(arguments: [(CaseResult.Outcome.crashed, ""), (.hung, ""), (.error, ""), (.fail, "canary"), (.fail, "status"), (.fail, "verdict"), (.fail, "input")])
  func aWaiverNeverCoversWorse(outcome: CaseResult.Outcome, fault: String) {
    var results = [bad("exp/a", outcome, fault)]
    Waivers([.init(id: "w", cases: "*", reason: "", until: "2030-01-01")]).apply(to: &results, today: "2026-11-21")
    #expect(results[0].outcome == outcome)
  }

  @Test func aNumberThatBecameNaNIsNotWaived() {
    var result = bad("exp/a")
    result.firstBad = .init(output: "y", index: 0, expected: 1, actual: .nan, bound: 0.1)
    var results = [result]
    Waivers([.init(id: "w", cases: "*", reason: "", until: "2030-01-01")]).apply(to: &results, today: "2026-11-21")
    #expect(results[0].outcome == .fail)
  }

  @Test func anErrorBeyondTheLimitIsNotWaived() {
    var results = [bad("exp/a", ratio: 3), bad("exp/b", ratio: 1.5)]
    Waivers([.init(id: "w", cases: "exp/*", reason: "", until: "2030-01-01", maxError: 2)]).apply(to: &results, today: "2026-11-21")
    #expect(results.map(\.outcome) == [.fail, .waived])
  }

  @Test func aWaiverPastItsDayIsAFault() {
    var results = [bad("exp/a")]
    Waivers([.init(id: "old", cases: "exp/*", reason: "", until: "2026-11-20")]).apply(to: &results, today: "2026-11-21")
    #expect(results.map(\.id) == ["exp/a", "waiver/old"])
    #expect(results.count { $0.isBad } == 2)
  }

  @Test func aWaiverThatNobodyNeedsIsAFault() {
    var results = [CaseResult(id: "exp/a", outcome: .pass)]
    let waivers = Waivers([.init(id: "gone", cases: "exp/*", reason: "", until: "2030-01-01"), .init(id: "elsewhere", cases: "log/*", reason: "", until: "2030-01-01")])
    waivers.apply(to: &results, today: "2026-11-21")
    #expect(results.map(\.id) == ["exp/a", "waiver/gone"])
  }

  @Test func starsStandForAnything() {
    #expect(Waivers.matches("a*c*", "abccd"))
    #expect(Waivers.matches("*", ""))
    #expect(Waivers.matches("*/data=nan/*", "exp/x=f32.3/data=nan/mem=plain"))
    #expect(!Waivers.matches("a*d", "abc"))
    #expect(!Waivers.matches("abc", "abcd"))
  }
}

@Suite struct ReportTests {
  private func report(_ results: [CaseResult]) throws -> Report {
    let device = try Device(try PluginInstance(try PluginLibrary(inProcess: ReferencePlugin.table), host: .minimal()), index: 0)
    return Report(device, level: .llm, size: .quick, ops: [], results: results, started: Date(timeIntervalSince1970: 0), seconds: 1.5)
  }

  @Test func aReportIsReadAsItWasWritten() throws {
    var result = CaseResult(id: "exp/x=f32.3/data=nan/mem=plain", outcome: .fail, fault: "values")
    result.maxRatio = .infinity
    result.firstBad = .init(output: "y", index: 2, expected: .nan, actual: .infinity, bound: 0)
    result.makeFinite()
    let written = try report([result, CaseResult(id: "exp/b", outcome: .pass)])
    let read = try Report(json: try written.json())
    #expect(read.results.map(\.id) == written.results.map(\.id))
    #expect(!read.conformant)
    #expect(read.counts == ["fail": 1, "pass": 1])
  }

  @Test func otherFormsShowTheFailureAndHowToRepeatIt() throws {
    let written = try report([CaseResult(id: "exp/x=f32.3/data=normal/mem=plain", outcome: .fail, fault: "values", message: "a < b & \"c\""),
                              CaseResult(id: "exp/x=f16.3/data=normal/mem=plain", outcome: .pass)])
    let xml = JUnitReport.text(written)
    #expect(xml.contains("failures=\"1\""))
    #expect(xml.contains("a &lt; b &amp; &quot;c&quot;"))
    let html = HTMLReport.text(written)
    #expect(html.contains("conform replay 'exp/x=f32.3/data=normal/mem=plain' --device reference"))
    #expect(html.contains("NOT conformant"))
    #expect(!html.contains("src="))
  }

  @Test func aDifferenceIsWhatBrokeAndWhatMended() throws {
    let before = try report([CaseResult(id: "a", outcome: .pass), CaseResult(id: "b", outcome: .fail), CaseResult(id: "gone", outcome: .pass)])
    let after = try report([CaseResult(id: "a", outcome: .crashed), CaseResult(id: "b", outcome: .pass), CaseResult(id: "new", outcome: .pass)])
    let diff = ReportDiff(before, after)
    #expect(diff.broken.map(\.id) == ["a"])
    #expect(diff.mended.map(\.id) == ["b"])
    #expect((diff.added, diff.removed) == (1, 1))
  }

  @Test func aMissingRequiredOperatorIsNotConformant() {
    var result = CaseResult(id: "exp/x", outcome: .unsupported)
    #expect(!result.isBad)
    result.required = true
    #expect(result.isBad)
  }
}
