import BackplaneConformance

/// A report for people.
enum ConformText {
  static func print(_ report: Report) {
    var rows: [(op: String, results: [CaseResult])] = []
    for result in report.results {
      if rows.last?.op == result.op { rows[rows.count - 1].results.append(result) } else { rows.append((result.op, [result])) }
    }
    Swift.print("\(report.subject.device): \(report.subject.name), \(report.subject.plugin) \(report.subject.pluginVersion); suite \(report.suiteVersion), specs \(report.specHash)")
    Swift.print("")
    Swift.print(pad("operator", 20) + padLeft("cases", 7) + padLeft("pass", 7) + padLeft("no", 6) + padLeft("to do", 7) + padLeft("wrong", 7) + padLeft("worst/bound", 13) + padLeft("Q", 8) + padLeft("s", 8))
    for (op, results) in rows {
      let wrong = results.count(where: \.isWrong)
      let worst = results.filter { $0.outcome == .pass }.map(\.maxRatio).max() ?? 0
      let q = results.filter { $0.outcome == .pass }.compactMap(\.q).max()
      let line = pad(op, 20) + padLeft("\(results.count)", 7) + padLeft("\(results.count { $0.outcome == .pass })", 7)
        + padLeft("\(results.count { $0.outcome == .unsupported && !$0.required })", 6) + padLeft("\(results.count(where: \.isMissing))", 7)
        + padLeft("\(wrong)", 7) + padLeft(Terminal.rounded(worst, 3), 13)
        + padLeft(q.map { Terminal.rounded($0, 2) } ?? "", 8) + padLeft(Terminal.rounded(results.reduce(0) { $0 + $1.milliseconds } / 1000, 1), 8)
      Swift.print(wrong > 0 ? Terminal.paint(line, .red) : line)
    }
    printGaps(report)
    let bad = report.results.filter(\.isWrong)
    Swift.print("")
    for result in bad.prefix(30) {
      Swift.print(Terminal.paint("\(result.outcome.rawValue.uppercased())\(result.fault.map { " (\($0))" } ?? "")", .red) + " \(result.id)")
      if let message = result.message { Swift.print("  \(message)") }
    }
    if bad.count > 30 { Swift.print("… and \(bad.count - 30) more (--json FILE has all)") }
    if let first = bad.first { Swift.print("one of them again, with its data as .npy: backplane conform replay '\(first.id)' \(report.target)") }
    Swift.print("\(report.results.count) cases in \(Terminal.rounded(report.seconds, 1)) s: "
      + report.counts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", "))
    Swift.print(Terminal.paint(report.verdict, report.conformant ? .green : .red))
  }

  /// What the level requires and the plugin refuses, by reason.
  private static func printGaps(_ report: Report) {
    let missing = report.missing
    guard !missing.isEmpty else { return }
    Swift.print("\nimplemented: \(report.implemented.isEmpty ? "nothing yet" : report.implemented.joined(separator: ", "))")
    Swift.print("not yet, of what the level requires:")
    for gap in missing {
      if !gap.wholly.isEmpty { Swift.print("  \(gap.reason): \(gap.wholly.joined(separator: ", "))") }
      for part in gap.partly { Swift.print("  \(part.op), \(part.count) cases: \(gap.reason)\n    such as \(part.example)") }
    }
  }

  /// A run of ONNX's tests: what passed, what is refused, what has no counterpart here, each by reason.
  static func printVectors(_ report: Report) {
    func group(_ outcome: CaseResult.Outcome) -> [(reason: String, results: [CaseResult])] {
      Dictionary(grouping: report.results.filter { $0.outcome == outcome }, by: { $0.message ?? "" })
        .map { ($0.key, $0.value) }.sorted { ($1.1.count, $0.0) < ($0.1.count, $1.0) }
    }
    Swift.print("\(report.subject.device): \(report.subject.name), \(report.subject.plugin) \(report.subject.pluginVersion); ONNX's operator tests")
    for (title, outcome) in [("not mapped to our operators", CaseResult.Outcome.unmapped), ("refused by the device", .unsupported)] {
      let groups = group(outcome)
      if groups.isEmpty { continue }
      Swift.print("\n\(title):")
      for (reason, results) in groups.prefix(40) { Swift.print("\(padLeft("\(results.count)", 5))  \(reason)  (\(results[0].id.dropFirst(5))\(results.count > 1 ? " …" : ""))") }
      if groups.count > 40 { Swift.print("       … and \(groups.count - 40) more reasons (--json FILE has all)") }
    }
    let wrong = report.results.filter(\.isWrong)
    if !wrong.isEmpty { Swift.print("") }
    for result in wrong {
      Swift.print(Terminal.paint("\(result.outcome.rawValue.uppercased())\(result.fault.map { " (\($0))" } ?? "")", .red) + " \(result.id)")
      if let message = result.message { Swift.print("  \(message)") }
    }
    let accepted = Dictionary(grouping: report.results.compactMap { $0.vector?.accepted }, by: { $0 }).mapValues(\.count)
    Swift.print("\n\(report.results.count) tests in \(Terminal.rounded(report.seconds, 1)) s: \(report.counts["pass"] ?? 0) passed "
      + "(\(accepted["package"] ?? 0) by the package's tolerance, \(accepted["bound"] ?? 0) by the derived bound), \(wrong.count) failed, "
      + "\(report.counts["unsupported"] ?? 0) refused by the device, \(report.counts["unmapped"] ?? 0) not mapped")
  }
}
