import BackplaneCore

/// A tensor of an ONNX file (TensorProto).
public struct ONNXTensor: Sendable {
  public var name = ""
  public var type: ONNXDataType
  public var shape: [Int]
  /// Elements as `raw_data` holds them: little-endian, row-major, those under 8 bits packed from the low bits up. Empty for strings.
  public var bytes: [UInt8]
  public var strings: [String] = []

  public init(name: String = "", _ type: ONNXDataType, _ shape: [Int], bytes: [UInt8]) {
    (self.name, self.type, self.shape, self.bytes) = (name, type, shape, bytes)
  }

  public var count: Int { shape.reduce(1, *) }

  /// Whether no product of some of the extents leaves 2^40, the empty ones left out.
  static func isPossible(_ shape: [Int]) -> Bool {
    var product = 1
    for extent in shape {
      let (next, overflow) = product.multipliedReportingOverflow(by: max(extent, 1))
      guard extent >= 0, !overflow, next < 1 << 40 else { return false }
      product = next
    }
    return true
  }

  /// Reads a file that holds one tensor, such as the inputs and outputs of ONNX's own tests.
  ///
  /// - Throws: ``BackplaneError`` (file) with the file and the byte of what is wrong.
  public init(path: String) throws(BackplaneError) {
    self = try ONNXFile.read(path) { reader, folder throws(BackplaneError) in try ONNXTensor(&reader, folder: folder) }
  }

  /// - Parameter folder: Where files with external data lie; nil when there can be none.
  init(_ reader: inout ProtobufReader, folder: String?) throws(BackplaneError) {
    var (dims, number, name): ([Int], Int, String) = ([], 0, "")
    var raw: [UInt8]?
    var (ints, floats, doubles, strings): ([Int], [Float], [Double], [String]) = ([], [], [], [])
    var external: [String: String] = [:]
    var isExternal = false
    while try reader.next() {
      switch reader.field {
      case 1: try reader.append(ints: &dims)
      case 2: number = try reader.int()
      case 4: try reader.append(floats: &floats)
      case 5, 7, 11: try reader.append(ints: &ints)
      case 6: strings.append(try reader.string())
      case 8: name = try reader.string()
      case 9: raw = Array(try reader.data())
      case 10: try reader.append(doubles: &doubles)
      case 13:
        var entry = try reader.message()
        let (key, value) = try ONNXFile.pair(&entry)
        external[key] = value
      case 14: isExternal = try reader.int() == 1
      default: try reader.skip()
      }
    }
    guard let type = ONNXDataType(rawValue: number) else { throw reader.error("tensor '\(name)' has the unknown data type \(number)") }
    guard ONNXTensor.isPossible(dims) else { throw reader.error("tensor '\(name)' has the impossible shape \(dims)") }
    let count = dims.reduce(1, *)
    self.init(name: name, type, dims, bytes: [])
    guard let bits = type.bits else {
      guard strings.count == count else { throw reader.error("tensor '\(name)' of shape \(dims) has \(strings.count) strings") }
      self.strings = strings
      return
    }
    let needed = (count * bits + 7) / 8
    if isExternal {
      bytes = try ONNXFile.external(external, count: needed, folder: folder, tensor: name)
    } else if let raw {
      bytes = raw
    } else {
      bytes = ONNXTensor.packed(type, ints: ints, floats: floats, doubles: doubles)
    }
    guard bytes.count == needed else { throw reader.error("tensor '\(name)' of shape \(dims) needs \(needed) bytes, it has \(bytes.count)") }
  }

  /// Elements from the typed fields, as `raw_data` would hold them. What fits in 32 bits stands in int32_data, a 16-bit float as its
  /// bits, several elements under 8 bits in one number.
  private static func packed(_ type: ONNXDataType, ints: [Int], floats: [Float], doubles: [Double]) -> [UInt8] {
    func bytes<T: FixedWidthInteger>(_ values: [T]) -> [UInt8] { values.flatMap { value in withUnsafeBytes(of: value.littleEndian) { Array($0) } } }
    switch type {
    case .float, .complex64: return bytes(floats.map(\.bitPattern))
    case .double, .complex128: return bytes(doubles.map(\.bitPattern))
    case .int64, .uint64: return bytes(ints.map { Int64($0) })
    case .int32, .uint32: return bytes(ints.map { UInt32(truncatingIfNeeded: $0) })
    case .int16, .uint16, .float16, .bfloat16: return bytes(ints.map { UInt16(truncatingIfNeeded: $0) })
    default: return ints.map { UInt8(truncatingIfNeeded: $0) }
    }
  }
}
