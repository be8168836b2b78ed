import BackplaneABI
import BackplaneCore
import BackplaneRegistry
import BackplaneSpecs

/// `info` and `query`: the same answer every time, about each node alone; a no with a reason.
extension BehaviourTests {
  static let queryTests: [(name: String, body: Body)] = [
    ("info-pure", infoIsPure), ("query-pure", queryIsPure), ("query-context", queryIgnoresContext), ("unknown-operator", unknownOperator),
    ("unknown-format", unknownFormat), ("unknown-layout", unknownLayout), ("unknown-memory", unknownMemory), ("error-record", errorRecord),
  ]

  private static func infoIsPure(_ device: Device) throws {
    func epoch() throws -> UInt64 {
      var record = bp_device_info()
      record.h = head(bp_device_info.self, BP_ST_DEVICE_INFO)
      try checked("info", device.id) { device.functions.pointee.info(device.handle, &record, $0) }
      return record.caps_epoch
    }
    let first = try epoch()
    _ = try queryAll(device)
    let second = try epoch()
    if first != second || first != device.info.capsEpoch { throw Fault(text: "caps_epoch is \(device.info.capsEpoch), then \(first), then \(second), though nothing changed") }
  }

  private static func queryAll(_ device: Device) throws -> [Verdict] { try PreparedCase.samples.flatMap { try verdicts(device, try CaseGraph($0).graph) } }
  private static func verdicts(_ device: Device, _ graph: Graph) throws -> [Verdict] { try device.query(try ABIGraph(graph)) }

  private static func queryIsPure(_ device: Device) throws {
    for id in PreparedCase.samples {
      let graph = try CaseGraph(id).graph
      let first = try verdicts(device, graph)
      if try verdicts(device, graph) != first { throw Fault(text: "\(id): two queries, two answers") }
    }
  }

  /// A node's verdict does not depend on the others of its graph: neither on other operators nor on its like.
  private static func queryIgnoresContext(_ device: Device) throws {
    var together = Graph()
    var alone: [Verdict] = []
    var ids: [CaseID] = []
    for id in PreparedCase.samples.flatMap({ [$0, $0] }) {
      let graph = try CaseGraph(id).graph
      alone += try verdicts(device, graph)
      ids.append(id)
      let offset = together.tensors.count
      func moved(_ id: TensorID) -> TensorID { TensorID(id.index + offset) }
      together.tensors += graph.tensors
      together.inputs += graph.inputs.map(moved)
      together.constants += graph.constants.map(moved)
      together.outputs += graph.outputs.map(moved)
      for var node in graph.nodes {
        node.inputs = node.inputs.map { $0.map(moved) }
        node.outputs = node.outputs.map { $0.map(moved) }
        together.nodes.append(node)
      }
    }
    for (i, verdict) in try verdicts(device, together).enumerated() where verdict.support != alone[i].support {
      throw Fault(text: "\(ids[i]): alone the verdict is \(alone[i]), beside others \(verdict)")
    }
  }

  // MARK: What nobody knows

  /// Changes the records of a small graph and asks about it: must be refused by verdict or status.
  private static func expectRefusal(_ device: Device, _ what: String, reason: UInt32? = nil, _ change: (UnsafeMutablePointer<bp_graph>) -> Void) throws {
    let graph = try ABIGraph(try CaseGraph(try CaseID("add/a=f32.4x8/b=f32.4x8/data=normal/mem=plain")).graph)
    change(UnsafeMutablePointer(mutating: graph.pointer))
    defer { withExtendedLifetime(graph) {} }
    do {
      guard let verdict = try device.query(graph).first else { return }
      if verdict.isSupported { throw Fault(text: "query says yes to \(what)") }
      if verdict.reason.code == 0 { throw Fault(text: "query refuses \(what) without a reason") }
      if let reason, verdict.reason.code != reason { throw Fault(text: "query refuses \(what) because \(verdict.reason)") }
    } catch let error as BackplaneError {
      guard [.unsupported, .invalid].contains(error.kind) else { throw error }
    }
    if (try? device.compile(graph)) != nil { throw Fault(text: "\(what) compiles") }
  }

  static func tensor(_ graph: UnsafeMutablePointer<bp_graph>, _ index: Int) -> UnsafeMutablePointer<bp_tensor> {
    (UnsafeMutableRawPointer(mutating: graph.pointee.tensors.ptr!) + index * Int(graph.pointee.tensors.stride)).assumingMemoryBound(to: bp_tensor.self)
  }
  static func node(_ graph: UnsafePointer<bp_graph>, _ index: Int) -> UnsafeMutablePointer<bp_node> {
    (UnsafeMutableRawPointer(mutating: graph.pointee.nodes.ptr!) + index * Int(graph.pointee.nodes.stride)).assumingMemoryBound(to: bp_node.self)
  }

  private static func unknownOperator(_ device: Device) throws {
    try expectRefusal(device, "an operator that nobody knows", reason: BP_REASON_OP_UNKNOWN) { node($0, 0).pointee.op = 0x1234_5678 }
    try expectRefusal(device, "a version of an operator that does not exist") { node($0, 0).pointee.op_version = 9999 }
  }
  private static func unknownFormat(_ device: Device) throws {
    try expectRefusal(device, "a format that nobody knows") { tensor($0, 0).pointee.dtype = 0x1234_5678 }
  }
  private static func unknownLayout(_ device: Device) throws {
    try expectRefusal(device, "a layout that nobody knows") { tensor($0, 1).pointee.layout = 0x1234_5678 }
  }
  private static func unknownMemory(_ device: Device) throws {
    for type: UInt32 in [77, .max] {
      try expect(.invalid, .unsupported, when: "a buffer in memory type \(type), which the device does not have") {
        _ = try device.makeBuffer(byteCount: 64, usage: .input, memoryType: type)
      }
    }
  }

  /// Two additions, the second of which has become an operator that nobody knows. Compiles nowhere.
  static func unknownSecondNode() throws -> Graph {
    var graph = try doublings(2)
    graph.nodes[1].op = "no_such_operator"
    return graph
  }

  /// An error says what, and which node; and nobody needs to ask for it.
  private static func errorRecord(_ device: Device) throws {
    let records = try ABIGraph(try unknownSecondNode())
    var compile = bp_compile(), program: bp_program?
    compile.h = head(bp_compile.self, BP_ST_COMPILE)
    compile.graph = records.pointer
    defer { withExtendedLifetime(records) {} }
    let functions = device.functions.pointee
    let error = try record(of: "program_create of an unknown operator", BP_E_UNSUPPORTED) { functions.program_create(device.handle, &compile, &program, $0) }
    if error.node_plus_1 != 2 { throw Fault(text: "program_create refuses node 1 and names \(error.node_plus_1 == 0 ? "none" : "node \(error.node_plus_1 - 1)")") }
    if error.reason == 0 { throw Fault(text: "program_create refuses an unknown operator without a reason") }
    var description = bp_buffer_desc(), buffer: bp_buffer?
    description.h = head(bp_buffer_desc.self, BP_ST_BUFFER_DESC)
    (description.memory_type, description.bytes) = (77, 64)
    let status = functions.buffer_create(device.handle, &description, &buffer, nil, nil)
    if status == BP_OK { throw Fault(text: "a buffer in memory type 77 is made") }
    _ = try record(of: "buffer_create in memory type 77", status) { functions.buffer_create(device.handle, &description, &buffer, nil, $0) }
    if functions.program_create(device.handle, &compile, &program, nil) != BP_E_UNSUPPORTED { throw Fault(text: "without a place for the error the status is another") }
  }

  private static func record(of what: String, _ expected: bp_status, _ call: (UnsafeMutablePointer<bp_error>) -> bp_status) throws -> bp_error {
    var error = bp_error()
    error.h = head(bp_error.self, BP_ST_ERROR)
    let status = call(&error)
    if status != expected { throw Fault(text: "\(what): the status is \(status), not \(expected)") }
    if error.code != status { throw Fault(text: "\(what): the status is \(status), but bp_error.code is \(error.code)") }
    if error.message.0 == 0 { throw Fault(text: "\(what): bp_error.message is empty") }
    return error
  }
}
