import BackplaneABI
import BackplaneCore
import BackplaneRegistry
import Glibc

/// Structs of hosts that are older or newer than the plugin.
extension BehaviourTests {
  static let recordTests: [(name: String, body: Body)] = [
    ("struct-size", structSize), ("short-input", shortInput), ("record-stride", recordStride), ("chain", chain),
  ]

  // MARK: Output

  /// An out-struct of an older host is shorter: nothing may be written beyond its size, and its head stays.
  private static func structSize(_ device: Device) throws {
    let functions = device.functions.pointee
    let test = try doubling(device)
    let graph = try ABIGraph(test.graph)
    defer { withExtendedLifetime(graph) {} }
    for size in [MemoryLayout<bp_head>.size, 32, 64] {
      try expectRoom(size, "info", bp_device_info.self, BP_ST_DEVICE_INFO) { functions.info(device.handle, $0, nil) }
      try expectRoom(size, "query", bp_verdict.self, BP_ST_VERDICT) { functions.query(device.handle, graph.pointer, $0, UInt32(size), 1, nil) }
      try expectRoom(size, "program_info", bp_program_info.self, BP_ST_PROGRAM_INFO) { functions.program_info(test.program.handle, $0, nil) }
      var description = BehaviourTests.description(device)
      try expectRoom(size, "buffer_create", bp_buffer_info.self, BP_ST_BUFFER_INFO) { info in
        var buffer: bp_buffer?
        let status = functions.buffer_create(device.handle, &description, &buffer, info, nil)
        if status == BP_OK { functions.buffer_destroy(device.handle, buffer) }
        return status
      }
    }
  }

  private static func expectRoom<T>(_ size: Int, _ what: String, _: T.Type, _ type: UInt32, _ call: (UnsafeMutablePointer<T>) -> bp_status) throws {
    let room = MemoryLayout<T>.size + 64
    let bytes = UnsafeMutableRawPointer.allocate(byteCount: room, alignment: 16)
    defer { bytes.deallocate() }
    memset(bytes, 0x5A, room)
    let known = min(size, MemoryLayout<T>.size)
    let out = bytes.bindMemory(to: T.self, capacity: 1)
    bytes.storeBytes(of: bp_head(struct_size: UInt32(known), struct_type: type, next: nil), as: bp_head.self)
    let status = call(out)
    if status != BP_OK { throw Fault(text: "\(what) with a \(T.self) of \(known) bytes answers \(status)") }
    let after = bytes.load(as: bp_head.self)
    if after.struct_size != UInt32(known) || after.struct_type != type || after.next != nil {
      throw Fault(text: "\(what) changes the head of the caller's \(T.self)\(after.next != nil ? " and chains something to it" : "")")
    }
    for i in known..<room where bytes.load(fromByteOffset: i, as: UInt8.self) != 0x5A { throw Fault(text: "\(what) writes byte \(i) of a \(T.self) of \(known) bytes") }
  }

  // MARK: Input

  static func description(_ device: Device, bytes: Int = 64) -> bp_buffer_desc {
    var description = bp_buffer_desc()
    description.h = head(bp_buffer_desc.self, BP_ST_BUFFER_DESC)
    (description.memory_type, description.usage, description.bytes, description.align) = (CasePlace.memoryType(device), BP_USAGE_INPUT, UInt64(bytes), 64)
    description.access = BP_ACCESS_READ | BP_ACCESS_WRITE
    return description
  }

  /// An input struct of an older host ends before a page that nobody may touch; what it lacks counts as zero.
  private static func shortInput(_ device: Device) throws {
    let functions = device.functions.pointee
    let known = MemoryLayout<bp_buffer_desc>.offset(of: \.source)!
    try withShort(description(device), known) { short in
      var buffer: bp_buffer?
      var info = bp_buffer_info()
      info.h = head(bp_buffer_info.self, BP_ST_BUFFER_INFO)
      try checked("buffer_create of an older host", device.id) { functions.buffer_create(device.handle, short, &buffer, &info, $0) }
      functions.buffer_destroy(device.handle, buffer)
      if info.bytes < 64 { throw Fault(text: "buffer_create with a bp_buffer_desc of \(known) bytes makes \(info.bytes) bytes, not 64") }
    }
    let test = try doubling(device)
    let graph = try ABIGraph(test.graph)
    defer { withExtendedLifetime(graph) {} }
    var compile = bp_compile()
    compile.h = head(bp_compile.self, BP_ST_COMPILE)
    compile.graph = graph.pointer
    try withShort(compile, MemoryLayout<bp_compile>.offset(of: \.configs)!) { short in
      var program: bp_program?
      try checked("program_create of an older host", device.id) { functions.program_create(device.handle, short, &program, $0) }
      functions.program_destroy(program)
    }
    var dispatch = bp_dispatch()
    dispatch.h = head(bp_dispatch.self, BP_ST_DISPATCH)
    dispatch.program = test.program.handle
    let bindings = test.bindings
    try bindings.withUnsafeBufferPointer { bindings in
      dispatch.bindings = bp_array(ptr: UnsafeRawPointer(bindings.baseAddress), count: UInt32(bindings.count), stride: UInt32(MemoryLayout<bp_binding>.stride))
      let known = MemoryLayout<bp_dispatch>.offset(of: \.symbols)!
      try withShort(dispatch, known) { dispatch in
        var submission = bp_submission()
        submission.h = head(bp_submission.self, BP_ST_SUBMISSION)
        submission.dispatches = bp_array(ptr: UnsafeRawPointer(dispatch), count: 1, stride: UInt32(known))
        try withShort(submission, MemoryLayout<bp_submission>.offset(of: \.copies)!) { submission in
          try checked("execute of an older host", device.id) { functions.execute(device.handle, submission, $0) }
        }
      }
    }
    try expectDoubled(test, "a run with the structs of an older host")
  }

  private static func withShort<T>(_ record: T, _ size: Int, _ body: (UnsafePointer<T>) throws -> Void) throws {
    let memory = GuardedMemory(byteCount: size, alignment: 8)
    defer { withExtendedLifetime(memory) {} }
    withUnsafeBytes(of: record) { memory.bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0.prefix(size))) }
    memory.bytes.storeBytes(of: UInt32(size), as: UInt32.self)
    try body(UnsafePointer(memory.bytes.baseAddress!.assumingMemoryBound(to: T.self)))
  }

  /// Records of a newer host lie further apart; and the graph is not kept.
  private static func recordStride(_ device: Device) throws {
    let graph = try doublings(2)
    let records = try ABIGraph(graph)
    defer { withExtendedLifetime(records) {} }
    let test = try doubling(device, 2)
    let tensors = Spread(records.pointer.pointee.tensors), nodes = Spread(records.pointer.pointee.nodes)
    let copy = UnsafeMutablePointer<bp_graph>.allocate(capacity: 1)
    defer { copy.deallocate() }
    copy.initialize(to: records.pointer.pointee)
    (copy.pointee.tensors, copy.pointee.nodes) = (tensors.array, nodes.array)
    let verdictStride = MemoryLayout<bp_verdict>.stride + 32
    let verdicts = UnsafeMutableRawPointer.allocate(byteCount: 2 * verdictStride, alignment: 16)
    defer { verdicts.deallocate() }
    memset(verdicts, 0, 2 * verdictStride)
    for i in 0..<2 { (verdicts + i * verdictStride).storeBytes(of: head(bp_verdict.self, BP_ST_VERDICT), as: bp_head.self) }
    let functions = device.functions.pointee
    try checked("query of a newer host", device.id) {
      functions.query(device.handle, copy, verdicts.assumingMemoryBound(to: bp_verdict.self), UInt32(verdictStride), 2, $0)
    }
    for i in 0..<2 {
      let verdict = (verdicts + i * verdictStride).assumingMemoryBound(to: bp_verdict.self).pointee
      if verdict.support == BP_SUPPORT_NO || verdict.node_index != UInt32(i) { throw Fault(text: "query misreads records that lie further apart: verdict \(i) is \(verdict.support) of node \(verdict.node_index)") }
    }
    var compile = bp_compile(), program: bp_program?
    compile.h = head(bp_compile.self, BP_ST_COMPILE)
    compile.graph = UnsafePointer(copy)
    do { try checked("program_create", device.id) { functions.program_create(device.handle, &compile, &program, $0) } } catch {
      throw Fault(text: "program_create misreads records that lie further apart: \(error)")
    }
    defer { functions.program_destroy(program) }
    // Whoever still reads the graph now reads nonsense.
    for array in [tensors, nodes] { array.scribble() }
    memset(copy, 0xA5, MemoryLayout<bp_graph>.size)
    let bindings = test.bindings
    try bindings.withUnsafeBytes { raw in
      let given = bp_array(ptr: raw.baseAddress, count: UInt32(bindings.count), stride: UInt32(MemoryLayout<bp_binding>.stride))
      let spread = Spread(given)
      defer { withExtendedLifetime(spread) {} }
      var workspace = test.workspaceBinding ?? bp_binding()
      try withUnsafePointer(to: &workspace) { workspace in
        var dispatch = bp_dispatch()
        dispatch.h = head(bp_dispatch.self, BP_ST_DISPATCH)
        (dispatch.program, dispatch.bindings) = (program, spread.array)
        dispatch.workspace = test.workspaceBinding == nil ? nil : workspace
        try withUnsafePointer(to: &dispatch) { dispatch in
          let dispatches = Spread(bp_array(ptr: UnsafeRawPointer(dispatch), count: 1, stride: UInt32(MemoryLayout<bp_dispatch>.stride)))
          defer { withExtendedLifetime(dispatches) {} }
          var submission = bp_submission()
          submission.h = head(bp_submission.self, BP_ST_SUBMISSION)
          submission.dispatches = dispatches.array
          try checked("execute after the graph is gone", device.id) { functions.execute(device.handle, &submission, $0) }
        }
      }
    }
    try expectDoubled(test, "a run after the graph is gone", factor: 4)
  }

  /// A copy of records, further apart, what is new in them not zero.
  private final class Spread {
    let array: bp_array
    private let memory: UnsafeMutableRawPointer
    private let size: Int

    init(_ given: bp_array) {
      let (count, old, new) = (Int(given.count), Int(given.stride), Int(given.stride) + 32)
      size = max(count * new, 1)
      memory = .allocate(byteCount: size, alignment: 16)
      memset(memory, 0xA5, size)
      for i in 0..<count {
        memcpy(memory + i * new, given.ptr! + i * old, old)
        (memory + i * new).storeBytes(of: UInt32(new), as: UInt32.self)
      }
      array = bp_array(ptr: UnsafeRawPointer(memory), count: given.count, stride: UInt32(new))
    }
    deinit { memory.deallocate() }
    func scribble() { memset(memory, 0xA5, size) }
  }

  // MARK: Chains

  /// What is chained to an input is skipped, unless it says that it must be understood.
  private static func chain(_ device: Device) throws {
    let functions = device.functions.pointee
    let test = try doubling(device)
    let graph = try ABIGraph(test.graph)
    defer { withExtendedLifetime(graph) {} }
    func expectChain(_ what: String, _ call: (UnsafePointer<bp_head>) -> bp_status) throws {
      for (type, expected): (UInt32, bp_status) in [(0x7777, BP_OK), (0x8000_7777, BP_E_UNSUPPORTED)] {
        let extra = bp_head(struct_size: UInt32(MemoryLayout<bp_head>.size), struct_type: type, next: nil)
        let status = withUnsafePointer(to: extra, call)
        if status != expected {
          throw Fault(text: "an unknown struct that \(expected == BP_OK ? "may be skipped" : "must be understood") makes \(what) answer \(status), not \(expected)")
        }
      }
    }
    try expectChain("buffer_create") { extra in
      var description = BehaviourTests.description(device), buffer: bp_buffer?
      description.h.next = extra
      let status = functions.buffer_create(device.handle, &description, &buffer, nil, nil)
      if status == BP_OK { functions.buffer_destroy(device.handle, buffer) }
      return status
    }
    try expectChain("query") { extra in
      var record = graph.pointer.pointee, verdict = bp_verdict()
      record.h.next = extra
      verdict.h = head(bp_verdict.self, BP_ST_VERDICT)
      return functions.query(device.handle, &record, &verdict, UInt32(MemoryLayout<bp_verdict>.stride), 1, nil)
    }
    try expectChain("program_create") { extra in
      var compile = bp_compile(), program: bp_program?
      compile.h = bp_head(struct_size: UInt32(MemoryLayout<bp_compile>.size), struct_type: BP_ST_COMPILE, next: extra)
      compile.graph = graph.pointer
      let status = functions.program_create(device.handle, &compile, &program, nil)
      if status == BP_OK { functions.program_destroy(program) }
      return status
    }
    try expectChain("execute") { extra in
      var submission = bp_submission()
      submission.h = bp_head(struct_size: UInt32(MemoryLayout<bp_submission>.size), struct_type: BP_ST_SUBMISSION, next: extra)
      return functions.execute(device.handle, &submission, nil)
    }
  }
}
