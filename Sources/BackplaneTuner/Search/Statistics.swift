import Foundation

/// Medians, and what may be said of them without assuming a distribution.
public enum Statistics {
  public static func median(_ values: [Double]) -> Double {
    guard !values.isEmpty else { return .nan }
    let sorted = values.sorted(), middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  }

  /// An interval that holds the median with 95 %: order statistics by the binomial distribution. Of fewer than six values all of them, which is less sure.
  public static func medianInterval(_ values: [Double]) -> ClosedRange<Double> {
    let sorted = values.sorted()
    guard let least = sorted.first, let largest = sorted.last else { return -Double.infinity...Double.infinity }
    guard sorted.count >= 6 else { return least...largest }
    var k = 0
    while k + 1 < sorted.count / 2, 2 * lowerTail(sorted.count, k + 1) <= 0.05 { k += 1 }
    return sorted[k]...sorted[sorted.count - 1 - k]
  }

  /// A sign test over pairs: the first are the larger ones with 95 %. Three pairs or more that all agree by a twentieth count, too.
  static func isSlower(_ a: [Double], than b: [Double]) -> Bool {
    let pairs = zip(a.suffix(min(a.count, b.count)), b.suffix(min(a.count, b.count)))
    let signs = pairs.filter { $0 != $1 }, slower = signs.filter { $0 > $1 }.count
    if signs.count >= 3, slower == signs.count, pairs.allSatisfy({ $0 > 1.05 * $1 }) { return true }
    return signs.count >= 5 && lowerTail(signs.count, signs.count - slower) <= 0.05
  }

  /// P(X <= k) of n fair throws.
  private static func lowerTail(_ n: Int, _ k: Int) -> Double {
    var (term, sum) = (pow(0.5, Double(n)), 0.0)
    for i in 0...max(k, 0) {
      sum += term
      term *= Double(n - i) / Double(i + 1)
    }
    return sum
  }
}
