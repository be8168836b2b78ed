import BackplaneGenerator
import Foundation

let generateCommand = Command(
  name: "generate", summary: "Rewrite the files that are generated from Specs",
  positionals: [], options: [Option("check", nil, "change nothing; exit 3 when a file is stale"), Option("root", "FOLDER", "the checkout (default: here)")]
) { arguments in
  let root = arguments["root"] ?? FileManager.default.currentDirectoryPath
  let files = arguments.has("check") ? try Generator.check(root: root) : try Generator.run(root: root)
  for file in files { print(arguments.has("check") ? "stale: \(file)" : "wrote \(file)") }
  if files.isEmpty { print("every generated file is up to date") }
  return arguments.has("check") && !files.isEmpty ? .checkFailed : .success
}
