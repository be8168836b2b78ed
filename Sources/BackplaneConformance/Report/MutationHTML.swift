/// The suite's own figure as a section of a report, or a page of its own.
public enum MutationHTML {
  private static func e(_ text: String) -> String { JUnitReport.escape(text) }

  public static func page(_ report: MutationReport) -> String {
    HTMLReport.page("How much the conformance suite finds", isGood: report.isGood,
                    verdict: report.isGood ? "every hand-written fault found, enough of the generated ones, nothing correct rejected" : "faults survive, or something correct is rejected", section(report))
  }

  /// Tables and names, without a head.
  static func section(_ report: MutationReport) -> String {
    let rules = report.rules
    func share(_ part: Int, _ whole: Int) -> String { whole == 0 ? "–" : "\(part) of \(whole)" }
    func row(_ row: MutationReport.Row) -> String {
      "<tr><td>\(e(row.name))</td><td class=\"\(row.killed < row.total ? "x" : "")\">\(share(row.killed, row.total))</td>"
        + rules.map { "<td>\(share(row.byRule[$0.name] ?? 0, row.ofOperators))</td>" }.joined() + "</tr>"
    }
    func table(_ what: String, _ rows: [MutationReport.Row]) -> String {
      "<table class=\"map\"><tr><th>\(what)</th><th>this suite</th>\(rules.map { "<th>\(e($0.title))</th>" }.joined())</tr>\(rows.map(row).joined(separator: "\n"))</table>"
    }
    func names(_ title: String, _ names: [String]) -> String {
      names.isEmpty ? "" : "<h3>\(title)</h3><ul>\(names.map { "<li><code>\(e($0))</code></li>" }.joined())</ul>"
    }
    let (written, made, alarms) = (report.handwritten, report.generated, report.falseAlarms)
    return """
      <p>\(share(written.killed, written.total)) faults written by hand and \(share(made.killed, made.total)) generated ones are found; \(share(alarms.count, alarms.variants))
      correct variants are rejected. Suite \(report.suiteVersion), specs \(e(report.specHash)), \(e(report.date)), \(Int(report.seconds)) s.</p>
      \(table("class of fault", report.classes))
      \(rules.isEmpty ? "" : "<p><small>The other columns are simple rules, asked about the operators' faults: "
        + rules.map { "\(e($0.title)) finds \(share($0.killed, $0.total)), rejects \(share($0.falseAlarms.count, $0.falseAlarms.variants)) correct variants" }.joined(separator: "; ") + ".</small></p>")
      \(names("Faults that survive", written.survivors + made.survivors))
      \(names("Correct variants that are rejected", alarms.names))
      \(report.equivalents.isEmpty ? "" : "<h3>Equivalent mutants</h3><ul>\(report.equivalents.map { "<li><code>\(e($0.mutant))</code>: \(e($0.why))</li>" }.joined())</ul>")
      <details><summary>By operator</summary>\(table("operator", report.operators))</details>
      """
  }
}
