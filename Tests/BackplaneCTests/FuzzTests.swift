import BackplaneC
import BackplaneCHeader
import Foundation
import Testing
import _CAPIFuzzer
import _TestSupport

extension CInterface {
  @Suite struct FuzzTests {
    private func fuzz(_ runtime: OpaquePointer, generator: OpaquePointer? = nil, folder: String? = nil, seed: UInt64, sequences: UInt64, sharesHandles: Bool = false) -> fuzz_result {
      "reference".withCString { device in
        (folder ?? "").withCString { path in
          var options = fuzz_options(seed: seed, sequences: sequences, runtime: runtime, device: device, generator: generator, folder: folder == nil ? nil : path,
                                     shares_handles: sharesHandles ? 1 : 0)
          return capi_fuzz(&options)
        }
      }
    }

    private func violation(_ result: fuzz_result) -> String { withUnsafeBytes(of: result.violation) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) } }

    @Test func randomCallsNeitherCrashNorBreakARule() throws {
      let (handles, folder) = (Handles(), try TemporaryFolder())
      let runtime = try handles.runtime()
      let generator = try handles.generator(runtime, folder).generator
      let result = fuzz(runtime, generator: generator, folder: folder.path, seed: 1, sequences: 10_000)
      #expect(violation(result) == "")
      // They reach what they are meant for.
      #expect(result.calls > 40_000 && result.runs > 500, "\(result.calls) calls, \(result.runs) runs")
    }

    /// What the search for leaks cannot see: handles, threads and files that are kept, memory that something still points to. In a process of its own.
    @Test func whatIsMadeAndFreedLeavesNothingBehind() throws {
      func churn(_ arguments: [String]) throws -> (status: Int32, output: String, error: String) { try Tool("env").attempt(["\(buildFolder)/_CAPIFuzz", "churn"] + arguments) }
      for device in [[], ["\(buildFolder)/libBackplaneCPU.so", "cpu"]] {
        let clean = try churn(["200"] + device)
        #expect(clean.status == 0, "\(clean.output)\(clean.error)")
      }
      // Left on purpose, each is found.
      for (what, loops, words) in [("handles", "50", "handles have grown"), ("files", "50", "open files have grown"), ("memory", "400", "bytes of malloc's have grown")] {
        let left = try churn([loops, what])
        #expect(left.status == 1 && left.output.contains(words), "\(what): \(left.output)\(left.error)")
      }
    }

    @Test func eightThreadsShareARuntime() throws {
      let (handles, folder) = (Handles(), try TemporaryFolder())
      let runtime = try handles.runtime()
      let generator = try handles.generator(runtime, folder).generator
      let graph = try handles.example()
      let session = try handles.session(runtime, graph.model)
      struct Shared: @unchecked Sendable { let runtime, generator, session: OpaquePointer; let x: UInt32 }
      let shared = Shared(runtime: runtime, generator: generator, session: session, x: graph.x)
      let violations = (0..<8).map { _ in UnsafeMutablePointer<fuzz_result>.allocate(capacity: 1) }
      defer { violations.forEach { $0.deallocate() } }
      struct Place: @unchecked Sendable { let pointer: UnsafeMutablePointer<fuzz_result> }
      let threads = violations.enumerated().map { index, place in
        let (place, ended) = (Place(pointer: place), DispatchSemaphore(value: 0))
        Thread.detachNewThread {
          // One session that all of them want: each call has it alone or is told that it has not.
          for _ in 0..<100 {
            let value = [Float](repeating: Float(index), count: 4)
            let status = bp_session_write(shared.session, shared.x, value, 16, nil)
            if status != BP_OK && status != BP_E_BUSY { Issue.record("write gave \(status)") }
            let run = bp_session_run(shared.session, [1], 1, nil, nil)
            if run != BP_OK && run != BP_E_BUSY { Issue.record("run gave \(run)") }
          }
          place.pointer.initialize(to: fuzz(shared.runtime, generator: shared.generator, seed: 1000 + UInt64(index), sequences: 200, sharesHandles: true))
          ended.signal()
        }
        return ended
      }
      threads.forEach { $0.wait() }
      for result in violations { #expect(violation(result.pointee) == "") }
    }
  }
}
