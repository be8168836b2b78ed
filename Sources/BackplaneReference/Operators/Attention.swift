import BackplaneCore
import Foundation

/// Scaled dot-product attention, a query row at a time, as the spec says it.
///
/// A key behind a mask of -infinity or false is not looked at: what lies there changes nothing, not even a NaN.
struct Attention: ReferenceOperator {
  func evaluate(_ call: Call) throws(BackplaneError) -> [ReferenceTensor?] {
    let problem = AttentionProblem(call)
    var row = AttentionRow(problem)
    let (count, rows) = (call.outputs[0].count, problem.batches * problem.t * problem.h)
    var (y, lse) = ([Double](repeating: 0, count: count), [Double](repeating: -.infinity, count: rows))
    var (yOwn, lseOwn) = (call.wantsBounds ? y : [], call.wantsBounds ? [Double](repeating: 0, count: rows) : [])
    for batch in 0..<problem.batches {
      for t in 0..<problem.t {
        for h in 0..<problem.h {
          let index = (batch * problem.t + t) * problem.h + h
          row.evaluate(batch, t, h)
          lse[index] = row.lse
          for e in 0..<problem.e { y[index * problem.e + e] = row.y[e] }
          guard call.wantsBounds else { continue }
          row.bound()
          lseOwn[index] = row.lseBound
          for e in 0..<problem.e { yOwn[index * problem.e + e] = row.yBound[e] }
        }
      }
    }
    let first = call.result(y) { yOwn[$0] }
    guard call.outputs.count > 1, call.outputs[1].isWanted else { return [first, nil] }
    return [first, call.result(lse, output: 1) { lseOwn[$0] }]
  }
}

/// Operands and options as numbers.
private struct AttentionProblem {
  let batches, t, h, d, s, g, e: Int
  let q, k, v: [Double]
  let qError, kError, vError: [Double]?
  let mask: [Double]?
  let sinks, slopes: [Double]?
  let scale, softcap: Double
  let isCausal: Bool
  let window: Int
  let declared: Declared
  /// Units of a declared rounding of q, k, v; 0 where their format holds such numbers already.
  let qUnit, kUnit, vUnit: Double

  init(_ call: Call) {
    let (q, k, v) = (call.input(0), call.input(1), call.input(2))
    let rank = q.shape.count
    (t, h, d) = (q.shape[rank - 3], q.shape[rank - 2], q.shape[rank - 1])
    (s, g, e) = (k.shape[rank - 3], k.shape[rank - 2], v.shape[rank - 1])
    batches = q.shape.dropLast(3).reduce(1, *)
    (self.q, self.k, self.v) = (q.values(), k.values(), v.values())
    qError = call.wantsBounds ? q.error(call.declared, of: self.q) : nil
    kError = call.wantsBounds ? k.error(call.declared, of: self.k) : nil
    vError = call.wantsBounds ? v.error(call.declared, of: self.v) : nil
    // A bool mask keeps where true.
    mask = call.optional(3).map { mask in mask.format == .bool ? mask.values().map { $0 == 0 ? -.infinity : 0 } : mask.values() }
    sinks = call.optional(4)?.values()
    slopes = call.optional(5)?.values()
    let scale = call.float("scale")
    self.scale = scale == 0 ? 1 / Double(d).squareRoot() : scale
    softcap = call.float("softcap")
    isCausal = call.int("causal") == 1
    window = call.int("window")
    declared = call.declared
    func unit(_ argument: Argument) -> Double {
      guard let rounding = call.declared.operandRound, !rounding.holds(argument.format) else { return 0 }
      return rounding.unit
    }
    (qUnit, kUnit, vUnit) = (unit(q), unit(k), unit(v))
  }

  /// The keys that causality and window leave to query t.
  func keys(_ t: Int) -> Range<Int> {
    let own = t + s - self.t
    let end = isCausal ? min(own + 1, s) : s
    let (first, overflow) = own.subtractingReportingOverflow(window - 1)
    let begin = window > 0 && !overflow ? max(first, 0) : 0
    return begin < end ? begin..<end : 0..<0
  }
}

/// One query of one head.
private struct AttentionRow {
  let p: AttentionProblem
  private(set) var y: [Double]
  private(set) var lse = -Double.infinity
  private(set) var yBound: [Double]
  private(set) var lseBound = 0.0

  private var (batch, t, h) = (0, 0, 0)
  /// The visible keys, and of each: score before the cap, score after it, score with masks, weight / total.
  private var keys: [Int] = []
  private var raw: [Double] = []
  private var capped: [Double] = []
  private var scores: [Double] = []
  private var weights: [Double] = []
  private var largest = -Double.infinity
  private var total = 0.0

  init(_ problem: AttentionProblem) {
    p = problem
    y = [Double](repeating: 0, count: p.e)
    yBound = y
  }

  private var sink: Double { p.sinks?[h] ?? -.infinity }
  private func keyRow(_ j: Int) -> Int { ((batch * p.s + j) * p.g + h / (p.h / p.g)) * p.d }
  private func valueRow(_ j: Int) -> Int { ((batch * p.s + j) * p.g + h / (p.h / p.g)) * p.e }
  private var queryRow: Int { ((batch * p.t + t) * p.h + h) * p.d }
  private func masked(_ j: Int) -> (mask: Double, alibi: Double) {
    (p.mask?[t * p.s + j] ?? 0, p.slopes.map { $0[h] * Double(j - (t + p.s - p.t)) } ?? 0)
  }

  mutating func evaluate(_ batch: Int, _ t: Int, _ h: Int) {
    (self.batch, self.t, self.h) = (batch, t, h)
    for e in 0..<p.e { y[e] = 0 }
    keys.removeAll(keepingCapacity: true)
    raw.removeAll(keepingCapacity: true)
    capped.removeAll(keepingCapacity: true)
    scores.removeAll(keepingCapacity: true)
    for j in p.keys(t) {
      let (mask, alibi) = masked(j)
      if mask == -.infinity { continue }
      var dot = 0.0
      p.q.withUnsafeBufferPointer { q in
        p.k.withUnsafeBufferPointer { k in
          if p.d > 0 { multiply(q.baseAddress! + queryRow, rows: 1, by: k.baseAddress! + keyRow(j), length: p.d, into: &dot, stride: 1) }
        }
      }
      keys.append(j)
      raw.append(p.scale * dot)
      capped.append(p.softcap > 0 ? p.softcap * tanh(p.scale * dot / p.softcap) : p.scale * dot)
      scores.append(capped[capped.count - 1] + mask + alibi)
    }
    largest = scores.reduce(sink) { $0.isNaN || $1.isNaN ? .nan : max($0, $1) }
    guard largest != -.infinity else {
      (total, lse) = (0, -.infinity)
      weights = scores.map { _ in 0 }
      return
    }
    weights = scores.map { exp($0 - largest) }
    total = weights.reduce(0, +) + exp(sink - largest)
    lse = largest + log(total)
    for i in keys.indices {
      weights[i] /= total
      if weights[i] == 0, scores[i] == -.infinity { continue }
      let (weight, row) = (weights[i], valueRow(keys[i]))
      p.v.withUnsafeBufferPointer { v in for e in 0..<p.e { y[e] += weight * v[row + e] } }
    }
  }

  /// The terms of Specs/decisions/0005-error-bounds.md, after `evaluate`.
  mutating func bound() {
    for e in 0..<p.e { yBound[e] = 0 }
    lseBound = 0
    guard largest != -.infinity, total.isFinite else { return }
    let n = keys.count + (p.sinks == nil ? 0 : 1)
    let (records, merges) = (max(recordCount(keys.indices), recordCount(keys.indices.reversed())), 8)
    let rescales = Double(records + merges)

    var ofSum = 0.0
    var errors = [Double](repeating: 0, count: keys.count)
    for i in keys.indices {
      let (mask, alibi) = masked(keys[i])
      var score = ofScore(i)
      if p.softcap > 0 {
        let cap = p.softcap
        score = change({ cap * tanh($0 / cap) }, at: raw[i], by: score, from: capped[i]) + 14 * u * abs(capped[i])
      }
      // Three sums, and the factor log2 e where a kernel works with powers of two.
      score += 4 * u * (abs(capped[i]) + abs(mask) + abs(alibi))
      let distance = scores[i] - largest
      let exponent = score + 3 * u * abs(distance) + rescales * (expError + u)
      errors[i] = (weightError(distance, exponent) + smallestNormal) / total
      ofSum += errors[i]
    }
    if p.sinks != nil { ofSum += weightError(sink - largest, 3 * u * abs(sink - largest) + 2 * u * abs(sink) + rescales * (expError + u)) / total }
    ofSum = ofSum * (1 + gamma(n)) + gamma(n + 1)
    if !(ofSum < 1) {
      for e in 0..<p.e { yBound[e] = .infinity }
      lseBound = .infinity
      return
    }

    let pUnit = p.declared.weightRound?.unit ?? 0
    let pTiny = p.declared.weightRound?.tiny ?? 0
    let sumOfRoundings = gamma(n + 2)
    for i in keys.indices {
      let (weight, error, row) = (weights[i], errors[i], valueRow(keys[i]))
      for e in 0..<p.e {
        let v = abs(p.v[row + e])
        let relative = sumOfRoundings + pUnit + p.vUnit
        yBound[e] += v * (error * (1 + relative) + weight * relative + pTiny / total)
        if let vError = p.vError { yBound[e] += vError[row + e] * (weight + error) }
        if p.vUnit > 0 { yBound[e] += weight * (p.declared.operandRound?.tiny ?? 0) }
      }
    }
    for e in 0..<p.e { yBound[e] = (yBound[e] + abs(y[e]) * (ofSum + pUnit)) / (1 - ofSum) + eta * Double(n) }
    let logarithm = abs(log(total))
    lseBound = -log1p(-ofSum) + expError * logarithm + 4 * u * (abs(largest) + logarithm) + 2 * u * abs(lse)
  }

  /// How far the dot product of key i may be off, times the scale.
  private func ofScore(_ i: Int) -> Double {
    let (q, k) = (queryRow, keyRow(keys[i]))
    var (size, extra) = (0.0, 0.0)
    let relative = (1 + p.qUnit) * (1 + p.kUnit) - 1
    let tiny = p.declared.operandRound?.tiny ?? 0
    for d in 0..<p.d {
      let (a, b) = (abs(p.q[q + d]), abs(p.k[k + d]))
      size += a * b
      let (ea, eb) = (p.qError?[q + d] ?? 0, p.kError?[k + d] ?? 0)
      extra += a * eb + ea * b + ea * eb
      if p.qUnit > 0 { extra += tiny * b }
      if p.kUnit > 0 { extra += tiny * a }
    }
    extra += relative * size
    if let block = p.declared.activationBlock {
      for first in stride(from: 0, to: p.d, by: min(block, max(p.d, 1))) {
        let range = first..<min(first + block, p.d)
        let largest = range.reduce(0) { max($0, abs(p.q[q + $1])) }
        for d in range {
          let step = largest / 254 * (1 + 4 * u)
          let b = abs(p.k[k + d])
          extra += step * b
          if let scale = p.declared.activationScale { extra += b * (scale.unit * (abs(p.q[q + d]) + step) + 127 * scale.tiny) }
        }
      }
    }
    let roundings = p.declared == .nothing ? p.d + 3 : p.d + 7
    let underflow = Double(p.d) * (p.declared.flushesSubnormals ? smallestNormal : 2 * eta)
    return abs(p.scale) * (unlessOverflowing(size, gamma(roundings) * size) + extra * (1 + gamma(roundings)) + underflow)
  }

  /// How often the running maximum grows when keys come in this order: each time what is summed so far is scaled.
  private func recordCount(_ order: some Sequence<Int>) -> Int {
    var (count, largest) = (0, -Double.infinity)
    for i in order where scores[i] > largest { (count, largest) = (count + 1, scores[i]) }
    return count
  }
}
