import BackplaneModels
import Foundation
import Testing
import _TestSupport

@Suite struct SamplerTests {
  /// How often each token is drawn.
  private func counts(_ logits: [Float], _ options: SamplingOptions, draws: Int = 4_000) throws -> [Int] {
    var sampler = try Sampler(options)
    var counts = [Int](repeating: 0, count: logits.count)
    for _ in 0..<draws { counts[Int(try sampler.next(logits))] += 1 }
    return counts
  }

  /// Expects frequencies within 5 standard deviations of `probabilities`, and no draw where the probability is 0.
  private func expect(_ counts: [Int], like probabilities: [Double], at location: SourceLocation = #_sourceLocation) {
    let draws = Double(counts.reduce(0, +))
    for (i, p) in probabilities.enumerated() {
      let deviation = (draws * p * (1 - p)).squareRoot()
      #expect(abs(Double(counts[i]) - draws * p) <= 5 * deviation + 1e-9, "token \(i): \(counts[i]) of \(draws), probability \(p)",
              sourceLocation: location)
    }
  }

  /// Logits of the probabilities ½ ¼ ⅛ ⅛, in another order.
  private let logits: [Float] = [-2.0794415, -0.6931472, -2.0794415, -1.3862944]

  @Test func greedyTakesTheLargest() throws {
    var sampler = try Sampler()
    #expect(try sampler.next([0, 3, -1, 2]) == 1)
    #expect(try sampler.next([-5]) == 0)
    #expect(try sampler.next([-.infinity, -3, -.infinity]) == 1)
    #expect(sampler.drawn == 0)
  }

  @Test func equalLogitsGiveTheLowestNumber() throws {
    var sampler = try Sampler()
    #expect(try sampler.next([1, 7, 7, 7]) == 1)
    var top = try Sampler(SamplingOptions(temperature: 1, topK: 1))
    #expect(try top.next([1, 7, 7, 7]) == 1)
  }

  @Test func frequenciesFollowTheDistribution() throws {
    expect(try counts(logits, SamplingOptions(temperature: 1, seed: 1)), like: [0.125, 0.5, 0.125, 0.25])
  }

  @Test func temperatureSharpensAndFlattens() throws {
    // Squares of the probabilities, and their square roots, normalised.
    expect(try counts(logits, SamplingOptions(temperature: 0.5, seed: 2)), like: [1.0 / 22, 16.0 / 22, 1.0 / 22, 4.0 / 22])
    let roots = [0.125, 0.5, 0.125, 0.25].map { $0.squareRoot() }
    expect(try counts(logits, SamplingOptions(temperature: 2, seed: 3)), like: roots.map { $0 / roots.reduce(0, +) })
    expect(try counts(logits, SamplingOptions(temperature: 1e-300, seed: 3), draws: 100), like: [0, 1, 0, 0])
    expect(try counts(logits, SamplingOptions(temperature: 1e300, seed: 4)), like: [0.25, 0.25, 0.25, 0.25])
  }

  @Test func topKKeepsThatMany() throws {
    expect(try counts(logits, SamplingOptions(temperature: 1, topK: 2, seed: 4)), like: [0, 2.0 / 3, 0, 1.0 / 3])
    // Of two equal tokens the lower number stays.
    expect(try counts(logits, SamplingOptions(temperature: 1, topK: 3, seed: 5)), like: [1.0 / 7, 4.0 / 7, 0, 2.0 / 7])
    expect(try counts(logits, SamplingOptions(temperature: 1, topK: 100, seed: 6)), like: [0.125, 0.5, 0.125, 0.25])
  }

  @Test func topPKeepsTheFewestThatReachIt() throws {
    expect(try counts(logits, SamplingOptions(temperature: 1, topP: 0.4, seed: 7)), like: [0, 1, 0, 0])
    expect(try counts(logits, SamplingOptions(temperature: 1, topP: 0.6, seed: 8)), like: [0, 2.0 / 3, 0, 1.0 / 3])
    expect(try counts(logits, SamplingOptions(temperature: 1, topP: 0.8, seed: 9)), like: [1.0 / 7, 4.0 / 7, 0, 2.0 / 7])
    expect(try counts(logits, SamplingOptions(temperature: 1, topP: 0.9, seed: 10)), like: [0.125, 0.5, 0.125, 0.25])
    // After top-k its share is of what top-k left: ½ is two thirds of ¾.
    expect(try counts(logits, SamplingOptions(temperature: 1, topK: 2, topP: 0.66, seed: 11)), like: [0, 1, 0, 0])
  }

  @Test func minPIsRelativeToTheLikeliest() throws {
    expect(try counts(logits, SamplingOptions(temperature: 1, minP: 0.4, seed: 12)), like: [0, 2.0 / 3, 0, 1.0 / 3])
    expect(try counts(logits, SamplingOptions(temperature: 1, minP: 0.2, seed: 13)), like: [0.125, 0.5, 0.125, 0.25])
    expect(try counts(logits, SamplingOptions(temperature: 1, minP: 1, seed: 14)), like: [0, 1, 0, 0])
    expect(try counts(logits, SamplingOptions(temperature: 1, topP: 0.9, minP: 0.4, seed: 15)), like: [0, 2.0 / 3, 0, 1.0 / 3])
  }

  @Test func impossibleTokensAreNeverDrawn() throws {
    let logits: [Float] = [-.infinity, 0, -.infinity, 0, -.infinity]
    for options in [SamplingOptions(temperature: 1), SamplingOptions(temperature: 1, topK: 4), SamplingOptions(temperature: 5, topP: 0.99),
                    SamplingOptions(temperature: 1, minP: 0.1)] {
      expect(try counts(logits, options, draws: 2000), like: [0, 0.5, 0, 0.5, 0])
    }
  }

  @Test func aSeedRepeatsItselfAndCanBeTakenUpAnywhere() throws {
    let logits = (0..<1000).map { Float($0 % 17) / 4 }
    let options = SamplingOptions(temperature: 1, seed: 99)
    var a = try Sampler(options), b = try Sampler(options), other = try Sampler(SamplingOptions(temperature: 1, seed: 100))
    let first = try (0..<50).map { _ in try a.next(logits) }
    #expect(try (0..<50).map { _ in try b.next(logits) } == first)
    #expect(try (0..<50).map { _ in try other.next(logits) } != first)
    var later = try Sampler(options, drawn: 30)
    #expect(try (30..<50).map { _ in try later.next(logits) } == Array(first[30...]))
  }

  @Test func filtersThatCutNothingChangeNothing() throws {
    var random = SeededGenerator(seed: 5)
    let logits = (0..<5000).map { _ in Float.random(in: -6...6, using: &random) }
    var all = try Sampler(SamplingOptions(temperature: 0.8, seed: 3))
    var topK = try Sampler(SamplingOptions(temperature: 0.8, topK: 4999, seed: 3))
    var topP = try Sampler(SamplingOptions(temperature: 0.8, topP: 0.9999999, seed: 3))
    for _ in 0..<30 {
      let token = try all.next(logits)
      #expect(try topK.next(logits) == token)
      #expect(try topP.next(logits) == token)
    }
  }

  @Test func everyFilterAgreesWithASortOfEverything() throws {
    var random = SeededGenerator(seed: 6)
    for _ in 0..<10 {
      let logits = (0..<3000).map { _ in (Float.random(in: -1...1, using: &random) * 40).rounded() / 8 }
      let sorted = logits.indices.sorted { (logits[$0], $1) > (logits[$1], $0) }
      let options = SamplingOptions(temperature: 1, topK: [0, 50, 2000].randomElement(using: &random)!, topP: Double.random(in: 0.05...0.999, using: &random))
      var kept = options.topK > 0 ? Array(sorted[..<options.topK]) : sorted
      let weights = kept.map { Double(logits[$0] - logits[sorted[0]]) }.map { exp($0) }
      var sum = 0.0
      let count = weights.firstIndex { sum += $0; return sum >= options.topP * weights.reduce(0, +) } ?? weights.count - 1
      kept = Array(kept[...count])
      var sampler = try Sampler(options)
      let allowed = Set(kept)
      // One token beside the edge: our exponential is good to 1e-5.
      let edge = Set(sorted[max(0, count - 1)...min(sorted.count - 1, count + 1)])
      for _ in 0..<20 {
        let token = Int(try sampler.next(logits))
        #expect(allowed.contains(token) || edge.contains(token))
      }
    }
  }

  @Test func logitsThatMeanNothingAreAnError() throws {
    var sampler = try Sampler(SamplingOptions(temperature: 1))
    #expect(throws: BackplaneError(.invalid, "")) { try sampler.next([]) }
    #expect(throws: BackplaneError(.invalid, "")) { try sampler.next([0, .nan, 1]) }
    #expect(throws: BackplaneError(.invalid, "")) { try sampler.next([-.infinity, -.infinity]) }
    #expect(try sampler.next([0, .infinity, 1]) == 1)
  }

  @Test func optionsThatMeanNothingAreAnError() {
    for options in [SamplingOptions(temperature: -1), SamplingOptions(temperature: .nan), SamplingOptions(topK: -1), SamplingOptions(topP: 0),
                    SamplingOptions(topP: 1.1), SamplingOptions(minP: -0.1), SamplingOptions(minP: .nan)] {
      #expect(throws: BackplaneError(.invalid, "")) { try Sampler(options) }
    }
  }
}

@Suite struct PhiloxTests {
  /// The authors' known answers (Random123, kat_vectors).
  @Test func knownAnswers() {
    #expect(Philox(key: 0).block([0, 0, 0, 0]) == [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8])
    #expect(Philox(key: .max).block([.max, .max, .max, .max]) == [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd])
    #expect(Philox(key: 0x299f_31d0_a409_3822).block([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344])
      == [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1])
  }

  @Test func numbersFillTheUnitInterval() {
    let numbers = (0..<10_000).map { Philox(key: 7).uniform($0) }
    #expect(numbers.allSatisfy { (0..<1).contains($0) })
    #expect(abs(numbers.reduce(0, +) / 10_000 - 0.5) < 0.02)
  }
}
