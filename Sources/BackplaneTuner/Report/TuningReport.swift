import Foundation

/// What a store knows, problem by problem.
public struct TuningReport: Sendable {
  public struct Section: Sendable {
    public var device: String
    public var problem: Problem
    public var chosen: JSONRecord?
    /// In the order in which they were measured, as far as the records tell.
    public var measured: [JSONRecord]
    public var rejected: [JSONRecord]
    /// How much of the spread of the times each parameter explains by itself, largest first.
    public var importance: [(name: String, share: Double)]
  }
  public var sections: [Section] = []

  public init(_ records: [JSONRecord]) {
    let groups = Dictionary(grouping: records) { "\($0.device.name)\u{0}\($0.device.driver)\u{0}\($0.problem.op)\u{0}\($0.problem.signature)\u{0}\($0.problem.bucket)" }
    for (_, group) in groups.sorted(by: { $0.key < $1.key }) where group.contains(where: { $0.kind != .wanted }) {
      let measured = group.filter { $0.kind == .measured }.sorted { ($0.time, $0.configuration) < ($1.time, $1.configuration) }
      sections.append(Section(device: group[0].device.name, problem: group[0].problem, chosen: group.filter { $0.kind == .chosen }.max { $0.time < $1.time }, measured: measured,
                              rejected: group.filter { $0.kind == .rejected }, importance: TuningReport.importance(measured)))
    }
  }

  /// Between-group variance of the logarithm of the ratio, by variant and by each parameter.
  static func importance(_ records: [JSONRecord]) -> [(name: String, share: Double)] {
    let points = records.compactMap { record -> (values: [String: String], log: Double)? in
      guard let ratio = record.times?.ratio, ratio > 0 else { return nil }
      let parts = record.configuration.split(separator: ":", maxSplits: 1).map(String.init)
      var values = ["variant": parts[0]]
      for word in parts.count > 1 ? parts[1].split(separator: ",") : [] {
        let halves = word.split(separator: "=", maxSplits: 1).map(String.init)
        if halves.count == 2 { values[halves[0]] = halves[1] }
      }
      return (values, log(ratio))
    }
    guard points.count >= 4 else { return [] }
    let mean = points.reduce(0) { $0 + $1.log } / Double(points.count), total = points.reduce(0) { $0 + ($1.log - mean) * ($1.log - mean) }
    guard total > 0 else { return [] }
    return Set(points.flatMap(\.values.keys)).sorted().compactMap { name in
      let groups = Dictionary(grouping: points) { $0.values[name] ?? "-" }
      if groups.count < 2 { return nil }
      let between = groups.values.reduce(0.0) { sum, group in
        let own = group.reduce(0) { $0 + $1.log } / Double(group.count)
        return sum + Double(group.count) * (own - mean) * (own - mean)
      }
      return (name, between / total)
    }.sorted { $0.share > $1.share }
  }

  // MARK: HTML

  public var html: String {
    var body = ""
    for section in sections {
      body += "<h2>\(escape("\(section.problem.op) \(section.problem.signature)"))</h2><p>\(escape(section.device)); extents \(escape(section.problem.bucket)); "
      body += "\(section.measured.count) measured, \(section.rejected.count) rejected</p>"
      if let chosen = section.chosen, let times = chosen.times {
        body += "<table><tr><th></th><th>µs</th><th>to the default</th></tr><tr><td>default</td><td>\(number(times.median / times.ratio))</td><td>1</td></tr>"
        body += "<tr><td>chosen: <code>\(escape(chosen.configuration))</code></td><td>\(number(times.median))</td><td>\(number(1 / times.ratio))× (\(number(1 / times.ratioHigh)) … \(number(1 / times.ratioLow)))</td></tr>"
        if let limit = chosen.limit { body += "<tr><td>the machine's limit</td><td>\(number(limit))</td><td>\(number(times.median / times.ratio / limit))×</td></tr>" }
        body += "</table>" + (chosen.regret.map { "<p>At the ends of the bucket at most \(number(100 * max($0, 0))) % behind the best finalist.</p>" } ?? "")
      }
      body += curve(section.measured)
      if !section.importance.isEmpty {
        body += "<h3>What matters</h3><table>" + section.importance.map { "<tr><td>\(escape($0.name))</td><td><div class=bar style='width:\(Int($0.share * 200))px'></div></td><td>\(number($0.share * 100)) %</td></tr>" }.joined() + "</table>"
      }
      if !section.rejected.isEmpty {
        body += "<h3>Rejected</h3><table>" + section.rejected.map { "<tr><td><code>\(escape($0.configuration))</code></td><td>\(escape($0.fault ?? ""))</td></tr>" }.joined() + "</table>"
      }
    }
    return """
      <!doctype html><meta charset=utf-8><title>Backplane tuning</title><style>body{font:14px sans-serif;max-width:60em;margin:2em auto}table{border-collapse:collapse}
      td,th{padding:2px 10px;text-align:left;border-bottom:1px solid #ddd}.bar{background:#48c;height:10px}h2{margin-top:2em;border-top:2px solid #ccc;padding-top:.5em}</style>
      <h1>Tuning</h1>\(body)
      """
  }

  /// Best so far against the number of trials.
  private func curve(_ records: [JSONRecord]) -> String {
    var best = Double.infinity
    let values = records.compactMap { $0.times?.ratio }.map { ratio -> Double in best = min(best, ratio); return 1 / best }
    guard values.count > 1, let top = values.max() else { return "" }
    let width = 600.0, height = 160.0
    func x(_ i: Int) -> String { number(Double(i) / Double(values.count - 1) * width) }
    func y(_ v: Double) -> String { number(height - v / max(top, 1) * (height - 10)) }
    let points = values.enumerated().map { "\(x($0.offset)),\(y($0.element))" }.joined(separator: " ")
    let dots = records.compactMap { $0.times?.ratio }.enumerated().map { "<circle cx='\(x($0.offset))' cy='\(y(1 / $0.element))' r='2' fill='#aaa'/>" }.joined()
    return "<svg width='\(Int(width))' height='\(Int(height))' style='border:1px solid #ddd;margin:8px 0'><line x1='0' x2='\(Int(width))' y1='\(y(1))' y2='\(y(1))' stroke='#c44' stroke-dasharray='4'/>"
      + dots + "<polyline points='\(points)' fill='none' stroke='#248' stroke-width='2'/></svg><p>Speed against the default (dashed), best so far; \(values.count) trials, best \(number(top))×.</p>"
  }

  private func escape(_ text: String) -> String { text.replacing("&", with: "&amp;").replacing("<", with: "&lt;") }
  private func number(_ x: Double) -> String { String(format: "%.3g", x) }
}
