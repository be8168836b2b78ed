import BackplaneCore
import BackplaneReference
import BackplaneSpecs

/// The bytes of a case's operands: each kind of data aims at a kind of fault.
///
/// normal      the everyday case                     int       small whole numbers: sums are exact in any order
/// allpos      no cancellation: the bound is tight   outlier   one channel 200 times the others
/// cancel      pairs that sum to nearly nothing      ramp      a new maximum at every step: online sums must rescale
/// huge        logits that overflow a naive exp      overflow  near the end of the format
/// denormal    below the smallest normal number      negzero   zeros of both signs
/// nan, inf    few such elements, in turn in each operand constant all the same
/// last        only the end is not zero              sparse    mostly zero
/// offset      a mean far larger than the variance   ties      halfway between two numbers of a narrower format
/// one_hot     rows that select a column             saturate  one key takes all of the weight
/// zero_query  every key has the same weight         masked_huge  what a mask hides is enormous
/// wide        magnitudes from 2^-40 to 2^40
/// tiny        products are subnormal                saturate_nan  the same, with a NaN in a value that has weight 0
/// halves      multiples of 1/2: ties of rounding    special   every odd number there is
/// uniform     between -1 and 1, as many suites do
///
/// A NaN may be any: quiet or not, with any payload.
///
/// Operands with a meaning of their own: mask, indices, positions, angles, frequencies, slopes, scales, large_scales, zero_points,
/// exponents, lse, draws.
package struct DataGenerator {
  let id: CaseID

  package init(id: CaseID) { self.id = id }

  /// Dense bytes, one list a tensor, in the order of the node's inputs.
  package func make() -> [[UInt8]] {
    var made: [[UInt8]] = []
    for (k, tensors) in id.inputs.enumerated() {
      for (i, tensor) in tensors.enumerated() {
        var random = Random(key: id.seed, stream: UInt64(k * 64 + i + 1))
        let own = bytes(tensor, operand: k, &random)
        let rows = id.memory == .repeated && !tensor.format.isBlock ? tensor.shape.first ?? 1 : 1
        made.append(rows > 1 ? (0..<rows).flatMap { _ in own.prefix(own.count / rows) } : own)
      }
    }
    return made
  }

  /// The operand that a single special number goes to: each that has no meaning of its own in turn.
  private var chosen: Int {
    let meanings = Set(id.spec.conformance.operands.map(\.name))
    let candidates = id.inputs.indices.filter { k in id.inputs[k].contains { $0.format.kind == .float } && !meanings.contains(id.spec.inputs[k].name) }
    return candidates.isEmpty ? 0 : candidates[Int(id.seed % UInt64(candidates.count))]
  }

  private func bytes(_ tensor: CaseID.Tensor, operand k: Int, _ random: inout Random) -> [UInt8] {
    let spec = id.spec
    let kind = spec.conformance.operands.first { $0.name == spec.inputs[k].name }?.data ?? id.data
    if tensor.format.isBlock {
      if ["saturate", "saturate_nan", "zero_query", "uniform"].contains(kind), let bytes = try? ReferenceTensor(tensor.format, tensor.shape, values: numbers(tensor, kind, k, &random)).encoded() {
        return bytes
      }
      return BlockData.bytes(tensor.format, count: tensor.count, kind: kind, &random)
    }
    let values = tensor.format.kind == .float ? numbers(tensor, kind, k, &random) : integers(tensor, kind, &random)
    // What cannot be encoded is a fault of this generator.
    var bytes = try! ReferenceTensor(tensor.format, tensor.shape, values: values).encoded()
    for (n, i) in values.indices.filter({ values[$0].isNaN }).enumerated() { DataGenerator.setNaN(n, tensor.format, &bytes, i) }
    return bytes
  }

  /// Replaces a NaN by the `n`-th of some that a careless rounding turns into numbers or infinities.
  private static func setNaN(_ n: Int, _ format: ElementFormat, _ bytes: inout [UInt8], _ element: Int) {
    let patterns: [UInt32] = switch format {
    case .f32: [0x7FC0_0000, 0x7FFF_FFFF, 0xFFFF_FFFF, 0x7F80_0001, 0xFF80_8000]
    case .f16: [0x7E00, 0x7FFF, 0xFFFF, 0x7C01]
    case .bf16: [0x7FC0, 0x7FFF, 0xFFFF, 0x7F81]
    default: []
    }
    guard !patterns.isEmpty else { return }
    let size = format.blockBytes
    for b in 0..<size { bytes[element * size + b] = UInt8(truncatingIfNeeded: patterns[n % patterns.count] >> UInt32(8 * b)) }
  }

  // MARK: Whole numbers

  private func integers(_ tensor: CaseID.Tensor, _ kind: String, _ random: inout Random) -> [Double] {
    let count = tensor.count
    if tensor.format.kind == .bool {
      let columns = max(tensor.shape.last ?? 1, 1)
      return (0..<count).map { i in kind == "mask" && i / columns % 7 == 3 ? 0 : random.uniform() < 0.8 ? 1 : 0 }
    }
    let (low, high) = ShapeLimits.range(tensor.format)
    switch kind {
    case "indices", "positions":
      // Rows of the first operand; now and then outside.
      let rows = id.inputs[0].first?.shape.first ?? 1
      // In 64 bits also numbers whose low half is inside.
      let far = tensor.format == .i64 ? [1 << 32, -1 << 32] : []
      return (0..<count).map { _ in
        let inside = random.below(rows)
        return Double(random.uniform() < 0.1 ? ([-1, rows + random.below(5)] + far.map { $0 + inside })[random.below(2 + far.count)] : inside)
      }
    case "angles":
      let start = [0, 1, 100, 4000, -5, 70_000][random.below(6)]
      return (0..<count).map { i in i % 11 == 10 ? 7 : Double(start + i) }
    case "zero_points":
      if tensor.format == .i32, id.seed % 4 == 0 { return (0..<count).map { _ in random.next() & 1 == 0 ? low : high } }
      let middle = tensor.format == .u8 ? 128 : 0
      return (0..<count).map { _ in Double(middle + random.in_(-9...9)) }
    case "huge", "overflow":
      return (0..<count).map { i in i % 5 == 0 ? (random.next() & 1 == 0 ? low : high) : i % 5 == 1 && high > 0x1p24 ? Double(16_777_216 + random.below(4)) : random.uniform(low, high).rounded() }
    case "constant": return [Double](repeating: 3, count: count)
    case "ties":
      // Halfway between two bfloats or halves, and one beside: in f32 first, the larger ones become ties.
      return (0..<count).map { _ in
        let bits = high > 0x1p31 ? 20 + random.below(30) : high > 0x1p30 ? 20 + random.below(10) : 4
        let tie = random.next() & 1 == 0 ? Double(256 + 2 * random.below(128) + 1) * Double(1 << (bits - 8 > 0 ? bits - 8 : 0)) : Double(2049 + 2 * random.below(500))
        return max(low, min(high, random.sign() * (tie + Double(random.in_(-1...1)))))
      }
    case "sparse", "negzero": return (0..<count).map { _ in random.uniform() < 0.8 ? 0 : Double(random.below(100)) }
    default: return (0..<count).map { _ in max(low, min(high, Double(random.in_(-100...100)))) }
    }
  }

  // MARK: Numbers

  private func numbers(_ tensor: CaseID.Tensor, _ kind: String, _ k: Int, _ random: inout Random) -> [Double] {
    let (count, format) = (tensor.count, tensor.format)
    let columns = max(tensor.shape.last ?? 1, 1)
    let limits = ShapeLimits(format)
    func each(_ value: (Int, inout Random) -> Double) -> [Double] { (0..<count).map { value($0, &random) } }
    func withOne(_ special: Double) -> [Double] {
      var values = each { _, random in random.normal() }
      // Zeros for them to meet; then two of them in one operand, or a row of nothing else.
      for i in values.indices where random.uniform() < (k == chosen ? 0.1 : 0.3) { values[i] = 0 }
      if k == chosen {
        if id.seed % 4 == 0 { for i in 0..<min(columns, count) { values[i] = special } }
        for _ in 0..<min(count, count > 3 ? 2 : 1) { values[random.below(count)] = special }
      }
      return values
    }
    switch kind {
    case "int": return each { i, random in i % columns % 32 == 0 && k == 0 ? 127 * random.sign() : Double(random.in_(-8...8)) }
    case "allpos": return each { _, random in random.uniform(0.5, 2) }
    case "uniform": return each { _, random in random.uniform(-1, 1) }
    case "outlier": return each { i, random in random.normal() * (i % columns % 61 == min(columns - 1, 5) ? 200 : 1) }
    case "cancel":
      var values = each { _, random in random.normal() * 64 }
      for i in stride(from: 1, to: count, by: 2) { values[i] = -values[i - 1] * (1 + random.uniform(0, 0x1p-7)) }
      return values
    case "ramp": return each { i, random in Double(i % columns) * 0.5 + random.uniform(0, 0.25) }
    case "huge": return each { _, random in random.sign() * limits.huge * random.uniform(0.1, 1) }
    case "overflow": return each { _, random in random.sign() * limits.largest * random.uniform(0.4, 0.99) }
    case "wide": return each { _, random in random.sign() * random.uniform(1, 2) * Double(sign: .plus, exponent: random.in_(-40...40), significand: 1) }
    case "tiny":
      let (first, spread) = format == .f16 ? (-4, 8) : (-60, 14)
      return each { _, random in random.normal() * Double(sign: .plus, exponent: first - random.below(spread), significand: 1) }
    case "denormal": return each { _, random in random.sign() * limits.smallestNormal * random.uniform(0, 2) }
    case "negzero": return each { _, random in random.uniform() < 0.5 ? -0.0 : random.uniform() < 0.5 ? 0 : random.normal() }
    case "nan": return withOne(.nan)
    case "inf": return withOne(random.sign() * .infinity)
    case "special":
      let odd: [Double] = [.nan, .infinity, -.infinity, 0, -0.0, 0.5, -0.5, 1.5, 2.5, 255.5, -128.5, 3e9, -3e9, 1e19, 0x1p31, 0x1p63, -0x1p63, 127.5, 65504, 65520, limits.largest, limits.smallestNormal]
      // All of them in turn.
      let start = random.below(odd.count)
      return each { i, _ in i % 3 == 0 ? max(-limits.largest, min(limits.largest, odd[(start + i) % odd.count])) : odd[(start + i) % odd.count] }
    case "constant": return [Double](repeating: 0.75, count: count)
    case "last": return each { i, random in i % columns >= columns - max(1, columns / 16) ? random.normal() * 4 : 0 }
    case "sparse": return each { _, random in random.uniform() < 0.9 ? 0 : random.normal() * 3 }
    case "offset": return each { _, random in 300 + random.normal() }
    case "ties": return each { _, random in (1 + (Double(random.below(256)) + 0.5) * (random.next() & 1 == 0 ? 0x1p-10 : 0x1p-7)) * random.sign() * [1, 0x1p-15, 0x1p10, 0x1p-24][random.below(4)] }
    case "one_hot":
      if k > 1 { return [Double](repeating: 0, count: count) }
      if k == 1 { return each { _, random in random.normal() } }
      return each { i, _ in i % columns == (i / columns * 7 + 3) % columns ? 1 : 0 }
    case "mask":
      return each { i, random in
        let (row, column) = (i / columns, i % columns)
        if id.data == "masked_huge" { return column >= columns - columns / 3 ? -.infinity : 0 }
        return row % 7 == 3 || random.uniform() < 0.2 ? -.infinity : random.next() & 1 == 0 ? 0 : random.uniform(-2, 0)
      }
    case "masked_huge":
      // Operands along keys: the last third of them.
      let keys = tensor.shape.count >= 3 ? tensor.shape[tensor.shape.count - 3] : 1
      let step = tensor.shape.suffix(2).reduce(1, *)
      return each { i, random in random.normal() * (k > 0 && step > 0 && i / step % max(keys, 1) >= keys - keys / 3 ? limits.huge : 1) }
    case "saturate", "saturate_nan":
      let step = tensor.shape.suffix(2).reduce(1, *)
      switch k {
      case 0: let sign = random.sign(); return [Double](repeating: 256 * sign, count: count)
      case 1: return each { i, _ in step == 0 ? 0 : Double(i / step % max(tensor.shape.dropLast(2).last ?? 1, 1) + 1) }
      default:
        var values = each { _, random in Double(random.in_(1...8)) }
        if kind == "saturate_nan", count > 0 { values[random.below(count)] = .nan }
        return values
      }
    case "halves":
      // The largest of each 32 makes the scale 1: for 8 bits, in every other block for 4 bits; in some cases for a range of 255.
      let low = id.seed % 3 == 0 ? -128.0 : -127
      return each { i, random in
        switch (i / 32 % 2, i % columns % 32) {
        case (0, 0): random.next() & 1 == 0 ? 127 : low
        case (0, 1) where id.seed % 3 == 0: random.next() & 1 == 0 ? 127 : low
        case (1, 0): 8 * random.sign()
        case (1, _): Double(random.in_(-15...15)) / 2
        default: Double(random.in_(-41...41)) / 2
        }
      }
    case "scales":
      // Powers of two in some cases: only then is a tie a tie for every kernel.
      return each { _, random in id.seed % 3 == 0 ? [0.5, 1, 2][random.below(3)] : random.uniform(0.01, 0.1) }
    case "large_scales": return each { _, random in id.seed % 3 == 0 ? [4, 16, 64][random.below(3)] : random.uniform(5, 50) }
    case "exponents": return each { _, random in random.next() & 1 == 0 ? Double(random.in_(-3...4)) / 2 : random.normal() }
    case "lse": return each { _, random in random.uniform() < 0.1 ? -.infinity : (id.data == "huge" ? 100 : 3) * random.normal() }
    case "draws": return each { _, random in random.uniform() < 0.1 ? 0 : Double(Float(random.uniform(0, 0.999))) }
    case "zero_query": return k == 0 ? [Double](repeating: 0, count: count) : each { _, random in random.normal() }
    case "slopes": return each { i, _ in Double(sign: .plus, exponent: -(i % 8) - 1, significand: 1) }
    case "frequencies":
      // A table of frequencies as models have them: 1 down to 10^-4, in steps that need no power function.
      return each { i, _ in 1 / (1 + 9999 * Double(i) / Double(max(count, 1))) }
    default: return each { _, random in random.normal() }
    }
  }
}

/// What fits in a format.
struct ShapeLimits {
  let largest, smallestNormal: Double
  /// Far beyond what exp can take, where the format allows that, but no overflow when a few are multiplied.
  let huge: Double

  init(_ format: ElementFormat) {
    (largest, smallestNormal, huge) = switch format {
    case .f16: (65504, 0x1p-14, 120)
    case .bf16: (0x1.fep127, 0x1p-126, 1000)
    case .f64: (0x1p1000, 0x1p-1022, 1000)
    default: (Double(Float.greatestFiniteMagnitude), 0x1p-126, 1000)
    }
  }

  /// Of whole numbers; i64 as far as doubles are exact.
  static func range(_ format: ElementFormat) -> (low: Double, high: Double) {
    switch format {
    case .i8: (-128, 127)
    case .u8: (0, 255)
    case .i16: (-32768, 32767)
    case .i32: (-2_147_483_648, 2_147_483_647)
    default: (-0x1p53, 0x1p53)
    }
  }
}

/// Blocks with random quants and scales that make sense.
enum BlockData {
  /// Where a block's f16 scales are; mxfp4 has a byte with an exponent, q4_z and nf4 an f32 at their beginning.
  private static func scales(_ format: ElementFormat) -> [Int] {
    switch format {
    case .q4_1, .q5_1, .q4K, .q5K: [0, 2]
    case .q2K: [80, 82]
    case .q3K: [108]
    case .q6K: [208]
    case .tq2_0: [64]
    case .mxfp4, .q4Z, .nf4: []
    default: [0]
    }
  }

  static func bytes(_ format: ElementFormat, count: Int, kind: String, _ random: inout Random) -> [UInt8] {
    let size = format.blockBytes
    let blocks = count / format.blockElements
    var bytes = [UInt8](repeating: 0, count: blocks * size)
    for i in bytes.indices { bytes[i] = kind == "constant" ? 0x59 : UInt8(truncatingIfNeeded: random.next() >> 24) }
    let isExact = kind == "int" || kind == "one_hot"
    for block in 0..<blocks {
      let isLast = block == blocks - 1
      if kind == "last", !isLast, blocks > 1 { for i in 0..<size { bytes[block * size + i] = 0 }; continue }
      for at in scales(format) {
        let scale: Double = isExact ? 1 : kind == "denormal" ? 0x1p-24 * Double(random.in_(1...900))
          : kind == "overflow" || kind == "huge" ? 16 * random.uniform(0.5, 1) * random.sign() : 0.02 * random.uniform(0.5, 2) * random.sign()
        let bits = Float16(scale).bitPattern
        bytes[block * size + at] = UInt8(truncatingIfNeeded: bits)
        bytes[block * size + at + 1] = UInt8(truncatingIfNeeded: bits >> 8)
      }
      if format == .q4Z || format == .nf4 {
        let sign = Float(random.sign())
        let scale: Float = isExact ? 1 : kind == "denormal" ? sign * 0x1p-149 * Float(random.in_(1...1 << 22)) : kind == "nan" && block == 0 ? .nan
          : kind == "overflow" || kind == "huge" ? sign * 0x1p40 * Float(random.uniform(0.5, 1)) : sign * 0.02 * Float(random.uniform(0.5, 2))
        for i in 0..<4 { bytes[block * size + i] = UInt8(truncatingIfNeeded: scale.bitPattern >> UInt32(8 * i)) }
        // Of its codebook only -1, 0 and 1 are whole.
        if format == .nf4, isExact { for i in 4..<size { bytes[block * size + i] = [0x00, 0x7f, 0xf7, 0xff, 0x0f, 0x70][random.below(6)] } }
        // Zero points as they are found; now and then any.
        if format == .q4Z, isExact || block % 8 != 7 { (bytes[block * size + 4], bytes[block * size + 5]) = (UInt8(random.below(17)), 0) }
      }
      if format == .mxfp4 { bytes[block * size] = isExact ? 128 : kind == "denormal" ? UInt8(max(0, random.below(5) - 2)) : kind == "nan" && block == 0 ? 255 : UInt8(118 + random.below(8)) }
    }
    return bytes
  }
}
