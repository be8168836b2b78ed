public import BackplaneConformance
public import BackplaneCore
public import BackplaneRegistry
import Foundation

/// How much may be spent on one problem. What ends first ends it.
public struct TuningBudget: Sendable {
  public enum Effort: String, Sendable, CaseIterable { case quick, normal, full }
  public var trials: Int
  public var seconds: Double?

  public init(_ effort: Effort = .normal, trials: Int? = nil, seconds: Double? = nil) {
    self.trials = trials ?? [Effort.quick: 16, .normal: 48, .full: 192][effort]!
    self.seconds = seconds
  }

  /// What the first of several problems may have of `seconds`, by how much each matters: in proportion to the square roots, so that one that takes most of a
  /// model's time leaves others time to be told apart, and what it did not use is there for the rest.
  public static func share(of seconds: Double, weights: some Collection<Double>) -> Double {
    let roots = weights.map { max($0, 0).squareRoot() }, all = roots.reduce(0, +)
    guard let first = roots.first else { return 0 }
    return all > 0 ? seconds * first / all : seconds / Double(roots.count)
  }
}

/// Finds a configuration for one case on one device: searches, judges every candidate before it is timed, races it against the default, keeps all of it in a
/// store, so that a tuning that was ended goes on where it was.
public struct Tuner {
  public enum Event: Sendable {
    case began(space: Int, known: Int)
    case rejected(String, fault: String)
    case trial(number: Int, of: Int, best: String, ratio: Double)
    case unquiet
    case ended
  }

  public struct Trial: Sendable {
    public var configuration: ConfigurationRequest
    /// Microseconds and ratio to the default; nil when rejected.
    public var microseconds, ratio: Double?
    public var fault: String?
    public var message: String?
    /// Seconds since the tuning began.
    public var at: Double
  }

  public struct Outcome: Sendable {
    public var problem: Problem
    public var `case`: String
    public var space: TuningSpace
    public var winner: ConfigurationRequest
    public var isStandard: Bool
    public var standardMicroseconds, microseconds: Double
    /// Winner to default with its 95 % interval.
    public var ratio: Double
    public var interval: ClosedRange<Double>
    /// How far the winner is behind the best finalist at the worst end of its bucket, 0.03 for 3 %; nil where the bucket has no ends.
    public var regret: Double?
    /// The least microseconds that the machine allows, where its limits are known.
    public var limit: Double?
    public var trials: [Trial]
    public var runnersUp: [(configuration: ConfigurationRequest, ratio: Double)]
    public var seconds: Double
    public var isUnquiet: Bool
  }

  public let device: Device
  public let store: TuningStore?
  /// Starts what answers as ``TuneExecutor`` does.
  public let makeChild: () -> any CaseExecutor
  public var race = Race()
  /// The least microseconds that the device's limits allow for a case; nil where they are not known. A search ends where nine tenths of it are reached.
  public var limit: (CaseWork) -> Double? = { _ in nil }
  /// How much of the time it may work, for tuning beside other work: after each race it rests for the remainder.
  public var share = 1.0
  /// What candidates may do to accuracy.
  public var numerics = Numerics.standard
  public var onEvent: (Event) -> Void = { _ in }
  /// Candidates of one race.
  public var batch = 6

  public init(_ device: Device, store: TuningStore?, makeChild: @escaping () -> any CaseExecutor) { (self.device, self.store, self.makeChild) = (device, store, makeChild) }

  /// - Parameter id: The case's ID.
  /// - Throws: ``BackplaneError`` when the device offers nothing to choose, or its default does not compute what the spec says.
  public func tune(_ id: String, _ budget: TuningBudget, randomSeed: UInt64 = 0) throws -> Outcome {
    let began = ContinuousClock.now
    func elapsed() -> Double { let d = ContinuousClock.now - began; return Double(d.components.seconds) + Double(d.components.attoseconds) / 1e18 }
    let parsed = try CaseID(id), problem = Problem(parsed, numerics: numerics)
    let graph = try ABIGraph(try CaseGraph(parsed, numerics: numerics).graph)
    let space = TuningSpace(variants: try device.variants(graph, node: 0), numerics: numerics)
    guard let standard = space.standard else {
      throw BackplaneError(.unsupported, "there is nothing to choose for \(id)", subject: device.id, hint: "the device takes no such node, or does not serve group Tuning")
    }
    let sampler = DeviceSampler(makeChild(), space, case: id, judgedBy: try JudgingCases.ids(for: id))
    if let fault = sampler.verify(standard) {
      throw BackplaneError(.internal, "the device's own choice, \(space.request(standard)), is wrong (\(fault.fault)): \(fault.message)", subject: device.id, hint: "`backplane conform` says more")
    }
    var search = Search(space, seeds: try seeds(problem, space), randomSeed: randomSeed)
    var trials: [Trial] = [], races: [Configuration: Race.Standing] = [:], isUnquiet = false
    let known = try resume(problem, space, &search, &trials)
    onEvent(.began(space: space.configurations(limit: 100_000).count, known: known))

    let limit = limit(try CaseWork(parsed))
    /// Whether so much of the budget's time has gone. Two thirds are for the search, the rest for the final; its ends of the bucket may take a quarter more.
    func hasPassed(_ share: Double) -> Bool { budget.seconds.map { elapsed() > share * $0 } ?? false }
    func isOver() -> Bool { trials.count >= budget.trials || hasPassed(0.67) }
    func isAtLimit() -> Bool { limit.map { limit in trials.contains { $0.microseconds.map { $0 <= limit / 0.9 } ?? false } } ?? false }
    while !isOver(), !isAtLimit() {
      let start = elapsed()
      defer { if share < 1 { Thread.sleep(forTimeInterval: (elapsed() - start) * (1 / max(share, 0.001) - 1)) } }
      let asked = search.next(min(batch, budget.trials - trials.count))
      if asked.isEmpty { break }
      var candidates: [Configuration] = []
      for candidate in asked {
        var fault = sampler.verify(candidate)
        if fault == nil, candidate != standard {
          do { try device.check(candidate, graph, node: 0) } catch { fault = DeviceSampler.Rejection(fault: "refused", message: "\(error)") }
        }
        guard let fault else { candidates.append(candidate); continue }
        search.tell(candidate, nil)
        trials.append(Trial(configuration: space.request(candidate), fault: fault.fault, message: fault.message, at: elapsed()))
        onEvent(.rejected(space.request(candidate).description, fault: fault.fault))
        try store?.add([record(.rejected, problem, space, candidate, fault: "\(fault.fault): \(fault.message)")])
        if hasPassed(0.67) { break }
      }
      if candidates.isEmpty { continue }
      // A batch is told apart roughly; the best are told apart at the end.
      let result = try race.run(control: standard, candidates, sampler: sampler, stopAt: 5, shouldStop: { hasPassed(0.67) })
      isUnquiet = isUnquiet || result.isUnquiet
      if result.isUnquiet { onEvent(.unquiet) }
      guard !result.standings[0].failed else { throw BackplaneError(.internal, "the device's own choice, \(space.request(standard)), cannot be timed", subject: device.id) }
      var records: [JSONRecord] = []
      for standing in result.standings where candidates.contains(standing.configuration) {
        let isTimed = !standing.failed && !standing.ratios.isEmpty
        search.tell(standing.configuration, isTimed ? standing.ratio : nil)
        if isTimed { races[standing.configuration] = standing }
        trials.append(Trial(configuration: space.request(standing.configuration), microseconds: isTimed ? standing.median : nil, ratio: isTimed ? standing.ratio : nil,
                            fault: isTimed ? nil : sampler.rejections[standing.configuration]?.fault ?? "failed", at: elapsed()))
        records.append(record(isTimed ? .measured : .rejected, problem, space, standing.configuration, standing: isTimed ? standing : nil,
                              fault: isTimed ? nil : "failed while it was timed", error: sampler.worstError[standing.configuration]))
      }
      try store?.add(records)
      if let best = search.best { onEvent(.trial(number: trials.count, of: budget.trials, best: space.request(best.configuration).description, ratio: best.microseconds)) }
    }

    // The final: the best four and the default, to the end.
    let finalists = search.tried.compactMap { entry in entry.microseconds.map { (entry.configuration, $0) } }.sorted { $0.1 < $1.1 }.map(\.0)
      .filter { $0 != standard }.filter { sampler.verify($0) == nil }.prefix(4)
    var final = try race.run(control: standard, Array(finalists), sampler: sampler, shouldStop: { hasPassed(1) })
    guard !final.standings[0].failed, !final.standings[0].samples.isEmpty else {
      throw BackplaneError(.internal, "the device's own choice, \(space.request(standard)), cannot be timed", subject: device.id)
    }
    let edges = try edgeRaces(parsed, final, standard, space) { hasPassed(1.25) }
    let isJudgedWhole = try CaseWork(parsed).size <= JudgingCases.winnerLimit
    var winner = final.winner(space, edges: edges)
    while winner.configuration != standard, isJudgedWhole, let fault = sampler.judge(winner.configuration, by: id) {
      try store?.add([record(.rejected, problem, space, winner.configuration, fault: "\(fault.fault): \(fault.message)")])
      onEvent(.rejected(space.request(winner.configuration).description, fault: fault.fault))
      final.standings.removeAll { $0.configuration == winner.configuration }
      winner = final.winner(space, edges: edges)
    }
    let regret = Race.Result.regret(winner.configuration, edges)
    var chosen = record(.chosen, problem, space, winner.configuration, standing: winner, error: sampler.worstError[winner.configuration])
    (chosen.regret, chosen.limit) = (regret, limit)
    try store?.add([chosen])
    onEvent(.ended)
    return Outcome(
      problem: problem, case: id, space: space, winner: space.request(winner.configuration), isStandard: winner.configuration == standard,
      standardMicroseconds: final.standings[0].median, microseconds: winner.median, ratio: winner.ratio, interval: winner.interval, regret: regret, limit: limit, trials: trials,
      runnersUp: final.standings.filter { $0.configuration != winner.configuration && !$0.ratios.isEmpty }.sorted { $0.ratio < $1.ratio }
        .map { (space.request($0.configuration), $0.ratio) },
      seconds: elapsed(), isUnquiet: isUnquiet || final.isUnquiet)
  }

  /// The finalists at the ends of the bucket that the choice will serve.
  private func edgeRaces(_ id: CaseID, _ final: Race.Result, _ standard: Configuration, _ space: TuningSpace, shouldStop: () -> Bool) throws -> [Race.Result] {
    let finalists = final.standings.dropFirst().filter { !$0.failed && $0.leftAfter == nil && !$0.ratios.isEmpty }.map(\.configuration)
    if finalists.isEmpty { return [] }
    return try Problem.edges(of: id).compactMap { edge in
      let sampler = DeviceSampler(makeChild(), space, case: edge.description, judgedBy: [])
      let result = try race.run(control: standard, finalists, sampler: sampler, stopAt: 8, shouldStop: shouldStop)
      return result.standings[0].failed || result.standings[0].ratios.isEmpty ? nil : result
    }
  }

  // MARK: The store

  private func record(_ kind: JSONRecord.Kind, _ problem: Problem, _ space: TuningSpace, _ configuration: Configuration, standing: Race.Standing? = nil, fault: String? = nil,
                      error: Double? = nil) -> JSONRecord {
    let times = standing.map { s in
      let spread = Statistics.medianInterval(s.samples)
      return JSONRecord.Times(median: s.median, low: spread.lowerBound, high: spread.upperBound, count: s.samples.count, ratio: s.ratio, ratioLow: s.interval.lowerBound,
                              ratioHigh: s.interval.upperBound)
    }
    return JSONRecord(kind: kind, problem: problem, device: .init(device), plugin: PluginCode.plugin(device.plugin, space.variant(of: configuration)),
                      space: String(space.hash, radix: 16), configuration: space.request(configuration).description, times: times, fault: fault, worstError: error)
  }

  /// What is known of this very problem, device and code: it is not measured again.
  private func resume(_ problem: Problem, _ space: TuningSpace, _ search: inout Search, _ trials: inout [Trial]) throws -> Int {
    guard let store else { return 0 }
    var known: [Configuration: JSONRecord] = [:]
    for (_, record) in try store.records(problem: problem) where record.kind != .chosen {
      guard let request = try? ConfigurationRequest(record.configuration), let configuration = space.configuration(request),
            TuningStore.validity(record, .init(device), PluginCode.plugin(device.plugin, space.variant(of: configuration)), space: space.hash) == .exact else { continue }
      if known[configuration].map({ $0.time < record.time }) ?? true { known[configuration] = record }
    }
    for (configuration, record) in known.sorted(by: { $0.value.identity < $1.value.identity }) {
      search.tell(configuration, record.times?.ratio)
      trials.append(Trial(configuration: space.request(configuration), microseconds: record.times?.median, ratio: record.times?.ratio, fault: record.fault, at: 0))
    }
    return known.count
  }

  /// Configurations that were good for other shapes here, or on other devices: the most believable problems first, of each the greedy choice that serves all.
  func seeds(_ problem: Problem, _ space: TuningSpace) throws -> [Configuration] {
    guard let store else { return [] }
    var tables: [TuningStore.Validity: [String: [Configuration: Double]]] = [:]
    for (_, record) in try store.records(op: problem.op) {
      guard record.kind != .rejected, record.problem != problem || record.device.uuid != JSONRecord.Device(device).uuid, let ratio = record.times?.ratio, ratio > 0,
            let request = try? ConfigurationRequest(record.configuration), let configuration = space.configuration(request) else { continue }
      var validity = TuningStore.validity(record, .init(device), PluginCode.plugin(device.plugin, space.variant(of: configuration)), space: space.hash)
      if record.problem.signature != problem.signature { validity = max(validity, .seed) }
      tables[validity, default: [:]]["\(record.problem) \(record.device.uuid)", default: [:]][configuration] = 1 / ratio
    }
    var found: [Configuration] = []
    for (_, problems) in tables.sorted(by: { $0.key < $1.key }) {
      // Shares of each problem's best.
      let shares = problems.sorted { $0.key < $1.key }.map { _, table in
        let best = table.values.max() ?? 1
        return table.mapValues { $0 / best }
      }
      for configuration in Portfolio.choose(shares, 8) where !found.contains(configuration) { found.append(configuration) }
    }
    return Array(found.prefix(8))
  }
}
