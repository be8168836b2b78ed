public import BackplaneCore
public import BackplaneRegistry
import Foundation

/// A space with the times of every configuration, measured once: searches can be judged on it without a device and without noise.
///
/// As a file: JSON lines. The first says what was measured and where, with the variants, their parameters, values and constraints; each further one is
/// `[variant, [values of its free parameters …], [microseconds …]]`, with no times for a configuration that was rejected.
public struct RecordedSpace: Sendable {
  public struct Header: Codable, Sendable {
    public struct Parameter: Codable, Sendable {
      public var name: String
      public var kind: UInt32
      public var standard: Int
      public var values: [Int]
    }
    public struct Variant: Codable, Sendable {
      public var name: String
      public var parameters: [Parameter]
      public var constraint: String
    }
    public var format = 1
    /// The case's ID.
    public var `case`: String
    public var device: String
    public var driver: String
    /// Day of the recording.
    public var date: String
    public var variants: [Variant]
  }
  public var header: Header
  public let space: TuningSpace
  /// Microseconds, one a block; empty for a rejected one.
  public private(set) var samples: [Configuration: [Double]] = [:]
  public private(set) var order: [Configuration] = []

  public init(header: Header) throws(BackplaneError) {
    self.header = header
    var variants: [Variant] = []
    for variant in header.variants {
      variants.append(Variant(name: variant.name, parameters: variant.parameters.map { .init(name: $0.name, kind: .init(rawValue: $0.kind) ?? .number, standard: $0.standard, values: $0.values) },
                              constraint: variant.constraint.isEmpty ? nil : try Formula(variant.constraint)))
    }
    space = TuningSpace(variants: variants)
  }

  public init(of space: TuningSpace, case id: String, device: String, driver: String, date: String) {
    self.space = space
    header = Header(case: id, device: device, driver: driver, date: date, variants: space.variants.map { v in
      .init(name: v.name, parameters: v.parameters.map { .init(name: $0.name, kind: $0.kind.rawValue, standard: $0.standard, values: $0.values) }, constraint: v.constraint?.text ?? "")
    })
  }

  public mutating func add(_ configuration: Configuration, _ microseconds: [Double]) {
    if samples[configuration] == nil { order.append(configuration) }
    samples[configuration] = microseconds
  }

  /// - Throws: ``BackplaneError`` (file): the line that cannot be read. A torn last line is left out.
  public init(file: String) throws(BackplaneError) {
    guard let text = try? String(contentsOfFile: file, encoding: .utf8) else { throw BackplaneError(.file, "cannot be read", subject: file) }
    let lines = text.split(separator: "\n")
    guard let first = lines.first, let header = try? JSONDecoder().decode(Header.self, from: Data(first.utf8)) else {
      throw BackplaneError(.file, "its first line is no header of a recorded space", subject: file)
    }
    try self.init(header: header)
    for (number, line) in lines.enumerated().dropFirst() {
      guard let list = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [Any], list.count == 3, let v = list[0] as? Int, space.variants.indices.contains(v),
            let free = list[1] as? [Int], let times = list[2] as? [NSNumber], free.count == space.variants[v].free.count else {
        if number == lines.count - 1 { break }
        throw BackplaneError(.file, "line \(number + 1) is no [variant, values, times]", subject: file)
      }
      var configuration = space.variants[v].standard
      for (index, value) in zip(space.variants[v].free, free) { configuration.values[index] = value }
      add(configuration, times.map(\.doubleValue))
    }
  }

  public var headerLine: String { String(decoding: (try? JSONRecord.encoder.encode(header)) ?? Data(), as: UTF8.self) + "\n" }

  /// The whole file, one line for each configuration.
  public var text: String { headerLine + order.map(line).joined() }

  public func line(_ configuration: Configuration) -> String {
    let v = space.variants.firstIndex { $0.name == configuration.variant } ?? 0
    let times = (samples[configuration] ?? []).map { String(format: "%.6g", $0) }
    return "[\(v),[\(space.variants[v].free.map { String(configuration.values[$0]) }.joined(separator: ","))],[\(times.joined(separator: ","))]]\n"
  }

  /// Median microseconds; nil for one that was rejected or not recorded.
  public func time(_ configuration: Configuration) -> Double? {
    guard let list = samples[configuration], !list.isEmpty else { return nil }
    return Statistics.median(list)
  }

  public var optimum: (configuration: Configuration, microseconds: Double)? {
    order.compactMap { c in time(c).map { (c, $0) } }.min { $0.1 < $1.1 }
  }
}

/// Gives a recording's samples back in the place of a device's times.
public final class ReplaySampler: Sampler {
  private let recording: RecordedSpace
  private var random: SplitMix

  public init(_ recording: RecordedSpace, seed: UInt64) { (self.recording, random) = (recording, SplitMix(seed)) }

  public func block(_ configurations: [Configuration]) -> [Double?] {
    configurations.map { configuration in
      guard let list = recording.samples[configuration], !list.isEmpty else { return nil }
      return list[random.below(list.count)]
    }
  }
}

/// How good a search is on a recording: its best time so far as a share of the optimum, after so many trials.
public enum Replay {
  /// optimum / best so far after each of `budgets` trials; 0 where nothing legal was found yet.
  ///
  /// - Parameter batch: Asked for at a time, as ``Tuner`` does: answers come when all of them are timed.
  public static func shares(_ recording: RecordedSpace, strategy: Search.Strategy, seeds: [Configuration] = [], budgets: [Int], randomSeed: UInt64, batch: Int = 6) -> [Double] {
    guard let optimum = recording.optimum?.microseconds else { return budgets.map { _ in 0 } }
    var search = Search(recording.space, seeds: seeds, strategy: strategy, randomSeed: randomSeed)
    var shares: [Double] = [], count = 0
    for budget in budgets.sorted() {
      while count < budget {
        let asked = search.next(min(batch, budget - count))
        if asked.isEmpty { break }
        for candidate in asked { search.tell(candidate, recording.time(candidate)) }
        count += asked.count
      }
      shares.append(search.best.map { optimum / $0.microseconds } ?? 0)
    }
    return shares
  }

  /// Configurations that were good in other recordings, for a search in `space`: the greedy choice of those that together come nearest to each
  /// recording's optimum. What a store gives for a shape that it has not seen.
  public static func portfolio(_ others: [RecordedSpace], for space: TuningSpace, count: Int = 8) -> [Configuration] {
    var tables: [[Configuration: Double]] = []
    for other in others {
      guard let optimum = other.optimum?.microseconds else { continue }
      var table: [Configuration: Double] = [:]
      for configuration in other.order {
        guard let time = other.time(configuration), let here = space.configuration(other.space.request(configuration)) else { continue }
        table[here] = max(table[here] ?? 0, optimum / time)
      }
      tables.append(table)
    }
    return Portfolio.choose(tables, count)
  }
}

enum Portfolio {
  /// - Parameter tables: For each problem a share of its optimum by configuration.
  static func choose(_ tables: [[Configuration: Double]], _ count: Int) -> [Configuration] {
    let candidates = Set(tables.flatMap(\.keys)).sorted { "\($0)" < "\($1)" }
    var chosen: [Configuration] = [], reached = [Double](repeating: 0, count: tables.count)
    while chosen.count < count {
      let gains = candidates.map { candidate in
        zip(tables, reached).reduce(0.0) { $0 + max(($1.0[candidate] ?? 0) - $1.1, 0) }
      }
      // When nothing is gained any more, the next best of each by itself.
      guard let at = gains.indices.max(by: { gains[$0] < gains[$1] }) else { break }
      let isNew = !chosen.contains(candidates[at])
      if gains[at] > 1e-4, isNew { chosen.append(candidates[at]) } else {
        let rest = candidates.filter { !chosen.contains($0) }
        guard let next = rest.max(by: { a, b in tables.reduce(0.0) { $0 + ($1[a] ?? 0) } < tables.reduce(0.0) { $0 + ($1[b] ?? 0) } }) else { break }
        chosen.append(next)
      }
      for (i, table) in tables.enumerated() { reached[i] = max(reached[i], table[chosen.last!] ?? 0) }
    }
    return chosen
  }
}
