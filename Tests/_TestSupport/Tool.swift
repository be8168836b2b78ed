import Foundation
import Synchronization

/// A program of the machine or the toolchain, run by a test.
public struct Tool: Sendable {
  public struct Failure: Error, CustomStringConvertible {
    public let description: String
    public init(description: String) { self.description = description }
  }

  public let path: String

  /// The first of `names` that is in PATH or beside the Swift compiler's runtime.
  ///
  /// - Throws: ``Failure``, saying where it was looked for: a missing tool is a failed test, not a skipped one.
  public init(_ names: String...) throws {
    var folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init)
    // The toolchain's bin folder, from where its runtime was loaded: …/usr/lib/swift/linux/libswiftCore.so.
    if let maps = try? String(contentsOfFile: "/proc/self/maps", encoding: .utf8),
       let line = maps.split(separator: "\n").first(where: { $0.hasSuffix("/libswiftCore.so") }), let start = line.firstIndex(of: "/") {
      folders.append(URL(fileURLWithPath: String(line[start...])).appendingPathComponent("../../../../bin").standardized.path)
    }
    let places = names.flatMap { name in folders.map { "\($0)/\(name)" } }
    guard let found = places.first(where: { FileManager.default.isExecutableFile(atPath: $0) }) else {
      throw Failure(description: "none of \(names) was found in \(folders.joined(separator: ":"))")
    }
    path = found
  }

  /// Runs it and gives its standard output.
  ///
  /// - Throws: ``Failure`` with standard error when the exit status is not 0.
  @discardableResult
  public func run(_ arguments: [String], in folder: String? = nil) throws -> String {
    let result = try attempt(arguments, in: folder)
    guard result.status == 0 else {
      throw Failure(description: "\(path) \(arguments.joined(separator: " ")) ended with \(result.status):\n\(result.error)")
    }
    return result.output
  }

  public func attempt(_ arguments: [String], in folder: String? = nil) throws -> (status: Int32, output: String, error: String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = arguments
    if let folder { process.currentDirectoryURL = URL(fileURLWithPath: folder) }
    // Files, not pipes: a tool may write more than a pipe holds.
    let scratch = try TemporaryFolder()
    let (output, error) = (scratch.path + "/output", scratch.path + "/error")
    for file in [output, error] { _ = FileManager.default.createFile(atPath: file, contents: nil) }
    process.standardOutput = FileHandle(forWritingAtPath: output)
    process.standardError = FileHandle(forWritingAtPath: error)
    process.standardInput = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    return (process.terminationStatus, try String(contentsOfFile: output, encoding: .utf8), try String(contentsOfFile: error, encoding: .utf8))
  }
}

/// A folder that is removed with this object.
public final class TemporaryFolder: Sendable {
  public let path: String
  private static let removedAtExit = Mutex<[TemporaryFolder]>([])

  /// - Parameter removedAtExit: For an object that lives as long as the process, such as a static constant.
  public init(removedAtExit: Bool = false) throws {
    path = FileManager.default.temporaryDirectory.appendingPathComponent("backplane-test-" + UUID().uuidString).path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    guard removedAtExit else { return }
    let isFirst = TemporaryFolder.removedAtExit.withLock { folders in
      folders.append(self)
      return folders.count == 1
    }
    if isFirst {
      atexit { TemporaryFolder.removedAtExit.withLock { $0 }.forEach { try? FileManager.default.removeItem(atPath: $0.path) } }
    }
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// The folder of Package.swift.
public let packageFolder = URL(fileURLWithPath: #filePath).appendingPathComponent("../../..").standardized.path

/// The folder of what was built: the test executable, the tool, the plugins.
public let buildFolder = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent().path
