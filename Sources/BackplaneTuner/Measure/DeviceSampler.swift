import BackplaneConformance
import BackplaneCore
public import BackplaneRegistry

/// Times and judges configurations of one case in a child process, which may crash or hang: then that configuration is rejected, and the next ones get a
/// new child. One thread at a time.
public final class DeviceSampler: Sampler {
  /// Why a configuration must not be used.
  public struct Rejection: Sendable, Equatable {
    /// refused, values, canary, crashed, hung …
    public var fault: String
    public var message: String
  }

  private let child: any CaseExecutor
  private let space: TuningSpace
  public let `case`: String
  /// The cases by which configurations are judged, that of the tuning first.
  public let judgedBy: [String]
  public private(set) var rejections: [Configuration: Rejection] = [:]
  /// Worst error of the judged cases, as a share of its bound.
  public private(set) var worstError: [Configuration: Double] = [:]
  private var accepted: Set<Configuration> = []

  /// - Parameters:
  ///   - child: Answers as ``TuneExecutor`` does.
  ///   - judgedBy: More cases of the operator; those that a configuration does not take are left out.
  public init(_ child: any CaseExecutor, _ space: TuningSpace, case id: String, judgedBy: [String]) {
    (self.child, self.space, self.case, self.judgedBy) = (child, space, id, judgedBy)
  }

  private func text(_ configuration: Configuration) -> String { space.request(configuration).description }

  /// Whether the configuration computes what the spec says. It must before it is timed.
  public func verify(_ configuration: Configuration) -> Rejection? {
    if accepted.contains(configuration) { return nil }
    if let known = rejections[configuration] { return known }
    var passed = 0
    for id in judgedBy {
      let result = child.run("verify\t\(id)\t\(text(configuration))")
      // What a variant does not take at other extents says nothing about it here.
      if result.outcome == .unsupported, id != self.case { continue }
      if let rejection = conclude(configuration, result, id) { return rejection }
      passed += 1
    }
    if passed == 0, let rejection = judge(configuration, by: self.case) { return rejection }
    accepted.insert(configuration)
    return nil
  }

  /// One more case, such as the tuned one itself, whatever its size.
  public func judge(_ configuration: Configuration, by id: String) -> Rejection? {
    conclude(configuration, child.run("verify\t\(id)\t\(text(configuration))"), id)
  }

  private func conclude(_ configuration: Configuration, _ result: CaseResult, _ id: String) -> Rejection? {
    if result.outcome != .pass { return reject(configuration, result.fault ?? result.outcome.rawValue, result.message ?? "", id) }
    worstError[configuration] = max(worstError[configuration] ?? 0, result.maxRatio)
    return nil
  }

  private func reject(_ configuration: Configuration, _ fault: String, _ message: String, _ id: String) -> Rejection {
    let rejection = Rejection(fault: fault, message: "\(id): \(message)")
    rejections[configuration] = rejection
    return rejection
  }

  public func block(_ configurations: [Configuration]) -> [Double?] {
    let result = child.run((["time", self.case] + configurations.map(text)).joined(separator: "\t"))
    if let times = result.microseconds, times.count == configurations.count { return times }
    // One of them ended the child or failed: which one is found by timing each alone.
    return configurations.map { configuration in
      if rejections[configuration] != nil { return nil }
      let result = child.run("time\t\(self.case)\t\(text(configuration))")
      if let time = result.microseconds?.first { return time }
      _ = reject(configuration, result.outcome.rawValue, result.message ?? "", self.case)
      return nil
    }
  }
}
