import BackplaneCore
import Foundation

/// Where a plugin was found.
public enum PluginOrigin: Sendable, Equatable {
  /// Named by the application, the command line or `BACKPLANE_PLUGIN_PATH`: the user's own decision.
  case explicit
  /// In a folder that is searched, where only manifests count.
  case folder(String)
  /// Beside the executable in a build tree.
  case buildTree
  /// Registered by the application.
  case inProcess
}

/// A library that may be a plugin.
public struct PluginCandidate: Sendable, Equatable {
  /// Absolute.
  public var library: String
  /// Nil for a library without a manifest, which is shown as unsigned.
  public var manifest: PluginManifest?
  public var origin: PluginOrigin
}

/// Something that lay where plugins are looked for and was not taken, and why.
public struct RejectedCandidate: Sendable, Equatable {
  public var path: String
  public var origin: PluginOrigin
  public var reason: String
}

/// Where plugins are looked for, in this order; never the current folder, `LD_LIBRARY_PATH` or a model's folder.
///
/// 1. `explicit` paths, then those of `BACKPLANE_PLUGIN_PATH` (not in a privileged process),
/// 2. `$XDG_DATA_HOME/backplane/plugins.d`, 3. `/etc/backplane/plugins.d`,
/// 4. `PREFIX/lib/backplane/plugins.d`, PREFIX being the parent of the executable's folder; then, where this code is in a shared library,
///    `backplane/plugins.d` beside that library,
/// 5. the executable's own folder, then the library's: manifests, and in a SwiftPM build folder also libraries that carry the ELF note.
public struct PluginSearch: Sendable {
  /// Libraries, manifests, or folders that hold them.
  public var explicit: [String]
  /// Folders in which only manifests count, and whose files no other user may write.
  public var folders: [String]
  /// The executable's folder; nil to leave it out.
  public var executableFolder: String?
  /// The folder of the shared library that this code is in; nil when it is the executable's, or to leave it out.
  public var libraryFolder: String?

  /// - Parameters:
  ///   - privileged: A process that runs with more rights than its caller (set-user-ID): its environment is not trusted.
  public init(explicit: [String] = [], environment: [String: String] = ProcessInfo.processInfo.environment,
              executableFolder: String? = PluginSearch.executableFolder, libraryFolder: String? = PluginSearch.libraryFolder,
              privileged: Bool = PluginSearch.isPrivileged) {
    var paths = explicit
    if !privileged, let list = environment["BACKPLANE_PLUGIN_PATH"] {
      paths += list.split(separator: ":").map(String.init)
    }
    self.explicit = paths
    var folders: [String] = []
    if !privileged {
      let home = environment["XDG_DATA_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil } ?? environment["HOME"].map { $0 + "/.local/share" }
      if let home, home.hasPrefix("/") { folders.append(home + "/backplane/plugins.d") }
    }
    folders.append("/etc/backplane/plugins.d")
    if let executableFolder {
      folders.append(((executableFolder as NSString).deletingLastPathComponent as NSString).appendingPathComponent("lib/backplane/plugins.d"))
    }
    if let libraryFolder { folders.append((libraryFolder as NSString).appendingPathComponent("backplane/plugins.d")) }
    self.folders = folders
    self.executableFolder = executableFolder
    self.libraryFolder = libraryFolder
  }

  /// Nothing but these paths.
  public static func only(_ explicit: [String]) -> PluginSearch {
    PluginSearch(explicit: explicit, environment: [:], executableFolder: nil, libraryFolder: nil).withoutFolders
  }
  private var withoutFolders: PluginSearch {
    var search = self
    search.folders = []
    return search
  }

  /// The folder of the running executable.
  public static var executableFolder: String? {
    (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")).map { ($0 as NSString).deletingLastPathComponent }
  }

  /// The folder of the shared library that this code was linked into; nil when it is a part of the executable.
  public static let libraryFolder: String? = {
    // `dladdr` has no declaration that Swift sees. Its record: the library's name and base, the symbol's name and address.
    typealias Record = (name: UnsafePointer<CChar>?, base: UnsafeRawPointer?, symbol: UnsafePointer<CChar>?, address: UnsafeRawPointer?)
    typealias Ask = @convention(c) (UnsafeRawPointer, UnsafeMutableRawPointer) -> Int32
    guard let function = dlsym(nil, "dladdr") else { return nil }
    var record: Record = (nil, nil, nil, nil)
    guard unsafeBitCast(function, to: Ask.self)(#dsohandle, &record) != 0, let name = record.name, let resolved = realpath(name, nil) else { return nil }
    defer { free(resolved) }
    let path = String(cString: resolved)
    // Of the executable the loader knows the name that it was started by, which need not lead anywhere from here.
    guard path.contains(".so"), path != (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) else { return nil }
    return (path as NSString).deletingLastPathComponent
  }()

  /// The kernel says that this process has more rights than its caller.
  public static var isPrivileged: Bool {
    if getuid() != geteuid() || getgid() != getegid() { return true }
    // `getauxval` has no declaration that Swift sees; AT_SECURE also tells of file capabilities.
    guard let symbol = dlsym(nil, "getauxval") else { return false }
    return unsafeBitCast(symbol, to: (@convention(c) (UInt) -> UInt).self)(23 /* AT_SECURE */) != 0
  }

  /// Looks everywhere. No plugin code runs.
  public func run() -> (candidates: [PluginCandidate], rejected: [RejectedCandidate]) {
    var scan = Scan()
    for path in explicit { scan.explicit(path) }
    for folder in folders { scan.folder(folder, .folder(folder), trusted: false) }
    for folder in [executableFolder, libraryFolder == executableFolder ? nil : libraryFolder].compactMap({ $0 }) {
      scan.folder(folder, .buildTree, trusted: true)
      if PluginSearch.isBuildFolder(folder) { scan.libraries(folder, .buildTree) }
    }
    return (scan.candidates, scan.rejected)
  }

  /// What is wrong with owner and mode of a file where plugins are looked for: nil when only root or this user can write it.
  static func fault(_ path: String, isFolder: Bool) -> String? { Scan.fault(path, isFolder: isFolder) }

  /// SwiftPM leaves `description.json` where it puts what it builds.
  static func isBuildFolder(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path + "/description.json") }
}

/// One search at work: what was found, and what was not taken.
private struct Scan {
  var candidates: [PluginCandidate] = []
  var rejected: [RejectedCandidate] = []
  private var seen: Set<String> = []

  mutating func explicit(_ path: String) {
    guard path.hasPrefix("/") else { return reject(path, .explicit, "the path of a plugin must be absolute") }
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else { return reject(path, .explicit, "no such file") }
    if isFolder.boolValue {
      folder(path, .explicit, trusted: true)
      libraries(path, .explicit)
    } else if path.hasSuffix(".json") {
      manifest(path, .explicit, trusted: true)
    } else {
      let beside = manifests(in: (path as NSString).deletingLastPathComponent).first { $0.manifest.library == (path as NSString).lastPathComponent }
      library(path, .explicit, manifest: beside?.manifest)
    }
  }

  /// Every manifest of a folder. `trusted`: the folder is the user's own choice, so owner and mode are not asked.
  mutating func folder(_ path: String, _ origin: PluginOrigin, trusted: Bool) {
    guard let names = try? FileManager.default.contentsOfDirectory(atPath: path) else { return }  // absent is normal
    if !trusted, let fault = Scan.fault(path, isFolder: true) { return reject(path, origin, fault) }
    for name in names.sorted() where name.hasSuffix(".json") {
      let file = path + "/" + name
      // A build folder has JSON files of its own: only those that look like a manifest are spoken of.
      if trusted, !Scan.looksLikeManifest(file) { continue }
      manifest(file, origin, trusted: trusted)
    }
  }

  private mutating func manifest(_ path: String, _ origin: PluginOrigin, trusted: Bool) {
    if !trusted, let fault = Scan.fault(path, isFolder: false) { return reject(path, origin, fault) }
    do throws(BackplaneError) {
      let manifest = try PluginManifest.read(path)
      let library = ((path as NSString).deletingLastPathComponent as NSString).appendingPathComponent(manifest.library)
      if !trusted, let fault = Scan.fault(library, isFolder: false) { return reject(library, origin, fault) }
      self.library(library, origin, manifest: manifest)
    } catch {
      reject(path, origin, error.message)
    }
  }

  /// Libraries without a manifest that carry the note; others are no business of ours. The host's own library for C has the note and is no plugin.
  mutating func libraries(_ folder: String, _ origin: PluginOrigin) {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    for name in names.sorted() where name.hasSuffix(".so") && name != "libBackplaneC.so" {
      let path = folder + "/" + name
      if (try? ELFNote.read(path)) != nil { library(path, origin, manifest: nil) }
    }
  }

  private mutating func library(_ path: String, _ origin: PluginOrigin, manifest: PluginManifest?) {
    guard seen.insert(URL(fileURLWithPath: path).resolvingSymlinksInPath().path).inserted else { return }
    candidates.append(PluginCandidate(library: path, manifest: manifest, origin: origin))
  }

  private func manifests(in folder: String) -> [(path: String, manifest: PluginManifest)] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted().filter { $0.hasSuffix(".json") }.compactMap { name in
      let path = folder + "/" + name
      return Scan.looksLikeManifest(path) ? (try? PluginManifest.read(path)).map { (path, $0) } : nil
    }
  }

  private mutating func reject(_ path: String, _ origin: PluginOrigin, _ reason: String) {
    rejected.append(RejectedCandidate(path: path, origin: origin, reason: reason))
  }

  private static func looksLikeManifest(_ path: String) -> Bool {
    guard let file = try? ReadOnlyFile(path), file.size < 1 << 20, let bytes = file.bytes(at: 0, count: file.size) else { return false }
    let text = String(decoding: bytes, as: UTF8.self)
    return text.contains("\"layout_hash\"") && text.contains("\"library\"")
  }

  /// What is wrong with owner and mode: nil when only root or this user can write it.
  static func fault(_ path: String, isFolder: Bool) -> String? {
    var status = stat()
    guard lstat(path, &status) == 0 else { return "cannot be examined: \(String(cString: strerror(errno)))" }
    if !isFolder && status.st_mode & S_IFMT != S_IFREG { return "not a regular file" }
    if isFolder && status.st_mode & S_IFMT != S_IFDIR { return "not a folder" }
    if status.st_uid != 0 && status.st_uid != geteuid() { return "owned by user \(status.st_uid), neither root nor this user" }
    if status.st_mode & 0o022 != 0 { return "writable by other users (mode \(String(status.st_mode & 0o777, radix: 8)))" }
    return nil
  }
}
