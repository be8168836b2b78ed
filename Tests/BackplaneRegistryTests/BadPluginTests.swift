import BackplaneCore
import BackplaneRegistry
import Foundation
import Testing
import _TestSupport

/// Each fixture breaks one rule: the registry survives it and says which.
@Suite struct BadPluginTests {
  enum Expected: Sendable { case refused(String), quarantined(String), unavailable(String) }

  @Test(arguments: [
    ("no_entry", Expected.refused("does not export bp_plugin_query")),
    ("no_note", .refused("no .note.backplane")),
    ("other_abi", .refused("speaks ABI 9.0…9.0, this host 1.0…1.0")),
    ("other_abi_note", .refused("speaks ABI 9.0…9.0, this host 1.0…1.0")),
    ("inverted_abi", .refused("range 1.1…1.0 is inverted")),
    ("null_table", .refused("bp_plugin_query returned NULL")),
    ("zero_struct_size", .refused("struct_size is 0")),
    ("wrong_hash", .refused("layout hash of ABI 1.0 is 0x0000000000001234 in the plugin")),
    ("wrong_hash_note", .refused("layout hash of ABI 1.0 is 0x0000000000001234 in the plugin")),
    ("missing_function", .refused("group base is claimed, but execute is missing")),
    ("hollow_group", .refused("group queues is claimed, but queue_create, queue_destroy")),
    ("no_devices", .unavailable("finds no devices")),
    ("fails_politely", .unavailable("instance_create: no driver found")),
    ("crash", .quarantined("crashed with SIGSEGV in instance_create")),
    ("aborts", .quarantined("crashed with SIGABRT in instance_create")),
    ("exits", .quarantined("ended the process with exit(3) in instance_create")),
    ("prints", .quarantined("prints to standard output: \"hello from a driver\"")),
    ("lies", .quarantined("add gave")),
  ])
  func itIsReportedWithItsReason(_ name: String, _ expected: Expected) throws {
    let path = try Fixtures.library(name)
    let registry = try Fixtures.registry([path])
    let entry = try #require(registry.entries.first)
    switch (expected, entry.state) {
    case (.refused(let text), .refused(let why)), (.quarantined(let text), .quarantined(let why)), (.unavailable(let text), .unavailable(let why)):
      #expect(why.contains(text))
    default: Issue.record("\(name) is \(entry.state)")
    }
    #expect(entry.path == path)
    let error = #expect(throws: BackplaneError.self) { try registry.device(entry.shortName) }
    #expect(error?.description.contains(entry.state.word) == true)
  }

  @Test func aPluginThatHangsIsKilledWhenTimeIsUp() throws {
    let registry = try Fixtures.registry([Fixtures.library("hang")], timeout: .milliseconds(300))
    #expect(registry.entries.first?.state == .quarantined("gave no answer within 0.3 seconds in instance_create"))
  }

  @Test func aFileThatIsNoLibraryIsRefused() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/libtext.so"
    try "not a library".write(toFile: path, atomically: true, encoding: .utf8)
    #expect(try Fixtures.registry([path]).entries.first?.state == .refused("not an ELF file"))
  }

  @Test func aQuietPluginIsReady() throws {
    let registry = try Fixtures.registry([Fixtures.library("quiet")])
    let entry = try #require(registry.entries.first)
    #expect(entry.state == .ready)
    #expect(entry.probing == .probed)
    #expect(!entry.isSigned)
    #expect(entry.devices.first?.canary == "add f32: no: the operator is not implemented")
    #expect(try registry.device("quiet").id == "quiet:0")
  }

  @Test func aNewerPluginThatStillSpeaksThisVersionIsReady() throws {
    let path = try Fixtures.library("newer")
    #expect(try ELFNote.read(path).layoutHashes.count == 2)
    let registry = try Fixtures.registry([path])
    #expect(registry.entries.first?.state == .ready)
    let plugin = try registry.device("newer").plugin
    #expect(plugin.maximumABI == ABIVersion(major: 1, minor: 1))
    #expect(plugin.negotiatedABI == ABIVersion(major: 1, minor: 0))
  }

  @Test func goodPluginsAreUsedAmongBadOnes() throws {
    let names = ["crash", "no_note", "quiet", "exits", "wrong_hash"]
    let registry = try Fixtures.registry(names.map { try Fixtures.library($0) })
    #expect(registry.entries.map { $0.state.word } == ["quarantined", "refused", "ready", "quarantined", "refused"])
    #expect(registry.openAll().map(\.id) == ["quiet:0"])
  }

  @Test func theReportShowsEveryPluginAndItsReason() throws {
    let registry = try Fixtures.registry([Fixtures.library("quiet"), Fixtures.library("crash")])
    let report = registry.deviceReport()
    #expect(report.lines()[0].hasPrefix("quiet:0"))
    #expect(report.lines()[1] == "crash: quarantined: crashed with SIGSEGV in instance_create")
    let decoded = try JSONDecoder().decode(DeviceReport.self, from: Data(report.json().utf8))
    #expect(decoded == report)
  }
}
