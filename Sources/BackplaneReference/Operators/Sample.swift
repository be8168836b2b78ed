import BackplaneCore
import Foundation

/// A token drawn from each row of logits. Where f32 arithmetic could decide otherwise, nothing is promised.
struct Sample: ReferenceOperator {
  func evaluate(_ call: Call) throws(BackplaneError) -> [ReferenceTensor?] {
    let (input, draws) = (call.input(0), call.input(1).values())
    let (x, n) = (input.values(), input.rowLength)
    let rows = draws.indices.map { row in
      SampledRow(logits: x[row * n..<(row + 1) * n].map { $0.isNaN ? -.infinity : $0 }, call).token(at: draws[row])
    }
    return [call.result(rows.map { Double($0.token) }) { rows[$0].isClear ? 0 : .infinity }]
  }
}

private struct SampledRow {
  let logits: [Double]
  let largest: Double
  let temperature, topP, minP: Double
  let topK: Int
  /// How near to a limit, relative to the whole, leaves a decision open.
  private let margin = 0x1p-14

  init(logits: [Double], _ call: Call) {
    self.logits = logits
    largest = logits.max()!
    (temperature, topP, minP, topK) = (call.float("temperature"), call.float("top_p"), call.float("min_p"), call.int("top_k"))
  }

  func token(at draw: Double) -> (token: Int, isClear: Bool) {
    if largest == -.infinity { return (0, true) }
    if temperature == 0 || largest == .infinity { return (logits.firstIndex(of: largest)!, true) }
    var isClear = true
    func isNear(_ a: Double, _ b: Double, _ whole: Double) -> Bool { abs(a - b) <= margin * whole }

    var kept = logits.indices.sorted { logits[$0] > logits[$1] || (logits[$0] == logits[$1] && $0 < $1) }
    if topK > 0 { kept = Array(kept.prefix(topK)) }
    func weight(_ i: Int) -> Double { exp(logits[i] - largest) }
    if topP < 1 {
      let mass = kept.reduce(0) { $0 + weight($1) }
      var (sum, count) = (0.0, 0)
      while count < kept.count {
        sum += weight(kept[count])
        count += 1
        if isNear(sum, topP * mass, mass) { isClear = false }
        if sum >= topP * mass { break }
      }
      kept = Array(kept.prefix(count))
    }
    if minP > 0 {
      if kept.contains(where: { logits[$0] < largest && isNear(weight($0), minP, minP) }) { isClear = false }
      kept = kept.filter { logits[$0] == largest || weight($0) >= minP }
    }

    let drawn = kept.sorted().map { (token: $0, weight: exp((logits[$0] - largest) / temperature)) }
    let total = drawn.reduce(0) { $0 + $1.weight }
    var (sum, token) = (0.0, 0)
    for candidate in drawn {
      if candidate.weight > 0 { token = candidate.token }
      // Where one ends and the next begins. At the very end there is no next.
      sum += candidate.weight
      if isNear(sum, draw * total, total), candidate.token != drawn.last!.token { isClear = false }
      if sum > draw * total { break }
    }
    return (token, isClear)
  }
}
