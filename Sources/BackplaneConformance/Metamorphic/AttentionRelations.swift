import BackplaneCore
import BackplaneReference
import BackplaneSpecs

/// Relations of attention: q [T, H, D], k and v [S, G, D], mask [T, S].
extension MetamorphicTests {
  static func attentionInputs(_ runner: Runner, _ t: Int, _ s: Int, _ h: Int, _ g: Int, _ d: Int) -> (q: Value, k: Value, v: Value) {
    (runner.normal([t, h, d]), runner.normal([s, g, d]), runner.normal([s, g, d]))
  }

  /// Keys and values in another order, with the mask in that order, change nothing.
  static func permutedKeys(_ spec: OperatorSpec, _ runner: Runner) throws(BackplaneError) {
    for (t, s, h, g, d) in [(1, 33, 4, 2, 64), (7, 129, 3, 1, 32), (33, 64, 2, 2, 80)] {
      let (q, k, v) = attentionInputs(runner, t, s, h, g, d)
      var mask = runner.normal([t, s])
      for i in mask.values.indices where i % 5 == 2 { mask.values[i] = -.infinity }
      let y = try runner.apply(spec, [q, k, v, mask])
      let order = runner.permutation(s)
      func permuted(_ value: Value) -> Value {
        var result = value
        result.values = order.flatMap { rows(value, $0..<$0 + 1).values }
        return result
      }
      var moved = mask
      for row in 0..<t { for j in 0..<s { moved.values[row * s + j] = mask.values[row * s + order[j]] } }
      let z = try runner.apply(spec, [q, permuted(k), permuted(v), moved])
      runner.expectEqual(z.values, y.values, within: (z.error, y.error), "keys in another order, T \(t) S \(s) H \(h) G \(g) D \(d)")
    }
  }

  /// Grouped heads are the same as each group's keys repeated for its heads.
  static func repeatedHeads(_ spec: OperatorSpec, _ runner: Runner) throws(BackplaneError) {
    for (t, s, h, g, d) in [(1, 65, 8, 2, 64), (7, 31, 6, 3, 32), (17, 17, 12, 4, 16)] {
      let (q, k, v) = attentionInputs(runner, t, s, h, g, d)
      let causal = [Attribute("causal", .int(1))]
      let y = try runner.apply(spec, [q, k, v], causal)
      func repeated(_ value: Value) -> Value {
        var values: [Double] = []
        for j in 0..<s { for head in 0..<h { let at = (j * g + head / (h / g)) * d; values += value.values[at..<at + d] } }
        return Value(shape: [s, h, d], values: values)
      }
      let z = try runner.apply(spec, [q, repeated(k), repeated(v)], causal)
      runner.expectEqual(z.values, y.values, within: (z.error, y.error), "keys repeated for each head, T \(t) S \(s) H \(h) G \(g) D \(d)")
    }
  }

  /// Row n of a causal prefill is the decode step that has n + 1 keys.
  static func decodeRows(_ spec: OperatorSpec, _ runner: Runner) throws(BackplaneError) {
    for (s, h, g, d, window) in [(33, 4, 2, 64, 0), (70, 3, 1, 32, 9)] {
      let (q, k, v) = attentionInputs(runner, s, s, h, g, d)
      let attributes = [Attribute("causal", .int(1)), Attribute("window", .int(window))]
      let y = try runner.apply(spec, [q, k, v], attributes)
      for n in [0, 1, 7, 31, s - 1] {
        let z = try runner.apply(spec, [rows(q, n..<n + 1), rows(k, 0..<n + 1), rows(v, 0..<n + 1)], attributes)
        let row = rows(y, n..<n + 1)
        runner.expectEqual(z.values, row.values, within: (z.error, row.error), "decode step \(n) of \(s) keys, H \(h) G \(g) D \(d) window \(window)")
      }
    }
  }

  /// Keys behind a mask of -infinity change nothing, whatever they are.
  static func paddingKeys(_ spec: OperatorSpec, _ runner: Runner) throws(BackplaneError) {
    for (t, s, more, h, g, d) in [(1, 31, 33, 4, 2, 64), (7, 60, 9, 2, 1, 32)] {
      let (q, k, v) = attentionInputs(runner, t, s, h, g, d)
      let y = try runner.apply(spec, [q, k, v])
      func padded(_ value: Value) -> Value {
        var result = value
        result.shape[0] += more
        result.values += (0..<more * g * d).map { i in i % 2 == 0 ? 3e4 : -3e4 }
        return result
      }
      let mask = Value(shape: [t, s + more], values: (0..<t * (s + more)).map { $0 % (s + more) < s ? 0 : -.infinity })
      let z = try runner.apply(spec, [q, padded(k), padded(v), mask])
      runner.expectEqual(z.values, y.values, within: (z.error, y.error), "\(more) keys behind a mask, T \(t) S \(s)")
    }
  }

  /// A causal prefill in chunks, each with the keys so far, is the prefill of all at once.
  static func chunkedPrefill(_ spec: OperatorSpec, _ runner: Runner) throws(BackplaneError) {
    for (s, h, g, d, window) in [(41, 4, 2, 64, 0), (65, 3, 1, 32, 11)] {
      let (q, k, v) = attentionInputs(runner, s, s, h, g, d)
      let attributes = [Attribute("causal", .int(1)), Attribute("window", .int(window))]
      let whole = try runner.apply(spec, [q, k, v], attributes)
      for size in [7, 16, 40] {
        for first in stride(from: 0, to: s, by: size) {
          let range = first..<min(first + size, s)
          let chunk = try runner.apply(spec, [rows(q, range), rows(k, 0..<range.upperBound), rows(v, 0..<range.upperBound)], attributes)
          let part = rows(whole, range)
          runner.expectEqual(chunk.values, part.values, within: (chunk.error, part.error), "queries \(range) of \(s) as a chunk, H \(h) G \(g) D \(d) window \(window)")
        }
      }
    }
  }

  /// Values times a power of two give results times it, to the bit.
  static func scaleValues(_ spec: OperatorSpec, _ runner: Runner) throws(BackplaneError) {
    for (t, s, h, g, d) in [(1, 65, 4, 2, 64), (17, 33, 3, 1, 32)] {
      let (q, k, v) = attentionInputs(runner, t, s, h, g, d)
      let y = try runner.apply(spec, [q, k, v])
      for power in [-6, 5] {
        let factor = Double(sign: .plus, exponent: power, significand: 1)
        let z = try runner.apply(spec, [q, k, scaled(v, factor)])
        runner.expectEqual(z.values, y.values.map { $0 * factor }, within: (z.error, y.error?.map { $0 * factor }), isExact: !runner.declaresRounding,
                           "values times 2^\(power), T \(t) S \(s)")
      }
    }
  }

  /// Attention over two parts of the keys, merged, is attention over all of them.
  static func splitKeys(_ spec: OperatorSpec, _ runner: Runner) throws(BackplaneError) {
    let attention = OperatorSpec.named("attention")!
    for (t, s, h, g, d) in [(1, 129, 4, 2, 64), (7, 33, 3, 1, 32)] {
      let (q, k, v) = attentionInputs(runner, t, s, h, g, d)
      let whole = try runner.applyAll(attention, [q, k, v], outputs: ["lse"])
      for first in [1, s / 2, s - 1] {
        let a = try runner.applyAll(attention, [q, rows(k, 0..<first), rows(v, 0..<first)], outputs: ["lse"])
        let b = try runner.applyAll(attention, [q, rows(k, first..<s), rows(v, first..<s)], outputs: ["lse"])
        let merged = try runner.applyAll(spec, [a[0], a[1], b[0], b[1]], outputs: ["lse"])
        // The parts were off by as much as their bounds before they were merged: weights by the errors of both lse, values by their own.
        func slack(_ i: Int) -> Double {
          let row = i / d
          let weights = 2 * (a[1].bounds[row] + b[1].bounds[row])
          return a[0].bounds[i] + b[0].bounds[i] + weights * (abs(a[0].values[i]) + abs(b[0].values[i]))
        }
        let bounds = merged[0].bounds.enumerated().map { $1 + slack($0) }
        runner.expectEqual(merged[0].values, whole[0].values, within: (bounds, whole[0].error), "keys split at \(first) of \(s), T \(t) H \(h) G \(g) D \(d)")
        let lse = merged[1].bounds.enumerated().map { $1 + a[1].bounds[$0] + b[1].bounds[$0] }
        runner.expectEqual(merged[1].values, whole[1].values, within: (lse, whole[1].error), "lse of keys split at \(first) of \(s), T \(t)")
      }
    }
  }
}
