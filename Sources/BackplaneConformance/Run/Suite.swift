import BackplaneCore
import BackplaneRegistry
import BackplaneSpecs

/// Something that can run a case by its ID.
public protocol CaseExecutor: AnyObject {
  func run(_ id: String) -> CaseResult
}

/// Runs cases in this process: fast, but a plugin that crashes takes the run with it.
public final class InProcessExecutor: CaseExecutor {
  private let device: Device
  private let isChild: Bool
  private let vectors: ONNXVectors?

  /// - Parameters:
  ///   - isChild: Another process will run what must be the same in two.
  ///   - vectors: Where cases that begin with `onnx/` are.
  public init(_ device: Device, isChild: Bool = false, vectors: ONNXVectors? = nil) {
    (self.device, self.isChild, self.vectors) = (device, isChild, vectors)
    _ = BehaviourTests.initialState
  }

  /// - Parameter id: A case's ID; behind a tab the variant to judge, as ``ConfigurationRequest`` writes it.
  public func run(_ id: String) -> CaseResult {
    let parts = id.split(separator: "\t", maxSplits: 1).map(String.init)
    if parts.count == 2 { return run(parts[0], as: parts[1]) }
    if id == BehaviourTests.acrossProcesses, !isChild { return CaseResult(id: id, outcome: .unsupported, message: "does not apply: there is one process only") }
    if id.hasPrefix("behaviour/") { return BehaviourTests.run(id, device) }
    if id.hasPrefix("metamorphic/") { return MetamorphicTests.run(id, device) }
    if id.hasPrefix("onnx/") {
      return vectors?.run(id, device) ?? CaseResult(id: id, outcome: .error, message: "the folder of ONNX's tests is not given: --onnx FOLDER")
    }
    do throws(BackplaneError) {
      return CaseRunner(device).run(try CaseID(id))
    } catch {
      return CaseResult(id: id, outcome: .error, message: "\(error)")
    }
  }

  private func run(_ id: String, as variant: String) -> CaseResult {
    do throws(BackplaneError) {
      var runner = CaseRunner(device)
      runner.configuration = try ConfigurationRequest(variant)
      return runner.run(try CaseID(id))
    } catch {
      return CaseResult(id: id, outcome: .error, message: "\(error)")
    }
  }
}

/// Counts of a run.
public struct Summary: Codable, Sendable {
  public var total = 0
  public var counts: [String: Int] = [:]
  /// Cases that make the plugin not conformant.
  public var bad: [CaseResult] = []

  public init() {}
  public var isConformant: Bool { bad.isEmpty && total > 0 }

  mutating func add(_ result: CaseResult) {
    total += 1
    counts[result.outcome.rawValue, default: 0] += 1
    if result.isBad { bad.append(result) }
  }
}

public enum Suite {
  /// Changes when cases, data or judgement change: results of different versions cannot be compared.
  public static let version = 2

  /// The IDs of a run, in order.
  ///
  /// - Parameter pattern: Only these, `*` standing for anything. Cases of operators that it rules out are not even made.
  public static func ids(level: OperatorSpec.Level = .llm, ops: [String] = [], size: CaseList.Size, matching pattern: String = "*") -> [String] {
    let specs = CaseList.operators(level: level, named: ops)
    let start = pattern.prefix { $0 != "*" && $0 != "/" }
    func mayMatch(_ first: String) -> Bool { pattern.dropFirst(start.count).first == "/" ? first == start : first.hasPrefix(start) }
    var ids = specs.filter { mayMatch($0.name) }.flatMap { CaseList.cases(of: $0, size: size).map(\.description) }
    ids += specs.flatMap { MetamorphicTests.ids(of: $0) }
    // What is no operator's own matter is part of a run of all.
    if ops.isEmpty { ids += BehaviourTests.ids }
    return pattern == "*" ? ids : ids.filter { Waivers.matches(pattern, $0) }
  }

  /// Runs cases in this process.
  ///
  /// - Parameters:
  ///   - ops: Operators; empty for all of `level`.
  ///   - stopAtFirstFailure: For faults planted on purpose: one that is found is enough.
  ///   - onResult: Told each result as it comes.
  public static func run(device: Device, ops: [String] = [], level: OperatorSpec.Level = .llm, size: CaseList.Size = .standard,
                         stopAtFirstFailure: Bool = false, onResult: (CaseResult) -> Void = { _ in }) -> Summary {
    let executor = InProcessExecutor(device)
    var summary = Summary()
    for id in ids(level: level, ops: ops, size: size) {
      let result = executor.run(id)
      summary.add(result)
      onResult(result)
      if stopAtFirstFailure, result.isBad { break }
    }
    return summary
  }

  /// Says which specs the cases came from: those of the catalogue.
  public static var specHash: String { hash(of: OperatorSpec.all) }

  /// The same, with the custom operators that are among the results.
  public static func specHash(of results: [CaseResult]) -> String {
    let names = Set(results.map(\.op))
    return hash(of: OperatorSpec.all + OperatorSpec.registered.filter { names.contains($0.name) }.sorted { $0.name < $1.name })
  }

  private static func hash(of specs: [OperatorSpec]) -> String {
    let text = specs.map { spec in
      "\(spec.name) \(spec.version) \(spec.semantics) \(spec.numerics) \(spec.constraints.map(\.formula.text)) \(spec.inputs.map { "\($0.name) \($0.formats) \($0.shape)" }) \(spec.conformance)"
    }.joined(separator: "\n")
    let digits = String(Identifier(text).value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
