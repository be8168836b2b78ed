import BackplaneABI
import BackplaneCore
import BackplaneReference
import BackplaneSpecs
import Testing

private func head<T>(_: T.Type, _ type: UInt32) -> bp_head { bp_head(struct_size: UInt32(MemoryLayout<T>.size), struct_type: type, next: nil) }

private func freshError() -> bp_error {
  var error = bp_error()
  error.h = head(bp_error.self, BP_ST_ERROR)
  return error
}
private func message(_ error: bp_error) -> String { withUnsafeBytes(of: error.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) } }

/// An opened device, closed in the right order.
private final class OpenDevice {
  let plugin = ReferencePlugin.table.pointee
  let functions: bp_device_fns
  let device: bp_device
  private let instance: bp_instance

  init() {
    var (instance, device): (bp_instance?, bp_device?)
    var functions: UnsafePointer<bp_device_fns>?
    precondition(plugin.instance_create(nil, &instance, nil) == BP_OK)
    precondition(plugin.device_open(instance, 0, &device, &functions, nil) == BP_OK)
    (self.instance, self.device, self.functions) = (instance!, device!, functions!.pointee)
  }
  deinit {
    plugin.device_close(device)
    plugin.instance_destroy(instance)
  }

  func buffer(importing memory: UnsafeMutableRawPointer, _ bytes: Int, access: UInt32 = BP_ACCESS_READ | BP_ACCESS_WRITE) -> bp_buffer {
    var description = bp_buffer_desc()
    description.h = head(bp_buffer_desc.self, BP_ST_BUFFER_DESC)
    (description.bytes, description.source, description.host_ptr, description.access) = (UInt64(bytes), BP_SOURCE_HOST_POINTER, memory, access)
    var buffer: bp_buffer?
    precondition(functions.buffer_create(device, &description, &buffer, nil, nil) == BP_OK)
    return buffer!
  }

  func program(_ graph: UnsafePointer<bp_graph>?, _ error: inout bp_error) -> bp_program? {
    var compile = bp_compile()
    compile.h = head(bp_compile.self, BP_ST_COMPILE)
    compile.graph = graph
    var program: bp_program?
    return functions.program_create(device, &compile, &program, &error) == BP_OK ? program : nil
  }

  func execute(_ program: bp_program?, _ bindings: [(bp_buffer, Int)], symbols: [(UInt32, Int64)] = [], _ error: inout bp_error) -> bp_status {
    let bound = bindings.map { bp_binding(h: head(bp_binding.self, BP_ST_BINDING), buffer: $0.0, offset: 0, bytes: UInt64($0.1)) }
    let values = symbols.map { bp_symbol_value(h: head(bp_symbol_value.self, BP_ST_SYMBOL_VALUE), symbol: $0.0, reserved0: 0, value: $0.1) }
    return bound.withUnsafeBufferPointer { bound in
      values.withUnsafeBufferPointer { values in
        var dispatch = bp_dispatch()
        dispatch.h = head(bp_dispatch.self, BP_ST_DISPATCH)
        dispatch.program = program
        dispatch.bindings = bp_array(ptr: bound.baseAddress, count: UInt32(bound.count), stride: UInt32(MemoryLayout<bp_binding>.stride))
        dispatch.symbols = bp_array(ptr: values.baseAddress, count: UInt32(values.count), stride: UInt32(MemoryLayout<bp_symbol_value>.stride))
        return withUnsafePointer(to: dispatch) { dispatch in
          var submission = bp_submission()
          submission.h = head(bp_submission.self, BP_ST_SUBMISSION)
          submission.dispatches = bp_array(ptr: dispatch, count: 1, stride: UInt32(MemoryLayout<bp_dispatch>.stride))
          return functions.execute(device, &submission, &error)
        }
      }
    }
  }
}

@Suite struct ReferencePluginTests {
  private func additionGraph() throws -> ABIGraph {
    var builder = GraphBuilder()
    let tokens = builder.symbol("tokens", 1...4)
    let a = builder.input("a", .f32, Shape([.symbol(tokens), .fixed(2)]))
    let b = builder.constant("b", .f32, [2])
    builder.output(try builder.apply("add", [a, b])[0]!)
    return try ABIGraph(builder.graph)
  }

  @Test func theDeviceSaysWhatItIs() {
    let open = OpenDevice()
    var info = bp_device_info()
    info.h = head(bp_device_info.self, BP_ST_DEVICE_INFO)
    #expect(open.functions.info(open.device, &info, nil) == BP_OK)
    #expect(info.kind == BP_KIND_REFERENCE)
    #expect(info.groups == BP_GROUP_BASE)
    #expect(String(decoding: UnsafeRawBufferPointer(start: info.name.ptr, count: Int(info.name.len)), as: UTF8.self) == "reference")
    #expect(info.memory_types.count == 1)
  }

  @Test func aGraphOfOneNodeRunsThroughTheABI() throws {
    let open = OpenDevice()
    let graph = try additionGraph()
    var error = freshError()
    var verdict = bp_verdict()
    verdict.h = head(bp_verdict.self, BP_ST_VERDICT)
    #expect(open.functions.query(open.device, graph.pointer, &verdict, UInt32(MemoryLayout<bp_verdict>.stride), 1, &error) == BP_OK)
    #expect(verdict.support == BP_SUPPORT_YES)
    let program = try #require(open.program(graph.pointer, &error), "\(message(error))")
    defer { open.functions.program_destroy(program) }
    var info = bp_program_info()
    info.h = head(bp_program_info.self, BP_ST_PROGRAM_INFO)
    #expect(open.functions.program_info(program, &info, nil) == BP_OK)
    #expect(info.workspace_bytes == 0)

    var a: [Float] = [1, 2, 3, 4]
    var b: [Float] = [10, 20]
    var y: [Float] = [0, 0, 0, 0]
    let buffers = [(open.buffer(importing: &a, 16), 16), (open.buffer(importing: &b, 8, access: BP_ACCESS_READ), 8), (open.buffer(importing: &y, 16), 16)]
    defer { for (buffer, _) in buffers { open.functions.buffer_destroy(open.device, buffer) } }
    let status = open.execute(program, buffers, symbols: [(1, 2)], &error)
    #expect(status == BP_OK, "\(message(error))")
    #expect(y == [11, 22, 13, 24])
    withExtendedLifetime((a, b)) {}
  }

  @Test func aWrongRunIsAnErrorWithAReason() throws {
    let open = OpenDevice()
    let graph = try additionGraph()
    var error = freshError()
    let program = open.program(graph.pointer, &error)
    defer { open.functions.program_destroy(program) }
    var bytes = [Float](repeating: 0, count: 8)
    let writable = open.buffer(importing: &bytes, 32)
    let readOnly = open.buffer(importing: &bytes, 32, access: BP_ACCESS_READ)
    defer {
      open.functions.buffer_destroy(open.device, writable)
      open.functions.buffer_destroy(open.device, readOnly)
    }
    let right = [(writable, 16), (writable, 8), (writable, 16)]
    let cases: [(String, [(bp_buffer, Int)], [(UInt32, Int64)])] = [
      ("no symbols", right, []), ("a symbol out of bounds", right, [(1, 5)]), ("a negative symbol", right, [(1, -1)]),
      ("too few bindings", [(writable, 16)], [(1, 2)]), ("a binding too small", [(writable, 8), (writable, 8), (writable, 16)], [(1, 2)]),
      ("a binding beyond its buffer", [(writable, 64), (writable, 8), (writable, 16)], [(1, 2)]),
      ("an output that may not be written", [(writable, 16), (writable, 8), (readOnly, 16)], [(1, 2)]),
    ]
    for (name, bindings, symbols) in cases {
      error = freshError()
      #expect(open.execute(program, bindings, symbols: symbols, &error) == BP_E_INVALID, "\(name)")
      #expect(!message(error).isEmpty, "\(name)")
    }
    #expect(open.execute(program, right, symbols: [(1, 2)], &error) == BP_OK)
  }

  @Test func nullArgumentsAreErrors() throws {
    let open = OpenDevice()
    var error = freshError()
    let f = open.functions
    #expect(open.plugin.instance_create(nil, nil, &error) == BP_E_INVALID)
    #expect(open.plugin.device_open(nil, 0, nil, nil, &error) == BP_E_INVALID)
    #expect(open.plugin.device_count(nil, nil, nil) == BP_E_INVALID)
    #expect(f.info(nil, nil, nil) == BP_E_INVALID)
    #expect(f.info(open.device, nil, &error) == BP_E_INVALID)
    #expect(f.query(open.device, nil, nil, 0, 0, &error) == BP_E_INVALID)
    #expect(f.buffer_create(open.device, nil, nil, nil, &error) == BP_E_INVALID)
    #expect(f.buffer_map(open.device, nil, 0, 0, 0, nil, &error) == BP_E_INVALID)
    #expect(f.program_create(open.device, nil, nil, &error) == BP_E_INVALID)
    #expect(open.program(nil, &error) == nil)
    #expect(f.program_info(nil, nil, &error) == BP_E_INVALID)
    #expect(f.execute(open.device, nil, &error) == BP_E_INVALID)
    #expect(open.execute(nil, [], &error) == BP_E_INVALID)
    f.buffer_destroy(open.device, nil)
    f.program_destroy(nil)
  }

  @Test func aNodeThatCannotBeIsRefusedAloneWithItsReason() throws {
    // Two nodes: the first is sound, the second's operator is unknown.
    let graph = try additionGraph()
    var record = graph.pointer.pointee
    let nodes = (0..<2).map { i in
      var node = record.nodes.ptr.assumingMemoryBound(to: bp_node.self)[0]
      if i == 1 { node.op = 12345 }
      return node
    }
    let open = OpenDevice()
    var verdicts = [bp_verdict](repeating: bp_verdict(), count: 2)
    for i in 0..<2 { verdicts[i].h = head(bp_verdict.self, BP_ST_VERDICT) }
    var error = freshError()
    let status = nodes.withUnsafeBufferPointer { nodes in
      record.nodes = bp_array(ptr: nodes.baseAddress, count: 2, stride: UInt32(MemoryLayout<bp_node>.stride))
      return open.functions.query(open.device, &record, &verdicts, UInt32(MemoryLayout<bp_verdict>.stride), 2, &error)
    }
    #expect(status == BP_OK, "\(message(error))")
    #expect(verdicts[0].support == BP_SUPPORT_YES)
    #expect(verdicts[1].support == BP_SUPPORT_NO)
    #expect(verdicts[1].reason == BP_REASON_OP_UNKNOWN)
    withExtendedLifetime(graph) {}
  }

  @Test func paddedRowsAreReadAndWritten() throws {
    var builder = GraphBuilder()
    let a = builder.input("a", .f32, [2, 2])
    builder.output(try builder.apply("neg", [a])[0]!)
    let graph = try ABIGraph(builder.graph)
    var record = graph.pointer.pointee
    var tensors = (0..<2).map { record.tensors.ptr.assumingMemoryBound(to: bp_tensor.self)[$0] }
    for i in 0..<2 { tensors[i].stride.0 = 12 }  // rows of two elements, three apart
    let open = OpenDevice()
    var error = freshError()
    let program = try #require(tensors.withUnsafeBufferPointer { tensors in
      record.tensors = bp_array(ptr: tensors.baseAddress, count: 2, stride: UInt32(MemoryLayout<bp_tensor>.stride))
      return open.program(&record, &error)
    }, "\(message(error))")
    defer { open.functions.program_destroy(program) }
    var (x, y): ([Float], [Float]) = ([1, 2, 99, 3, 4], [7, 7, 7, 7, 7])
    let buffers = [(open.buffer(importing: &x, 20), 20), (open.buffer(importing: &y, 20), 20)]
    defer { for (buffer, _) in buffers { open.functions.buffer_destroy(open.device, buffer) } }
    let status = open.execute(program, buffers, &error)
    #expect(status == BP_OK, "\(message(error))")
    #expect(y == [-1, -2, 7, -3, -4])
    withExtendedLifetime((graph, x)) {}
  }

  @Test func ownBuffersAreMappedAndCopied() {
    let open = OpenDevice()
    var description = bp_buffer_desc()
    description.h = head(bp_buffer_desc.self, BP_ST_BUFFER_DESC)
    description.bytes = 8
    var info = bp_buffer_info()
    info.h = head(bp_buffer_info.self, BP_ST_BUFFER_INFO)
    var (a, b): (bp_buffer?, bp_buffer?)
    #expect(open.functions.buffer_create(open.device, &description, &a, &info, nil) == BP_OK)
    #expect(open.functions.buffer_create(open.device, &description, &b, nil, nil) == BP_OK)
    #expect(info.bytes == 8)
    var (from, to): (UnsafeMutableRawPointer?, UnsafeMutableRawPointer?)
    #expect(open.functions.buffer_map(open.device, a, 0, 8, BP_ACCESS_WRITE, &from, nil) == BP_OK)
    #expect(open.functions.buffer_map(open.device, b, 4, 4, BP_ACCESS_READ, &to, nil) == BP_OK)
    #expect(open.functions.buffer_map(open.device, b, 4, 5, BP_ACCESS_READ, &to, nil) == BP_E_INVALID)
    from!.storeBytes(of: 0x0102_0304_0506_0708, as: UInt64.self)
    var source = bp_binding(h: head(bp_binding.self, BP_ST_BINDING), buffer: a, offset: 0, bytes: 4)
    var destination = bp_binding(h: head(bp_binding.self, BP_ST_BINDING), buffer: b, offset: 4, bytes: 4)
    withUnsafePointer(to: &source) { source in
      withUnsafePointer(to: &destination) { destination in
        var copy = bp_copy()
        copy.h = head(bp_copy.self, BP_ST_COPY)
        (copy.src, copy.dst) = (source, destination)
        var submission = bp_submission()
        submission.h = head(bp_submission.self, BP_ST_SUBMISSION)
        withUnsafePointer(to: copy) { copy in
          submission.copies = bp_array(ptr: copy, count: 1, stride: UInt32(MemoryLayout<bp_copy>.stride))
          #expect(open.functions.execute(open.device, &submission, nil) == BP_OK)
        }
      }
    }
    #expect(to!.load(as: UInt32.self) == 0x0506_0708)
    open.functions.buffer_destroy(open.device, a)
    open.functions.buffer_destroy(open.device, b)
    description.bytes = .max
    #expect(open.functions.buffer_create(open.device, &description, &a, nil, nil) == BP_E_OOM_HOST)
  }
}
