import BackplaneCore

/// A report as one HTML file that needs nothing else: what was tested, a map of operators and formats, every failure with the command
/// that repeats it.
public enum HTMLReport {
  private static func e(_ text: String) -> String { JUnitReport.escape(text) }

  /// A whole page: title, a verdict in green or red, and what follows it.
  static func page(_ title: String, isGood: Bool, verdict: String, _ body: String) -> String {
    """
    <!doctype html>
    <html lang="en"><meta charset="utf-8"><title>\(e(title))</title>
    <style>
    body { font: 14px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 76em; padding: 0 1em; color: #1a1a1a; background: #fff }
    h1 { font-size: 1.5em } h2 { font-size: 1.15em; margin-top: 2em } h3 { font-size: 1em }
    .verdict { padding: .4em .8em; border-radius: 4px; display: inline-block; color: #fff; background: \(isGood ? "#1b7f3b" : "#b3261e") }
    table { border-collapse: collapse } td, th { padding: .15em .6em; text-align: left; vertical-align: top }
    th { font-weight: 600; position: sticky; top: 0; background: #fff }
    .map td { text-align: right; border: 1px solid #fff; min-width: 3.6em; font-variant-numeric: tabular-nums }
    .map td:first-child { text-align: left } .none { color: #aaa } .x { background: #b3261e; color: #fff; font-weight: 600 }
    code { font: 12px/1.4 ui-monospace, monospace; overflow-wrap: anywhere } .failure { border-left: 3px solid #b3261e; padding: .2em .8em; margin: .6em 0 }
    small { color: #666 }
    @media (prefers-color-scheme: dark) { body, th { background: #161616; color: #e4e4e4 } .map td { border-color: #161616 } .map td[style] { color: #111 } .none { color: #666 !important } }
    </style>
    <h1>\(e(title))</h1>
    <p class="verdict">\(e(verdict))</p>
    \(body)
    </html>

    """
  }

  /// - Parameter mutation: The suite's own figure, as a section of the report.
  public static func text(_ report: Report, mutation: MutationReport? = nil) -> String {
    let subject = report.subject
    let bad = report.results.filter(\.isWrong), missing = report.missing
    var rows: [(String, String)] = [
      ("device", "\(subject.device): \(subject.name)"), ("driver", subject.driver), ("plugin", "\(subject.plugin) \(subject.pluginVersion), \(subject.vendor), build \(subject.buildID)"),
      ("library", subject.library ?? "part of the tool"), ("SHA-256", subject.sha256 ?? ""), ("suite", "\(report.suiteVersion), specs \(report.specHash)"),
      ("level", "\(report.level), \(report.size)\(report.ops.isEmpty ? "" : ": " + report.ops.joined(separator: ", "))"),
      ("run", "\(report.started), \(report.results.count) cases in \((report.seconds * 10).rounded() / 10) s"),
      ("results", report.counts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", ")),
    ]
    rows += subject.properties.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    return page("Conformance of \(subject.device)", isGood: report.conformant, verdict: report.verdict, """
      <table>\(rows.map { "<tr><th>\(e($0.0))</th><td>\(e($0.1))</td></tr>" }.joined())</table>
      <h2>Largest error as a fraction of its bound</h2>
      <p><small>By operator and the formats of its operands. A number up to 1 is within the bound; ✕ counts faults; ○ counts required cases that are refused; – is not supported.</small></p>
      \(map(report))
      \(missing.isEmpty ? "" : "<h2>\(report.results.count(where: \.isMissing)) required cases not implemented yet</h2>")
      \(missing.map { gap($0) }.joined(separator: "\n"))
      <h2>\(bad.isEmpty ? "No failures" : "\(bad.count) failures")</h2>
      \(bad.prefix(500).map { failure($0, report) }.joined(separator: "\n"))
      \(bad.count > 500 ? "<p>… and \(bad.count - 500) more; the JSON report has all.</p>" : "")
      \(mutation.map { "<h2>How much the suite finds</h2>" + MutationHTML.section($0) } ?? "")
      """)
  }

  private static func gap(_ gap: Report.Missing) -> String {
    let parts = gap.partly.map { "\(e($0.op)): \($0.count), such as <code>\(e($0.example))</code>" }
    return "<p><b>\(e(gap.reason))</b><br>" + ((gap.wholly.isEmpty ? [] : [e(gap.wholly.joined(separator: ", "))]) + parts).joined(separator: "<br>") + "</p>"
  }

  private static func failure(_ result: CaseResult, _ report: Report) -> String {
    var text = "<div class=\"failure\"><b>\(e(result.outcome.rawValue.uppercased()))</b>\(result.fault.map { " (\(e($0)))" } ?? "") <code>\(e(result.id))</code>"
    if let message = result.message { text += "<br>\(e(message))" }
    if let bad = result.firstBad { text += "<br>\(e(bad.output))[\(bad.index)]: \(bad.actual), expected \(bad.expected) ± \(bad.bound)" }
    return text + "<br><code>backplane conform replay '\(e(result.id))' \(e(report.target))</code></div>"
  }

  /// The formats of a case's operands, in the order in which they stand, without repeats.
  static func formats(_ id: String) -> String {
    var names: [String] = []
    for word in id.split(separator: "/").dropFirst() {
      guard let value = word.split(separator: "=", maxSplits: 1).last, let name = value.split(whereSeparator: { $0 == "." || $0 == "+" }).first.map(String.init),
            ElementFormat.named(name) != nil, !names.contains(name), ["f32", "f16", "bf16"].contains(name) || ElementFormat.named(name)!.isBlock || names.isEmpty,
            !word.hasPrefix("to=") else { continue }
      names.append(name)
    }
    return names.last { ElementFormat.named($0)!.isBlock } ?? names.first ?? "other"
  }

  private static func map(_ report: Report) -> String {
    var cells: [String: [String: [CaseResult]]] = [:]
    var ops: [String] = []
    var columns: Set<String> = []
    for result in report.results where result.id.contains("=") {
      if cells[result.op] == nil { ops.append(result.op) }
      let column = formats(result.id)
      columns.insert(column)
      cells[result.op, default: [:]][column, default: []].append(result)
    }
    let order = ElementFormat.all.map(\.name).filter(columns.contains) + (columns.contains("other") ? ["other"] : [])
    func cell(_ results: [CaseResult]?) -> String {
      guard let results else { return "<td></td>" }
      let failures = results.count(where: \.isWrong), gaps = results.count(where: \.isMissing)
      if failures > 0 { return "<td class=\"x\" title=\"\(failures) of \(results.count) cases failed\">✕ \(failures)</td>" }
      if gaps > 0 { return "<td class=\"none\" title=\"\(gaps) of \(results.count) cases are required and refused\">○ \(gaps)</td>" }
      let passed = results.filter { $0.outcome == .pass }
      guard !passed.isEmpty else { return "<td class=\"none\" title=\"\(results.count) cases\">–</td>" }
      let worst = passed.map(\.maxRatio).max()!
      let hue = Int(130 - 90 * min(1, worst))
      return "<td style=\"background: hsl(\(hue) 55% 78%)\" title=\"\(passed.count) of \(results.count) cases passed\">\((worst * 1000).rounded() / 1000)</td>"
    }
    return "<table class=\"map\"><tr><th></th>\(order.map { "<th>\($0)</th>" }.joined())</tr>"
      + ops.map { op in "<tr><td>\(e(op))</td>\(order.map { cell(cells[op]![$0]) }.joined())</tr>" }.joined(separator: "\n") + "</table>"
  }
}
