import BackplaneCore
public import BackplaneRegistry

/// Something that can time configurations.
public protocol Sampler: AnyObject {
  /// Times each configuration once, one after the other: microseconds, in the order given; nil for one that failed.
  func block(_ configurations: [Configuration]) throws -> [Double?]
}

/// One block: configurations timed between two times of a control.
public struct ControlledBlock {
  /// Microseconds of the control, and how far its two times are apart, as a share of the shorter.
  public let control, drift: Double
  /// Microseconds of each configuration, and that to what the control would have taken in its place: a steady drift cancels. Nil for one that failed.
  public let results: [(microseconds: Double, ratio: Double)?]
}

extension Sampler {
  /// Times configurations between the control and the control; nil when that one fails.
  public func block(of configurations: [Configuration], control: Configuration) throws -> ControlledBlock? {
    let times = try block([control] + configurations + [control])
    guard let before = times.first ?? nil, let after = times.last ?? nil, times.count == configurations.count + 2 else { return nil }
    return ControlledBlock(control: (before + after) / 2, drift: abs(after - before) / min(before, after), results: configurations.indices.map { i in
      times[i + 1].map { ($0, $0 / (before + (after - before) * Double(i + 1) / Double(configurations.count + 1))) }
    })
  }
}

/// A race among configurations: all are timed in turn, block after block, and after 3, 5, 8, 16 and 32 blocks those leave that have certainly no chance.
///
/// A block times every configuration that is still in once, beginning with another one each time, and the control first and last: where the control has
/// drifted by more than 3 % within a block, the block is thrown away. Times are compared within blocks only, as ratios to the control.
public struct Race {
  public struct Options: Sendable {
    public var rungs = [3, 5, 8, 16, 32]
    /// How much the control may drift within a block.
    public var drift = 0.03
    /// A block with more drift than this is a sign that the machine is busy.
    public var unrest = 0.10
    /// One whose median is worse than the best's by this factor leaves at any rung.
    public var hopeless = 1.25
    /// Half of the interval at which a ratio is known well enough.
    public var precision = 0.01
    /// Blocks thrown away before it goes on with what there is.
    public var patience = 24
    public init() {}
  }

  /// How one configuration did.
  public struct Standing: Sendable {
    public var configuration: Configuration
    /// Microseconds, one a block.
    public var samples: [Double] = []
    /// To the control of the same block.
    public var ratios: [Double] = []
    /// Rung after which it left; nil: it stayed.
    public var leftAfter: Int?
    public var failed = false

    public var median: Double { Statistics.median(samples) }
    public var ratio: Double { Statistics.median(ratios) }
    /// 95 % for the median of the ratios.
    public var interval: ClosedRange<Double> { Statistics.medianInterval(ratios) }
  }

  public struct Result: Sendable {
    /// The control first.
    public var standings: [Standing]
    public var blocks: Int
    public var discarded: Int
    /// Too many blocks drifted: the machine is not quiet, and the figures are what could be had.
    public var isUnquiet: Bool
  }

  public var options = Options()

  public init(_ options: Options = Options()) { self.options = options }

  /// - Parameters:
  ///   - control: The default: it is timed to the end, whatever it does.
  ///   - stopAt: Rung after which the race ends even when more than one is left.
  public func run(control: Configuration, _ candidates: [Configuration], sampler: any Sampler, stopAt: Int = 32, shouldStop: () -> Bool = { false }) throws -> Result {
    var standings = ([control] + candidates.filter { $0 != control }).map { Standing(configuration: $0) }
    var (blocks, discarded, restless) = (0, 0, 0)
    while blocks < min(stopAt, options.rungs.last ?? 32) {
      let alive = standings.indices.filter { $0 > 0 && standings[$0].leftAfter == nil && !standings[$0].failed }
      let rotated = alive.isEmpty ? [] : (0..<alive.count).map { alive[($0 + blocks + discarded) % alive.count] }
      guard let block = try sampler.block(of: rotated.map { standings[$0].configuration }, control: control) else {
        standings[0].failed = true
        break
      }
      // Without a block there is nothing to go by: when time is up the first is taken as it is.
      if block.drift > options.drift, discarded < options.patience, blocks > 0 || !shouldStop() {
        discarded += 1
        if block.drift > options.unrest { restless += 1 }
        if shouldStop() { break }
        continue
      }
      standings[0].samples.append(block.control)
      standings[0].ratios.append(1)
      for (i, result) in zip(rotated, block.results) {
        guard let result else { standings[i].failed = true; continue }
        standings[i].samples.append(result.microseconds)
        standings[i].ratios.append(result.ratio)
      }
      blocks += 1
      if options.rungs.contains(blocks) { cut(&standings, after: blocks) }
      if isDecided(standings, blocks) || shouldStop() { break }
    }
    return Result(standings: standings, blocks: blocks, discarded: discarded, isUnquiet: restless >= 3)
  }

  /// Those leave whose median is far behind, and those of the worse half that are behind with certainty. Two stay.
  private func cut(_ standings: inout [Standing], after rung: Int) {
    let alive = standings.indices.filter { standings[$0].leftAfter == nil && !standings[$0].failed }.sorted { standings[$0].ratio < standings[$1].ratio }
    guard alive.count > 2, let best = alive.first else { return }
    for (rank, i) in alive.enumerated() where i != 0 && rank >= 2 {
      let isFar = standings[i].ratio > standings[best].ratio * options.hopeless
      // What is within 2 % may be tied with it in the end.
      let isBehind = rank >= alive.count / 2 && standings[i].ratio > standings[best].ratio * 1.02 && Statistics.isSlower(standings[i].ratios, than: standings[best].ratios)
      if isFar || isBehind { standings[i].leftAfter = rung }
    }
  }

  /// One is left beside the control, or all that are left are known well enough.
  private func isDecided(_ standings: [Standing], _ blocks: Int) -> Bool {
    guard blocks >= 5 else { return false }
    let alive = standings.dropFirst().filter { $0.leftAfter == nil && !$0.failed }
    if alive.isEmpty { return true }
    return blocks >= 8 && alive.allSatisfy { ($0.interval.upperBound - $0.interval.lowerBound) / 2 < options.precision * $0.ratio }
  }
}

extension Race.Result {
  /// Fewer are no proof, whatever they say: a race may be ended by its time.
  static let leastBlocks = 5
  /// At an end of the bucket, where a choice must only not be slower.
  static let leastEdgeBlocks = 3

  /// The one to use: the fastest; among those that cannot be told from it, or are within 2 %, the first in an order that depends on nothing measured.
  /// The control stays unless another is faster with certainty.
  ///
  /// - Parameter edges: Races of the same at the ends of the bucket. One that is slower than the control there by more than 2 %, or that time left unproved there,
  ///   is out, and one that is more than 5 % behind the best there is used only where all are.
  public func winner(_ space: TuningSpace, edges: [Race.Result] = []) -> Race.Standing {
    let control = standings[0]
    var finishers = standings.filter { !$0.failed && !$0.ratios.isEmpty && $0.leftAfter == nil && $0.configuration != control.configuration && $0.interval.upperBound < 1 && $0.ratios.count >= Race.Result.leastBlocks }
    finishers.removeAll { finisher in edges.contains { $0.ratio(of: finisher.configuration).map { $0 > 1.02 } ?? true } }
    let steady = finishers.filter { (Race.Result.regret($0.configuration, edges) ?? 0) <= 0.05 }
    if !steady.isEmpty { finishers = steady }
    guard let best = finishers.min(by: { $0.ratio < $1.ratio }) else { return control }
    let ties = finishers.filter { $0.ratio < best.ratio * 1.02 }
    return ties.min { Race.Result.precedes($0.configuration, $1.configuration, space) } ?? best
  }

  private func ratio(of configuration: Configuration) -> Double? {
    standings.first { $0.configuration == configuration && !$0.failed && $0.ratios.count >= Race.Result.leastEdgeBlocks }?.ratio
  }

  /// How far a configuration is behind the best of each race, at most; nil without races, and where it was not timed often enough in one of them.
  static func regret(_ configuration: Configuration, _ races: [Race.Result]) -> Double? {
    let each = races.compactMap { race -> Double? in
      guard let own = race.ratio(of: configuration), let best = race.standings.filter({ !$0.failed && !$0.ratios.isEmpty }).map(\.ratio).min() else { return nil }
      return own / best - 1
    }
    return each.count == races.count ? each.max() : nil
  }

  /// Fewer changes from the default, then smaller values, then by name.
  private static func precedes(_ a: Configuration, _ b: Configuration, _ space: TuningSpace) -> Bool {
    func changes(_ c: Configuration) -> Int {
      guard let standard = space.standard else { return 0 }
      if c.variant != standard.variant { return 1000 }
      return zip(c.values, standard.values).reduce(0) { $0 + ($1.0 == $1.1 ? 0 : 1) }
    }
    let (x, y) = (changes(a), changes(b))
    if x != y { return x < y }
    return a.variant != b.variant ? a.variant < b.variant : a.values.lexicographicallyPrecedes(b.values)
  }
}
