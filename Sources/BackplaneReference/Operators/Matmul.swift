import BackplaneCore

/// y[m, n] = activation(Σ_k a[m, k] · b[n, k] + bias[n]) + residual[m, n].
///
/// Rows of b are decoded one at a time: a weight is never held as doubles.
struct Matmul: ReferenceOperator {
  func evaluate(_ call: Call) throws(BackplaneError) -> [ReferenceTensor?] {
    let problem = Problem(call)
    var sums = [Double](repeating: 0, count: call.outputs[0].count)
    var (sizes, extra): ([Double], [Double]) = (call.wantsBounds ? sums : [], [])
    let needsExtra = call.wantsBounds && problem.extraPerActivation != nil
    if needsExtra { extra = sums }
    problem.eachWeightRow { batch, n, weights, magnitudes in
      let at = (batch * problem.m) * problem.n + n
      problem.multiply(problem.a, batch, weights, into: &sums, at)
      if let magnitudes {
        problem.multiply(problem.absolute, batch, magnitudes, into: &sizes, at)
        if needsExtra { problem.multiply(problem.extraPerActivation!, batch, magnitudes, into: &extra, at) }
      }
    }
    if needsExtra { problem.addErrorOfWeights(to: &extra) }
    return [finish(call, problem, sums, sizes, extra)]
  }

  /// Bias, activation and residual, and what all of it may be off.
  private func finish(_ call: Call, _ problem: Problem, _ sums: [Double], _ sizes: [Double], _ extra: [Double]) -> ReferenceTensor {
    let (bias, residual) = (call.optional(2)?.values(), call.optional(3)?.values())
    let residualIndex = call.optional(3).flatMap { broadcastIndices($0.shape, to: call.outputs[0].shape) }
    let activation = Activation(named: call.string("activation"))
    let act = activation.function
    func biased(_ i: Int) -> Double { sums[i] + (bias.map { $0[i % problem.n] } ?? 0) }
    func added(_ i: Int) -> Double { residual.map { $0[residualIndex?[i] ?? i] } ?? 0 }
    let y = sums.indices.map { act(biased($0)) + added($0) }
    guard call.wantsBounds else { return call.result(y) { _ in 0 } }

    let residualError = residual.flatMap { call.optional(3)!.error(call.declared, of: $0) }
    let isPlain = if case .none = activation { true } else { false }
    return call.result(y) { i in
      // Without an activation the residual is one more number of the sum, wherever a kernel adds it.
      var size = sizes[i] + abs(bias?[i % problem.n] ?? 0)
      var roundings = problem.roundings + (bias == nil ? 0 : 1)
      if isPlain, residual != nil { (size, roundings) = (size + abs(added(i)), roundings + 1) }
      var own: Double
      if problem.isOpen(i) {
        own = .infinity
      } else if size.isFinite {
        own = unlessOverflowing(size, gamma(roundings) * size + problem.underflow) + (extra.isEmpty ? 0 : extra[i] * (1 + gamma(roundings)) + problem.tiny(i))
      } else {
        // An infinity among the operands: sums that are scaled later may meet infinity minus infinity.
        own = problem.isReordered ? .nan : 0
      }
      let ofResidual = residualError?[residualIndex?[i] ?? i] ?? 0
      if isPlain { return own + ofResidual }
      let z = biased(i)
      if z == -.infinity, !own.isNaN {
        own = max(own, activation.error(6, x: z, y: act(z)))
      } else if z.isFinite || own.isNaN {  // of a sum that may be NaN anything may come
        own = activation.error(6, x: z, y: act(z), moved: own)
      }
      if own == .infinity || residual == nil { return own + ofResidual }
      return own + ofResidual + u * abs(y[i])
    }
  }
}

/// The operands of a matmul as rows, and the terms of its bound.
private struct Problem {
  let m, n, k: Int
  private let batches: Int
  private let aOfBatch, bOfBatch: [Int]?
  private let b: Argument
  private let isTransposed: Bool
  let a: [Double]
  /// |a|
  let absolute: [Double]
  /// What each activation adds to the error for each |weight| it meets, beyond f32 arithmetic; nil when there is nothing.
  let extraPerActivation: [Double]?
  /// n of γ_n.
  let roundings: Int
  let underflow: Double
  /// A kernel may sum integers or minima apart, or round: an infinity may become NaN.
  let isReordered: Bool
  private let tinyPerRow: [Double]
  /// Rows of a with an element of which nothing is promised; empty when there are none.
  private let openRows: [Bool]
  private let wantsBounds: Bool
  /// Of the elements of b, where an earlier operator of a composition made them.
  private let bError: [Double]?

  init(_ call: Call) {
    let (left, right) = (call.input(0), call.input(1))
    b = right
    isTransposed = call.int("transpose_b") == 0
    let output = call.outputs[0].shape
    let lead = Array(output.dropLast(2))
    k = left.shape.last!
    n = output.last!
    let shared = right.shape.dropLast(2).allSatisfy { $0 == 1 }
    let aLead = Array(left.shape.dropLast(2))
    if shared, aLead == lead {  // one b for all: leading dimensions are more rows
      batches = 1
      m = output.dropLast().reduce(1, *)
      (aOfBatch, bOfBatch) = (nil, nil)
    } else {
      batches = lead.reduce(1, *)
      m = output[output.count - 2]
      aOfBatch = broadcastIndices(aLead, to: lead)
      bOfBatch = broadcastIndices(Array(right.shape.dropLast(2)), to: lead)
    }
    a = left.values()
    wantsBounds = call.wantsBounds
    absolute = wantsBounds ? a.map(abs) : []

    let declared = call.declared
    let decoder = BlockFormat.named(right.format)
    let halves: Set<ElementFormat> = [.f16, .bf16]
    let areExactProducts = halves.contains(left.format) && halves.contains(right.format)
    var roundings = k + (decoder == nil ? (areExactProducts ? -1 : 0) : decoder!.isTwoLevel ? 4 : 2)
    if declared.activationBlock != nil || declared.operandRound != nil { roundings = max(roundings, k + 4) }
    self.roundings = max(roundings, 0)
    underflow = Double(k) * (declared.flushesSubnormals ? smallestNormal : 2 * eta)
    isReordered = decoder != nil || declared.activationBlock != nil || declared.operandRound != nil
    guard wantsBounds else { (extraPerActivation, tinyPerRow, openRows, bError) = (nil, [], [], nil); return }

    let (k, absolute) = (self.k, self.absolute)
    let rows = k == 0 ? 0 : a.count / k
    let incoming = left.error(declared, of: a)
    var extra: [Double]?
    var tiny: [Double] = []
    func add(_ term: (Int) -> Double) {
      var sum = extra ?? [Double](repeating: 0, count: absolute.count)
      for i in sum.indices { sum[i] += term(i) }
      extra = sum
    }
    if let incoming { add { incoming[$0] } }
    if let block = declared.activationBlock {
      // Half a step of the block's scale, amax / 127.
      var steps = [Double](repeating: 0, count: a.count)
      for row in 0..<rows {
        for first in stride(from: 0, to: k, by: min(block, k)) {
          let range = row * k + first..<row * k + min(first + block, k)
          let largest = absolute[range].reduce(0) { $0.isNaN || $1.isNaN ? .nan : max($0, $1) }
          for i in range { steps[i] = largest.isFinite ? largest / 254 * (1 + 4 * u) : .nan }
        }
      }
      add { steps[$0] }
      if let scale = declared.activationScale {
        // q · (rounded scale): relative, and where the scale is subnormal 127 half steps of it.
        add { scale.unit * (absolute[$0] + steps[$0]) + 127 * scale.tiny }
      }
    }
    if let rounding = declared.operandRound {
      let rounded = (rounding.holds(left.format) ? 0 : 1) + (rounding.holds(right.format) ? 0 : 1)
      let relative = rounded == 2 ? 2 * rounding.unit + rounding.unit * rounding.unit : Double(rounded) * rounding.unit
      add { absolute[$0] <= rounding.largest ? relative * absolute[$0] + rounding.tiny : .infinity }
      tiny = (0..<rows).map { row in rounding.tiny * absolute[row * k..<(row + 1) * k].reduce(0, +) }
    }
    if declared.flushesSubnormals {
      add { _ in smallestNormal }
      let sums = (0..<rows).map { row in smallestNormal * absolute[row * k..<(row + 1) * k].reduce(0, +) }
      tiny = tiny.isEmpty ? sums : zip(tiny, sums).map { $0 + $1 }
    }
    bError = if case .computed(let tensor) = right.source { tensor.error } else { nil }
    if bError != nil { add { _ in 0 } }
    // Infinity times a weight of 0 would be a NaN, which promises something.
    let open = extra.map { extra in (0..<rows).map { extra[$0 * k..<($0 + 1) * k].contains(.infinity) } } ?? []
    openRows = open.contains(true) ? open : []
    extraPerActivation = openRows.isEmpty ? extra : extra?.map { $0 == .infinity ? 0 : $0 }
    tinyPerRow = tiny
  }

  /// The error of output i that depends on its row of a alone.
  func tiny(_ i: Int) -> Double { tinyPerRow.isEmpty ? 0 : tinyPerRow[row(of: i)] }
  /// Whether nothing is promised of output i.
  func isOpen(_ i: Int) -> Bool { !openRows.isEmpty && openRows[row(of: i)] }
  private func row(of i: Int) -> Int { (aOfBatch?[i / n / m] ?? i / n / m) * m + i / n % m }

  /// All rows of `matrix` in a batch, times one row of weights, into a column of `out`.
  func multiply(_ matrix: [Double], _ batch: Int, _ row: UnsafePointer<Double>, into out: inout [Double], _ at: Int) {
    guard m > 0 else { return }
    matrix.withUnsafeBufferPointer { matrix in
      out.withUnsafeMutableBufferPointer { out in
        guard k > 0 else { return }
        BackplaneReference.multiply(matrix.baseAddress! + (aOfBatch?[batch] ?? batch) * m * k, rows: m, by: row, length: k,
                                    into: out.baseAddress! + at, stride: n)
      }
    }
  }

  /// Σ |a| · error of b, for b that was computed.
  func addErrorOfWeights(to extra: inout [Double]) {
    guard let bError else { return }
    for i in extra.indices {
      let (row, column, batch) = (i / n % m, i % n, i / n / m)
      let (from, of) = (((aOfBatch?[batch] ?? batch) * m + row) * k, bOfBatch?[batch] ?? batch)
      for j in 0..<k { extra[i] += absolute[from + j] * bError[isTransposed ? (of * k + j) * n + column : (of * n + column) * k + j] }
    }
  }

  /// Gives each row of b, [n, k], and what its error is relative to when bounds are wanted.
  func eachWeightRow(_ body: (_ batch: Int, _ n: Int, _ weights: UnsafePointer<Double>, _ magnitudes: UnsafePointer<Double>?) -> Void) {
    let decoder = BlockFormat.named(b.format)
    let whole: [Double]? = if isTransposed { b.values() } else if case .computed(let tensor) = b.source { tensor.values } else { nil }
    withUnsafeTemporaryAllocation(of: Double.self, capacity: 2 * max(k, 1)) { buffer in
      let (weights, magnitudes) = (buffer.baseAddress!, buffer.baseAddress! + k)
      for batch in 0..<batches {
        let of = bOfBatch?[batch] ?? batch
        for n in 0..<self.n {
          if let whole {
            if isTransposed { for i in 0..<k { weights[i] = whole[(of * k + i) * self.n + n] } }
            else { for i in 0..<k { weights[i] = whole[(of * self.n + n) * k + i] } }
          } else if case .memory(let view) = b.source, k > 0 {
            view.decode(row: of * self.n + n, decoder, into: weights)
          }
          guard wantsBounds else { body(batch, n, weights, nil); continue }
          if let decoder, decoder.hasMinimum || decoder.hasZeroPoint, case .memory(let view) = b.source, k > 0 {
            view.decode(row: of * self.n + n, magnitudes: true, decoder, into: magnitudes)
          } else {
            for i in 0..<k { magnitudes[i] = abs(weights[i]) }
          }
          body(batch, n, weights, magnitudes)
        }
      }
    }
  }
}
