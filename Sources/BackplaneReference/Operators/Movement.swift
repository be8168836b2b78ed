import BackplaneCore

/// The operators that only move elements: reshape transpose expand concat slice pad. Blocks of block formats move as they are.
struct Movement: ReferenceOperator {
  /// For each unit (block, or element of a plain format) of the output, the number of the input unit: inputs counted one after
  /// the other, -1 for the padding.
  private let sources: @Sendable (Call) -> [Int]
  private init(_ sources: @escaping @Sendable (Call) -> [Int]) { self.sources = sources }

  static let operators: [String: any ReferenceOperator] = [
    "reshape": Movement { call in Array(0..<units(call.input(0)).reduce(1, *)) },
    "transpose": Movement { call in
      let shape = call.input(0).shape
      let permutation = call.ints("permutation").isEmpty ? shape.indices.reversed() : call.ints("permutation")
      let strides = steps(shape)
      return indices(permutation.map { shape[$0] }, permutation.map { strides[$0] })
    },
    "expand": Movement { call in
      broadcastIndices(call.input(0).shape, to: call.outputs[0].shape) ?? Array(0..<call.input(0).count)
    },
    "slice": Movement { call in
      let x = call.input(0)
      let axis = normalized(call.int("axis"), x.shape.count)
      let (extent, given) = (x.shape[axis], call.int("start"))
      let first = min(max(given < 0 ? given + extent : given, 0), extent)
      var shape = units(x)
      var strides = steps(shape)
      let isBlocked = axis == shape.count - 1 && x.format.isBlock
      let start = (isBlocked ? first / x.format.blockElements : first) * strides[axis]
      shape[axis] = isBlocked ? call.outputs[0].shape[axis] / x.format.blockElements : call.outputs[0].shape[axis]
      if shape[axis] > 1 { strides[axis] *= call.int("step") }
      return indices(shape, strides, start: start)
    },
    "concat": Movement { call in
      let shapes = call.inputs.map { units($0!) }
      let axis = normalized(call.int("axis"), shapes[0].count)
      let outer = shapes[0][..<axis].reduce(1, *)
      let runs = shapes.map { $0[axis...].reduce(1, *) }
      var result: [Int] = []
      for o in 0..<outer {
        var first = 0
        for run in runs {
          result += first + o * run..<first + (o + 1) * run
          first += outer * run
        }
      }
      return result
    },
    "pad": Movement { call in
      let shape = call.input(0).shape
      let (before, after, strides) = (call.ints("before"), call.ints("after"), steps(shape))
      var result = [0]
      for d in shape.indices {
        result = result.flatMap { offset in
          (-before[d]..<shape[d] + after[d]).map { i in offset < 0 || i < 0 || i >= shape[d] ? -1 : offset + i * strides[d] }
        }
      }
      return result
    },
  ]

  func evaluate(_ call: Call) throws(BackplaneError) -> [ReferenceTensor?] {
    let output = call.outputs[0]
    let map = sources(call)
    let inputs = call.inputs.compactMap { $0 }
    let errors = inputs.map { $0.error(.nothing, of: []) }
    if errors.contains(where: { $0 != nil }), !output.format.isBlock {  // inside a composition
      let fill = call.attributes.contains { $0.name == "value" } ? call.float("value") : 0
      let values = inputs.flatMap { $0.values() }
      let pool = zip(inputs, errors).flatMap { input, error in error ?? [Double](repeating: 0, count: input.count) }
      return [ReferenceTensor(output.format, output.shape, values: map.map { $0 < 0 ? fill : values[$0] }, error: map.map { $0 < 0 ? 0 : pool[$0] })]
    }
    let size = output.format.blockBytes
    var pool: [UInt8] = []
    for input in inputs { pool += try input.bytes() }
    let padding = pool.count / size
    if map.contains(-1) {
      pool += [UInt8](repeating: 0, count: size)
      let value = call.number("value")
      pool.withUnsafeMutableBytes { PlainFormat.encode(value, output.format, to: $0.baseAddress! + padding * size) }
    }
    let bytes = [UInt8](filling: map.count * size) { out in
      pool.withUnsafeBytes { from in
        let to = UnsafeMutableRawPointer(out.baseAddress!)
        for (i, unit) in map.enumerated() {
          (to + i * size).copyMemory(from: from.baseAddress! + (unit < 0 ? padding : unit) * size, byteCount: size)
        }
      }
    }
    return [ReferenceTensor(output.format, output.shape, bits: bytes)]
  }

  /// Extents in units.
  private static func units(_ x: Argument) -> [Int] {
    var shape = x.shape
    if x.format.isBlock, let last = shape.indices.last { shape[last] /= x.format.blockElements }
    return shape
  }

  private static func steps(_ shape: [Int]) -> [Int] {
    var (steps, step) = (shape, 1)
    for i in shape.indices.reversed() { (steps[i], step) = (step, step * shape[i]) }
    return steps
  }
}

/// A dimension's number, negative ones counted from the end.
func normalized(_ axis: Int, _ rank: Int) -> Int { axis < 0 ? axis + rank : axis }
