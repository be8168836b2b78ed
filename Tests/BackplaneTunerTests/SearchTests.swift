import BackplaneCore
import BackplaneRegistry
import Foundation
import Testing
import _TestSupport
@testable import BackplaneTuner

@Suite struct SearchTests {
  @Test func everyListedConfigurationIsLegalAndListedOnce() throws {
    let space = try tiledSpace(), all = space.configurations()
    #expect(all.count > 500 && Set(all).count == all.count)
    #expect(all.allSatisfy(space.isLegal))
    // Counted by hand: the constraint over all combinations.
    var count = 5
    for rows in [1, 2, 4, 8, 16] { for columns in [1, 2, 4, 8, 16] { for depth in [16, 32, 64, 128, 256] where rows * columns <= 64 && 4 * depth * (rows + columns) <= 16384 { count += 10 } } }
    #expect(all.count == count)
  }

  @Test func neighboursDifferInOneParameterAndAreLegal() throws {
    let space = try tiledSpace(), center = space.variants[1].standard
    let neighbours = space.neighbours(of: center)
    #expect(neighbours.allSatisfy(space.isLegal) && !neighbours.contains(center))
    for neighbour in neighbours where neighbour.variant == center.variant {
      #expect(zip(neighbour.values, center.values).filter { $0 != $1 }.count == 1)
    }
    #expect(neighbours.contains { $0.variant == "plain" })
  }

  @Test func theDefaultComesFirstThenTheStoresSeeds() throws {
    let space = try tiledSpace(), seed = Configuration(variant: "tiled", values: [8, 4, 128, 8, 0])
    var search = Search(space, seeds: [seed, Configuration(variant: "tiled", values: [16, 16, 256, 8, 0]), seed])
    #expect(search.next(2) == [space.standard!, seed])
  }

  @Test func noConfigurationIsAskedForTwiceAndASmallSpaceIsTriedWhole() throws {
    let space = TuningSpace(variants: [Variant(name: "a", parameters: [.init(name: "n", standard: 2, values: [1, 2, 3]), .init(name: "m", standard: 1, values: [1, 2])])])
    var search = Search(space), asked: [Configuration] = []
    while let candidate = search.next(1).first {
      asked.append(candidate)
      search.tell(candidate, Double(candidate.values[0]))
    }
    #expect(asked.count == 6 && Set(asked).count == 6)
  }

  @Test func equalAnswersGiveEqualQuestions() throws {
    let space = try tiledSpace()
    func path(_ seed: UInt64) -> [Configuration] {
      var search = Search(space, randomSeed: seed), asked: [Configuration] = []
      for _ in 0..<40 { for candidate in search.next(1) { asked.append(candidate); search.tell(candidate, time(candidate, space)) } }
      return asked
    }
    #expect(path(3) == path(3) && path(3) != path(4))
  }

  @Test func rejectedConfigurationsDoNotStopTheSearch() throws {
    let recording = try recording()
    var search = Search(recording.space, randomSeed: 1)
    for _ in 0..<60 {
      for candidate in search.next(1) { search.tell(candidate, candidate.values.first == 8 ? nil : recording.time(candidate)) }
    }
    #expect(search.best != nil && search.best!.configuration.values.first != 8)
    #expect(search.tried.filter { $0.microseconds == nil }.count > 0)
  }

  /// The median of eight seeds after 32 of a thousand configurations, and beside chance.
  @Test func theSearchIsNearTheOptimumAfter32Trials() throws {
    let recording = try recording()
    func median(_ strategy: Search.Strategy) -> Double {
      Statistics.median((0..<8).map { Replay.shares(recording, strategy: strategy, budgets: [32], randomSeed: UInt64($0))[0] })
    }
    let (full, random) = (median(.full), median(.random))
    #expect(full > 0.8, "\(full)")
    #expect(full > random)
  }

  @Test func aRecordingComesBackFromItsFile() throws {
    let recording = try recording(), folder = try TemporaryFolder(), path = folder.path + "/space.jsonl"
    let text = recording.text
    try (text + "[1,[4,").write(toFile: path, atomically: true, encoding: .utf8)
    let back = try RecordedSpace(file: path)
    #expect(back.space.hash == recording.space.hash && back.order == recording.order)
    #expect(abs(back.optimum!.microseconds / recording.optimum!.microseconds - 1) < 1e-4)
    try ("nonsense\n" + text).write(toFile: path, atomically: true, encoding: .utf8)
    #expect(throws: BackplaneError.self) { try RecordedSpace(file: path) }
  }

  @Test func bucketsCoverARangeWithoutGaps() {
    #expect(Bucket.covering(1...100) == [1...1, 2...2, 3...3, 4...4, 5...8, 9...12, 13...16, 17...24, 25...32, 33...48, 49...64, 65...96, 97...100])
    for extent in 1...3000 { #expect(Bucket.of(extent) >= extent && Bucket.of(Bucket.of(extent)) == Bucket.of(extent)) }
  }
}
