import BackplaneRegistry
import Foundation
import Testing
import _TestSupport
@testable import BackplaneTuner

@Suite struct RecorderTests {
  /// A device on which another program comes and goes for forty blocks: what is not wide, like the default, takes half as long again then.
  final class SharedDevice: Sampler {
    let space: TuningSpace
    var blocks = 0
    init(_ space: TuningSpace) { self.space = space }

    func block(_ configurations: [Configuration]) -> [Double?] {
      let isBusy = blocks / 40 % 3 == 1
      blocks += 1
      return configurations.map { c in time(c, space) * (isBusy && c.values.last != 1 ? 1.5 : 1) }
    }
  }

  func isRight(_ configuration: Configuration) -> Bool { configuration.values.first != 16 }

  @Test func aProgramThatComesAndGoesDoesNotMakeAConfigurationTheFastest() throws {
    let empty = try emptyRecording(), space = empty.space
    var recorder = SpaceRecorder(empty, standard: space.standard!, sampler: SharedDevice(space), samples: 5)
    #expect(try recorder.run(isRight: isRight, keep: { _ in }, progress: { _ in }, shouldStop: { false }))
    let recording = recorder.recording
    let isWhole = space.configurations().allSatisfy { recording.samples[$0]?.isEmpty == !isRight($0) }
    #expect(isWhole)
    let least = space.configurations().filter(isRight).map { time($0, space) }.min()!
    #expect(time(recording.optimum!.configuration, space) < 1.01 * least)
  }

  @Test func itGoesOnWhereItWasEnded() throws {
    let empty = try emptyRecording(), space = empty.space
    var lines = empty.headerLine, groups = 0, recording = empty
    let folder = try TemporaryFolder(), path = folder.path + "/space.jsonl"
    for limit in [3, 50, 400, 1_000_000] {
      var recorder = SpaceRecorder(recording, standard: space.standard!, sampler: SharedDevice(space), samples: 3)
      let isWhole = try recorder.run(isRight: isRight, keep: { lines += $0 }, progress: { _ in }, shouldStop: { groups += 1; return groups > limit })
      #expect(isWhole == (limit > 1000))
      try lines.write(toFile: path, atomically: true, encoding: .utf8)
      recording = try RecordedSpace(file: path)
      let isSame = recording.samples.mapValues(\.count) == recorder.recording.samples.mapValues(\.count)
      #expect(isSame)
    }
    #expect(recording.samples.values.allSatisfy { $0.isEmpty || $0.count >= 3 })
    try recording.text.write(toFile: path, atomically: true, encoding: .utf8)
    let isSame = try RecordedSpace(file: path).samples == recording.samples
    #expect(isSame)
  }

  private func emptyRecording() throws -> RecordedSpace {
    RecordedSpace(of: try tiledSpace(), case: "matmul/a=f32.64x512/b=f32.512x512", device: "test", driver: "1", date: "2026-01-01")
  }
}
