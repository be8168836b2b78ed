/// Rows in which every pair of levels of every two factors appears: faults that need two things at once are met without trying every
/// combination.
///
/// Greedy (AETG, Cohen et al. 1997): each row is the best of a few candidates, so early rows cover most; a prefix is a good short
/// run. The same rows for the same levels and seed.
public enum CoveringArray {
  /// - Parameter levels: How many levels each factor has, at least 1.
  /// - Returns: Rows of level numbers, one a factor.
  public static func pairwise(levels: [Int], seed: UInt64) -> [[Int]] {
    guard !levels.isEmpty else { return [[]] }
    if levels.count == 1 { return (0..<levels[0]).map { [$0] } }
    var uncovered = Pairs(levels)
    var random = Random(key: seed, stream: 0xC0FE)
    var rows: [[Int]] = []
    while uncovered.count > 0 {
      var best: (row: [Int], gain: Int) = ([], -1)
      for _ in 0..<6 {
        let row = candidate(uncovered, levels, &random)
        let gain = uncovered.gain(row)
        if gain > best.gain { best = (row, gain) }
      }
      uncovered.cover(best.row)
      rows.append(best.row)
    }
    return rows
  }

  private static func candidate(_ uncovered: Pairs, _ levels: [Int], _ random: inout Random) -> [Int] {
    var row = [Int](repeating: -1, count: levels.count)
    // Begin with a pair that is missing, then give each other factor the level that adds most.
    let (i, a, j, b) = uncovered.missing(random.below(uncovered.count))
    (row[i], row[j]) = (a, b)
    var order = levels.indices.filter { $0 != i && $0 != j }
    for k in order.indices.reversed() { order.swapAt(k, random.below(k + 1)) }
    for factor in order {
      let start = random.below(levels[factor])
      var best = (level: start, gain: -1)
      for offset in 0..<levels[factor] {
        let level = (start + offset) % levels[factor]
        let gain = row.indices.reduce(0) { $0 + (row[$1] >= 0 && $1 != factor && uncovered.has(factor, level, $1, row[$1]) ? 1 : 0) }
        if gain > best.gain { best = (level, gain) }
      }
      row[factor] = best.level
    }
    return row
  }

  /// The pairs that no row has yet.
  private struct Pairs {
    private let levels: [Int]
    /// Of factors i < j: where their table begins.
    private var starts: [[Int]] = []
    private var isMissing: [Bool]
    private(set) var count: Int

    init(_ levels: [Int]) {
      self.levels = levels
      var total = 0
      for i in levels.indices {
        starts.append([Int](repeating: 0, count: levels.count))
        for j in levels.indices where j > i {
          starts[i][j] = total
          total += levels[i] * levels[j]
        }
      }
      isMissing = [Bool](repeating: true, count: total)
      count = total
    }

    private func place(_ i: Int, _ a: Int, _ j: Int, _ b: Int) -> Int { i < j ? starts[i][j] + a * levels[j] + b : starts[j][i] + b * levels[i] + a }
    func has(_ i: Int, _ a: Int, _ j: Int, _ b: Int) -> Bool { isMissing[place(i, a, j, b)] }

    /// The first missing pair at or after the `n`-th place, round about.
    func missing(_ n: Int) -> (Int, Int, Int, Int) {
      let from = n * isMissing.count / max(count, 1) % isMissing.count
      let at = isMissing[from...].firstIndex(of: true) ?? isMissing.firstIndex(of: true)!
      for i in levels.indices {
        for j in levels.indices where j > i && at >= starts[i][j] && at < starts[i][j] + levels[i] * levels[j] {
          return (i, (at - starts[i][j]) / levels[j], j, (at - starts[i][j]) % levels[j])
        }
      }
      preconditionFailure("no such place")
    }

    func gain(_ row: [Int]) -> Int {
      var gain = 0
      for i in row.indices { for j in row.indices where j > i && isMissing[place(i, row[i], j, row[j])] { gain += 1 } }
      return gain
    }

    mutating func cover(_ row: [Int]) {
      for i in row.indices {
        for j in row.indices where j > i {
          let at = place(i, row[i], j, row[j])
          if isMissing[at] { (isMissing[at], count) = (false, count - 1) }
        }
      }
    }
  }
}
