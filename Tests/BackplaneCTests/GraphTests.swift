import BackplaneC
import BackplaneCHeader
import Foundation
import Synchronization
import Testing
import _TestSupport

extension CInterface {
  @Suite struct GraphTests {
    private let handles = Handles()

    @Test func aGraphIsBuiltCompiledAndRun() throws {
      let runtime = try handles.runtime()
      let graph = try handles.example()
      let session = try handles.session(runtime, graph.model)
      let (x, step): ([Float], [Float]) = ((0..<8).map(Float.init), [1, 2, 3, 4])
      var y = [Float](repeating: 0, count: 8)
      try must { bp_session_write(session, graph.x, x, 32, $0) }
      try must { bp_session_write(session, graph.step, step, 16, $0) }
      for turn in 1...2 {
        try must { bp_session_run(session, [2], 1, nil, $0) }
        try must { bp_session_read(session, graph.y, &y, 32, $0) }
        #expect(y == (0..<8).map { x[$0] + Float(turn) * step[$0 % 4] })
      }
      var (size, total) = (0, [Float](repeating: 0, count: 4))
      try must { bp_session_size(session, graph.y, &size, $0) }
      #expect(size == 32)
      try must { bp_session_read(session, graph.total, &total, 16, $0) }
      #expect(total == [2, 4, 6, 8])
      try must { bp_session_reset(session, $0) }
      try must { bp_session_read(session, graph.total, &total, 16, $0) }
      #expect(total == [0, 0, 0, 0])
    }

    @Test func boundMemoryIsReadAndWrittenByEveryRun() throws {
      let graph = try handles.example()
      let session = try handles.session(handles.runtime(), graph.model)
      let (x, y) = (UnsafeMutablePointer<Float>.allocate(capacity: 4), UnsafeMutablePointer<Float>.allocate(capacity: 4))
      defer {
        x.deallocate()
        y.deallocate()
      }
      try must { bp_session_bind(session, graph.x, x, 16, $0) }
      try must { bp_session_bind(session, graph.y, y, 16, $0) }
      for value in 1...3 {
        x.update(repeating: Float(value), count: 4)
        try must { bp_session_run(session, [1], 1, nil, $0) }
        #expect(y[3] == Float(value))
      }
      refused(BP_E_INVALID, "32 bytes in this run", "16") { bp_session_run(session, [2], 1, nil, $0) }
      try must { bp_session_bind(session, graph.x, nil, 0, $0) }
      try must { bp_session_bind(session, graph.y, nil, 0, $0) }
      try must { bp_session_run(session, [2], 1, nil, $0) }
      var (memory, count): (UnsafeMutableRawPointer?, Int) = (nil, 0)
      try must { bp_session_address(session, graph.y, &memory, &count, $0) }
      #expect(count == 8 * 4 * 4 && memory != nil)
    }

    @Test func anAsynchronousRunTellsItsEndOnce() throws {
      let graph = try handles.example()
      let session = try handles.session(handles.runtime(), graph.model)
      final class Ending: Sendable {
        let arrived = DispatchSemaphore(value: 0)
        let status = Mutex<[Int32]>([])
      }
      let ending = Ending()
      let done: bp_done_fn = { user, status, failure in
        let ending = Unmanaged<Ending>.fromOpaque(user!).takeUnretainedValue()
        ending.status.withLock { $0.append(failure.map { $0.pointee.code } ?? status) }
        ending.arrived.signal()
      }
      let user = Unmanaged.passUnretained(ending).toOpaque()
      try must { bp_session_run_async(session, [8], 1, nil, done, user, $0) }
      ending.arrived.wait()
      var (cancellation, options): (bp_cancellation?, bp_run_options) = (nil, sized(bp_run_options()))
      try must { bp_cancellation_create(&cancellation, $0) }
      options.cancellation = try handles.keep(cancellation)
      try must { bp_cancellation_cancel(cancellation, $0) }
      try must { bp_session_run_async(session, [8], 1, &options, done, user, $0) }
      ending.arrived.wait()
      #expect(ending.status.withLock { $0 } == [BP_OK, BP_E_CANCELLED])
      refused(BP_E_INVALID, "done is NULL") { bp_session_run_async(session, [8], 1, nil, nil, nil, $0) }
      try must { bp_cancellation_reset(cancellation, $0) }
      try must { bp_session_run(session, [8], 1, &options, $0) }
    }

    @Test func whatIsWrongIsNamed() throws {
      let runtime = try handles.runtime()
      let graph = try handles.example()
      let session = try handles.session(runtime, graph.model)
      var number: UInt32 = 0
      var made: OpaquePointer?
      refused(BP_E_INVALID, "model is NULL") { bp_model_output(nil, 0, nil, $0) }
      refused(BP_E_INVALID, "no live handle") { bp_model_output(session, 0, nil, $0) }
      refused(BP_E_INVALID, "no format is called \"f31\"", "bf16") { bp_model_input(graph.model, "a", "f31", 1, [4], &number, $0) }
      refused(BP_E_INVALID, "rank is 9") { bp_model_input(graph.model, "a", "f32", 9, Array(repeating: 1, count: 9), &number, $0) }
      refused(BP_E_INVALID, "symbol 7") { bp_model_input(graph.model, "a", "f32", 1, [-7], &number, $0) }
      refused(BP_E_INVALID, "tensor", "nowhere to put") { bp_model_input(graph.model, "a", "f32", 1, [4], nil, $0) }
      refused(BP_E_INVALID, "name is not UTF-8") { bp_model_input(graph.model, [-1, 0], "f32", 1, [4], &number, $0) }
      refused(BP_E_INVALID, "16 bytes, 12 were given") { bp_model_constant(graph.model, "w", "f32", 1, [4], [Float](repeating: 0, count: 3), 12, nil, nil, &number, $0) }
      refused(BP_E_UNSUPPORTED, "no operator is called 'warp'") { bp_model_apply(graph.model, "warp", [0], 1, nil, nil, 0, &number, 1, $0) }
      refused(BP_E_INVALID, "attributes of softmax", "JSON") { bp_model_apply(graph.model, "softmax", [0], 1, "{axis: 1}", nil, 0, &number, 1, $0) }
      refused(BP_E_CONSTRAINT, "sharpness") { bp_model_apply(graph.model, "softmax", [0], 1, "{\"sharpness\": 1}", nil, 0, &number, 1, $0) }
      var failure = sized(bp_failure())
      #expect(bp_model_apply(graph.model, "matmul", [graph.x, graph.step], 2, nil, nil, 0, &number, 1, &failure) == BP_E_CONSTRAINT)
      #expect(withUnsafeBytes(of: failure.op) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) } == "matmul")
      refused(BP_E_INVALID, "no tensor is called \"z\"", "x, step, y") { bp_model_tensor(graph.model, "z", &number, $0) }
      refused(BP_E_INVALID, "rows is 9", "0…8") { bp_session_run(session, [9], 1, nil, $0) }
      refused(BP_E_INVALID, "symbol rows has no value") { bp_session_run(session, nil, 0, nil, $0) }
      refused(BP_E_INVALID, "y is an output") { bp_session_write(session, graph.y, [Float(0)], 4, $0) }
      refused(BP_E_INVALID, "x", "128 at most") { bp_session_write(session, graph.x, [UInt8](repeating: 0, count: 129), 129, $0) }
      refused(BP_E_INVALID, "struct_size is 0") { failure in
        var options = bp_run_options()
        return bp_session_run(session, [1], 1, &options, failure)
      }
      refused(BP_E_FILE, "/nowhere/model.gguf") { bp_model_load("/nowhere/model.gguf", nil, &made, $0) }
      refused(BP_E_INVALID, "no plugin for device", "reference") { failure in
        "npu7".withCString { devices in
          var options = sized(bp_compile_options())
          options.devices = devices
          return bp_model_compile(runtime, graph.model, &options, &made, failure)
        }
      }
      #expect(made == nil)
    }

    @Test func handlesAreFreedOnceAndDieThen() throws {
      var (cancellation, failure): (bp_cancellation?, bp_failure) = (nil, sized(bp_failure()))
      #expect(bp_cancellation_create(&cancellation, &failure) == BP_OK)
      #expect(bp_free(UnsafeRawPointer(cancellation)) == BP_OK)
      #expect(bp_free(UnsafeRawPointer(cancellation)) == BP_E_INVALID)
      #expect(bp_free(UnsafeRawPointer(bitPattern: 0x1234)) == BP_E_INVALID)
      #expect(bp_free(nil) == BP_OK)
      refused(BP_E_INVALID, "no live handle") { bp_cancellation_cancel(cancellation, $0) }
      // The slot's next handle is another one.
      var again: bp_cancellation?
      #expect(bp_cancellation_create(&again, &failure) == BP_OK)
      #expect(again != cancellation)
      #expect(bp_free(UnsafeRawPointer(again)) == BP_OK)
    }

    @Test func aSessionOutlivesWhatItWasMadeFrom() throws {
      let session: OpaquePointer
      let graph: (model: OpaquePointer, x: UInt32, step: UInt32, total: UInt32, y: UInt32)
      var kept: bp_session?
      do {
        let own = Handles()
        graph = try own.example()
        let compiled = try own.compiled(own.runtime(), graph.model)
        try must { bp_session_create(compiled, &kept, $0) }
      }
      session = try handles.keep(kept)
      var y = [Float](repeating: 9, count: 4)
      try must { bp_session_run(session, [1], 1, nil, $0) }
      try must { bp_session_read(session, graph.y, &y, 16, $0) }
      #expect(y == [0, 0, 0, 0])
    }

    @Test func borrowedWeightsAreReleasedOnce() throws {
      final class Count: Sendable { let value = Atomic<Int>(0) }
      let count = Count()
      let release: bp_release_fn = { user, _ in Unmanaged<Count>.fromOpaque(user!).takeUnretainedValue().value.add(1, ordering: .relaxed) }
      let (weights, user) = (UnsafeMutablePointer<Float>.allocate(capacity: 4), Unmanaged.passUnretained(count).toOpaque())
      weights.initialize(repeating: 3, count: 4)
      defer { weights.deallocate() }
      var number: UInt32 = 0
      do {
        let own = Handles()
        let graph = try own.example()
        refused(BP_E_INVALID, "20 bytes") { bp_model_constant(graph.model, "w", "f32", 1, [5], weights, 16, release, user, &number, $0) }
        #expect(count.value.load(ordering: .relaxed) == 1)
        try must { bp_model_constant(graph.model, "w", "f32", 1, [4], weights, 16, release, user, &number, $0) }
        var scaled: UInt32 = 0
        try must { bp_model_apply(graph.model, "mul", [graph.y, number], 2, nil, "scaled", 0, &scaled, 1, $0) }
        try must { bp_model_output(graph.model, scaled, nil, $0) }
        let session = try own.session(own.runtime(), graph.model)
        try must { bp_session_write(session, graph.x, [Float](repeating: 2, count: 4), 16, $0) }
        try must { bp_session_run(session, [1], 1, nil, $0) }
        var result: [Float] = [0, 0, 0, 0]
        try must { bp_session_read(session, scaled, &result, 16, $0) }
        #expect(result == [6, 6, 6, 6])
        #expect(count.value.load(ordering: .relaxed) == 1)
      }
      #expect(count.value.load(ordering: .relaxed) == 2)
    }

    @Test func graphFilesKeepTheGraphAndItsWeights() throws {
      let folder = try TemporaryFolder()
      let graph = try handles.example()
      var (number, scaled): (UInt32, UInt32) = (0, 0)
      try must { bp_model_constant(graph.model, "w", "f32", 1, [4], [1, 10, 100, 1000] as [Float], 16, nil, nil, &number, $0) }
      try must { bp_model_numerics(graph.model, BP_NUMERICS_STRICT, $0) }
      try must { bp_model_apply(graph.model, "mul", [graph.y, number], 2, nil, "ä \"scaled\"\n", 0, &scaled, 1, $0) }
      try must { bp_model_output(graph.model, scaled, nil, $0) }
      let path = folder.path + "/example.graph"
      try must { bp_model_save(graph.model, path, $0) }
      var loaded: bp_model?
      try must { bp_model_load(path, nil, &loaded, $0) }
      let model = try handles.keep(loaded)
      #expect(try text { bp_model_describe(model, $0, $1, $2, $3) } == text { bp_model_describe(graph.model, $0, $1, $2, $3) })
      refused(BP_E_INVALID, "comes from a file") { bp_model_output(model, 0, nil, $0) }
      let session = try handles.session(handles.runtime(), model)
      try must { bp_session_write(session, graph.x, [1, 2, 3, 4] as [Float], 16, $0) }
      try must { bp_session_run(session, [1], 1, nil, $0) }
      var result: [Float] = [0, 0, 0, 0]
      try must { bp_session_read(session, scaled, &result, 16, $0) }
      #expect(result == [1, 20, 300, 4000])

      // Cut short, and with headers that say what cannot be.
      let whole = try Data(contentsOf: URL(fileURLWithPath: path))
      for length in [8, 15, 40, whole.count - 1] {
        try whole.prefix(length).write(to: URL(fileURLWithPath: path))
        refused(BP_E_FILE, path) { bp_model_load(path, nil, &loaded, $0) }
      }
      for (from, to, words) in [("\"f32\"", "\"f23\"", "format"), ("\"state\"", "\"stale\"", "role"), ("\"add\"", "\"adx\"", "adx"), ("\"version\": 1", "\"version\": 9", "version 9")] {
        var bytes = whole
        bytes.replaceSubrange(try #require(bytes.range(of: Data(from.utf8))), with: Data(to.utf8))
        try bytes.write(to: URL(fileURLWithPath: path))
        var failure = sized(bp_failure())
        #expect(bp_model_load(path, nil, &loaded, &failure) < 0)
        #expect(message(failure).contains(words), "\(message(failure))")
      }
    }

    @Test func reportsSayWhereNodesRun() throws {
      let runtime = try handles.runtime()
      #expect(try text { bp_runtime_devices(runtime, $0, $1, $2, $3) }.contains("\"reference\""))
      let graph = try handles.example()
      let kept = try handles.compiled(runtime, graph.model)
      #expect(try text { bp_compiled_report(kept, BP_REPORT_PLACEMENT_TEXT, $0, $1, $2, $3) }.contains("on reference"))
      for kind in [BP_REPORT_PLACEMENT_JSON, BP_REPORT_MEMORY_JSON] {
        let json = try text { bp_compiled_report(kept, kind, $0, $1, $2, $3) }
        #expect(try JSONSerialization.jsonObject(with: Data(json.utf8)) is [String: Any])
      }
      var stats = sized(bp_memory_stats())
      try must { bp_memory(&stats, $0) }
      #expect(stats.live_handles >= 3 && stats.resident > 0)
    }

    @Test func smallerStructsAreTakenAsOldOnes() throws {
      // A caller that knows only the first fields of the failure and the options.
      var failure = bp_failure()
      failure.struct_size = 8
      #expect(bp_model_output(nil, 0, nil, &failure) == BP_E_INVALID)
      #expect(failure.code == BP_E_INVALID && message(failure).isEmpty)
      failure.struct_size = 100
      #expect(bp_model_output(nil, 0, nil, &failure) == BP_E_INVALID)
      #expect(message(failure) == String("model is NULL".prefix(19)))
      var stats = bp_memory_stats()
      stats.struct_size = 16
      try must { bp_memory(&stats, $0) }
      #expect(stats.resident > 0 && stats.peak_resident == 0)
    }
  }
}
