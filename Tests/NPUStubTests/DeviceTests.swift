import BackplaneABI
@testable import BackplaneConformance
import BackplaneCore
import BackplaneRegistry
import BackplaneRuntime
import Foundation
import Testing

@Suite struct DeviceTests {
  private func withChip<R>(_ json: String, _ body: (Device) throws -> R) throws -> R {
    let path = temporaryFolder() + ".json"
    try Data(json.utf8).write(to: URL(fileURLWithPath: path))
    defer { try? FileManager.default.removeItem(atPath: path) }
    let runtime = makeRuntime(["npu.chip": path])
    return try withExtendedLifetime(runtime) { try body(try runtime.device("npu")) }
  }

  /// What the suite finds wrong; and how many cases passed.
  private func judge(_ device: Device, _ ops: [String]) -> (bad: [String], passed: Int) {
    let executor = InProcessExecutor(device)
    var bad: [String] = [], passed = 0
    for id in Suite.ids(ops: ops, size: .quick) {
      let result = executor.run(id)
      switch result.outcome {
      case .pass: passed += 1
      case .unsupported: break
      default: bad.append("\(id): \(result.message ?? "")")
      }
    }
    return (bad, passed)
  }

  /// The smaller the scratchpad, the more tiles: a wrong one gives wrong numbers.
  @Test(arguments: [4096, 20_000, 1 << 20]) func tilesOfAnySizeGiveRightNumbers(scratchpad: Int) throws {
    try withChip("{\"scratchpad_bytes\": \(scratchpad)}") { device in
      let (bad, passed) = judge(device, ["matmul", "matmul_gated", "softmax", "rms_norm", "rotary_embedding", "gather", "add", "transpose", "attention"])
      #expect(bad.isEmpty, "\(bad.prefix(3))")
      #expect(passed > (scratchpad > 8192 ? 60 : 30))
    }
  }

  @Test(arguments: ["{\"activations\": \"f16\"}", "{\"activation_block\": 0}", "{\"activation_block\": 64}"]) func whatItRoundsIsDeclared(chip: String) throws {
    try withChip(chip) { device in
      let (bad, passed) = judge(device, ["matmul", "matmul_gated"])
      #expect(bad.isEmpty, "\(bad.prefix(3))")
      #expect(passed > 10)
    }
  }

  @Test func aChipThatIsNoneIsRefusedWithTheReason() throws {
    for (json, word) in [("{\"scratchpad\": 1}", "not known"), ("{\"clock_mhz\": \"fast\"}", "a number from"), ("[]", "expected"), ("{\"activation_block\": 7}", "multiple of 32")] {
      var message = ""
      do { try withChip(json) { _ in } } catch { message = "\(error)" }
      #expect(message.contains(word), "\(message)")
    }
  }

  private func graph(_ make: (inout GraphBuilder) throws -> Void) throws -> ABIGraph {
    var builder = GraphBuilder()
    try make(&builder)
    return try ABIGraph(builder.graph)
  }

  @Test func symbolsAreRefusedWithAReason() throws {
    let runtime = makeRuntime()
    let device = try runtime.device("npu")
    let symbolic = try graph { b in b.output(try b.relu(b.input("x", .f32, [.symbol(b.symbol("n", 1...8)), 4]))) }
    let verdict = try #require(try device.query(symbolic).first)
    #expect(!verdict.isSupported && verdict.reason.code == BP_REASON_DYNAMIC_DIM && verdict.limit == 8)
    #expect(device.info.properties.contains { $0.name == "simulated" } || device.info[property: "simulated"] != nil)
    #expect(!runtime.defaultDevices.contains { $0 === device })
  }

  @Test func blobsAreJudgedByTheirHeader() throws {
    let runtime = makeRuntime()
    let device = try runtime.device("npu")
    let records = try graph { b in b.output(try b.relu(b.input("x", .f32, [3, 40]))) }
    var blob = try device.compile(records).export()
    #expect(try fitness(blob, device) == .optimal)
    #expect(try load(records, blob, device).info.kernelCount == 1)
    // Another chip would compile it again.
    let elsewhere = try withChip("{\"name\": \"Other\"}") { other in try fitness(blob, other) }
    #expect(elsewhere == .recompile)
    // Another graph.
    let second = try graph { b in b.output(try b.relu(b.input("x", .f32, [3, 41]))) }
    let ofOther = failure { try load(second, blob, device) }
    #expect(ofOther == .staleBlob)
    // Damage behind the header shows when it is loaded, damage in it at once.
    blob[blob.count - 9] ^= 1
    let tail = blob
    #expect(try fitness(tail, device) == .optimal)
    let ofDamaged = failure { try load(records, tail, device) }
    #expect(ofDamaged == .staleBlob)
    for i in [0, 9, 40, 80] {
      var damaged = blob
      damaged[i] ^= 4
      #expect(try fitness(damaged, device) == .never, "byte \(i)")
    }
    for count in [0, 17, 200] {
      let short = Array(blob.prefix(count))
      let ofShort = failure { try load(records, short, device) }
      #expect(ofShort == (count == 0 ? nil : .staleBlob), "\(count) bytes")
    }
  }

  private func fitness(_ blob: [UInt8], _ device: Device) throws -> BlobFitness { try blob.withUnsafeBytes { try device.check(blobHeader: $0) } }
  private func load(_ graph: ABIGraph, _ blob: [UInt8], _ device: Device) throws -> DeviceProgram {
    try blob.withUnsafeBytes { try device.compile(graph, blob: $0) }
  }
  private func failure<R>(_ body: () throws -> R) -> BackplaneError.Kind? {
    do { _ = try body() } catch { return (error as? BackplaneError)?.kind }
    return nil
  }

  @Test func aDeviceIsResetOnlyWhenItsChildrenAreGone() throws {
    let runtime = makeRuntime(["npu.fault": "device_lost@1"])
    let device = try runtime.device("npu")
    let records = try graph { b in b.output(try b.relu(b.input("x", .f32, [4]))) }
    var buffer: DeviceBuffer? = try device.makeBuffer(byteCount: 256, usage: .input)
    var program: DeviceProgram? = try device.compile(records)
    let binding = buffer!.binding(offset: 0, byteCount: 16), output = buffer!.binding(offset: 128, byteCount: 16)
    let workspace = program!.info.workspaceByteCount
    let running = failure { try program!.run([binding, output], symbols: [:], workspace: nil) }
    let mapping = failure { try buffer!.map() }, compiling = failure { try device.compile(records) }, resetting = failure { try device.reset() }
    #expect(workspace == 0 && running == .deviceLost && mapping == .deviceLost && compiling == .deviceLost && resetting == .invalid)
    (buffer, program) = (nil, nil)
    try device.reset()
    buffer = try device.makeBuffer(byteCount: 256, usage: .input)
    program = try device.compile(records)
    try program!.run([buffer!.binding(offset: 0, byteCount: 16), buffer!.binding(offset: 128, byteCount: 16)], symbols: [:], workspace: nil)
  }
}
