import BackplaneCore
import BackplaneSpecs
import Foundation

/// Definitions of a plugin's own operators: `NAME.json` in the folder `libAcme.operators` beside `libAcme.so`.
public struct OperatorFolder: Sendable {
  let path: String

  init(library: String) {
    let file = (library as NSString).lastPathComponent
    let stem = file.range(of: ".so").map { String(file[..<$0.lowerBound]) } ?? file
    path = (library as NSString).deletingLastPathComponent + "/" + stem + ".operators"
  }

  /// Registers the operators of a file, or of every definition in a folder.
  ///
  /// - Returns: Their names.
  @discardableResult
  public static func register(at path: String) throws(BackplaneError) -> [String] {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else { throw BackplaneError(.file, "no such file or folder", subject: path) }
    if !isFolder.boolValue { return [try register(file: path)] }
    var names: [String] = []
    for file in files(path) { names.append(try register(file: path + "/" + file)) }
    if names.isEmpty { throw BackplaneError(.file, "there is no definition of an operator (*.json) in it", subject: path) }
    return names
  }

  /// Registers the operators that a manifest names, or all that are there.
  ///
  /// - Parameters:
  ///   - names: Nil when there is no manifest to say them.
  ///   - isTrusted: The user chose the place; else only root and this user may be able to write folder and files.
  /// - Returns: Their names.
  func register(_ names: [String]?, isTrusted: Bool) throws(BackplaneError) -> [String] {
    let names = names ?? OperatorFolder.files(path).map { String($0.dropLast(5)) }
    if names.isEmpty { return [] }
    if !isTrusted, let fault = PluginSearch.fault(path, isFolder: true) { throw BackplaneError(.file, fault, subject: path) }
    for name in names {
      let file = "\(path)/\(name).json"
      if !isTrusted, let fault = PluginSearch.fault(file, isFolder: false) { throw BackplaneError(.file, fault, subject: file) }
      let op = try OperatorFolder.register(file: file)
      if op != name { throw BackplaneError(.file, "defines \(op), which is not the file's name", subject: file) }
    }
    return names
  }

  private static func files(_ folder: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).filter { $0.hasSuffix(".json") }.sorted()
  }

  private static func register(file path: String) throws(BackplaneError) -> String {
    let file = try ReadOnlyFile(path)
    guard file.size <= 1 << 20, let bytes = file.bytes(at: 0, count: file.size), let text = String(validating: bytes, as: UTF8.self) else {
      throw BackplaneError(.file, "is no UTF-8 text of at most a mebibyte", subject: path)
    }
    return try OperatorSpec.register(text, file: path).name
  }
}
