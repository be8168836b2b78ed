import Backplane
import BackplaneModels
import BackplaneReference
import BackplaneTuner
import Foundation

/// Options that several commands take, and what they mean.
enum SharedOptions {
  static let device = Option("device", "ID", "cpu, opencl, vulkan, npu, reference, auto (default), or PLUGIN:INDEX; several with commas")
  static let threads = Option("threads", "N", "threads of the pool (default: the processors of this machine)")
  static let plugin = Option("plugin", "PATH", "also load this plugin library; may be given again")
  static let set = Option("set", "KEY=VALUE", "a setting for plugins, such as cpu.isa=avx2; may be given again")
  static let trace = Option("trace", "FILE.json", "write what ran when on which device, for chrome://tracing or Perfetto")
  static let json = Option("json", nil, "print one JSON object as the last line")
  static let tuning = Option("tuning", "MODE", "stored choices of variants: on (default), off, a lock file that `tune lock` wrote, record (and note what has none), or online (and tune that meanwhile)")
  static let operators = Option("operators", "PATH", "also know these operators: a definition, or a folder of them; may be given again")
  static let runtime = [threads, plugin, set, tuning, operators]

  /// What `--operators` names, for the whole process.
  static func registerOperators(_ arguments: Arguments) throws {
    for path in arguments.all("operators") { try OperatorFolder.register(at: URL(fileURLWithPath: path).standardizedFileURL.path) }
  }

  /// What a child process needs to have the same devices: `--plugin`, `--operators` and `--set`.
  static func forwarded(_ arguments: Arguments) -> [String] {
    ["plugin", "operators", "set"].flatMap { name in arguments.all(name).flatMap { ["--" + name, $0] } }
  }

  /// What `--set` says.
  static func settings(_ arguments: Arguments) throws -> [String: String] {
    var settings: [String: String] = [:]
    for setting in arguments.all("set") {
      let parts = setting.split(separator: "=", maxSplits: 1).map(String.init)
      guard parts.count == 2 else { throw UsageError("--set takes KEY=VALUE, not '\(setting)'") }
      settings[parts[0]] = parts[1]
    }
    return settings
  }

  static let variant = Option("variant", "OP=NAME[:PARAM=VALUE,…]", "this variant of an operator, with these parameters, instead of the device's own choice; may be given again")

  /// What `--variant` says, by operator.
  static func variants(_ arguments: Arguments) throws -> [String: ConfigurationRequest] {
    var variants: [String: ConfigurationRequest] = [:]
    for word in arguments.all("variant") {
      let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
      guard parts.count == 2 else { throw UsageError("--variant takes OP=NAME or OP=NAME:PARAM=VALUE,…, not '\(word)'") }
      guard OperatorSpec.named(parts[0]) != nil else { throw UsageError("--variant: there is no operator '\(parts[0])' (`backplane ops` lists them)") }
      variants[parts[0]] = try ConfigurationRequest(parts[1])
    }
    return variants
  }

  /// A runtime as the command line asks, with the oracle registered as device `reference`.
  static func makeRuntime(_ arguments: Arguments, adding libraries: [String] = []) throws -> Runtime {
    try registerOperators(arguments)
    var options = Runtime.Options()
    options.threads = try arguments.int("threads", 1...1024)
    options.pluginPaths = libraries + arguments.all("plugin").map { URL(fileURLWithPath: $0).standardizedFileURL.path }
    options.settings = try settings(arguments)
    let requests = arguments.declares("variant") ? try variants(arguments) : [:]
    options.tuning = requests.isEmpty ? try storedChoices(arguments) : ForcedChoices(requests)
    if arguments["trace"] != nil { options.trace = Trace() }
    let runtime = Runtime(options)
    try runtime.register(inProcess: ReferencePlugin.table)
    if arguments["tuning"] == "online" { try OnlineTuning.start(arguments) }
    return runtime
  }

  /// What `--tuning` says. Nothing is measured here; a machine without a store, or without SQLite, has none.
  static func storedChoices(_ arguments: Arguments) throws -> StoredChoices? {
    let mode = arguments["tuning"] ?? "on", notesWanted = mode == "record" || mode == "online"
    if mode == "off" { return nil }
    var lock: TuningLock?
    if mode != "on", !notesWanted {
      guard let text = try? String(contentsOfFile: mode, encoding: .utf8) else { throw UsageError("--tuning is on, off, record, online or a lock file; '\(mode)' cannot be read") }
      lock = try TuningLock(text: text, file: mode)
    }
    var paths = TuningStore.standardPaths()
    if arguments.declares("store"), let file = arguments["store"] { paths = [.user: URL(fileURLWithPath: file).standardizedFileURL.path] }
    if notesWanted { return StoredChoices(try TuningStore(paths), notesWanted: true) }
    guard lock != nil || paths.values.contains(where: { FileManager.default.fileExists(atPath: $0) }), let store = try? TuningStore(paths, readOnly: true) else { return nil }
    return StoredChoices(store, lock: lock)
  }

  /// The devices that `--device` names, preferred first.
  static func devices(_ arguments: Arguments, _ runtime: Runtime) throws -> [Device] {
    let names = (arguments["device"] ?? "auto").split(separator: ",").map(String.init)
    var devices: [Device] = []
    for name in names {
      if name == "auto" { devices += runtime.defaultDevices } else { devices.append(try runtime.device(name)) }
    }
    guard !devices.isEmpty else {
      throw BackplaneError(.unsupported, "no device can be used", hint: "`backplane devices` says why each plugin is not ready")
    }
    return devices
  }

  /// Options of a language model's graph.
  static let model = [
    Option("context", "N", "tokens that the cache holds (default: the model's limit, 4096 at most)"),
    Option("batch", "N", "most prompt tokens of one run (default 512)"),
    Option("cache-format", "FORMAT", "element format of the key and value caches: f16 (default), f32, bf16, q8_0, q4_0"),
    Option("numerics", "CLASS", "standard (default), strict or fast: what kernels may do to accuracy"),
  ]

  static func modelOptions(_ arguments: Arguments) throws -> LanguageModel.Options {
    var options = LanguageModel.Options()
    options.contextLength = try arguments.int("context", 1...Int(Int32.max))
    options.maximumTokens = try arguments.int("batch", 1...65536) ?? 512
    if let name = arguments["cache-format"] {
      guard let format = ElementFormat.named(name), ["f16", "f32", "bf16", "q8_0", "q4_0"].contains(name) else {
        throw UsageError("--cache-format takes f16, f32, bf16, q8_0 or q4_0, not '\(name)'")
      }
      options.cacheFormat = format
    }
    if let name = arguments["numerics"] {
      guard let numerics = Numerics(rawValue: name) else { throw UsageError("--numerics takes standard, strict or fast, not '\(name)'") }
      options.numerics = numerics
    }
    return options
  }
}
