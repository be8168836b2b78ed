import BackplaneCore

/// How a plugin's result compares with the oracle's.
public struct Judgement: Sendable {
  public struct Mismatch: Sendable {
    /// Row-major.
    public let index: Int
    public let expected: Double
    public let bound: Double
    public let actual: Double
  }

  /// Elements compared (bytes, for a block format).
  public var count = 0
  /// Elements outside their bound.
  public var failures = 0
  /// Elements for which nothing is promised.
  public var unjudged = 0
  /// The largest |actual - expected| / bound; infinite where a result that must be exact is not, or is not finite and should be.
  public var maxRatio = 0.0
  public var maxError = 0.0
  public var firstBad: Mismatch?

  public var passed: Bool { failures == 0 }
}

extension Judgement: CustomStringConvertible {
  public var description: String {
    let summary = "\(failures) of \(count) outside the bound, at most \(maxRatio) of it"
    guard let bad = firstBad else { return summary }
    return summary + "; first at \(bad.index): \(bad.actual), expected \(bad.expected) ± \(bad.bound)"
  }
}

public enum Judge {
  /// Compares a result in memory with what the oracle says of it (evaluated with `bounds: true`).
  ///
  /// An expected NaN must be a NaN, an expected infinity that infinity; beyond its format's range a result may be infinite. Moved
  /// and converted elements must have the same bits, any NaN for a NaN. Where the bound is infinite, anything goes; where it is
  /// NaN, anything that is not finite.
  ///
  /// - Precondition: Format and shape are the same.
  public static func compare(expected: ReferenceTensor, actual: TensorView) -> Judgement {
    precondition(expected.format == actual.format && expected.shape == actual.shape, "a \(actual.format)\(actual.shape) is no \(expected.format)\(expected.shape)")
    if let bits = expected.bits { return compare(bits: bits, expected.format, with: actual.bytes()) }
    return compare(expected: expected.values, error: expected.error, actual: actual.decoded(), format: expected.format)
  }

  /// As above, for dense bytes.
  public static func compare(expected: ReferenceTensor, actual bytes: UnsafeRawBufferPointer) -> Judgement {
    precondition(bytes.count >= expected.format.bytes(forElements: expected.count) ?? 0, "too few bytes")
    return compare(expected: expected, actual: TensorView(bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 8)!, expected.format, expected.shape))
  }

  /// Compares numbers. Elements of `format` are never infinite below the point where rounding makes them so.
  public static func compare(expected: [Double], error: [Double]?, actual: [Double], format: ElementFormat) -> Judgement {
    var judgement = Judgement(count: expected.count)
    let overflow = overflowThreshold(format)
    for i in expected.indices {
      let (e, a, bound) = (expected[i], actual[i], error?[i] ?? 0)
      var isRight: Bool
      var ratio = 0.0
      if bound == .infinity {
        judgement.unjudged += 1
        continue
      } else if bound.isNaN {
        isRight = !a.isFinite
      } else if e.isNaN {
        isRight = a.isNaN
      } else if e.isInfinite {
        isRight = a == e
      } else if a.isInfinite {
        isRight = abs(e) + bound >= overflow && (abs(e) <= bound || (a < 0) == (e < 0))
      } else if a.isNaN {
        isRight = false
      } else {
        let distance = abs(a - e)
        judgement.maxError = max(judgement.maxError, distance)
        ratio = distance == 0 ? 0 : distance / bound
        isRight = distance <= bound
      }
      if !isRight, ratio <= 1 { ratio = .infinity }
      judgement.maxRatio = max(judgement.maxRatio, ratio)
      if !isRight {
        judgement.failures += 1
        if judgement.firstBad == nil { judgement.firstBad = .init(index: i, expected: e, bound: bound, actual: a) }
      }
    }
    return judgement
  }

  private static func compare(bits expected: [UInt8], _ format: ElementFormat, with actual: [UInt8]) -> Judgement {
    if format.isBlock {
      var judgement = Judgement(count: expected.count)
      for i in expected.indices where expected[i] != actual[i] { judgement.fail(i, Double(expected[i]), Double(actual[i])) }
      return judgement
    }
    let size = format.blockBytes
    var judgement = Judgement(count: expected.count / size)
    for i in 0..<expected.count / size where expected[i * size..<(i + 1) * size] != actual[i * size..<(i + 1) * size] {
      func value(_ bytes: [UInt8]) -> Double {
        var value = 0.0
        bytes.withUnsafeBytes { PlainFormat.decode(format, $0.baseAddress! + i * size, stride: size, count: 1, into: &value) }
        return value
      }
      let (e, a) = (value(expected), value(actual))
      if !(e.isNaN && a.isNaN) { judgement.fail(i, e, a) }
    }
    return judgement
  }

  /// From here on a number rounds to infinity.
  private static func overflowThreshold(_ format: ElementFormat) -> Double {
    switch format {
    case .f32: 0x1.ffffffp127
    case .f16: 65520
    case .bf16: 0x1.ffp127
    default: .infinity
    }
  }
}

extension Judgement {
  fileprivate mutating func fail(_ index: Int, _ expected: Double, _ actual: Double) {
    failures += 1
    maxRatio = .infinity
    let distance = abs(actual - expected)
    if distance.isFinite { maxError = max(maxError, distance) }
    if firstBad == nil { firstBad = Mismatch(index: index, expected: expected, bound: 0, actual: actual) }
  }
}
