import BackplaneABI
import BackplaneCore
import Foundation
import Testing

/// Every level that this machine can run; each must give the expectations below.
let levels: [String] = ["scalar", "avx2", "avx512", "auto"].filter { (try? TestDevice(["cpu.isa": $0])) != nil }
/// Whether kernels in a processor's tiles run in tests: only where `BACKPLANE_TEST_AMX=1` asks for them, as everywhere (decision 0017).
let testsTiles = ProcessInfo.processInfo.environment["BACKPLANE_TEST_AMX"] == "1"

/// Those with tiles, of the model, or of a processor where that is asked for.
let tileLevels: [String] = (testsTiles ? ["amxmodel", "amx"] : ["amxmodel"]).filter { (try? TestDevice(["cpu.isa": $0])) != nil }

private let x: [Double] = [-3, -1.5, -0.25, 0, 0.5, 1, 2.25, 7]

/// Small graphs of one operator against values worked out by plain formulas here.
@Suite struct OperatorTests {
  @Test(arguments: levels) func functionsOfOneElement(isa: String) throws {
    let device = try TestDevice(["cpu.isa": isa])
    let functions: [(String, [Attribute], (Double) -> Double)] = [
      ("abs", [], { abs($0) }), ("neg", [], { -$0 }), ("relu", [], { max($0, 0) }), ("square", [], { $0 * $0 }), ("exp", [], { exp($0) }),
      ("sin", [], { sin($0) }), ("cos", [], { cos($0) }), ("tanh", [], { tanh($0) }), ("erf", [], { erf($0) }),
      ("sigmoid", [], { 1 / (1 + exp(-$0)) }), ("silu", [], { $0 / (1 + exp(-$0)) }), ("softplus", [], { log(1 + exp($0)) }),
      ("gelu", [Attribute("approximate", .string("none"))], { $0 / 2 * (1 + erf($0 / 2.0.squareRoot())) }),
      ("gelu", [Attribute("approximate", .string("tanh"))], { $0 / 2 * (1 + tanh((2 / Double.pi).squareRoot() * ($0 + 0.044715 * $0 * $0 * $0))) }),
      ("scale", [Attribute("factor", .float(3)), Attribute("offset", .float(-1))], { 3 * $0 - 1 }),
      ("softcap", [Attribute("cap", .float(2))], { 2 * tanh($0 / 2) }),
      ("clip", [Attribute("minimum", .float(-1)), Attribute("maximum", .float(1.5))], { min(max($0, -1), 1.5) }),
    ]
    for (op, attributes, f) in functions {
      for count in [1, 8, 67] {
        let values = (0..<count).map { x[$0 % x.count] }
        #expect(distance(try device.result(op, [Value(values)], attributes, .f32, [count]), values.map(f)) < 1e-6, "\(op) f32 \(count)")
      }
      #expect(distance(try device.result(op, [Value(.f16, [8], x)], attributes, .f16, [8]), x.map(f)) < 1e-3, "\(op) f16")
      #expect(distance(try device.result(op, [Value(.bf16, [2, 4], x)], attributes, .bf16, [2, 4]), x.map(f)) < 8e-3, "\(op) bf16")
    }
    let positive: [Double] = [0.25, 1, 2, 9]
    for (op, f) in [("sqrt", { $0.squareRoot() }), ("rsqrt", { 1 / $0.squareRoot() }), ("log", { log($0) }), ("reciprocal", { 1 / $0 })] as [(String, (Double) -> Double)] {
      #expect(distance(try device.result(op, [Value(positive)], [], .f32, [4]), positive.map(f)) < 1e-6, "\(op)")
    }
  }

  @Test(arguments: levels) func functionsOfTwoElementsBroadcast(isa: String) throws {
    let device = try TestDevice(["cpu.isa": isa])
    let a = Value(.f32, [2, 3], [1, 2, 3, -4, 5, 6]), row = Value(.f32, [3], [2, -1, 4]), column = Value(.f32, [2, 1], [10, 20])
    #expect(try device.result("add", [a, row], [], .f32, [2, 3]) == [3, 1, 7, -2, 4, 10])
    #expect(try device.result("sub", [a, column], [], .f32, [2, 3]) == [-9, -8, -7, -24, -15, -14])
    #expect(try device.result("mul", [row, column], [], .f32, [2, 3]) == [20, -10, 40, 40, -20, 80])
    #expect(try device.result("div", [a, Value(.f32, [], [2])], [], .f32, [2, 3]) == [0.5, 1, 1.5, -2, 2.5, 3])
    #expect(try device.result("max", [a, row], [], .f32, [2, 3]) == [2, 2, 4, 2, 5, 6])
    #expect(try device.result("min", [a, row], [], .f32, [2, 3]) == [1, -1, 3, -4, -1, 4])
    #expect(try device.result("add", [Value(.f16, [2], [1, 2]), Value(.f16, [1], [0.5])], [], .f16, [2]) == [1.5, 2.5])
    let big = Double(Int32.max)
    #expect(try device.result("add", [Value(.i32, [2], [big, 7]), Value(.i32, [1], [1])], [], .i32, [2]) == [-big - 1, 8])
    #expect(try device.result("div", [Value(.i32, [4], [7, -7, 5, -big - 1]), Value(.i32, [4], [2, 2, 0, -1])], [], .i32, [4]) == [3, -3, 0, -big - 1])
    #expect(distance(try device.result("max", [Value([.nan, 1]), Value([1, .nan])], [], .f32, [2]), [.nan, .nan]) == 0)
    let long = (0..<1000).map { Double($0) }
    #expect(try device.result("add", [Value(long), Value(long)], [], .f32, [1000]) == long.map { 2 * $0 })
    #expect(try device.result("mul", [Value(.f32, [10, 100], long), Value(.f32, [10, 1], (0..<10).map(Double.init))], [], .f32, [10, 100])
      == long.enumerated().map { $1 * Double($0 / 100) })
  }

  @Test(arguments: levels) func gates(isa: String) throws {
    let device = try TestDevice(["cpu.isa": isa])
    let gelu: (Double) -> Double = { $0 / 2 * (1 + erf($0 / 2.0.squareRoot())) }
    for (name, act) in [("swiglu", { $0 / (1 + exp(-$0)) }), ("reglu", { max($0, 0) }), ("geglu_erf", gelu)] as [(String, (Double) -> Double)] {
      let gate = (0..<40).map { Double($0 % 9) - 4 }, up = (0..<40).map { Double($0) * 0.25 - 3 }
      let y = try device.result("gated_activation", [Value(.f32, [2, 20], gate), Value(.f32, [2, 20], up)], [Attribute("activation", .string(name))], .f32, [2, 20])
      #expect(distance(y, zip(gate, up).map { act($0) * $1 }) < 2e-6, "\(name)")
    }
  }

  @Test(arguments: levels) func norms(isa: String) throws {
    let device = try TestDevice(["cpu.isa": isa])
    for n in [1, 3, 8, 33, 128] {
      let rows = (0..<(2 * n)).map { Double(($0 * 7) % 11) - 4.5 }, weight = (0..<n).map { Double($0 % 3) - 0.5 }
      let eps = [Attribute("epsilon", .float(1e-6)), Attribute("weight_offset", .float(1))]
      func rms(_ v: [Double], _ w: [Double]?) -> [Double] {
        stride(from: 0, to: v.count, by: n).flatMap { at in
          let row = Array(v[at..<(at + n)]), factor = 1 / (row.map { $0 * $0 }.reduce(0, +) / Double(n) + 1e-6).squareRoot()
          return (0..<n).map { row[$0] * factor * ((w?[$0] ?? 1) + 1) }
        }
      }
      let v = Value(.f32, [2, n], rows), w = Value(weight)
      #expect(distance(try device.result("rms_norm", [v, w], eps, .f32, [2, n]), rms(rows, weight)) < 2e-6, "rms_norm \(n)")
      #expect(distance(try device.result("rms_norm", [v, nil], eps, .f32, [2, n]), rms(rows, nil)) < 2e-6, "rms_norm without weight")
      let sum = try device.run("add_rms_norm", [v, v, w], eps, to: [(.f32, [2, n]), (.f32, [2, n])])
      #expect(sum[1].values == rows.map { 2 * $0 })
      #expect(distance(sum[0].values, rms(rows.map { 2 * $0 }, weight)) < 2e-6, "add_rms_norm \(n)")
      let half = try device.result("rms_norm", [Value(.f16, [2, n], rows), w], eps, .f16, [2, n])
      #expect(distance(half, rms(rows, weight)) < 2e-3, "rms_norm f16")
      let layer = stride(from: 0, to: rows.count, by: n).flatMap { at in
        let row = rows[at..<(at + n)], mean = row.reduce(0, +) / Double(n)
        let factor = 1 / (row.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / Double(n) + 1e-5).squareRoot()
        return row.enumerated().map { ($1 - mean) * factor * weight[$0] + 0.5 }
      }
      let bias = Value([Double](repeating: 0.5, count: n))
      #expect(distance(try device.result("layer_norm", [v, w, bias], [Attribute("epsilon", .float(1e-5))], .f32, [2, n]), layer) < 1e-5, "layer_norm \(n)")
    }
  }

  @Test(arguments: levels) func rotations(isa: String) throws {
    let device = try TestDevice(["cpu.isa": isa])
    for interleaved in [0, 1] {
      for (heads, size, pairs) in [(1, 4, 1), (3, 8, 4), (2, 64, 32), (2, 40, 18)] {
        let values = (0..<(2 * heads * size)).map { Double($0 % 13) - 6 }, frequencies = (0..<pairs).map { 1 / Double($0 + 1) }
        var expected = values
        for t in 0..<2 { for h in 0..<heads { for i in 0..<pairs {
          let base = (t * heads + h) * size, a = base + (interleaved == 1 ? 2 * i : i), b = interleaved == 1 ? a + 1 : a + pairs
          let angle = Double([3, 100][t]) * Double(Float(frequencies[i]))
          (expected[a], expected[b]) = (2 * (values[a] * cos(angle) - values[b] * sin(angle)), 2 * (values[a] * sin(angle) + values[b] * cos(angle)))
        } } }
        let v = Value(.f32, [2, heads, size], values), positions = Value(.i32, [2], [3, 100]), f = Value(frequencies)
        let rope = [Attribute("interleaved", .int(interleaved)), Attribute("scale", .float(2))]
        #expect(distance(try device.result("rotary_embedding", [v, positions, f], rope, .f32, v.shape), expected) < 2e-6, "interleaved \(interleaved), \(size)")
        let norm = [Attribute("epsilon", .float(1e-6)), Attribute("weight_offset", .float(0))]
        let weight = Value((0..<size).map { Double($0 % 5) * 0.5 + 0.25 })
        let normed = try device.run("rms_norm", [v, weight], norm, to: [(.f32, v.shape)])[0]
        let both = try device.result("rotary_embedding", [normed, Value(.i64, [2], [3, 100]), f], rope, .f32, v.shape)
        #expect(distance(try device.result("rms_norm_rope", [v, weight, positions, f], norm + rope, .f32, v.shape), both) < 2e-6, "rms_norm_rope \(size)")
      }
    }
  }

  @Test(arguments: levels) func softmaxes(isa: String) throws {
    let device = try TestDevice(["cpu.isa": isa])
    for n in [1, 5, 16, 37] {
      let rows = (0..<(2 * n)).map { Double(($0 * 5) % 7) - 3 }, mask = (0..<n).map { $0 == 1 ? -Double.infinity : Double($0) * 0.1 }
      let expected = stride(from: 0, to: 2 * n, by: n).flatMap { at in
        let e = (0..<n).map { exp(0.5 * rows[at + $0] + mask[$0]) }, sum = e.reduce(0, +)
        return e.map { $0 / sum }
      }
      let y = try device.result("softmax", [Value(.f32, [2, n], rows), Value(.f32, [1, n], mask)], [Attribute("scale", .float(0.5))], .f32, [2, n])
      #expect(distance(y, expected) < 1e-6, "n = \(n)")
    }
    let none = Value([Double](repeating: -.infinity, count: 20))
    #expect(try device.result("softmax", [none, nil], [Attribute("scale", .float(1))], .f32, [20]) == [Double](repeating: 0, count: 20))
  }

  @Test func reductions() throws {
    let device = try TestDevice()
    let v = Value(.f32, [2, 3, 2], (1...12).map(Double.init))
    func reduce(_ op: String, _ axes: [Int], _ keep: Int, _ shape: [Int]) throws -> [Double] {
      try device.result(op, [v], [Attribute("axes", .ints(axes)), Attribute("keep_dims", .int(keep))], .f32, shape)
    }
    #expect(try reduce("reduce_sum", [-1], 0, [2, 3]) == [3, 7, 11, 15, 19, 23])
    #expect(try reduce("reduce_sum", [1], 1, [2, 1, 2]) == [9, 12, 27, 30])
    #expect(try reduce("reduce_mean", [0, 2], 0, [3]) == [4.5, 6.5, 8.5])
    #expect(try reduce("reduce_max", [], 0, []) == [12])
    #expect(try reduce("reduce_max", [0], 0, [3, 2]) == [7, 8, 9, 10, 11, 12])
    #expect(try device.result("argmax", [Value(.f32, [3, 3], [1, 5, 5, 2, .nan, 9, -1, -2, -3])], [], .i32, [3]) == [1, 1, 0])
  }

  @Test func movement() throws {
    let device = try TestDevice()
    let v = Value(.f32, [2, 3], [1, 2, 3, 4, 5, 6])
    #expect(try device.result("transpose", [v], [Attribute("permutation", .ints([]))], .f32, [3, 2]) == [1, 4, 2, 5, 3, 6])
    #expect(try device.result("reshape", [v], [Attribute("shape", .ints([3, 2]))], .f32, [3, 2]) == [1, 2, 3, 4, 5, 6])
    #expect(try device.result("concat", [v, Value(.f32, [2, 1], [8, 9])], [Attribute("axis", .int(-1))], .f32, [2, 4]) == [1, 2, 3, 8, 4, 5, 6, 9])
    #expect(try device.result("pad", [v], [Attribute("before", .ints([0, 1])), Attribute("after", .ints([1, 0])), Attribute("value", .float(7))], .f32, [3, 4])
      == [7, 1, 2, 3, 7, 4, 5, 6, 7, 7, 7, 7])
    let cut = [Attribute("axis", .int(1)), Attribute("start", .int(-3)), Attribute("end", .int(.max)), Attribute("step", .int(2))]
    #expect(try device.result("slice", [v], cut, .f32, [2, 2]) == [1, 3, 4, 6])
    let whole = Value(.f32, [2, 3, 2, 2], (0..<24).map(Double.init))
    #expect(try device.result("transpose", [whole], [Attribute("permutation", .ints([2, 0, 3, 1]))], .f32, [2, 2, 2, 3]).prefix(6) == [0, 4, 8, 1, 5, 9])
  }

  @Test func casts() throws {
    let device = try TestDevice()
    func cast(_ v: Value, _ to: ElementFormat) throws -> [Double] {
      try device.result("cast", [v], [Attribute("to", .string(to.name))], to, v.shape)
    }
    let v = Value([1.5, -2.75, 300, .nan, .infinity, -0.4])
    #expect(try cast(v, .i8) == [1, -2, 127, 0, 127, 0])
    #expect(try cast(v, .u8) == [1, 0, 255, 0, 255, 0])
    #expect(try cast(v, .bool) == [1, 1, 1, 1, 1, 1])
    #expect(try cast(Value([65519, 65520, 1e-8, 2049]), .f16) == [65504, .infinity, 0, 2048])
    #expect(try cast(Value(.i64, [3], [1, -5, 16_777_217]), .f32) == [1, -5, 16_777_216])
    #expect(try cast(Value(.i32, [2], [257, -3]), .bf16) == [256, -3])
  }

  @Test(arguments: levels) func cachesAreWrittenInPlaceAndElsewhere(isa: String) throws {
    let device = try TestDevice(["cpu.isa": isa])
    let cache = Value(.f16, [4, 3], [Double](repeating: 9, count: 12)), update = Value(.f32, [3, 3], (1...9).map(Double.init))
    let linear = [Attribute("mode", .string("linear"))], circular = [Attribute("mode", .string("circular"))]
    #expect(try device.result("tensor_scatter", [cache, update, Value(.i32, [3], [2, 7, -1])], linear, .f16, [4, 3]) == [9, 9, 9, 9, 9, 9, 1, 2, 3, 9, 9, 9])
    #expect(try device.result("tensor_scatter", [cache, update, Value(.i64, [3], [2, 6, 3])], circular, .f16, [4, 3]) == [9, 9, 9, 9, 9, 9, 4, 5, 6, 7, 8, 9])
    let row = (0..<32).map { Double($0) - 10 }
    let q8 = try device.run("tensor_scatter", [Value(.q8_0, [1, 32], bytes: [UInt8](repeating: 0, count: 34)), Value(.f32, [1, 32], row), Value(.i32, [1], [0])],
                            linear, to: [(.q8_0, [1, 32])])[0].bytes
    let d = Float(21) / 127
    #expect(q8[0...1].elementsEqual(withUnsafeBytes(of: Float16(d)) { Array($0) }))
    #expect(q8[2...].map { Double(Int8(bitPattern: $0)) } == row.map { Double((Float($0) * (1 / d)).rounded(.toNearestOrAwayFromZero)) })
    let q4 = try device.run("tensor_scatter", [Value(.q4_0, [1, 32], bytes: [UInt8](repeating: 0, count: 18)), Value(.f32, [1, 32], row), Value(.i32, [1], [0])],
                            linear, to: [(.q4_0, [1, 32])])[0].bytes
    let d4 = Float(21) / -8
    let codes = row.map { UInt8(min(15, Int(Float($0) * (1 / d4) + 8.5))) }
    #expect(q4[2...].elementsEqual((0..<16).map { codes[$0] | codes[$0 + 16] << 4 }))
  }
}
