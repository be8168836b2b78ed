import Backplane
import BackplaneConformance
import Foundation

/// What `conform mutation` starts to run faults in. Not for people.
let mutationChildCommand = Command(name: "mutation-child", summary: "Answer cases of a mutation run on standard input", positionals: [], options: []) { _ in
  ChildLoop.run { MutationExecutor() }
  return .success
}

extension ConformVerbs {
  /// Measures the suite itself: builds the mutant, switches on one fault after the other, and tells what is found.
  static func mutation(_ arguments: Arguments) throws -> ExitCode {
    guard arguments.positionals.count == 1 else { throw UsageError("conform mutation takes no further words; the mutant's library is --plugin PATH") }
    let ops = try operators(arguments, beside: ["device"])
    let jobs = try arguments.int("jobs", 1...256) ?? ProcessInfo.processInfo.activeProcessorCount
    let timeout = try arguments.int("timeout", 1...3600)
    let tool = try ownPath()
    defer { Terminal.progress("") }

    let given = arguments.all("plugin").last.map { URL(fileURLWithPath: $0).standardizedFileURL.path }
    let root = arguments["sources"] ?? (given == nil ? checkout(tool) : nil)
    if root == nil, given == nil {
      throw BackplaneError(.file, "no checkout with Plugins/Mutant is above the working folder or the tool", hint: "give --sources FOLDER, or --plugin a built libmutant.so")
    }
    let builder = try root.map { try MutantBuilder(root: URL(fileURLWithPath: $0).standardizedFileURL.path) }
    defer { withExtendedLifetime(builder) {} }  // its libraries go with it
    Terminal.progress("building the mutant")
    let library = try given ?? builder!.plugin()
    let faults = try MutationExecutor().faults(of: library).filter { ops.isEmpty || ops.contains($0.op) }

    var generated: [(mutant: GeneratedMutant, library: String)] = [], same: [String] = [], invalid: [String] = []
    var equivalents = MutationEquivalents()
    if let builder, let root {
      equivalents = try MutationEquivalents(file: root + "/Specs/mutation-equivalents.json")
      let chosen = try builder.generator().choose(generatedCount).filter { mutant in ops.isEmpty || ops.contains { mutant.ops.contains($0) } }
      let built = try builder.build(chosen, jobs: jobs) { Terminal.progress("\($0)/\(chosen.count) mutants built") }
      for (mutant, result) in zip(chosen, built) {
        switch result {
        case .library(let path): generated.append((mutant, path))
        case .identical: same.append(mutant.key)
        case .refused(let why): invalid.append("\(mutant.key): \(why.prefix(300))")
        }
      }
    }
    guard !faults.isEmpty || !generated.isEmpty else { throw UsageError("the mutant has no faults of \(ops.joined(separator: ", "))") }

    let clock = ContinuousClock(), start = clock.now
    let run = MutationRun(library: library, faults: faults, generated: generated, size: size(arguments), withRules: !arguments.has("no-rules"),
                          make: { ChildRunner(executable: tool, arguments: ["mutation-child"], timeout: timeout.map { .seconds($0) } ?? $0) }) { progress in
      let seconds = Double((clock.now - start).components.seconds)
      let left = progress.fraction > 0.02 ? "  \(Int(seconds / progress.fraction * (1 - progress.fraction))) s left" : ""
      Terminal.progress("\(progress.done)/\(progress.total)  \(progress.killed) faults found, \(progress.falseAlarms) false alarms\(left)  \(progress.op)")
    }
    var report = run.run(jobs: jobs)
    report.note(identical: same, invalid: invalid)
    report.apply(equivalents)
    Terminal.progress("")
    if let file = arguments["json"] { try write(report.json(), to: file) }
    if let file = arguments["html"] { try write(Data(MutationHTML.page(report).utf8), to: file) }
    MutationText.print(report, isVerbose: arguments.has("verbose"), hasGenerated: builder != nil)
    return report.isGood ? .success : .checkFailed
  }

  /// How many generated mutants are asked for; each is a compilation.
  private static let generatedCount = 110

  static func readMutation(_ path: String) throws -> MutationReport {
    do { return try MutationReport(json: try Data(contentsOf: URL(fileURLWithPath: path))) } catch {
      throw BackplaneError(.file, "is no report of `conform mutation`: \(error)", subject: path)
    }
  }

  /// The folder with Plugins/Mutant, at or above the working folder or the tool.
  private static func checkout(_ tool: String) -> String? {
    for start in [FileManager.default.currentDirectoryPath, tool] {
      var folder = URL(fileURLWithPath: start).standardizedFileURL
      while folder.path != "/" {
        if FileManager.default.fileExists(atPath: folder.path + "/Plugins/Mutant/plugin.c") { return folder.path }
        folder.deleteLastPathComponent()
      }
    }
    return nil
  }
}

/// The figure for people.
enum MutationText {
  static func print(_ report: MutationReport, isVerbose: Bool, hasGenerated: Bool) {
    table("class", report.classes, report)
    if isVerbose { table("operator", report.operators, report) }
    for rule in report.rules {
      Swift.print("\(pad(rule.title, 15)) finds \(rule.killed) of \(rule.total) faults of operators, rejects \(rule.falseAlarms.count) of \(rule.falseAlarms.variants) correct variants"
        + (rule.rejectedCases.isEmpty ? "" : ", and the kernels without a fault on \(rule.rejectedCases.count) cases"))
    }
    if !report.rules.isEmpty { Swift.print("") }
    if isVerbose {
      for detail in report.found { Swift.print("\(detail.mutant)\n    \(detail.case)\n    \(detail.message.prefix(200))") }
      Swift.print("")
    }
    for name in report.handwritten.survivors { Swift.print(Terminal.paint("survives     ", .red) + name) }
    for name in report.generated.survivors { Swift.print(Terminal.paint("survives     ", .red) + name) }
    for name in report.falseAlarms.names {
      Swift.print(Terminal.paint("false alarm  ", .red) + name)
      for detail in (report.found + report.rejected).filter({ $0.mutant == name }).prefix(5) { Swift.print("             \(detail.case)\n             \(detail.message.prefix(200))") }
    }
    for name in report.invalid { Swift.print(Terminal.paint("not built    ", .yellow) + name) }
    for entry in report.equivalents { Swift.print(Terminal.paint("equivalent   ", .dim) + "\(entry.mutant)\n             \(entry.why)") }
    let (written, made, alarms) = (report.handwritten, report.generated, report.falseAlarms)
    Swift.print("hand-written  \(written.killed) of \(written.total) found")
    Swift.print(hasGenerated ? "generated     \(made.killed) of \(made.total) found, \(report.equivalents.count) more are equivalent" : "generated     none tried: they need the sources")
    Swift.print("false alarms  \(alarms.count) of \(alarms.variants) correct variants")
    Swift.print("\(Terminal.rounded(report.seconds, 1)) s, suite \(report.suiteVersion), specs \(report.specHash)")
    Swift.print(Terminal.paint(report.isGood ? "good" : "NOT good", report.isGood ? .green : .red) + ": wanted are all hand-written faults, 95 % of the generated ones, no false alarm")
  }

  private static func table(_ what: String, _ rows: [MutationReport.Row], _ report: MutationReport) {
    func share(_ part: Int, _ whole: Int) -> String { whole == 0 ? "–" : "\(part)/\(whole)" }
    Swift.print(pad(what, 20) + padLeft("this suite", 12) + report.rules.map { padLeft($0.title, 15) }.joined())
    for row in rows {
      Swift.print(pad(row.name, 20) + padLeft(share(row.killed, row.total), 12)
        + report.rules.map { padLeft(share(row.byRule[$0.name] ?? 0, row.ofOperators), 15) }.joined())
    }
    Swift.print(pad("all", 20) + padLeft(share(report.handwritten.killed, report.handwritten.total), 12) + report.rules.map { padLeft(share($0.killed, $0.total), 15) }.joined())
    Swift.print("")
  }
}
