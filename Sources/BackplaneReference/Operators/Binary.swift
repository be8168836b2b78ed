import BackplaneCore
import Foundation

/// y = a ∘ b with broadcasting: add sub mul div min max pow.
struct Binary: ReferenceOperator {
  enum Function: String, CaseIterable { case add, sub, mul, div, min, max, pow }
  let function: Function

  static let operators: [String: any ReferenceOperator] =
    Dictionary(uniqueKeysWithValues: Function.allCases.map { ($0.rawValue, Binary(function: $0)) })

  func evaluate(_ call: Call) throws(BackplaneError) -> [ReferenceTensor?] {
    let shape = call.outputs[0].shape
    let count = call.outputs[0].count
    let (ia, ib) = (broadcastIndices(call.input(0).shape, to: shape), broadcastIndices(call.input(1).shape, to: shape))
    if call.outputs[0].format == .i32 {
      let (a, b) = (call.input(0).integers(), call.input(1).integers())
      return [call.exact((0..<count).map { Double(whole(Int32(truncatingIfNeeded: a[ia?[$0] ?? $0]), Int32(truncatingIfNeeded: b[ib?[$0] ?? $0]))) })]
    }
    let (a, b) = (call.input(0).values(), call.input(1).values())
    let y = (0..<count).map { real(a[ia?[$0] ?? $0], b[ib?[$0] ?? $0]) }
    guard call.wantsBounds else { return [isExact ? call.exact(y) : call.result(y) { _ in 0 }] }
    let (errorA, errorB) = (call.input(0).error(call.declared, of: a), call.input(1).error(call.declared, of: b))
    func propagated(_ i: Int) -> Double {
      let (ja, jb) = (ia?[i] ?? i, ib?[i] ?? i)
      let (ea, eb) = (errorA?[ja] ?? 0, errorB?[jb] ?? 0)
      switch function {
      case .add, .sub: return ea + eb
      case .min, .max: return Swift.max(ea, eb)
      case .mul: return times(abs(a[ja]), eb) + times(abs(b[jb]), ea) + times(ea, eb)
      case .pow:
        return change({ Foundation.pow($0, b[jb]) }, at: a[ja], by: ea, from: y[i]) + change({ Foundation.pow(a[ja], $0) }, at: b[jb], by: eb, from: y[i])
      case .div: return ea == 0 && eb == 0 ? 0 : eb < abs(b[jb]) ? (ea + times(abs(y[i]), eb)) / (abs(b[jb]) - eb) : .infinity
      }
    }
    if isExact { return [call.exact(y, propagated: errorA == nil && errorB == nil ? nil : (0..<count).map(propagated))] }
    // 16 ulp: a power by exp2(b log2 a) multiplies the logarithm's error.
    return [call.result(y) { i in
      if !y[i].isFinite { return propagated(i) }
      return (function == .pow ? 32 * u * abs(y[i]) + smallestNormal : u * abs(y[i])) + propagated(i)
    }]
  }

  private var isExact: Bool { function == .min || function == .max }

  private func real(_ a: Double, _ b: Double) -> Double {
    switch function {
    case .add: a + b
    case .sub: a - b
    case .mul: a * b
    case .div: a / b
    case .pow: Foundation.pow(a, b)
    case .min: a.isNaN || b.isNaN ? .nan : Swift.min(a, b)
    case .max: a.isNaN || b.isNaN ? .nan : Swift.max(a, b)
    }
  }

  /// Wraps; division truncates towards 0, by zero gives 0.
  private func whole(_ a: Int32, _ b: Int32) -> Int32 {
    switch function {
    case .add: a &+ b
    case .sub: a &- b
    case .mul: a &* b
    case .div: b == 0 ? 0 : a.dividedReportingOverflow(by: b).partialValue
    case .min: Swift.min(a, b)
    case .max: Swift.max(a, b)
    case .pow: preconditionFailure("pow is for floats")
    }
  }
}
