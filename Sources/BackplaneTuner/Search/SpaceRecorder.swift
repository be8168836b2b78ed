public import BackplaneRegistry

/// Times every configuration of a space for a ``RecordedSpace``, or those that are missing in one. One thread at a time.
///
/// A pass times each configuration once, in an order of its own: what the machine does for a while hits different ones in each pass, and their medians leave it out.
public struct SpaceRecorder {
  public private(set) var recording: RecordedSpace
  private let sampler: any Sampler
  private let standard: Configuration
  /// Samples of each configuration.
  private let samples: Int
  /// Microseconds of the default, to which all are ratios.
  private var unit: Double
  private let group = 8

  /// - Parameters:
  ///   - standard: The default of the recording's space.
  public init(_ recording: RecordedSpace, standard: Configuration, sampler: any Sampler, samples: Int) {
    (self.recording, self.standard, self.sampler, self.samples, unit) = (recording, standard, sampler, samples, recording.time(standard) ?? 0)
  }

  /// - Parameters:
  ///   - isRight: Whether a configuration may be timed: one that computes something else is recorded without times.
  ///   - keep: Gets lines of the file as soon as they are known; a later one of the same configuration takes the place of the first.
  ///   - progress: Gets a line for people.
  ///   - shouldStop: Asked before each group of configurations.
  /// - Returns: Whether the recording is whole.
  public mutating func run(isRight: (Configuration) -> Bool, keep: (String) throws -> Void, progress: (String) -> Void, shouldStop: () -> Bool) throws -> Bool {
    let all = recording.space.configurations()
    for count in 1...samples {
      // A configuration without a sample after the first pass is one that was rejected.
      let short = all.filter { c in recording.samples[c].map { !$0.isEmpty && $0.count < count } ?? true }
      guard try pass(short, "pass \(count) of \(samples)", isRight, keep, progress, shouldStop) else { return false }
    }
    // The fastest of thousands are so by chance, too: they are timed again, until those that are fastest have been.
    for _ in 0..<6 {
      let fastest = recording.order.compactMap { c in recording.time(c).map { (c, $0) } }.sorted { $0.1 < $1.1 }.prefix(48).map(\.0)
      let again = fastest.filter { recording.samples[$0]!.count < 4 * samples }
      if again.isEmpty { break }
      for _ in 0..<3 * samples {
        guard try pass(again, "the fastest again", { _ in true }, keep, progress, shouldStop) else { return false }
      }
    }
    return true
  }

  /// - Returns: Whether it came to its end.
  private mutating func pass(_ list: [Configuration], _ name: String, _ isRight: (Configuration) -> Bool, _ keep: (String) throws -> Void, _ progress: (String) -> Void, _ shouldStop: () -> Bool) throws -> Bool {
    var order = list
    var random = SplitMix(UInt64(recording.order.reduce(list.count) { $0 + (recording.samples[$1]?.count ?? 0) }))
    random.shuffle(&order)
    for first in stride(from: 0, to: order.count, by: group) {
      if shouldStop() { return false }
      let some = order[first..<min(first + group, order.count)]
      let right = some.filter { recording.samples[$0] != nil || isRight($0) }
      for configuration in some where !right.contains(configuration) { recording.add(configuration, []) }
      for (configuration, time) in try time(right) { recording.add(configuration, (recording.samples[configuration] ?? []) + [time]) }
      try keep(some.filter { recording.samples[$0] != nil }.map(recording.line).joined())
      progress("\(name): \(first + some.count) of \(order.count) configurations")
    }
    return true
  }

  /// As ratios to the default, timed before and after: what the machine does meanwhile cancels. A block in which it does too much is timed again.
  private mutating func time(_ some: [Configuration]) throws -> [(Configuration, Double)] {
    for _ in 0..<8 where !some.isEmpty {
      guard let block = try sampler.block(of: some, control: standard), block.drift < 0.1 else { continue }
      if unit == 0 { unit = block.control }
      return zip(some, block.results).compactMap { configuration, result in result.map { (configuration, $0.ratio * unit) } }
    }
    return []
  }
}
