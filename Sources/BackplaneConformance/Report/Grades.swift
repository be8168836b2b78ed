/// How good results are beyond being within their bounds, by operator and format. Never decides whether a plugin is conformant.
public struct Grade: Codable, Sendable {
  public var op, format: String
  /// Cases that passed, and elements that were judged in them.
  public var cases, elements: Int
  /// Largest error as a fraction of its bound.
  public var worst: Double
  /// Mean and variance of error / bound over all elements (as the operator test suite of TOSA has them): a kernel that rounds one way only has a bias
  /// far from 0. Nil where every result is exact.
  public var bias, variance: Double?
  /// Largest error on the scale on which errors of f32 sums grow at random, √K·u·Σ|terms| (Higham and Mary 2019). Nil for operators without sums.
  public var q: Double?
  /// A: q up to 4, as f32 sums in any order come to; B: up to 16; C: beyond, as of narrower accumulators under a loose bound.
  public var letter: String?

  static func letter(_ q: Double) -> String { q <= 4 ? "A" : q <= 16 ? "B" : "C" }

  /// The grades of all cases that passed, in the order in which they come.
  public static func all(_ results: [CaseResult]) -> [Grade] {
    var order: [String] = []
    var groups: [String: [CaseResult]] = [:]
    for result in results where result.outcome == .pass && result.id.contains("=") {
      let key = result.op + "/" + HTMLReport.formats(result.id)
      if groups[key] == nil { order.append(key) }
      groups[key, default: []].append(result)
    }
    return order.map { key in Grade(key.split(separator: "/").map(String.init), groups[key]!) }
  }

  private init(_ key: [String], _ results: [CaseResult]) {
    (op, format) = (key[0], key[1])
    cases = results.count
    elements = results.reduce(0) { $0 + $1.elements }
    worst = results.map(\.maxRatio).max() ?? 0
    q = results.compactMap(\.q).max()
    letter = q.map(Grade.letter)
    var (count, sum, squares) = (0.0, 0.0, 0.0)
    for result in results {
      guard let bias = result.bias, let spread = result.spread else { continue }
      let weight = Double(result.elements)
      (count, sum, squares) = (count + weight, sum + weight * bias, squares + weight * spread * spread)
    }
    guard count > 0 else { return }
    bias = sum / count
    variance = max(0, squares / count - (sum / count) * (sum / count))
  }
}
