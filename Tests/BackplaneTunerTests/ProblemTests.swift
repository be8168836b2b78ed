import BackplaneConformance
import BackplaneCore
import BackplaneRegistry
import Testing
@testable import BackplaneTuner

/// What a choice stands for, how much work that is, and which cases judge it.
@Suite struct ProblemTests {
  @Test func eachClassOfNumericsHasItsOwnChoices() throws {
    let id = try CaseID("matmul/a=f32.64x512/b=q4_0.512x512")
    let problems = Numerics.allCases.map { Problem(id, numerics: $0) }
    #expect(Set(problems).count == 3 && problems.map(\.numerics) == Numerics.allCases)
  }

  @Test func outsideFastNumericsNothingRoundsThatTheDefaultDoesNot() {
    let exact = Variant(name: "exact", parameters: []), rounding = Variant(name: "rounding", declares: [NamedValue(id: Identifier("act_block"), value: .int(32))], parameters: [])
    #expect(TuningSpace(variants: [exact, rounding], numerics: .standard).variants.map(\.name) == ["exact"])
    #expect(TuningSpace(variants: [exact, rounding], numerics: .fast).variants.map(\.name) == ["exact", "rounding"])
    // A device whose own choice rounds says so; choosing among those that round the same takes nothing away.
    #expect(TuningSpace(variants: [rounding, exact], numerics: .standard).variants.map(\.name) == ["rounding", "exact"])
  }

  @Test func edgesAreTheEndsOfTheBucketAndWeightsStay() throws {
    let edges = Problem.edges(of: try CaseID("matmul/a=f32.60x512/b=q4_0.768x512"))
    #expect(edges.map { $0.inputs[0][0].shape } == [[49, 512], [64, 512]], "\(edges)")
    #expect(edges.allSatisfy { $0.inputs[1][0].shape == [768, 512] })
    #expect(Set(edges.map { Problem($0) }) == [Problem(try CaseID("matmul/a=f32.60x512/b=q4_0.768x512"))], "both ends are in the same bucket")
    #expect(Problem.edges(of: try CaseID("matmul/a=f32.1x512/b=q4_0.768x512")).isEmpty)
  }

  @Test func workIsCountedByHand() throws {
    let work = try CaseWork(try CaseID("matmul/a=f32.3x64/b=f32.5x64"))
    let elements = 3.0 * 64 + 5 * 64 + 3 * 5
    #expect(work.multiplyAdds == 960)
    #expect(work.bytes == 4 * elements)
    #expect(try CaseWork(try CaseID("matmul_gated/a=f32.3x64/gate=f32.5x64/up=f32.5x64")).multiplyAdds == 1920)
    #expect(try CaseWork(try CaseID("softmax/x=f32.4x10")).multiplyAdds == 0)
  }

  @Test func largeCasesAreJudgedByWhatTheOracleRepeatsInAMoment() throws {
    for id in ["matmul/a=f32.512x768/b=q4_K.2048x768", "matmul/a=f32.64x512/b=f32.512x512", "softmax/x=f32.64x1024", "rms_norm/x=f32.4096x4096/weight=f32.4096"] {
      let cases = try JudgingCases.ids(for: id).map { try CaseID($0) }
      #expect(cases.count >= 3, "\(id): \(cases)")
      for judged in cases { #expect(try CaseWork(judged).multiplyAdds < 1e7, "\(judged)") }
    }
    #expect(try JudgingCases.ids(for: "softmax/x=f32.64x128").first.map { try CaseID($0) } == CaseID("softmax/x=f32.64x128"), "what it can do is judged as it is")
  }

  @Test func aBudgetIsSharedByTheRootsOfWhatProblemsWeigh() {
    var left = 100.0, weights = [0.81, 0.16, 0.01, 0.0], given: [Double] = []
    while !weights.isEmpty {
      given.append(TuningBudget.share(of: left, weights: weights))
      left -= given.last!
      weights.removeFirst()
    }
    #expect(zip(given, [900.0 / 14, 400.0 / 14, 100.0 / 14, 0]).allSatisfy { abs($0 - $1) < 1e-9 }, "\(given)")
    #expect(TuningBudget.share(of: 30, weights: [0.0, 0, 0]) == 10)  // nothing is known of any
    #expect(TuningBudget.share(of: 30, weights: [1.0]) == 30)
  }
}
