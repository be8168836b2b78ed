import BackplaneABI
import BackplaneCore
import Foundation
import Testing

/// tokens × width: y = silu(reshape(scale(x)) + x) and so on, with a symbol.
private func chain(width: Int = 16, length: Int = 4) -> Graph {
  var graph = Graph()
  let tokens = Symbol(number: 1, name: "tokens", bounds: 1...64)
  func add(_ shape: [BackplaneCore.Dimension], _ role: TensorRole) -> TensorID {
    graph.tensors.append(TensorDescription(name: "t", format: .f32, shape: Shape(shape), role: role))
    return TensorID(graph.tensors.count - 1)
  }
  let x = add([.symbol(tokens), .fixed(width)], .input)
  var last = x
  for i in 0..<length {
    let scaled = add([.symbol(tokens), .fixed(width)], .intermediate)
    let split = add([.symbol(tokens), .fixed(2), .fixed(width / 2)], .intermediate)
    let joined = add([.symbol(tokens), .fixed(width)], .intermediate)
    let sum = add([.symbol(tokens), .fixed(width)], .intermediate)
    graph.nodes += [
      Node(op: "scale", inputs: [last], outputs: [scaled], attributes: [Attribute("factor", .float(2)), Attribute("offset", .float(Double(i)))]),
      Node(op: "reshape", inputs: [scaled], outputs: [split], attributes: [Attribute("shape", .ints([0, 2, width / 2]))]),
      Node(op: "reshape", inputs: [split], outputs: [joined], attributes: [Attribute("shape", .ints([0, width]))]),
      Node(op: "add", inputs: [joined, x], outputs: [sum]),
    ]
    last = sum
  }
  graph.inputs = [x]
  graph.outputs = [last]
  return graph
}
private func expected(_ x: Float, length: Int = 4) -> Float { (0..<length).reduce(x) { 2 * $0 + Float($1) + x } }

@Suite struct ProgramTests {
  @Test func aChainWithASymbolRunsAtEveryLength() throws {
    let device = try TestDevice(), program = try TestProgram(device, chain())
    let input = try device.buffer(bytes: 64 * 64), output = try device.buffer(bytes: 64 * 64), workspace = try program.makeWorkspace()
    for tokens in [1, 3, 64] {
      for i in 0..<(tokens * 16) { input.address.storeBytes(of: Float(i), toByteOffset: 4 * i, as: Float.self) }
      try program.run([input.binding(), output.binding()], symbols: [1: tokens], workspace: workspace)
      for i in 0..<(tokens * 16) { #expect(output.address.load(fromByteOffset: 4 * i, as: Float.self) == expected(Float(i))) }
    }
  }

  @Test func reshapesAreViewsAndElementwiseStepsWorkInPlace() throws {
    let program = try TestProgram(try TestDevice(), chain())
    #expect(program.info.n_kernels == 8, "the reshapes need no step")
    #expect(program.info.workspace_bytes == 64 * 64, "one tensor's bytes")
    let placements = (0..<Int(program.info.placements.count)).map {
      (program.info.placements.ptr + $0 * Int(program.info.placements.stride)).assumingMemoryBound(to: bp_placement.self).pointee
    }
    #expect(placements.contains { $0.alias_of != BP_NO_TENSOR })
    #expect(placements.allSatisfy { $0.offset + $0.bytes <= program.info.workspace_bytes })
  }

  @Test func oneProgramRunsOnManyThreadsAtOnce() throws {
    let device = try TestDevice(), program = try TestProgram(device, chain())
    let runs = try (0..<4).map { _ in (try device.buffer(bytes: 64 * 64), try device.buffer(bytes: 64 * 64), try program.makeWorkspace()) }
    let wrong = NSLock(), counter = Counter()
    DispatchQueue.concurrentPerform(iterations: runs.count) { k in
      let (input, output, workspace) = runs[k]
      for round in 1...50 {
        let tokens = 1 + (round * 7 + k) % 64
        for i in 0..<(tokens * 16) { input.address.storeBytes(of: Float(i + k), toByteOffset: 4 * i, as: Float.self) }
        try? program.run([input.binding(), output.binding()], symbols: [1: tokens], workspace: workspace)
        let bad = (0..<(tokens * 16)).filter { output.address.load(fromByteOffset: 4 * $0, as: Float.self) != expected(Float($0 + k)) }.count
        wrong.withLock { counter.count += bad }
      }
    }
    #expect(counter.count == 0)
  }
  private final class Counter: @unchecked Sendable { var count = 0 }

  @Test func aStateIsWrittenWhereItLies() throws {
    var graph = Graph()
    let tensors: [(ElementFormat, [Int], TensorRole)] = [(.f32, [2, 4], .input), (.i32, [2], .input), (.f16, [8, 4], .state)]
    graph.tensors = tensors.map { TensorDescription(name: "t", format: $0.0, shape: Shape($0.1), role: $0.2) }
    (graph.inputs, graph.states) = ([TensorID(0), TensorID(1)], [TensorID(2)])
    graph.nodes = [Node(op: "tensor_scatter", inputs: [TensorID(2), TensorID(0), TensorID(1)], outputs: [TensorID(2)], attributes: [Attribute("mode", .string("linear"))])]
    let device = try TestDevice(), program = try TestProgram(device, graph)
    let update = try device.buffer(bytes: 32), positions = try device.buffer(bytes: 8), cache = try device.buffer(bytes: 64)
    memset(cache.address, 0, 64)
    for i in 0..<8 { update.address.storeBytes(of: Float(i + 1), toByteOffset: 4 * i, as: Float.self) }
    for (i, row) in [Int32(5), 2].enumerated() { positions.address.storeBytes(of: row, toByteOffset: 4 * i, as: Int32.self) }
    let bindings = [update, positions, cache, cache].map { $0.binding() }
    try program.run(bindings, workspace: nil)
    let row5 = (0..<4).map { cache.address.load(fromByteOffset: 2 * (20 + $0), as: Float16.self) }
    #expect(row5 == [1, 2, 3, 4])
    #expect(cache.address.load(as: Float16.self) == 0)
    let elsewhere = try device.buffer(bytes: 64)
    let error = #expect(throws: Failure.self) { try program.run([update, positions, cache, elsewhere].map { $0.binding() }, workspace: nil) }
    #expect(error?.message.contains("state") == true)
  }

  @Test func wrongDispatchesAreRefusedWithTheirNumbers() throws {
    let device = try TestDevice(), program = try TestProgram(device, chain())
    let input = try device.buffer(bytes: 64 * 64), output = try device.buffer(bytes: 64 * 64), workspace = try program.makeWorkspace()
    let good = [input.binding(), output.binding()]
    func message(_ bindings: [bp_binding], _ symbols: [UInt32: Int], _ workspace: TestBuffer?) -> String {
      do { try program.run(bindings, symbols: symbols, workspace: workspace) } catch let error as Failure {
        #expect(error.status == BP_E_INVALID)
        #expect(error.record.src_line > 0 && error.file.hasSuffix(".swift"))
        return error.message
      } catch {}
      return "no error"
    }
    #expect(message([input.binding()], [1: 4], workspace).contains("2 inputs and outputs, but 1"))
    #expect(message(good, [:], workspace) == "symbol 1 has no value")
    #expect(message(good, [1: 65], workspace) == "symbol 1 is 65, beyond its bound 64")
    #expect(message(good, [1: 0], workspace) == "symbol 1 is 0, beyond its bound 1")
    #expect(message(good, [1: 4], nil).contains("workspace has 0 usable bytes"))
    #expect(message([input.binding(offset: 2), output.binding()], [1: 4], workspace).contains("multiple of 4"))
    #expect(message([input.binding(offset: 4096 - 64), output.binding()], [1: 2], workspace) == "binding 0 has 64 bytes, its tensor needs 128")
    var outside = input.binding()
    outside.bytes += 1
    #expect(message([outside, output.binding()], [1: 2], workspace).contains("ends at byte 4097 of a buffer of 4096"))
    let memory = UnsafeMutableRawPointer.allocate(byteCount: 4096, alignment: 64)
    defer { memory.deallocate() }
    let imported = try TestBuffer(device, bytes: 4096, importing: memory)
    #expect(message([input.binding(), imported.binding()], [1: 2], workspace).contains("read-only"))
    try program.run([imported.binding(), output.binding()], symbols: [1: 2], workspace: workspace)
  }

  @Test func nullArgumentsAreRefused() throws {
    let device = try TestDevice(), functions = device.functions.pointee
    var program: bp_program?, buffer: bp_buffer?
    for call: (UnsafeMutablePointer<bp_error>) -> bp_status in [
      { functions.info(device.handle, nil, $0) }, { functions.info(nil, nil, $0) }, { functions.query(device.handle, nil, nil, 0, 0, $0) },
      { functions.buffer_create(device.handle, nil, &buffer, nil, $0) }, { functions.program_create(device.handle, nil, &program, $0) },
      { functions.execute(device.handle, nil, $0) }, { functions.execute(nil, nil, $0) },
    ] {
      let error = #expect(throws: Failure.self) { try checked(call) }
      #expect(error?.status == BP_E_INVALID && error?.message.isEmpty == false)
    }
    #expect(functions.execute(device.handle, nil, nil) == BP_E_INVALID, "the error record is optional")
  }

  @Test func aNodeThatNoKernelTakesIsNamed() throws {
    let device = try TestDevice()
    var graph = chain()
    graph.nodes[3].op = "add_of_the_future"
    let verdicts = try device.verdicts(try ABIGraph(graph))
    #expect(verdicts[3].support == BP_SUPPORT_NO && verdicts[3].reason == BP_REASON_OP_UNKNOWN)
    #expect(verdicts[0].support == BP_SUPPORT_YES && verdicts[0].est_ns > 0)
    let error = #expect(throws: Failure.self) { _ = try TestProgram(device, graph) }
    #expect(error?.status == BP_E_UNSUPPORTED && error?.record.node_plus_1 == 4 && error?.record.reason == BP_REASON_OP_UNKNOWN)
    let mixed = single("add", [(.f32, [2]), (.f16, [2])], to: [(.f32, [2])])
    let verdict = try device.verdicts(try ABIGraph(mixed))[0]
    #expect(verdict.reason == BP_REASON_DTYPE && verdict.operand == 1)
  }

  @Test func anUnknownSettingNamesTheValidOnes() throws {
    let error = #expect(throws: Failure.self) { _ = try TestDevice(["cpu.isa": "avx3"]) }
    #expect(error?.message.contains("avx3") == true && error?.message.contains("scalar, avx2") == true)
    let kernel = #expect(throws: Failure.self) { _ = try TestDevice(["cpu.kernel.add": "add_fast"]) }
    #expect(kernel?.message.contains("add_scalar") == true)
    _ = try TestDevice(["cpu.kernel.add": "add_scalar"])
  }

  @Test func cancelAndDeadlineStopARun() throws {
    let device = try TestDevice(), program = try TestProgram(device, chain())
    let input = try device.buffer(bytes: 64 * 64), output = try device.buffer(bytes: 64 * 64), workspace = try program.makeWorkspace()
    let bindings = [input.binding(), output.binding()]
    let late = #expect(throws: Failure.self) { try program.run(bindings, symbols: [1: 2], workspace: workspace) { $0.deadline_ns = 1 } }
    #expect(late?.status == BP_E_TIMEOUT)
    device.host.isCancelled = true
    var token = 0
    try withUnsafeMutablePointer(to: &token) { token in
      let stopped = #expect(throws: Failure.self) { try program.run(bindings, symbols: [1: 2], workspace: workspace) { $0.cancel = UnsafeMutableRawPointer(token) } }
      #expect(stopped?.status == BP_E_CANCELLED)
      try program.run(bindings, symbols: [1: 2], workspace: workspace)
    }
  }

  @Test func buffersGoBackToTheHost() throws {
    let device = try TestDevice()
    _ = try device.buffer(bytes: 1000)
    #expect(device.host.liveBytes >= 1000)
    device.destroyBuffers()
    #expect(device.host.liveBytes == 0)
  }
}

@Suite struct SelectionTests {
  @Test(arguments: levels) func theWidestKernelOfTheLevelIsChosen(isa: String) throws {
    let device = try TestDevice(["cpu.isa": isa])
    let verdict = try device.verdicts(try ABIGraph(single("rms_norm", [(.f32, [4, 64]), nil], to: [(.f32, [4, 64])])))[0]
    let name = String(decoding: UnsafeRawBufferPointer(start: verdict.detail.ptr, count: Int(verdict.detail.len)), as: UTF8.self)
    if isa != "auto" { #expect(name.hasSuffix(isa)) }
    let half = try device.verdicts(try ABIGraph(single("rms_norm", [(.f16, [4, 64]), nil], to: [(.f16, [4, 64])])))[0]
    #expect(half.support == BP_SUPPORT_YES)
  }

  @Test func strictNodesGetNoRoundingKernel() throws {
    let device = try TestDevice()
    let graph = single("matmul", [(.f32, [4, 64]), (.f32, [8, 64]), nil, nil], [Attribute("transpose_b", .int(1)), Attribute("activation", .string("none"))],
                       to: [(.f32, [4, 8])], numerics: .strict)
    let verdict = try device.verdicts(try ABIGraph(graph))[0]
    #expect(verdict.support == BP_SUPPORT_YES && verdict.declares.count == 0)
  }

  @Test func aConfigNamesTheKernel() throws {
    let device = try TestDevice(), graph = try ABIGraph(single("add", [(.f32, [4]), (.f32, [4])], to: [(.f32, [4])]))
    var count: UInt32 = 8, variants = [bp_variant](repeating: bp_variant(), count: 8)
    for i in variants.indices { variants[i].h = head(bp_variant.self, BP_ST_VARIANT) }
    try checked { device.functions.pointee.variants(device.handle, graph.pointer, 0, &variants, UInt32(MemoryLayout<bp_variant>.stride), &count, $0) }
    let name = variants[Int(count) - 1].name
    #expect(String(decoding: UnsafeRawBufferPointer(start: name.ptr, count: Int(name.len)), as: UTF8.self) == "add_scalar")
  }
}

@Suite struct StrideTests {
  /// Row-major 6 × 5 values in rows of 32 bytes, and in columns.
  @Test(arguments: levels, [[32, 4], [4, 24]]) func inputsMayHaveAnyStride(isa: String, strides: [Int]) throws {
    let device = try TestDevice(["cpu.isa": isa]), values = (0..<30).map { Double($0 % 7) - 3 }
    for (op, attributes) in [("rms_norm", [Attribute("epsilon", .float(1e-6)), Attribute("weight_offset", .float(0))]), ("softmax", [Attribute("scale", .float(1))]),
                             ("silu", []), ("reduce_sum", [Attribute("axes", .ints([1])), Attribute("keep_dims", .int(1))]), ("argmax", []),
                             ("reshape", [Attribute("shape", .ints([30]))])] as [(String, [Attribute])] {
      let shape = op == "reduce_sum" ? [6, 1] : op == "argmax" ? [6] : op == "reshape" ? [30] : [6, 5], format: ElementFormat = op == "argmax" ? .i32 : .f32
      let inputs: [Value?] = op == "rms_norm" || op == "softmax" ? [Value(.f32, [6, 5], values), nil] : [Value(.f32, [6, 5], values)]
      let expected = try device.result(op, inputs, attributes, format, shape)
      let program = try TestProgram(device, single(op, inputs.map { $0.map { ($0.format, $0.shape) } }, attributes, to: [(format, shape)])) { graph in
        let tensor = UnsafeMutableRawPointer(mutating: graph.tensors.ptr!).assumingMemoryBound(to: bp_tensor.self)
        (tensor.pointee.stride.0, tensor.pointee.stride.1) = (Int64(strides[0]), Int64(strides[1]))
      }
      let input = try device.buffer(bytes: 6 * 32), output = try device.buffer(bytes: shape.reduce(4, *))
      memset(input.address, 0xff, input.bytes)
      for i in 0..<30 { input.address.storeBytes(of: Float(values[i]), toByteOffset: i / 5 * strides[0] + i % 5 * strides[1], as: Float.self) }
      try program.run([input.binding(), output.binding()], workspace: try program.makeWorkspace())
      let result = Value(format, shape, bytes: Array(UnsafeRawBufferPointer(start: output.address, count: output.bytes))).values
      #expect(distance(result, expected) < 1e-6, "\(op)")
    }
  }
}
