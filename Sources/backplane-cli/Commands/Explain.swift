import Backplane
import BackplaneModels
import Foundation

let explainCommand = Command(
  name: "explain", summary: "Say where each node of a model runs and why, and how memory is planned",
  positionals: ["MODEL.gguf"],
  options: [
    Option("svg", "FILE", "draw the memory plan (further programs: FILE-2.svg …)"),
    Option("tokens", "N", "for runs of N tokens (default: any number; 1 where a device takes static shapes only)"),
  ] + SharedOptions.placement + SharedOptions.model + [SharedOptions.json] + SharedOptions.runtime
) { arguments in
  let runtime = try SharedOptions.makeRuntime(arguments)
  let model = try LanguageModel(path: arguments.positionals[0], options: SharedOptions.modelOptions(arguments))
  let options = try SharedOptions.compileOptions(arguments, runtime)
  let isStatic = options.devices.contains { $0.info[property: "static_shapes"] != nil }
  let tokens = try arguments.int("tokens", 1...model.tokens.bounds.upperBound) ?? (isStatic ? 1 : nil)
  let compiled = try runtime.compile(try tokens.map { try model.graph.specialised([model.tokens: $0, model.outputs: 1]) } ?? model.graph, options)
  try SharedOptions.writePlacement(compiled.report, arguments)
  var pictures: [String] = []
  if let path = arguments["svg"] {
    var drawn = (0..<compiled.programCount).compactMap { compiled.workspacePicture(program: $0) }
    if compiled.devices.count > 1 || drawn.isEmpty { drawn += compiled.devices.indices.map { compiled.arenaPicture(device: $0) } }
    for (i, picture) in drawn.enumerated() {
      let url = URL(fileURLWithPath: path)
      let file = i == 0 ? url : url.deletingPathExtension().appendingPathExtension("").deletingLastPathComponent()
        .appendingPathComponent("\(url.deletingPathExtension().lastPathComponent)-\(i + 1).\(url.pathExtension)")
      try writeFile(picture, to: file.path)
      pictures.append(file.path)
    }
  }
  if arguments.has("json") {
    print(try Terminal.json(["placement": try JSONSerialization.jsonObject(with: Data(compiled.report.json.utf8)), "pictures": pictures]))
    return .success
  }
  let c = model.configuration
  print("\(c.name): \(c.architecture.rawValue), \(c.layerCount) layers of \(c.embeddingLength), heads \(c.headCount):\(c.keyHeadCount):\(c.keyLength), "
    + "feed-forward \(c.feedForwardLength), vocabulary \(c.vocabularySize)")
  let bytes = model.graph.constants.reduce(0) { $0 + (model.graph[$1].maximumBytes ?? 0) }
  let states = model.graph.states.reduce(0) { $0 + (model.graph[$1].maximumBytes ?? 0) }
  print("weights \(Terminal.bytes(bytes)) (mapped), caches \(Terminal.bytes(states)) for \(model.contextLength) tokens of \(model.options.cacheFormat)")
  print(compiled.report.text)
  for memory in compiled.memorySummaries {
    print("memory on \(memory.device): weights \(Terminal.bytes(memory.weightBytes)), states \(Terminal.bytes(memory.stateBytes)), inputs and outputs "
      + "\(Terminal.bytes(memory.ioBytes)), arena \(Terminal.bytes(memory.arenaBytes)) (of that workspace \(Terminal.bytes(memory.workspaceBytes)); "
      + "at least \(Terminal.bytes(memory.arenaLowerBoundBytes)))")
  }
  for picture in pictures { print("memory plan: \(picture)") }
  return .success
}
