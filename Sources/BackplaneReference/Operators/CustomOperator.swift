import BackplaneCore
import BackplaneSpecs

/// An operator whose meaning is a function that an application registered. Its bound is what the operator's numerics say, and what the function adds.
struct CustomOperator: ReferenceOperator {
  let spec: OperatorSpec

  func evaluate(_ call: Call) throws(BackplaneError) -> [ReferenceTensor?] {
    let inputs = call.inputs.map { input in input.map { OperatorValues(format: $0.format, shape: $0.shape, values: $0.values()) } }
    let made = try spec.evaluate(inputs, call.attributes, call.outputs.map { OperatorValues(format: $0.format, shape: $0.shape) })
    return call.outputs.indices.map { j in
      guard call.outputs[j].isWanted else { return nil }
      let (values, errors) = (made[j].values, made[j].errors)
      if spec.numerics.bound == .exact { return call.exact(values, output: j, propagated: errors) }
      return call.result(values, output: j) { i in own(abs(values[i])) + (errors?[i] ?? 0) }
    }
  }

  private func own(_ size: Double) -> Double {
    guard size.isFinite else { return 0 }
    let numerics = spec.numerics
    return switch numerics.bound {
    case .rounding: gamma(numerics.roundings ?? 1) * size + eta
    // An ulp is at most 2u of a number, and 2 eta near zero; absolute ones are of 1.
    case .ulp: Double(numerics.ulp ?? 1) * (2 * u * size + 2 * eta)
    case .ulpAbsolute: Double(numerics.ulp ?? 1) * (2 * u * max(size, 1) + 2 * eta)
    default: 0
    }
  }
}
