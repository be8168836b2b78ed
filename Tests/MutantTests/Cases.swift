import BackplaneCore
import BackplaneReference
import BackplaneSpecs
import _TestSupport

/// The cases of one operator: few, small, and each for a reason.
func trials(of op: String) -> [Trial] {
  var cases = CaseMaker(op)
  let everyKind = Kind.allCases
  switch op {
  case "abs", "neg", "relu", "square", "sqrt", "rsqrt", "reciprocal", "exp", "log", "sin", "cos", "tanh", "erf", "sigmoid", "silu", "softplus":
    for kind in everyKind { cases.add([(.f32, [3, 37])], kind) }
    for kind in [Kind.uniform, .special, .breakpoints] { cases.add([(.f16, [41])], kind); cases.add([(.bf16, [2, 2, 5])], kind, layout: .spread) }
    cases.add([(.f32, [5, 7])], .wide, layout: .padded)
  case "gelu":
    for mode in ["none", "tanh"] {
      for kind in everyKind { cases.add([(.f32, [113])], kind, [Attribute("approximate", .string(mode))]) }
    }
  case "scale":
    for (factor, offset) in [(1.0, 0.5), (0.1, -2.0), (3.3, 0.0)] {
      for kind in everyKind { cases.add([(.f32, [45])], kind, [Attribute("factor", .float(factor)), Attribute("offset", .float(offset))]) }
    }
  case "softcap":
    for cap in [30.0, 7.3, 50] { for kind in everyKind { cases.add([(.f32, [113])], kind, [Attribute("cap", .float(cap))]) } }
  case "clip":
    for kind in everyKind {
      cases.add([(.f32, [113])], kind)
      cases.add([(.f32, [13])], kind, [Attribute("minimum", .float(-0.7)), Attribute("maximum", .float(0.7077))])
    }
  case "add", "sub", "mul", "div", "max", "min":
    for kind in everyKind { cases.add([(.f32, [3, 5]), (.f32, [3, 5])], kind) }
    for format in [ElementFormat.f32, .f16, .bf16, .i32] {
      for kind in [Kind.uniform, .special, .wide] {
        cases.add([(format, [2, 3, 5]), (format, [3, 1])], kind)
        cases.add([(format, [5]), (format, [2, 3, 1])], kind, layout: .padded)
        cases.add([(format, [1]), (format, [7])], kind)
        cases.add([(format, [61]), (format, [61])], kind, layout: .spread)
      }
    }
    let edges: [Double] = [2147483647, -2147483648, 16777217, 16777216, -16777217, 7, -7, 2, -2, 0, -1, 123456789, 3, -3, 16777219]
    for shift in 0..<edges.count { cases.add(values: [(.i32, [15], edges), (.i32, [15], Array(edges[shift...] + edges[..<shift]))]) }
  case "gated_activation":
    for act in ["swiglu", "geglu_tanh", "geglu_erf", "reglu"] {
      for kind in everyKind { cases.add([(.f32, [61]), (.f32, [61])], kind, [Attribute("activation", .string(act))]) }
    }
  case "cast": castCases(&cases)
  case "reshape":
    cases.add([(.f32, [2, 3, 5])], .uniform, [Attribute("shape", .ints([5, 6]))])
    cases.add([(.f32, [2, 3, 5])], .special, [Attribute("shape", .ints([30]))], layout: .padded)
    cases.add([(.q4_0, [2, 3, 32])], .uniform, [Attribute("shape", .ints([6, 32]))])
  case "transpose":
    for kind in [Kind.uniform, .subnormal, .special] {
      cases.add([(.f32, [2, 3, 5])], kind)
      cases.add([(.f32, [2, 3, 5])], kind, [Attribute("permutation", .ints([1, 2, 0]))])
      cases.add([(.f16, [7, 6])], kind, layout: .padded)
    }
  case "slice":
    func cut(_ axis: Int, _ start: Int, _ end: Int, _ step: Int) -> [Attribute] {
      [Attribute("axis", .int(axis)), Attribute("start", .int(start)), Attribute("end", .int(end)), Attribute("step", .int(step))]
    }
    cases.add([(.f32, [4, 7])], .uniform, cut(1, -5, 7, 1))
    cases.add([(.f32, [4, 7])], .uniform, cut(-1, 1, 7, 2))
    cases.add([(.f32, [9, 7])], .uniform, cut(0, 0, 6, 2))
    cases.add([(.f32, [7, 7])], .uniform, cut(-1, 2, 5, 1), layout: .padded)
    cases.add([(.q8_0, [3, 96])], .uniform, cut(1, 32, 96, 1))
  case "concat":
    let axis = { [Attribute("axis", .int($0))] }
    cases.add([(.f32, [3, 2]), (.f32, [3, 3]), (.f32, [3, 1])], .uniform, axis(1))
    cases.add([(.f32, [3, 2]), (.f32, [3, 2])], .uniform, axis(-1))
    cases.add([(.f16, [2, 3]), (.f16, [1, 3]), (.f16, [4, 3])], .uniform, axis(0))
    cases.add([(.f32, [3, 2]), (.f32, [3, 4])], .uniform, axis(1), layout: .repeated)
  case "pad":
    func pads(_ before: [Int], _ after: [Int], _ value: Double) -> [Attribute] {
      [Attribute("before", .ints(before)), Attribute("after", .ints(after)), Attribute("value", .float(value))]
    }
    for (format, value) in [(ElementFormat.f32, 1.5), (.f16, -2.5), (.i32, 2.75), (.u8, 3), (.i64, -3.75)] {
      cases.add([(format, [2, 3])], .uniform, pads([1, 0], [0, 2], value))
      cases.add([(format, [3])], .uniform, pads([0], [1], value))
    }
  case "reduce_sum", "reduce_mean", "reduce_max":
    for kind in Kind.moderate {
      cases.add([(.f32, [3, 37])], kind)
      cases.add([(.f32, [4, 3, 5])], kind, [Attribute("axes", .ints([]))])
      cases.add([(.f32, [4, 3, 5])], kind, [Attribute("axes", .ints([0, 2])), Attribute("keep_dims", .int(1))], layout: .padded)
      cases.add([(.f16, [2, 300])], kind)
    }
    cases.add(values: [(.f32, [2, 3], [-.infinity, -.infinity, -.infinity, 1, 2, -.infinity])])
  case "argmax":
    for kind in everyKind { cases.add([(.f32, [3, 37])], kind); cases.add([(.bf16, [5, 9])], kind, layout: .padded) }
    cases.add([(.f32, [2, 700])], .ramp)
    cases.add(values: [(.f32, [2, 5], [1, .nan, 3, .nan, 7, .nan, 1, 9, 2, .nan])])
  case "rms_norm":
    for kind in Kind.moderate {
      cases.add([(.f32, [3, 37]), (.f32, [37])], kind, [Attribute("epsilon", .float(1e-5)), Attribute("weight_offset", .float(1))], layout: .padded)
      cases.add([(.f32, [2, 33]), nil], kind, [Attribute("epsilon", .float(1e-2)), Attribute("weight_offset", .float(0.5))])
      cases.add([(.f16, [2, 300]), (.f32, [300])], kind)
    }
  case "add_rms_norm":
    for kind in Kind.moderate {
      cases.add([(.f32, [3, 37]), (.f32, [3, 37]), (.f32, [37])], kind, [Attribute("epsilon", .float(1e-3))], layout: .padded)
      cases.add([(.bf16, [2, 33]), (.bf16, [2, 33]), nil], kind)
    }
    cases.add([(.f32, [2, 5]), (.f32, [2, 5]), nil], .subnormal, [Attribute("epsilon", .float(1e-6))])
  case "layer_norm":
    for kind in Kind.moderate {
      cases.add([(.f32, [3, 37]), (.f32, [37]), (.f32, [37])], kind, layout: .padded)
      cases.add([(.f32, [3, 64]), nil, (.f32, [64])], kind, [Attribute("epsilon", .float(1e-2))])
      cases.add([(.f16, [2, 33]), nil, nil], kind)
    }
  case "softmax":
    let hidden = -Double.infinity
    for kind in Kind.moderate {
      cases.add([(.f32, [3, 37]), nil], kind)
      cases.add([(.f32, [2, 100]), nil], kind, [Attribute("scale", .float(4))])
      cases.add([(.f16, [2, 300]), nil], kind)
    }
    var source = Source(generator: SeededGenerator(seed: 5))
    let x = (0..<4 * 3 * 9).map { _ in source.uniform(-3, 3) }
    let mask = (0..<4 * 9).map { i in i / 9 == 2 ? hidden : i % 4 == 1 ? hidden : i % 4 == 2 ? -40 : source.uniform(-1, 1) }
    cases.add(values: [(.f32, [4, 3, 9], x), (.f32, [4, 1, 9], mask)], [Attribute("scale", .float(2))])
    cases.add(values: [(.f32, [4, 3, 9], x), (.f32, [1, 9], mask.prefix(9) + [])], [Attribute("scale", .float(0.3))])
    cases.add(values: [(.f32, [1, 80], (0..<80).map { $0 == 79 ? 400 : Double($0) })])
    cases.add(values: [(.f32, [1, 80], (0..<80).map { $0 < 40 ? 0 : $0 == 60 ? 23 : 21 })])
  case "rotary_embedding", "rms_norm_rope": rotaryCases(&cases)
  case "tensor_scatter": scatterCases(&cases)
  case "gather": gatherCases(&cases)
  case "dequantize":
    for format in ElementFormat.all where format.isBlock {
      for kind in [Kind.uniform, .wide] {
        for to in ["f32", "f16", "bf16"] {
          cases.add([(format, [3, 2 * format.blockElements])], kind, [Attribute("to", .string(to))], layout: to == "bf16" ? .padded : .dense)
        }
      }
    }
  case "matmul": matmulCases(&cases)
  case "matmul_gated":
    for kind in Kind.moderate {
      for act in ["swiglu", "geglu_erf"] {
        cases.add([(.f32, [3, 37]), (.f32, [9, 37]), (.f32, [9, 37])], kind, [Attribute("activation", .string(act))], layout: .padded)
      }
      cases.add([(.f32, [2, 2, 40]), (.f16, [13, 40]), (.bf16, [13, 40])], kind, [Attribute("activation", .string("reglu"))])
      cases.add([(.f16, [2, 64]), (.q4_0, [5, 64]), (.q8_0, [5, 64])], kind, [Attribute("activation", .string("geglu_tanh"))])
    }
    cases.add([(.f32, [1, 300]), (.f32, [5, 300]), (.f32, [5, 300])], .positive)
    cases.add(values: [(.f32, [1, 2], [1, 1]), (.f32, [1, 2], [-1, -1]), (.f32, [1, 2], [.infinity, 1])], [Attribute("activation", .string("reglu"))])
  case "attention": attentionCases(&cases)
  default: preconditionFailure("no cases for \(op)")
  }
  return cases.trials
}

/// Fills shapes with numbers.
struct CaseMaker {
  let op: String
  var trials: [Trial] = []
  var source: Source

  init(_ op: String) {
    self.op = op
    source = Source(generator: SeededGenerator(seed: op.utf8.reduce(7) { $0 &* 31 &+ UInt64($1) }))
  }
  mutating func add(_ inputs: [(ElementFormat, [Int])?], _ kind: Kind, _ attributes: [Attribute] = [], layout: Layout = .dense) {
    let operands = inputs.map { input in input.map { source.operand($0.0, $0.1, kind) } }
    trials.append(Trial(op: op, inputs: operands, attributes: attributes, layout: layout))
  }
  mutating func add(values: [(ElementFormat, [Int], [Double])?], _ attributes: [Attribute] = [], layout: Layout = .dense) {
    let operands = values.map { value in value.map { source.numbers($0.0, $0.1, $0.2) } }
    trials.append(Trial(op: op, inputs: operands, attributes: attributes, layout: layout))
  }
  mutating func add(operands: [Operand?], _ attributes: [Attribute] = [], layout: Layout = .dense, wantsAll: Bool = true) {
    trials.append(Trial(op: op, inputs: operands, attributes: attributes, layout: layout, wantsAll: wantsAll))
  }
}

private func castCases(_ cases: inout CaseMaker) {
  let formats: [ElementFormat] = [.f32, .f16, .bf16, .i8, .u8, .i32, .i64, .bool]
  let floats: [Double] = [0.5, -0.5, 1.5, 2.5, -2.5, 300, -1, 127.9, 256, 65519, 65520, 70000, 1e-7, 6e-8, 3e-5, .nan, .infinity, -.infinity, 1e20, -1e20, 0.25, 1 + 0x1p-8, 1 + 0x1p-9, 1 + 3 * 0x1p-8, 3e9, -0.0]
  let integers: [Double] = [0, 1, 2, 255, -1, 256, 2049, 2051, 4097, 65519, 65520, 2147483647, -2147483648, 16777217, 33554431, 67108865, 9007199254740991, 1099511627777, 513, 33685505]
  for from in formats {
    for to in formats {
      let list = from.kind == .float ? floats : from == .bool ? [0, 1] : integers.map { x in
        from == .i8 ? Double(Int8(truncatingIfNeeded: Int(x))) : from == .u8 ? Double(UInt8(truncatingIfNeeded: Int(x))) : from == .i32 ? Double(Int32(truncatingIfNeeded: Int(x))) : x
      }
      cases.add(values: [(from, [list.count], list)], [Attribute("to", .string(to.name))], layout: from == .f16 ? .spread : .dense)
      cases.add([(from, [5, 7])], .wide, [Attribute("to", .string(to.name))])
    }
  }
  // NaNs whose payload is all ones or lies in the low half.
  let patterns: [UInt32] = [0x7fff_ffff, 0xffff_ffff, 0x7f80_0001, 0xff80_8000, 0x7fc0_0000]
  cases.add(operands: [Operand(format: .f32, shape: [5], bytes: patterns.flatMap { withUnsafeBytes(of: $0) { Array($0) } })], [Attribute("to", .string("bf16"))])
}

private func rotaryCases(_ cases: inout CaseMaker) {
  let isNormed = cases.op == "rms_norm_rope"
  for kind in [Kind.uniform, .wide, .positive, .integers, .huge, .special] {
    for (pairs, interleaved, scale) in [(4, 0, 1.0), (4, 1, 1.25), (3, 0, 0.5), (2, 1, 3)] {
      for positions in [[0.0, 1, 2, 3, 4], [-3, 7, 100, 500, 2], [40000, 33000, 12, -1, 8000]] {
        let x = cases.source.operand(.f32, [2, 5, 3, 8], kind)
        let frequencies = (0..<pairs).map { i in [1.0, 0.30000001, 0.0707, 0.0013][i] }
        let at = cases.source.numbers(.i64, [5], positions), turns = cases.source.numbers(.f32, [pairs], frequencies)
        let attributes = [Attribute("interleaved", .int(interleaved)), Attribute("scale", .float(scale))]
        if isNormed {
          let weight = cases.source.operand(.f32, [8], .uniform)
          cases.add(operands: [x, weight, at, turns], attributes + [Attribute("weight_offset", .float(1))])
          cases.add(operands: [x, nil, at, turns], attributes)
        } else {
          cases.add(operands: [x, at, turns], attributes, layout: pairs == 3 ? .padded : .dense)
        }
      }
    }
  }
}

private func scatterCases(_ cases: inout CaseMaker) {
  for mode in ["linear", "circular"] {
    for format in [ElementFormat.f32, .f16, .q8_0, .q4_0] {
      for positions in [[0.0, 1, 2], [4, 4, 1], [-1, 5, 3], [-7, 6, 12], [5, 0, 100]] {
        for kind in [Kind.uniform, .wide, .integers] {
          let cache = cases.source.operand(format, [5, 2, 64], kind), update = cases.source.operand(.f32, [3, 2, 64], kind)
          cases.add(operands: [cache, update, cases.source.numbers(.i32, [3], positions)], [Attribute("mode", .string(mode))], layout: positions[0] == 4 ? .padded : .dense)
        }
      }
    }
    let halves = (0..<32).map { $0 == 0 ? 127.0 : Double($0) - 15.5 }
    cases.add(values: [(.f16, [1, 32], halves), (.f32, [1, 32], halves), (.i32, [1], [0])], [Attribute("mode", .string(mode))])
    cases.add(operands: [cases.source.operand(.q8_0, [1, 32], .uniform), cases.source.numbers(.f32, [1, 32], halves), cases.source.numbers(.i32, [1], [0])], [Attribute("mode", .string(mode))])
    cases.add(values: [(.f32, [4], [1, 2, 3, 4]), (.f32, [2], [9, 8]), (.i64, [2], [3, 3])], [Attribute("mode", .string(mode))])
  }
}

private func gatherCases(_ cases: inout CaseMaker) {
  let indices: [Double] = [0, 4, 5, -1, 4294967298, 2, 3, -6]
  for format in [ElementFormat.f32, .f16, .q4_0, .q4K, .q8_0] {
    for scale in [1.0, 2.5] {
      let n = format.isBlock ? 2 * format.blockElements : 7
      let table = cases.source.operand(format, [5, n], .uniform)
      cases.add(operands: [table, cases.source.numbers(.i64, [2, 4], indices)], [Attribute("scale", .float(scale))], layout: scale == 1 ? .padded : .dense)
      cases.add(operands: [table, cases.source.numbers(.i32, [3], [1, 0, 4])], [Attribute("scale", .float(scale)), Attribute("to", .string("f16"))])
    }
  }
}

private func matmulCases(_ cases: inout CaseMaker) {
  let transposed = Attribute("transpose_b", .int(0))
  for kind in Kind.moderate {
    cases.add([(.f32, [3, 37]), (.f32, [9, 37]), nil, nil], kind, layout: .padded)
    cases.add([(.f32, [4, 11]), (.f32, [11, 11]), nil, nil], kind, [transposed])
    cases.add([(.f32, [2, 1, 3, 10]), (.f32, [2, 5, 10]), nil, nil], kind)
    cases.add([(.f16, [3, 64]), (.f16, [5, 64]), nil, (.f16, [3, 5])], kind)
    for act in ["none", "relu", "silu", "gelu_tanh", "gelu_erf"] {
      cases.add([(.f32, [5, 20]), (.f32, [6, 20]), (.f32, [6]), (.f32, [5, 6])], kind, [Attribute("activation", .string(act))])
    }
  }
  for format in [ElementFormat.q4_0, .q4_1, .q5_0, .q8_0, .q4K, .q5K, .q6K, .mxfp4, .q2K, .q3K, .iq4Nl, .tq2_0, .q5_1] {
    for kind in [Kind.uniform, .positive, .integers] { cases.add([(.f32, [2, 256]), (format, [5, 256]), nil, nil], kind) }
  }
  cases.add([(.f32, [2, 600]), (.f32, [3, 600]), nil, nil], .positive)
  cases.add([(.f32, [1, 2050]), (.f32, [3, 2050]), nil, nil], .integers)
  cases.add([(.f32, [64, 24]), (.f32, [5, 24]), nil, nil], .integers)  // rows enough for two workers
  cases.add([(.f32, [2, 0]), (.f32, [3, 0]), nil, nil], .integers)
  cases.add([(.f32, [0, 4]), (.f32, [3, 4]), nil, nil], .integers)
}

private func attentionCases(_ cases: inout CaseMaker) {
  struct Setting { var t = 3, h = 4, d = 10, s = 9, g = 2, e = 6, batch: [Int] = [], format = ElementFormat.f32, attributes: [Attribute] = [], mask = 0, sinks = false, alibi = false, layout = Layout.dense, wantsAll = true, amount = 1.0 }
  let causal = Attribute("causal", .int(1))
  func window(_ n: Int) -> Attribute { Attribute("window", .int(n)) }
  var settings: [Setting] = [
    Setting(), Setting(batch: [2], layout: .padded), Setting(attributes: [causal]), Setting(t: 9, attributes: [causal, window(4)]), Setting(attributes: [window(3)]),
    Setting(mask: 1), Setting(mask: 2), Setting(attributes: [Attribute("softcap", .float(5))], mask: 3), Setting(t: 4, mask: 1, sinks: true), Setting(attributes: [causal], alibi: true),
    Setting(t: 1, s: 150, attributes: [Attribute("scale", .float(0.37))], alibi: true), Setting(t: 2, s: 70, sinks: true, amount: 4),
    Setting(t: 2, d: 64, s: 33, e: 64, format: .q8_0), Setting(t: 2, d: 32, s: 17, e: 32, format: .q4_0, attributes: [causal]), Setting(t: 2, s: 40, format: .f16),
    Setting(t: 5, s: 3, attributes: [causal]), Setting(t: 2, s: 0), Setting(h: 6, g: 6, attributes: [Attribute("softcap", .float(2))], wantsAll: false),
  ].map { $0 }
  // A visible key whose weight is 0 in f32, and whose value is NaN.
  cases.add(values: [(.f32, [1, 1, 1], [20]), (.f32, [2, 1, 1], [20, 0]), (.f32, [2, 1, 1], [1, .nan]), nil, nil, nil], [Attribute("scale", .float(1))])
  for amount in [6.0, 30] { settings.append(Setting(t: 2, s: 100, amount: amount)) }
  for (number, setting) in settings.enumerated() {
    for kind in [Kind.uniform, .positive, .wide, .ramp, .special, .integers] {
      let b = setting.batch
      func scaled(_ operand: Operand) -> Operand {
        guard setting.amount != 1, kind != .special else { return operand }
        let values = operand.bytes.withUnsafeBytes { TensorView($0.baseAddress!, operand.format, operand.shape).decoded() }
        return cases.source.numbers(.f32, operand.shape, values.map { $0 * setting.amount })
      }
      let of = kind == .special ? Kind.uniform : kind
      let q = scaled(cases.source.operand(.f32, b + [setting.t, setting.h, setting.d], of))
      let k = cases.source.operand(setting.format, b + [setting.s, setting.g, setting.d], of)
      let v = cases.source.operand(setting.format, b + [setting.s, setting.g, setting.e], kind)
      let hidden = -Double.infinity
      let cells = setting.t * setting.s
      var mask: Operand?
      switch setting.mask {
      case 1: mask = cases.source.numbers(.f32, [setting.t, setting.s], (0..<cells).map { i in i / setting.s == 1 || i % 3 == 1 ? hidden : i % 3 == 2 ? -35 : cases.source.uniform(-1, 1) })
      case 2: mask = cases.source.numbers(.bool, [setting.t, setting.s], (0..<cells).map { i in i / setting.s == 1 || i % 3 == 1 ? 0 : 1 })
      case 3: mask = cases.source.numbers(.f16, [setting.t, setting.s], (0..<cells).map { _ in cases.source.uniform(-4, 4) })
      default: break
      }
      let sinks = setting.sinks ? cases.source.operand(.f32, [setting.h], .uniform) : nil
      let slopes = setting.alibi ? cases.source.numbers(.f32, [setting.h], (0..<setting.h).map { 0.01 * Double($0 + 1) }) : nil
      _ = number
      cases.add(operands: [q, k, v, mask, sinks, slopes], setting.attributes, layout: setting.layout, wantsAll: setting.wantsAll)
    }
  }
}
