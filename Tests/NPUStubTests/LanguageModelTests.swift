import BackplaneModels
@testable import BackplaneRuntime
import Foundation
import Testing
import _TestSupport

/// A language model on the simulated NPU and the CPU together.
@Suite(.serialized) struct LanguageModelTests {
  @Test func staticShapesServePromptAndDecode() throws {
    let runtime = makeRuntime()
    let model = try syntheticModel()
    let generator = try TextGenerator(model, on: runtime, options: try npuFirst(runtime), chunks: [8, 64])
    let devices = Dictionary(grouping: generator.compiled.report.entries, by: \.device).mapValues(\.count)
    #expect((devices["npu:0"] ?? 0) >= 8 && (devices["cpu"] ?? 0) >= 8, "\(devices)")
    // 77 tokens: 64, 8 and, padded, 5.
    let ids = (0..<77).map { Int32(10 + $0 * 7 % 90) }
    let chunked = Array(try generator.feed(ids))
    let plain = try TextGenerator(model, on: runtime, options: CompileOptions(devices: [try runtime.device("cpu")]))
    let expected = Array(try plain.feed(ids))
    #expect(generator.past == 77 && cosine(chunked, expected) > 0.999)
    // The padding left nothing behind: what follows is as after single tokens.
    let next = Array(try generator.feed([20])), other = Array(try plain.feed([20]))
    #expect(cosine(next, other) > 0.999)
  }

  @Test func aSecondStartCompilesNothing() throws {
    let folder = temporaryFolder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let model = try syntheticModel()
    func start(_ settings: [String: String] = [:], _ messages: Messages) throws -> (fresh: Int, stored: Int, tokens: [Int32]) {
      let runtime = makeRuntime(settings, store: folder, messages: messages)
      let generator = try TextGenerator(model, on: runtime, options: try npuFirst(runtime))
      let programs = generator.compiled.report.programs.filter { $0.device == "npu:0" }
      return (programs.count { !$0.isFromStore }, programs.count { $0.isFromStore }, try generate(generator, prompt: "abc", count: 8))
    }
    let messages = Messages()
    let first = try start([:], messages)
    #expect(first.fresh > 0 && messages.count("npu: program of") > 0)
    let compiled = messages.count("npu: program of")
    let second = try start([:], messages)
    #expect(second.fresh == 0 && second.stored == first.fresh + first.stored && second.tokens == first.tokens)
    #expect(messages.count("npu: program of") == compiled)
    // Another chip: other programs.
    let chip = folder + ".json"
    defer { try? FileManager.default.removeItem(atPath: chip) }
    try Data("{\"name\": \"Small\", \"scratchpad_bytes\": 65536}".utf8).write(to: URL(fileURLWithPath: chip))
    #expect(try start(["npu.chip": chip], messages).fresh > 0)
  }

  @Test func aCorruptBlobIsCompiledAgainWithAMessage() throws {
    let folder = temporaryFolder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let model = try syntheticModel()
    let expected = try tokens(model, makeRuntime(["npu.fault": "corrupt_blob"], store: folder), count: 6)
    let messages = Messages()
    #expect(try tokens(model, makeRuntime(store: folder, messages: messages), count: 6) == expected)
    #expect(messages.count("its checksum differs; compiled again") > 0, "\(messages.all.prefix(5))")
    let again = Messages()
    #expect(try tokens(model, makeRuntime(store: folder, messages: again), count: 6) == expected)
    #expect(again.count("compiled again") == 0)
  }

  /// The disk is full from the first byte, and in the middle of a blob.
  @Test(arguments: [0, 9_000]) func aFullDiskCostsWarningsOnly(room: Int) throws {
    let folder = temporaryFolder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let model = try syntheticModel()
    let messages = Messages()
    let runtime = makeRuntime(store: folder, messages: messages)
    let store = try #require(runtime.host.blobs)
    store.room.withLock { $0 = room }
    #expect(try tokens(model, runtime, count: 6) == tokens(model, makeRuntime(), count: 6))
    #expect(messages.count("No space left on device") > 0 && messages.count("compiled again next time") > 0, "\(messages.all.prefix(5))")
    let names = try FileManager.default.contentsOfDirectory(atPath: folder)
    #expect(store.damaged().isEmpty && names.allSatisfy { !$0.hasSuffix(".tmp") })
    // Room again: kept from then on.
    store.room.withLock { $0 = nil }
    _ = try tokens(model, makeRuntime(store: folder), count: 1)
    let again = makeRuntime(store: folder)
    #expect(try TextGenerator(model, on: again, options: npuFirst(again)).compiled.report.programs.allSatisfy { $0.device != "npu:0" || $0.isFromStore })
  }

  /// Faults at random dispatches: the text is the same as without. BACKPLANE_FAULT_RUNS=100 for all of them.
  @Test func aLostDeviceLosesNothing() throws {
    let folder = temporaryFolder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let runs = ProcessInfo.processInfo.environment["BACKPLANE_FAULT_RUNS"].flatMap { Int($0) } ?? 3
    let count = 200
    let model = try syntheticModel()
    let runtime = makeRuntime(store: folder)
    let generator = try TextGenerator(model, on: runtime, options: try npuFirst(runtime))
    let expected = try generate(generator, prompt: "abc def ghi", count: count)
    let dispatches = generator.compiled.report.programs.count { $0.device == "npu:0" } * count
    #expect(dispatches >= count)
    var random = SeededGenerator(seed: 7)
    var recovered = 0
    for _ in 0..<runs {
      let at = Int.random(in: 1...dispatches, using: &random)
      let faulty = makeRuntime(["npu.fault": "device_lost@\(at)"], store: folder)
      let text = try tokens(model, faulty, count: count)
      #expect(text == expected, "device_lost@\(at)")
      #expect(faulty.recovery.events.map(\.isBack) == [true], "device_lost@\(at)")
      recovered += faulty.recovery.events.count
    }
    #expect(recovered == runs)
    print("\(runs) texts of \(count) tokens with a lost device: all equal to the text without, \(recovered) recoveries, faults in 1...\(dispatches)")
  }

  @Test func aDeviceThatStaysAwayIsLeftOut() throws {
    let model = try syntheticModel()
    let runtime = makeRuntime(["npu.fault": "device_gone@40"])
    let generator = try TextGenerator(model, on: runtime, options: try npuFirst(runtime))
    let text = try generate(generator, prompt: "abc", count: 12)
    #expect(text.count == 12 && generator.past == model.tokenizer.encode("abc").count + 11)
    #expect(generator.compiled.devices.map(\.id) == ["cpu"] && runtime.recovery.events.map(\.isBack) == [false])
  }

  @Test func aTimeoutIsAskedAgain() throws {
    let model = try syntheticModel()
    let messages = Messages()
    let runtime = makeRuntime(["npu.fault": "timeout@3,timeout@9"], messages: messages)
    #expect(try tokens(model, runtime, count: 6) == tokens(model, makeRuntime(), count: 6))
    #expect(runtime.recovery.events.map(\.isTimeout) == [true, true] && messages.count("did not answer in time") == 2)
    // One that never answers is an error in the end.
    let deaf = makeRuntime(["npu.fault": (1...20).map { "timeout@\($0)" }.joined(separator: ",")])
    let error = #expect(throws: BackplaneError.self) { try tokens(model, deaf, count: 6) }
    #expect(error?.kind == .timeout && deaf.recovery.events.count == 3)
  }

  @Test func timeAndEnergyOfTheChipAreAddedUp() throws {
    let model = try syntheticModel()
    func costs(_ chip: String, count: Int) throws -> (cost: DeviceProgram.Cost, runs: Int) {
      let path = temporaryFolder() + ".json"
      try Data(chip.utf8).write(to: URL(fileURLWithPath: path))
      defer { try? FileManager.default.removeItem(atPath: path) }
      let runtime = makeRuntime(["npu.chip": path])
      let generator = try TextGenerator(model, on: runtime, options: try npuFirst(runtime))
      _ = try generate(generator, prompt: "a", count: count)
      #expect(Array(generator.estimatedCosts.keys) == ["npu:0"])
      return (try #require(generator.estimatedCosts["npu:0"]), generator.session.runCount)
    }
    let short = try costs("{}", count: 2), long = try costs("{}", count: 4), busy = try costs("{\"idle_mw\": 0}", count: 4)
    #expect(short.cost.nanoseconds > 0 && short.cost.joules > 0)
    #expect(abs(long.cost.joules / short.cost.joules - Double(long.runs) / Double(short.runs)) < 1e-6)
    #expect(busy.cost.nanoseconds == long.cost.nanoseconds && busy.cost.joules < long.cost.joules)
  }

  @Test func otherFaultsAreClearErrors() throws {
    let model = try syntheticModel()
    func failure(_ fault: String) -> BackplaneError? {
      do { _ = try tokens(model, makeRuntime(["npu.fault": fault]), count: 4) } catch { return error as? BackplaneError }
      return nil
    }
    #expect(failure("oom@2")?.kind == .outOfDeviceMemory)
    #expect(failure("fire@2")?.description.contains("device_lost@N") == true)
  }

  private func cosine(_ a: [Float], _ b: [Float]) -> Float {
    var (ab, aa, bb): (Float, Float, Float) = (0, 0, 0)
    for (x, y) in zip(a, b) { (ab, aa, bb) = (ab + x * y, aa + x * x, bb + y * y) }
    return ab / (aa * bb).squareRoot()
  }
}
