/// Weights of up to four bits as other programs store them, repacked into a block format of this package: no weight changes by a bit.
///
/// Weights with a scale and a zero point for each group of inputs become q4_0 where every zero point is 8 and every scale is an f16, which is
/// smaller and what every device runs; q4_z otherwise. NF4 becomes nf4. A row of the result is an output's weights, as `matmul` takes them.
public struct FourBitWeights: Sendable {
  /// q4_0, q4_z or nf4.
  public let format: ElementFormat
  public let outputs: Int
  public let inputs: Int
  /// Whole blocks, [outputs, inputs].
  public let bytes: [UInt8]
  /// Which input each column belongs to, where the source has them in another order (GPTQ's "act-order"): the activations must be gathered so.
  public let order: [Int]?

  public var shape: Shape { Shape([outputs, inputs]) }
}

/// What is common to all sources: codes of 0 … 15, and what a group of inputs shares.
struct GroupedCodes {
  let source: String
  let outputs, inputs, group: Int
  /// [outputs, inputs], one a byte.
  var codes: [UInt8]
  /// [outputs, groups].
  var scales: [Float]
  var zeros: [UInt8]

  /// - Throws: ``BackplaneError`` (unsupported) when groups are no whole blocks.
  static func check(_ source: String, outputs: Int, inputs: Int, group: Int) throws(BackplaneError) {
    guard outputs > 0, inputs > 0, outputs <= 1 << 30, inputs <= 1 << 30 else { throw BackplaneError(.invalid, "\(source): \(outputs) outputs of \(inputs) inputs are no matrix") }
    guard group > 0, group % 32 == 0, inputs % 32 == 0 else {
      throw BackplaneError(.unsupported, "\(source): groups of \(group) of \(inputs) inputs are no whole blocks of 32", hint: "groups and inputs must be multiples of 32")
    }
  }

  /// - Throws: ``BackplaneError`` (invalid) when an operand has another number of elements.
  static func expect(_ source: String, _ name: String, _ count: Int, _ expected: Int) throws(BackplaneError) {
    guard count == expected else { throw BackplaneError(.invalid, "\(source): '\(name)' has \(count) elements, expected \(expected)") }
  }

  func packed(order: [Int]? = nil) -> FourBitWeights {
    let isPlain = zeros.allSatisfy { $0 == 8 } && scales.allSatisfy { Float(Float16($0)).bitPattern == $0.bitPattern }
    let format: ElementFormat = isPlain ? .q4_0 : .q4Z
    let groups = (inputs + group - 1) / group
    return FourBitWeights(format: format, outputs: outputs, inputs: inputs, bytes: blocks(format) { row, block, write in
      let at = row * groups + block * 32 / group
      if isPlain { write(littleEndian(Float16(scales[at]).bitPattern)) } else { write(littleEndian(scales[at].bitPattern) + [zeros[at], 0]) }
    }, order: order)
  }

  /// Blocks of 32: what `head` writes, then the codes as nibbles j and j + 16.
  func blocks(_ format: ElementFormat, head: (_ row: Int, _ block: Int, _ write: ([UInt8]) -> Void) -> Void) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(outputs * inputs / 32 * format.blockBytes)
    for row in 0..<outputs {
      for block in 0..<inputs / 32 {
        head(row, block) { bytes += $0 }
        let at = row * inputs + 32 * block
        for j in at..<at + 16 { bytes.append(codes[j] | codes[j + 16] << 4) }
      }
    }
    return bytes
  }
}

func littleEndian<T: FixedWidthInteger>(_ value: T) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { Array($0) } }

extension FourBitWeights {
  /// NF4 of bitsandbytes (and ONNX Runtime's MatMulBnb4): one f32 for each `blockSize` weights of the flat matrix.
  ///
  /// - Parameters:
  ///   - codes: [outputs · inputs / 2] bytes; the earlier of two weights is the HIGH nibble.
  ///   - scales: Largest magnitudes (`absmax`), decoded where they are quantised themselves.
  ///   - blockSize: Weights that share a scale, 32 or a multiple; rows are whole blocks of 32, and need not be whole ones of these.
  /// - Throws: ``BackplaneError`` (invalid, unsupported) that names operand and sizes.
  public static func nf4(codes: [UInt8], scales: [Float], outputs: Int, inputs: Int, blockSize: Int = 64) throws(BackplaneError) -> FourBitWeights {
    try GroupedCodes.check("NF4", outputs: outputs, inputs: inputs, group: blockSize)
    try GroupedCodes.expect("NF4", "codes", codes.count, outputs * inputs / 2)
    try GroupedCodes.expect("NF4", "scales", scales.count, (outputs * inputs + blockSize - 1) / blockSize)
    let grouped = GroupedCodes(source: "NF4", outputs: outputs, inputs: inputs, group: blockSize, codes: codes.flatMap { [$0 >> 4, $0 & 15] }, scales: scales, zeros: [])
    return FourBitWeights(format: .nf4, outputs: outputs, inputs: inputs, bytes: grouped.blocks(.nf4) { row, block, write in
      write(littleEndian(scales[(row * inputs + 32 * block) / blockSize].bitPattern))
    }, order: nil)
  }

  /// Weights of ONNX Runtime's MatMulNBits, 2 or 4 bits.
  ///
  /// - Parameters:
  ///   - codes: [outputs, groups, group · bits / 8], the earlier weight in the lower bits.
  ///   - scales: [outputs, groups].
  ///   - zeros: [outputs, ⌈groups · bits / 8⌉] bytes packed like the codes; nil for 2^(bits − 1).
  /// - Throws: ``BackplaneError`` (invalid, unsupported) that names operand and sizes.
  public static func matMulNBits(bits: Int = 4, codes: [UInt8], scales: [Float], zeros: [UInt8]?, outputs: Int, inputs: Int, group: Int) throws(BackplaneError) -> FourBitWeights {
    let source = "MatMulNBits"
    guard bits == 2 || bits == 4 else { throw BackplaneError(.unsupported, "\(source): weights of \(bits) bits", hint: "2 or 4") }
    try GroupedCodes.check(source, outputs: outputs, inputs: inputs, group: group)
    let groups = (inputs + group - 1) / group, each = 8 / bits, zeroBytes = (groups + each - 1) / each
    try GroupedCodes.expect(source, "B", codes.count, outputs * groups * group / each)
    try GroupedCodes.expect(source, "scales", scales.count, outputs * groups)
    if let zeros { try GroupedCodes.expect(source, "zero_points", zeros.count, outputs * zeroBytes) }
    let mask = UInt8(1 << bits - 1), wide = groups * group
    func part(_ bytes: [UInt8], _ row: Int, _ rowBytes: Int, _ i: Int) -> UInt8 { bytes[row * rowBytes + i / each] >> UInt8(i % each * bits) & mask }
    var grouped = GroupedCodes(source: source, outputs: outputs, inputs: inputs, group: group, codes: [], scales: scales, zeros: [])
    grouped.codes = [UInt8](filling: outputs * inputs) { to in
      for row in 0..<outputs { for k in 0..<inputs { to[row * inputs + k] = part(codes, row, wide / each, k) } }
    }
    grouped.zeros = [UInt8](filling: outputs * groups) { to in
      for row in 0..<outputs { for g in 0..<groups { to[row * groups + g] = zeros.map { part($0, row, zeroBytes, g) } ?? UInt8(1 << (bits - 1)) } }
    }
    return grouped.packed()
  }

  /// GPTQ's 4-bit weights, as AutoGPTQ writes them.
  ///
  /// - Parameters:
  ///   - qweight: [inputs / 8, outputs]: eight inputs a word, the first in the lowest bits.
  ///   - qzeros: [groups, outputs / 8], eight outputs a word.
  ///   - scales: [groups, outputs].
  ///   - groupIndex: `g_idx`, the group of each input; nil where they follow one another. Every group has `group` inputs. Inputs in another
  ///     order are sorted by group, and ``order`` says how.
  ///   - zerosAreLessOne: Format version 1 stores zero points less 1 (modulo 16); version 2 stores them as they are.
  /// - Throws: ``BackplaneError`` (invalid, unsupported) that names operand and sizes.
  public static func gptq(qweight: [Int32], qzeros: [Int32], scales: [Float], groupIndex: [Int32]? = nil, outputs: Int, inputs: Int, group: Int,
                          zerosAreLessOne: Bool = true) throws(BackplaneError) -> FourBitWeights {
    let source = "GPTQ", groups = group > 0 ? (inputs + group - 1) / group : 0
    try GroupedCodes.check(source, outputs: outputs, inputs: inputs, group: group)
    try checkWords(source, qweight.count, qzeros.count, scales.count, outputs, inputs, groups)
    var order: [Int]?
    if let groupIndex {
      try GroupedCodes.expect(source, "g_idx", groupIndex.count, inputs)
      var counts = [Int](repeating: 0, count: groups)
      for g in groupIndex {
        guard (0..<groups).contains(Int(g)) else { throw BackplaneError(.invalid, "\(source): 'g_idx' names group \(g) of \(groups)") }
        counts[Int(g)] += 1
      }
      for (g, count) in counts.enumerated() where count != min(group, inputs - g * group) {
        throw BackplaneError(.unsupported, "\(source): group \(g) has \(count) inputs, expected \(min(group, inputs - g * group))")
      }
      let sorted = (0..<inputs).sorted { (groupIndex[$0], $0) < (groupIndex[$1], $1) }
      order = sorted == Array(0..<inputs) ? nil : sorted
    }
    let codes = [UInt8](filling: outputs * inputs) { to in
      for i in 0..<inputs {
        let from = order?[i] ?? i
        for n in 0..<outputs { to[n * inputs + i] = nibble(qweight[from / 8 * outputs + n], from % 8) }
      }
    }
    return turned(source, codes, scales, outputs, inputs, group) { g, n in
      let stored = nibble(qzeros[g * (outputs / 8) + n / 8], n % 8)
      return zerosAreLessOne ? (stored + 1) & 15 : stored
    }.packed(order: order)
  }

  /// AWQ's 4-bit weights in the layout "GEMM", as Hugging Face checkpoints have them.
  ///
  /// - Parameters:
  ///   - qweight: [inputs, outputs / 8]: eight outputs a word, nibbles 0 … 7 being outputs 0, 2, 4, 6, 1, 3, 5, 7.
  ///   - qzeros: [groups, outputs / 8], likewise.
  ///   - scales: [groups, outputs].
  /// - Throws: ``BackplaneError`` (invalid, unsupported) that names operand and sizes.
  public static func awq(qweight: [Int32], qzeros: [Int32], scales: [Float], outputs: Int, inputs: Int, group: Int = 128) throws(BackplaneError) -> FourBitWeights {
    let source = "AWQ", groups = group > 0 ? (inputs + group - 1) / group : 0
    try GroupedCodes.check(source, outputs: outputs, inputs: inputs, group: group)
    try checkWords(source, qweight.count, qzeros.count, scales.count, outputs, inputs, groups)
    let place = [0, 4, 1, 5, 2, 6, 3, 7], words = outputs / 8
    let codes = [UInt8](filling: outputs * inputs) { to in
      for i in 0..<inputs { for n in 0..<outputs { to[n * inputs + i] = nibble(qweight[i * words + n / 8], place[n % 8]) } }
    }
    return turned(source, codes, scales, outputs, inputs, group) { g, n in nibble(qzeros[g * words + n / 8], place[n % 8]) }.packed()
  }

  private static func nibble(_ word: Int32, _ i: Int) -> UInt8 { UInt8(truncatingIfNeeded: word >> Int32(4 * i)) & 15 }

  private static func checkWords(_ source: String, _ qweight: Int, _ qzeros: Int, _ scales: Int, _ outputs: Int, _ inputs: Int, _ groups: Int) throws(BackplaneError) {
    guard outputs % 8 == 0 else { throw BackplaneError(.invalid, "\(source): \(outputs) outputs are no whole words of eight") }
    try GroupedCodes.expect(source, "qweight", qweight, inputs * outputs / 8)
    try GroupedCodes.expect(source, "qzeros", qzeros, groups * outputs / 8)
    try GroupedCodes.expect(source, "scales", scales, groups * outputs)
  }

  /// Scales and zero points of [groups, outputs] as [outputs, groups].
  private static func turned(_ source: String, _ codes: [UInt8], _ scales: [Float], _ outputs: Int, _ inputs: Int, _ group: Int, zero: (_ g: Int, _ n: Int) -> UInt8) -> GroupedCodes {
    let groups = scales.count / outputs
    let all = (0..<outputs).flatMap { n in (0..<groups).map { g in (scales[g * outputs + n], zero(g, n)) } }
    return GroupedCodes(source: source, outputs: outputs, inputs: inputs, group: group, codes: codes, scales: all.map(\.0), zeros: all.map(\.1))
  }
}
