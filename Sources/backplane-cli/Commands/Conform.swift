import Backplane
import BackplaneConformance
import BackplaneReference
import Foundation

let conformCommand = Command(
  name: "conform", summary: "Prove a plugin right: every case of the specs, judged by derived bounds",
  positionals: ["[PLUGIN]"],
  options: [
    SharedOptions.device, Option("level", "LEVEL", "core, llm (default) or vision"),
    Option("op", "NAME", "only this operator; may be given again, or several with commas"),
    Option("quick", nil, "the few cases that cover most"), Option("full", nil, "every pair of what varies, with three partners"),
    Option("in-process", nil, "without child processes: a crash ends the run"),
    Option("list", nil, "print the IDs of the cases and run none"), Option("json", "FILE", "write the report"),
  ] + SharedOptions.runtime
) { arguments in
  let size: CaseList.Size = arguments.has("quick") ? .quick : arguments.has("full") ? .full : .standard
  guard let level = OperatorSpec.Level(rawValue: arguments["level"] ?? "llm") else { throw UsageError("--level is core, llm or vision") }
  let ops = arguments.all("op").flatMap { $0.split(separator: ",").map(String.init) }
  if let unknown = ops.first(where: { OperatorSpec.named($0) == nil }) { throw UsageError("no operator '\(unknown)'") }
  let ids = Suite.ids(level: level, ops: ops, size: size)
  if arguments.has("list") { for id in ids { print(id) }; return .success }

  let device = try ConformTarget(arguments).device()
  let clock = ContinuousClock()
  let (start, began) = (clock.now, Date())
  var progress = ConformProgress(total: ids.count)
  var results: [CaseResult] = []
  let executor = InProcessExecutor(device)
  for id in ids {
    let result = executor.run(id)
    results.append(result)
    progress.show(result)
  }
  Terminal.progress("")
  let elapsed = clock.now - start
  let seconds = Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
  let report = Report(device, level: level, size: size, ops: ops, results: results, started: began, seconds: seconds)
  if let file = arguments["json"] { try report.json().write(to: URL(fileURLWithPath: file)) }
  ConformText.print(report)
  return report.conformant ? .success : .checkFailed
}

/// Which device the command line means.
struct ConformTarget {
  let arguments: Arguments
  init(_ arguments: Arguments) { self.arguments = arguments }

  /// PLUGIN is a library's path, or a device's ID as `--device` takes it.
  func device() throws -> Device {
    if let name = arguments.positionals.first {
      guard name.contains("/") || name.hasSuffix(".so") else { return try SharedOptions.makeRuntime(arguments).device(name) }
      let path = URL(fileURLWithPath: name).standardizedFileURL.path
      let runtime = try SharedOptions.makeRuntime(arguments, adding: [path])
      guard let entry = runtime.registry.entries.first(where: { $0.path == path }) else { throw BackplaneError(.file, "is no plugin", subject: path) }
      return try runtime.device(entry.shortName)
    }
    let devices = try SharedOptions.devices(arguments, try SharedOptions.makeRuntime(arguments))
    guard devices.count == 1 else { throw UsageError("conform judges one device: give --device ID (here: \(devices.map(\.id).joined(separator: ", ")))") }
    return devices[0]
  }
}

/// The line that overwrites itself.
struct ConformProgress {
  let total: Int
  private var done = 0, bad = 0, unsupported = 0
  private let clock = ContinuousClock()
  private let start: ContinuousClock.Instant
  private var last: ContinuousClock.Instant

  init(total: Int) {
    self.total = total
    start = clock.now
    last = start - .seconds(1)
  }

  mutating func show(_ result: CaseResult) {
    done += 1
    if result.isBad { bad += 1 } else if result.outcome == .unsupported { unsupported += 1 }
    let now = clock.now
    guard now - last > .milliseconds(100) else { return }
    last = now
    let seconds = Double((now - start).components.seconds) + Double((now - start).components.attoseconds) / 1e18
    let left = seconds / Double(done) * Double(total - done)
    Terminal.progress("\(done)/\(total)  \(bad) bad, \(unsupported) unsupported  \(Int(left.rounded())) s left  \(result.op)")
  }
}

/// A report for people.
enum ConformText {
  static func print(_ report: Report) {
    var rows: [(op: String, results: [CaseResult])] = []
    for result in report.results {
      if rows.last?.op == result.op { rows[rows.count - 1].results.append(result) } else { rows.append((result.op, [result])) }
    }
    Swift.print("\(report.subject.device): \(report.subject.name), \(report.subject.plugin) \(report.subject.pluginVersion); suite \(report.suiteVersion), specs \(report.specHash)")
    Swift.print("")
    Swift.print(pad("operator", 20) + padLeft("cases", 7) + padLeft("pass", 7) + padLeft("no", 6) + padLeft("bad", 6) + padLeft("worst/bound", 13) + padLeft("Q", 8) + padLeft("s", 8))
    for (op, results) in rows {
      let bad = results.count { $0.isBad }
      let worst = results.filter { $0.outcome == .pass }.map(\.maxRatio).max() ?? 0
      let q = results.filter { $0.outcome == .pass }.compactMap(\.q).max()
      let line = pad(op, 20) + padLeft("\(results.count)", 7) + padLeft("\(results.count { $0.outcome == .pass })", 7)
        + padLeft("\(results.count { $0.outcome == .unsupported && !$0.isBad })", 6) + padLeft("\(bad)", 6) + padLeft(Terminal.rounded(worst, 3), 13)
        + padLeft(q.map { Terminal.rounded($0, 2) } ?? "", 8) + padLeft(Terminal.rounded(results.reduce(0) { $0 + $1.milliseconds } / 1000, 1), 8)
      Swift.print(bad > 0 ? Terminal.paint(line, .red) : line)
    }
    let bad = report.results.filter(\.isBad)
    Swift.print("")
    for result in bad.prefix(30) {
      Swift.print(Terminal.paint("\(result.outcome.rawValue.uppercased())\(result.fault.map { " (\($0))" } ?? "")", .red) + " \(result.id)")
      if let message = result.message { Swift.print("  \(message)") }
    }
    if bad.count > 30 { Swift.print("… and \(bad.count - 30) more (--json FILE has all)") }
    Swift.print("\(report.results.count) cases in \(Terminal.rounded(report.seconds, 1)) s: "
      + report.counts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", "))
    Swift.print(Terminal.paint(report.verdict, report.conformant ? .green : .red))
  }
}
