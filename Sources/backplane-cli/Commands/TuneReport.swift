import Backplane
import BackplaneConformance
import BackplaneModels
import BackplaneTuner
import Foundation

extension TuneVerbs {
  static func report(_ arguments: Arguments) throws -> ExitCode {
    var damaged = 0
    let records = try store(arguments, readOnly: true).records(damaged: &damaged).map(\.record)
    let report = TuningReport(records)
    if let file = arguments["html"] { try ConformVerbs.write(Data(report.html.utf8), to: file) }
    for section in report.sections {
      print("\(section.device) \(section.problem.op) \(section.problem.signature) \(section.problem.bucket)")
      if let chosen = section.chosen, let times = chosen.times {
        print("  chosen \(chosen.configuration)  \(Terminal.rounded(times.median, 1)) µs, \(Terminal.rounded(1 / times.ratio, 2))× the default "
          + "(\(Terminal.rounded(1 / times.ratioHigh, 2)) … \(Terminal.rounded(1 / times.ratioLow, 2)))"
          + (chosen.limit.map { ", \(Terminal.rounded(100 * $0 / times.median, 0)) % of the machine's limit" } ?? "")
          + (chosen.regret.map { ", within \(Terminal.rounded(100 * max($0, 0), 1)) % at the bucket's ends" } ?? ""))
      }
      print("  \(section.measured.count) measured, \(section.rejected.count) rejected" + (section.importance.isEmpty ? "" : "; what matters: "
        + section.importance.prefix(4).map { "\($0.name) \(Terminal.rounded($0.share * 100, 0)) %" }.joined(separator: ", ")))
    }
    if damaged > 0 { print("\(damaged) damaged records were left out") }
    return .success
  }

  /// Why a node would run as it would.
  static func explain(_ arguments: Arguments) throws -> ExitCode {
    guard arguments.positionals.count >= 2 else { throw UsageError("tune explain takes a case, such as matmul/a=f32.64x512/b=f32.512x512") }
    let numerics = try SharedOptions.modelOptions(arguments).numerics
    let id = try CaseID(arguments.positionals[1]), problem = Problem(id, numerics: numerics)
    let store = try store(arguments, readOnly: true)
    for device in try devices(arguments) {
      let graph = try ABIGraph(try CaseGraph(id, numerics: numerics).graph), space = TuningSpace(variants: try device.variants(graph, node: 0), numerics: numerics)
      print("\(device.id), \(problem.op) \(problem.signature), bucket \(problem.bucket): \(space.configurations().count) configurations in \(space.variants.count) variants")
      guard let standard = space.standard else { print("  the device takes no such node, or offers no choice"); continue }
      print("  default   \(space.request(standard))")
      var found = false
      for (layer, record) in try store.inOrderOfUse(problem: problem) {
        let variant = space.configuration((try? ConfigurationRequest(record.configuration)) ?? ConfigurationRequest(variant: "")).flatMap { space.variant(of: $0) }
        let validity = TuningStore.validity(record, .init(device), PluginCode.plugin(device.plugin, variant), space: space.hash)
        let isUsed = validity == .exact && !found && variant != nil
        found = found || isUsed
        print("  \(isUsed ? "used      " : "not used  ")\(record.configuration)  \(layer.rawValue)'s, "
          + ["same device, driver and code", "same code, another driver or build: to be tuned again", "another device or other code: a place to begin", "from elsewhere"][validity.rawValue]
          + (record.times.map { ", \(Terminal.rounded(1 / $0.ratio, 2))× the default" } ?? ""))
      }
      if !found { print("  used      the default: no choice is stored for this problem, device and code") }
      let runners = try store.records(problem: problem, kind: .measured).map(\.record).filter { $0.device == JSONRecord.Device(device) }.sorted { ($0.times?.ratio ?? 9) < ($1.times?.ratio ?? 9) }
      for record in runners.prefix(5) { print("  measured  \(record.configuration)  \(record.times.map { Terminal.rounded(1 / $0.ratio, 2) } ?? "")×") }
    }
    return .success
  }

  /// Writes down which stored choices a model is compiled with, for `--tuning FILE`.
  static func lock(_ arguments: Arguments) throws -> ExitCode {
    guard let path = arguments["model"] else { throw UsageError("tune lock needs --model MODEL.gguf") }
    let runtime = try ConformTarget(arguments).openRuntime()
    let model = try LanguageModel(path: path, options: SharedOptions.modelOptions(arguments))
    let compiled = try runtime.compile(model.graph, CompileOptions(devices: try SharedOptions.devices(arguments, runtime)))
    let lines = (runtime.tuning as? StoredChoices)?.handedOut ?? []
    let text = "# \(model.configuration.name) on \(compiled.devices.map(\.id).joined(separator: ", ")): device, operator, signature, bucket, configuration\n" + lines.map { $0 + "\n" }.joined()
    if let file = arguments["output"] { try ConformVerbs.write(Data(text.utf8), to: file) } else { Terminal.write(text) }
    return .success
  }

  // MARK: Recordings

  /// Times every configuration of a case, once, for replay. It goes on where it was ended.
  static func record(_ arguments: Arguments) throws -> ExitCode {
    guard let id = arguments["case"], let file = arguments["output"] else { throw UsageError("tune record needs --case CASE and --output FILE") }
    let device = try devices(arguments)[0], samples = try arguments.int("samples", 1...1000) ?? 5
    let numerics = try SharedOptions.modelOptions(arguments).numerics
    let space = TuningSpace(variants: try device.variants(try ABIGraph(try CaseGraph(try CaseID(id), numerics: numerics).graph), node: 0), numerics: numerics)
    let isNew = !FileManager.default.fileExists(atPath: file)
    var recording: RecordedSpace
    if !isNew { recording = try RecordedSpace(file: file) } else {
      recording = RecordedSpace(of: space, case: id, device: device.info.name, driver: "\(device.info.driver) \(device.info.driverVersion)", date: Waivers.day())
    }
    guard recording.header.case == id, recording.space.hash == space.hash else { throw BackplaneError(.file, "is a recording of another case or space", subject: file, hint: "give another --output") }
    guard let standard = space.standard else { throw BackplaneError(.unsupported, "there is nothing to choose for \(id)", subject: device.id) }
    let start = ContinuousClock.now, limit = Double(try arguments.int("seconds", 1...100_000) ?? 100_000)
    guard !isNew || FileManager.default.createFile(atPath: file, contents: Data(recording.headerLine.utf8)), let handle = FileHandle(forWritingAtPath: file) else {
      throw BackplaneError(.file, "cannot be written", subject: file)
    }
    try handle.seekToEnd()
    let sampler = DeviceSampler(try makeChild(arguments, device)(), space, case: id, judgedBy: Array(try JudgingCases.ids(for: id).prefix(1)))
    var recorder = SpaceRecorder(recording, standard: standard, sampler: sampler, samples: samples)
    let isWhole = try recorder.run(isRight: { sampler.verify($0) == nil }, keep: { try handle.write(contentsOf: Data($0.utf8)) }, progress: Terminal.progress) {
      Double((ContinuousClock.now - start).components.seconds) > limit
    }
    recording = recorder.recording
    if isWhole { try ConformVerbs.write(Data(recording.text.utf8), to: file) }
    Terminal.progress("")
    let optimum = recording.optimum
    print("\(recording.order.count) of \(space.configurations().count) configurations" + (optimum.map { ", best \(Terminal.rounded($0.microseconds, 1)) µs \(space.request($0.configuration))" } ?? "")
      + (recording.time(standard).map { ", default \(Terminal.rounded($0, 1)) µs" } ?? ""))
    return .success
  }

  /// Judges the search on recordings: no device is needed.
  static func replay(_ arguments: Arguments) throws -> ExitCode {
    // A folder stands for the recordings in it.
    let files = arguments.positionals.dropFirst().flatMap { path in
      (try? FileManager.default.contentsOfDirectory(atPath: path))?.filter { $0.hasSuffix(".jsonl") }.sorted().map { path + "/" + $0 } ?? [path]
    }
    guard !files.isEmpty else { throw UsageError("tune replay takes files that `tune record` wrote, or a folder of them") }
    let budgets = (arguments["trials"] ?? "8,16,32,64,128").split(separator: ",").compactMap { Int($0) }
    let recordings = try files.map { try RecordedSpace(file: $0) }
    print(pad("% of the optimum, median [worst] of 30 seeds", 58) + budgets.map { padLeft("\($0)", 12) }.joined())
    for (k, recording) in recordings.enumerated() {
      print("\(recording.header.case) on \(recording.header.device): \(recording.order.count) configurations")
      // Other shapes of the same operator in the same formats.
      func kind(_ recording: RecordedSpace) -> String { recording.header.device + ((try? CaseID(recording.header.case)).map { Problem($0).op + Problem($0).signature } ?? recording.header.case) }
      let others = recordings.enumerated().filter { $0.offset != k && kind($0.element) == kind(recording) }.map(\.element)
      for (name, strategy, seeds) in [("random", Search.Strategy.random, []), ("local search", .local, []), ("full, no store", .full, []),
                                      ("full, store of other shapes", .full, Replay.portfolio(others, for: recording.space))] where name != "full, store of other shapes" || !others.isEmpty {
        let runs = (0..<30).map { Replay.shares(recording, strategy: strategy, seeds: seeds, budgets: budgets, randomSeed: UInt64($0)) }
        print("  " + pad(name, 56) + budgets.indices.map { i in
          let shares = runs.map { $0[i] * 100 }
          return padLeft("\(Terminal.rounded(Statistics.median(shares), 1)) [\(Terminal.rounded(shares.min()!, 0))]", 12)
        }.joined())
      }
    }
    return .success
  }
}
