import BackplaneModels
import BackplaneReference
import Foundation
import _CAPIFuzzer

/// Loops of everything that can be made and freed; says what is left, and ends the process.
func churn(_ arguments: [String]) -> Never {
  let loops = arguments.first.flatMap { UInt64($0) } ?? 10_000
  let leaks = ["handles": churn_leaks_handles, "memory": churn_leaks_memory, "files": churn_leaks_files]
  let (leak, plugin) = (arguments.count == 2 ? leaks[arguments[1]] : churn_leaks_nothing, arguments.count == 3 ? arguments[1] : nil)
  guard let leak, loops >= 50, arguments.count < 4 else {
    FileHandle.standardError.write(Data("usage: _CAPIFuzz churn [LOOPS, 50 or more] [handles|memory|files|PLUGIN DEVICE]\n".utf8))
    exit(2)
  }
  let folder = FileManager.default.temporaryDirectory.appendingPathComponent("backplane-churn-\(getpid())").path
  do {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try SyntheticModel.write(to: folder + "/model.gguf", architecture: .llama, seed: 3)
  } catch { fatalError("\(error)") }
  // For as long as the process.
  func text(_ string: String) -> UnsafePointer<CChar> { UnsafePointer(strdup(string)!) }
  var options = churn_options(loops: loops, plugin: plugin == nil ? ReferencePlugin.table : nil, plugin_path: plugin.map(text), device: text(plugin == nil ? "reference" : arguments[2]),
                              model_path: text(folder + "/model.gguf"), graph_path: text(folder + "/churn.graph"), leak: leak)
  let result = capi_churn(&options)
  try? FileManager.default.removeItem(atPath: folder)
  withUnsafeBytes(of: result.parts) { parts in
    for part in parts.bindMemory(to: churn_part.self).prefix(Int(result.n_parts)) {
      func change(_ unit: String, _ count: KeyPath<churn_counts, UInt64>) -> String { "\(unit) \(part.first[keyPath: count]) → \(part.last[keyPath: count])" }
      print("\(part.loops) \(String(cString: part.what)): " + [change("bytes", \.bytes), change("resident", \.resident), change("handles", \.handles),
                                                              change("threads", \.threads), change("files", \.files)].joined(separator: ", "))
    }
  }
  let fault = withUnsafeBytes(of: result.fault) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  print(fault.isEmpty ? "nothing is left behind" : fault)
  exit(fault.isEmpty ? 0 : 1)
}
