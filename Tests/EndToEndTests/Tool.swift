import Foundation
import Testing

/// The built tool, run as a user runs it.
enum Tool {
  struct Result {
    var status: Int32
    var output: String
    var errors: String
    /// The last line of stdout as a JSON object.
    func json() throws -> [String: Any] {
      let line = output.split(separator: "\n").last.map(String.init) ?? ""
      return try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any], "not a JSON object: \(line.prefix(200))")
    }
  }

  /// Beside the test binary: SwiftPM builds the tool into the same folder.
  static let folder = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()

  /// Runs `backplane` and waits.
  ///
  /// - Parameters:
  ///   - environment: Added to this process's own.
  ///   - meanwhile: Done while the tool runs; gets its process number.
  static func run(_ arguments: [String], environment: [String: String] = [:], timeout: Double = 600, meanwhile: (Int32) -> Void = { _ in }) throws -> Result {
    let process = Process()
    process.executableURL = folder.appendingPathComponent("backplane")
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    // Files rather than pipes: a full pipe would stop the tool.
    let scratch = FileManager.default.temporaryDirectory.appendingPathComponent("backplane-e2e-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: scratch, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: scratch) }
    let (out, err) = (scratch.appendingPathComponent("out"), scratch.appendingPathComponent("err"))
    for file in [out, err] { try Data().write(to: file) }
    process.standardOutput = try FileHandle(forWritingTo: out)
    process.standardError = try FileHandle(forWritingTo: err)
    process.standardInput = FileHandle.nullDevice
    try process.run()
    meanwhile(process.processIdentifier)
    let deadline = Date().addingTimeInterval(timeout)
    while process.isRunning, Date() < deadline { usleep(5000) }
    if process.isRunning { process.terminate(); Issue.record("backplane \(arguments) did not end within \(timeout) s") }
    process.waitUntilExit()
    return Result(status: process.terminationReason == .uncaughtSignal ? -process.terminationStatus : process.terminationStatus,
                  output: try String(contentsOf: out, encoding: .utf8), errors: try String(contentsOf: err, encoding: .utf8))
  }

  /// A folder for one test's files, removed when the process ends.
  static let scratch: URL = {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("backplane-e2e-files-\(getpid())")
    try? FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    atexit { try? FileManager.default.removeItem(at: Tool.scratch) }
    return folder
  }()

  /// The real Gemma weights, where the environment names them.
  static let gemma = ProcessInfo.processInfo.environment["BACKPLANE_TEST_MODEL"].flatMap { FileManager.default.fileExists(atPath: $0) ? $0 : nil }

  /// A small random-weight model of `architecture`, made once.
  static func synthetic(_ architecture: String) throws -> String {
    let path = scratch.appendingPathComponent("synthetic-\(architecture).gguf").path
    lock.lock()
    defer { lock.unlock() }
    if !FileManager.default.fileExists(atPath: path) {
      let made = try run(["model", "synth", path, "--architecture", architecture, "--seed", "7"])
      try #require(made.status == 0, "\(made.errors)")
    }
    return path
  }
  private static let lock = NSLock()

  static func fixture(_ path: String) -> URL {
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Fixtures/\(path)")
  }
}
