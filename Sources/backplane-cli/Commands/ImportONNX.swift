import Backplane
import BackplaneModels
import BackplaneONNX

let importONNXCommand = Command(
  name: "import-onnx", summary: "Say an ONNX model in our operators and write it as a graph file",
  positionals: ["MODEL.onnx", "FILE.graph"],
  options: [Option("extent", "NAME=N", "value of an extent, by the model's name for it (batch=1) or its place (x[0]=1); may be given again")]
) { arguments in
  var extents: [String: Int] = [:]
  for text in arguments.all("extent") {
    let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
    guard parts.count == 2, let value = Int(parts[1]), value >= 0 else { throw UsageError("--extent takes NAME=N, not '\(text)'") }
    extents[parts[0]] = value
  }
  let path = arguments.positionals[0]
  let imported: ONNXImport
  do throws(BackplaneError) { imported = try ONNXImport(ONNXModel(path: path), extents: extents) } catch {
    var located = error
    located.subject = located.subject ?? path
    throw located
  }
  let constants = imported.constants.mapValues { ConstantSource($0) }
  try GraphFile(graph: imported.graph, constants: constants).write(to: arguments.positionals[1])
  func list(_ tensors: [(name: String, id: TensorID)]) -> String { tensors.map { "\($0.name)\(imported.graph[$0.id].shape) \(imported.graph[$0.id].format)" }.joined(separator: ", ") }
  print("\(imported.graph.nodes.count) nodes, weights \(Terminal.bytes(constants.values.reduce(0) { $0 + $1.byteCount })): \(list(imported.inputs)) -> \(list(imported.outputs))")
  return .success
}
