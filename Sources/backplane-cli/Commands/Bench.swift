import Backplane
import BackplaneModels

let benchCommand = Command(
  name: "bench", summary: "Measure a model's prompt and decode speed, a graph file's run, or operators: median and spread",
  positionals: ["[MODEL]"],
  options: [
    Option("prompt-tokens", "N", "tokens of the prompt (default 512)"), Option("decode-tokens", "N", "tokens decoded one by one (default 64)"),
    Option("repeats", "N", "runs counted, after one that is not (default 5)"), SharedOptions.device,
    Option("op", "NAME", "instead of a model: this operator, on shapes of a language model; may be given again"),
    Option("case", "CASE", "instead of a model: this case, written as `conform --list` prints them; may be given again"), SharedOptions.variant,
  ] + SharedOptions.model + [SharedOptions.json] + SharedOptions.runtime
) { arguments in
  if arguments.positionals.isEmpty {
    if arguments["op"] == nil, arguments["case"] == nil, arguments["variant"] == nil { throw UsageError("bench takes a model or graph file, --op NAME or --case CASE") }
    return try OperatorBench.run(arguments)
  }
  if GraphFile.isGraphFile(arguments.positionals[0]) { return try benchGraph(arguments) }
  let promptCount = try arguments.int("prompt-tokens", 1...1_000_000) ?? 512
  let decodeCount = try arguments.int("decode-tokens", 1...1_000_000) ?? 64
  let repeats = try arguments.int("repeats", 1...1000) ?? 5
  let runtime = try SharedOptions.makeRuntime(arguments)
  let model = try LanguageModel(path: arguments.positionals[0], options: SharedOptions.modelOptions(arguments))
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

/// Median, least and largest.
func summary(_ values: [Double]) -> [String: Double] {
  let sorted = values.sorted()
  let middle = sorted.count / 2
  let median = sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  return ["median": median, "minimum": sorted.first!, "maximum": sorted.last!]
}
