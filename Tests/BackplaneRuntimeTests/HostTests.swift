import BackplaneABI
import BackplaneCore
import BackplaneRuntime
import Foundation
import Synchronization
import Testing

@Suite struct HostTests {
  private func host(settings: [String: String] = [:], environment: [String: String] = [:], log: @escaping LogHandler = { _ in }) -> PluginHost {
    PluginHost(pool: ThreadPool(workers: 2), settings: settings, environment: environment, log: log)
  }

  private func text(_ string: bp_str) -> String { String(decoding: UnsafeRawBufferPointer(start: string.ptr, count: Int(string.len)), as: UTF8.self) }

  private func withString<R>(_ string: String, _ body: (bp_str) -> R) -> R {
    var string = string
    return string.withUTF8 { bytes in bytes.withMemoryRebound(to: CChar.self) { body(bp_str(ptr: $0.baseAddress, len: UInt64($0.count))) } }
  }

  @Test func memoryIsAlignedAndCountedByTag() {
    let host = host()
    let table = host.services.table.pointee
    let first = table.alloc(table.ctx, 1000, 256, 7)!
    let second = table.alloc(table.ctx, 500, 64, 7)!
    #expect(UInt(bitPattern: first) % 256 == 0)
    #expect(host.memory.byteCount == 1500)
    table.free(table.ctx, first, 1000, 256, 7)
    #expect(host.memory.usage.map { [Int($0.tag), $0.byteCount, $0.peakByteCount, $0.blockCount] } == [[7, 500, 1500, 1]])
    table.free(table.ctx, second, 500, 64, 7)
    #expect(host.memory.byteCount == 0)
    #expect(host.memory.peakByteCount == 1500)
    #expect(table.alloc(table.ctx, 10, 3, 7) == nil)
  }

  /// Looking at the handler must not wrap it: after many messages the wrappers would fill memory and, called through, the stack.
  @Test func aMessageGoesStraightToItsHandlerHoweverManyCameBefore() {
    let depths = Mutex<Set<UInt>>([])
    let host = host(log: { _ in
      var here = 0
      let address = withUnsafeMutablePointer(to: &here) { UInt(bitPattern: $0) }
      depths.withLock { _ = $0.insert(address) }
    })
    func say() { host.log(LogMessage(level: .warning, category: "test", text: "again")) }
    for _ in 0..<100 { say() }
    #expect(depths.withLock { $0.count } == 1)
  }

  @Test func theEnvironmentSetsAndOptionsWin() {
    let environment = ["BACKPLANE_CPU_ISA": "avx2", "BACKPLANE_OPENCL_BUILD_FLAGS": "-w", "HOME": "/", "BACKPLANE_VALIDATE": "1"]
    #expect(PluginHost.settings(from: environment) == ["cpu.isa": "avx2", "opencl.build_flags": "-w"])
    let host = host(settings: ["cpu.isa": "scalar"], environment: environment)
    let table = host.services.table.pointee
    var out = bp_str()
    #expect(withString("cpu.isa") { table.config_get(table.ctx, $0, &out) } == BP_OK)
    #expect(text(out) == "scalar")
    #expect(withString("opencl.build_flags") { table.config_get(table.ctx, $0, &out) } == BP_OK)
    #expect(withString("cpu.nothing") { table.config_get(table.ctx, $0, &out) } == BP_E_INVALID)
    #expect(host.setting("cpu.isa") == "scalar")
  }

  @Test func namesOfOperatorsAndFormatsAreKnown() {
    let table = host().services.table.pointee
    var out = bp_str()
    #expect(table.name_of(table.ctx, Identifier("rms_norm").value, &out) == BP_OK)
    #expect(text(out) == "rms_norm")
    #expect(table.name_of(table.ctx, Identifier("q4_0").value, &out) == BP_OK)
    #expect(table.name_of(table.ctx, 1, &out) == BP_E_INVALID)
  }

  @Test func onlyWantedMessagesAreLogged() {
    let messages = Mutex<[String]>([])
    let host = host(log: { message in messages.withLock { $0.append("\(message.level) \(message.category) \(message.text)") } })
    let table = host.services.table.pointee
    let category = bp_str(ptr: nil, len: 0)
    #expect(table.log_enabled(table.ctx, BP_LOG_WARNING, category) == 1)
    #expect(table.log_enabled(table.ctx, BP_LOG_INFO, category) == 0)
    withString("hot") { text in
      table.log(table.ctx, BP_LOG_WARNING, text, text, nil)
      table.log(table.ctx, BP_LOG_INFO, text, text, nil)
    }
    #expect(messages.withLock { $0 } == ["warning hot hot"])
  }

  @Test func loopsTokensAndTheClockWork() {
    let table = host().services.table.pointee
    let sum = UnsafeMutablePointer<Atomic<Int>>.allocate(capacity: 1)
    sum.initialize(to: Atomic(0))
    defer { sum.deallocate() }
    #expect(table.worker_count(table.ctx, 0) == 2)
    #expect(table.parallel_for(table.ctx, 1000, 10, { raw, begin, end, _ in
      raw!.assumingMemoryBound(to: Atomic<Int>.self).pointee.add(Int(end - begin), ordering: .relaxed)
    }, sum, 0) == BP_OK)
    #expect(sum.pointee.load(ordering: .relaxed) == 1000)
    let token = CancellationToken()
    #expect(table.cancelled(table.ctx, token.flag.raw) == 0)
    token.cancel()
    #expect(table.cancelled(table.ctx, token.flag.raw) == 1)
    #expect(table.cancelled(table.ctx, nil) == 0)
    let now = table.now_ns(table.ctx)
    #expect(table.now_ns(table.ctx) >= now)
  }

  @Test func whatIsPutInAStoreComesBackAndStaysWhilePinned() {
    let table = host().services.table.pointee
    let (key, value) = ([1, 2, 3] as [UInt8], [4, 5] as [UInt8])
    var out = bp_span()
    var pin: UnsafeMutableRawPointer?
    key.withUnsafeBytes { key in
      let key = bp_span(ptr: key.baseAddress, len: 3)
      #expect(table.store_get(table.ctx, BP_STORE_BLOB, key, &out, &pin) == BP_E_INVALID)
      value.withUnsafeBytes { #expect(table.store_put(table.ctx, BP_STORE_BLOB, key, bp_span(ptr: $0.baseAddress, len: 2), 0) == BP_OK) }
      #expect(table.store_get(table.ctx, BP_STORE_TUNING, key, &out, &pin) == BP_E_INVALID)
      #expect(table.store_get(table.ctx, BP_STORE_BLOB, key, &out, &pin) == BP_OK)
      [9].withUnsafeBytes { _ = table.store_put(table.ctx, BP_STORE_BLOB, key, bp_span(ptr: $0.baseAddress, len: 1), 0) }
    }
    #expect(Array(UnsafeRawBufferPointer(start: out.ptr, count: Int(out.len))) == value)
    table.store_unpin(table.ctx, pin)
  }
}

@Suite struct FileTests {
  private func temporary(_ bytes: [UInt8]) throws -> String {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("mapped-\(UInt64.random(in: 0 ... .max))").path
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    return path
  }

  @Test func aFileIsMappedAndItsRangesAreChecked() throws {
    let path = try temporary(Array(0..<100))
    defer { unlink(path) }
    let file = try MappedFile(path)
    #expect(file.byteCount == 100)
    #expect(Array(try file.range(offset: 10, byteCount: 3)) == [10, 11, 12])
    #expect(#expect(throws: BackplaneError.self) { try file.range(offset: 90, byteCount: 11) }?.kind == .file)
    #expect(throws: BackplaneError.self) { try file.range(offset: .max, byteCount: 2) }
    file.advise(.sequential)
    file.advise(.dontNeed, offset: 1, byteCount: 5)
    #expect(file.bytes[99] == 99)
  }

  @Test func aFileThatChangesIsNoticed() throws {
    let path = try temporary([1, 2, 3])
    defer { unlink(path) }
    let file = try MappedFile(path)
    try file.checkUnchanged()
    truncate(path, 1)
    #expect(#expect(throws: BackplaneError.self) { try file.checkUnchanged() }?.message.hasPrefix("has changed since it was mapped (3 bytes then, 1 now)") == true)
  }

  @Test func filesThatCannotBeMappedAreExplained() throws {
    #expect(#expect(throws: BackplaneError.self) { try MappedFile("/nonexistent/file") }?.message == "cannot be opened: No such file or directory")
    #expect(#expect(throws: BackplaneError.self) { try MappedFile("/tmp") }?.message == "is no regular file")
    let path = try temporary([])
    defer { unlink(path) }
    #expect(try MappedFile(path).byteCount == 0)
  }

  @Test func theMemoryReportHasPlausibleNumbers() {
    let report = MemoryReport.current()
    #expect(report.resident > 1 << 20)
    #expect(report.peakResident >= report.resident)
    #expect(report.proportional > 0)
  }
}
