import BackplaneCore
import Foundation

/// Makes everything that follows from `Specs/`: Swift, C and pages. See `Specs/operators.md`.
///
/// Depends on no generated operator code, so a broken catalogue can always be made again.
public enum Generator {
  /// A file that follows from the specs: its path under the root, and its text.
  struct Product: Equatable {
    let path: String
    let text: String
  }

  /// Writes every generated file whose text differs. `root` is the folder that holds `Specs` and `Sources`.
  ///
  /// - Returns: The paths written, under the root, sorted.
  /// - Throws: ``BackplaneError`` (file) with file and place of what is wrong in the specs. Nothing has been written then.
  public static func run(root: String) throws(BackplaneError) -> [String] {
    var changed: [String] = []
    for product in try products(root: root) where read(product.path, root) != product.text {
      let url = URL(fileURLWithPath: root).appendingPathComponent(product.path)
      do {
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(product.text.utf8).write(to: url, options: .atomic)
      } catch {
        throw BackplaneError(.file, "cannot be written: \(error.localizedDescription)", subject: product.path)
      }
      changed.append(product.path)
    }
    return changed.sorted()
  }

  /// The generated files whose text is not what the specs make now, sorted. Writes nothing.
  public static func check(root: String) throws(BackplaneError) -> [String] {
    try products(root: root).filter { read($0.path, root) != $0.text }.map(\.path).sorted()
  }

  static func products(root: String) throws(BackplaneError) -> [Product] {
    let specs = try SpecFolder(root: root)
    return [
      Product(path: "Sources/BackplaneSpecs/Catalogue.generated.swift", text: CatalogueWriter(operators: specs.operators).text),
      Product(path: "Sources/BackplaneSpecs/GraphBuilder+Operators.generated.swift", text: BuilderWriter(operators: specs.operators).text),
    ]
  }

  static func read(_ path: String, _ root: String) -> String? {
    (try? Data(contentsOf: URL(fileURLWithPath: root).appendingPathComponent(path))).flatMap { String(validating: $0, as: UTF8.self) }
  }
}
