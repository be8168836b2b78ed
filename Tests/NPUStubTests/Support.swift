import BackplaneModels
import Foundation
import Synchronization

/// The folder of the built libraries: the tests' own.
let libraries = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent().path

/// Messages that a runtime logs.
final class Messages: Sendable {
  private let lines = Mutex<[String]>([])
  var all: [String] { lines.withLock { $0 } }
  func count(_ part: String) -> Int { all.count { $0.contains(part) } }
  func add(_ line: String) { lines.withLock { $0.append(line) } }
}

/// A runtime with the NPU stub and the CPU, and a blob store of its own.
func makeRuntime(_ settings: [String: String] = [:], store: String? = nil, messages: Messages? = nil, trace: Trace? = nil,
                 libraries names: [String] = ["BackplaneNPUStub", "BackplaneCPU"]) -> Runtime {
  var options = Runtime.Options()
  options.threads = 1  // a thread to wait for costs more than it does on models this small
  options.pluginPaths = names.map { libraries + "/lib\($0).so" }
  options.searchesForPlugins = false
  options.probe = .off
  options.trace = trace
  options.environment = [:]
  options.settings = settings.merging(["cache.directory": store ?? "none"]) { own, _ in own }
  options.log = { message in messages?.add("\(message.category): \(message.text)") }
  options.logLevel = messages == nil ? .error : .info
  if messages == nil { options.log = { _ in } }
  return Runtime(options)
}

/// Small matrices are worth no change of device; here every node that the NPU takes goes there.
func npuFirst(_ runtime: Runtime) throws -> CompileOptions {
  var options = CompileOptions(devices: [try runtime.device("npu"), try runtime.device("cpu")], fallback: .allow)
  options.switchNanoseconds = 0
  options.linkCost = { _, _ in .free }
  return options
}

func temporaryFolder() -> String { FileManager.default.temporaryDirectory.path + "/backplane-npu-\(UUID().uuidString)" }

func syntheticModel(context: Int = 320) throws -> LanguageModel {
  var options = LanguageModel.Options()
  options.contextLength = context
  return try LanguageModel(GGUFFile(contents: SyntheticModel.writer(.gemma3).encoded(), name: "synthetic.gguf"), options: options)
}

func tokens(_ model: LanguageModel, _ runtime: Runtime, prompt: String = "abc def ghi", count: Int) throws -> [Int32] {
  let generator = try TextGenerator(model, on: runtime, options: try npuFirst(runtime))
  return try generate(generator, prompt: prompt, count: count)
}

/// Greedy, and past the end of generation: as many tokens as asked for.
func generate(_ generator: TextGenerator, prompt: String, count: Int) throws -> [Int32] {
  var result: [Int32] = []
  var next = generator.model.tokenizer.encode(prompt)
  while result.count < count {
    let logits = try generator.feed(next)
    let best = logits.indices.max { logits[$0] < logits[$1] }!
    result.append(Int32(best))
    next = [Int32(best)]
  }
  return result
}
