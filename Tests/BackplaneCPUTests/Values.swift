import Glibc
import BackplaneABI
import BackplaneCore

/// A tensor with values, for tests: plain formats by number, block formats by bytes.
struct Value {
  var format: ElementFormat
  var shape: [Int]
  var bytes: [UInt8]

  init(_ format: ElementFormat, _ shape: [Int], bytes: [UInt8]) { (self.format, self.shape, self.bytes) = (format, shape, bytes) }
  init(_ format: ElementFormat = .f32, _ shape: [Int], _ values: [Double]) {
    precondition(values.count == shape.reduce(1, *))
    self.init(format, shape, bytes: values.flatMap { encode($0, format) })
  }
  /// A vector of f32.
  init(_ values: [Double]) { self.init(.f32, [values.count], values) }

  var values: [Double] { stride(from: 0, to: bytes.count, by: format.blockBytes).map { decode(Array(bytes[$0..<($0 + format.blockBytes)]), format) } }
}

private func raw<T>(_ value: T) -> [UInt8] { withUnsafeBytes(of: value) { Array($0) } }
private func load<T>(_ bytes: [UInt8], _: T.Type) -> T { bytes.withUnsafeBytes { $0.loadUnaligned(as: T.self) } }

private func encode(_ value: Double, _ format: ElementFormat) -> [UInt8] {
  switch format {
  case .f32: raw(Float(value))
  case .f16: raw(Float16(value))
  case .bf16: raw(UInt16(truncatingIfNeeded: (Float(value).bitPattern + 0x7fff + (Float(value).bitPattern >> 16 & 1)) >> 16))
  case .i8: raw(Int8(value))
  case .u8, .bool: raw(UInt8(value))
  case .i32: raw(Int32(value))
  case .i64: raw(Int64(value))
  default: fatalError("no values of \(format)")
  }
}
private func decode(_ bytes: [UInt8], _ format: ElementFormat) -> Double {
  switch format {
  case .f32: Double(load(bytes, Float.self))
  case .f16: Double(load(bytes, Float16.self))
  case .bf16: Double(Float(bitPattern: UInt32(load(bytes, UInt16.self)) << 16))
  case .i8: Double(load(bytes, Int8.self))
  case .u8, .bool: Double(bytes[0])
  case .i32: Double(load(bytes, Int32.self))
  case .i64: Double(load(bytes, Int64.self))
  default: .nan
  }
}

/// A graph of one node.
func single(_ op: String, _ inputs: [(ElementFormat, [Int])?], _ attributes: [Attribute] = [], to outputs: [(ElementFormat, [Int])],
            numerics: Numerics = .standard) -> Graph {
  var graph = Graph()
  func add(_ tensor: (ElementFormat, [Int]), _ role: TensorRole) -> TensorID {
    graph.tensors.append(TensorDescription(name: "t\(graph.tensors.count)", format: tensor.0, shape: Shape(tensor.1), role: role))
    return TensorID(graph.tensors.count - 1)
  }
  let ins = inputs.map { $0.map { add($0, .input) } }, outs = outputs.map { add($0, .intermediate) }
  graph.inputs = ins.compactMap { $0 }
  graph.outputs = outs
  graph.nodes = [Node(op: op, inputs: ins, outputs: outs, attributes: attributes, numerics: numerics)]
  return graph
}

extension TestDevice {
  /// Runs one operator; outputs are filled with 0xff first.
  func run(_ op: String, _ inputs: [Value?], _ attributes: [Attribute] = [], to outputs: [(ElementFormat, [Int])],
           numerics: Numerics = .standard) throws -> [Value] {
    let graph = single(op, inputs.map { $0.map { ($0.format, $0.shape) } }, attributes, to: outputs, numerics: numerics)
    let program = try TestProgram(self, graph)
    let given = try inputs.compactMap { $0 }.map { value in
      let buffer = try self.buffer(bytes: value.bytes.count)
      buffer.address.copyMemory(from: value.bytes, byteCount: value.bytes.count)
      return buffer
    }
    let results = try outputs.map { format, shape in
      let buffer = try self.buffer(bytes: shape.reduce(1, *) / format.blockElements * format.blockBytes)
      memset(buffer.address, 0xff, buffer.bytes)
      return buffer
    }
    let workspace = try program.makeWorkspace()
    try program.run((given + results).map { $0.binding() }, workspace: workspace)
    return zip(outputs, results).map { output, buffer in
      Value(output.0, output.1, bytes: Array(UnsafeRawBufferPointer(start: buffer.address, count: buffer.bytes)))
    }
  }
  /// For one output.
  func result(_ op: String, _ inputs: [Value?], _ attributes: [Attribute] = [], _ format: ElementFormat = .f32, _ shape: [Int]) throws -> [Double] {
    try run(op, inputs, attributes, to: [(format, shape)])[0].values
  }
}

/// The largest difference, relative where values are large. NaN equals NaN, an infinity itself.
func distance(_ a: [Double], _ b: [Double]) -> Double {
  guard a.count == b.count else { return .infinity }
  return zip(a, b).map { a, b in a.isNaN && b.isNaN || a == b ? 0 : abs(a - b) / max(1, abs(b)) }.map { $0.isNaN ? .infinity : $0 }.max() ?? 0
}
