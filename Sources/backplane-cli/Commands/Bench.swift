import Backplane
import BackplaneModels
import Foundation

let benchCommand = Command(
  name: "bench", summary: "Measure a model, a graph file, single operators or this machine's limits; beside other programs with --peers",
  positionals: ["[MODEL]"],
  options: [
    Option("prompt-tokens", "N", "tokens of the prompt (default 512)"), Option("decode-tokens", "N", "tokens decoded one by one (default 64)"),
    Option("repeats", "N", "runs counted, after one that is not (default 5); with --peers rounds"),
    Option("limits", nil, "what this machine can do at most: arithmetic, reading by footprint, parallel regions"),
    Option("op", "NAMES", "operators instead of a model: \(BenchWork.operators.joined(separator: ", ")) or all, with commas"),
    Option("format", "NAMES", "with --op: of matmul's weights and attention's caches, with commas (default: all)"),
    Option("rows", "N,…", "with --op matmul: rows of the activations (default 1,32,512)"),
    Option("size", "N", "with --op matmul: the weights are N by N (default 4096)"),
    Option("peers", nil, "with --op: run the same work in other programs, in turns with ours"),
    Option("adapters", "FOLDER", "the peers' adapters (default Tests/Peers)"), Option("python", "PATH", "what runs them (default python3)"),
    Option("html", "FILE", "with --op: write a table and a roofline picture"),
    Option("case", "CASE", "instead of a model: this case, written as `conform --list` prints them; may be given again"), SharedOptions.variant, SharedOptions.device,
  ] + SharedOptions.model + [SharedOptions.json] + SharedOptions.runtime
) { arguments in
  if arguments["case"] != nil || arguments["variant"] != nil {
    guard arguments.positionals.isEmpty else { throw UsageError("bench takes a model, or --case and --variant") }
    return try OperatorBench.run(arguments)
  }
  if arguments.has("limits") || arguments["op"] != nil {
    guard arguments.positionals.isEmpty else { throw UsageError("bench takes a model, --op or --limits, one at a time") }
    return try benchOperators(arguments)
  }
  for name in ["format", "rows", "size", "html"] where arguments[name] != nil { throw UsageError("--\(name) goes with --op") }
  if arguments.has("peers") { throw UsageError("--peers goes with --op; Tests/Peers/llama_bench.py does the same for a model") }
  guard let path = arguments.positionals.first else { throw UsageError("bench takes a model or graph file, --op NAMES, --case CASE, --variant VARIANT or --limits") }
  if GraphFile.isGraphFile(path) { return try benchGraph(arguments) }
  return try benchModel(path, arguments)
}

private func benchModel(_ path: String, _ arguments: Arguments) throws -> ExitCode {
  let promptCount = try arguments.int("prompt-tokens", 1...1_000_000) ?? 512
  let decodeCount = try arguments.int("decode-tokens", 1...1_000_000) ?? 64
  let repeats = try arguments.int("repeats", 1...1000) ?? 5
  let runtime = try SharedOptions.makeRuntime(arguments)
  let model = try LanguageModel(path: path, options: SharedOptions.modelOptions(arguments))
  let generator = try TextGenerator(model, on: runtime, options: CompileOptions(devices: try SharedOptions.devices(arguments, runtime)))
  // Any tokens do; a fixed walk through the vocabulary keeps runs comparable.
  let vocabulary = UInt64(model.configuration.vocabularySize)
  func token(_ i: Int) -> Int32 { Int32((UInt64(i) &* 2_654_435_761 &+ 12345) % vocabulary) }
  var prompt: [Double] = []
  var decode: [Double] = []
  for round in 0...repeats {
    Terminal.progress("run \(round) of \(repeats)")
    try generator.reset()
    var clock = Stopwatch()
    try generator.feed((0..<promptCount).map(token))
    let promptTime = clock.lap()
    try generator.reset()
    try generator.feed((0..<min(16, promptCount)).map(token))
    _ = clock.lap()
    for i in 0..<decodeCount { try generator.feed([token(i)]) }
    let decodeTime = clock.lap()
    if round == 0 { continue }
    prompt.append(Double(promptCount) * 1e9 / Double(promptTime))
    decode.append(Double(decodeCount) * 1e9 / Double(decodeTime))
  }
  Terminal.progress("")
  let peak = MemoryReport.current().peakResident
  let isDebug = generator.compiled.devices.contains { $0.plugin.isDebugBuild }
  if arguments.has("json") {
    print(try Terminal.json([
      "model": model.configuration.name, "devices": generator.compiled.devices.map(\.id), "threads": runtime.pool.workerCount,
      "prompt_tokens": promptCount, "decode_tokens": decodeCount, "peak_memory_bytes": peak, "debug_build": isDebug,
      "prompt_tokens_per_second": summary(prompt), "decode_tokens_per_second": summary(decode),
    ]))
  } else {
    print("\(model.configuration.name) on \(generator.compiled.devices.map(\.description).joined(separator: ", ")), \(runtime.pool.workerCount) threads, \(repeats) runs")
    for (name, values) in [("prompt \(promptCount)", prompt), ("decode \(decodeCount)", decode)] {
      let s = summary(values)
      print("  \(pad(name, 14)) \(padLeft(Terminal.rounded(s["median"]!, 1), 8)) tokens/s  (\(Terminal.rounded(s["minimum"]!, 1)) … \(Terminal.rounded(s["maximum"]!, 1)))")
    }
    print("  peak memory    \(padLeft(Terminal.bytes(peak), 8))")
    if isDebug { print("  a plugin is a debug build: these figures mean nothing") }
  }
  return .success
}

private func benchOperators(_ arguments: Arguments) throws -> ExitCode {
  let runtime = try SharedOptions.makeRuntime(arguments)
  Terminal.progress("limits of this machine …")
  let limits = MachineLimits.measure(runtime.pool)
  Terminal.progress("")
  let isJSON = arguments.has("json")
  if !isJSON { limits.print() }
  guard arguments["op"] != nil else {
    if isJSON { print(try Terminal.json(limits.record)) }
    return .success
  }
  let works = try benchWorks(arguments)
  let devices = try SharedOptions.devices(arguments, runtime)
  let numerics = try SharedOptions.modelOptions(arguments).numerics
  let peers = arguments.has("peers")
    ? try Peer.all(in: arguments["adapters"] ?? "Tests/Peers", python: arguments["python"] ?? "python3", threads: runtime.pool.workerCount) : []
  let rounds = try arguments.int("repeats", 1...1000) ?? 5
  var results: [BenchResult] = []
  if !isJSON { BenchResult.printHeader(peers.map(\.name)) }
  for work in works {
    Terminal.progress(work.name)
    let bench = try BenchedOperator(work, runtime, devices, numerics: numerics)
    var ours: [Double] = [], theirs: [String: [Double]] = [:], missing: [String: String] = [:]
    for _ in 0..<(peers.isEmpty ? 1 : rounds) {
      ours += try bench.measure(seconds: peers.isEmpty ? 0.5 : 0.2)
      for peer in peers where missing[peer.name] == nil {
        switch peer.measure(work, seconds: 0.2) {
        case .success(let times): theirs[peer.name, default: []] += times
        case .failure(let reason): missing[peer.name] = reason.description
        }
      }
    }
    var result = BenchResult(work: work, bytes: bench.bytes, microseconds: summary(ours), limits: limits)
    result.peers = theirs.mapValues { summary($0)["median"]! }
    result.missing = missing
    results.append(result)
    Terminal.progress("")
    if !isJSON { result.print(peers.map(\.name)) }
  }
  let isDebug = devices.contains { $0.plugin.isDebugBuild }
  if let file = arguments["html"] { try Roofline.page(results, limits, device: devices.map(\.description).joined(separator: ", ")).write(toFile: file, atomically: true, encoding: .utf8) }
  if isJSON {
    print(try Terminal.json(["limits": limits.record, "operators": results.map(\.record), "devices": devices.map(\.id), "debug_build": isDebug]))
  } else {
    if !peers.isEmpty { print("  Under a peer's name: its time over ours. –: it cannot do this.") }
    if isDebug { print("  a plugin is a debug build: these figures mean nothing") }
  }
  return .success
}

private func benchWorks(_ arguments: Arguments) throws -> [BenchWork] {
  func words(_ name: String) -> [String] { (arguments[name] ?? "").split(separator: ",").map(String.init) }
  let formats = try words("format").map { name in
    guard let format = ElementFormat.named(name), BenchWork.matmulFormats.contains(name) else {
      throw UsageError("--format takes \(BenchWork.matmulFormats.joined(separator: ", ")), not '\(name)'")
    }
    return format
  }
  let rows = try words("rows").map { word in
    guard let n = Int(word), (1...65536).contains(n) else { throw UsageError("--rows takes numbers from 1 to 65536 with commas, not '\(word)'") }
    return n
  }
  let size = try arguments.int("size", 256...65536) ?? 4096
  guard size % 256 == 0 else { throw UsageError("--size takes multiples of 256, not \(size)") }
  return try words("op").flatMap { $0 == "all" ? BenchWork.operators : [$0] }.flatMap { op in
    guard BenchWork.operators.contains(op) else { throw UsageError("--op takes \(BenchWork.operators.joined(separator: ", ")) or all, not '\(op)'") }
    return BenchWork.all(of: op, formats: formats, rows: rows.isEmpty ? [1, 32, 512] : rows, size: size)
  }
}

/// Median, least and largest.
func summary(_ values: [Double]) -> [String: Double] {
  let sorted = values.sorted()
  let middle = sorted.count / 2
  let median = sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  return ["median": median, "minimum": sorted.first!, "maximum": sorted.last!]
}
