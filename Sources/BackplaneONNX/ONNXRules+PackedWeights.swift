import BackplaneCore

/// Products with weights of few bits, operators of ONNX Runtime's own domain.
extension ONNXRules {
  static let microsoft: [String: Rule] = [
    "MatMulNBits": { importer, call throws(BackplaneError) in
      list(try importer.packedProduct(call, try importer.nBits(call), bias: call.optional(5)))
    },
    "MatMulBnb4": { importer, call throws(BackplaneError) in
      guard call.int("quant_type", 1) == 1, call.int("transB", 1) == 1 else { throw .unmapped("MatMulBnb4: FP4, or weights that are not transposed") }
      let packed = try FourBitWeights.nf4(codes: try call.weights(1, .uint8).bytes, scales: try call.weights(2).singles, outputs: call.int("N", 0),
                                          inputs: call.int("K", 0), blockSize: call.int("block_size", 64))
      return list(try importer.packedProduct(call, .blocks(packed), bias: nil))
    },
  ]
}

extension ONNXCall {
  /// An operand that is known while importing: weights that are computed have no packed form.
  fileprivate func weights(_ i: Int, _ type: ONNXDataType? = nil) throws(BackplaneError) -> ONNXTensor {
    let value = try input(i)
    guard value.isFolded, let known = value.known else { throw .unmapped("\(node.op): operand \(i) is no constant") }
    guard type == nil || known.type == type else { throw .unmapped("\(node.op): operand \(i) is \(known.type)") }
    return known
  }
}

extension ONNXTensor {
  fileprivate var singles: [Float] { numbers.map(Float.init) }
}

extension ONNXImporter {
  /// In a block format; as f32 numbers where there is none with these blocks or bits.
  fileprivate enum Packed { case blocks(FourBitWeights), numbers([Float], outputs: Int, inputs: Int) }

  fileprivate func nBits(_ call: ONNXCall) throws(BackplaneError) -> Packed {
    let outputs = call.int("N", 0), inputs = call.int("K", 0), bits = call.int("bits", 4), group = call.int("block_size", 0)
    if call.has(4) { throw .unmapped("MatMulNBits: inputs in another order (g_idx)") }
    let codes = try call.weights(1, .uint8).bytes, scales = try call.weights(2).singles
    let zeros = call.has(3) ? try call.weights(3) : nil
    guard [2, 4, 8].contains(bits), outputs > 0, inputs > 0, outputs < 1 << 30, inputs < 1 << 30, group >= 16, group <= 1 << 16 else {
      throw .unmapped("MatMulNBits: impossible sizes", "N \(outputs), K \(inputs), \(bits) bits, blocks of \(group)")
    }
    let groups = (inputs + group - 1) / group, each = 8 / bits, zeroBytes = (groups + each - 1) / each
    let arePacked = zeros.map { $0.type == .uint8 && $0.bytes.count == outputs * zeroBytes } ?? true
    if bits < 8, group % 32 == 0, inputs % 32 == 0, arePacked {
      return .blocks(try FourBitWeights.matMulNBits(bits: bits, codes: codes, scales: scales, zeros: zeros?.bytes, outputs: outputs, inputs: inputs, group: group))
    }
    guard codes.count == outputs * groups * group / each, scales.count == outputs * groups, arePacked || zeros!.count == outputs * groups else {
      throw .unmapped("MatMulNBits: operands of other sizes than N, K and block_size say")
    }
    func part(_ bytes: [UInt8], _ row: Int, _ rowBytes: Int, _ i: Int) -> Float { Float(bytes[row * rowBytes + i / each] >> UInt8(i % each * bits) & UInt8(1 << bits - 1)) }
    let given = arePacked ? [] : zeros!.singles
    return .numbers([Float](filling: outputs * inputs) { to in
      for n in 0..<outputs {
        for k in 0..<inputs {
          let g = n * groups + k / group
          let zero = zeros == nil ? Float(1 << (bits - 1)) : arePacked ? part(zeros!.bytes, n, zeroBytes, k / group) : given[g]
          to[n * inputs + k] = (part(codes, n, groups * group / each, k) - zero) * scales[g]
        }
      }
    }, outputs: outputs, inputs: inputs)
  }

  fileprivate mutating func packedProduct(_ call: ONNXCall, _ weights: Packed, bias: ONNXValue?) throws(BackplaneError) -> ONNXValue {
    let a = try call.input(0), name = "constant.\(builder.graph.tensors.count)"
    guard a.rank >= 1 else { throw .unmapped("\(call.node.op): a number") }
    let rows = a.rank == 1 ? try reshape(a, [1] + a.shape) : a
    let id: TensorID
    switch weights {
    case .blocks(let packed):
      id = builder.constant(name, packed.format, packed.shape)
      constants[id] = packed.bytes
    case .numbers(let numbers, let outputs, let inputs):
      id = builder.constant(name, .f32, Shape([outputs, inputs]))
      constants[id] = numbers.flatMap { number in withUnsafeBytes(of: number.bitPattern.littleEndian) { Array($0) } }
    }
    let left = try tensor(rows), added = bias?.type == .float ? try tensor(bias!) : nil
    let product = try builder.apply("matmul", [left, id] + (added.map { [$0] } ?? []))[0]!
    var y = try value(product)
    if a.rank == 1 { y = try reshape(y, Array(y.shape.dropFirst())) }
    if let bias, added == nil { y = try apply("add", y, bias) }
    return y
  }
}
