import Backplane
import BackplaneConformance
import BackplaneModels
import BackplaneTuner
import Foundation

let tuneCommand = Command(
  name: "tune", summary: "Find the fastest variants and parameters for this machine, each proved right before it is timed",
  positionals: ["[report|explain|lock|export|import|merge|diff|record|replay]", "[…]"],
  options: [
    SharedOptions.device, Option("op", "NAME", "tune this operator: its cases of a language model, or those of --case; may be given again"),
    Option("case", "CASE", "tune this case, written as `conform --list` prints them; may be given again"),
    Option("model", "MODEL.gguf", "tune the nodes of a model, those that take most time first"),
    Option("wanted", nil, "tune what runs with --tuning record or online met without a choice"),
    Option("share", "0.01…1", "of the time that it may work, to tune beside other work (default 1)"), Option("until-parent-ends", nil, "end with the process that started this one, at the lowest priority"),
    Option("budget", "60s|N", "for all of it: seconds, or trials of each problem"), Option("effort", "LEVEL", "quick (16 trials of a problem), normal (48, default) or full (192)"),
    Option("seed", "N", "of what is drawn (default 0)"), Option("store", "FILE", "the user's store (default: tuning.sqlite in the user's data folder)"),
    Option("html", "FILE", "report: write it as one HTML file"), Option("output", "FILE", "export, record, lock: where to (default: standard output)"),
    Option("samples", "N", "record: times of each configuration (default 5)"), Option("seconds", "N", "record: stop after that long; the same command goes on"),
    Option("timeout", "SECONDS", "for judging or timing one candidate, before it counts as hung (default 20)"),
    Option("trials", "LIST", "replay: budgets (default 8,16,32,64,128)"), SharedOptions.json,
  ] + SharedOptions.model + SharedOptions.runtime
) { arguments in
  switch arguments.positionals.first {
  case nil: try TuneVerbs.tune(arguments)
  case "report": try TuneVerbs.report(arguments)
  case "explain": try TuneVerbs.explain(arguments)
  case "lock": try TuneVerbs.lock(arguments)
  case "export": try TuneVerbs.export(arguments)
  case "import", "merge": try TuneVerbs.merge(arguments)
  case "diff": try TuneVerbs.diff(arguments)
  case "record": try TuneVerbs.record(arguments)
  case "replay": try TuneVerbs.replay(arguments)
  case let verb?: throw UsageError("tune has no verb '\(verb)': report, explain, lock, export, import, merge, diff, record, replay")
  }
}

/// What `tune` judges and times in. Not for people.
let tuneChildCommand = Command(
  name: "tune-child", summary: "Judge and time configurations on standard input", positionals: [], options: [SharedOptions.device] + SharedOptions.runtime
) { arguments in
  ChildLoop.run { TuneExecutor(try ConformTarget(arguments).device()) }
  return .success
}

enum TuneVerbs {
  static func store(_ arguments: Arguments, readOnly: Bool = false) throws -> TuningStore {
    var paths = TuningStore.standardPaths()
    if let file = arguments["store"] { paths = [.user: URL(fileURLWithPath: file).standardizedFileURL.path] }
    let store = try TuningStore(paths, readOnly: readOnly)
    for problem in store.problems { Terminal.writeError("backplane: \(problem)\n") }
    return store
  }

  /// A child process for the same device, with all threads: it is the only one that works.
  static func makeChild(_ arguments: Arguments, _ device: Device) throws -> () -> any CaseExecutor {
    let tool = try ConformVerbs.ownPath()
    let timeout = try arguments.int("timeout", 1...3600) ?? 20
    var words = ["tune-child", "--device", device.id]
    if let threads = arguments["threads"] { words += ["--threads", threads] }
    words += SharedOptions.forwarded(arguments)
    return { ChildRunner(executable: tool, arguments: words, timeout: .seconds(timeout)) }
  }

  private static func budget(_ arguments: Arguments) throws -> (each: TuningBudget, seconds: Double?) {
    guard let effort = TuningBudget.Effort(rawValue: arguments["effort"] ?? "normal") else { throw UsageError("--effort is quick, normal or full") }
    guard let text = arguments["budget"] else { return (TuningBudget(effort), nil) }
    if text.hasSuffix("s"), let seconds = Double(text.dropLast()), seconds > 0 { return (TuningBudget(effort), seconds) }
    if let trials = Int(text), trials > 0 { return (TuningBudget(effort, trials: trials), nil) }
    throw UsageError("--budget takes seconds such as 60s, or a number of trials, not '\(text)'")
  }

  static func devices(_ arguments: Arguments) throws -> [Device] { try SharedOptions.devices(arguments, ConformTarget(arguments).openRuntime()) }

  /// The cases to tune, those that matter most first, with what share of the time each may have.
  private static func cases(_ arguments: Arguments, _ device: Device, _ store: TuningStore) throws -> [(id: String, weight: Double, numerics: Numerics)] {
    if arguments.has("wanted") { return try wanted(device, store) }
    let numerics = try SharedOptions.modelOptions(arguments).numerics
    return try named(arguments, device).map { ($0.id, $0.weight, numerics) }
  }

  /// Noted on this device, and without a choice that holds.
  private static func wanted(_ device: Device, _ store: TuningStore) throws -> [(id: String, weight: Double, numerics: Numerics)] {
    let own = JSONRecord.Device(device)
    return try store.records(kind: .wanted).map(\.record).filter { $0.device == own }.sorted { $0.identity < $1.identity }.compactMap { record in
      guard let id = record.case, (try? CaseID(id)) != nil else { return nil }
      let isChosen = try store.records(problem: record.problem, kind: .chosen).contains { $0.record.device == own && $0.record.plugin.build == PluginCode.build(device.plugin) && $0.record.space == record.space }
      return isChosen ? nil : (id, 1, record.problem.numerics)
    }
  }

  private static func named(_ arguments: Arguments, _ device: Device) throws -> [(id: String, weight: Double)] {
    if !arguments.all("case").isEmpty { return arguments.all("case").map { ($0, 1) } }
    let ops = try ConformVerbs.operators(arguments)
    if let path = arguments["model"] {
      let model = try LanguageModel(path: path, options: SharedOptions.modelOptions(arguments))
      let compiled = try ConformTarget(arguments).openRuntime().compile(model.graph, CompileOptions(devices: [device]))
      return ModelCases.of(compiled, tokens: [1, model.options.maximumTokens]).filter { ops.isEmpty || ops.contains(String($0.id.prefix { $0 != "/" })) }
    }
    guard !ops.isEmpty else { throw UsageError("say what to tune: --op NAME, --case CASE, --model MODEL.gguf or --wanted") }
    return try ops.flatMap { op in
      guard let known = ModelCases.typical[op] else { throw UsageError("there is no usual case of \(op): give --case or --model") }
      return known.map { ($0, 1.0) }
    }
  }

  static func tune(_ arguments: Arguments) throws -> ExitCode {
    let (each, seconds) = try budget(arguments), store = try store(arguments), limits = TuningLimits(arguments)
    let seed = UInt64(try arguments.int("seed", 0...Int.max) ?? 0)
    var outcomes: [Tuner.Outcome] = [], refused: [(String, String)] = []
    let start = ContinuousClock.now
    let share = Double(arguments["share"] ?? "1") ?? 0
    guard share > 0, share <= 1 else { throw UsageError("--share is a part of the time such as 0.03, 1 at most") }
    if arguments.has("until-parent-ends") { OnlineTuning.becomeSecondary() }
    for device in try devices(arguments) where device.info.groups.contains(.tuning) {
      if device.plugin.isDebugBuild { Terminal.writeError("backplane: \(device.plugin.name) is a debug build: what is fast in it says little\n") }
      let cases = try cases(arguments, device, store)
      for (number, entry) in cases.enumerated() {
        var budget = each
        if let seconds {
          let left = seconds - Double((ContinuousClock.now - start).components.seconds)
          if left <= 0 { break }
          budget.seconds = TuningBudget.share(of: left, weights: cases[number...].map(\.weight))
        }
        var tuner = Tuner(device, store: store, makeChild: try makeChild(arguments, device))
        (tuner.numerics, tuner.share) = (entry.numerics, share)
        tuner.limit = { limits?.microseconds($0, device, entry.numerics) }
        let label = "[\(number + 1)/\(cases.count)] \(device.id) \(entry.id)"
        tuner.onEvent = { event in
          switch event {
          case .began(let space, let known): Terminal.progress("\(label): \(space) configurations\(known > 0 ? ", \(known) known" : "")")
          case .rejected(let configuration, let fault): Terminal.progress("\(label): \(configuration) is \(fault)")
          case .trial(let number, let total, let best, let ratio): Terminal.progress("\(label): trial \(number)/\(total), best \(Terminal.rounded(1 / ratio, 2))× \(best)")
          case .unquiet: Terminal.progress("\(label): the machine is not quiet, blocks are thrown away")
          case .ended: Terminal.progress("")
          }
        }
        do {
          let outcome = try tuner.tune(entry.id, budget, randomSeed: seed)
          outcomes.append(outcome)
          if !arguments.has("json") { print(line(outcome, device)) }
        } catch let error as BackplaneError {
          Terminal.progress("")
          refused.append((entry.id, "\(error)"))
          if !arguments.has("json") { print("\(device.id) \(entry.id): \(error)") }
        }
      }
    }
    if arguments.has("json") {
      print(try Terminal.json(["tuned": outcomes.map(object), "refused": refused.map { ["case": $0.0, "why": $0.1] }]))
    }
    if outcomes.isEmpty, arguments.has("wanted"), refused.isEmpty {
      if !arguments.has("json") { print("nothing is wanted: no run with --tuning record or online met a problem without a choice") }
      return .success
    }
    if outcomes.isEmpty { throw BackplaneError(.unsupported, "nothing was tuned", hint: refused.first?.1 ?? "no device of --device serves group Tuning") }
    return .success
  }

  private static func line(_ o: Tuner.Outcome, _ device: Device) -> String {
    let rejected = o.trials.filter { $0.fault != nil }.count
    let gain = o.isStandard ? "the default stays, \(Terminal.rounded(o.standardMicroseconds, 1)) µs"
      : "\(Terminal.rounded(1 / o.ratio, 2))× (\(Terminal.rounded(1 / o.interval.upperBound, 2)) … \(Terminal.rounded(1 / o.interval.lowerBound, 2))), "
        + "\(Terminal.rounded(o.standardMicroseconds, 1)) → \(Terminal.rounded(o.microseconds, 1)) µs: \(o.winner)"
    return "\(device.id) \(o.case): \(gain); \(o.trials.count) trials, \(Terminal.rounded(o.seconds, 1)) s" + (rejected > 0 ? ", \(rejected) rejected" : "")
      + (o.limit.map { "; \(Terminal.rounded(100 * $0 / o.microseconds, 0)) % of the machine's limit" } ?? "") + (o.regret.map { "; within \(Terminal.rounded(100 * max($0, 0), 1)) % at the bucket's ends" } ?? "")
      + (o.isUnquiet ? "; the machine was not quiet" : "")
  }

  private static func object(_ o: Tuner.Outcome) -> [String: Any] {
    ["case": o.case, "winner": o.winner.description, "is_default": o.isStandard, "default_us": o.standardMicroseconds, "us": o.microseconds, "ratio": o.ratio,
     "ratio_low": o.interval.lowerBound, "ratio_high": o.interval.upperBound, "trials": o.trials.count, "rejected": o.trials.filter { $0.fault != nil }.map { ["configuration": $0.configuration.description, "fault": $0.fault ?? "", "message": $0.message ?? ""] },
     "regret": o.regret.map { $0 as Any } ?? NSNull(), "limit_us": o.limit.map { $0 as Any } ?? NSNull(), "seconds": o.seconds, "unquiet": o.isUnquiet]
  }

  // MARK: Exchange

  static func export(_ arguments: Arguments) throws -> ExitCode {
    var damaged = 0
    let records = try store(arguments, readOnly: true).records(damaged: &damaged)
    let text = Set(records.map(\.record.line)).sorted().joined(separator: "\n") + (records.isEmpty ? "" : "\n")
    if let file = arguments["output"] { try ConformVerbs.write(Data(text.utf8), to: file) } else { Terminal.write(text) }
    if damaged > 0 { Terminal.writeError("backplane: \(damaged) damaged records were left out\n") }
    return .success
  }

  private static func lines(_ path: String) throws -> (records: [JSONRecord], bad: Int) {
    guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { throw BackplaneError(.file, "cannot be read", subject: path) }
    let lines = text.split(separator: "\n"), records = lines.compactMap { JSONRecord(line: $0) }
    return (records, lines.count - records.count)
  }

  /// Records of other machines come without the host they are from.
  static func merge(_ arguments: Arguments) throws -> ExitCode {
    guard arguments.positionals.count >= 2 else { throw UsageError("tune \(arguments.positionals[0]) takes a file that `tune export` wrote") }
    let store = try store(arguments)
    for path in arguments.positionals.dropFirst() {
      var (records, bad) = try lines(path)
      for i in records.indices where records[i].host != JSONRecord.thisHost { records[i].host = "" }
      let added = try store.add(records)
      print("\(path): \(added) new, \(records.count - added) known" + (bad > 0 ? ", \(bad) lines are no records and were left out" : ""))
    }
    return .success
  }

  static func diff(_ arguments: Arguments) throws -> ExitCode {
    guard arguments.positionals.count == 3 else { throw UsageError("tune diff takes two files that `tune export` wrote") }
    let (a, b) = (Set(try lines(arguments.positionals[1]).records.map(\.line)), Set(try lines(arguments.positionals[2]).records.map(\.line)))
    for (sign, set) in [("-", a.subtracting(b)), ("+", b.subtracting(a))] {
      for record in set.sorted().compactMap({ JSONRecord(line: $0) }) {
        print("\(sign) \(record.kind.rawValue) \(record.problem.op) \(record.problem.signature) \(record.problem.bucket) \(record.device.name): \(record.configuration)"
          + (record.times.map { " \(Terminal.rounded(1 / $0.ratio, 2))×" } ?? ""))
      }
    }
    return a == b ? .success : .checkFailed
  }
}
