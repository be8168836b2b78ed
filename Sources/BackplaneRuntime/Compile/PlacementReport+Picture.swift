import Foundation

extension PlacementReport {
  /// The report as SVG: a lane a device, nodes as bars as long as their estimates, one after the other; what crosses devices as lines, with the link's
  /// cost. Bars have their node's words as titles. Complete and self-contained.
  public var svg: String {
    let left = 120.0, width = 1400.0, lane = 56.0, top = 56.0
    var names: [String] = []
    for program in programs where !names.contains(program.device) { names.append(program.device) }
    let whole = Double(max(estimatedNanoseconds, 1))
    let height = top + lane * Double(names.count) + 60
    func x(_ nanoseconds: UInt64) -> Double { left + Double(nanoseconds) / whole * width }
    func y(_ device: String) -> Double { top + lane * Double(names.firstIndex(of: device) ?? 0) }
    var lines = ["<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"\(Int(left + width + 20))\" height=\"\(Int(height))\" font-family=\"sans-serif\" font-size=\"11\">",
      "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>",
      "<text x=\"10\" y=\"20\" font-size=\"14\">\(entries.count) nodes in \(programs.count) programs, estimated \(PlacementReport.time(estimatedNanoseconds)): nodes "
        + "\(PlacementReport.time(computeNanoseconds)), moves \(PlacementReport.time(moveNanoseconds)), changes of device \(PlacementReport.time(switchNanoseconds))</text>"]
    for name in names {
      lines.append("<text x=\"10\" y=\"\(y(name) + 24)\" font-size=\"13\">\(PlacementReport.escaped(name))</text>"
        + "<rect x=\"\(left)\" y=\"\(y(name))\" width=\"\(width)\" height=\"\(lane - 16)\" fill=\"#f3f3f3\"/>")
    }
    var operators: [String] = []
    for entry in entries where !operators.contains(entry.op) { operators.append(entry.op) }
    func colour(_ op: String) -> String { "hsl(\((operators.firstIndex(of: op) ?? 0) * 47 % 360),60%,62%)" }
    // Moves and changes of device take their time between programs.
    let changes = UInt64(max(1, zip(programs, programs.dropFirst()).count { $0.device != $1.device }))
    var now: UInt64 = 0
    for (p, program) in programs.enumerated() {
      if p > 0, programs[p - 1].device != program.device { now += switchNanoseconds / changes }
      for copy in copies where copy.beforeProgram == p {
        lines.append("<line x1=\"\(x(now))\" y1=\"\(y(copy.from) + lane / 2 - 8)\" x2=\"\(x(now + copy.nanoseconds))\" y2=\"\(y(copy.to) + lane / 2 - 8)\" stroke=\"#c00\" stroke-width=\"1\">"
          + "<title>\(PlacementReport.escaped("copy \(copy.tensor): \(copy.from) → \(copy.to), \(copy.bytes) bytes, \(PlacementReport.time(copy.nanoseconds))"))</title></line>")
        now += copy.nanoseconds
      }
      for entry in entries[program.nodes] {
        let others = entry.alternatives.map { "\n\($0.device): \($0.nanoseconds.map(PlacementReport.time) ?? $0.refusal ?? "")" }.joined()
        let title = "\(entry.node) \(entry.op) \(entry.name)\n\(entry.device): \(PlacementReport.time(entry.estimatedNanoseconds)) \(entry.basis), \(entry.why)\(others)"
        lines.append("<rect x=\"\(x(now))\" y=\"\(y(entry.device))\" width=\"\(max(x(now + entry.estimatedNanoseconds) - x(now), 0.3))\" height=\"\(lane - 16)\" "
          + "fill=\"\(colour(entry.op))\"\(entry.isFallback ? " stroke=\"#c00\"" : "")><title>\(PlacementReport.escaped(title))</title></rect>")
        now += entry.estimatedNanoseconds
      }
    }
    for (i, op) in operators.prefix(14).enumerated() {
      let at = left + Double(i) * 100
      lines.append("<rect x=\"\(at)\" y=\"\(height - 40)\" width=\"10\" height=\"10\" fill=\"\(colour(op))\"/><text x=\"\(at + 14)\" y=\"\(height - 31)\">\(PlacementReport.escaped(op))</text>")
    }
    lines.append("<text x=\"10\" y=\"\(height - 8)\">bars: estimates one after the other; red lines: copies between devices; red frames: the first device refuses the node</text></svg>")
    return lines.joined(separator: "\n") + "\n"
  }

  private static func escaped(_ text: String) -> String {
    text.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;").replacingOccurrences(of: ">", with: "&gt;")
  }
}
