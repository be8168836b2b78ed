/// How a case went.
public struct CaseResult: Codable, Sendable {
  public enum Outcome: String, Codable, Sendable, CaseIterable { case pass, fail, unsupported, waived, crashed, hung, error, unmapped }

  public struct Mismatch: Codable, Sendable {
    public var output: String
    public var index: Int
    public var expected, actual, bound: Double
  }

  public var id: String
  public var outcome: Outcome
  /// What kind of fault: values, exact, unwritten, canary, input, order, refused, status, metamorphic, behaviour …
  public var fault: String?
  public var message: String?
  /// A conformant plugin of the level must support it.
  public var required = false
  /// Largest error as a fraction of its bound.
  public var maxRatio = 0.0
  /// Largest error on the scale of a random walk of f32 roundings: √K·u·S. A grade, not a gate.
  public var q: Double?
  /// Mean and root mean square of error / bound. Grades.
  public var bias: Double?
  public var spread: Double?
  public var elements = 0
  public var firstBad: Mismatch?
  /// What the kernels declare, such as act_block=32.
  public var declares: [String] = []
  public var milliseconds = 0.0
  /// A hash of results that must be the same in another process.
  public var digest: String?
  public var waiver: String?
  /// What was timed, in microseconds: of a tuner's child alone.
  public var microseconds: [Double]?
  /// Of a test vector of ONNX.
  public var vector: ONNXVectors.Comparison?

  public init(id: String, outcome: Outcome, fault: String? = nil, message: String? = nil) {
    (self.id, self.outcome, self.fault, self.message) = (id, outcome, fault, message)
  }

  public var isBad: Bool { isWrong || isMissing }
  /// The plugin does what it must not.
  public var isWrong: Bool { [.fail, .crashed, .hung, .error].contains(outcome) }
  /// The plugin refuses what its level requires: not implemented yet.
  public var isMissing: Bool { outcome == .unsupported && required }

  /// The operator or pseudo-operator.
  public var op: String { String(id.prefix { $0 != "/" }) }
  /// The operator that the case is about; of a metamorphic relation, its operator.
  var subject: String { op == "metamorphic" ? String(id.split(separator: "/").dropFirst().first ?? "") : op }

  /// Numbers that JSON can say.
  mutating func makeFinite() {
    func finite(_ x: Double) -> Double { x.isNaN ? 0 : x.isFinite ? x : x < 0 ? -1e308 : 1e308 }
    maxRatio = finite(maxRatio)
    (q, bias, spread) = (q.map(finite), bias.map(finite), spread.map(finite))
    if let bad = firstBad {
      if message == nil { message = "\(bad.output)[\(bad.index)] is \(bad.actual), expected \(bad.expected) ± \(bad.bound)" }
      firstBad = Mismatch(output: bad.output, index: bad.index, expected: finite(bad.expected), actual: finite(bad.actual), bound: finite(bad.bound))
    }
  }
}
