import Foundation
import Testing
import _TestSupport
@testable import BackplaneTuner

/// The search on spaces of real devices, each of whose configurations was timed.
@Suite struct RecordingTests {
  static let recordings: [RecordedSpace] = {
    let folder = packageFolder + "/Tests/Fixtures/tuning"
    let files = (try? FileManager.default.contentsOfDirectory(atPath: folder))?.filter { $0.hasSuffix(".jsonl") }.sorted() ?? []
    return files.compactMap { try? RecordedSpace(file: folder + "/" + $0) }
  }()

  @Test func theRecordingsAreWhole() {
    #expect(RecordingTests.recordings.count >= 5)
    for recording in RecordingTests.recordings {
      #expect(Set(recording.order) == Set(recording.space.configurations()), "\(recording.header.case)")
      #expect(recording.order.allSatisfy { recording.time($0) != nil })
    }
  }

  @Test func theSearchIsNearTheOptimumAfter32Trials() {
    for recording in RecordingTests.recordings {
      let shares = (0..<10).map { Replay.shares(recording, strategy: .full, budgets: [8, 32], randomSeed: UInt64($0)) }
      print("replay  \(recording.header.case)  \(recording.order.count) configurations, median after 8: \(Statistics.median(shares.map { $0[0] })), after 32: \(Statistics.median(shares.map { $0[1] }))")
      #expect(Statistics.median(shares.map { $0[1] }) > 0.9, "\(recording.header.case)")
    }
  }

  /// The race finds, from samples as they were measured, what the medians say is fastest, or what is within its reach.
  @Test func theRaceFindsWhatTheMediansSay() throws {
    for recording in RecordingTests.recordings {
      let control = recording.space.standard!, others = recording.order.filter { $0 != control }
      let result = try Race().run(control: control, Array(others.prefix(12)), sampler: ReplaySampler(recording, seed: 7))
      let best = ([control] + others.prefix(12)).compactMap { recording.time($0) }.min()!
      #expect(best / recording.time(result.winner(recording.space).configuration)! > 0.8, "\(recording.header.case)")
    }
  }
}
