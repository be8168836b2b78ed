import BackplaneCore
import Foundation

/// Which device runs which node, and why. Made by every compilation.
public struct PlacementReport: Sendable, Codable {
  public struct Entry: Sendable, Codable {
    /// Number in ``CompiledGraph/graph``.
    public var node: Int
    public var op: String
    /// Of the first output.
    public var name: String
    /// Nodes of the graph given that it stands for.
    public var members: [Int]
    public var device: String
    public var why: String
    /// The device's own estimate at the symbols' upper bounds, or what the runtime guesses when it gives none.
    public var estimatedNanoseconds: UInt64
    /// 0 a guess … 100 measured.
    public var confidence: UInt32
    public var program: Int
    /// The first device of the list refused it.
    public var isFallback: Bool
  }
  public struct Program: Sendable, Codable {
    public var device: String
    public var nodes: Range<Int>
    public var workspaceBytes: Int
    public var kernelCount: Int
    /// Loaded from the blob store: nothing was compiled.
    public var isFromStore: Bool
  }
  public struct Copy: Sendable, Codable {
    public var tensor: String
    public var from: String
    public var to: String
    public var beforeProgram: Int
    public var bytes: Int
  }

  public var entries: [Entry] = []
  public var programs: [Program] = []
  public var copies: [Copy] = []
  /// The estimated cost of the whole, moves and changes of device included.
  public var estimatedNanoseconds: UInt64 = 0
  /// False when placement had to drop states, so that a cheaper choice may exist.
  public var isExact = true
  public var fusedCount: Int { entries.filter { $0.members.count > 1 }.count }
  public var fallbackCount: Int { entries.filter(\.isFallback).count }

  public var json: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
  }

  /// A table, one line a node.
  public var text: String {
    var lines = ["\(entries.count) nodes (\(fusedCount) fused) in \(programs.count) programs, estimated \(milliseconds(estimatedNanoseconds)) at the symbols' upper bounds"
      + (isExact ? "" : ", placement approximate")]
    for (p, program) in programs.enumerated() {
      for copy in copies where copy.beforeProgram == p { lines.append("  copy \(copy.tensor): \(copy.from) -> \(copy.to), \(copy.bytes) bytes") }
      lines.append("  program \(p) on \(program.device): nodes \(program.nodes.lowerBound)..<\(program.nodes.upperBound), workspace \(program.workspaceBytes) bytes"
        + (program.isFromStore ? ", from the blob store" : ""))
      for entry in entries[program.nodes] {
        let parts = entry.members.count > 1 ? " [\(entry.members.count) nodes]" : ""
        lines.append("    \(entry.node) \(entry.op)\(parts) \(entry.name): \(entry.device), \(milliseconds(entry.estimatedNanoseconds)), \(entry.why)")
      }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private func milliseconds(_ nanoseconds: UInt64) -> String {
    let microseconds = (nanoseconds + 500) / 1000
    return microseconds < 10_000 ? "\(microseconds) us" : "\(microseconds / 1000) ms"
  }
}
