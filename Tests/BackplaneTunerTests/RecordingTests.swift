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
    #expect(RecordingTests.recordings.count >= 6)
    #expect(RecordingTests.recordings.filter { $0.order.count > 500 }.count >= 3)
    for recording in RecordingTests.recordings {
      #expect(Set(recording.order) == Set(recording.space.configurations()), "\(recording.header.case)")
      #expect(recording.optimum != nil && recording.time(recording.space.standard!) != nil, "\(recording.header.case)")
    }
  }

  /// Eleven seeds; `backplane tune replay` runs thirty.
  @Test(arguments: RecordingTests.recordings.map(\.header.case)) func theSearchIsNearTheOptimumAfter32Trials(id: String) throws {
    for recording in RecordingTests.recordings where recording.header.case == id {
      let shares = (0..<11).map { Replay.shares(recording, strategy: .full, budgets: [32], randomSeed: UInt64($0))[0] }
      #expect(Statistics.median(shares) > 0.8, "\(recording.header.case) on \(recording.header.device)")
    }
  }

  /// From samples as they were measured the race chooses nothing that is slower than the default by the medians of all of them.
  @Test func theRaceNeverChoosesWhatIsSlower() throws {
    for recording in RecordingTests.recordings {
      let control = recording.space.standard!, others = recording.order.filter { $0 != control && recording.time($0) != nil }
      let stride = max(others.count / 12, 1)
      let result = try Race().run(control: control, (0..<12).map { others[min($0 * stride, others.count - 1)] }, sampler: ReplaySampler(recording, seed: 7))
      let winner = result.winner(recording.space).configuration
      #expect(recording.time(winner)! <= recording.time(control)! * 1.02, "\(recording.header.case): \(winner)")
    }
  }
}
