import Backplane
import Foundation

let manifestCommand = Command(
  name: "manifest", summary: "Write the manifest of a plugin library beside it (NAME.json)",
  positionals: ["LIB.so"], options: [Option("print", nil, "print it instead")]
) { arguments in
  let library = URL(fileURLWithPath: arguments.positionals[0]).standardizedFileURL
  guard let probe = PluginProbe.installed() else {
    throw BackplaneError(.file, "backplane-probe is not beside this tool", hint: "build it: swift build --product backplane-probe")
  }
  let manifest = try PluginManifest.derive(fromLibrary: library.path, probe: probe)
  if arguments.has("print") {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    print(String(decoding: try encoder.encode(manifest), as: UTF8.self))
  } else {
    let path = library.deletingLastPathComponent().appendingPathComponent("\(manifest.name).json").path
    try manifest.write(path)
    print(path)
  }
  return .success
}
