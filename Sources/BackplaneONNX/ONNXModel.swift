import BackplaneCore

/// An ONNX model as its file says it: ModelProto and what is in it. Nothing is checked beyond the encoding.
public struct ONNXModel: Sendable {
  public var irVersion = 0
  public var producer = ""
  /// Version of each operator set that the model uses, by domain; ONNX's own is "".
  public var opsets: [String: Int] = [:]
  public var graph = ONNXGraph()
  public var functions: [ONNXFunction] = []
  public var metadata: [String: String] = [:]

  /// - Throws: ``BackplaneError`` (file) with the file and the byte of what is wrong.
  public init(path: String) throws(BackplaneError) {
    self = try ONNXFile.read(path) { reader, folder throws(BackplaneError) in try ONNXModel(&reader, folder: folder) }
  }

  init(_ reader: inout ProtobufReader, folder: String?) throws(BackplaneError) {
    var hasGraph = false
    while try reader.next() {
      switch reader.field {
      case 1: irVersion = try reader.int()
      case 2: producer = try reader.string()
      case 7:
        var message = try reader.message()
        graph = try ONNXGraph(&message, folder: folder)
        hasGraph = true
      case 8:
        var message = try reader.message()
        try ONNXModel.appendOpset(&message, to: &opsets)
      case 14:
        var message = try reader.message()
        let (key, value) = try ONNXFile.pair(&message)
        metadata[key] = value
      case 25:
        var message = try reader.message()
        functions.append(try ONNXFunction(&message, folder: folder))
      default: try reader.skip()
      }
    }
    if !hasGraph { throw reader.error("there is no graph: is it an ONNX model?") }
  }

  static func appendOpset(_ reader: inout ProtobufReader, to opsets: inout [String: Int]) throws(BackplaneError) {
    var (domain, version) = ("", 0)
    while try reader.next() {
      switch reader.field {
      case 1: domain = try reader.string()
      case 2: version = try reader.int()
      default: try reader.skip()
      }
    }
    opsets[domain == "ai.onnx" ? "" : domain] = version
  }
}

public struct ONNXGraph: Sendable {
  public var name = ""
  public var nodes: [ONNXNode] = []
  public var initializers: [ONNXTensor] = []
  public var sparseInitializers: [ONNXSparseTensor] = []
  public var inputs: [ONNXValueInfo] = []
  public var outputs: [ONNXValueInfo] = []
  public var values: [ONNXValueInfo] = []

  init() {}
  init(_ reader: inout ProtobufReader, folder: String?) throws(BackplaneError) {
    while try reader.next() {
      switch reader.field {
      case 1: nodes.append(try ONNXNode(try reader.message(), folder: folder))
      case 2: name = try reader.string()
      case 5:
        var message = try reader.message()
        initializers.append(try ONNXTensor(&message, folder: folder))
      case 11: inputs.append(try ONNXValueInfo(try reader.message()))
      case 12: outputs.append(try ONNXValueInfo(try reader.message()))
      case 13: values.append(try ONNXValueInfo(try reader.message()))
      case 15: sparseInitializers.append(try ONNXSparseTensor(try reader.message(), folder: folder))
      default: try reader.skip()
      }
    }
  }
}

public struct ONNXNode: Sendable {
  public var name = ""
  public var op = ""
  /// Of the operator set; ONNX's own is "".
  public var domain = ""
  /// Names of values; "" for an absent optional operand.
  public var inputs: [String] = []
  public var outputs: [String] = []
  public var attributes: [String: ONNXAttribute] = [:]

  init(_ message: ProtobufReader, folder: String?) throws(BackplaneError) {
    var reader = message
    while try reader.next() {
      switch reader.field {
      case 1: inputs.append(try reader.string())
      case 2: outputs.append(try reader.string())
      case 3: name = try reader.string()
      case 4: op = try reader.string()
      case 5:
        let (key, value) = try ONNXAttribute.read(try reader.message(), folder: folder)
        attributes[key] = value
      case 7:
        domain = try reader.string()
        if domain == "ai.onnx" { domain = "" }
      default: try reader.skip()
      }
    }
  }
}

public indirect enum ONNXAttribute: Sendable {
  case int(Int)
  case float(Float)
  case string(String)
  case tensor(ONNXTensor)
  case graph(ONNXGraph)
  case sparse(ONNXSparseTensor)
  case type(ONNXType)
  case ints([Int])
  case floats([Float])
  case strings([String])
  case tensors([ONNXTensor])
  case graphs([ONNXGraph])
  /// The value of the enclosing function's attribute of that name.
  case reference(String)
  case other(type: Int)

  static func read(_ message: ProtobufReader, folder: String?) throws(BackplaneError) -> (String, ONNXAttribute) {
    var reader = message
    var (name, type, reference) = ("", 0, "")
    var (i, f, s): (Int, Float, Range<Int>?) = (0, 0, nil)
    var (ints, floats, strings): ([Int], [Float], [String]) = ([], [], [])
    var (tensors, graphs, sparse, kind): ([ONNXTensor], [ONNXGraph], ONNXSparseTensor?, ONNXType?) = ([], [], nil, nil)
    while try reader.next() {
      switch reader.field {
      case 1: name = try reader.string()
      case 2: f = try reader.float()
      case 3: i = try reader.int()
      case 4: s = try reader.bytes()
      case 5, 10:
        var message = try reader.message()
        tensors.append(try ONNXTensor(&message, folder: folder))
      case 6, 11:
        var message = try reader.message()
        graphs.append(try ONNXGraph(&message, folder: folder))
      case 7: try reader.append(floats: &floats)
      case 8: try reader.append(ints: &ints)
      case 9: strings.append(try reader.string())
      case 14: kind = try ONNXType(try reader.message())
      case 20: type = try reader.int()
      case 21: reference = try reader.string()
      case 22: sparse = try ONNXSparseTensor(try reader.message(), folder: folder)
      default: try reader.skip()
      }
    }
    func text() -> String { s.map { String(decoding: reader.contents(of: $0), as: UTF8.self) } ?? "" }
    func required<T>(_ value: T?) throws(BackplaneError) -> T {
      guard let value else { throw reader.error("attribute '\(name)' of type \(type) has no value") }
      return value
    }
    if !reference.isEmpty { return (name, .reference(reference)) }
    switch type {
    case 1: return (name, .float(f))
    case 2: return (name, .int(i))
    case 3: return (name, .string(text()))
    case 4: return (name, .tensor(try required(tensors.first)))
    case 5: return (name, .graph(try required(graphs.first)))
    case 6: return (name, .floats(floats))
    case 7: return (name, .ints(ints))
    case 8: return (name, .strings(strings))
    case 9: return (name, .tensors(tensors))
    case 10: return (name, .graphs(graphs))
    case 11: return (name, .sparse(try required(sparse)))
    case 13: return (name, .type(try required(kind)))
    default: return (name, .other(type: type))
    }
  }
}

/// A function of the model's own: a name for some nodes.
public struct ONNXFunction: Sendable {
  public var name = "", domain = ""
  public var inputs: [String] = [], outputs: [String] = [], attributes: [String] = []
  public var nodes: [ONNXNode] = []
  public var opsets: [String: Int] = [:]

  init(_ reader: inout ProtobufReader, folder: String?) throws(BackplaneError) {
    while try reader.next() {
      switch reader.field {
      case 1: name = try reader.string()
      case 4: inputs.append(try reader.string())
      case 5: outputs.append(try reader.string())
      case 6: attributes.append(try reader.string())
      case 7: nodes.append(try ONNXNode(try reader.message(), folder: folder))
      case 9:
        var message = try reader.message()
        try ONNXModel.appendOpset(&message, to: &opsets)
      case 10: domain = try reader.string()
      default: try reader.skip()
      }
    }
  }
}

/// A tensor by its elements that are not zero.
public struct ONNXSparseTensor: Sendable {
  public var values: ONNXTensor
  public var indices: ONNXTensor
  public var shape: [Int] = []

  init(_ message: ProtobufReader, folder: String?) throws(BackplaneError) {
    var reader = message
    var parts: [Int: ONNXTensor] = [:]
    while try reader.next() {
      switch reader.field {
      case 1, 2:
        let field = reader.field
        var message = try reader.message()
        parts[field] = try ONNXTensor(&message, folder: folder)
      case 3: try reader.append(ints: &shape)
      default: try reader.skip()
      }
    }
    guard let values = parts[1], let indices = parts[2] else { throw reader.error("a sparse tensor needs values and indices") }
    (self.values, self.indices) = (values, indices)
  }
}

/// What a value is declared to be.
public indirect enum ONNXType: Sendable {
  /// `shape` is nil where nothing is said; an extent is a number, a name, or unknown.
  case tensor(ONNXDataType?, shape: [ONNXExtent]?)
  case sequence(ONNXType)
  case optional(ONNXType)
  /// A map, a sparse tensor, an opaque type.
  case other

  init(_ message: ProtobufReader) throws(BackplaneError) {
    var reader = message
    self = .other
    while try reader.next() {
      switch reader.field {
      case 1:
        var (tensor, number, shape): (ProtobufReader, Int, [ONNXExtent]?) = (try reader.message(), 0, nil)
        while try tensor.next() {
          switch tensor.field {
          case 1: number = try tensor.int()
          case 2: shape = try ONNXExtent.shape(try tensor.message())
          default: try tensor.skip()
          }
        }
        self = .tensor(ONNXDataType(rawValue: number), shape: shape)
      case 4, 9:
        let isSequence = reader.field == 4
        var (inner, element): (ProtobufReader, ONNXType) = (try reader.message(), .other)
        while try inner.next() { if inner.field == 1 { element = try ONNXType(try inner.message()) } else { try inner.skip() } }
        self = isSequence ? .sequence(element) : .optional(element)
      default: try reader.skip()
      }
    }
  }
}

public enum ONNXExtent: Sendable, Equatable {
  case number(Int)
  case name(String)
  case unknown

  static func shape(_ message: ProtobufReader) throws(BackplaneError) -> [ONNXExtent] {
    var (reader, shape): (ProtobufReader, [ONNXExtent]) = (message, [])
    while try reader.next() {
      guard reader.field == 1 else { try reader.skip(); continue }
      var (dimension, extent): (ProtobufReader, ONNXExtent) = (try reader.message(), .unknown)
      while try dimension.next() {
        switch dimension.field {
        case 1: extent = .number(try dimension.int())
        case 2: extent = .name(try dimension.string())
        default: try dimension.skip()
        }
      }
      shape.append(extent)
    }
    return shape
  }
}

public struct ONNXValueInfo: Sendable {
  public var name = ""
  public var type: ONNXType?

  init(_ message: ProtobufReader) throws(BackplaneError) {
    var reader = message
    while try reader.next() {
      switch reader.field {
      case 1: name = try reader.string()
      case 2: type = try ONNXType(try reader.message())
      default: try reader.skip()
      }
    }
  }
}
