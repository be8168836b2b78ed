import BackplaneCore
import BackplaneReference
import BackplaneSpecs

/// Relations among the rows of a result, and under scaling and shifting.
extension MetamorphicTests {
  /// A row of the result depends on its row of the first operand only.
  static func rowsAlone(_ spec: OperatorSpec, _ runner: Runner) throws(BackplaneError) {
    for (rowCount, width) in [(7, 33), (32, 64), (5, 257)] {
      let x = rowCount * width == 0 ? runner.normal([1]) : spec.inputs[0].shape.suffix.count + spec.inputs[0].shape.prefix.count >= 3
        ? runner.normal([rowCount, 3, width % 2 == 0 ? width : width + 1]) : runner.normal([rowCount, width])
      // What goes with it: each operand from the extents it shares.
      var others: [Value?] = []
      for operand in spec.inputs.dropFirst() {
        if operand.isOptional { others.append(nil); continue }
        switch operand.shape.text {
        case "..* N K", "N K": others.append(runner.normal([17, width]))
        case "T": others.append(Value(format: .i32, shape: [rowCount], values: (0..<rowCount).map(Double.init)))
        case "F": others.append(Value(shape: [8], values: (0..<8).map { 1 / Double(1 + $0 * 100) }.map { Double(Float($0)) }))
        default: others.append(runner.normal(x.shape))
        }
      }
      let all = try runner.apply(spec, [x] + others)
      for first in stride(from: 0, to: rowCount, by: 3) {
        let range = first..<min(first + 2, rowCount)
        let alone = try runner.apply(spec, [rows(x, range)] + others.map { other in
          guard let other, other.shape.first == rowCount, other.format == .i32 || other.shape == x.shape else { return other }
          return rows(other, range)
        })
        let part = rows(all, range)
        runner.expectEqual(part.values, alone.values, within: (part.error, alone.error), "rows \(range) of \(x.shape) alone")
      }
    }
  }

  /// f(2^k x) = 2^k f(x), to the bit: a power of two changes no rounding, unless operands are rounded to a format with a narrow range.
  static func scaleByPowerOfTwo(_ spec: OperatorSpec, _ runner: Runner) throws(BackplaneError) {
    for (m, n, k) in [(1, 33, 64), (7, 16, 257), (33, 31, 127)] {
      let x = runner.normal([m, k])
      let others: [Value?] = spec.inputs.count > 1 && !spec.inputs[1].isOptional ? [runner.normal([n, k])] : []
      let y = try runner.apply(spec, [x] + others)
      for power in [-6, 5] {
        let factor = Double(sign: .plus, exponent: power, significand: 1)
        let z = try runner.apply(spec, [scaled(x, factor)] + others)
        runner.expectEqual(z.values, y.values.map { $0 * factor }, within: (z.error, y.error?.map { $0 * factor }), isExact: !runner.declaresRounding, "[\(m), \(k)] times 2^\(power)")
      }
    }
  }
  static func scaled(_ value: Value, _ factor: Double) -> Value {
    var result = value
    result.values = value.values.map { $0 * factor }
    return result
  }

  /// Rows in blocks of other heights, which other kernels may take, one after the other are the whole.
  static func rowBlocks(_ spec: OperatorSpec, _ runner: Runner) throws(BackplaneError) {
    let (m, n, k) = (41, 33, 64)
    let x = runner.normal([m, k])
    // Weights; an optional operand stays away.
    let others: [Value?] = spec.inputs.dropFirst().map { $0.isOptional ? nil : runner.normal([n, k], 0.25) }
    let whole = try runner.apply(spec, [x] + others)
    for heights in [[1, 7, 32, 1], [16, 16, 9], [40, 1]] {
      var first = 0
      for height in heights {
        let range = first..<first + height
        let part = rows(whole, range), alone = try runner.apply(spec, [rows(x, range)] + others)
        runner.expectEqual(part.values, alone.values, within: (part.error, alone.error), "rows \(range) of \(m) as a block")
        first += height
      }
    }
  }

  /// softmax(x + c) = softmax(x).
  static func shift(_ spec: OperatorSpec, _ runner: Runner) throws(BackplaneError) {
    for width in [7, 64, 257] {
      let x = runner.whole([5, width], 12)
      let y = try runner.apply(spec, [x])
      for c in [64.0, -1000, 100_000] {
        var moved = x
        moved.values = x.values.map { $0 + c }
        let z = try runner.apply(spec, [moved])
        runner.expectEqual(z.values, y.values, within: (z.error, y.error), "x + \(c), \(width) wide")
      }
    }
  }

  /// norm(c x) = norm(x) without an epsilon.
  static func scaleInvariance(_ spec: OperatorSpec, _ runner: Runner) throws(BackplaneError) {
    let none = [Attribute("epsilon", .float(0))]
    for width in [33, 640] {
      let x = runner.normal([4, width])
      let y = try runner.apply(spec, [x], none)
      for c in [3.0, 0.01] {
        var scaled = x
        scaled.values = x.values.map { Double(Float($0 * c)) }
        let z = try runner.apply(spec, [scaled], none)
        // The operand was rounded when it was scaled.
        let slack = y.values.map { abs($0) * 0x1p-22 }
        runner.expectEqual(z.values, y.values, within: (z.error, zip(y.error ?? slack, slack).map(+)), "x times \(c), \(width) wide")
      }
    }
  }
}
