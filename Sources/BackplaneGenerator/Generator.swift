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

  /// Writes every generated file whose text differs, and removes pages of operators and formats that are gone. `root` is the folder that holds `Specs` and `Sources`.
  ///
  /// - Returns: The paths written or removed, under the root, sorted.
  /// - Throws: ``BackplaneError`` (file) with file and place of what is wrong in the specs. Nothing has been written then.
  public static func run(root: String) throws(BackplaneError) -> [String] {
    var changed: [String] = []
    let products = try products(root: root)
    for product in products where read(product.path, root) != product.text {
      let url = URL(fileURLWithPath: root).appendingPathComponent(product.path)
      do {
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(product.text.utf8).write(to: url, options: .atomic)
      } catch {
        throw BackplaneError(.file, "cannot be written: \(error.localizedDescription)", subject: product.path)
      }
      changed.append(product.path)
    }
    for orphan in try orphans(root: root, products) {
      try? FileManager.default.removeItem(at: URL(fileURLWithPath: root).appendingPathComponent(orphan))
      changed.append(orphan)
    }
    return changed.sorted()
  }

  /// The generated files whose text is not what the specs make now, sorted. Writes nothing.
  public static func check(root: String) throws(BackplaneError) -> [String] {
    let products = try products(root: root)
    return (products.filter { read($0.path, root) != $0.text }.map(\.path) + (try orphans(root: root, products))).sorted()
  }

  /// C macros for a plugin that implements operators of its own: numbers, and places of operands and attributes.
  ///
  /// - Parameter files: Definitions that have been registered, so that they are known to be right.
  public static func header(ofOperators files: [String]) throws(BackplaneError) -> String {
    var operators: [OperatorFile] = []
    for file in files { operators.append(try OperatorFile(try SpecFolder.json(file, "/"), file: file)) }
    return HeaderWriter.header(ofCustom: operators)
  }

  static func products(root: String) throws(BackplaneError) -> [Product] {
    let specs = try SpecFolder(root: root)
    let (core, abi, host) = ("Sources/BackplaneCore", "Sources/BackplaneABI/include", "Sources/BackplaneSpecs")
    let plugin = "\(abi)/backplane_plugin.h"
    guard let header = read(plugin, root) else { throw BackplaneError(.file, "cannot be read", subject: plugin) }
    let pages = PageWriter(operators: specs.operators, formats: specs.formats)
    var products = [
      Product(path: "\(core)/ElementFormat.generated.swift", text: FormatsWriter(formats: specs.formats).text),
      Product(path: "\(core)/ReasonCatalogue.generated.swift", text: ReasonsWriter(reasons: specs.registry.reasons).text),
      Product(path: "\(host)/Catalogue.generated.swift", text: CatalogueWriter(operators: specs.operators).text),
      Product(path: "\(host)/GraphBuilder+Operators.generated.swift", text: BuilderWriter(operators: specs.operators).text),
      Product(path: "\(abi)/backplane_operators.h",
              text: HeaderWriter(operators: specs.operators, formats: specs.formats, layouts: specs.registry.layouts).text),
      Product(path: plugin, text: try HeaderWriter.plugin(header, specs.registry, file: plugin)),
      Product(path: "Specs/operators/README.md", text: pages.operatorIndex),
      Product(path: "Specs/formats/README.md", text: pages.formatIndex),
    ]
    products += specs.operators.map { Product(path: "Specs/operators/\($0.name).md", text: pages.page($0)) }
    products += specs.formats.map { Product(path: "Specs/formats/\($0.name).md", text: pages.page($0)) }
    return products
  }

  /// Generated pages whose operator or format is gone.
  static func orphans(root: String, _ products: [Product]) throws(BackplaneError) -> [String] {
    let made = Set(products.map(\.path))
    var orphans: [String] = []
    for folder in ["Specs/operators", "Specs/formats"] {
      for path in try SpecFolder.files(in: folder, root, suffix: ".md") where !made.contains(path) && read(path, root)?.hasPrefix("<!-- Generated") == true {
        orphans.append(path)
      }
    }
    return orphans
  }

  static func read(_ path: String, _ root: String) -> String? {
    (try? Data(contentsOf: URL(fileURLWithPath: root).appendingPathComponent(path))).flatMap { String(validating: $0, as: UTF8.self) }
  }
}
