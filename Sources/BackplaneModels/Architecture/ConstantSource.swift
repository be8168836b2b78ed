/// Where the bytes of a graph's constant are.
public enum ConstantSource: Hashable, Sendable {
  /// In the model file, counted from its beginning.
  case file(offset: Int, byteCount: Int)
  /// Computed when the model was loaded; small (rope tables).
  case computed([UInt8])

  public var byteCount: Int {
    switch self {
    case .file(_, let count): count
    case .computed(let bytes): bytes.count
    }
  }
}

/// Enters a model file's tensors into a graph as constants, each once, and checks them on the way.
struct WeightTable {
  let file: GGUFFile
  private(set) var sources: [TensorID: ConstantSource] = [:]
  private var entered: [String: TensorID] = [:]

  init(_ file: GGUFFile) { self.file = file }

  /// A matrix in any real format, as it lies in the file.
  mutating func matrix(_ name: String, _ extents: [Int], in builder: inout GraphBuilder) throws(BackplaneError) -> TensorID {
    if let id = entered[name] { return id }
    let tensor = try required(name, extents)
    guard tensor.format.isReal, tensor.format != .f64 else {
      throw fail("tensor \(name) is \(tensor.format); f32, f16, bf16 or a block format is wanted")
    }
    return enter(name, tensor.format, tensor.shape, .file(offset: tensor.offset, byteCount: tensor.byteCount), in: &builder)
  }

  /// A vector of f32; f16 and bf16 are converted.
  mutating func vector(_ name: String, _ count: Int, in builder: inout GraphBuilder) throws(BackplaneError) -> TensorID {
    if let id = entered[name] { return id }
    let tensor = try required(name, [count])
    if tensor.format == .f32 {
      return enter(name, .f32, tensor.shape, .file(offset: tensor.offset, byteCount: tensor.byteCount), in: &builder)
    }
    return enter(name, .f32, tensor.shape, .computed(bytes(of: try floats(tensor))), in: &builder)
  }

  /// As ``vector(_:_:in:)``; nil when the file has no such tensor.
  mutating func optionalVector(_ name: String, _ count: Int, in builder: inout GraphBuilder) throws(BackplaneError) -> TensorID? {
    file.tensor(name) == nil ? nil : try vector(name, count, in: &builder)
  }

  /// A computed vector.
  mutating func computed(_ name: String, _ values: [Float], in builder: inout GraphBuilder) -> TensorID {
    entered[name] ?? enter(name, .f32, Shape([values.count]), .computed(bytes(of: values)), in: &builder)
  }

  /// The values of a tensor that graphs only see through a computed one.
  mutating func values(_ name: String, _ count: Int) throws(BackplaneError) -> [Float]? {
    guard file.tensor(name) != nil else { return nil }
    let values = try floats(required(name, [count]))
    consumed.insert(name)
    return values
  }
  private var consumed: Set<String> = []

  /// - Throws: ``BackplaneError`` (unsupported) when the file has tensors that the graph does not use: it would compute something else.
  func checkNothingIsLeft(_ family: ModelConfiguration.Family) throws(BackplaneError) {
    let left = file.tensors.map(\.name).filter { entered[$0] == nil && !consumed.contains($0) }
    if left.isEmpty { return }
    let shown = left.prefix(4).joined(separator: ", ") + (left.count > 4 ? " and \(left.count - 4) more" : "")
    throw BackplaneError(.unsupported, "the file has tensors that our \(family.rawValue) graph does not use: \(shown)", subject: file.path,
                         hint: "the model is of a variant we do not know; its results would be wrong")
  }

  private mutating func enter(_ name: String, _ format: ElementFormat, _ shape: Shape, _ source: ConstantSource,
                              in builder: inout GraphBuilder) -> TensorID {
    let id = builder.constant(name, format, shape)
    sources[id] = source
    entered[name] = id
    return id
  }

  private func required(_ name: String, _ extents: [Int]) throws(BackplaneError) -> GGUFTensor {
    guard let tensor = file.tensor(name) else { throw fail("tensor \(name) is missing") }
    guard tensor.shape == Shape(extents) else { throw fail("tensor \(name) has shape \(tensor.shape); the metadata asks for \(Shape(extents))") }
    return tensor
  }

  private func floats(_ tensor: GGUFTensor) throws(BackplaneError) -> [Float] {
    let bytes = file.bytes(of: tensor)
    let count = tensor.shape.maximumElementCount!
    switch tensor.format {
    case .f32: return (0..<count).map { bytes.loadUnaligned(fromByteOffset: $0 * 4, as: Float.self) }
    case .f16: return (0..<count).map { Float(bytes.loadUnaligned(fromByteOffset: $0 * 2, as: Float16.self)) }
    case .bf16: return (0..<count).map { Float(bitPattern: UInt32(bytes.loadUnaligned(fromByteOffset: $0 * 2, as: UInt16.self)) << 16) }
    default: throw fail("tensor \(tensor.name) is \(tensor.format); f32, f16 or bf16 is wanted")
    }
  }

  private func bytes(of values: [Float]) -> [UInt8] { values.withUnsafeBytes(Array.init) }

  private func fail(_ message: String) -> BackplaneError {
    BackplaneError(.file, message, subject: file.path, hint: "convert the model again with a current converter")
  }
}
