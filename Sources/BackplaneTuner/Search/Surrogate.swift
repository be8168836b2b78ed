public import BackplaneRegistry
import Foundation

/// A guess at configurations' times from those that were measured: the logarithm of a time as a sum of what the variant and each parameter's value
/// contribute, neighbouring values of a number sharing what is known of them.
///
/// Backfitting with shrinkage: each contribution is the mean residual, weighed down where there are few measurements.
struct Surrogate {
  private let space: TuningSpace
  private var mean = 0.0
  private var variants: [String: Double] = [:]
  /// By variant, parameter and value's place.
  private var values: [String: [[Double]]] = [:]

  init(_ space: TuningSpace, _ measured: [(configuration: Configuration, microseconds: Double)], rounds: Int = 12) {
    self.space = space
    let logs = measured.map { log($0.microseconds) }
    guard !logs.isEmpty else { return }
    mean = logs.reduce(0, +) / Double(logs.count)
    for variant in space.variants { values[variant.name] = variant.parameters.map { [Double](repeating: 0, count: $0.values.count) } }
    let places = measured.map { place($0.configuration) }
    for _ in 0..<rounds {
      // The variant.
      var sums: [String: (Double, Double)] = [:]
      for (i, entry) in measured.enumerated() {
        let name = entry.configuration.variant, residual = logs[i] - predict(name, places[i]) + (variants[name] ?? 0)
        sums[name, default: (0, 0)].0 += residual
        sums[name]!.1 += 1
      }
      for (name, (sum, weight)) in sums { variants[name] = sum / (weight + 0.5) }
      // Each parameter's values.
      for variant in space.variants {
        for p in variant.free {
          let parameter = variant.parameters[p]
          var sums = [Double](repeating: 0, count: parameter.values.count), weights = sums
          for (i, entry) in measured.enumerated() where entry.configuration.variant == variant.name {
            let at = places[i][p], residual = logs[i] - predict(variant.name, places[i]) + values[variant.name]![p][at]
            for k in sums.indices {
              let weight = k == at ? 1 : parameter.kind == .number && abs(k - at) == 1 ? 0.3 : 0
              sums[k] += weight * residual
              weights[k] += weight
            }
          }
          for k in sums.indices { values[variant.name]![p][k] = sums[k] / (weights[k] + 1) }
        }
      }
    }
  }

  private func place(_ configuration: Configuration) -> [Int] {
    guard let variant = space.variant(of: configuration) else { return [] }
    return zip(variant.parameters, configuration.values).map { $0.values.firstIndex(of: $1) ?? 0 }
  }

  private func predict(_ variant: String, _ places: [Int]) -> Double {
    var sum = mean + (variants[variant] ?? 0)
    if let own = values[variant] { for (p, place) in places.enumerated() { sum += own[p][place] } }
    return sum
  }

  /// The logarithm of the guessed time.
  func predict(_ configuration: Configuration) -> Double { predict(configuration.variant, place(configuration)) }
}
