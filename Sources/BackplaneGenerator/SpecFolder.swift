import BackplaneCore
import Foundation

/// Every source file under `Specs`, read and validated.
struct SpecFolder {
  let operators: [OperatorFile]

  init(root: String) throws(BackplaneError) {
    var operators: [OperatorFile] = []
    for path in try SpecFolder.files(in: "Specs/operators", root) {
      operators.append(try OperatorFile(try SpecFolder.json(path, root), file: path))
    }
    self.operators = operators.sorted { $0.name < $1.name }
  }

  static func files(in folder: String, _ root: String) throws(BackplaneError) -> [String] {
    let url = URL(fileURLWithPath: root).appendingPathComponent(folder)
    do {
      return try FileManager.default.contentsOfDirectory(atPath: url.path).filter { $0.hasSuffix(".json") }.sorted().map { "\(folder)/\($0)" }
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
