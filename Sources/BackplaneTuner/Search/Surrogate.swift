import BackplaneRegistry
import Foundation

/// A guess at configurations' times from those that were measured, with how sure it is: a Gaussian process over the logarithm of the time (Rasmussen and Williams,
/// Gaussian Processes for Machine Learning, algorithm 2.1).
///
/// Configurations are near that differ little in the places of their values; those of different variants are far. The length over which times are alike is the one
/// under which the measurements are most likely.
struct Surrogate {
  private let space: TuningSpace
  private let names: [String]
  private var points: [[Double]] = []
  private var length = 1.0
  /// Cholesky factor of the covariance, row after row, and the weights of the points.
  private var factor: [[Double]] = [], weights: [Double] = []

  private static let lengths = [0.3, 0.5, 0.8, 1.2, 2.0]
  /// Variance that is noise: times repeat within some percent.
  private static let noise = 0.01
  /// To the fastest: what is slower counts as this.
  private static let slowest = 2.5
  /// More say nothing more, and take time.
  private static let mostPoints = 160

  init(_ space: TuningSpace, _ measured: [(configuration: Configuration, microseconds: Double)]) {
    self.space = space
    names = Set(space.variants.flatMap { variant in variant.free.map { variant.parameters[$0].name } }).sorted()
    let used = measured.prefix(Surrogate.mostPoints)
    guard !used.isEmpty else { return }
    points = used.map { place($0.configuration) }
    // How slow the slow ones are says nothing of which is fastest, and would drown the differences that do.
    let most = Surrogate.slowest * (used.map(\.microseconds).min() ?? 0)
    let logs = used.map { log(min($0.microseconds, most)) }
    let mean = logs.reduce(0, +) / Double(logs.count)
    let spread = max((logs.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(logs.count)).squareRoot(), 1e-9)
    let values = logs.map { ($0 - mean) / spread }
    var best = -Double.infinity
    for length in Surrogate.lengths {
      let factor = Surrogate.cholesky(points, length), half = Surrogate.solve(factor, values)
      // log p(values) but for a constant: -values·K⁻¹·values/2 - log|K|/2.
      let likelihood = -half.reduce(0) { $0 + $1 * $1 } / 2 - factor.indices.reduce(0) { $0 + log(factor[$1][$1]) }
      if likelihood > best { (best, self.length, self.factor, weights) = (likelihood, length, factor, Surrogate.solveTransposed(factor, half)) }
    }
  }

  /// The guess at the logarithm of a time, in units of the spread of those measured, from their mean.
  func mean(_ configuration: Configuration) -> Double { zip(row(configuration), weights).reduce(0) { $0 + $1.0 * $1.1 } }

  /// Of the guess, in the same units: 1 where nothing near was measured.
  func deviation(_ configuration: Configuration) -> Double {
    max(1 - Surrogate.solve(factor, row(configuration)).reduce(0) { $0 + $1 * $1 }, 0).squareRoot()
  }

  private func row(_ configuration: Configuration) -> [Double] {
    let here = place(configuration)
    return points.map { Surrogate.kernel(here, $0, length) }
  }

  /// A coordinate each variant, then one each parameter: its value's place among the legal ones, 0 … 1; in the middle where the variant lacks it.
  private func place(_ configuration: Configuration) -> [Double] {
    guard let variant = space.variant(of: configuration) else { return [] }
    var found = space.variants.map { $0.name == variant.name ? 2.0 : 0 }
    let byName = Dictionary(variant.free.map { ($0, variant.parameters[$0]) }.map { ($0.1.name, ($0.1.values, configuration.values[$0.0])) }) { first, _ in first }
    for name in names {
      guard let (values, value) = byName[name], let at = values.firstIndex(of: value) else { found.append(0.5); continue }
      found.append(Double(at) / Double(max(values.count - 1, 1)))
    }
    return found
  }

  private static func kernel(_ a: [Double], _ b: [Double], _ length: Double) -> Double {
    var sum = 0.0
    for i in a.indices { sum += (a[i] - b[i]) * (a[i] - b[i]) }
    return exp(-0.5 * sum / (length * length))
  }

  private static func cholesky(_ points: [[Double]], _ length: Double) -> [[Double]] {
    var rows: [[Double]] = []
    for i in points.indices {
      var row = [Double](repeating: 0, count: i + 1)
      for j in 0...i {
        var sum = kernel(points[i], points[j], length) + (i == j ? noise : 0)
        let other = j < i ? rows[j] : row
        for k in 0..<j { sum -= row[k] * other[k] }
        row[j] = j < i ? sum / other[j] : max(sum, 1e-12).squareRoot()
      }
      rows.append(row)
    }
    return rows
  }

  private static func solve(_ factor: [[Double]], _ values: [Double]) -> [Double] {
    var found = values
    for i in factor.indices {
      for k in 0..<i { found[i] -= factor[i][k] * found[k] }
      found[i] /= factor[i][i]
    }
    return found
  }

  private static func solveTransposed(_ factor: [[Double]], _ values: [Double]) -> [Double] {
    var found = values
    for i in factor.indices.reversed() {
      found[i] /= factor[i][i]
      for k in 0..<i { found[k] -= factor[i][k] * found[i] }
    }
    return found
  }
}
