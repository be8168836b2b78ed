import BackplaneCore
@testable import BackplaneRegistry
import Foundation
import Testing
import _TestSupport

@Suite struct SearchTests {
  /// A folder with a copy of a fixture and its manifest.
  private func installed(_ name: String = "quiet", below folder: String) throws -> String {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
    try FileManager.default.copyItem(atPath: Fixtures.library(name), toPath: folder + "/lib\(name).so")
    chmod(folder + "/lib\(name).so", 0o644)
    let manifest = folder + "/\(name).json"
    try PluginManifest.derive(fromLibrary: folder + "/lib\(name).so", probe: Fixtures.probe()).write(manifest)
    chmod(manifest, 0o644)
    return manifest
  }

  private func search(data: TemporaryFolder, path: String? = nil, privileged: Bool = false, explicit: [String] = []) -> PluginSearch {
    var environment = ["XDG_DATA_HOME": data.path]
    environment["BACKPLANE_PLUGIN_PATH"] = path
    return PluginSearch(explicit: explicit, environment: environment, executableFolder: nil, privileged: privileged)
  }

  @Test func theFoldersAreSearchedInOrder() {
    let search = PluginSearch(explicit: ["/a.so"], environment: ["HOME": "/home/u", "BACKPLANE_PLUGIN_PATH": "/b:/c"], executableFolder: "/opt/x/bin",
                              privileged: false)
    #expect(search.explicit == ["/a.so", "/b", "/c"])
    #expect(search.folders == ["/home/u/.local/share/backplane/plugins.d", "/etc/backplane/plugins.d", "/opt/x/lib/backplane/plugins.d"])
  }

  @Test func aPrivilegedProcessIgnoresTheEnvironment() {
    let search = PluginSearch(environment: ["HOME": "/home/u", "BACKPLANE_PLUGIN_PATH": "/b"], executableFolder: nil, privileged: true)
    #expect(search.explicit == [])
    #expect(search.folders == ["/etc/backplane/plugins.d"])
    #expect(!PluginSearch.isPrivileged)
  }

  @Test func aManifestInASearchedFolderIsFoundAndSigned() throws {
    let data = try TemporaryFolder()
    _ = try installed(below: data.path + "/backplane/plugins.d")
    let registry = PluginRegistry(host: .minimal(), search: search(data: data), policy: .off, probe: nil, cachePath: nil)
    let entry = try #require(registry.entries.first { $0.name == "quiet" })
    #expect(entry.state == .ready)
    #expect(entry.isSigned)
    #expect(entry.origin == .folder(data.path + "/backplane/plugins.d"))
    #expect(try registry.device("quiet").info.name == "Fixture")
  }

  @Test func aLibraryWithoutAManifestInASearchedFolderIsLeftAlone() throws {
    let data = try TemporaryFolder()
    let manifest = try installed(below: data.path + "/backplane/plugins.d")
    try FileManager.default.removeItem(atPath: manifest)
    #expect(search(data: data).run().candidates == [])
  }

  @Test func filesThatOthersMayWriteAreRejectedWithTheReason() throws {
    let data = try TemporaryFolder()
    let folder = data.path + "/backplane/plugins.d"
    let manifest = try installed(below: folder)
    func reasons() -> [String] { search(data: data).run().rejected.filter { $0.path.hasPrefix(data.path) }.map(\.reason) }
    #expect(reasons() == [])
    chmod(manifest, 0o666)
    #expect(reasons() == ["writable by other users (mode 666)"])
    chmod(manifest, 0o644)
    chmod(folder + "/libquiet.so", 0o664)
    #expect(reasons() == ["writable by other users (mode 664)"])
    chmod(folder + "/libquiet.so", 0o644)
    chmod(folder, 0o777)
    #expect(reasons() == ["writable by other users (mode 777)"])
    chmod(folder, 0o755)
    #expect(reasons() == [])
    try FileManager.default.moveItem(atPath: folder + "/libquiet.so", toPath: folder + "/real.so")
    try FileManager.default.createSymbolicLink(atPath: folder + "/libquiet.so", withDestinationPath: "real.so")
    #expect(reasons() == ["not a regular file"])
    #expect(search(data: data).run().candidates == [])
  }

  @Test func aBrokenManifestIsRejectedWithTheReason() throws {
    let data = try TemporaryFolder()
    let manifest = try installed(below: data.path + "/backplane/plugins.d")
    let good = try String(contentsOfFile: manifest, encoding: .utf8)
    func reason(_ text: String, _ replacement: String) throws -> String {
      try good.replacingOccurrences(of: text, with: replacement).write(toFile: manifest, atomically: false, encoding: .utf8)
      return search(data: data).run().rejected.first { $0.path.hasPrefix(data.path) }?.reason ?? ""
    }
    #expect(try reason("\"libquiet.so\"", "\"../libquiet.so\"") == "library must be a bare file name, not \"../libquiet.so\"")
    #expect(try reason("\"format\" : 1", "\"format\" : 2") == "format 2 is not known, 1 is")
    #expect(try reason("\"linux\"", "\"plan9\"") == "built for plan9, this is linux")
    #expect(try reason("\"sha256\"", "\"sha1\"") == "not a plugin manifest: sha256 is missing")
    #expect(try reason("{", "[") == "not a plugin manifest: malformed JSON")
    #expect(try reason("\"max\" : \"1.0\"", "\"max\" : \"0.9\"").contains("inverted"))
  }

  @Test func aLibraryThatIsNotTheManifestsIsRefused() throws {
    let data = try TemporaryFolder()
    let folder = data.path + "/backplane/plugins.d"
    _ = try installed(below: folder)
    let library = URL(fileURLWithPath: folder + "/libquiet.so")
    var bytes = try Data(contentsOf: library)
    bytes[bytes.count - 1] ^= 1
    try bytes.write(to: library)
    chmod(library.path, 0o644)
    var registry = PluginRegistry(host: .minimal(), search: search(data: data), policy: .off, probe: nil, cachePath: nil)
    #expect(registry.entries.first?.state.reason?.contains("the library's SHA-256 is") == true)
    try (bytes + Data([0])).write(to: library)
    chmod(library.path, 0o644)
    registry = PluginRegistry(host: .minimal(), search: search(data: data), policy: .off, probe: nil, cachePath: nil)
    #expect(registry.entries.first?.state.reason?.contains("bytes, its manifest says") == true)
  }

  @Test func anExplicitPathMayBeAFolderAManifestOrALibrary() throws {
    let folder = try TemporaryFolder()
    let manifest = try installed(below: folder.path + "/p")
    for path in [folder.path + "/p", manifest, folder.path + "/p/libquiet.so"] {
      let found = PluginSearch.only([path]).run()
      #expect(found.candidates.map(\.library) == [folder.path + "/p/libquiet.so"])
      #expect(found.candidates.first?.manifest?.name == "quiet")
    }
    #expect(PluginSearch.only(["lib.so", "/nowhere/lib.so"]).run().rejected.map(\.reason) == ["the path of a plugin must be absolute", "no such file"])
  }

  @Test func ofTwoPluginsWithOneNameTheFirstIsUsed() throws {
    let folder = try TemporaryFolder()
    let second = folder.path + "/libquiet.so"
    try FileManager.default.copyItem(atPath: Fixtures.library("quiet"), toPath: second)
    let registry = try Fixtures.registry([Fixtures.library("quiet"), second], policy: .off)
    #expect(registry.entries.map { $0.state.word } == ["ready", "refused"])
    #expect(registry.entries[1].state.reason == "another plugin named quiet comes first: \(try Fixtures.library("quiet"))")
  }

  @Test func aBuildFolderOffersItsLibrariesWithANote() throws {
    let folder = try TemporaryFolder()
    try FileManager.default.copyItem(atPath: Fixtures.library("quiet"), toPath: folder.path + "/libquiet.so")
    try FileManager.default.copyItem(atPath: Fixtures.library("no_note"), toPath: folder.path + "/libother.so")
    let search = PluginSearch(environment: [:], executableFolder: folder.path, privileged: false)
    #expect(search.run().candidates == [])
    try "{}".write(toFile: folder.path + "/description.json", atomically: true, encoding: .utf8)
    #expect(search.run().candidates == [PluginCandidate(library: folder.path + "/libquiet.so", manifest: nil, origin: .buildTree)])
    #expect(search.run().rejected == [])
  }
}

@Suite struct ManifestTests {
  @Test func aDerivedManifestCarriesThePluginsOwnWords() throws {
    let library = try Fixtures.template()
    let manifest = try PluginManifest.derive(fromLibrary: library, probe: Fixtures.probe())
    #expect(manifest.name == "Template")
    #expect(manifest.vendor == "Your company")
    #expect(manifest.library == "libtemplate.so")
    #expect(manifest.abi == .init(min: "1.0", max: "1.0"))
    #expect(manifest.groups == ["base"])
    #expect(manifest.devices == ["Template device"])
    #expect(manifest.threads == "none")
    let sum = try Tool("sha256sum").run([library])
    #expect(sum.hasPrefix(manifest.sha256))
    try manifest.verify(library: library)
  }

  @Test func aManifestIsReadAsItWasWritten() throws {
    let folder = try TemporaryFolder()
    let manifest = try PluginManifest.derive(fromLibrary: Fixtures.template(), probe: Fixtures.probe())
    try manifest.write(folder.path + "/t.json")
    #expect(try PluginManifest.read(folder.path + "/t.json") == manifest)
  }

  @Test func aPluginThatCrashesHasNoManifest() throws {
    let error = #expect(throws: BackplaneError.self) { try PluginManifest.derive(fromLibrary: Fixtures.library("crash"), probe: Fixtures.probe()) }
    #expect(error?.message == "crashed with SIGSEGV in instance_create")
  }
}

@Suite struct ProbeCacheTests {
  @Test func anAnswerIsKeptUntilTheLibraryChanges() throws {
    let folder = try TemporaryFolder()
    let cache = folder.path + "/cache/probe.json"
    func probing(_ policy: ProbePolicy, _ library: String) throws -> PluginEntry {
      try #require(Fixtures.registry([Fixtures.library(library)], policy: policy, cachePath: cache).entries.first)
    }
    #expect(try probing(.onChange, "quiet").probing == .probed)
    let again = try probing(.onChange, "quiet")
    #expect(again.probing == .cached)
    #expect(again.state == .ready)
    #expect(again.devices.count == 1)
    #expect(try probing(.always, "quiet").probing == .probed)
    #expect(try probing(.off, "quiet").probing == .off)
    #expect(try probing(.onChange, "crash").probing == .probed)
    let crash = try probing(.onChange, "crash")
    #expect(crash.probing == .cached)
    #expect(crash.state == .quarantined("crashed with SIGSEGV in instance_create"))
    _ = try probing(.onChange, "no_devices")
    #expect(try probing(.onChange, "no_devices").probing == .probed, "a device may be plugged in at any time")
  }

  @Test func aPluginThatGaveNoAnswerInTimeIsTriedAgainLater() throws {
    let folder = try TemporaryFolder()
    let cache = folder.path + "/probe.json"
    func entry() throws -> PluginEntry {
      try #require(Fixtures.registry([Fixtures.library("hang")], policy: .onChange, timeout: .milliseconds(300), cachePath: cache).entries.first)
    }
    let first = try entry(), second = try entry()
    #expect(first.probing == .probed && second.probing == .cached && first.state == second.state, "\(first.state) \(second.state)")
    var file = try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: cache))) as? [String: [String: Any]])
    for key in file.keys { file[key]?["expires"] = Date().timeIntervalSince1970 - 1 }
    try JSONSerialization.data(withJSONObject: file).write(to: URL(fileURLWithPath: cache))
    #expect(try entry().probing == .probed, "a busy machine may have been the cause")
  }

  @Test func aDamagedCacheIsAnEmptyOne() throws {
    let folder = try TemporaryFolder()
    let cache = folder.path + "/probe.json"
    for text in ["", "{", "[]", "{\"x\": 1}", String(repeating: "\u{0}", count: 100)] {
      try text.write(toFile: cache, atomically: true, encoding: .utf8)
      let registry = try Fixtures.registry([Fixtures.library("quiet")], policy: .onChange, cachePath: cache)
      #expect(registry.entries.first?.probing == .probed)
    }
  }

  @Test func anAnswerFromOtherDriversIsNotBelieved() throws {
    let folder = try TemporaryFolder()
    let cache = folder.path + "/probe.json"
    _ = try Fixtures.registry([Fixtures.library("quiet")], policy: .onChange, cachePath: cache)
    let text = try String(contentsOfFile: cache, encoding: .utf8)
    try text.replacingOccurrences(of: "\"stamp\":\"", with: "\"stamp\":\"old ").write(toFile: cache, atomically: true, encoding: .utf8)
    let registry = try Fixtures.registry([Fixtures.library("quiet")], policy: .onChange, cachePath: cache)
    #expect(registry.entries.first?.probing == .probed)
  }
}
