/// The probabilities from which one token is drawn. Weights are relative to the likeliest token's.
struct Distribution {
  let logits: UnsafeBufferPointer<Float>
  let maximum: Float
  let options: SamplingOptions

  /// The token at which the running sum of probabilities, in order of token number, passes `u` of the total.
  ///
  /// - Parameter u: 0 up to, not including, 1.
  func token(at u: Double) -> Int {
    if options.topK > 0 && options.topK < logits.count { return draw(u, keepingTop(mostLikely(options.topK))) }
    if options.topP < 1 { return draw(u, keepingTop(mass: options.topP)) }
    return drawFromAll(u)
  }

  /// A token and its logit.
  struct Candidate {
    var id: Int32
    var logit: Float
    /// Likelier, or as likely and of a lower number.
    static func isBefore(_ a: Candidate, _ b: Candidate) -> Bool { a.logit > b.logit || (a.logit == b.logit && a.id < b.id) }
  }

  // MARK: Filters

  /// The `count` likeliest tokens, likeliest first.
  private func mostLikely(_ count: Int) -> [Candidate] {
    // A heap of the best so far, the worst of them on top: almost every logit fails its first comparison.
    var heap: [Candidate] = []
    heap.reserveCapacity(count)
    var i = 0
    while i < logits.count, heap.count < count {
      heap.append(Candidate(id: Int32(truncatingIfNeeded: i), logit: logits[i]))
      i += 1
    }
    heap.withUnsafeMutableBufferPointer { heap in
      for parent in (0..<(heap.count / 2)).reversed() { Distribution.sift(heap, parent) }
      var worst = heap[0].logit
      while i < logits.count {
        if logits[i] > worst {
          heap[0] = Candidate(id: Int32(truncatingIfNeeded: i), logit: logits[i])
          Distribution.sift(heap, 0)
          worst = heap[0].logit
        }
        i += 1
      }
    }
    heap.sort(by: Candidate.isBefore)
    return heap
  }

  private static func sift(_ heap: UnsafeMutableBufferPointer<Candidate>, _ start: Int) {
    let item = heap[start]
    var at = start
    while true {
      var child = 2 * at + 1
      if child >= heap.count { break }
      if child + 1 < heap.count, Candidate.isBefore(heap[child], heap[child + 1]) { child += 1 }
      if !Candidate.isBefore(item, heap[child]) { break }
      heap[at] = heap[child]
      at = child
    }
    heap[at] = item
  }

  /// Cuts a list, likeliest first, where it reaches top-p of its own mass.
  private func keepingTop(_ sorted: [Candidate]) -> [Candidate] {
    if options.topP >= 1 { return sorted }
    let total = sorted.reduce(0) { $0 + Double(negativeExp($1.logit - maximum)) }
    return Distribution.prefix(of: sorted, reaching: options.topP * total, maximum: maximum)
  }

  /// The fewest candidates, from the first, whose weights sum to `mass`; at least one.
  private static func prefix(of sorted: [Candidate], reaching mass: Double, maximum: Float) -> [Candidate] {
    var sum = 0.0
    for (i, candidate) in sorted.enumerated() {
      sum += Double(negativeExp(candidate.logit - maximum))
      if sum >= mass { return Array(sorted[...i]) }
    }
    return sorted
  }

  /// The likeliest tokens that have `mass` of all probability, without sorting all: only the bucket of logits in which the limit
  /// falls is sorted.
  private func keepingTop(mass: Double) -> [Candidate] {
    let bucketCount = 1024
    let bucketsPerUnit: Float = 32
    func bucket(_ logit: Float) -> Int { Int(min((maximum - logit) * bucketsPerUnit, Float(bucketCount - 1))) }
    var weights = [Double](repeating: 0, count: bucketCount)
    var total = 0.0
    forEachWeight(scale: 1) { i, weight in
      weights[bucket(logits[i])] += weight
      total += weight
    }
    var before = 0.0
    var limit = 0
    while limit < bucketCount - 1, before + weights[limit] < mass * total {
      before += weights[limit]
      limit += 1
    }
    var kept: [Candidate] = []
    var edge: [Candidate] = []
    var i = 0
    while i < logits.count {
      let at = bucket(logits[i])
      if at <= limit {
        let candidate = Candidate(id: Int32(truncatingIfNeeded: i), logit: logits[i])
        if at < limit { kept.append(candidate) } else { edge.append(candidate) }
      }
      i += 1
    }
    edge.sort(by: Candidate.isBefore)
    return kept + Distribution.prefix(of: edge, reaching: mass * total - before, maximum: maximum)
  }

  /// Logits below this fail min-p.
  private var lowestLogit: Float { options.minP > 0 ? maximum + Float(naturalLog(options.minP)) : -.infinity }

  /// Finite even for the smallest temperature, since the likeliest token's distance, 0, is multiplied by it.
  private var inverseTemperature: Float { Float(min(1 / options.temperature, 1e30)) }

  // MARK: Drawing

  private func draw(_ u: Double, _ candidates: [Candidate]) -> Int {
    let lowest = lowestLogit
    let scale = inverseTemperature
    let kept = candidates.filter { $0.logit >= lowest || $0.logit == maximum }.sorted { $0.id < $1.id }
    let weights = kept.map { Double(negativeExp(($0.logit - maximum) * scale)) }
    let target = u * weights.reduce(0, +)
    var sum = 0.0
    for (candidate, weight) in zip(kept, weights) {
      sum += weight
      if sum > target { return Int(candidate.id) }
    }
    return Int(kept[weights.lastIndex { $0 > 0 }!].id)
  }

  /// Draws with nothing cut but what min-p cuts: sums in blocks first, then within one block.
  private func drawFromAll(_ u: Double) -> Int {
    let lowest = lowestLogit
    let scale = inverseTemperature
    let blockSize = 1024
    var blocks = [Double](repeating: 0, count: (logits.count + blockSize - 1) / blockSize)
    blocks.withUnsafeMutableBufferPointer { blocks in
      forEachWeight(scale: scale) { i, weight in if logits[i] >= lowest || logits[i] == maximum { blocks[i / blockSize] += weight } }
    }
    var target = u * blocks.reduce(0, +)
    var block = 0
    while block < blocks.count - 1, blocks[block] <= target || blocks[block] == 0 {
      target -= blocks[block]
      block += 1
    }
    var last = logits.firstIndex(of: maximum)!
    for i in (block * blockSize)..<min((block + 1) * blockSize, logits.count) where logits[i] >= lowest || logits[i] == maximum {
      let weight = Double(negativeExp((logits[i] - maximum) * scale))
      target -= weight
      if weight > 0 { last = i }
      if target < 0 { break }
    }
    return last
  }

  /// Hands over exp((logit - maximum) * scale) of every token, eight at a time.
  @inline(__always)
  private func forEachWeight(scale: Float, _ body: (Int, Double) -> Void) {
    var i = 0
    while i + 8 <= logits.count {
      let x = UnsafeRawPointer(logits.baseAddress! + i).loadUnaligned(as: SIMD8<Float>.self)
      let weights = negativeExp((x - maximum) * scale)
      for lane in 0..<8 { body(i + lane, Double(weights[lane])) }
      i += 8
    }
    while i < logits.count {
      body(i, Double(negativeExp((logits[i] - maximum) * scale)))
      i += 1
    }
  }
}
