import Backplane
import BackplaneModels
import BackplaneReference
import Foundation

let verifyCommand = Command(
  name: "verify", summary: "Replay every node of a model with the oracle and judge it by its derived bound",
  positionals: ["MODEL.gguf"],
  options: [
    Option("prompt", "TEXT", "what the model is run on (default: a short English sentence)"), Option("nodes-only", nil, "leave the end-to-end comparison out"),
    SharedOptions.device,
  ] + SharedOptions.model + [SharedOptions.json] + SharedOptions.runtime
) { arguments in
  let runtime = try SharedOptions.makeRuntime(arguments)
  let devices = try SharedOptions.devices(arguments, runtime)
  let file = try GGUFFile(path: arguments.positionals[0])
  let ids = try Tokenizer(file).encode(arguments["prompt"] ?? "The quick brown fox jumps over the lazy dog.")
  guard !ids.isEmpty else { throw UsageError("the prompt is empty") }
  var options = try SharedOptions.modelOptions(arguments)
  options.maximumTokens = ids.count
  options.maximumOutputs = ids.count
  options.contextLength = options.contextLength ?? max(ids.count, 16)
  let model = try LanguageModel(file, options: options)

  var verifier = try ModelVerifier(model, ids, runtime, devices)
  // Nodes are judged on one device; several are judged by what they make of the model together.
  if devices.count == 1 { try verifier.judgeNodes { Terminal.progress($0) } }
  Terminal.progress("")
  let end = devices.count == 1 && arguments.has("nodes-only") ? nil : try verifier.compareEndToEnd { Terminal.progress($0) }
  Terminal.progress("")
  if arguments.has("json") {
    print(try Terminal.json(verifier.json(end)))
  } else {
    for line in verifier.lines(end) { print(line) }
  }
  let agrees = end.map { verifier.standard.isMet(by: $0) } ?? true
  return verifier.failures.isEmpty && agrees ? .success : .checkFailed
}
