import Backplane
import BackplaneModels
import Foundation

let runCommand = Command(
  name: "run", summary: "Generate text with a GGUF model",
  positionals: ["MODEL.gguf"],
  options: [
    Option("prompt", "TEXT", "text to go on from (required, or --prompt-file)"), Option("prompt-file", "FILE", "take the prompt from a file"),
    Option("tokens", "N", "tokens to generate (default 128)"), Option("greedy", nil, "always take the likeliest token"),
    Option("temperature", "T", "of sampling (default 0.8; 0 is greedy)"), Option("top-k", "K", "sample among the K likeliest (default 40; 0: all)"),
    Option("top-p", "P", "… among those that hold P of the probability (default 0.95)"),
    Option("min-p", "P", "… among those at least P times as likely as the likeliest (default 0)"), Option("seed", "N", "of sampling (default 0)"),
  ] + SharedOptions.placement + SharedOptions.model + [
    Option("memory-budget", "BYTES", "most memory of the whole process: weights are paged to keep within it (suffixes KB, MB, GB)"), SharedOptions.trace,
    Option("logits", "FILE.npy", "write the logits of the last prompt position, f32[vocabulary]"), SharedOptions.json,
  ] + SharedOptions.runtime
) { arguments in
  let prompt = try readPrompt(arguments)
  let count = try arguments.int("tokens", 0...Int(Int32.max)) ?? 128
  var sampler = try Sampler(samplingOptions(arguments))
  let runtime = try SharedOptions.makeRuntime(arguments)
  let options = try SharedOptions.compileOptions(arguments, runtime)
  let model = try LanguageModel(path: arguments.positionals[0], options: SharedOptions.modelOptions(arguments))
  let ids = model.tokenizer.encode(prompt)
  guard !ids.isEmpty else { throw UsageError("the prompt is empty and the model has no beginning-of-sequence token") }
  Terminal.progress("compiling for \(options.devices.map(\.id).joined(separator: ", ")) …")
  let generator = try TextGenerator(model, on: runtime, options: options, memoryBudget: arguments["memory-budget"].map { try byteCount($0, "memory-budget") })
  Terminal.progress("")
  try SharedOptions.writePlacement(generator.compiled.report, arguments)

  let streams = !arguments.has("json")
  var text = UTF8Stream()
  var whole = ""
  if streams { Terminal.write(prompt) }
  if let file = arguments["logits"] {
    let logits = try generator.feed(ids)
    try NumpyFile.write(Array(logits), shape: [logits.count], to: file)
    try generator.reset()
  }
  let result = try generator.generate(from: ids, count: count, sampler: &sampler) { token in
    let piece = text.append(model.tokenizer.bytes(of: token))
    whole += piece
    if streams { Terminal.write(piece) }
    return true
  }
  let rest = text.finish()
  whole += rest
  try model.file.checkUnchanged()
  try SharedOptions.writeTrace(runtime, arguments)
  let memory = MemoryReport.current(), peak = memory.peakResident, paging = generator.session.paging
  if streams {
    Terminal.write(rest + "\n")
    let line = "prompt \(result.promptTokenCount) tokens at \(Terminal.rounded(result.promptTokensPerSecond, 1)) tokens/s, "
      + "decode \(result.decodedTokenCount) tokens at \(Terminal.rounded(result.decodeTokensPerSecond, 1)) tokens/s, peak memory \(Terminal.bytes(peak))"
      + (paging.map { " (weights paged: \(Terminal.bytes($0.kept)) stay, \(Terminal.bytes($0.window)) at a time)" } ?? "") + ", "
      + "\(runtime.pool.workerCount) threads, \(placementLine(generator.compiled))" + recoveryText(runtime) + costText(generator)
    Terminal.writeError(Terminal.paint(line, .dim, onError: true) + "\n")
  } else {
    print(try Terminal.json([
      "text": whole, "token_ids": result.tokens.map(Int.init), "prompt_token_ids": ids.map(Int.init),
      "prompt_tokens_per_second": result.promptTokensPerSecond, "decode_tokens_per_second": result.decodeTokensPerSecond,
      "peak_memory_bytes": peak, "proportional_memory_bytes": memory.proportional,
      "paging": paging.map { ["kept_bytes": $0.kept, "window_bytes": $0.window, "copied_bytes": $0.copied] as Any } ?? NSNull(), "placement": try JSONSerialization.jsonObject(with: Data(generator.compiled.report.json.utf8)),
      "recoveries": runtime.recovery.events.map { ["device": $0.device, "fault": $0.fault, "is_timeout": $0.isTimeout, "is_back": $0.isBack] as [String: Any] },
      "estimated_costs": generator.estimatedCosts.mapValues { ["seconds": $0.nanoseconds / 1e9, "joules": $0.joules] },
      "ending": result.ending.rawValue, "threads": runtime.pool.workerCount,
    ]))
  }
  return .success
}

private func readPrompt(_ arguments: Arguments) throws -> String {
  switch (arguments["prompt"], arguments["prompt-file"]) {
  case (let text?, nil): return text
  case (nil, let file?):
    do { return try String(contentsOfFile: file, encoding: .utf8) } catch {
      throw BackplaneError(.file, "the prompt cannot be read: \(error.localizedDescription)", subject: file)
    }
  case (nil, nil): throw UsageError("run needs --prompt TEXT or --prompt-file FILE")
  case (_?, _?): throw UsageError("give --prompt or --prompt-file, not both")
  }
}

private func samplingOptions(_ arguments: Arguments) throws -> SamplingOptions {
  if arguments.has("greedy") { return .greedy }
  return SamplingOptions(
    temperature: try arguments.double("temperature", 0...100) ?? 0.8, topK: try arguments.int("top-k", 0...Int.max) ?? 40,
    topP: try arguments.double("top-p", 0...1) ?? 0.95, minP: try arguments.double("min-p", 0...1) ?? 0,
    seed: UInt64(try arguments.int("seed", 0...Int.max) ?? 0))
}

/// What happened to devices on the way; empty when nothing did.
private func recoveryText(_ runtime: Runtime) -> String {
  let events = runtime.recovery.events
  if events.isEmpty { return "" }
  return ", " + Dictionary(grouping: events, by: { "\($0.isTimeout ? "timed out and asked again" : $0.isBack ? "lost and recovered" : "lost and left out"): \($0.device)" }).sorted { $0.key < $1.key }
    .map { "\($0.key) \($0.value.count) times" }.joined(separator: ", ")
}

/// What devices that tell say of time on their clock and energy; empty when none does.
private func costText(_ generator: TextGenerator) -> String {
  generator.estimatedCosts.sorted { $0.key < $1.key }.map { ", \($0.key) estimates \(Terminal.rounded($0.value.nanoseconds / 1e6, 1)) ms and \(Terminal.rounded($0.value.joules * 1e3, 2)) mJ" }.joined()
}

/// `cpu: 289 nodes`, one part a device.
func placementLine(_ compiled: CompiledGraph) -> String {
  Dictionary(grouping: compiled.report.entries, by: \.device).sorted { $0.key < $1.key }
    .map { "\($0.key): \($0.value.count) nodes" }.joined(separator: ", ")
}
