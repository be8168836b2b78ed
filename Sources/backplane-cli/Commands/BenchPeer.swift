import Backplane
import Foundation

/// Another program that does the same work: a Python script named `*_adapter.py`, asked with one line of JSON, answering with one.
///
/// Asked `{"op", "format", "sizes", "attributes", "threads", "seconds"}`, it answers `{"microseconds": […]}` or `{"missing": "why"}`. Its
/// first line, unasked, is `{"name": "…"}`, or `{"missing": "why"}` where what it needs is not installed.
final class Peer {
  struct Missing: Error, CustomStringConvertible { let description: String }

  private(set) var name: String
  private let process: Process
  private let questions: FileHandle
  private let answers: FileHandle
  private var rest = Data()
  private let threads: Int

  /// Those that can run here; the reasons of the others go to stderr.
  static func all(in folder: String, python: String, threads: Int) throws -> [Peer] {
    let files = ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).filter { $0.hasSuffix("_adapter.py") }.sorted()
    guard !files.isEmpty else { throw UsageError("\(folder) has no *_adapter.py; --adapters names the folder") }
    return files.compactMap { file in
      do { return try Peer(folder + "/" + file, python: python, threads: threads) } catch {
        Terminal.writeError("\(file): \(error)\n")
        return nil
      }
    }
  }

  init(_ script: String, python: String, threads: Int) throws {
    self.threads = threads
    process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [python, script, String(threads)]
    let (input, output) = (Pipe(), Pipe())
    (process.standardInput, process.standardOutput, process.standardError) = (input, output, FileHandle.nullDevice)
    (questions, answers) = (input.fileHandleForWriting, output.fileHandleForReading)
    do { try process.run() } catch { throw Missing(description: "\(python) cannot be started: \(error.localizedDescription)") }
    var found: String?
    defer { if found == nil { process.terminate() } }
    self.name = ""
    let first = try readAnswer()
    guard let name = first["name"] as? String else { throw Missing(description: first["missing"] as? String ?? "the adapter does not say its name") }
    found = name
    self.name = name
  }

  deinit {
    try? questions.close()
    process.terminate()
  }

  func measure(_ work: BenchWork, seconds: Double) -> Result<[Double], Missing> {
    let question: [String: Any] = ["op": work.op, "format": work.format.name, "sizes": work.sizes, "threads": threads, "seconds": seconds]
    do {
      try questions.write(contentsOf: Data((Terminal.json(question) + "\n").utf8))
      let answer = try readAnswer()
      guard let times = answer["microseconds"] as? [Double], !times.isEmpty else {
        return .failure(Missing(description: answer["missing"] as? String ?? "no times in the answer"))
      }
      return .success(times)
    } catch {
      return .failure(error as? Missing ?? Missing(description: "\(error)"))
    }
  }

  private func readAnswer() throws -> [String: Any] {
    while true {
      if let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
        let line = rest[rest.startIndex..<end]
        rest = Data(rest[(end + 1)...])
        guard let answer = try? JSONSerialization.jsonObject(with: Data(line)) as? [String: Any] else { continue }  // what a library printed
        return answer
      }
      let more = answers.availableData
      if more.isEmpty { throw Missing(description: "the adapter ended") }
      rest.append(more)
    }
  }
}
