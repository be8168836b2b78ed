import BackplaneCore
import Foundation

/// Every source file under `Specs`, read and validated.
struct SpecFolder {
  /// By name.
  let operators: [OperatorFile]
  /// In the order of the registry.
  let formats: [FormatFile]
  let registry: RegistryFile

  init(root: String) throws(BackplaneError) {
    let (registryFile, reasonsFile) = ("Specs/abi/registry.json", "Specs/abi/reasons.json")
    let registry = try RegistryFile(registry: try SpecFolder.json(registryFile, root), registryFile: registryFile,
                                    reasons: try SpecFolder.json(reasonsFile, root), reasonsFile: reasonsFile)
    var formats: [FormatFile] = []
    for path in try SpecFolder.files(in: "Specs/formats", root) { formats.append(try FormatFile(try SpecFolder.json(path, root), file: path)) }
    var operators: [OperatorFile] = []
    for path in try SpecFolder.files(in: "Specs/operators", root) { operators.append(try OperatorFile(try SpecFolder.json(path, root), file: path)) }
    operators.sort { $0.name < $1.name }
    try Validation(operators: operators, formats: formats, registry: registry).run()
    (self.operators, self.registry) = (operators, registry)
    self.formats = registry.formats.map { name in formats.first { $0.name == name }! }
  }

  static func files(in folder: String, _ root: String, suffix: String = ".json") throws(BackplaneError) -> [String] {
    let url = URL(fileURLWithPath: root).appendingPathComponent(folder)
    do {
      return try FileManager.default.contentsOfDirectory(atPath: url.path).filter { $0.hasSuffix(suffix) }.sorted().map { "\(folder)/\($0)" }
    } catch {
      throw BackplaneError(.file, "cannot be listed: \(error.localizedDescription)", subject: folder, hint: "is this the package's root?")
    }
  }

  static func json(_ path: String, _ root: String) throws(BackplaneError) -> JSON {
    guard let text = Generator.read(path, root) else { throw BackplaneError(.file, "cannot be read as UTF-8", subject: path) }
    do {
      return try JSON.parse(text)
    } catch {
      var located = error
      located.subject = path
      throw located
    }
  }
}
