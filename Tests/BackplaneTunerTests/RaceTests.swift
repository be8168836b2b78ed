import BackplaneRegistry
import Foundation
import Testing
@testable import BackplaneTuner

/// Times of a law with noise, a drift, and a machine that is busy at times.
private final class NoisySampler: Sampler {
  let truth: [Configuration: Double]
  var noise = 0.01, drift = 0.0
  var isBusy: (Int) -> Bool = { _ in false }
  private(set) var blocks = 0
  private var random: SplitMix
  private var clock = 0.0

  init(_ truth: [Configuration: Double], seed: UInt64) { (self.truth, random) = (truth, SplitMix(seed)) }

  func block(_ configurations: [Configuration]) -> [Double?] {
    blocks += 1
    return configurations.enumerated().map { i, configuration in
      clock += 1
      guard let time = truth[configuration] else { return nil }
      let busy = isBusy(blocks) && i == 0 ? 1.5 : 1
      return time * busy * (1 + drift * clock) * (1 + noise * (Double(random.below(2001)) / 1000 - 1))
    }
  }
}

@Suite struct RaceTests {
  private func named(_ name: String) -> Configuration { Configuration(variant: name, values: []) }
  private func space(_ names: [String]) -> TuningSpace { TuningSpace(variants: names.map { Variant(name: $0, parameters: []) }) }

  @Test(arguments: 0..<20) func theFastestWinsAndTheSlowLeaveEarly(seed: Int) throws {
    let names = ["default", "a", "b", "c", "d", "e"]
    let sampler = NoisySampler(Dictionary(uniqueKeysWithValues: zip(names.map(named), [100, 60, 90, 130, 300, 500])), seed: UInt64(seed))
    let result = try Race().run(control: named("default"), names.dropFirst().map(named), sampler: sampler)
    #expect(result.winner(space(names)).configuration == named("a"))
    #expect(result.standings.first { $0.configuration == named("e") }!.leftAfter == 3)
    #expect(result.standings[0].samples.count == result.blocks)
  }

  @Test(arguments: 0..<20) func whatIsNotFasterWithCertaintyNeverReplacesTheDefault(seed: Int) throws {
    let names = ["default", "a", "b"]
    let sampler = NoisySampler(Dictionary(uniqueKeysWithValues: zip(names.map(named), [100, 100, 104])), seed: UInt64(seed))
    sampler.noise = 0.014
    let winner = try Race().run(control: named("default"), names.dropFirst().map(named), sampler: sampler).winner(space(names))
    // Chance lets a configuration that is equal win now and then, never one that is slower.
    #expect(winner.configuration != named("b"))
  }

  @Test func aSteadyDriftOfTheMachineChangesNothing() throws {
    let names = ["default", "a", "b"]
    let sampler = NoisySampler(Dictionary(uniqueKeysWithValues: zip(names.map(named), [100, 80, 95])), seed: 1)
    (sampler.noise, sampler.drift) = (0.002, 0.004)
    let result = try Race().run(control: named("default"), names.dropFirst().map(named), sampler: sampler)
    #expect(result.winner(space(names)).configuration == named("a"))
    #expect(abs(result.standings[1].ratio - 0.8) < 0.02)
  }

  @Test func blocksInWhichTheControlJumpsAreThrownAway() throws {
    let names = ["default", "a"]
    let sampler = NoisySampler(Dictionary(uniqueKeysWithValues: zip(names.map(named), [100, 80])), seed: 1)
    sampler.isBusy = { $0 % 3 == 0 }
    let result = try Race().run(control: named("default"), [named("a")], sampler: sampler)
    #expect(result.discarded >= 3 && result.isUnquiet)
    #expect(abs(result.standings[1].ratio - 0.8) < 0.02)
  }

  /// What is fastest at the tuned extent and slower than the default at an end of its bucket is not for the bucket.
  @Test func aChoiceMustHoldAtTheEndsOfItsBucket() throws {
    let names = ["default", "narrow", "steady"], all = names.map(named)
    func race(_ times: [Double]) throws -> Race.Result {
      let sampler = NoisySampler(Dictionary(uniqueKeysWithValues: zip(all, times)), seed: 1)
      sampler.noise = 0.002
      return try Race().run(control: all[0], Array(all.dropFirst()), sampler: sampler, stopAt: 8)
    }
    let own = try race([100, 60, 70]), low = try race([50, 55, 40]), high = try race([120, 70, 74])
    #expect(own.winner(space(names)).configuration == all[1])
    #expect(own.winner(space(names), edges: [low, high]).configuration == all[2])
    #expect(abs(try #require(Race.Result.regret(all[2], [low, high])) - (74.0 / 70 - 1)) < 0.01)
    // Faster everywhere, but far from the best at one end, where another is near it at all of them.
    #expect(own.winner(space(names), edges: [try race([100, 60, 40])]).configuration == all[2])
    #expect(own.winner(space(names), edges: [try race([100, 110, 120])]).configuration == all[0])
    // Faster everywhere as well, but the time was up after a block or two.
    var short = try race([100, 60, 40])
    for k in short.standings.indices { short.standings[k].ratios.removeLast(short.standings[k].ratios.count - 2) }
    #expect(own.winner(space(names), edges: [short]).configuration == all[0])
  }

  @Test func aRaceWhoseTimeIsUpHasOneBlockAndProvesNothing() throws {
    let names = ["default", "fast"], sampler = NoisySampler([named("default"): 100, named("fast"): 50], seed: 1)
    sampler.isBusy = { _ in true }  // each block drifts too much
    let result = try Race().run(control: named("default"), [named("fast")], sampler: sampler, shouldStop: { true })
    #expect(result.blocks == 1 && result.standings.allSatisfy { $0.samples.count == 1 })
    #expect(result.winner(space(names)).configuration == named("default"))
    let whole = try Race().run(control: named("default"), [named("fast")], sampler: NoisySampler(sampler.truth, seed: 1))
    #expect(whole.winner(space(names)).configuration == named("fast"))
  }

  @Test func oneThatFailsIsOutAndTheRaceGoesOn() throws {
    let names = ["default", "a", "broken"]
    let sampler = NoisySampler([named("default"): 100, named("a"): 50], seed: 1)
    let result = try Race().run(control: named("default"), [named("broken"), named("a")], sampler: sampler)
    #expect(result.standings.first { $0.configuration == named("broken") }!.failed)
    #expect(result.winner(space(names)).configuration == named("a"))
  }

  @Test func ofEqualOnesTheChoiceIsTheSameEveryTime() throws {
    let standard = Variant(name: "k", parameters: [.init(name: "n", standard: 1, values: [1, 2, 3, 4])])
    let space = TuningSpace(variants: [standard]), all = space.configurations()
    let truth = Dictionary(uniqueKeysWithValues: zip(all, [100.0, 70.1, 70.0, 70.05]))
    let winners = Set(try (0..<20).map { seed in
      let sampler = NoisySampler(truth, seed: UInt64(seed))
      sampler.noise = 0.004
      return try Race().run(control: all[0], Array(all.dropFirst()), sampler: sampler).winner(space).configuration
    })
    #expect(winners == [all[1]])
  }

  @Test func theMediansIntervalHoldsTheMedianMostTimes() {
    var random = SplitMix(9), held = 0
    for _ in 0..<400 {
      let values = (0..<16).map { _ in Double(random.below(100_000)) }
      if Statistics.medianInterval(values).contains(50_000) { held += 1 }
    }
    #expect(held > 370)
  }
}
