import BackplaneConformance
import BackplaneRegistry
import Foundation
import Testing
import _TestSupport
@testable import BackplaneTuner

/// Tunes the fixture `choosy`, whose `add` has five wrong variants and five that end the process, in child processes of the tool.
@Suite struct RejectionTests {
  static let library: Result<String, any Error> = Result {
    let folder = try TemporaryFolder(removedAtExit: true), path = folder.path + "/libchoosy.so"
    try Tool("cc").run(["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-fvisibility=hidden", "-I", packageFolder + "/Sources/BackplaneABI/include",
                        packageFolder + "/Tests/Fixtures/plugins/choosy.c", "-o", path, "-lm"])
    return path
  }

  private func tuner(_ store: TuningStore?) throws -> Tuner {
    let path = try RejectionTests.library.get()
    let device = try Device(try PluginInstance(try PluginLibrary(loading: path), host: .minimal()), index: 0)
    return Tuner(device, store: store) {
      ChildRunner(executable: buildFolder + "/backplane", arguments: ["tune-child", "--device", "choosy:0", "--plugin", path, "--threads", "1"], timeout: .seconds(2))
    }
  }

  @Test func wrongAndCrashingVariantsAreRejectedAndTheFastRightOneIsFound() throws {
    let folder = try TemporaryFolder(), store = try TuningStore([.user: folder.path + "/t.sqlite"])
    let id = "add/a=f32.64x64/b=f32.64x64"
    let outcome = try tuner(store).tune(id, TuningBudget(trials: 20))
    let rejected = outcome.trials.filter { $0.fault != nil }
    #expect(Set(rejected.map(\.configuration.variant)) == ["wrong_nudged", "wrong_short", "wrong_sign", "wrong_shifted", "wrong_half", "crash_segment", "crash_abort", "crash_exit", "crash_signal", "crash_hang"])
    for trial in rejected { print("rejected  \(trial.configuration.variant)  \(trial.fault!)  \(trial.message?.prefix(120) ?? "")") }
    #expect(outcome.winner.variant == "fast" && outcome.interval.upperBound < 0.5)
    // What is known is not tried again, and the choice is the same.
    let again = try tuner(store).tune(id, TuningBudget(trials: 20))
    #expect(again.winner.variant == "fast" && again.trials.allSatisfy { $0.at == 0 })
    #expect(try store.records(kind: .rejected).count == 10)
  }
}

@Suite struct SharedStoreTests {
  /// Two tuners write into one store at once and are killed in the middle; then both go on where they were.
  @Test func tunersThatAreKilledLoseNothing() throws {
    let plugin = try RejectionTests.library.get(), folder = try TemporaryFolder(), path = folder.path + "/t.sqlite"
    let cases = ["add/a=f32.64x64/b=f32.64x64", "add/a=f32.8x32/b=f32.8x32"]
    func start() throws -> [Process] {
      try cases.map { id in
        let process = Process()
        process.executableURL = URL(fileURLWithPath: buildFolder + "/backplane")
        process.arguments = ["tune", "--plugin", plugin, "--device", "choosy:0", "--case", id, "--budget", "20", "--timeout", "1", "--store", path, "--threads", "1"]
        (process.standardOutput, process.standardError) = (FileHandle.nullDevice, FileHandle.nullDevice)
        try process.run()
        return process
      }
    }
    _ = try TuningStore([.user: path])
    func records() throws -> Set<JSONRecord> {
      var damaged = 0
      let found = Set(try TuningStore([.user: path]).records(damaged: &damaged).map(\.record))
      #expect(damaged == 0)
      return found
    }
    var before: Set<JSONRecord> = []
    for round in 0..<3 {
      let running = try start()
      var waits = 0
      while waits < 200, running.contains(where: \.isRunning), try records().count < before.count + 2 {
        usleep(100_000)
        waits += 1
      }
      for process in running {
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
      }
      let now = try records()
      #expect(now.isSuperset(of: before), "round \(round)")
      before = now
    }
    #expect(before.count >= 2)
    for process in try start() { process.waitUntilExit(); #expect(process.terminationStatus == 0) }
    let after = try records()
    #expect(after.isSuperset(of: before))
    #expect(after.filter { $0.kind == .chosen }.count == 2 && after.filter { $0.kind == .chosen }.allSatisfy { $0.configuration == "fast" })
    #expect(Set(after.filter { $0.kind == .rejected }.map { "\($0.problem) \($0.configuration)" }).count == 20)
  }
}
