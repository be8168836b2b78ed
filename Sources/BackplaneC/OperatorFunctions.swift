import Backplane
import BackplaneCHeader

@c @implementation public func bp_operator_register(_ definition: UnsafePointer<CChar>?, _ given: UnsafePointer<bp_operator_functions>?,
                                                    _ failure: UnsafeMutablePointer<bp_failure>?) -> Int32 {
  answer(failure) {
    let definition = try text(definition, "definition")
    let functions = Foreign(try options(given, bp_operator_functions(), "functions"))
    var own = OperatorFunctions()
    if functions.value.shapes != nil {
      let count = outputCount(definition)
      own.shapes = { inputs, attributes in try shapes(functions.value, inputs, attributes, count) }
    }
    if functions.value.reference != nil { own.reference = { inputs, attributes, outputs in try values(functions.value, inputs, attributes, outputs) } }
    try OperatorSpec.register(definition, functions: own)
    return BP_OK
  }
}

/// How many outputs a definition has; 0 for one that is none, which is refused anyway.
private func outputCount(_ definition: String) -> Int {
  guard case .object(let members)? = try? JSON.parse(definition), case .array(let outputs)? = members.first(where: { $0.key == "outputs" })?.value else { return 0 }
  return outputs.count
}

/// Memory for one call of a function: what its records point to lives until this goes.
private final class CallMemory {
  private var blocks: [UnsafeMutableRawPointer] = []

  func copy<T: BitwiseCopyable>(_ values: [T]) -> UnsafeMutablePointer<T> {
    let block = UnsafeMutablePointer<T>.allocate(capacity: max(values.count, 1))
    block.initialize(from: values, count: values.count)
    blocks.append(UnsafeMutableRawPointer(block))
    return block
  }
  func copy(_ text: String) -> UnsafePointer<CChar> { UnsafePointer(copy(text.utf8CString.map { $0 })) }

  func operand(_ format: ElementFormat, _ extents: [Int]) -> bp_operand {
    var record = bp_operand()
    record.struct_size = UInt32(MemoryLayout<bp_operand>.size)
    record.rank = UInt32(extents.count)
    record.format = copy(format.name)
    record.extents = UnsafePointer(copy(extents.map(Int64.init)))
    return record
  }

  func operand(_ tensor: OperatorValues) -> bp_operand {
    var record = operand(tensor.format, tensor.shape)
    record.values = copy(tensor.values)
    record.count = UInt64(tensor.values.count)
    return record
  }

  var absent: bp_operand {
    var record = bp_operand()
    record.struct_size = UInt32(MemoryLayout<bp_operand>.size)
    return record
  }

  func attribute(_ attribute: Attribute) -> bp_attribute {
    var record = bp_attribute()
    record.struct_size = UInt32(MemoryLayout<bp_attribute>.size)
    record.name = copy(attribute.name)
    switch attribute.value {
    case .int(let i): (record.i, record.f) = (Int64(i), Double(i))
    case .float(let f): record.f = f
    case .string(let s): record.text = copy(s)
    case .ints(let list): (record.i, record.ints) = (Int64(list.count), UnsafePointer(copy(list.map(Int64.init))))
    case .floats: break
    }
    return record
  }

  deinit { for block in blocks { block.deallocate() } }
}

private func shapes(_ functions: bp_operator_functions, _ inputs: [TensorDescription?], _ attributes: [Attribute], _ count: Int) throws(BackplaneError) -> [Shape] {
  let memory = CallMemory()
  defer { withExtendedLifetime(memory) {} }
  var symbols: [UInt32: Symbol] = [:]
  let operands = inputs.map { input in
    input.map { tensor in
      memory.operand(tensor.format, tensor.shape.dimensions.map { dimension in
        switch dimension {
        case .fixed(let n): return n
        case .symbol(let symbol):
          symbols[symbol.number] = symbol
          return -Int(symbol.number)
        }
      })
    } ?? memory.absent
  }
  var ranks = [UInt32](repeating: 0, count: count)
  var extents = [Int64](repeating: 0, count: count * Shape.maximumRank)
  let records = attributes.map(memory.attribute)
  let status = functions.shapes!(functions.user, operands, UInt32(operands.count), records, UInt32(records.count), &ranks, &extents, UInt32(count))
  guard status == BP_OK else { throw BackplaneError(.invalid, "it answered \(status)") }
  var shapes: [Shape] = []
  for j in 0..<count {
    guard ranks[j] <= Shape.maximumRank else { throw BackplaneError(.invalid, "it gave the rank \(ranks[j]), \(Shape.maximumRank) at most are possible") }
    var dimensions: [Dimension] = []
    for extent in extents[j * Shape.maximumRank..<j * Shape.maximumRank + Int(ranks[j])] {
      if extent >= 0 { dimensions.append(.fixed(Int(extent))) } else {
        guard let number = UInt32(exactly: extent.magnitude), let symbol = symbols[number] else {
          throw BackplaneError(.invalid, "it gave the extent \(extent), but no operand has symbol \(extent.magnitude)")
        }
        dimensions.append(.symbol(symbol))
      }
    }
    shapes.append(Shape(dimensions))
  }
  return shapes
}

private func values(_ functions: bp_operator_functions, _ inputs: [OperatorValues?], _ attributes: [Attribute], _ outputs: [OperatorValues]) throws(BackplaneError) -> [OperatorValues] {
  let memory = CallMemory()
  defer { withExtendedLifetime(memory) {} }
  let operands = inputs.map { input in input.map { memory.operand($0) } ?? memory.absent }
  let results = outputs.map { output in
    let zeros = [Double](repeating: 0, count: output.count)
    var record = memory.operand(OperatorValues(format: output.format, shape: output.shape, values: zeros))
    record.errors = memory.copy(zeros)
    return record
  }
  let records = attributes.map(memory.attribute)
  let status = functions.reference!(functions.user, operands, UInt32(operands.count), records, UInt32(records.count), results, UInt32(results.count))
  guard status == BP_OK else { throw BackplaneError(.invalid, "it answered \(status)") }
  return zip(outputs, results).map { output, record in
    let errors = Array(UnsafeBufferPointer(start: record.errors, count: output.count))
    return OperatorValues(format: output.format, shape: output.shape, values: Array(UnsafeBufferPointer(start: record.values, count: output.count)),
                          errors: errors.allSatisfy { $0 == 0 } ? nil : errors)
  }
}
