import BackplaneCore
import Foundation

/// Rotates pairs of elements of each head by positions[t] · frequencies[i]; the elements behind them are copied.
struct RotaryEmbedding: ReferenceOperator {
  func evaluate(_ call: Call) throws(BackplaneError) -> [ReferenceTensor?] {
    let input = call.input(0)
    let rank = input.shape.count
    let (tokens, heads, size) = (input.shape[rank - 3], input.shape[rank - 2], input.shape[rank - 1])
    let (x, positions, frequencies) = (input.values(), call.input(1).integers(), call.input(2).values())
    let (interleaved, scale) = (call.int("interleaved") == 1, call.float("scale"))
    let incoming = call.wantsBounds ? input.error(call.declared, of: x) : nil
    let pairs = frequencies.count

    var y = x
    var own = call.wantsBounds ? incoming ?? [Double](repeating: 0, count: x.count) : []
    for t in 0..<tokens {
      for i in 0..<pairs {
        let angle = Double(positions[t]) * frequencies[i]
        let (c, s) = (cos(angle), sin(angle))
        // An angle that is no f32 is rounded; a kernel may turn in other units. Exact angles beyond 2^13 get no more than at 2^13.
        let isExact = Double(Float(angle)) == angle
        let ofAngle = 2 * u * (isExact ? min(abs(angle), 8192) : abs(angle))
        let relative = min(ofAngle, 2) + 8 * u + 4 * u + (scale == 0 ? 0 : call.roundingOfAttribute("scale") / abs(scale))
        for group in 0..<input.count / max(tokens * heads * size, 1) {
          for h in 0..<heads {
            let head = ((group * tokens + t) * heads + h) * size
            let (a, b) = interleaved ? (head + 2 * i, head + 2 * i + 1) : (head + i, head + i + pairs)
            y[a] = scale * (x[a] * c - x[b] * s)
            y[b] = scale * (x[a] * s + x[b] * c)
            guard call.wantsBounds else { continue }
            let bound = times(abs(scale), relative * (abs(x[a]) + abs(x[b])) + (incoming.map { $0[a] + $0[b] } ?? 0)) + 2 * eta * (1 + abs(scale))
            // A sum that is too large on the way, though not in the end.
            let size = max(abs(scale), 1) * (abs(x[a]) + abs(x[b]))
            own[a] = size.isFinite ? unlessOverflowing(size, bound) : bound
            own[b] = own[a]
          }
        }
      }
    }
    // Outside the pairs only what came in may be wrong.
    let output = call.outputs[0]
    guard call.wantsBounds else { return [call.result(y) { _ in 0 }] }
    let bound = OutputBound(output.format, call.declared)
    let error = y.indices.map { i in i % max(size, 1) >= 2 * pairs && own[i] == 0 ? 0 : bound.total(y[i], own: own[i]) }
    return [ReferenceTensor(output.format, output.shape, values: y, error: error)]
  }
}
