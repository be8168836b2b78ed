import BackplaneABI
@testable import BackplaneCore
import Testing

@Suite struct ABIGraphTests {
  let tokens = Symbol(number: 3, name: "tokens", bounds: 2...8)

  private func tensor(_ format: ElementFormat, _ shape: Shape, _ role: TensorRole = .input) -> TensorDescription {
    TensorDescription(name: "t", format: format, shape: shape, role: role)
  }

  private func record(_ description: TensorDescription, isOutput: Bool = false) throws -> bp_tensor {
    var record = bp_tensor()
    try description.fill(&record, isOutput: isOutput)
    return record
  }

  @Test func aFixedTensorHasItsExtentsAndDenseStrides() throws {
    let t = try record(tensor(.f16, [2, 3, 5]))
    #expect(t.rank == 3 && t.dtype == Identifier("f16").value && t.layout == Identifier("strided").value)
    #expect((t.dim.0, t.dim.1, t.dim.2) == (2, 3, 5))
    #expect((t.stride.0, t.stride.1, t.stride.2) == (30, 10, 2))
    #expect((t.dim_min.0, t.dim_max.0, t.symbol.0) == (2, 2, 0))
    #expect(t.flags == BP_TENSOR_INPUT)
  }

  @Test func blockStridesAreOfBlocks() throws {
    let t = try record(tensor(.q4_0, [3, 64], .constant))
    #expect((t.stride.0, t.stride.1) == (36, 18))
    #expect(t.flags == BP_TENSOR_CONST | BP_TENSOR_INPUT)
  }

  @Test func aStrideIsMinusOneWhereASymbolLiesFurtherIn() throws {
    let t = try record(tensor(.f32, [4, .symbol(tokens), 8], .intermediate), isOutput: true)
    #expect((t.dim.0, t.dim.1, t.dim.2) == (4, -1, 8))
    #expect((t.stride.0, t.stride.1, t.stride.2) == (-1, 32, 4))
    #expect((t.dim_min.1, t.dim_max.1, t.symbol.1) == (2, 8, 3))
    #expect(t.flags == BP_TENSOR_OUTPUT | BP_TENSOR_DYNAMIC)
  }

  @Test func stridesThatOverflowAreRefused() {
    #expect(throws: BackplaneError(.invalid, "")) { try record(tensor(.f32, [2, .init(integerLiteral: .max), 2])) }
  }

  private var graph: Graph {
    Graph(tensors: [tensor(.f32, [.symbol(tokens), 8]), tensor(.f32, [8], .constant), tensor(.f32, [.symbol(tokens), 8], .intermediate),
                    tensor(.f16, [16, 8], .state), tensor(.f16, [16, 8], .state)],
          nodes: [Node(op: "rms_norm", inputs: [TensorID(0), nil], outputs: [TensorID(2)],
                       attributes: [Attribute("epsilon", .float(0.5)), Attribute("axes", .ints([1, -1])), Attribute("mode", .string("tanh")),
                                    Attribute("flag", .int(-7)), Attribute("list", .floats([1.5]))], numerics: .strict),
                  Node(op: "tensor_scatter", inputs: [TensorID(4)], outputs: [TensorID(4)])],
          inputs: [TensorID(0)], constants: [TensorID(1)], states: [TensorID(3), TensorID(4)], outputs: [TensorID(2)])
  }

  @Test func operandsAttributesAndListsArrive() throws {
    let abi = try ABIGraph(graph)
    defer { withExtendedLifetime(abi) {} }
    let record = abi.pointer.pointee
    #expect(record.tensors.count == 5 && record.tensors.stride == 336 && record.nodes.count == 2)
    #expect(Array(UnsafeBufferPointer(start: record.inputs, count: Int(record.n_inputs))) == [0, 1, 3, 4])
    // The state that a node writes is an output, the other is not.
    #expect(Array(UnsafeBufferPointer(start: record.outputs, count: Int(record.n_outputs))) == [2, 4])
    let node = record.nodes.ptr.assumingMemoryBound(to: bp_node.self).pointee
    #expect(node.op == Identifier("rms_norm").value && node.op_version == 1 && node.numerics == BP_NUMERICS_STRICT)
    #expect((node.n_in, node.in[0], node.in[1]) == (2, 0, BP_NO_TENSOR))
    let attributes = UnsafeBufferPointer(start: node.attrs.ptr.assumingMemoryBound(to: bp_attr.self), count: Int(node.attrs.count))
    #expect(attributes[0].kind == BP_ATTR_F64 && attributes[0].f == 0.5 && attributes[0].name == Identifier("epsilon").value)
    #expect(attributes[1].kind == BP_ATTR_I64S && attributes[1].count == 2 && attributes[1].data.load(fromByteOffset: 8, as: Int64.self) == -1)
    #expect(attributes[2].kind == BP_ATTR_STR && attributes[2].count == 4 && attributes[2].data.load(as: UInt8.self) == UInt8(ascii: "t"))
    #expect(attributes[3].kind == BP_ATTR_I64 && attributes[3].i == -7)
    #expect(attributes[4].kind == BP_ATTR_F64S && attributes[4].data.load(as: Double.self) == 1.5)
    #expect(record.structure_hash == graph.structureHash)
  }

  @Test func namesDoNotChangeTheStructureHash() {
    var other = graph
    other.tensors[0].name = "another"
    let renamed = Symbol(number: 3, name: "t", bounds: 2...8)
    for i in [0, 2] { other.tensors[i].shape = [.symbol(renamed), 8] }
    #expect(other.structureHash == graph.structureHash)
  }

  @Test func whatCountsChangesTheStructureHash() {
    func hash(_ change: (inout Graph) -> Void) -> UInt64 { var copy = graph; change(&copy); return copy.structureHash }
    let hashes = [
      graph.structureHash, hash { $0.tensors[1].format = .f16 }, hash { $0.tensors[1].shape = [9] }, hash { $0.nodes[0].attributes[0].value = .float(0.25) },
      hash { $0.nodes[0].numerics = .fast }, hash { $0.nodes[0].inputs[1] = TensorID(1) }, hash { $0.nodes[0].op = "layer_norm" },
      hash { $0.outputs = [] }, hash { $0.tensors[1].layout = "packed" },
      hash { $0.tensors[0].shape = [.symbol(Symbol(number: 3, name: "tokens", bounds: 2...9)), 8] },
    ]
    #expect(Set(hashes).count == hashes.count)
  }

  @Test func anIsolatedNodeStandsAlone() {
    let alone = graph.isolating(node: 0)
    #expect(alone.nodes.count == 1 && alone.tensors.count == 2)
    #expect(alone.inputs == [TensorID(0)] && alone.outputs == [TensorID(1)] && alone.constants.isEmpty && alone.states.isEmpty)
    let state = graph.isolating(node: 1)
    #expect(state.states == [TensorID(0)] && state.outputs.isEmpty)
    #expect(state.nodes[0].inputs == state.nodes[0].outputs)
  }

  @Test func anIsolatedConsumerReadsItsOperandAsAnInput() {
    var two = graph
    two.nodes.append(Node(op: "abs", inputs: [TensorID(2)], outputs: [TensorID(2)]))
    two.tensors.append(tensor(.f32, [.symbol(tokens), 8], .intermediate))
    two.nodes[2].outputs = [TensorID(5)]
    let alone = two.isolating(node: 2)
    #expect(alone[alone.inputs[0]].role == .input && alone.outputs == [TensorID(1)])
  }
}
