import BackplaneABI
import BackplaneCore
@testable import BackplaneRegistry
import Foundation
import Testing
import _TestSupport

/// `Plugins/Template`: built by a C compiler with the headers in a folder of its own, loaded by path.
@Suite struct TemplateTests {
  private func device() throws -> Device { try Fixtures.registry([Fixtures.template()]).device("template") }

  @Test func theProbeOpensItAndItsCanaryPasses() throws {
    let registry = try Fixtures.registry([Fixtures.template()])
    let entry = try #require(registry.entries.first)
    #expect(entry.state == .ready)
    #expect(entry.name == "Template")
    #expect(entry.devices.map(\.id) == ["template:0"])
    #expect(entry.devices.first?.canary == "passed")
  }

  @Test func itRunsAChainOfAllItsOperators() throws {
    let device = try device()
    // y = matmul(silu(rms_norm(x) * w), b) + c, with two symbolic rows
    var builder = GraphBuilder()
    let rows = builder.symbol("rows", 1...4)
    let x = builder.input("x", .f32, Shape([.symbol(rows), 3])), w = builder.input("w", .f32, [3])
    let b = builder.constant("b", .f32, [2, 3]), c = builder.input("c", .f32, [1, 2])
    let n = builder.intermediate("n", .f32, Shape([.symbol(rows), 3])), m = builder.intermediate("m", .f32, Shape([.symbol(rows), 3]))
    let s = builder.intermediate("s", .f32, Shape([.symbol(rows), 3])), p = builder.intermediate("p", .f32, Shape([.symbol(rows), 2]))
    let y = builder.intermediate("y", .f32, Shape([.symbol(rows), 2]))
    builder.append(Node(op: "rms_norm", inputs: [x, nil], outputs: [n], attributes: [Attribute("epsilon", .float(1e-6)), Attribute("weight_offset", .float(0))]))
    builder.append(Node(op: "mul", inputs: [n, w], outputs: [m]))
    builder.append(Node(op: "silu", inputs: [m], outputs: [s]))
    builder.append(Node(op: "matmul", inputs: [s, b, nil, nil], outputs: [p], attributes: [Attribute("transpose_b", .int(1)), Attribute("activation", .string("none"))]))
    builder.append(Node(op: "add", inputs: [p, c], outputs: [y]))
    builder.output(y)
    let graph = try ABIGraph(builder.graph)
    #expect(try device.query(graph).map(\.support) == [.yes, .yes, .yes, .yes, .yes])
    let program = try device.compile(graph)
    #expect(program.info.placements.count == 4)
    #expect(program.info.workspaceByteCount == 4 * 64)

    let xs: [Float] = [1, -2, 3, 0.5, 0.25, -4], ws: [Float] = [1, 2, -1], bs: [Float] = [1, 0, 2, -1, 3, 1], cs: [Float] = [10, 20]
    // Bound in the order of the graph's inputs: inputs, constants, outputs.
    let got = try run(program, inputs: [xs, ws, cs, bs], output: 4, symbols: [(rows.number, 2)])
    for row in 0..<2 {
      let values = (0..<3).map { Double(xs[row * 3 + $0]) }
      let scale = 1 / (values.map { $0 * $0 }.reduce(0, +) / 3 + 1e-6).squareRoot()
      let hidden = (0..<3).map { (i: Int) -> Double in
        let v = values[i] * scale * Double(ws[i])
        return v / (1 + exp(-v))
      }
      for column in 0..<2 {
        let expected = (0..<3).map { hidden[$0] * Double(bs[column * 3 + $0]) }.reduce(0, +) + Double(cs[column])
        #expect(abs(Double(got[row * 2 + column]) - expected) < 1e-5)
      }
    }
  }

  @Test func aRefusalNamesItsReason() throws {
    let device = try device()
    func verdict(_ op: String, _ format: ElementFormat = .f32, attributes: [Attribute] = [], inputs: Int = 2, version: Int = 1) throws -> Verdict {
      var builder = GraphBuilder()
      let operands = (0..<inputs).map { builder.input("x\($0)", format, [4, 4]) }
      let y = builder.intermediate("y", format, [4, 4])
      builder.append(Node(op: op, version: version, inputs: operands, outputs: [y], attributes: attributes))
      builder.output(y)
      return try #require(try device.query(ABIGraph(builder.graph)).first)
    }
    let plain = [Attribute("transpose_b", .int(1)), Attribute("activation", .string("none"))]
    #expect(try verdict("softmax").reason.code == BP_REASON_OP_UNKNOWN)
    #expect(try verdict("add", .f16).reason.code == BP_REASON_DTYPE)
    #expect(try verdict("add", inputs: 1).reason.code == BP_REASON_OPERAND_MISSING)
    #expect(try verdict("matmul", attributes: plain).isSupported)
    let biased = try verdict("matmul", attributes: plain, inputs: 3)
    #expect(biased.reason.code == BP_REASON_OPERAND_UNEXPECTED)
    #expect(biased.operand == 2)
    #expect(try verdict("matmul", attributes: [plain[0], Attribute("activation", .string("relu"))]).reason.code == BP_REASON_ATTRIBUTE)
    let newer = try verdict("add", version: 7)
    #expect(newer.description == "no: the operator's version is newer than the plugin knows (limit 1, actual 7)")
  }

  @Test func compilingWhatItRefusedNamesTheNode() throws {
    let device = try device()
    var builder = GraphBuilder()
    let x = builder.input("x", .f32, [4]), y = builder.intermediate("y", .f32, [4]), z = builder.intermediate("z", .f32, [4])
    builder.append(Node(op: "silu", inputs: [x], outputs: [y]))
    builder.append(Node(op: "cos", inputs: [y], outputs: [z]))
    builder.output(z)
    let graph = try ABIGraph(builder.graph)
    let error = #expect(throws: BackplaneError.self) { try device.compile(graph) }
    #expect(error?.kind == .unsupported)
    #expect(error?.node == 1)
    #expect(error?.description == "template:0: program_create: node 1 has no kernel here")
  }

  @Test func functionsOfGroupsThatItDoesNotServeAnswerUnsupported() throws {
    let device = try device()
    #expect(device.info.groups == .base)
    let error = #expect(throws: BackplaneError.self) { try DeviceQueue(device) }
    #expect(error?.kind == .unsupported)
    #expect(error?.description == "template:0: queue_create: the plugin has no queue_create")
    #expect(throws: BackplaneError.self) { try DeviceSemaphore(device) }
    #expect(throws: BackplaneError.self) { try device.clock() }
    #expect(throws: BackplaneError.self) { try device.reset() }
  }

  @Test func importedMemoryIsUsedAsItIs() throws {
    let device = try device()
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 256, alignment: 64)
    defer { memory.deallocate() }
    let buffer = try device.importBuffer(memory, usage: .weights)
    #expect(!buffer.wasCopied)
    #expect(try buffer.map(access: .read).baseAddress == memory.baseAddress)
    try buffer.unmap()
    #expect(throws: BackplaneError.self) { try buffer.map(offset: 200, byteCount: 100) }
  }

  @Test func anInstanceIsDestroyedAfterItsLastDevice() throws {
    weak var instance: PluginInstance?
    try {
      var device: Device? = try Device(PluginInstance(PluginLibrary(loading: Fixtures.template()), host: .minimal()), index: 0)
      instance = device?.instance
      let buffer = try device?.makeBuffer(byteCount: 8, usage: .input)
      device = nil
      #expect(instance != nil, "a buffer keeps its device and instance")
      _ = buffer
    }()
    #expect(instance == nil)
  }

  @Test func theMakefileBuildsIt() throws {
    let folder = try TemporaryFolder()
    for name in ["template.c", "Makefile"] {
      try FileManager.default.copyItem(atPath: packageFolder + "/Plugins/Template/\(name)", toPath: folder.path + "/\(name)")
    }
    try Tool("make").run(["INCLUDE=\(packageFolder)/Sources/BackplaneABI/include"], in: folder.path)
    #expect(try ELFNote.read(folder.path + "/libtemplate.so").minimumABI == ABIVersion(major: 1, minor: 0))
  }
}

/// Runs a program once on f32 data.
func run(_ program: DeviceProgram, inputs: [[Float]], output count: Int, symbols: [(UInt32, Int)] = []) throws -> [Float] {
  let device = program.device
  let result = try device.makeBuffer(byteCount: count * 4, usage: .output)
  let buffers = try inputs.map { values in
    let buffer = try device.makeBuffer(byteCount: values.count * 4, usage: .input)
    try buffer.map(access: .write).copyBytes(from: values.withUnsafeBytes { Array($0) })
    try buffer.unmap()
    return buffer
  } + [result]
  let workspace = try device.makeBuffer(byteCount: max(program.info.workspaceByteCount, 1), alignment: program.info.workspaceAlignment, usage: .workspace)
  var bindings = buffers.map { $0.binding() }, scratch = [workspace.binding()]
  var values = symbols.map { number, value in
    bp_symbol_value(h: head(bp_symbol_value.self, BP_ST_SYMBOL_VALUE), symbol: number, reserved0: 0, value: Int64(value))
  }
  try bindings.withUnsafeMutableBufferPointer { bindings in
    try scratch.withUnsafeMutableBufferPointer { scratch in
      try values.withUnsafeMutableBufferPointer { values in
        var dispatch = bp_dispatch()
        dispatch.h = head(bp_dispatch.self, BP_ST_DISPATCH)
        dispatch.program = program.handle
        dispatch.bindings = bp_array(ptr: UnsafeRawPointer(bindings.baseAddress), count: UInt32(bindings.count), stride: UInt32(MemoryLayout<bp_binding>.stride))
        dispatch.symbols = bp_array(ptr: UnsafeRawPointer(values.baseAddress), count: UInt32(values.count), stride: UInt32(MemoryLayout<bp_symbol_value>.stride))
        dispatch.workspace = UnsafePointer(scratch.baseAddress)
        try withUnsafePointer(to: &dispatch) { dispatch in
          var submission = bp_submission()
          submission.h = head(bp_submission.self, BP_ST_SUBMISSION)
          submission.dispatches = bp_array(ptr: UnsafeRawPointer(dispatch), count: 1, stride: UInt32(MemoryLayout<bp_dispatch>.stride))
          try device.execute(&submission)
        }
      }
    }
  }
  return try result.map(access: .read).withMemoryRebound(to: Float.self) { Array($0) }
}

/// Host memory that a plugin has taken and not given back.
private final class MemoryAccount: @unchecked Sendable {
  var bytes: UInt64 = 0
  var calls = 0

  /// A host whose only own services are `alloc` and `free`; never freed.
  var host: HostServices {
    let table = UnsafeMutablePointer<bp_host>.allocate(capacity: 1)
    table.initialize(to: bp_host())
    table.pointee.h = head(bp_host.self, BP_ST_HOST)
    table.pointee.ctx = Unmanaged.passRetained(self).toOpaque()
    table.pointee.alloc = { context, bytes, align, _ in
      let account = Unmanaged<MemoryAccount>.fromOpaque(context!).takeUnretainedValue()
      (account.bytes, account.calls) = (account.bytes + bytes, account.calls + 1)
      return .allocate(byteCount: Int(bytes), alignment: Int(align))
    }
    table.pointee.free = { context, memory, bytes, _, _ in
      Unmanaged<MemoryAccount>.fromOpaque(context!).takeUnretainedValue().bytes -= bytes
      memory?.deallocate()
    }
    return HostServices(table: table)
  }
}

@Suite struct HostTableTests {
  @Test func aPluginGivesBackAllThatItTook() throws {
    let account = MemoryAccount()
    try {
      let device = try Device(PluginInstance(PluginLibrary(loading: Fixtures.template()), host: account.host), index: 0)
      #expect(Canary.run(on: device) == .passed)
      #expect(account.bytes > 0)
    }()
    #expect(account.bytes == 0)
    #expect(account.calls > 5)
  }

  @Test func theTableOfAPluginHasNoEmptySlot() {
    let table = MemoryAccount().host.copy(negotiated: 0x10000)
    #expect(table.pointee.abi_negotiated == 0x10000)
    let slots = UnsafeRawBufferPointer(start: table, count: MemoryLayout<bp_host>.size)
    let first = MemoryLayout<bp_host>.offset(of: \.alloc)!
    for offset in stride(from: first, to: slots.count, by: 8) { #expect(slots.load(fromByteOffset: offset, as: UInt.self) != 0) }
  }

  @Test func settingsReachThePlugin() {
    let host = HostServices.minimal(settings: ["cpu.isa": "avx2"]).table
    var value = bp_str()
    func get(_ key: StaticString) -> bp_status {
      host.pointee.config_get(host.pointee.ctx, bp_str(ptr: UnsafeRawPointer(key.utf8Start).assumingMemoryBound(to: CChar.self), len: UInt64(key.utf8CodeUnitCount)), &value)
    }
    #expect(get("cpu.isa") == BP_OK)
    #expect(String(value) == "avx2")
    #expect(get("cpu.threads") == BP_E_INVALID)
  }
}
