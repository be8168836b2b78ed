import BackplaneABI
import BackplaneCore
import BackplaneRegistry
import Foundation
import Testing
import _TestSupport

/// `Plugins/Evil`: the deeds that loader and probe must notice, each with the words they use.
@Suite struct EvilTests {
  enum State: Sendable { case refused, quarantined }

  @Test(arguments: [
    ("short_plugin_table", State.refused, "struct_size is 8"),
    ("no_common_version", .refused, "9.0"),
    ("other_layout", .refused, "layout hash"),
    ("hollow_device_table", .refused, "execute is missing"),
    ("crash_in_instance_create", .quarantined, "crashed with SIGSEGV in instance_create"),
    ("crash_in_query", .quarantined, "crashed with SIGSEGV in query"),
    ("crash_in_compile", .quarantined, "crashed with SIGSEGV in program_create"),
    ("crash_in_execute", .quarantined, "crashed with SIGSEGV in execute"),
    ("abort_in_compile", .quarantined, "crashed with SIGABRT in program_create"),
    ("abort_in_execute", .quarantined, "crashed with SIGABRT in execute"),
    ("exit_in_instance_create", .quarantined, "exit(0) in instance_create"),
    ("exit_in_execute", .quarantined, "exit(0) in execute"),
    ("hang_in_query", .quarantined, "gave no answer within"),
    ("hang_in_execute", .quarantined, "gave no answer within"),
    ("yes_then_refuses", .quarantined, "said yes to add f32, then"),
    ("ok_without_work", .quarantined, "add gave"),
    ("wrong_result", .quarantined, "add gave"),
    ("fails_in_execute", .quarantined, "the driver has a headache"),
    ("error_without_record", .quarantined, "said yes to add f32, then"),
    ("writes_stdout", .quarantined, "prints to standard output"),
    ("writes_stdout_in_execute", .quarantined, "prints to standard output"),
  ])
  func theDeedIsNoticed(_ deed: String, _ state: State, _ words: String) throws {
    let entry = try entry(deed)
    switch (state, entry.state) {
    case (.refused, .refused(let why)), (.quarantined, .quarantined(let why)): #expect(why.contains(words), "\(deed): \(why)")
    default: Issue.record("\(deed) is \(entry.state)")
    }
  }

  /// What shows only in use must not keep the plugin from being loaded: the conformance suite looks for it.
  @Test(arguments: ["no_then_works", "writes_into_input", "leaks_buffers", "sets_rounding", "starts_thread", "nondeterministic", "cancel_ignored"])
  func theDeedNeedsTheSuite(_ deed: String) throws {
    #expect(try entry(deed).state == .ready)
  }

  @Test func withoutADeedItIsReady() throws {
    let entry = try entry("NONE")
    #expect(entry.state == .ready)
    #expect(entry.devices.first?.canary == "passed")
  }

  @Test func eachDeedStandsOnceInTheTableAndIsDone() throws {
    let folder = packageFolder + "/Plugins/Evil"
    let table = try String(contentsOfFile: folder + "/evil_deeds.def", encoding: .utf8)
    let source = try String(contentsOfFile: folder + "/evil.c", encoding: .utf8)
    let deeds = table.matches(of: #/DEED\((\w+), (load|run),/#).map { String($0.1) }
    #expect(deeds.count >= 20)
    #expect(Set(deeds).count == deeds.count)
    for deed in deeds { #expect(source.contains("== \(deed)") || source.contains("!= \(deed)") || source.contains("case \(deed):"), "\(deed)") }
  }

  private func entry(_ deed: String) throws -> PluginEntry {
    let folder = try TemporaryFolder()
    let path = folder.path + "/libevil.so"
    try Tool("cc").run(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-DEVIL_DEED=" + deed, "-shared", "-fPIC", "-fvisibility=hidden",
                        "-I", packageFolder + "/Sources/BackplaneABI/include", "evil.c", "-o", path, "-lm", "-lpthread"], in: packageFolder + "/Plugins/Evil")
    let timeout: Duration = deed.hasPrefix("hang") ? .seconds(1) : .seconds(20)
    let probe = try #require(PluginProbe.installed(timeout: timeout), "backplane-probe does not lie beside the test")
    let registry = PluginRegistry(host: .minimal(), search: .only([path]), policy: .always, probe: probe, cachePath: nil)
    return try #require(registry.entries.first)
  }
}
