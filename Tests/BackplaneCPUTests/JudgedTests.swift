import BackplaneABI
import BackplaneCore
import BackplaneReference
import BackplaneSpecs
import Testing
import _TestSupport

/// Random operands, judged by the oracle's bounds.
@Suite struct JudgedTests {
  private struct Random {
    var generator: SeededGenerator
    init(_ seed: UInt64) { generator = SeededGenerator(seed: seed) }

    /// Floats in ±`span`; integers over their format's range (±1000 for wide ones).
    mutating func value(_ format: ElementFormat, _ shape: [Int], span: Double = 4) -> Value {
      let count = shape.reduce(1, *)
      return Value(format, shape, (0..<count).map { _ in
        switch format {
        case .bool: Double(Int.random(in: 0...1, using: &generator))
        case .i8: Double(Int.random(in: -128...127, using: &generator))
        case .u8: Double(Int.random(in: 0...255, using: &generator))
        case .i32, .i64: Double(Int.random(in: -1000...1000, using: &generator))
        default: Double.random(in: -span...span, using: &generator)
        }
      })
    }
    mutating func positive(_ shape: [Int], _ range: ClosedRange<Double> = 0.01...2) -> Value {
      Value(.f32, shape, (0..<shape.reduce(1, *)).map { _ in Double.random(in: range, using: &generator) })
    }
  }

  /// Runs an operator on the plugin, all outputs wanted, and judges each of them.
  /// In strict numerics, or in fast ones where something is declared.
  private func judge(_ device: TestDevice, _ op: String, _ inputs: [Value?], _ attributes: [Attribute] = [], declared: Declared = .nothing,
                     _ location: SourceLocation = #_sourceLocation) throws {
    let spec = try #require(OperatorSpec.named(op))
    let all = inputs + [Value?](repeating: nil, count: max(0, spec.inputs.count - inputs.count))
    let resolution = try spec.resolve(
      inputs: all.map { $0.map { TensorDescription(name: "t", format: $0.format, shape: Shape($0.shape), role: .input) } }, attributes: attributes)
    let results = try device.run(op, all, resolution.attributes, to: resolution.outputs.map { ($0.format, $0.shape.fixedExtents!) },
                                 numerics: declared == .nothing ? .strict : .fast)
    try withViews(all) { views in
      let expected = try ReferenceInterpreter().evaluate(op, views, attributes, declared: declared)
      for (name, (actual, expected)) in zip(spec.outputs.map(\.name), zip(results, expected)) {
        let judgement = actual.bytes.withUnsafeBytes { Judge.compare(expected: expected!, actual: $0) }
        #expect(judgement.passed, "\(op) \(name) of \(all.map { $0.map { "\($0.format)\($0.shape)" } ?? "-" }) \(attributes): \(judgement)", sourceLocation: location)
      }
    }
  }
  private func withViews(_ values: [Value?], _ body: ([TensorView?]) throws -> Void) throws {
    let memory = values.map { value in
      value.map { value in
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: max(value.bytes.count, 1), alignment: 64)
        copy.copyBytes(from: value.bytes)
        return copy
      }
    }
    defer { for case let copy? in memory { copy.deallocate() } }
    try body(zip(values, memory).map { value, copy in value.map { TensorView(copy!.baseAddress!, $0.format, $0.shape) } })
  }
  private func int(_ name: String, _ value: Int) -> Attribute { Attribute(name, .int(value)) }
  private func float(_ name: String, _ value: Double) -> Attribute { Attribute(name, .float(value)) }
  private func string(_ name: String, _ value: String) -> Attribute { Attribute(name, .string(value)) }
  private let floats: [ElementFormat] = [.f32, .f16, .bf16]

  @Test(arguments: levels) func functionsOfOneElement(isa: String) throws {
    let device = try TestDevice(["cpu.isa": isa])
    var random = Random(1)
    for op in ["floor", "ceil", "round", "sign", "elu", "leaky_relu", "relu_squared", "hardsigmoid", "hardswish", "gelu_quick"] {
      for format in floats {
        for shape in [[1], [67], [3, 5, 17], [2, 0]] { try judge(device, op, [random.value(format, shape)]) }
        try judge(device, op, [Value(format, [9], [0, -0.0, 0.5, -0.5, 1.5, 2.5, 1e4, -1e4, .infinity])])
      }
      try judge(device, op, [Value([.nan, 1e38, -1e38, 1e-40])])
    }
    try judge(device, "elu", [random.value(.f32, [99])], [float("alpha", 0.3)])
    try judge(device, "hardsigmoid", [random.value(.f32, [99])], [float("alpha", 0.7), float("beta", 0.1)])
    try judge(device, "leaky_relu", [random.value(.f16, [99])], [float("alpha", -2)])
  }

  @Test func functionsOfTwoElements() throws {
    let device = try TestDevice()
    var random = Random(2)
    for format in floats {
      try judge(device, "pow", [Value(format, [7, 1], [0.5, 1, 1.5, 2, 3, 0, 7]), random.value(format, [5])])
    }
    try judge(device, "pow", [Value([-2, -2, 0, .nan, 1]), Value([3, 0.5, -1, 0, .nan])])
    for op in ["equal", "less", "greater"] {
      for format in floats + [.i32, .i64] {
        let a = random.value(format, [4, 1, 9])
        try judge(device, op, [a, a])
        try judge(device, op, [a, random.value(format, [3, 1])])
      }
      try judge(device, op, [Value([.nan, 1, .infinity, 0]), Value([.nan, .nan, .infinity, -0.0])])
    }
    for format in floats + [.i8, .i32, .i64, .bool] {
      try judge(device, "where", [random.value(.bool, [4, 1]), random.value(format, [1, 33]), random.value(format, [])])
    }
  }

  @Test func movementAndSums() throws {
    let device = try TestDevice()
    var random = Random(3)
    for format in floats + [.i8, .i64] {
      try judge(device, "expand", [random.value(format, [3, 1, 5])], [Attribute("shape", .ints([2, -1, 7, 5]))])
      try judge(device, "expand", [random.value(format, [])], [Attribute("shape", .ints([4]))])
    }
    for format in floats + [.i32] {
      for axis in -3..<3 {
        for (exclusive, reverse) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
          try judge(device, "cumsum", [random.value(format, [3, 5, 7])], [int("axis", axis), int("exclusive", exclusive), int("reverse", reverse)])
        }
      }
      try judge(device, "cumsum", [random.value(format, [1000])])
    }
    for op in ["reduce_min", "reduce_prod", "reduce_l2"] {
      for format in floats {
        for axes in [[-1], [0], [1], [0, 2], []] {
          try judge(device, op, [random.value(format, [3, 4, 9])], [Attribute("axes", .ints(axes)), int("keep_dims", axes.count % 2)])
        }
      }
    }
  }

  @Test func quantization() throws {
    let device = try TestDevice()
    var random = Random(4)
    for to in ["i8", "u8"] {
      for format in floats {
        let x = random.value(format, [6, 33], span: 100)
        try judge(device, "quantize_linear", [x, random.positive([])], [string("to", to)])
        try judge(device, "quantize_linear", [x, random.positive([6, 1]), random.value(.u8, [33])], [string("to", to)])
        try judge(device, "quantize_linear", [x, Value(.f32, [], [0.5]), random.value(.i8, [6, 1])], [string("to", to)])
        try judge(device, "dynamic_quantize", [x], [string("to", to)])
      }
      try judge(device, "dynamic_quantize", [Value(.f32, [2, 3, 5], [Double](repeating: 0, count: 30))], [string("to", to)])
      try judge(device, "dynamic_quantize", [Value(.f32, [0, 5], [])], [string("to", to)])
      try judge(device, "dynamic_quantize", [random.positive([300, 7])], [string("to", to)])
    }
    for format in floats { try judge(device, "dynamic_quantize", [random.value(format, [3, 2, 96])], [string("to", "q8_0")]) }
    for from in [ElementFormat.i8, .u8, .i32] {
      for to in ["f32", "f16", "bf16"] {
        try judge(device, "dequantize_linear", [random.value(from, [5, 7]), random.positive([7]), random.value(.u8, [])], [string("to", to)])
        try judge(device, "dequantize_linear", [random.value(from, [5, 7]), random.positive([5, 1])], [string("to", to)])
      }
    }
  }

  @Test(arguments: levels) func integerProducts(isa: String) throws {
    let device = try TestDevice(["cpu.isa": isa])
    var random = Random(5)
    for (a, b) in [(ElementFormat.i8, ElementFormat.i8), (.u8, .i8), (.i8, .u8), (.u8, .u8)] {
      for (m, n, k) in [(1, 1, 1), (3, 5, 17), (7, 33, 130), (2, 3, 0)] {
        let (x, w) = (random.value(a, [m, k]), random.value(b, [n, k]))
        try judge(device, "matmul_integer", [x, w])
        try judge(device, "matmul_integer", [x, w, random.value(a, [1]), random.value(b, [n])])
        try judge(device, "matmul_integer", [x, random.value(b, [k, n]), random.value(.i32, [m]), random.value(b, [1])], [int("transpose_b", 0)])
        try judge(device, "qlinear_matmul", [x, w, random.positive([1]), random.positive([n]), random.positive([1], 20...200), random.value(a, [1]), nil, random.value(.u8, [1])],
                  [string("to", a.name)])
        try judge(device, "qlinear_matmul", [x, w, random.positive([m]), Value(.f32, [1], [0.25]), random.positive([1], 20...200), nil, random.value(b, [n])])
      }
    }
    try judge(device, "matmul_integer", [random.value(.u8, [2, 70]), random.value(.i8, [3, 70]), Value(.i32, [1], [1e6])])
    try judge(device, "matmul_integer", [random.value(.u8, [2, 1, 3, 9]), random.value(.i8, [4, 5, 9])])
  }

  @Test func mergedAttention() throws {
    let device = try TestDevice()
    var random = Random(6)
    for format in floats {
      for span in [0.5, 5, 60] {
        let shape = [2, 5, 3, 16]
        try judge(device, "merge_attention", [random.value(format, shape), random.value(.f32, [2, 5, 3], span: span), random.value(format, shape), random.value(.f32, [2, 5, 3], span: span)])
      }
    }
    let (none, some) = (Value(.f32, [1, 2], [-.infinity, -.infinity]), Value(.f32, [1, 2], [3, -.infinity]))
    try judge(device, "merge_attention", [Value(.f32, [1, 2, 1], [.nan, 1]), none, Value(.f32, [1, 2, 1], [7, 8]), some])
  }

  @Test func selection() throws {
    let device = try TestDevice()
    var random = Random(7)
    for format in floats {
      for (rows, n, k) in [(1, 1, 1), (3, 7, 7), (2, 1000, 10), (5, 257, 31)] {
        for largest in [0, 1] {
          try judge(device, "topk", [random.value(format, [rows, n])], [int("k", k), int("largest", largest)])
          // Many equal ones.
          try judge(device, "topk", [Value(format, [rows, n], (0..<rows * n).map { Double($0 * 7 % 5) })], [int("k", k), int("largest", largest)])
        }
      }
    }
    for largest in [0, 1] {
      try judge(device, "topk", [Value([.nan, .infinity, 1, .nan, -.infinity, 0, -0.0, .infinity])], [int("k", 8), int("largest", largest)])
    }
  }

  @Test func draws() throws {
    let device = try TestDevice()
    var random = Random(8)
    let options: [[Attribute]] = [
      [], [float("temperature", 0)], [float("temperature", 0.4)], [float("temperature", 3), int("top_k", 5)], [float("top_p", 0.8)], [float("min_p", 0.1)],
      [float("min_p", 0.1), float("temperature", 3)],
      [int("top_k", 20), float("top_p", 0.7), float("min_p", 0.05), float("temperature", 0.7)], [float("top_p", 0)], [int("top_k", 1)],
    ]
    for attributes in options {
      for format in floats {
        for n in [1, 2, 37, 300] {
          try judge(device, "sample", [random.value(format, [40, n]), random.positive([40], 0...0.999)], attributes)
        }
      }
      try judge(device, "sample", [Value(.f32, [4, 3], [.nan, .nan, .nan, -.infinity, 2, .nan, .infinity, 1, .infinity, 5, 5, 5]), Value([0.5, 0.5, 0.9, 0.5])], attributes)
    }
  }

  @Test(arguments: levels) func projectionsIntoTheCache(isa: String) throws {
    let device = try TestDevice(["cpu.isa": isa])
    var random = Random(10)
    for (format, caches) in [(ElementFormat.f32, (ElementFormat.f16, ElementFormat.f32)), (.f32, (.q8_0, .q4_0)), (.f16, (.f16, .f16)), (.bf16, (.bf16, .f16))] {
      for (t, h, g, d, e, k) in [(1, 4, 2, 32, 32, 64), (5, 3, 1, 64, 32, 32), (40, 2, 2, 32, 64, 96)] {
        func cache(_ format: ElementFormat, _ shape: [Int]) throws -> Value {
          format.isBlock ? Value(format, shape, bytes: [UInt8](repeating: 0, count: shape.reduce(1, *) / format.blockElements * format.blockBytes))
            : random.value(format, shape)
        }
        let positions = Value(.i32, [t], (0..<t).map { Double(30 + $0 * 2 % 47) })  // some lie behind the cache
        let weights = [random.value(format, [h, d, k]), random.value(format, [g, d, k]), random.value(format, [g, e, k])]
        let inputs: [Value?] = [random.value(format, [t, k])] + weights + [positions, random.positive([d / 2]), try cache(caches.0, [50, g, d]), try cache(caches.1, [50, g, e])]
        try judge(device, "qkv_rope_cache", inputs)
        try judge(device, "qkv_rope_cache", inputs + [random.value(.f32, [d]), random.value(.f32, [d]), random.value(format, [h, d]), nil, random.value(format, [g, e])],
                  [int("interleaved", 1), float("weight_offset", 1), string("mode", "circular")])
      }
    }
  }

  /// Every block format, sizes on both sides of what dots, panels and strips hold; x in each float format.
  @Test(arguments: levels + tileLevels) func productsOfRoundedActivations(isa: String) throws {
    let device = try TestDevice(["cpu.isa": isa])
    var random = Random(11)
    for format in ElementFormat.all where format.isBlock {
      func weights(_ n: Int, _ k: Int) -> Value {  // any bytes whose scales are finite
        let count = format.bytes(forElements: n * k)!
        return Value(format, [n, k], bytes: (0..<count).map { (i: Int) -> UInt8 in UInt8(0x20 + (i * 7 + i / 13) % 16) })
      }
      let tail = format.blockElements == 32 ? 96 : 256
      let sizes: [(Int, Int, Int)] = [(0, 5, 256), (1, 5, 256), (2, 33, tail), (3, 17, 512), (4, 40, tail), (7, 16, 256), (20, 35, 256 + tail)]
      for (i, (m, n, k)) in sizes.enumerated() {
        let x = random.value(floats[i % floats.count], [m, k])
        try judge(device, "matmul", [x, weights(n, k), random.value(.f32, [n])], declared: Declared(activationBlock: 32))
        try judge(device, "matmul_gated", [x, weights(n, k), weights(n, k)], declared: Declared(activationBlock: 32))
      }
    }
  }

  /// Tiles of bf16 numbers: dense weights either way round, and blocks; sizes on both sides of a tile's, K in one piece and in several.
  @Test(arguments: tileLevels) func productsOfPairsInTiles(isa: String) throws {
    let suffix = isa == "amxmodel" ? "amxmodel" : "amx", declared = Declared(operandRound: .bf16, flushesSubnormals: true)
    let device = try TestDevice(["cpu.isa": isa, "cpu.kernel.matmul": "matmul_bf16_\(suffix)", "cpu.kernel.matmul_gated": "matmul_gated_bf16_\(suffix)"], workers: 3)
    var random = Random(12)
    for (i, (m, n, k)) in [(9, 5, 1), (16, 16, 32), (17, 33, 31), (20, 40, 33), (33, 15, 577), (70, 31, 1030), (12, 0, 40), (9, 7, 0)].enumerated() {
      let x = random.value(floats[i % floats.count], [m, k]), format: ElementFormat = i % 2 == 0 ? .f32 : .bf16, residual = random.value(x.format, [m, n])
      try judge(device, "matmul", [x, random.value(format, [n, k]), random.value(.f32, [n]), residual], [string("activation", "silu")], declared: declared)
      try judge(device, "matmul", [x, random.value(format, [k, n])], [int("transpose_b", 0)], declared: declared)
      try judge(device, "matmul_gated", [x, random.value(format, [n, k]), random.value(format, [n, k])], declared: declared)
    }
    for format in ElementFormat.all where ["q4_0", "q4_K"].contains(format.name) {
      let count = format.bytes(forElements: 35 * 768)!  // any bytes whose scales are finite
      let blocks = Value(format, [35, 768], bytes: (0..<count).map { (i: Int) -> UInt8 in UInt8(0x20 + (i * 7 + i / 13) % 16) })
      try judge(device, "matmul", [random.value(.f32, [2, 19, 768]), blocks], declared: declared)
    }
  }

  /// Where the system has the library, and nobody in this process uses it with several threads.
  static let hasOpenBLAS: Bool = {
    let graph = single("matmul", [(.f32, [4, 64]), (.f32, [8, 64]), nil, nil], [Attribute("transpose_b", .int(1)), Attribute("activation", .string("none"))], to: [(.f32, [4, 8])])
    guard let device = try? TestDevice(["cpu.kernel.matmul": "matmul_openblas"]), let abi = try? ABIGraph(graph) else { return false }
    return (try? device.verdicts(abi))?.first?.support == BP_SUPPORT_YES
  }()

  @Test(.enabled(if: JudgedTests.hasOpenBLAS, "needs OpenBLAS")) func productsOfOpenBLAS() throws {
    let device = try TestDevice(["cpu.kernel.matmul": "matmul_openblas"])
    var random = Random(13)
    for (m, n, k) in [(1, 1, 1), (1, 40, 33), (7, 1, 64), (530, 17, 40), (20, 700, 9)] {
      let a = random.value(.f32, [m, k]), bias = random.value(.f32, [n]), residual = random.value(.f32, [m, n])
      try judge(device, "matmul", [a, random.value(.f32, [n, k])])
      try judge(device, "matmul", [a, random.value(.f32, [k, n]), bias, residual], [int("transpose_b", 0), string("activation", "gelu_erf")])
      try judge(device, "matmul", [random.value(.f32, [2, 3, m, k]), random.value(.f32, [3, n, k]), nil, random.value(.f32, [2, 3, m, n])])
    }
  }

  @Test(arguments: levels) func normedProducts(isa: String) throws {
    let device = try TestDevice(["cpu.isa": isa])
    var random = Random(9)
    for format in floats {
      for (m, n, k) in [(1, 9, 64), (5, 33, 96), (40, 17, 32)] {
        try judge(device, "norm_matmul", [random.value(format, [m, k]), random.value(.f32, [k]), random.value(format, [n, k]), random.value(.f32, [n])], [string("activation", "silu")])
        let blocks = try device.run("dynamic_quantize", [random.value(.f32, [n, k])], [string("to", "q8_0")], to: [(.q8_0, [n, k])])[0]
        let x = random.value(format, [2, m, k])
        for declared in [Declared.nothing, Declared(activationBlock: 32)] {
          try judge(device, "norm_matmul", [x, nil, blocks], [float("weight_offset", 1)], declared: declared)
        }
      }
    }
  }
}
