import BackplaneABI
import BackplaneCore
import BackplaneReference
import BackplaneRegistry
import BackplaneSpecs

/// Relations between results of one device that hold whatever the right result is: they find what an oracle with the same mistake
/// would miss.
///
/// Which of them an operator must keep, its spec says. The tolerance is the sum of the bounds of the results that are compared.
public enum MetamorphicTests {
  static let relations: [String: @Sendable (OperatorSpec, Runner) throws(BackplaneError) -> Void] = [
    "rows_alone": rowsAlone, "scale_pow2": scaleByPowerOfTwo, "shift": shift, "scale_invariance": scaleInvariance,
    "kv_permutation": permutedKeys, "gqa_repeat": repeatedHeads, "decode_rows": decodeRows, "padding_keys": paddingKeys,
  ]

  public static func ids(of spec: OperatorSpec) -> [String] { spec.conformance.metamorphic.map { "metamorphic/\(spec.name)/\($0)" } }

  static func run(_ id: String, _ device: Device) -> CaseResult {
    let words = id.split(separator: "/").map(String.init)
    guard words.count == 3, let spec = OperatorSpec.named(words[1]), let relation = relations[words[2]] else {
      return CaseResult(id: id, outcome: .error, message: "there is no such relation")
    }
    let clock = ContinuousClock(), start = clock.now
    var result = CaseResult(id: id, outcome: .pass)
    result.required = true
    let runner = Runner(device, Identifier(id).value)
    do throws(BackplaneError) {
      try relation(spec, runner)
      if let fault = runner.fault { (result.outcome, result.fault, result.message) = (.fail, "metamorphic", fault) }
    } catch {
      (result.outcome, result.message) = (error.kind == .unsupported ? .unsupported : .error, "\(error)")
    }
    result.maxRatio = runner.maxRatio
    result.elements = runner.compared
    let elapsed = clock.now - start
    result.milliseconds = Double(elapsed.components.seconds) * 1000 + Double(elapsed.components.attoseconds) / 1e15
    result.makeFinite()
    return result
  }

  /// An operand in f32 or i32.
  struct Value {
    var format = ElementFormat.f32
    var shape: [Int]
    var values: [Double]
    /// Of a result: how far it may be from the truth.
    var error: [Double]?

    func bytes() -> [UInt8] { try! ReferenceTensor(format, shape, values: values).encoded() }
  }

  /// Runs operators on values, and compares results.
  final class Runner {
    let device: Device
    private(set) var fault: String?
    private(set) var maxRatio = 0.0
    private(set) var compared = 0
    /// Whether a kernel so far said that it rounds more than f32 arithmetic does.
    private(set) var declaresRounding = false
    private var random: Random

    init(_ device: Device, _ seed: UInt64) {
      self.device = device
      random = Random(key: seed, stream: 0x4E1A)
    }

    func normal(_ shape: [Int], _ scale: Double = 1) -> Value {
      Value(shape: shape, values: (0..<shape.reduce(1, *)).map { _ in Double(Float(random.normal() * scale)) })
    }
    func whole(_ shape: [Int], _ limit: Int) -> Value {
      Value(shape: shape, values: (0..<shape.reduce(1, *)).map { _ in Double(random.in_(-limit...limit)) })
    }
    func permutation(_ count: Int) -> [Int] {
      var order = Array(0..<count)
      for k in order.indices.reversed() { order.swapAt(k, random.below(k + 1)) }
      return order
    }

    /// The first output, with the oracle's bounds around what the device gave.
    ///
    /// - Throws: ``BackplaneError`` (unsupported) when the device does not support it.
    func apply(_ spec: OperatorSpec, _ inputs: [Value?], _ attributes: [Attribute] = []) throws(BackplaneError) -> Value {
      var tensors: [[CaseID.Tensor]] = inputs.map { $0.map { [CaseID.Tensor(format: $0.format, shape: $0.shape)] } ?? [] }
      while tensors.count < spec.inputs.count { tensors.append([]) }
      let id = CaseID(spec, inputs: tensors, attributes: attributes, data: "normal")
      let made = try CaseGraph(id)
      let graph = try ABIGraph(made.graph)
      defer { withExtendedLifetime(graph) {} }
      guard let verdict = try device.query(graph).first, verdict.isSupported else { throw BackplaneError(.unsupported, "\(id) is not supported") }
      let program = try device.compile(graph)
      let data = inputs.compactMap { $0?.bytes() }
      var places: [TensorID: CasePlace] = [:]
      var slot = 0
      for input in made.inputs {
        guard let input else { continue }
        let place = try CasePlace(device, byteCount: data[slot].count, alignment: CasePlace.alignment(device), isGuarded: false, usage: [.input])
        try place.write(data[slot])
        places[input.id] = place
        slot += 1
      }
      for case let output? in made.node.outputs where places[output] == nil {
        places[output] = try CasePlace(device, byteCount: made.graph[output].maximumBytes ?? 0, alignment: CasePlace.alignment(device), isGuarded: false, usage: [.output])
      }
      var workspace: CasePlace?
      if program.info.workspaceByteCount > 0 {
        workspace = try CasePlace(device, byteCount: program.info.workspaceByteCount, alignment: program.info.workspaceAlignment, isGuarded: false, usage: [.workspace])
      }
      try program.run((made.graph.abiInputs + made.graph.abiOutputs).map { places[$0]!.binding }, workspace: workspace?.binding)
      let declared = Declared(verdict.declares.map { Attribute($0.name, $0.value) })
      if declared != .nothing { declaresRounding = true }
      let expected = try Expectation(id, made, data, declared).outputs[0]!
      let bytes = try places[made.node.outputs[0]!]!.read()
      let actual = bytes.withUnsafeBytes { TensorView($0.baseAddress ?? UnsafeRawPointer(bitPattern: 8)!, expected.format, expected.shape).decoded() }
      return Value(format: expected.format, shape: expected.shape, values: actual, error: expected.error)
    }

    /// Notes a fault where two results differ by more than both bounds; by anything, when `isExact`.
    func expectEqual(_ a: [Double], _ b: [Double], within bounds: ([Double]?, [Double]?), isExact: Bool = false, _ what: String) {
      for i in a.indices {
        compared += 1
        let bound = isExact ? 0 : (bounds.0?[i] ?? 0) + (bounds.1?[i] ?? 0)
        let distance = abs(a[i] - b[i])
        if distance > 0, bound > 0 { maxRatio = max(maxRatio, distance / bound) }
        if !(distance <= bound), fault == nil { fault = "\(what): element \(i) is \(a[i]) and \(b[i]), which is more than \(bound) apart" }
      }
    }
  }

  /// Elements `rows` of a value whose first dimension they are.
  static func rows(_ value: Value, _ range: Range<Int>) -> Value {
    let width = value.shape.dropFirst().reduce(1, *)
    var part = value
    part.shape[0] = range.count
    part.values = Array(value.values[range.lowerBound * width..<range.upperBound * width])
    part.error = value.error.map { Array($0[range.lowerBound * width..<range.upperBound * width]) }
    return part
  }

  // MARK: Relations

  /// A row of the result depends on its row of the first operand only.
  private static func rowsAlone(_ spec: OperatorSpec, _ runner: Runner) throws(BackplaneError) {
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

  /// (2^k A) B = 2^k (A B), to the bit: a power of two changes no rounding, unless operands are rounded to a format with a narrow range.
  private static func scaleByPowerOfTwo(_ spec: OperatorSpec, _ runner: Runner) throws(BackplaneError) {
    for (m, n, k) in [(1, 33, 64), (7, 16, 257), (33, 31, 127)] {
      let a = runner.normal([m, k]), b = runner.normal([n, k])
      let y = try runner.apply(spec, [a, b])
      for power in [-6, 5] {
        let factor = Double(sign: .plus, exponent: power, significand: 1)
        var scaled = a
        scaled.values = a.values.map { $0 * factor }
        let z = try runner.apply(spec, [scaled, b])
        runner.expectEqual(z.values, y.values.map { $0 * factor }, within: (z.error, y.error?.map { $0 * factor }), isExact: !runner.declaresRounding, "a times 2^\(power), [\(m), \(k)] by [\(n), \(k)]")
      }
    }
  }

  /// softmax(x + c) = softmax(x).
  private static func shift(_ spec: OperatorSpec, _ runner: Runner) throws(BackplaneError) {
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
  private static func scaleInvariance(_ spec: OperatorSpec, _ runner: Runner) throws(BackplaneError) {
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

  // MARK: Attention: q [T, H, D], k and v [S, G, D], mask [T, S]

  private static func attentionInputs(_ runner: Runner, _ t: Int, _ s: Int, _ h: Int, _ g: Int, _ d: Int) -> (q: Value, k: Value, v: Value) {
    (runner.normal([t, h, d]), runner.normal([s, g, d]), runner.normal([s, g, d]))
  }

  /// Keys and values in another order, with the mask in that order, change nothing.
  private static func permutedKeys(_ spec: OperatorSpec, _ runner: Runner) throws(BackplaneError) {
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
  private static func repeatedHeads(_ spec: OperatorSpec, _ runner: Runner) throws(BackplaneError) {
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
  private static func decodeRows(_ spec: OperatorSpec, _ runner: Runner) throws(BackplaneError) {
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
  private static func paddingKeys(_ spec: OperatorSpec, _ runner: Runner) throws(BackplaneError) {
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
}
