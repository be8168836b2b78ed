import Foundation
import _TestSupport

/// What clang makes of a plugin header: records, functions and numbers.
struct Header {
  struct Field: Equatable {
    var name, type: String
    var isBitField: Bool
    /// Bytes from the record's start.
    var offset: Int
  }
  struct Record {
    var name: String
    /// "struct" or "union".
    var kind: String
    var fields: [Field]
    var size: Int
  }
  struct Function {
    var name, type: String
    var isVariadic: Bool
  }

  var records: [Record] = []
  var functions: [Function] = []
  /// Typedefs that do not just name a record.
  var aliases: [(name: String, type: String)] = []
  /// Names of enumerations; "" for one without a name.
  var enumerations: [String] = []
  /// Macros without parameters and their text, and the names of those with parameters.
  var macros: [String: String] = [:]
  var functionMacros: [String] = []

  static let path = packageFolder + "/Sources/BackplaneABI/include/backplane_plugin.h"

  init(_ path: String = Header.path) throws {
    let clang = try Tool("clang")
    let flags = ["-std=c11", "-x", "c", "-fsyntax-only"]
    let syntax = try clang.run(flags + ["-Xclang", "-ast-dump=json", path])
    guard let root = try JSONSerialization.jsonObject(with: Data(syntax.utf8)) as? [String: Any], let declarations = root["inner"] as? [[String: Any]] else {
      throw Tool.Failure(description: "clang's syntax tree could not be read")
    }
    let layouts = Header.layouts(try clang.run(flags + ["-Xclang", "-fdump-record-layouts-complete", path]))
    for declaration in declarations where Header.isOwn(declaration) { take(declaration, layouts) }
    // Macros of the header alone: all there are, less those that its includes define.
    let all = Header.macros(try clang.run(["-std=c11", "-x", "c", "-dM", "-E", path]))
    for (name, text) in all where name.hasPrefix("BP_") || name.hasPrefix("bp_") {
      if let parenthesis = name.firstIndex(of: "(") { functionMacros.append(String(name[..<parenthesis])) } else { macros[name] = text }
    }
  }

  private mutating func take(_ declaration: [String: Any], _ layouts: [String: Layout]) {
    let name = declaration["name"] as? String ?? ""
    let type = (declaration["type"] as? [String: Any])?["qualType"] as? String ?? ""
    switch declaration["kind"] as? String {
    case "RecordDecl" where declaration["completeDefinition"] as? Bool == true:
      let layout = layouts[name]
      let fields = (declaration["inner"] as? [[String: Any]] ?? []).filter { $0["kind"] as? String == "FieldDecl" }.map { field in
        let name = field["name"] as? String ?? ""
        return Field(name: name, type: (field["type"] as? [String: Any])?["qualType"] as? String ?? "", isBitField: field["isBitfield"] as? Bool ?? false,
                     offset: layout?.offsets[name] ?? -1)
      }
      records.append(Record(name: name, kind: declaration["tagUsed"] as? String ?? "", fields: fields, size: layout?.size ?? -1))
    case "FunctionDecl": functions.append(Function(name: name, type: type, isVariadic: declaration["variadic"] as? Bool ?? false))
    case "TypedefDecl" where type != "struct " + name && type != "union " + name: aliases.append((name, type))
    case "EnumDecl": enumerations.append(name)
    default: break
    }
  }

  /// Written in the header itself, not in a file that it includes.
  private static func isOwn(_ declaration: [String: Any]) -> Bool {
    if declaration["isImplicit"] as? Bool == true { return false }
    guard let location = declaration["loc"] as? [String: Any], !location.isEmpty else { return false }
    for place in [location, location["spellingLoc"] as? [String: Any] ?? [:], location["expansionLoc"] as? [String: Any] ?? [:]] where place["includedFrom"] != nil {
      return false
    }
    return true
  }

  private typealias Layout = (size: Int, offsets: [String: Int])

  /// Reads lines such as `   24 |   int64_t native_code` and `      | [sizeof=472, align=8]`.
  private static func layouts(_ text: String) -> [String: Layout] {
    var layouts: [String: Layout] = [:]
    var name = "", offsets: [String: Int] = [:]
    for line in text.split(separator: "\n") {
      guard let bar = line.range(of: " | ") else { continue }
      let content = line[bar.upperBound...]
      if content.hasPrefix("[sizeof=") {
        layouts[name] = (Int(content.dropFirst(8).prefix { $0.isNumber }) ?? -1, offsets)
      } else if let offset = Int(line[..<bar.lowerBound].trimmingCharacters(in: .whitespaces).prefix { $0 != ":" }) {
        let depth = content.prefix { $0 == " " }.count
        let last = String(content.split(separator: " ").last ?? "")
        if depth == 0 { (name, offsets) = (last, [:]) } else if depth == 2 { offsets[last] = offset }
      }
    }
    return layouts
  }

  private static func macros(_ text: String) -> [(String, String)] {
    text.split(separator: "\n").compactMap { line in
      let words = line.split(separator: " ", maxSplits: 2)
      guard words.count >= 2, words[0] == "#define" else { return nil }
      // A macro with parameters may have blanks between them.
      if let open = words[1].firstIndex(of: "(") { return (String(words[1][...open]), "") }
      return (String(words[1]), words.count > 2 ? String(words[2]) : "")
    }
  }
}
