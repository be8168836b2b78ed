import BackplaneConformance
import BackplaneCore
import BackplaneRegistry
import Foundation
import Testing
import _TestSupport
@testable import BackplaneTuner

@Suite struct StoreTests {
  private func record(_ i: Int, kind: JSONRecord.Kind = .measured, device: String = "d", build: String = "b", kernel: String = "k", time: Int = 1) -> JSONRecord {
    JSONRecord(kind: kind, problem: Problem(op: "matmul", signature: "a=f32 b=f32", bucket: "a=64x512 b=512x512"),
               device: .init(name: device, driver: "drv", driverVersion: "1", uuid: device), plugin: .init(name: "P", version: "1", build: build, kernel: kernel),
               space: "5", configuration: "tiled:rows=\(i)", times: .init(median: 5, low: 4, high: 6, count: 8, ratio: 0.5, ratioLow: 0.4, ratioHigh: 0.6), time: time, host: "h")
  }

  @Test func recordsComeBackAndAreKeptOnce() throws {
    let folder = try TemporaryFolder(), store = try TuningStore([.user: folder.path + "/a/b/tuning.sqlite"])
    #expect(try store.add([record(1), record(2), record(1)]) == 2)
    #expect(try store.add([record(2)]) == 0)
    #expect(Set(try store.records(op: "matmul").map(\.record)) == [record(1), record(2)])
    #expect(try store.records(op: "softmax").isEmpty)
  }

  @Test func aMergeIsAUnion() throws {
    let folder = try TemporaryFolder()
    let (a, b) = (try TuningStore([.user: folder.path + "/a.sqlite"]), try TuningStore([.user: folder.path + "/b.sqlite"]))
    try a.add((0..<5).map { record($0) })
    try b.add((3..<8).map { record($0) })
    let lines = try a.records().map(\.record.line)
    #expect(try b.add(lines.compactMap { JSONRecord(line: $0) }) == 3)
    #expect(try b.records().count == 8)
  }

  @Test func theUsersRecordsStandBeforeShippedOnes() throws {
    let folder = try TemporaryFolder()
    try (record(1).line + "\nno record\n").write(toFile: folder.path + "/shipped.jsonl", atomically: true, encoding: .utf8)
    let store = try TuningStore([.user: folder.path + "/user.sqlite", .shipped: folder.path + "/shipped.jsonl"])
    #expect(store.problems.count == 1 && store.problems[0].contains("1 lines are no records"))
    try store.add([record(2)])
    #expect(try store.records().map(\.layer) == [.user, .shipped])
    #expect(try TuningStore([.shipped: folder.path + "/shipped.jsonl"]).records().count == 1, "what ships is not written")
  }

  @Test func aDamagedRowIsLeftOutAndCounted() throws {
    let folder = try TemporaryFolder(), path = folder.path + "/t.sqlite"
    let store = try TuningStore([.user: path])
    try store.add([record(1), record(2)])
    let database = try Database(path, readOnly: false)
    try database.run("UPDATE records SET line = replace(line, '0.5', '0.1') WHERE id = ?", [record(1).identity])
    var damaged = 0
    #expect(try store.records(damaged: &damaged).map(\.record) == [record(2)])
    #expect(damaged == 1)
  }

  @Test func aFileThatIsNoDatabaseIsAClearError() throws {
    let folder = try TemporaryFolder(), path = folder.path + "/t.sqlite"
    try String(repeating: "no database ", count: 100).write(toFile: path, atomically: true, encoding: .utf8)
    #expect { try TuningStore([.user: path]) } throws: { "\($0)".contains(path) }
  }

  /// Each writer has a connection of its own, as processes have.
  @Test func writersAtOnceLoseNothing() async throws {
    let folder = try TemporaryFolder(), path = folder.path + "/t.sqlite"
    _ = try TuningStore([.user: path])
    try await withThrowingTaskGroup(of: Void.self) { group in
      for writer in 0..<4 {
        group.addTask {
          let store = try TuningStore([.user: path])
          for i in 0..<25 { try store.add([self.record(1000 * writer + 2 * i), self.record(1000 * writer + 2 * i + 1)]) }
        }
      }
      try await group.waitForAll()
    }
    var damaged = 0
    #expect(try TuningStore([.user: path]).records(damaged: &damaged).count == 200)
    #expect(damaged == 0)
  }

  @Test func validityIsByDeviceDriverAndCode() {
    let base = record(1), plugin = base.plugin
    #expect(TuningStore.validity(base, base.device, plugin, space: 5) == .exact)
    #expect(TuningStore.validity(base, base.device, .init(name: "P", version: "2", build: "c", kernel: "k"), space: 5) == .recheck)
    #expect(TuningStore.validity(base, .init(name: "d", driver: "drv", driverVersion: "2", uuid: "d"), plugin, space: 5) == .recheck)
    #expect(TuningStore.validity(base, base.device, .init(name: "P", version: "1", build: "b", kernel: "other"), space: 5) == .seed)
    #expect(TuningStore.validity(base, .init(name: "e", driver: "drv", driverVersion: "1", uuid: "e"), plugin, space: 5) == .seed)
    #expect(TuningStore.validity(base, .init(name: "e", driver: "x", driverVersion: "1", uuid: "e"), plugin, space: 5) == .prior)
    #expect(TuningStore.validity(base, base.device, plugin, space: 6) == .seed)
  }

  @Test func casesOfOneBucketAreOneProblem() throws {
    let (a, b, c) = (try CaseID("matmul/a=f32.61x512/b=f32.512x512"), try CaseID("matmul/a=f32.64x512/b=f32.512x512"), try CaseID("matmul/a=f32.64x512/b=f32.500x512"))
    #expect(Problem(a) == Problem(b) && Problem(b) != Problem(c))
  }

  @Test func aLockFileThatIsTornIsRefused() {
    #expect(throws: BackplaneError.self) { try TuningLock(text: "cpu\tmatmul\ta=f32\n", file: "lock") }
  }
}
