import BackplaneABI
import BackplaneCore
import BackplaneSpecs
import Testing

@Suite struct GraphABITests {
  static func sample() throws -> Graph {
    var b = GraphBuilder()
    let (tokens, past) = (b.symbol("tokens", 1...8), b.symbol("kv", 8...64))
    let x = b.input("x", .f32, [.symbol(tokens), 2, 32])
    let positions = b.input("positions", .i32, [.symbol(tokens)])
    let weight = b.constant("weight", .f32, [32])
    let cache = b.state("cache", .q8_0, [.symbol(past), 2, 32])
    let h = try b.rmsNorm(x, weight: weight, epsilon: 1e-5)
    _ = try b.tensorScatter(cache, update: h, positions: positions, mode: "circular")
    let y = try b.attention(h, cache, cache, causal: 1)
    b.numerics = .strict
    b.output(try b.reshape(try b.transpose(y, permutation: [1, 0, 2]), shape: [64, -1]))
    return b.graph
  }

  @Test func aGraphComesBackAsItWas() throws {
    let graph = try GraphABITests.sample()
    let back = try ABIGraph(graph).withPointer { (records) throws(BackplaneError) in try Graph(abi: records) }
    #expect(back.nodes == graph.nodes)
    #expect(back.inputs == graph.inputs)
    #expect(back.constants == graph.constants)
    #expect(back.states == graph.states)
    #expect(back.outputs == graph.outputs)
    #expect(back.tensors.map(\.format) == graph.tensors.map(\.format))
    #expect(back.tensors.map(\.role) == graph.tensors.map(\.role))
    #expect(back.structureHash == graph.structureHash)
    #expect(back.symbols.map(\.bounds) == graph.symbols.map(\.bounds))
  }

  /// What the records can be made to say, and what comes of it.
  struct Fault: CustomStringConvertible, Sendable {
    let description: String
    let kind: BackplaneError.Kind
    let plant: @Sendable (inout bp_graph) -> Void
    init(_ description: String, _ kind: BackplaneError.Kind = .invalid, _ plant: @escaping @Sendable (inout bp_graph) -> Void) {
      (self.description, self.kind, self.plant) = (description, kind, plant)
    }
  }

  static func tensor(_ graph: bp_graph, _ i: Int) -> UnsafeMutablePointer<bp_tensor> {
    UnsafeMutableRawPointer(mutating: graph.tensors.ptr)!.assumingMemoryBound(to: bp_tensor.self) + i
  }
  static func node(_ graph: bp_graph, _ i: Int) -> UnsafeMutablePointer<bp_node> {
    UnsafeMutableRawPointer(mutating: graph.nodes.ptr)!.assumingMemoryBound(to: bp_node.self) + i
  }
  static func attribute(_ graph: bp_graph, _ n: Int, _ i: Int) -> UnsafeMutablePointer<bp_attr> {
    UnsafeMutableRawPointer(mutating: node(graph, n).pointee.attrs.ptr)!.assumingMemoryBound(to: bp_attr.self) + i
  }

  // Live as long as the process: the records point to them.
  nonisolated(unsafe) static let mustBeUnderstood = extending(type: 0x8000_0063)
  nonisolated(unsafe) static let endless = extending(type: 99)
  private static func extending(type: UInt32) -> UnsafeMutablePointer<bp_head> {
    let head = UnsafeMutablePointer<bp_head>.allocate(capacity: 1)
    head.initialize(to: bp_head(struct_size: 16, struct_type: type, next: nil))
    return head
  }

  static let faults: [Fault] = [
    Fault("wrong struct type") { $0.h.struct_type = BP_ST_NODE },
    Fault("struct size too small") { $0.h.struct_size = 8 },
    Fault("no tensors") { $0.tensors.count = 0 },
    Fault("tensors at NULL") { $0.tensors.ptr = nil },
    Fault("stride of 0") { $0.tensors.stride = 0 },
    Fault("struct size beyond the stride") { tensor($0, 0).pointee.h.struct_size = 4096 },
    Fault("a count that is garbage") { $0.nodes.count = .max },
    Fault("nodes at NULL") { $0.nodes.ptr = nil },
    Fault("inputs at NULL") { $0.inputs = nil },
    Fault("input number out of range") { UnsafeMutablePointer(mutating: $0.inputs!)[0] = 99 },
    Fault("output number out of range") { UnsafeMutablePointer(mutating: $0.outputs!)[0] = 99 },
    Fault("input listed twice") { UnsafeMutablePointer(mutating: $0.inputs!)[1] = $0.inputs[0] },
    Fault("rank 9") { tensor($0, 0).pointee.rank = 9 },
    Fault("unknown format", .unsupported) { tensor($0, 0).pointee.dtype = 1 },
    Fault("unknown layout", .unsupported) { tensor($0, 0).pointee.layout = 1 },
    Fault("constant and state") { tensor($0, 2).pointee.flags = BP_TENSOR_CONST | BP_TENSOR_STATE },
    Fault("negative extent without a symbol") { tensor($0, 2).pointee.dim.0 = -1 },
    Fault("symbol with an extent") { tensor($0, 2).pointee.symbol.0 = 1 },
    Fault("bounds upside down") { tensor($0, 0).pointee.dim_max.0 = 0 },
    Fault("negative bounds") { tensor($0, 0).pointee.dim_min.0 = -5 },
    Fault("a symbol with two bounds") { tensor($0, 1).pointee.dim_max.0 = 9 },
    Fault("stride that is not dense", .unsupported) { tensor($0, 0).pointee.stride.1 = 256 },
    Fault("extents that overflow") { tensor($0, 2).pointee.dim.0 = .max },
    Fault("unknown operator", .unsupported) { node($0, 0).pointee.op = 1 },
    Fault("newer operator", .unsupported) { node($0, 0).pointee.op_version = 2 },
    Fault("unknown numerics") { node($0, 0).pointee.numerics = 7 },
    Fault("operands at NULL") { node($0, 0).pointee.in = nil },
    Fault("operand out of range") { UnsafeMutablePointer(mutating: node($0, 0).pointee.in!)[0] = 1000 },
    Fault("required operand absent", .constraint) { UnsafeMutablePointer(mutating: node($0, 0).pointee.in!)[0] = BP_NO_TENSOR },
    Fault("fewer outputs than there are", .constraint) { node($0, 0).pointee.n_out = 0 },
    Fault("attributes missing", .constraint) { node($0, 0).pointee.attrs.count = 0 },
    Fault("attribute with an unknown name") { attribute($0, 0, 0).pointee.name = 5 },
    Fault("attribute of an unknown kind") { attribute($0, 0, 0).pointee.kind = 9 },
    Fault("attribute of another kind", .constraint) { attribute($0, 0, 0).pointee.kind = BP_ATTR_I64 },
    Fault("string at NULL") { attribute($0, 1, 0).pointee.data = nil },
    Fault("string that is not UTF-8") { UnsafeMutableRawPointer(mutating: attribute($0, 1, 0).pointee.data!).storeBytes(of: 0xff, as: UInt8.self) },
    Fault("nodes out of order", .constraint) { swap(&node($0, 0).pointee, &node($0, 2).pointee) },
    Fault("extension that must be understood", .unsupported) { graph in
      graph.h.next = UnsafePointer(mustBeUnderstood)
    },
    Fault("extensions without end") { graph in
      endless.pointee.next = UnsafePointer(endless)
      graph.h.next = UnsafePointer(endless)
    },
  ]

  @Test(arguments: faults) func aGraphThatIsWrongIsRefused(fault: Fault) throws {
    let abi = try ABIGraph(try GraphABITests.sample())
    let error = #expect(throws: BackplaneError.self) {
      try abi.withPointer { records in
        fault.plant(&UnsafeMutablePointer(mutating: records).pointee)
        _ = try Graph(abi: records)
      }
    }
    #expect(error?.kind == fault.kind, "\(error?.description ?? "")")
  }

  @Test func aGraphAtNullIsRefused() { #expect(throws: BackplaneError.self) { try Graph(abi: nil) } }

  @Test func anUnknownExtensionIsSkipped() throws {
    let graph = try GraphABITests.sample()
    let abi = try ABIGraph(graph)
    var head = bp_head(struct_size: 16, struct_type: 99, next: nil)
    let back = try withUnsafePointer(to: &head) { extending in
      try abi.withPointer { records in
        UnsafeMutablePointer(mutating: records).pointee.h.next = extending
        return try Graph(abi: records)
      }
    }
    #expect(back.nodes == graph.nodes)
  }

  @Test func whatAnOlderProducerLeavesOutIsZero() throws {
    // A bp_tensor without value_hash, which came last.
    let graph = try GraphABITests.sample()
    let abi = try ABIGraph(graph)
    let back = try abi.withPointer { records in
      for i in graph.tensors.indices { GraphABITests.tensor(records.pointee, i).pointee.h.struct_size = 328 }
      return try Graph(abi: records)
    }
    #expect(back.nodes == graph.nodes)
  }
}
