import Backplane
import BackplaneTemplates
import Foundation

let newPluginCommand = Command(
  name: "new-plugin", summary: "Write a working plugin to begin with: source, headers, build file",
  positionals: ["NAME"],
  options: [Option("lang", "LANGUAGE", "c (default) or swift"), Option("output", "FOLDER", "where to put it; must not exist (default: ./NAME)")]
) { arguments in
  let plugin = try NewPlugin(name: arguments.positionals[0], language: arguments["lang"] ?? "c")
  let folder = arguments["output"] ?? plugin.fileName
  try plugin.write(to: folder)
  print("wrote \(plugin.files.map(\.path).joined(separator: ", ")) to \(folder)")
  for missing in plugin.missingTools() { Terminal.writeError(Terminal.paint("note: ", .yellow, onError: true) + "\(missing)\n") }
  print("next: cd \(folder) && make && backplane conform ./lib\(plugin.fileName).so    (README.md says more)")
  return .success
}

/// The files of the templates under another name.
struct NewPlugin {
  let name: String
  let isSwift: Bool

  /// Words of the tool or of plugins that exist, which a device's ID must not begin with.
  static let taken = ["auto", "cpu", "npu", "opencl", "reference", "template", "vulkan"]

  /// - Throws: ``UsageError`` for a name that cannot be the beginning of a device's ID and of file names, and for another language.
  init(name: String, language: String) throws {
    let isWord = name.first.map { $0.isASCII && $0.isLetter } == true && name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
    guard isWord, name.count <= 32 else {
      throw UsageError("'\(name)' cannot be a plugin's name: 1 to 32 letters, digits and _, a letter first, such as AcmeNPU")
    }
    let lower = name.lowercased()
    if NewPlugin.taken.contains(lower) { throw UsageError("'\(name)' is taken: devices of that name exist. Choose another, such as Acme\(name)") }
    if let prefix = ["libbackplane", "backplane", "lib"].first(where: { lower.hasPrefix($0) }) {
      throw UsageError("'\(name)' begins with '\(prefix)', which device IDs leave out. Choose another name")
    }
    guard ["c", "swift"].contains(language) else { throw UsageError("--lang takes c or swift, not '\(language)'") }
    (self.name, isSwift) = (name, language == "swift")
  }

  /// What the library, the source and device IDs are called.
  var fileName: String { name.lowercased() }

  /// Paths in the plugin's folder, and texts. Headers are as they are.
  var files: [(path: String, text: String)] {
    var count = 0
    let first = isSwift ? bp_template_swift(&count) : bp_template_c(&count)
    return UnsafeBufferPointer(start: first, count: count).map { file in
      let (path, text) = (String(cString: file.path), String(cString: file.text))
      if path.hasPrefix("include/") { return (path, text) }
      return (renamed(path), renamed(text))
    }
  }

  /// The account's tag is the name's first four letters.
  private func renamed(_ text: String) -> String {
    let tag = (Array(fileName.utf8) + [0x5f, 0x5f, 0x5f]).prefix(4).map { String($0, radix: 16) }.joined()
    return text.replacing("0x74656d70", with: "0x" + tag).replacing("TemplatePlugin", with: "\(name)Plugin")
      .replacing("Template", with: name).replacing("template", with: fileName)
  }

  /// - Throws: ``BackplaneError`` (file) when the folder exists or cannot be made. Nothing of what exists is touched.
  func write(to folder: String) throws {
    let manager = FileManager.default
    if manager.fileExists(atPath: folder) {
      throw BackplaneError(.file, "exists already", subject: folder, hint: "choose another place with --output, or remove it")
    }
    do {
      for (path, text) in files {
        let url = URL(fileURLWithPath: folder).appendingPathComponent(path)
        try manager.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: url)
      }
    } catch {
      throw BackplaneError(.file, "cannot be written: \(error.localizedDescription)", subject: folder)
    }
  }

  /// What `make` will want and PATH does not have, with what to do.
  func missingTools(path: String = ProcessInfo.processInfo.environment["PATH"] ?? "") -> [String] {
    func has(_ tool: String) -> Bool { path.split(separator: ":").contains { FileManager.default.isExecutableFile(atPath: "\($0)/\(tool)") } }
    var missing: [String] = []
    if !has("make") { missing.append("there is no make in PATH; on Debian: apt-get install make") }
    if !has("cc") { missing.append("there is no C compiler 'cc' in PATH: on Debian apt-get install gcc, or make CC=/path/to/compiler") }
    if isSwift, !has("swiftc") { missing.append("there is no swiftc in PATH: a toolchain from swift.org, or make SWIFTC=/path/to/swiftc") }
    return missing
  }
}
