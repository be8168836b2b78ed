import BackplaneABI
import BackplaneCore
import Foundation
import Testing

/// What a device must do beyond computing: each check is silent on the mutant without a fault, and its faults make one speak.
@Suite struct DeviceTests {
  @Test func withoutAFaultTheDeviceBehaves() throws {
    for (name, check) in checks { #expect(try check(MutantDevice(fault: 0)) == nil, "\(name)") }
  }

  @Test func eachFaultOfTheDeviceShows() throws {
    // Two runs that share what they need (call_in_program) may divide by a zero of each other's, or never meet on a busy machine: that fault is for
    // the conformance suite, whose child process it may take down.
    let faults = try Mutant.faults.get().filter { $0.op == "device" && $0.name != "call_in_program" }
    #expect(faults.count >= 20)
    for fault in faults {
      let found = try checks.contains { try $0.check(MutantDevice(fault: fault.id)) != nil }
      #expect(found, "\(fault.id) \(fault.name) survives")
    }
  }
}

private typealias Check = @Sendable (MutantDevice) throws -> String?
private let checks: [(name: String, check: Check)] = [
  ("leaks", leaks), ("refusals", refusals), ("records", records), ("time", time), ("copies", copies), ("memory", memory), ("symbols", symbols),
  ("places", places), ("two at once", twoAtOnce), ("neighbours", neighbours),
]

/// y = relu(x) as often as asked, each with a tensor of its own.
private func chain(_ count: Int, ops: [String]? = nil) -> Graph {
  var builder = GraphBuilder()
  var x = builder.input("x", .f32, [4])
  for i in 0..<count {
    let y = builder.intermediate("y\(i)", .f32, [4])
    builder.append(Node(op: ops?[i] ?? "relu", inputs: [x], outputs: [y]))
    x = y
  }
  builder.output(x)
  return builder.graph
}
private func numbers(_ count: Int, _ value: Float) -> UnsafeMutablePointer<Float> {
  let memory = UnsafeMutablePointer<Float>.allocate(capacity: count)
  memory.initialize(repeating: value, count: count)
  return memory
}
private func status(_ body: () throws -> Void) -> Failure? {
  do { try body() } catch let failure as Failure { return failure } catch { return nil }
  return nil
}

private func leaks(_ device: MutantDevice) throws -> String? {
  let before = device.host.state.withLock { $0.liveBlocks }
  let (x, y) = (numbers(64, 1), numbers(64, 0))
  defer { x.deallocate(); y.deallocate() }
  var builder = GraphBuilder()
  let a = builder.input("a", .f32, [8, 8]), b = builder.intermediate("b", .f32, [8, 8])
  builder.append(Node(op: "softmax", inputs: [a, nil], outputs: [b], attributes: [Attribute("scale", .float(1))]))
  builder.output(b)
  let program = try device.program(ABIGraph(builder.graph))
  let (bx, by) = (try device.buffer(x, bytes: 256), try device.buffer(y, bytes: 256))
  for _ in 0..<3 { try device.run(program, [binding(bx, bytes: 256), binding(by, bytes: 256)]) }
  device.functions.buffer_destroy(device.handle, bx)
  device.functions.buffer_destroy(device.handle, by)
  device.functions.program_destroy(program)
  var wanted = bp_buffer_desc(), nothing: bp_buffer?
  wanted.h = head(bp_buffer_desc.self, BP_ST_BUFFER_DESC)
  wanted.bytes = 64
  device.host.state.withLock { $0.failsAfter = 1 }
  if status({ try checked { device.functions.buffer_create(device.handle, &wanted, &nothing, nil, $0) } }) == nil { return "a buffer without memory" }
  device.host.state.withLock { $0.failsAfter = .max }
  let after = device.host.state.withLock { $0.liveBlocks }
  return after == before ? nil : "\(after - before) blocks stay"
}

private func refusals(_ device: MutantDevice) throws -> String? {
  let unknown = try ABIGraph(chain(2, ops: ["relu", "no_such_operator"]))
  guard let refused = status({ device.functions.program_destroy(try device.program(unknown)) }) else { return "an unknown operator compiles" }
  if refused.code != BP_E_UNSUPPORTED { return "the error is not filled" }
  if refused.node != 2 { return "the node is not named" }
  let verdict = try device.verdicts(unknown)[1]
  if verdict.support != BP_SUPPORT_NO || verdict.reason != BP_REASON_OP_UNKNOWN { return "no reason" }
  let memory = numbers(8, 1)
  defer { memory.deallocate() }
  let program = try device.program(ABIGraph(chain(1)))
  let buffer = try device.buffer(memory, bytes: 32), readOnly = try device.buffer(memory, bytes: 32, access: UInt32(BP_ACCESS_READ))
  defer {
    device.functions.program_destroy(program)
    for b in [buffer, readOnly] { device.functions.buffer_destroy(device.handle, b) }
  }
  let whole = binding(buffer, bytes: 32)
  if status({ try device.run(program, [whole]) }) == nil { return "a missing binding is accepted" }
  if status({ try device.run(program, [whole, binding(buffer, bytes: 8)]) }) == nil { return "a small binding is accepted" }
  if status({ try device.run(program, [whole, binding(readOnly, bytes: 32)]) }) == nil { return "read-only memory is written" }
  var address: UnsafeMutableRawPointer?
  if status({ try checked { device.functions.buffer_map(device.handle, buffer, 16, 32, UInt32(BP_ACCESS_READ), &address, $0) } }) == nil { return "mapped beyond the end" }
  return nil
}

/// Records of other sizes than this header's.
private func records(_ device: MutantDevice) throws -> String? {
  let abi = try ABIGraph(chain(1))
  return try withExtendedLifetime(abi) {
    // A host of a later version: tensors lie further apart.
    let size = MemoryLayout<bp_tensor>.stride, far = size + 32
    let count = Int(abi.pointer.pointee.tensors.count)
    let spread = UnsafeMutableRawPointer.allocate(byteCount: count * far, alignment: 16)
    defer { spread.deallocate() }
    memset(spread, 0, count * far)
    for i in 0..<count { memcpy(spread + i * far, abi.pointer.pointee.tensors.ptr! + i * size, size) }
    var graph = abi.pointer.pointee
    graph.tensors = bp_array(ptr: spread, count: UInt32(count), stride: UInt32(far))
    let memory = numbers(8, -1)
    defer { memory.deallocate() }
    let buffer = try device.buffer(memory, bytes: 16)
    defer { device.functions.buffer_destroy(device.handle, buffer) }
    var compile = bp_compile(), program: bp_program?
    compile.h = head(bp_compile.self, BP_ST_COMPILE)
    let failure = withUnsafePointer(to: graph) { graph in
      compile.graph = graph
      return status { try checked { device.functions.program_create(device.handle, &compile, &program, $0) } }
    }
    if let failure { return "a graph with another stride: \(failure)" }
    let ran = status { try device.run(program!, [binding(buffer, bytes: 16), binding(buffer, bytes: 16)]) }
    device.functions.program_destroy(program)
    if ran != nil || memory[3] != 0 { return "a graph with another stride is misread" }
    // A host of an earlier version: its verdict is shorter.
    var verdict = bp_verdict()
    verdict.h = bp_head(struct_size: UInt32(MemoryLayout<bp_verdict>.offset(of: \.detail)!), struct_type: BP_ST_VERDICT, next: nil)
    verdict.declares = bp_array(ptr: nil, count: 77, stride: 77)
    try checked { device.functions.query(device.handle, abi.pointer, &verdict, UInt32(MemoryLayout<bp_verdict>.stride), 1, $0) }
    if verdict.declares.count != 77 { return "written beyond the record" }
    // An extension that must be understood.
    var extra = bp_head(struct_size: 16, struct_type: 0x8000_1234, next: nil)
    let refused = withUnsafePointer(to: &extra) { extra in
      var chained = abi.pointer.pointee
      chained.h.next = extra
      return withUnsafePointer(to: chained) { graph in
        status { try checked { device.functions.query(device.handle, graph, &verdict, UInt32(MemoryLayout<bp_verdict>.stride), 1, $0) } }
      }
    }
    return refused?.status == BP_E_UNSUPPORTED ? nil : "an extension that must be understood is skipped"
  }
}

private func time(_ device: MutantDevice) throws -> String? {
  let memory = numbers(4, 1)
  defer { memory.deallocate() }
  let program = try device.program(ABIGraph(chain(1))), buffer = try device.buffer(memory, bytes: 16)
  defer {
    device.functions.program_destroy(program)
    device.functions.buffer_destroy(device.handle, buffer)
  }
  let both = [binding(buffer, bytes: 16), binding(buffer, bytes: 16)]
  let late = status { try device.run(program, both, change: { $0.deadline_ns = 1 }) }
  if late?.status != BP_E_TIMEOUT { return "a deadline is ignored" }
  device.host.state.withLock { $0.isCancelled = true }
  defer { device.host.state.withLock { $0.isCancelled = false } }
  let cancelled = status { try device.run(program, both, change: { $0.cancel = UnsafeMutableRawPointer(bitPattern: 8) }) }
  return cancelled?.status == BP_E_CANCELLED ? nil : "a cancel is ignored"
}

private func copies(_ device: MutantDevice) throws -> String? {
  let (x, y) = (numbers(8, 3), numbers(8, 0))
  defer { x.deallocate(); y.deallocate() }
  let (bx, by) = (try device.buffer(x, bytes: 32), try device.buffer(y, bytes: 32))
  defer { for b in [bx, by] { device.functions.buffer_destroy(device.handle, b) } }
  let (from, to) = (binding(bx, bytes: 4), binding(by, bytes: 4))
  try withUnsafePointer(to: from) { from in
    try withUnsafePointer(to: to) { to in
      var copy = bp_copy(h: head(bp_copy.self, BP_ST_COPY), src: from, dst: to, rows: 2, flags: 0, src_pitch: 4, dst_pitch: 16)
      var submission = bp_submission()
      submission.h = head(bp_submission.self, BP_ST_SUBMISSION)
      try withUnsafePointer(to: &copy) { copy in
        submission.copies = bp_array(ptr: copy, count: 1, stride: UInt32(MemoryLayout<bp_copy>.stride))
        try checked { device.functions.execute(device.handle, &submission, $0) }
      }
    }
  }
  return (0..<8).map { y[$0] } == [3, 0, 0, 0, 3, 0, 0, 0] ? nil : "a copy's pitch is ignored"
}

/// No memory for a node's work.
private func memory(_ device: MutantDevice) throws -> String? {
  let memory = numbers(4, 1)
  defer { memory.deallocate() }
  var builder = GraphBuilder()
  let a = builder.input("a", .f32, [4]), b = builder.intermediate("b", .f32, [4])
  builder.append(Node(op: "softmax", inputs: [a, nil], outputs: [b], attributes: [Attribute("scale", .float(1))]))
  builder.output(b)
  let program = try device.program(ABIGraph(builder.graph)), buffer = try device.buffer(memory, bytes: 16)
  defer {
    device.functions.program_destroy(program)
    device.functions.buffer_destroy(device.handle, buffer)
  }
  device.host.state.withLock { $0.failsAfter = 0 }
  defer { device.host.state.withLock { $0.failsAfter = .max } }
  let failure = status { try device.run(program, [binding(buffer, bytes: 16), binding(buffer, bytes: 16)]) }
  return failure?.status == BP_E_OOM_HOST ? nil : "no memory is OK"
}

private func symbols(_ device: MutantDevice) throws -> String? {
  var builder = GraphBuilder()
  let rows = builder.symbol("rows", 1...8), columns = builder.symbol("columns", 1...8)
  let x = builder.input("x", .f32, Shape([.symbol(rows), .symbol(columns)])), y = builder.intermediate("y", .f32, Shape([.symbol(rows)]))
  builder.append(Node(op: "reduce_sum", inputs: [x], outputs: [y], attributes: [Attribute("axes", .ints([-1])), Attribute("keep_dims", .int(0))]))
  builder.output(y)
  let (memory, sums) = (numbers(64, 1), numbers(64, -1))
  defer { memory.deallocate(); sums.deallocate() }
  let program = try device.program(ABIGraph(builder.graph))
  let (bx, by) = (try device.buffer(memory, bytes: 256), try device.buffer(sums, bytes: 256))
  defer {
    device.functions.program_destroy(program)
    for b in [bx, by] { device.functions.buffer_destroy(device.handle, b) }
  }
  try device.run(program, [binding(bx, bytes: 256), binding(by, bytes: 256)], symbols: [(rows.number, 2), (columns.number, 5)])
  return (0..<3).map { sums[$0] } == [5, 5, -1] ? nil : "symbols are misread"
}

/// Intermediates that are live at the same time.
private func places(_ device: MutantDevice) throws -> String? {
  var builder = GraphBuilder()
  let x = builder.input("x", .f32, [4]), a = builder.intermediate("a", .f32, [4]), b = builder.intermediate("b", .f32, [4]), y = builder.intermediate("y", .f32, [4])
  builder.append(Node(op: "neg", inputs: [x], outputs: [a]))
  builder.append(Node(op: "square", inputs: [x], outputs: [b]))
  builder.append(Node(op: "add", inputs: [a, b], outputs: [y]))
  builder.output(y)
  let (memory, result, workspace) = (numbers(4, 3), numbers(4, 0), numbers(1024, .nan))
  defer { for m in [memory, result, workspace] { m.deallocate() } }
  let program = try device.program(ABIGraph(builder.graph))
  let (bx, by, bw) = (try device.buffer(memory, bytes: 16), try device.buffer(result, bytes: 16), try device.buffer(workspace, bytes: 4096))
  defer {
    device.functions.program_destroy(program)
    for b in [bx, by, bw] { device.functions.buffer_destroy(device.handle, b) }
  }
  try device.run(program, [binding(bx, bytes: 16), binding(by, bytes: 16)], workspace: binding(bw, bytes: 4096))
  return result[0] == 6 ? nil : "3^2 - 3 is \(result[0])"
}

private func twoAtOnce(_ device: MutantDevice) throws -> String? {
  let program = try device.program(ABIGraph(chain(1)))
  defer { device.functions.program_destroy(program) }
  let memory = (0..<4).map { numbers(4, Float($0 * 10)) }
  defer { memory.forEach { $0.deallocate() } }
  let buffers = try memory.map { try device.buffer($0, bytes: 16) }
  defer { buffers.forEach { device.functions.buffer_destroy(device.handle, $0) } }
  nonisolated(unsafe) let (handle, all) = (program, buffers)
  let (started, done) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
  Thread.detachNewThread {
    started.signal()
    for _ in 0..<200 { try? device.run(handle, [binding(all[1], bytes: 16), binding(all[3], bytes: 16)]) }
    done.signal()
  }
  started.wait()
  var isRight = true
  for _ in 0..<200 {
    memory[2][0] = -1
    try device.run(program, [binding(buffers[0], bytes: 16), binding(buffers[2], bytes: 16)])
    isRight = isRight && memory[2][0] == 0
  }
  done.wait()
  return isRight && memory[3][0] == 10 ? nil : "two runs disturb each other"
}

private func neighbours(_ device: MutantDevice) throws -> String? {
  try device.verdicts(ABIGraph(chain(2))).allSatisfy { $0.support == BP_SUPPORT_YES } ? nil : "a verdict depends on the node before"
}
