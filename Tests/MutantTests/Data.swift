import BackplaneCore
import BackplaneReference
import Foundation
import _TestSupport

/// Kinds of numbers that a case is filled with.
enum Kind: CaseIterable, Sendable { case uniform, positive, integers, negative, wide, special, subnormal, huge, ramp, breakpoints, offset, ties, largest
  /// Those that a sum or a product of many does not overflow on the way.
  static let moderate = allCases.filter { $0 != .largest && $0 != .huge }
}

/// Numbers from a seed, the same on every machine.
struct Source {
  var generator: SeededGenerator

  mutating func unit() -> Double { Double(generator.next() >> 11) * 0x1p-53 }
  mutating func uniform(_ low: Double, _ high: Double) -> Double { low + (high - low) * unit() }
  mutating func pick<T>(_ values: [T]) -> T { values[Int(generator.next() % UInt64(values.count))] }

  mutating func value(_ kind: Kind, _ i: Int) -> Double {
    switch kind {
    case .uniform: return uniform(-1, 1)
    case .positive: return uniform(0.5, 1.5)
    case .integers: return Double(Int(uniform(-9, 9)))
    case .negative: return uniform(-3, -0.1)
    case .wide: return (unit() < 0.5 ? -1 : 1) * exp(uniform(-18, 7))
    case .special:
      return pick([.nan, .infinity, -.infinity, -0.0, 0, 0, 1, -1, 0x1p-130, -0x1p-140, 70000, 1e-20, 1e30])
    case .subnormal: return (unit() < 0.5 ? -1 : 1) * uniform(0, 1) * 0x1p-125
    case .largest: return (unit() < 0.5 ? -1 : 1) * pick([3.4028235e38, 3e38, 0x1p-126, 1.5e38, 65504, 65520])
    case .huge: return (unit() < 0.5 ? -1 : 1) * uniform(1e15, 1e19)
    case .ramp: return Double(i) * 0.37 - 4
    case .breakpoints:
      let near = [0, 1e-6, 1e-3, 0.01, 0.3, 0.5, 1, 1.0001, 1.001, 2, 3.01, 3.3, 3.5, 4.5, 5.01, 5.5, 6, 8.01, 9, 10, 12, 17, 19, 21, 25, 60, 80, 86, 88.1, 88.5, 90, 110, 333, 1000, 4000, 8000]
      return (unit() < 0.5 ? -1 : 1) * pick(near) * (1 + uniform(-1, 1) * 0x1p-12)
    case .offset: return 300 + uniform(-0.01, 0.01)
    case .ties: return pick([1, 2, 2.5, -3, 0.5, 1.5, -0.5, 1.00390625, 1.01171875, 100.5])
    }
  }

  mutating func operand(_ format: ElementFormat, _ shape: [Int], _ kind: Kind) -> Operand {
    let count = shape.reduce(1, *)
    if format.isBlock { return Operand(format: format, shape: shape, bytes: blocks(format, count / format.blockElements, kind)) }
    let values = (0..<count).map { i -> Double in
      switch format {
      case .f32, .f16, .bf16, .f64: return value(kind, i)
      case .bool: return unit() < 0.6 ? 1 : 0
      case .i8: return Double(Int8(truncatingIfNeeded: generator.next()))
      case .u8: return Double(UInt8(truncatingIfNeeded: generator.next()))
      default: return unit() < 0.5 ? Double(Int(uniform(-100, 100))) : Double(Int32(truncatingIfNeeded: generator.next()))
      }
    }
    return numbers(format, shape, values)
  }
  func numbers(_ format: ElementFormat, _ shape: [Int], _ values: [Double]) -> Operand {
    // f32 bits as they are: an encoder need not keep a NaN's payload, a case may want one.
    Operand(format: format, shape: shape, bytes: try! ReferenceTensor(format, shape, values: values).encoded())
  }

  /// Random bytes with plausible scales.
  private mutating func blocks(_ format: ElementFormat, _ count: Int, _ kind: Kind) -> [UInt8] {
    let scales: [String: [Int]] = ["q4_0": [0], "q4_1": [0, 2], "q5_0": [0], "q5_1": [0, 2], "q8_0": [0], "q2_K": [80, 82], "q3_K": [108],
                                   "q4_K": [0, 2], "q5_K": [0, 2], "q6_K": [208], "iq4_nl": [0], "tq2_0": [64]]
    var bytes: [UInt8] = []
    for _ in 0..<count {
      var block = (0..<format.blockBytes).map { _ in UInt8(truncatingIfNeeded: generator.next() >> 24) }
      if format.name == "q8_0" { block[2 + Int(generator.next() % 32)] = 128 }
      for at in scales[format.name] ?? [] {
        let scale = Float16(unit() < 0.2 && kind != .uniform ? uniform(-0x1p-16, 0x1p-16) : uniform(0.25, 1) * pick([-0.125, 0.25, 1]))
        withUnsafeBytes(of: scale) { block[at] = $0[0]; block[at + 1] = $0[1] }
      }
      if format.name == "mxfp4" { block[0] = kind == .uniform ? UInt8(120 + generator.next() % 14) : pick([0, 1, 2, 100, 127, 130, 255]) }
      bytes += block
    }
    return bytes
  }
}
