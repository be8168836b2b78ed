import Backplane
import BackplaneConformance
import BackplaneReference
import Foundation
import Synchronization

let conformCommand = Command(
  name: "conform", summary: "Prove a plugin right: every case of the specs, judged by derived bounds",
  positionals: ["[PLUGIN|replay CASE [PLUGIN]|diff A B|verify REPORT|mutation]", "[…]", "[…]"],
  options: [
    SharedOptions.device, Option("level", "LEVEL", "core, llm (default), vision or custom"),
    Option("op", "NAME", "only this operator; may be given again, or several with commas"),
    SharedOptions.variant,
    Option("case", "PATTERN", "only cases whose ID is this, * standing for anything"),
    Option("quick", nil, "the few cases that cover most"), Option("full", nil, "every pair of what varies, eight times with other partners"),
    Option("onnx", "FOLDER", "instead of the suite: ONNX's operator tests, folders with model.onnx and test_data_set_0"),
    Option("claimed", nil, "judge what the device says yes to: a refusal with a reason is counted, not held against it"),
    Option("in-process", nil, "without child processes: a crash ends the run"),
    Option("jobs", "N", "child processes at a time (default: the processors of this machine)"),
    Option("timeout", "SECONDS", "for one case, before it counts as hung (default 20)"),
    Option("waivers", "FILE", "faults that are known and accepted for a while"),
    Option("list", nil, "print the IDs of the cases and run none"), Option("json", "FILE", "write the report"),
    Option("junit", "FILE", "write the report as JUnit XML"), Option("html", "FILE", "write the report as one HTML file"),
    Option("output", "FOLDER", "replay: where the .npy files go (default: here)"),
    Option("baseline", "FILE", "an earlier report (--json): the HTML report says what changed since"),
    Option("mutation", "FILE", "put what `conform mutation --json` wrote into the HTML report"),
    Option("sources", "FOLDER", "mutation: the checkout with Plugins/Mutant (default: found from here or from the tool)"),
    Option("no-rules", nil, "mutation: without the simple rules of other suites"),
    Option("verbose", nil, "mutation: also by operator, and which case showed each fault"),
  ] + SharedOptions.runtime
) { arguments in
  switch arguments.positionals.first {
  case "replay": try ConformVerbs.replay(arguments)
  case "diff": try ConformVerbs.diff(arguments)
  case "verify": try ConformVerbs.verify(arguments)
  case "mutation": try ConformVerbs.mutation(arguments)
  default: try ConformVerbs.run(arguments)
  }
}

/// What `conform` starts to run cases in. Not for people.
let conformChildCommand = Command(
  name: "conform-child", summary: "Answer cases on standard input", positionals: ["[PLUGIN]"],
  options: [SharedOptions.device, Option("onnx", "FOLDER", "where ONNX's tests are")] + SharedOptions.runtime
) { arguments in
  ChildLoop.run { InProcessExecutor(try ConformTarget(arguments).device(), isChild: true, vectors: ConformVerbs.vectors(arguments)) }
  return .success
}

enum ConformVerbs {
  static func run(_ arguments: Arguments) throws -> ExitCode {
    let size = size(arguments)
    let mutation = try arguments["mutation"].map { try readMutation($0) }
    let baseline = try arguments["baseline"].map { try read($0) }
    guard let level = OperatorSpec.Level(rawValue: arguments["level"] ?? "llm") else { throw UsageError("--level is core, llm, vision or custom (operators of the plugin's own)") }
    let target = ConformTarget(arguments)
    // The device first: it may bring operators of its own. A list of the catalogue's cases needs none.
    let opened = arguments.has("list") && arguments.positionals.isEmpty ? nil : try target.open()
    try SharedOptions.registerOperators(arguments)
    let own = opened?.operators ?? []
    var ops = try operators(arguments)
    if level == .custom, ops.isEmpty { ops = own.isEmpty ? OperatorSpec.registered.map(\.name) : own }
    let vectors = vectors(arguments)
    let pattern = arguments["case"] ?? "*"
    let variants = try SharedOptions.variants(arguments)
    var ids = try vectors?.ids().filter { Waivers.matches(pattern, $0) } ?? Suite.ids(level: level, ops: variants.isEmpty ? ops : variants.keys.sorted(), size: size, matching: pattern)
    if !own.isEmpty, ops.isEmpty, variants.isEmpty, vectors == nil { ids += Suite.ids(ops: own, size: size, matching: pattern) }
    if !variants.isEmpty { ids = ids.compactMap { id in variants[String(id.prefix { $0 != "/" })].map { "\(id)\t\($0)" } } }
    if arguments.has("list") { for id in ids { print(id) }; return .success }
    guard !ids.isEmpty else { throw UsageError("there are no such cases") }
    let waivers = try arguments["waivers"].map { try Waivers(file: $0) }

    guard let device = opened?.device else { return .failure }
    let began = Date()
    let clock = ContinuousClock(), start = clock.now
    var results = try execute(ids, target, device)
    let elapsed = clock.now - start
    if !variants.isEmpty, !results.contains(where: { $0.outcome != .unsupported }) {
      throw BackplaneError(.unsupported, "no case takes \(variants.map { "\($0.key)=\($0.value)" }.joined(separator: ", ")): \(results.first?.message ?? "")")
    }
    let isClaimedOnly = arguments.has("claimed")
    if isClaimedOnly { for i in results.indices where results[i].outcome == .unsupported { results[i].required = false } }
    waivers?.apply(to: &results, today: Waivers.day())
    var report = Report(device, level: level, size: size, ops: ops, results: results, started: began,
                        seconds: Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18, waivers: waivers)
    if vectors != nil { (report.size, report.ops) = ("vectors", ["ONNX"]) }
    report.claimedOnly = isClaimedOnly ? true : nil
    if let file = arguments["json"] { try write(report.json(), to: file) }
    if let file = arguments["junit"] { try write(Data(JUnitReport.text(report).utf8), to: file) }
    if let file = arguments["html"] { try write(Data(HTMLReport.text(report, mutation: mutation, baseline: baseline).utf8), to: file) }
    if vectors == nil { ConformText.print(report) } else { ConformText.printVectors(report) }
    return report.conformant ? .success : .checkFailed
  }

  static func size(_ arguments: Arguments) -> CaseList.Size { arguments.has("quick") ? .quick : arguments.has("full") ? .full : .standard }

  /// What `--op` names.
  static func operators(_ arguments: Arguments, beside others: [String] = []) throws -> [String] {
    let ops = arguments.all("op").flatMap { $0.split(separator: ",").map(String.init) }
    if let unknown = ops.first(where: { OperatorSpec.named($0) == nil && !others.contains($0) }) {
      let near = (OperatorSpec.all + OperatorSpec.registered).map(\.name).min { distance($0, unknown) < distance($1, unknown) }!
      throw UsageError("no operator '\(unknown)'; did you mean '\(near)'? (`backplane ops` lists them)")
    }
    return ops
  }

  /// The tests that `--onnx` names.
  static func vectors(_ arguments: Arguments) -> ONNXVectors? {
    arguments["onnx"].map { ONNXVectors(folder: URL(fileURLWithPath: $0).standardizedFileURL.path) }
  }

  static func write(_ data: Data, to path: String) throws {
    do { try data.write(to: URL(fileURLWithPath: path)) } catch {
      throw BackplaneError(.file, "cannot be written: \(error.localizedDescription)", subject: path)
    }
  }

  /// Runs cases as the command line says: in children, or here.
  private static func execute(_ ids: [String], _ target: ConformTarget, _ device: Device) throws -> [CaseResult] {
    let arguments = target.arguments
    let progress = ConformProgress(total: ids.count)
    defer { Terminal.progress("") }
    if arguments.has("in-process") {
      let executor = InProcessExecutor(device, vectors: vectors(arguments))
      return ids.map { id in
        let result = executor.run(id)
        progress.show(result)
        return result
      }
    }
    let timeout = try arguments.int("timeout", 1...3600) ?? 20
    let jobs = try arguments.int("jobs", 1...256) ?? ProcessInfo.processInfo.activeProcessorCount
    let words = target.childArguments
    let tool = try ownPath()
    return ParallelRun(ids).run(jobs: jobs, make: { ChildRunner(executable: tool, arguments: words, timeout: .seconds(timeout)) }) { progress.show($0) }
  }

  static func ownPath() throws -> String {
    guard let path = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe") else {
      throw BackplaneError(.file, "the tool does not find its own file", hint: "use --in-process")
    }
    return path
  }

  // MARK: replay

  static func replay(_ arguments: Arguments) throws -> ExitCode {
    guard arguments.positionals.count > 1 else { throw UsageError("conform replay takes the ID of a case, and a plugin as conform does") }
    let text = arguments.positionals[1]
    let device = try ConformTarget(arguments, plugin: arguments.positionals.count > 2 ? arguments.positionals[2] : nil).device()
    if ["behaviour/", "metamorphic/", "onnx/"].contains(where: text.hasPrefix) { return show(InProcessExecutor(device, vectors: vectors(arguments)).run(text)) }
    let id = try CaseID(text)
    let folder = arguments["output"] ?? "."
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    var runner = CaseRunner(device)
    func save(_ name: String, _ shape: [Int], _ values: [Double]) {
      let path = folder + "/" + name.replacing("/", with: "_") + ".npy"
      do {
        try NumpyFile.write(values.map { Float($0) }, shape: shape, to: path)
        print("wrote \(path)")
      } catch { print("\(error)") }
    }
    runner.show = { name, format, shape, bytes in
      bytes.withUnsafeBytes { raw in
        save(name, shape, TensorView(raw.baseAddress ?? UnsafeRawPointer(bitPattern: 8)!, format, shape).decoded())
      }
    }
    runner.showExpected = { name, tensor in
      save(name + ".expected", tensor.shape, tensor.values)
      if let error = tensor.error { save(name + ".bound", tensor.shape, error) }
    }
    return show(runner.run(id))
  }

  private static func show(_ result: CaseResult) -> ExitCode {
    print("\(result.outcome.rawValue.uppercased())\(result.fault.map { " (\($0))" } ?? "")  \(result.id)")
    if let message = result.message { print(message) }
    if let vector = result.vector {
      print("nodes: \(vector.nodes.joined(separator: ", ")); beside ONNX \(vector.byPackageRule) of the package's tolerance"
        + (vector.byBound.map { ", \($0) of the bound" } ?? ""))
    }
    print("\(result.elements) elements, worst error \(result.maxRatio) of the bound, \(Terminal.rounded(result.milliseconds, 2)) ms"
      + (result.declares.isEmpty ? "" : "; declares \(result.declares.joined(separator: ", "))"))
    return result.isBad ? .checkFailed : .success
  }

  // MARK: diff and verify

  private static func read(_ path: String) throws -> Report {
    do { return try Report(json: try Data(contentsOf: URL(fileURLWithPath: path))) } catch {
      throw BackplaneError(.file, "is no conformance report: \(error)", subject: path)
    }
  }

  static func diff(_ arguments: Arguments) throws -> ExitCode {
    guard arguments.positionals.count == 3 else { throw UsageError("conform diff takes two reports") }
    let (before, after) = (try read(arguments.positionals[1]), try read(arguments.positionals[2]))
    if before.suiteVersion != after.suiteVersion || before.specHash != after.specHash { print("the reports are of different suites or specs: cases may differ") }
    let diff = ReportDiff(before, after)
    for result in diff.broken { print(Terminal.paint("broken  ", .red) + "\(result.id)\n        \(result.message ?? result.outcome.rawValue)") }
    for result in diff.mended { print(Terminal.paint("mended  ", .green) + result.id) }
    for (id, old, new) in diff.worse.prefix(30) { print("worse   \(id): \(Terminal.rounded(old, 3)) → \(Terminal.rounded(new, 3)) of the bound") }
    print("\(diff.broken.count) broken, \(diff.mended.count) mended, \(diff.worse.count) with more than twice the error, \(diff.added) cases new, \(diff.removed) gone")
    return diff.broken.isEmpty ? .success : .checkFailed
  }

  /// Checks a report against the library and the suite at hand, and runs some of its cases again.
  static func verify(_ arguments: Arguments) throws -> ExitCode {
    guard arguments.positionals.count == 2 else { throw UsageError("conform verify takes a report") }
    let report = try read(arguments.positionals[1])
    var faults: [String] = []
    if report.suiteVersion != Suite.version { faults.append("it is of suite \(report.suiteVersion), this is \(Suite.version)") }
    let target = ConformTarget(arguments, plugin: arguments["device"] == nil ? report.subject.device : nil)
    let device = try target.device()  // and with it the operators of the plugin's own
    let specHash = Suite.specHash(of: report.results)
    if report.specHash != specHash { faults.append("its specs are \(report.specHash), these are \(specHash)") }
    let own = Report(device, level: .core, size: .quick, ops: [], results: [], started: Date(), seconds: 0).subject
    if own.sha256 != report.subject.sha256 { faults.append("the plugin's library is another: SHA-256 \(own.sha256 ?? "none"), reported \(report.subject.sha256 ?? "none")") }
    if let level = OperatorSpec.Level(rawValue: report.level), let size = CaseList.Size(rawValue: report.size) {
      let ids = Set(Suite.ids(level: level, ops: report.ops, size: size))
      let missing = ids.subtracting(report.results.map(\.id)).count
      if missing > 0 { faults.append("\(missing) cases of its level are missing") }
    }
    // Two of a hundred, and at least twenty.
    let ran = report.results.filter { !$0.id.hasPrefix("waiver/") }
    let sample = ran.shuffled().prefix(max(20, ran.count / 50))
    let again = try execute(sample.map(\.id), target, device)
    for (reported, result) in zip(sample, again) where reported.outcome != result.outcome && reported.outcome != .waived {
      faults.append("\(result.id): reported \(reported.outcome.rawValue), now \(result.outcome.rawValue)\(result.message.map { " (\($0))" } ?? "")")
    }
    if report.conformant != !report.results.contains(where: \.isBad) { faults.append("its verdict is not what its results say") }
    for fault in faults { print(Terminal.paint("does not hold: ", .red) + fault) }
    print("\(sample.count) of \(ran.count) cases ran again; " + (faults.isEmpty ? "the report holds: \(report.verdict)" : "\(faults.count) things do not hold"))
    return faults.isEmpty ? .success : .checkFailed
  }
}

/// Which device the command line means.
struct ConformTarget: Sendable {
  let arguments: Arguments
  private let plugin: String?

  init(_ arguments: Arguments) { self.init(arguments, plugin: arguments.positionals.first) }
  init(_ arguments: Arguments, plugin: String?) { (self.arguments, self.plugin) = (arguments, plugin) }

  /// With a runtime its threads end, and loops run on their caller's alone: what is opened here lives as long as the process.
  private static let runtimes = Mutex<[Runtime]>([])

  func openRuntime() throws -> Runtime { try makeRuntime() }

  private func makeRuntime(adding paths: [String] = []) throws -> Runtime {
    let runtime = try SharedOptions.makeRuntime(arguments, adding: paths)
    ConformTarget.runtimes.withLock { $0.append(runtime) }
    return runtime
  }

  func device() throws -> Device { try open().device }

  /// The device, and the operators that its plugin brings.
  func open() throws -> (device: Device, operators: [String]) {
    let device = try find()
    let entries = ConformTarget.runtimes.withLock { $0.last }?.registry.entries ?? []
    return (device, entries.first { $0.state == .ready && $0.shortName == device.id.prefix { $0 != ":" } }?.operators ?? [])
  }

  /// PLUGIN is a library's path, or a device's ID as `--device` takes it.
  private func find() throws -> Device {
    if let name = plugin {
      guard name.contains("/") || name.hasSuffix(".so") else { return try makeRuntime().device(name) }
      let path = URL(fileURLWithPath: name).standardizedFileURL.path
      let runtime = try makeRuntime(adding: [path])
      guard let entry = runtime.registry.entries.first(where: { $0.path == path }) else { throw BackplaneError(.file, "is no plugin", subject: path) }
      return try runtime.device(entry.shortName)
    }
    let devices = try SharedOptions.devices(arguments, try makeRuntime())
    guard devices.count == 1 else { throw UsageError("conform judges one device: give --device ID (here: \(devices.map(\.id).joined(separator: ", ")))") }
    return devices[0]
  }

  /// The command line of a child for the same device.
  var childArguments: [String] {
    var words = ["conform-child"]
    if let plugin { words.append(plugin) }
    if let device = arguments["device"] { words += ["--device", device] }
    if let folder = arguments["onnx"] { words += ["--onnx", folder] }
    // Two threads: loops are shared out, and children do not fight for processors.
    words += ["--threads", arguments["threads"] ?? "2"]
    return words + SharedOptions.forwarded(arguments)
  }
}

/// The line that overwrites itself. Told by one thread at a time.
final class ConformProgress: @unchecked Sendable {
  private let total: Int
  private var done = 0, bad = 0, unsupported = 0
  private let clock = ContinuousClock()
  private let start: ContinuousClock.Instant
  private var last: ContinuousClock.Instant

  init(total: Int) {
    self.total = total
    start = clock.now
    last = start - .seconds(1)
  }

  func show(_ result: CaseResult) {
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
