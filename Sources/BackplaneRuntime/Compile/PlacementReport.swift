import BackplaneCore
import BackplaneRegistry
import Foundation

/// Which device runs which node, why, and at what cost. Made by every compilation.
public struct PlacementReport: Sendable, Codable {
  /// Where a node's cost comes from.
  public enum Basis: String, Sendable, Codable {
    /// It was timed, by the runtime (``CompileOptions/measures``) or by the device, which says so by a confidence of 90 or more.
    case measured
    /// The device's own estimate.
    case estimated
    /// The device says nothing: a microsecond, and the operands at 10 GB/s.
    case guessed

    init(_ verdict: Verdict) { self = verdict.estimatedNanoseconds == 0 ? .guessed : verdict.confidence >= 90 ? .measured : .estimated }
  }
  /// What another device would have taken for the node's parts, or why it cannot run them.
  public struct Alternative: Sendable, Codable {
    public var device: String
    public var nanoseconds: UInt64?
    public var refusal: String?
  }
  public struct Entry: Sendable, Codable {
    /// Number in ``CompiledGraph/graph``.
    public var node: Int
    public var op: String
    /// Of the first output.
    public var name: String
    /// Nodes of the graph given that it stands for.
    public var members: [Int]
    public var device: String
    /// What the device would take by itself; empty where it does not say.
    public var kernel: String
    /// What stored choices have it take instead, each with the values of the symbol for which it holds.
    public var choices: [String]
    public var why: String
    /// The device's own estimate at the symbols' upper bounds, or what the runtime guesses when it gives none.
    public var estimatedNanoseconds: UInt64
    public var basis: Basis
    /// 0 a guess … 100 measured.
    public var confidence: UInt32
    public var program: Int
    /// The first device of the list refused it.
    public var isFallback: Bool
    /// One for each other device.
    public var alternatives: [Alternative]
  }
  public struct Program: Sendable, Codable {
    public var device: String
    public var nodes: Range<Int>
    /// Programs of one step run at the same time.
    public var step: Int
    public var workspaceBytes: Int
    public var kernelCount: Int
    /// Loaded from the blob store: nothing was compiled.
    public var isFromStore: Bool
    /// Of a run on the device's own clock, and its energy, where the device says so.
    public var cost: DeviceProgram.Cost?
  }
  public struct Copy: Sendable, Codable {
    public var tensor: String
    public var from: String
    public var to: String
    public var beforeProgram: Int
    /// At the symbols' upper bounds.
    public var bytes: Int
    /// The cost of the link for as many bytes.
    public var nanoseconds: UInt64
  }

  public var entries: [Entry] = []
  public var programs: [Program] = []
  public var copies: [Copy] = []
  /// Of the nodes; of moves between devices, and between them and the host; of changes of device.
  public var computeNanoseconds: UInt64 = 0, moveNanoseconds: UInt64 = 0, switchNanoseconds: UInt64 = 0
  /// The estimated cost of the whole, one after the other.
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
    var lines = ["\(entries.count) nodes (\(fusedCount) fused) in \(programs.count) programs, estimated \(PlacementReport.time(estimatedNanoseconds)) at the symbols' upper bounds"
      + (isExact ? "" : ", placement approximate"),
      "  nodes \(PlacementReport.time(computeNanoseconds)), moves \(PlacementReport.time(moveNanoseconds)), changes of device \(PlacementReport.time(switchNanoseconds))"]
    for (p, program) in programs.enumerated() {
      for copy in copies where copy.beforeProgram == p {
        lines.append("  copy \(copy.tensor): \(copy.from) -> \(copy.to), \(copy.bytes) bytes, \(PlacementReport.time(copy.nanoseconds))")
      }
      let others = programs.indices.filter { $0 != p && programs[$0].step == program.step }
      lines.append("  program \(p) on \(program.device)\(others.isEmpty ? "" : ", at the same time as \(others.map { "\($0)" }.joined(separator: ", "))"): nodes \(program.nodes.lowerBound)..<\(program.nodes.upperBound), workspace \(program.workspaceBytes) bytes"
        + (program.isFromStore ? ", from the blob store" : "")
        + (program.cost.map { ", \(PlacementReport.time(UInt64($0.nanoseconds))) and \(Int($0.joules * 1e9)) nJ on its clock" } ?? ""))
      for entry in entries[program.nodes] {
        let parts = entry.members.count > 1 ? " [\(entry.members.count) nodes]" : ""
        let others = entry.alternatives.compactMap { other in other.nanoseconds.map { "\(other.device) \(PlacementReport.time($0))" } }
        let kernel = entry.choices.isEmpty ? entry.kernel : "choice \(entry.choices.joined(separator: " or "))"
        lines.append("    \(entry.node) \(entry.op)\(parts) \(entry.name): \(entry.device)\(kernel.isEmpty ? "" : " by \(kernel)"), \(PlacementReport.time(entry.estimatedNanoseconds)) \(entry.basis), \(entry.why)"
          + (others.isEmpty ? "" : " (\(others.joined(separator: ", ")))"))
      }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  static func time(_ nanoseconds: UInt64) -> String {
    let microseconds = (nanoseconds + 500) / 1000
    return nanoseconds < 10_000 ? "\(nanoseconds) ns" : microseconds < 10_000 ? "\(microseconds) us" : "\(microseconds / 1000) ms"
  }
}
