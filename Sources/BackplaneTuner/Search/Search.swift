import BackplaneCore
public import BackplaneRegistry

/// Says which configurations to try next, from what is known of those that were tried. It measures nothing, and the same answers give the same
/// questions.
///
/// In order: the device's default; what a store chose for other shapes or on other devices; a draw that takes every value of every parameter in turn;
/// then those that may be fastest by a model fitted to what was measured, and each fourth time a neighbour of the best two. Small spaces are tried whole.
public struct Search: Sendable {
  public enum Strategy: String, Sendable, CaseIterable {
    /// All of the above.
    case full
    /// Without the model: neighbours of the best two only.
    case local
    /// The default, then drawn blindly.
    case random
  }

  public let space: TuningSpace
  public let strategy: Strategy
  /// Tried so far, in order; nil was rejected.
  public private(set) var tried: [(configuration: Configuration, microseconds: Double?)] = []
  private var known: Set<Configuration> = []
  private var first: [Configuration]
  private var untried: [Configuration]
  private var random: SplitMix
  private var turn = 0

  /// The number of drawn configurations before neighbours and model.
  static let drawn = 8
  /// Untried configurations that the model is asked about each time.
  static let considered = 2000

  /// - Parameters:
  ///   - seeds: From a store, the most promising first; those that are not legal here are left out.
  ///   - limit: Larger spaces are searched among that many of their configurations, drawn evenly.
  public init(_ space: TuningSpace, seeds: [Configuration] = [], strategy: Strategy = .full, randomSeed: UInt64 = 0, limit: Int = 20_000) {
    (self.space, self.strategy) = (space, strategy)
    random = SplitMix(randomSeed)
    untried = space.configurations(limit: limit)
    random.shuffle(&untried)
    first = []
    var listed: Set<Configuration> = []
    for candidate in [space.standard].compactMap({ $0 }) + seeds where space.isLegal(candidate) && listed.insert(candidate).inserted { first.append(candidate) }
    if strategy == .random { first = Array(first.prefix(1)) } else { first += Search.spread(untried.filter { !listed.contains($0) }, space, Search.drawn) }
  }

  /// Configurations not asked for before, at most `count`; none when the space is used up.
  public mutating func next(_ count: Int) -> [Configuration] {
    var found: [Configuration] = []
    while found.count < count, let candidate = nextOne() {
      known.insert(candidate)
      found.append(candidate)
    }
    return found
  }

  /// What became of a configuration: its time, or nil when it was rejected.
  public mutating func tell(_ configuration: Configuration, _ microseconds: Double?) {
    known.insert(configuration)
    tried.append((configuration, microseconds))
  }

  /// The fastest so far.
  public var best: (configuration: Configuration, microseconds: Double)? {
    tried.compactMap { entry in entry.microseconds.map { (entry.configuration, $0) } }.min { $0.1 < $1.1 }
  }

  private mutating func nextOne() -> Configuration? {
    while !first.isEmpty {
      let candidate = first.removeFirst()
      if !known.contains(candidate) { return candidate }
    }
    turn += 1
    if strategy != .random {
      let times = measured
      if strategy == .full, times.count >= 4, let candidate = modelled(times, isPolishing: turn % 4 == 0) { return candidate }
      if let candidate = neighbour(times) { return candidate }
    }
    while let candidate = untried.popLast() { if !known.contains(candidate) { return candidate } }
    return nil
  }

  private var measured: [(configuration: Configuration, microseconds: Double)] {
    tried.compactMap { entry in entry.microseconds.map { (entry.configuration, $0) } }.sorted { $0.1 < $1.1 }
  }

  /// The nearest untried neighbour of the best two.
  private func neighbour(_ times: [(configuration: Configuration, microseconds: Double)]) -> Configuration? {
    times.prefix(2).lazy.compactMap { center, _ in space.neighbours(of: center).first { !known.contains($0) } }.first
  }

  /// What may be fastest: the model's guess less its deviation; when polishing, the best guess among neighbours of the best two.
  private func modelled(_ times: [(configuration: Configuration, microseconds: Double)], isPolishing: Bool) -> Configuration? {
    // Those asked for and not yet told are taken to be like the median, so that one batch does not ask for the same thing six times.
    let told = Set(tried.map(\.configuration)), median = times[times.count / 2].microseconds
    let model = Surrogate(space, times + known.subtracting(told).map { ($0, median) }.sorted { "\($0.0)" < "\($1.0)" })
    let near = times.prefix(2).flatMap { space.neighbours(of: $0.configuration) }.filter { !known.contains($0) }
    let candidates = isPolishing && !near.isEmpty ? near : near + untried.lazy.filter { !known.contains($0) }.prefix(Search.considered)
    let guesses = candidates.map { (mean: model.mean($0), configuration: $0) }.sorted { $0.mean < $1.mean }
    if isPolishing { return guesses.first?.configuration }
    var best: (score: Double, configuration: Configuration)?
    // A deviation is 1 at most: behind the best by more than that none can be ahead of it.
    for guess in guesses {
      if let best, guess.mean - 1 >= best.score { break }
      let score = guess.mean - model.deviation(guess.configuration)
      if score < best?.score ?? .infinity { best = (score, guess.configuration) }
    }
    return best?.configuration
  }

  /// `count` of the candidates that have values of parameters which those before them have not, as far as there are any.
  private static func spread(_ candidates: [Configuration], _ space: TuningSpace, _ count: Int) -> [Configuration] {
    var chosen: [Configuration] = [], uses: [String: Int] = [:]
    func keys(_ c: Configuration) -> [String] {
      guard let variant = space.variant(of: c) else { return [] }
      return [c.variant] + variant.free.map { "\(variant.parameters[$0].name)=\(c.values[$0])" }
    }
    var rest = Array(candidates.prefix(2000))
    while chosen.count < count, !rest.isEmpty {
      let costs = rest.map { candidate in keys(candidate).reduce(0) { $0 + (uses[$1] ?? 0) } }
      let best = costs.indices.min { costs[$0] < costs[$1] }!
      let taken = rest.remove(at: best)
      for key in keys(taken) { uses[key, default: 0] += 1 }
      chosen.append(taken)
    }
    return chosen
  }
}

/// Steele, Lea and Flood's SplitMix64: the same numbers for the same seed on every machine.
public struct SplitMix: RandomNumberGenerator, Sendable {
  private var state: UInt64
  public init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 0x1234_5678_9ABC_DEF1 }

  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  public mutating func below(_ count: Int) -> Int { Int(next() % UInt64(max(count, 1))) }

  mutating func shuffle<T>(_ list: inout [T]) { for k in list.indices.reversed() { list.swapAt(k, below(k + 1)) } }
}
