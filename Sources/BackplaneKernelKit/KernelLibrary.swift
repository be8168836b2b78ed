public import BackplaneABI
import BackplaneCore
public import BackplanePluginKit
import Glibc

/// Kernels of a backend: sources by path and the variants that their manifests declare. Immutable after it is made.
public final class KernelLibrary: @unchecked Sendable {
  /// Text by path, such as `matmul/matmul.cl`.
  private var sources: [String: String] = [:]
  private var kernels: [String: KernelTemplate] = [:]
  /// By operator, best first: the user's before the backend's own, later ones before earlier ones.
  private(set) var variants: [bp_id: [VariantTemplate]] = [:]
  /// The backend's, then the user's.
  var quirks: [Quirk] = []
  /// What is wrong with files of the user's folder, which then are left out.
  public private(set) var problems: [String] = []
  private let suffix: String
  private let binarySuffix: String?

  /// - Parameters:
  ///   - files: Paths and texts of the backend's own sources and manifests.
  ///   - suffix: Of sources, such as ".cl".
  ///   - binarySuffix: Of compiled sources, such as ".spv": known by path, read by the backend.
  ///   - userFolder: Searched for folders with manifests and sources; nil or missing: none. `user/` begins its files' paths.
  /// - Throws: When the backend's own manifests are wrong.
  public init(files: [(path: String, text: String)], suffix: String, binarySuffix: String? = nil, userFolder: String?) throws(PluginError) {
    (self.suffix, self.binarySuffix) = (suffix, binarySuffix)
    for file in files where !file.path.hasSuffix(".json") { sources[file.path] = file.text }
    for file in files where file.path.hasSuffix(".json") {
      do { try add(file.text, file.path, isUsers: false, folder: "") } catch {
        throw PluginError(BP_E_INTERNAL, "\(error)")
      }
    }
    if let userFolder { addUsers(userFolder) }
  }

  private func addUsers(_ folder: String) {
    for file in filesBelow(folder) {
      if let binarySuffix, file.hasSuffix(binarySuffix) { sources["user/" + file] = "" }
      if file.hasSuffix(suffix), let text = readText(folder + "/" + file) { sources["user/" + file] = text }
    }
    for file in filesBelow(folder) where file.hasSuffix(".json") {
      guard let text = readText(folder + "/" + file) else {
        problems.append("\(folder)/\(file) cannot be read")
        continue
      }
      let inner = file.lastIndex(of: "/").map { String(file[...$0]) } ?? ""
      do { try add(text, folder + "/" + file, isUsers: true, folder: "user/" + inner) } catch {
        problems.append("\(error)")
      }
    }
  }

  private func add(_ text: String, _ file: String, isUsers: Bool, folder: String) throws(BackplaneError) {
    if file.split(separator: "/").last == "quirks.json" { return quirks += try Quirk.list(text: text, file: file) }
    let manifest = try KernelManifest(text: text, file: file, isUsers: isUsers)
    // A user's names stand beside the backend's own, and hide them in the user's own manifest only.
    func qualified(_ name: String) -> String { manifest.isUsers && manifest.kernels[name] != nil ? manifest.file + "#" + name : name }
    for (name, template) in manifest.kernels {
      let path = sources[folder + template.source] != nil ? folder + template.source : template.source
      guard sources[path] != nil else { throw BackplaneError(.file, "kernel '\(name)': there is no source '\(template.source)'", subject: manifest.file) }
      if !manifest.isUsers, kernels[name] != nil { throw BackplaneError(.file, "kernel '\(name)' is defined twice", subject: manifest.file) }
      kernels[qualified(name)] = template.with(source: path)
    }
    for variant in manifest.variants {
      let named = variant.renamingKernels(qualified)
      for launch in named.kernelNames where kernels[launch] == nil && manifest.isUsers {
        throw BackplaneError(.file, "variant '\(variant.name)': there is no kernel '\(launch)'", subject: manifest.file)
      }
      for name in variant.operators { variants[identifier(name), default: []].insert(named, at: 0) }
    }
  }

  func kernel(_ name: String) throws(PluginError) -> KernelTemplate {
    guard let kernel = kernels[name] else { throw PluginError(BP_E_INTERNAL, "there is no kernel '\(name)'") }
    return kernel
  }

  /// Operators that a variant is there for.
  public var operators: Set<bp_id> { Set(variants.keys) }

  /// Values that settings give parameters, for ``DeviceTraits/overrides``: `setting` is asked for `VARIANT.PARAMETER`.
  ///
  /// - Throws: `BP_E_INVALID` for a value that is no whole number or none of the parameter's choices.
  public func overrides(_ setting: (String) -> String?) throws(PluginError) -> [String: Int] {
    var values: [String: Int] = [:]
    for variant in variants.values.joined() {
      for parameter in variant.parameters {
        let key = "\(variant.name).\(parameter.name)"
        guard values[key] == nil, let text = setting(key) else { continue }
        guard let value = Int(text), parameter.choices.isEmpty || parameter.choices.contains(value) else {
          throw .invalid("\(key) is \"\(text)\"; valid are \(parameter.choices.map(String.init).joined(separator: ", "))")
        }
        values[key] = value
      }
    }
    return values
  }

  /// For ``DeviceTraits/forced``: `setting` is asked for `kernel.OPERATOR`, the name of a variant.
  ///
  /// - Throws: `BP_E_INVALID` for a variant that the operator has not.
  public func forced(_ setting: (String) -> String?) throws(PluginError) -> [bp_id: bp_id] {
    var forced: [bp_id: bp_id] = [:]
    for (op, list) in variants {
      let name = list[0].operators.first { identifier($0) == op } ?? ""
      guard let wanted = setting("kernel.\(name)"), !wanted.isEmpty else { continue }
      guard list.contains(where: { $0.name == wanted }) else {
        throw .invalid("kernel.\(name) is \"\(wanted)\"; valid are \(list.map(\.name).joined(separator: ", "))")
      }
      forced[op] = identifier(wanted)
    }
    return forced
  }

  /// The source with what it includes put in, each file once, lines numbered as in their files.
  public func expanded(_ path: String) throws(PluginError) -> String {
    var done: Set<String> = []
    return try expand(path, &done, from: path)
  }

  private func expand(_ path: String, _ done: inout Set<String>, from includer: String) throws(PluginError) -> String {
    guard let text = sources[path] else { throw .invalid("\(includer) includes '\(path)', which does not exist") }
    done.insert(path)
    var out = "#line 1 \"\(path)\"\n"
    for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      guard line.hasPrefix("#include \""), let end = line.dropFirst(10).firstIndex(of: "\"") else {
        out += line + "\n"
        continue
      }
      let name = String(line[line.index(line.startIndex, offsetBy: 10)..<end])
      if !done.contains(name) { out += try expand(name, &done, from: path) }
      out += "#line \(number + 2) \"\(path)\"\n"
    }
    return out
  }
}

extension KernelTemplate {
  fileprivate func with(source path: String) -> KernelTemplate {
    var copy = KernelTemplate(name: name, source: path, entry: entry)
    (copy.lets, copy.walk, copy.defines, copy.arguments, copy.global, copy.local) = (lets, walk, defines, arguments, global, local)
    return copy
  }
}

extension VariantTemplate {
  var kernelNames: [String] { launches.map(\.kernel) + [copyKernel, fillKernel].compactMap { $0 } }

  fileprivate func renamingKernels(_ rename: (String) -> String) -> VariantTemplate {
    var copy = self
    copy.launches = launches.map { Launch(kernel: rename($0.kernel), bind: $0.bind, condition: $0.condition, unlessSame: $0.unlessSame, values: $0.values) }
    (copy.copyKernel, copy.fillKernel) = (copyKernel.map(rename), fillKernel.map(rename))
    return copy
  }
}

// MARK: - Files, without Foundation

/// Paths of regular files below a folder, at most three levels deep, in order.
private func filesBelow(_ folder: String, depth: Int = 0) -> [String] {
  guard depth < 3, let handle = opendir(folder) else { return [] }
  defer { closedir(handle) }
  var files: [String] = []
  while let entry = readdir(handle) {
    let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    if name.hasPrefix(".") { continue }
    var status = stat()
    guard stat(folder + "/" + name, &status) == 0 else { continue }
    switch status.st_mode & S_IFMT {
    case S_IFDIR: files += filesBelow(folder + "/" + name, depth: depth + 1).map { name + "/" + $0 }
    case S_IFREG: files.append(name)
    default: break
    }
  }
  return files.sorted()
}

private func readText(_ path: String) -> String? { readFile(path).flatMap { String(validating: $0, as: UTF8.self) } }

/// A file of at most 4 MiB.
public func readFile(_ path: String) -> [UInt8]? {
  let file = open(path, O_RDONLY | O_CLOEXEC)
  guard file >= 0 else { return nil }
  defer { close(file) }
  var bytes: [UInt8] = [], piece = [UInt8](repeating: 0, count: 65536)
  while bytes.count < 1 << 22 {
    let count = read(file, &piece, piece.count)
    if count < 0 { return nil }
    if count == 0 { return bytes }
    bytes += piece[0..<count]
  }
  return nil
}
