import Foundation
import Testing

/// The store of compiled programs under tools that are killed and disks that are full.
@Suite(.serialized) struct StoreTests {
  private func arguments(_ store: URL, chip name: String) throws -> [String] {
    let chip = Tool.scratch.appendingPathComponent("\(name).json")
    try Data("{\"name\": \"\(name)\", \"compile_ms\": 15}".utf8).write(to: chip)
    return ["run", try Tool.synthetic("gemma3"), "--prompt", "ab", "--tokens", "3", "--greedy", "--json", "--threads", "1", "--device", "npu,cpu", "--pin", "matmul=npu",
            "--set", "cache.directory=\(store.path)", "--set", "npu.chip=\(chip.path)"]
  }

  /// Kills at random moments between start and end. BACKPLANE_KILL_RUNS=50 for all of them.
  @Test func aKilledToolLeavesAWholeStore() throws {
    let runs = ProcessInfo.processInfo.environment["BACKPLANE_KILL_RUNS"].flatMap { Int($0) } ?? 5
    let store = Tool.scratch.appendingPathComponent("killed-store")
    defer { try? FileManager.default.removeItem(at: store) }
    let begin = Date()
    let expected = try #require(try Tool.run(arguments(store, chip: "whole")).json()["token_ids"] as? [Int])
    let duration = Date().timeIntervalSince(begin)
    #expect(expected.count == 3)
    var killed = 0, leftBehind = 0
    for run in 0..<runs {
      // A chip of its own for each run: there is always something to compile and to keep.
      let arguments = try arguments(store, chip: "chip\(run)")
      if try Tool.kill(arguments, after: duration * Double.random(in: 0.05...0.6)) { killed += 1 }
      leftBehind += try FileManager.default.contentsOfDirectory(atPath: store.path).count { $0.hasSuffix(".tmp") }
      let verified = try Tool.run(["cache", "verify", "--set", "cache.directory=\(store.path)"])
      #expect(verified.status == 0, "run \(run): \(verified.output)")
      let next = try Tool.run(arguments)
      #expect(try next.json()["token_ids"] as? [Int] == expected, "run \(run)")
      #expect(!next.errors.contains("whole blob") && !next.errors.contains("damaged"), "run \(run): \(next.errors)")
    }
    let left = try FileManager.default.contentsOfDirectory(atPath: store.path).filter { $0.hasSuffix(".tmp") }
    #expect(left.isEmpty, "\(left)")
    #expect(killed > 0)
    print("\(runs) runs, \(killed) killed before their end, \(leftBehind) of them in the middle of writing: the store was whole each time, the next start right")
  }

  /// Somewhere nothing can be kept: a warning, and the run goes on.
  @Test func aFolderThatCannotBeWrittenCostsAWarning() throws {
    let file = Tool.scratch.appendingPathComponent("no-folder")
    try Data("a file".utf8).write(to: file)
    let result = try Tool.run(arguments(file.appendingPathComponent("store"), chip: "unkept"))
    #expect(result.status == 0 && result.errors.contains("the program will be compiled again next time"), "\(result.errors)")
  }
}

extension Tool {
  /// Starts the tool and kills it (SIGKILL) after so many seconds. False when it had ended by then.
  static func kill(_ arguments: [String], after seconds: Double) throws -> Bool {
    let process = Process()
    process.executableURL = folder.appendingPathComponent("backplane")
    process.arguments = arguments
    (process.standardOutput, process.standardError, process.standardInput) = (FileHandle.nullDevice, FileHandle.nullDevice, FileHandle.nullDevice)
    try process.run()
    usleep(UInt32(seconds * 1e6))
    Foundation.kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
    return process.terminationReason == .uncaughtSignal
  }
}
