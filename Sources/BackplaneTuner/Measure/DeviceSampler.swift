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
      if result.outcome == .unsupported, id != self.case { continue }
      if result.outcome == .pass {
        passed += 1
        worstError[configuration] = max(worstError[configuration] ?? 0, result.maxRatio)
        continue
      }
      return reject(configuration, result.fault ?? result.outcome.rawValue, result.message ?? "", id)
    }
    if passed == 0 { return reject(configuration, "unsupported", "no case could judge it", self.case) }
    accepted.insert(configuration)
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

/// Which cases of an operator judge its configurations.
public enum JudgingCases {
  /// The case itself, where the oracle can repeat it in a moment; the same with every extent another, odd number; a few of the suite with the same formats.
  public static func ids(for case: String) throws(BackplaneError) -> [String] {
    let id = try CaseID(`case`)
    var chosen: [CaseID] = []
    func add(_ candidate: CaseID) { if !chosen.contains(candidate), CaseGraph.isAllowed(candidate) { chosen.append(candidate) } }
    add(id)
    for targets in [[61, 67, 71, 73], [33, 37, 41, 43]] {
      for data in ["normal", "allpos"] {
        if let odd = withOddExtents(id, targets) { var copy = odd; copy.data = data; add(copy) }
      }
      if chosen.count >= 2 { break }
    }
    let formats = id.inputs.map { $0.map(\.format) }
    for known in CaseList.cases(of: id.spec, size: .standard) where chosen.count < 5 && known.inputs.map({ $0.map(\.format) }) == formats && known.memory == .plain { add(known) }
    return chosen.map(\.description)
  }

  /// Equal extents stay equal; those of blocks become one block more than a multiple.
  private static func withOddExtents(_ id: CaseID, _ targets: [Int]) -> CaseID? {
    var renamed: [Int: Int] = [1: 1], next = 0
    var copy = id
    for tensor in id.inputs.joined() where tensor.format.isBlock {
      if let last = tensor.shape.last { renamed[last] = min(last, tensor.format.blockElements * 3) }
    }
    for extent in Set(id.inputs.joined().flatMap(\.shape)).sorted() where renamed[extent] == nil {
      renamed[extent] = min(extent, targets[next % targets.count])
      next += 1
    }
    for k in copy.inputs.indices { for i in copy.inputs[k].indices { copy.inputs[k][i].shape = copy.inputs[k][i].shape.map { renamed[$0] ?? $0 } } }
    return CaseGraph.isAllowed(copy) ? copy : nil
  }
}
