import Backplane

/// The JSON header of a graph file.
///
/// An extent that is not fixed is written as the negative number of its symbol.
struct GraphHeader {
  var graph: Graph
  /// Where constants lie, in bytes from the beginning of the weights.
  var places: [TensorID: Range<Int>]

  static let version = 1

  init(graph: Graph, places: [TensorID: Range<Int>]) { (self.graph, self.places) = (graph, places) }
}

// MARK: Writing

extension GraphHeader {
  func json() -> JSON {
    func object(_ members: [(String, JSON)]) -> JSON { .object(members.map { JSON.Member(key: $0.0, value: $0.1) }) }
    func list(_ ids: [TensorID]) -> JSON { .array(ids.map { .int($0.index) }) }
    func list(_ ids: [TensorID?]) -> JSON { .array(ids.map { id in id.map { .int($0.index) } ?? .null }) }
    let tensors = graph.tensors.enumerated().map { index, tensor in
      var members: [(String, JSON)] = [
        ("name", .string(tensor.name)), ("format", .string(tensor.format.name)), ("shape", .array(tensor.shape.dimensions.map(GraphHeader.json))),
        ("role", .string(tensor.role.rawValue)),
      ]
      if let place = places[TensorID(index)] { members += [("bytes", .array([.int(place.lowerBound), .int(place.count)]))] }
      return object(members)
    }
    let nodes = graph.nodes.map { node in
      var members: [(String, JSON)] = [("op", .string(node.op)), ("version", .int(node.version)), ("inputs", list(node.inputs)), ("outputs", list(node.outputs))]
      if !node.attributes.isEmpty { members.append(("attributes", object(node.attributes.map { ($0.name, GraphHeader.json($0.value)) }))) }
      if node.numerics != .standard { members.append(("numerics", .string(node.numerics.rawValue))) }
      return object(members)
    }
    let symbols = graph.symbols.map {
      object([("number", .int(Int($0.number))), ("name", .string($0.name)), ("bounds", .array([.int($0.bounds.lowerBound), .int($0.bounds.upperBound)]))])
    }
    return object([
      ("version", .int(GraphHeader.version)), ("symbols", .array(symbols)), ("tensors", .array(tensors)), ("nodes", .array(nodes)),
      ("inputs", list(graph.inputs)), ("constants", list(graph.constants)), ("states", list(graph.states)), ("outputs", list(graph.outputs)),
    ])
  }

  private static func json(_ dimension: Dimension) -> JSON {
    switch dimension { case .fixed(let extent): .int(extent); case .symbol(let symbol): .int(-Int(symbol.number)) }
  }

  private static func json(_ value: AttributeValue) -> JSON {
    switch value {
    case .int(let v): .int(v)
    case .float(let v): .float(v)
    case .string(let v): .string(v)
    case .ints(let v): .array(v.map { .int($0) })
    case .floats(let v): .array(v.map { .float($0) })
    }
  }
}

// MARK: Reading

extension GraphHeader {
  /// - Throws: `BackplaneError` (file) naming the field that is wrong. Whether the graph makes sense is `Graph.check()`'s to say.
  init(_ json: JSON) throws(BackplaneError) {
    let reader = try JSONReader(json, file: "the header", fields: ["version", "symbols", "tensors", "nodes", "inputs", "constants", "states", "outputs"])
    let version = try reader.int("version")
    guard version == GraphHeader.version else {
      throw BackplaneError(.unsupported, "the graph file is of version \(version)", hint: "version \(GraphHeader.version) can be read")
    }
    let symbols = try GraphHeader.symbols(reader.required("symbols"))
    var tensors: [TensorDescription] = []
    var places: [TensorID: Range<Int>] = [:]
    for element in try GraphHeader.array(reader.required("tensors"), "tensors") {
      let (tensor, place) = try GraphHeader.tensor(element, "tensor \(tensors.count)", symbols)
      if let place { places[TensorID(tensors.count)] = place }
      tensors.append(tensor)
    }
    var nodes: [Node] = []
    for element in try GraphHeader.array(reader.required("nodes"), "nodes") { nodes.append(try GraphHeader.node(element, "node \(nodes.count)", tensors.count)) }
    func list(_ field: String) throws(BackplaneError) -> [TensorID] {
      var list: [TensorID] = []
      for id in try GraphHeader.ids(reader.required(field), field, tensors.count) {
        guard let id else { throw BackplaneError(.file, "\(field) names no tensor") }
        list.append(id)
      }
      return list
    }
    graph = Graph(tensors: tensors, nodes: nodes, inputs: try list("inputs"), constants: try list("constants"), states: try list("states"),
                  outputs: try list("outputs"))
    self.places = places
    for id in graph.constants where places[id] == nil { throw BackplaneError(.file, "constant \(graph[id].name) has no bytes") }
  }

  private static func array(_ json: JSON, _ place: String) throws(BackplaneError) -> [JSON] {
    guard case .array(let values) = json else { throw BackplaneError(.file, "\(place) is no list") }
    return values
  }

  private static func ints(_ json: JSON, _ place: String) throws(BackplaneError) -> [Int] {
    var ints: [Int] = []
    for value in try array(json, place) {
      guard case .int(let int) = value else { throw BackplaneError(.file, "\(place) has what is no whole number") }
      ints.append(int)
    }
    return ints
  }

  private static func ids(_ json: JSON, _ place: String, _ count: Int) throws(BackplaneError) -> [TensorID?] {
    var ids: [TensorID?] = []
    for value in try array(json, place) {
      switch value {
      case .null: ids.append(nil)
      case .int(let index) where (0..<count).contains(index): ids.append(TensorID(index))
      default: throw BackplaneError(.file, "\(place) names a tensor that is not one of the \(count)")
      }
    }
    return ids
  }

  private static func symbols(_ json: JSON) throws(BackplaneError) -> [Int: Symbol] {
    var symbols: [Int: Symbol] = [:]
    for element in try array(json, "symbols") {
      let reader = try JSONReader(element, file: "the header", place: "symbol \(symbols.count)", fields: ["number", "name", "bounds"])
      let (number, bounds) = (try reader.int("number"), try ints(reader.required("bounds"), "\(reader.place): bounds"))
      guard let small = UInt32(exactly: number), small > 0, symbols[number] == nil else { throw reader.wrong("number", "is \(number): 0, too large, or given twice") }
      guard bounds.count == 2, bounds[0] >= 0, bounds[0] <= bounds[1] else { throw reader.wrong("bounds", "are \(bounds)", hint: "two numbers, the smaller one first") }
      symbols[number] = Symbol(number: small, name: try reader.string("name"), bounds: bounds[0]...bounds[1])
    }
    return symbols
  }

  private static func tensor(_ json: JSON, _ place: String, _ symbols: [Int: Symbol]) throws(BackplaneError) -> (TensorDescription, Range<Int>?) {
    let reader = try JSONReader(json, file: "the header", place: place, fields: ["name", "format", "shape", "role", "bytes"])
    let format = try reader.string("format")
    guard let format = ElementFormat.named(format) else { throw reader.wrong("format", "is \(format)", hint: "Specs/formats lists them") }
    guard let role = TensorRole(rawValue: try reader.string("role")) else { throw reader.wrong("role", "is none of input, constant, state, intermediate") }
    var dimensions: [Dimension] = []
    for extent in try ints(reader.required("shape"), "\(place): shape") {
      if extent >= 0 {
        dimensions.append(.fixed(extent))
      } else if extent != .min, let symbol = symbols[-extent] {
        dimensions.append(.symbol(symbol))
      } else { throw reader.wrong("shape", "names symbol \(extent.magnitude), which there is not") }
    }
    guard dimensions.count <= Shape.maximumRank else { throw reader.wrong("shape", "has \(dimensions.count) extents, at most \(Shape.maximumRank) are possible") }
    var range: Range<Int>?
    if let bytes = reader.value("bytes") {
      let bytes = try ints(bytes, "\(place): bytes")
      guard bytes.count == 2, bytes[0] >= 0, bytes[1] >= 0, !bytes[0].addingReportingOverflow(bytes[1]).overflow else { throw reader.wrong("bytes", "are \(bytes)", hint: "offset and count") }
      guard role == .constant else { throw reader.wrong("bytes", "are given, but only constants have them") }
      range = bytes[0]..<bytes[0] + bytes[1]
    }
    return (TensorDescription(name: try reader.string("name"), format: format, shape: Shape(dimensions), role: role), range)
  }

  private static func node(_ json: JSON, _ place: String, _ tensorCount: Int) throws(BackplaneError) -> Node {
    let reader = try JSONReader(json, file: "the header", place: place, fields: ["op", "version", "inputs", "outputs", "attributes", "numerics"])
    var attributes: [Attribute] = []
    if let json = reader.value("attributes") { attributes = try Attribute.list(json, place) }
    var numerics = Numerics.standard
    if let name = try reader.optionalString("numerics") {
      guard let known = Numerics(rawValue: name) else { throw reader.wrong("numerics", "is \(name)", hint: "standard, strict or fast") }
      numerics = known
    }
    return Node(op: try reader.string("op"), version: try reader.int("version"), inputs: try ids(reader.required("inputs"), "\(place): inputs", tensorCount),
                outputs: try ids(reader.required("outputs"), "\(place): outputs", tensorCount), attributes: attributes, numerics: numerics)
  }
}

extension Attribute {
  /// Attributes as an object of JSON says them: numbers, texts, lists of whole numbers; true and false are 1 and 0.
  package static func list(_ json: JSON, _ place: String) throws(BackplaneError) -> [Attribute] {
    guard case .object(let members) = json else { throw BackplaneError(.file, "\(place): attributes are no JSON object") }
    var attributes: [Attribute] = []
    for member in members {
      switch member.value {
      case .int(let v): attributes.append(Attribute(member.key, .int(v)))
      case .bool(let v): attributes.append(Attribute(member.key, .int(v ? 1 : 0)))
      case .float(let v): attributes.append(Attribute(member.key, .float(v)))
      case .string(let v): attributes.append(Attribute(member.key, .string(v)))
      case .array(let values):
        let ints = values.compactMap { value -> Int? in if case .int(let v) = value { v } else { nil } }
        guard ints.count == values.count else { throw BackplaneError(.file, "\(place): attribute \(member.key) is no list of whole numbers") }
        attributes.append(Attribute(member.key, .ints(ints)))
      default: throw BackplaneError(.file, "\(place): attribute \(member.key) is neither number, text nor list of whole numbers")
      }
    }
    return attributes
  }
}
