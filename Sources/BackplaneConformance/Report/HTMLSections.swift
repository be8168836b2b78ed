import BackplaneCore

/// Sections of the HTML report that are tables.
extension HTMLReport {
  static func rounded(_ x: Double, _ digits: Int) -> String {
    var scale = 1.0
    for _ in 0..<digits { scale *= 10 }
    let value = (x * scale).rounded() / scale
    return value == 0 && x != 0 ? "<0." + String(repeating: "0", count: max(digits - 1, 0)) + "1" : abs(value) < 1e15 && value == value.rounded() ? "\(Int(value))" : "\(value)"
  }
  private static func number(_ x: Double?, _ digits: Int) -> String { x.map { e(rounded($0, digits)) } ?? "–" }

  // MARK: Errors

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

  static func map(_ report: Report) -> String? {
    var cells: [String: [String: [CaseResult]]] = [:]
    var ops: [String] = []
    var columns: Set<String> = []
    for result in report.results where result.id.contains("=") {
      if cells[result.op] == nil { ops.append(result.op) }
      let column = formats(result.id)
      columns.insert(column)
      cells[result.op, default: [:]][column, default: []].append(result)
    }
    if ops.isEmpty { return nil }
    let letters = Dictionary((report.grades ?? []).map { ("\($0.op)/\($0.format)", $0.letter) }, uniquingKeysWith: { a, _ in a })
    let order = ElementFormat.all.map(\.name).filter(columns.contains) + (columns.contains("other") ? ["other"] : [])
    func cell(_ op: String, _ format: String) -> String {
      guard let results = cells[op]![format] else { return "<td></td>" }
      let failures = results.count(where: \.isWrong), gaps = results.count(where: \.isMissing)
      if failures > 0 { return "<td class=\"x\" title=\"\(failures) of \(results.count) cases failed\">✕ \(failures)</td>" }
      if gaps > 0 { return "<td class=\"none\" title=\"\(gaps) of \(results.count) cases are required and refused\">○ \(gaps)</td>" }
      let passed = results.filter { $0.outcome == .pass }
      guard !passed.isEmpty else { return "<td class=\"none\" title=\"none of \(results.count) cases is supported\">–</td>" }
      let worst = passed.map(\.maxRatio).max()!
      let hue = Int(140 - 100 * min(1, worst)), grade = letters["\(op)/\(format)"]?.map { " <small>\(e($0))</small>" } ?? ""
      return "<td style=\"background: hsl(\(hue) 55% 76%)\" title=\"\(passed.count) of \(results.count) cases passed\">\(worst == 0 ? "exact" : e(rounded(worst, 3)))\(grade)</td>"
    }
    return """
      <p><small>By operator and format (of weights where they are quantised). Up to 1 is within the bound; a letter is the grade; ✕ counts failures; ○ counts required cases that are refused; – is not supported.</small></p>
      <div class="scroll"><table class="map"><thead><tr><th></th>\(order.map { "<th>\(e($0))</th>" }.joined())</tr></thead>
      \(ops.map { op in "<tr><td>\(e(op))</td>\(order.map { cell(op, $0) }.joined())</tr>" }.joined(separator: "\n"))</table></div>
      """
  }

  // MARK: Grades

  static func grades(_ report: Report) -> String? {
    guard let grades = report.grades, !grades.isEmpty else { return nil }
    let counts = ["A", "B", "C"].map { letter in "\(grades.count { $0.letter == letter }) × \(letter)" }.joined(separator: ", ")
    let rows = grades.map { g in
      "<tr><td>\(e(g.op))</td><td>\(e(g.format))</td><td>\(g.cases)</td><td>\(g.elements)</td><td>\(number(g.worst, 3))</td><td>\(number(g.bias, 4))</td><td>\(number(g.variance, 5))</td>"
        + "<td>\(number(g.q, 2))</td><td class=\"\(g.letter == "C" ? "warn" : "")\">\(e(g.letter ?? "–"))</td></tr>"
    }
    return """
      <p>\(counts). <small>They never decide. Bias and variance are those of error / bound; Q is the largest error in units of √K·u·Σ|terms|: A up to 4, B up to 16, C beyond.</small></p>
      <details><summary>By operator and format</summary><div class="scroll"><table class="num"><thead><tr><th>operator</th><th>format</th><th>cases</th><th>elements</th><th>worst</th><th>bias</th><th>variance</th><th>Q</th><th>grade</th></tr></thead>
      \(rows.joined(separator: "\n"))</table></div></details>
      """
  }

  // MARK: Behaviour and relations

  private static func word(_ result: CaseResult) -> String {
    switch result.outcome {
    case .pass: "<span class=\"ok\">pass</span>"
    case .unsupported where !result.isBad: "<span class=\"none\">–</span>"
    case .waived: "<span class=\"warn\">waived</span>"
    default: "<span class=\"no\">\(e(result.outcome.rawValue))</span>"
    }
  }

  static func behaviour(_ report: Report) -> String? {
    let results = report.results.filter { $0.op == "behaviour" }
    if results.isEmpty { return nil }
    return "<table><thead><tr><th>test</th><th></th><th></th></tr></thead>" + results.map {
      "<tr><td>\(e(String($0.id.dropFirst("behaviour/".count))))</td><td>\(word($0))</td><td><small>\($0.outcome == .pass ? "" : e($0.message ?? ""))</small></td></tr>"
    }.joined(separator: "\n") + "</table>"
  }

  static func relations(_ report: Report) -> String? {
    let results = report.results.filter { $0.op == "metamorphic" }
    if results.isEmpty { return nil }
    return "<table class=\"num\"><thead><tr><th>operator and relation</th><th></th><th>worst</th></tr></thead>" + results.map {
      "<tr><td>\(e(String($0.id.dropFirst("metamorphic/".count))))</td><td>\(word($0))</td><td>\($0.outcome == .pass ? e(rounded($0.maxRatio, 3)) : "")</td></tr>"
    }.joined(separator: "\n") + "</table>"
  }

  // MARK: Waivers and changes

  static func waivers(_ report: Report) -> String? {
    guard let waivers = report.waivers, !waivers.isEmpty else { return nil }
    return "<table><thead><tr><th>waiver</th><th>cases</th><th>used for</th><th>until</th><th>reason</th></tr></thead>" + waivers.map { waiver in
      "<tr><td>\(e(waiver.id))</td><td><code>\(e(waiver.cases))</code></td><td>\(report.results.count { $0.waiver == waiver.id })</td><td>\(e(waiver.until))</td>"
        + "<td>\(e(waiver.reason))\(waiver.issue.map { " (\(e($0)))" } ?? "")</td></tr>"
    }.joined(separator: "\n") + "</table>"
  }

  static func changes(_ before: Report, _ report: Report) -> String {
    let diff = ReportDiff(before, report)
    func list(_ title: String, _ lines: [String]) -> String {
      lines.isEmpty ? "" : "<h3>\(title)</h3><ul>\(lines.prefix(100).map { "<li>\($0)</li>" }.joined(separator: "\n"))</ul>" + (lines.count > 100 ? "<p>… and \(lines.count - 100) more.</p>" : "")
    }
    let isComparable = before.suiteVersion == report.suiteVersion && before.specHash == report.specHash
    return """
      <p>Since \(e(before.started)) (\(e(before.verdict)), plugin \(e(before.subject.pluginVersion)), SHA-256 \(e(String((before.subject.sha256 ?? "none").prefix(16))))):
      \(diff.broken.count) broken, \(diff.mended.count) mended, \(diff.worse.count) with more than twice the error, \(diff.added) new, \(diff.removed) gone.
      \(isComparable ? "" : "<span class=\"warn\">The reports are of different suites or specs: cases may differ.</span>")</p>
      \(list("Broken", diff.broken.map { "<code>\(e($0.id))</code> <small>\(e($0.message ?? $0.outcome.rawValue))</small>" }))
      \(list("Mended", diff.mended.map { "<code>\(e($0.id))</code>" }))
      \(list("With a larger error", diff.worse.map { "<code>\(e($0.id))</code> \(e(rounded($0.before, 3))) → \(e(rounded($0.after, 3)))" }))
      """
  }
}
