import BackplaneModels
import Foundation

let modelCommand = Command(
  name: "model", summary: "Make a small model file with random weights (model synth OUT.gguf)",
  positionals: ["synth", "OUT.gguf"],
  options: [
    Option("architecture", "NAME", "\(SyntheticModel.Architecture.allCases.map(\.rawValue).joined(separator: ", ")) (default gemma3)"),
    Option("seed", "N", "of the weights (default 1)"),
  ]
) { arguments in
  guard arguments.positionals[0] == "synth" else { throw UsageError("model has no action '\(arguments.positionals[0])'; there is: synth") }
  let name = arguments["architecture"] ?? "gemma3"
  guard let architecture = SyntheticModel.Architecture(rawValue: name) else {
    throw UsageError("no synthetic '\(name)'; there are: \(SyntheticModel.Architecture.allCases.map(\.rawValue).joined(separator: ", "))")
  }
  let path = arguments.positionals[1]
  try SyntheticModel.write(to: path, architecture: architecture, seed: UInt64(try arguments.int("seed", 0...Int.max) ?? 1))
  let size = (try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
  Terminal.writeError("wrote \(path): \(name), random weights, \(Terminal.bytes(size))\n")
  return .success
}
