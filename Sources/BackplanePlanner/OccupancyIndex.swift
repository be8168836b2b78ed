/// Which bytes are taken at which steps, so that a free place is found without looking at every placed tensor.
///
/// A binary tree over the steps. Each node has two ``ByteSet``s: the bytes taken during *all* its steps by tensors that
/// no single child could hold (`covering`), and the bytes taken at *any* of its steps (`touching`). A range of steps then
/// needs the sets of O(log steps) nodes, and because touching runs merge, each set stays short.
struct OccupancyIndex {
  /// Node n has its covering set at 2n and its touching set at 2n + 1; its children are nodes 2n and 2n + 1; root is 1.
  private var sets: [ByteSet]
  private let leafCount: Int
  /// How many sets have been asked: the cost so far, the same on every machine.
  private(set) var probeCount = 0

  init(stepCount: Int) {
    var leafCount = 1
    while leafCount < stepCount { leafCount *= 2 }
    self.leafCount = leafCount
    sets = [ByteSet](repeating: ByteSet(), count: 4 * leafCount)
  }

  mutating func occupy(_ start: Int, _ end: Int, steps: Range<Int>) {
    occupy(start, end, steps, node: 1, 0, leafCount)
  }

  private mutating func occupy(_ start: Int, _ end: Int, _ steps: Range<Int>, node: Int, _ low: Int, _ high: Int) {
    sets[2 * node + 1].insert(start, end)
    if steps.lowerBound <= low && high <= steps.upperBound {
      // A leaf's two sets would be the same; only the touching one is ever asked for.
      if node < leafCount { sets[2 * node].insert(start, end) }
      return
    }
    let middle = (low + high) >> 1
    if steps.lowerBound < middle { occupy(start, end, steps, node: 2 * node, low, middle) }
    if steps.upperBound > middle { occupy(start, end, steps, node: 2 * node + 1, middle, high) }
  }

  /// Adds to `found` the indices of the sets whose union is what is taken at any of `steps`.
  func collectSets(steps: Range<Int>, into found: inout [Int]) {
    collectSets(steps, node: 1, 0, leafCount, &found)
  }

  private func collectSets(_ steps: Range<Int>, node: Int, _ low: Int, _ high: Int, _ found: inout [Int]) {
    if sets[2 * node + 1].isEmpty { return }
    if steps.lowerBound <= low && high <= steps.upperBound { return found.append(2 * node + 1) }
    if !sets[2 * node].isEmpty { found.append(2 * node) }
    let middle = (low + high) >> 1
    if steps.lowerBound < middle { collectSets(steps, node: 2 * node, low, middle, &found) }
    if steps.upperBound > middle { collectSets(steps, node: 2 * node + 1, middle, high, &found) }
  }

  /// The lowest start, at or above `byte`, of `size` bytes that are free in all sets of `found`.
  mutating func firstFit(in found: [Int], from byte: Int, size: Int) -> Int {
    var start = byte
    var agreed = 0  // how many sets in a row have left `start` alone
    while agreed < found.count {
      for index in found {
        let moved = sets[index].firstFit(from: start, size: size)
        probeCount += 1
        agreed = moved == start ? agreed + 1 : 1
        start = moved
        if agreed >= found.count { break }
      }
    }
    return start
  }

  /// The free run at or after `byte`: its start, and its end or `Int.max`.
  mutating func nextGap(in found: [Int], from byte: Int) -> (start: Int, end: Int) {
    let start = firstFit(in: found, from: byte, size: 1)
    var end = Int.max
    for index in found { end = min(end, sets[index].firstOccupied(after: start)) }
    return (start, end)
  }
}
