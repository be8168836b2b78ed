import BackplaneCore

/// y = act(gate) · up.
struct GatedActivation: ReferenceOperator {
  func evaluate(_ call: Call) throws(BackplaneError) -> [ReferenceTensor?] {
    let activation = Activation(named: call.string("activation"))
    let act = activation.function
    let (gate, up) = (call.input(0).values(), call.input(1).values())
    let activated = gate.map(act)
    let y = zip(activated, up).map { $0 * $1 }
    guard call.wantsBounds else { return [call.result(y) { _ in 0 }] }
    let (gateError, upError) = (call.input(0).error(call.declared, of: gate), call.input(1).error(call.declared, of: up))
    return [call.result(y) { i in
      // The activation within 6 ulp, and one ulp for the product, which may be formed as (gate · up) · factor: 7 in all.
      let ofGate = activation.error(6, x: gate[i], y: activated[i], moved: gateError?[i] ?? 0)
      if ofGate == .infinity { return .infinity }  // where infinity times 0 and its limit are both right
      let ofUp = upError?[i] ?? 0
      return times(ofGate, abs(up[i]) + ofUp) + times(abs(activated[i]), ofUp) + 2 * u * abs(y[i])
    }]
  }
}
