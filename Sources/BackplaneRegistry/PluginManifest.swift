import BackplaneABI
import BackplaneCore
import Foundation

/// `NAME.json` beside a plugin's library: what the host may know and check before it loads anything.
public struct PluginManifest: Codable, Sendable, Equatable {
  public struct Range: Codable, Sendable, Equatable {
    /// Versions such as "1.0".
    public var min, max: String
  }

  public static let currentFormat = 1

  public var format: Int
  public var name, vendor, version: String
  /// A bare file name, in the manifest's own folder.
  public var library: String
  public var abi: Range
  /// Of the highest ABI version that both this tool and the library know: "0x" and 16 digits.
  public var layoutHash: String
  /// 64 lower-case hexadecimal digits, and the size in bytes, of the library.
  public var sha256: String
  public var size: Int
  /// As in `uname -m`, and "linux".
  public var arch, os: String
  public var buildID: String
  /// Groups of functions that its devices serve: base, queues, blobs, tuning.
  public var groups: [String]
  /// "none", or "own" when the plugin or its driver starts threads.
  public var threads: String
  /// Libraries, drivers or devices that must be there, in words.
  public var requires: [String]
  /// Names of the devices that were seen when the manifest was made.
  public var devices: [String]
  /// The file name of a conformance report beside the manifest.
  public var conformance: String?
  /// Operators of the plugin's own, each described by `NAME.json` in ``OperatorFolder``.
  public var operators: [String]?

  enum CodingKeys: String, CodingKey {
    case format, name, vendor, version, library, abi, sha256, size, arch, os, groups, threads, requires, devices, conformance, operators
    case layoutHash = "layout_hash"
    case buildID = "build_id"
  }

  public init(from decoder: any Decoder) throws {
    let c = try decoder.container(keyedBy: CodingKeys.self)
    format = try c.decode(Int.self, forKey: .format)
    name = try c.decode(String.self, forKey: .name)
    vendor = try c.decodeIfPresent(String.self, forKey: .vendor) ?? ""
    version = try c.decodeIfPresent(String.self, forKey: .version) ?? ""
    library = try c.decode(String.self, forKey: .library)
    abi = try c.decode(Range.self, forKey: .abi)
    layoutHash = try c.decode(String.self, forKey: .layoutHash)
    sha256 = try c.decode(String.self, forKey: .sha256)
    size = try c.decode(Int.self, forKey: .size)
    arch = try c.decode(String.self, forKey: .arch)
    os = try c.decode(String.self, forKey: .os)
    buildID = try c.decodeIfPresent(String.self, forKey: .buildID) ?? ""
    groups = try c.decodeIfPresent([String].self, forKey: .groups) ?? []
    threads = try c.decodeIfPresent(String.self, forKey: .threads) ?? "none"
    requires = try c.decodeIfPresent([String].self, forKey: .requires) ?? []
    devices = try c.decodeIfPresent([String].self, forKey: .devices) ?? []
    conformance = try c.decodeIfPresent(String.self, forKey: .conformance)
    operators = try c.decodeIfPresent([String].self, forKey: .operators)
  }

  init(note: ELFNote, library: String, sha256: String, size: Int) {
    format = PluginManifest.currentFormat
    name = PluginManifest.name(ofLibrary: library)
    (vendor, version, buildID) = ("", "", "")
    self.library = library
    abi = Range(min: "\(note.minimumABI)", max: "\(note.maximumABI)")
    let minor = note.layoutHashes.keys.filter { $0 <= ABIVersion.hostMaximum.minor }.max()
    layoutHash = hexadecimal(minor.flatMap { note.layoutHashes[$0] } ?? 0)
    (self.sha256, self.size) = (sha256, size)
    (arch, os) = (note.architecture, "linux")
    (groups, threads, requires, devices) = ([], "none", [], [])
  }

  /// "libAcme.so" → "Acme".
  static func name(ofLibrary file: String) -> String {
    var name = file[...]
    if name.hasPrefix("lib") { name = name.dropFirst(3) }
    if let end = name.range(of: ".so") { name = name[..<end.lowerBound] }
    return name.isEmpty ? file : String(name)
  }
}

extension PluginManifest {
  /// Reads and validates a manifest. The library is not looked at: see ``verify(library:)``.
  ///
  /// - Throws: ``BackplaneError`` (file), naming the field that is wrong.
  public static func read(_ path: String) throws(BackplaneError) -> PluginManifest {
    let file = try ReadOnlyFile(path)
    guard file.size <= 1 << 20, let bytes = file.bytes(at: 0, count: file.size) else {
      throw BackplaneError(.file, "a manifest of \(file.size) bytes is too large", subject: path)
    }
    let manifest: PluginManifest
    do {
      manifest = try JSONDecoder().decode(PluginManifest.self, from: Data(bytes))
    } catch {
      throw BackplaneError(.file, "not a plugin manifest: \(describe(error))", subject: path)
    }
    try manifest.validate(subject: path)
    return manifest
  }

  /// Writes `NAME.json`, sorted and indented, replacing the old one at once.
  public func write(_ path: String) throws(BackplaneError) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    do {
      try (encoder.encode(self) + Data("\n".utf8)).write(to: URL(fileURLWithPath: path), options: .atomic)
    } catch {
      throw BackplaneError(.file, "cannot be written: \(error.localizedDescription)", subject: path)
    }
  }

  /// The versions of ``abi``; nil when they are no versions.
  public var abiVersions: (minimum: ABIVersion, maximum: ABIVersion)? {
    ABIVersion(abi.min).flatMap { low in ABIVersion(abi.max).map { (low, $0) } }
  }

  func validate(subject: String) throws(BackplaneError) {
    func require(_ condition: Bool, _ message: @autoclosure () -> String) throws(BackplaneError) {
      if !condition { throw BackplaneError(.file, message(), subject: subject) }
    }
    try require(format == PluginManifest.currentFormat, "format \(format) is not known, \(PluginManifest.currentFormat) is")
    try require(!PluginLibrary.shortName(name).isEmpty, "name is empty")
    try require(!library.isEmpty && !library.contains("/") && library != "." && library != ".." && !library.contains("\0"),
                "library must be a bare file name, not \"\(library)\"")
    try require(sha256.count == 64 && sha256.allSatisfy { $0.isHexDigit && !$0.isUppercase }, "sha256 must be 64 lower-case hexadecimal digits")
    try require(size > 0, "size is \(size)")
    try require(layoutHash.count == 18 && layoutHash.hasPrefix("0x") && UInt64(layoutHash.dropFirst(2), radix: 16) != nil,
                "layout_hash must be 0x and 16 hexadecimal digits")
    try require(operators?.allSatisfy { !$0.isEmpty && !$0.contains("/") && !$0.hasPrefix(".") && !$0.contains("\0") } ?? true, "operators must be names such as acme.swish_bias")
    try require(os == "linux", "built for \(os), this is linux")
    try require(arch == ELFNote.hostArchitecture, "built for \(arch), this machine is \(ELFNote.hostArchitecture)")
    guard let versions = abiVersions else { throw BackplaneError(.file, "abi \(abi.min)…\(abi.max) are no versions", subject: subject) }
    _ = try ABIVersion.negotiate(pluginMinimum: versions.minimum.number, pluginMaximum: versions.maximum.number, subject: subject)
  }

  /// Checks that `path` is the library that the manifest speaks of: size, SHA-256 and the ELF note.
  ///
  /// - Throws: ``BackplaneError`` (file), saying what differs.
  public func verify(library path: String) throws(BackplaneError) {
    let file = try ReadOnlyFile(path)
    guard file.size == size else {
      throw BackplaneError(.file, "the library has \(file.size) bytes, its manifest says \(size)", subject: path, hint: "write the manifest again")
    }
    let hash = try SHA256.hexadecimal(of: file, subject: path)
    guard hash == sha256 else {
      throw BackplaneError(.file, "the library's SHA-256 is \(hash.prefix(16))…, its manifest says \(sha256.prefix(16))…", subject: path,
                           hint: "the file was changed or damaged after its manifest was written")
    }
    let note = try ELFNote.read(file, subject: path)
    guard abi.min == "\(note.minimumABI)", abi.max == "\(note.maximumABI)", arch == note.architecture else {
      throw BackplaneError(.file, "the library's note says ABI \(note.minimumABI)…\(note.maximumABI) for \(note.architecture), its manifest "
        + "\(abi.min)…\(abi.max) for \(arch)", subject: path)
    }
    guard note.layoutHashes.values.contains(where: { hexadecimal($0) == layoutHash }) else {
      throw BackplaneError(.file, "the library's note does not have the manifest's layout hash \(layoutHash)", subject: path)
    }
  }

  /// The manifest of a library as far as its file tells: nothing of it is run, so name, vendor and version are guesses or empty.
  public static func unsigned(library path: String) throws(BackplaneError) -> PluginManifest {
    let file = try ReadOnlyFile(path)
    let note = try ELFNote.read(file, subject: path)
    return PluginManifest(note: note, library: (path as NSString).lastPathComponent, sha256: try SHA256.hexadecimal(of: file, subject: path), size: file.size)
  }

  /// What `backplane manifest LIB.so` writes: the file's facts, and the plugin's own words, which a probe asks it for.
  ///
  /// - Throws: ``BackplaneError`` when the file is no plugin, or the probe found it faulty.
  public static func derive(fromLibrary path: String, probe: PluginProbe) throws(BackplaneError) -> PluginManifest {
    var manifest = try unsigned(library: path)
    let operators = try OperatorFolder(library: path).register(nil, isTrusted: true)
    if !operators.isEmpty { manifest.operators = operators }
    let answer = probe.run(library: path)
    switch answer {
    case .failed(let why), .silent(let why): throw BackplaneError(.internal, why, subject: path)
    case .report(let report):
      if let refused = report.refused { throw BackplaneError(.abi, refused, subject: path) }
      if let fault = report.fault { throw BackplaneError(.internal, fault, subject: path) }
      if let plugin = report.plugin {
        (manifest.name, manifest.vendor, manifest.version, manifest.buildID) = (plugin.name, plugin.vendor, plugin.version, plugin.buildID)
        manifest.threads = plugin.ownThreads ? "own" : "none"
      }
      manifest.devices = report.devices.map(\.name)
      let groups = report.devices.reduce(into: Set<String>()) { $0.formUnion($1.groups) }
      manifest.groups = ["base", "queues", "blobs", "tuning"].filter(groups.contains)
    }
    return manifest
  }
}

extension SHA256 {
  /// The digest of a whole file in hexadecimal, read in pieces of 1 MiB.
  static func hexadecimal(of file: ReadOnlyFile, subject: String) throws(BackplaneError) -> String {
    var sha = SHA256()
    var at = 0
    while at < file.size {
      let count = min(1 << 20, file.size - at)
      guard let piece = file.bytes(at: UInt64(at), count: count) else { throw BackplaneError(.file, "cannot be read at byte \(at)", subject: subject) }
      sha.update(piece)
      at += count
    }
    return hexadecimal(sha.finish())
  }
}

/// A decoding error in one line.
func describe(_ error: any Error) -> String {
  func path(_ context: DecodingError.Context) -> String { context.codingPath.map(\.stringValue).joined(separator: ".") }
  switch error {
  case DecodingError.keyNotFound(let key, _): return "\(key.stringValue) is missing"
  case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context): return "\(path(context)): \(context.debugDescription)"
  default: return "malformed JSON"
  }
}
