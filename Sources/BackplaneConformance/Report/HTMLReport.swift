import BackplaneCore

/// A report as one HTML file that needs nothing else: what was tested, a map of operators and formats, grades, every failure with the
/// command that repeats it, what was accepted, what changed since an earlier run. Whatever comes from outside is escaped.
public enum HTMLReport {
  static func e(_ text: String) -> String { JUnitReport.escape(text) }

  /// A whole page: title, a verdict in green or red, and what follows it.
  static func page(_ title: String, isGood: Bool, verdict: String, _ body: String) -> String {
    """
    <!doctype html>
    <html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark"><title>\(e(title))</title>
    <style>
    :root { --ink: #1b1b1f; --soft: #62626b; --line: #d9d9e0; --paper: #fff; --panel: #f5f5f8; --good: #1b7f3b; --bad: #b3261e; --warn: #8a6100 }
    @media (prefers-color-scheme: dark) { :root { --ink: #e6e6ea; --soft: #9b9ba6; --line: #3a3a42; --paper: #17171a; --panel: #212126; --good: #2e9e54; --bad: #d6453c; --warn: #d9a520 } }
    body { font: 14px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 80em; padding: 0 1.2em; color: var(--ink); background: var(--paper) }
    h1 { font-size: 1.6em; margin-bottom: .4em; overflow-wrap: anywhere } h2 { font-size: 1.2em; margin: 2.2em 0 .5em; border-bottom: 1px solid var(--line); padding-bottom: .2em } h3 { font-size: 1em }
    a { color: inherit } p { margin: .5em 0 } ul { padding-left: 1.4em }
    .verdict { padding: .4em .9em; border-radius: 5px; display: inline-block; color: #fff; font-weight: 600; background: \(isGood ? "var(--good)" : "var(--bad)") }
    nav { margin: .8em 0 } nav a { margin-right: 1.2em }
    .facts { display: grid; grid-template-columns: max-content 1fr; gap: .15em 1.2em; background: var(--panel); padding: .8em 1em; border-radius: 5px }
    .facts dt { color: var(--soft) } .facts dd { margin: 0; overflow-wrap: anywhere }
    .scroll { overflow-x: auto } table { border-collapse: collapse } td, th { padding: .15em .6em; text-align: left; vertical-align: top }
    th { font-weight: 600 } thead th { border-bottom: 1px solid var(--line) } .num td:not(:first-child), .num th:not(:first-child) { text-align: right; font-variant-numeric: tabular-nums }
    .map th { font-weight: 600; font-size: 12px } .map td, .map th { padding: .15em .4em } .map td { text-align: right; border: 1px solid var(--paper); font-variant-numeric: tabular-nums; font-size: 13px; white-space: nowrap }
    .map td:first-child { text-align: left; position: sticky; left: 0; background: var(--paper) } .map td[style] { color: #111 } .map td small { color: #333 }
    .none { color: var(--soft) } .x { background: var(--bad); color: #fff !important; font-weight: 600 } .ok { color: var(--good) } .no { color: var(--bad); font-weight: 600 } .warn { color: var(--warn) }
    code { font: 12px/1.4 ui-monospace, monospace; overflow-wrap: anywhere } .command { display: block; background: var(--panel); padding: .25em .6em; border-radius: 4px; margin-top: .3em; user-select: all }
    .failure { border-left: 3px solid var(--bad); padding: .2em .9em; margin: .7em 0 } small { color: var(--soft) } details { margin: .5em 0 } summary { cursor: pointer }
    @media print { .scroll { overflow: visible } details { display: block } }
    </style>
    <h1>\(e(title))</h1>
    <p class="verdict">\(e(verdict))</p>
    \(body)
    </html>

    """
  }

  /// - Parameters:
  ///   - mutation: The suite's own figure, as a section of the report.
  ///   - baseline: An earlier report, to say what changed.
  public static func text(_ report: Report, mutation: MutationReport? = nil, baseline: Report? = nil) -> String {
    let bad = report.results.filter(\.isWrong), missing = report.missing
    var sections: [(id: String, title: String, body: String)] = []
    func add(_ id: String, _ title: String, _ body: String?) { if let body { sections.append((id, title, body)) } }
    add("failures", bad.isEmpty ? "No failures" : bad.count == 1 ? "One failure" : "\(bad.count) failures", failures(bad, report))
    add("missing", "\(report.results.count(where: \.isMissing)) required cases not implemented yet", missing.isEmpty ? nil : missing.map(gap).joined(separator: "\n"))
    add("errors", "Largest error as a fraction of its bound", map(report))
    add("grades", "Grades", grades(report))
    add("behaviour", "Behaviour", behaviour(report))
    add("relations", "Relations between results", relations(report))
    add("waivers", "Accepted faults", waivers(report))
    add("changes", "Changes", baseline.map { changes($0, report) })
    add("suite", "How much the suite finds", mutation.map { MutationHTML.section($0) })
    let contents = sections.map { "<a href=\"#\($0.id)\">\($0.title)</a>" }.joined()
    return page("Conformance of \(report.subject.name)", isGood: report.conformant, verdict: report.verdict, """
      \(facts(report))
      <nav>\(contents)</nav>
      \(sections.map { "<h2 id=\"\($0.id)\">\($0.title)</h2>\n\($0.body)" }.joined(separator: "\n"))
      """)
  }

  // MARK: What was tested

  private static func facts(_ report: Report) -> String {
    let subject = report.subject
    var rows: [(String, String)] = [
      ("device", subject.device), ("driver", subject.driver),
      ("plugin", "\(subject.plugin) \(subject.pluginVersion), \(subject.vendor)\(subject.buildID.isEmpty ? "" : ", build \(subject.buildID)")"),
      ("library", subject.library ?? "part of the tool"), ("SHA-256", subject.sha256 ?? "none"), ("suite", "\(report.suiteVersion), specs \(report.specHash)"),
      ("cases", "\(report.level), \(report.size)\(report.ops.isEmpty ? "" : ": " + report.ops.joined(separator: ", "))"),
      ("run", "\(report.started), \(report.results.count) cases in \(rounded(report.seconds, 1)) s"),
      ("results", report.counts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", ")),
    ]
    rows += subject.properties.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    return "<dl class=\"facts\">" + rows.filter { !$0.1.trimmed.isEmpty }.map { "<dt>\(e($0.0))</dt><dd>\(e($0.1))</dd>" }.joined(separator: "\n") + "</dl>"
  }

  // MARK: Failures

  /// Failures by operator; where there are many, those of all but the first operators are folded.
  private static func failures(_ bad: [CaseResult], _ report: Report) -> String {
    if bad.isEmpty { return "<p>Nothing that the device takes is wrong.</p>" }
    var ops: [String] = []
    for result in bad where !ops.contains(result.op) { ops.append(result.op) }
    var shown = 0
    return ops.map { op in
      let own = bad.filter { $0.op == op }
      let isOpen = shown < 20
      shown += own.count
      let rest = own.count > 40 ? "<p>… and \(own.count - 40) more of \(e(op)); the JSON report has all.</p>" : ""
      return "<details\(isOpen ? " open" : "")><summary><b>\(e(op))</b> \(own.count)</summary>\(own.prefix(40).map { failure($0, report) }.joined(separator: "\n"))\(rest)</details>"
    }.joined(separator: "\n")
  }

  private static func gap(_ gap: Report.Missing) -> String {
    let parts = gap.partly.map { "\(e($0.op)): \($0.count), such as <code>\(e($0.example))</code>" }
    return "<p><b>\(e(gap.reason))</b><br>" + ((gap.wholly.isEmpty ? [] : [e(gap.wholly.joined(separator: ", "))]) + parts).joined(separator: "<br>") + "</p>"
  }

  private static func failure(_ result: CaseResult, _ report: Report) -> String {
    var text = "<div class=\"failure\"><span class=\"no\">\(e(result.outcome.rawValue.uppercased()))</span>\(result.fault.map { " (\(e($0)))" } ?? "") <code>\(e(result.id))</code>"
    if let message = result.message { text += "<br>\(e(message))" }
    if let bad = result.firstBad, result.message?.contains("[\(bad.index)]") != true { text += "<br>\(e(bad.output))[\(bad.index)]: \(bad.actual), expected \(bad.expected) ± \(bad.bound)" }
    guard !result.id.hasPrefix("waiver/") else { return text + "</div>" }
    return text + "<code class=\"command\">backplane conform replay '\(e(result.id))' \(e(report.target))</code></div>"
  }
}

extension String {
  fileprivate var trimmed: Substring { drop { $0 == " " || $0 == "," } }
}
