import BackplaneABI
import BackplaneConformance
import BackplaneCore
import BackplaneRegistry
import Foundation
import Testing
import _TestSupport

/// `Plugins/Evil`: the deeds that loader and probe must notice, each with the words they use.
@Suite struct EvilTests {
  enum State: Sendable { case refused, quarantined }

  /// What the loader and the probe see, and the words they use.
  static let atLoad: [(deed: String, state: State, words: String)] = [
    ("short_plugin_table", .refused, "struct_size is 8"),
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
  ]

  @Test(arguments: atLoad)
  func theDeedIsNoticed(_ deed: String, _ state: State, _ words: String) throws {
    let entry = try entry(deed)
    switch (state, entry.state) {
    case (.refused, .refused(let why)), (.quarantined, .quarantined(let why)):
      print("evil  \(deed)  \(state)  \(why)")
      #expect(why.contains(words), "\(deed): \(why)")
    default: Issue.record("\(deed) is \(entry.state)")
    }
  }

  private static let add = "add/a=f32.4x8/b=f32.4x8/data=normal/mem=plain"
  /// What only the conformance suite sees: the case that notices it, and its words.
  static let inUse: [(deed: String, id: String, words: String)] = [
    ("no_then_works", add, "but the program compiles"), ("verdict_of_neighbour", "behaviour/query-context", "beside others no"),
    ("verdict_of_last_call", "behaviour/query-pure", "two queries, two answers"), ("no_without_reason", "behaviour/unknown-operator", "without a reason"),
    ("epoch_changes", "behaviour/info-pure", "caps_epoch is"), ("writes_after_output", add, "SIGSEGV"), ("writes_before_output", add, "memory beside"),
    ("reads_behind_input", add, "SIGSEGV"), ("writes_into_input", add, "the input a was changed"),
    ("writes_first_binding_late", "behaviour/determinism", "was changed by what ran after it"), ("keeps_graph", "behaviour/record-stride", "the graph has changed"),
    ("must_understand", "behaviour/struct-size", "chains something to it"), ("leaks_host_memory", "behaviour/reopen", "not given back"),
    ("leaks_buffers", "behaviour/reopen", "not given back"), ("leaks_programs", "behaviour/reopen", "not given back"),
    ("uses_malloc", "behaviour/leak", "behind the host's accounts"), ("wrong_free", "behaviour/reopen", "were given back as"),
    ("sets_rounding", "behaviour/process", "the rounding mode"), ("sets_ftz", "behaviour/process", "subnormal numbers from kept to flushed"),
    ("starts_thread", "behaviour/process", "does not declare threads"), ("late_callback", "behaviour/host-calls", "after instance_destroy"),
    ("changes_folder", "behaviour/process", "the current folder"), ("changes_environment", "behaviour/process", "the environment"),
    ("changes_locale", "behaviour/process", "the locale"), ("changes_signal_handler", "behaviour/process", "the handler of SIGSEGV"),
    ("slow", "behaviour/deadline-late", "after its deadline"), ("lost_midway", add, "the device is gone"),
    ("nondeterministic", "behaviour/determinism", "gives other bits"), ("reports_fault_twice", "behaviour/host-calls", "report_fault was called"),
    ("cancel_ignored", "behaviour/cancel", "is answered with OK, not cancelled"),
  ]

  /// Each deed costs its case, is named by it, and the plugin without a deed passes the same case.
  @Test func theSuiteNamesTheDeed() throws {
    let library = try built("NONE")
    func run(_ id: String, deed: String?) -> CaseResult {
      let setting = deed.map { ["--set", "evil.deed=\($0)"] } ?? []
      return ChildRunner(executable: buildFolder + "/backplane", arguments: ["conform-child", library.path + "/libevil.so", "--threads", "1"] + setting, timeout: .seconds(60)).run(id)
    }
    for id in Set(EvilTests.inUse.map(\.id)).sorted() {
      let result = run(id, deed: nil)
      #expect(result.outcome == .pass, "without a deed, \(id): \(result.message ?? "")")
    }
    for (deed, id, words) in EvilTests.inUse {
      let result = run(id, deed: deed)
      print("evil  \(deed)  \(result.outcome.rawValue) \(id)  \(result.message ?? "")")
      #expect([.fail, .crashed].contains(result.outcome), "\(deed): \(result.outcome)")
      #expect(result.message?.contains(words) == true, "\(deed): \(result.message ?? "")")
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
    #expect(Set(deeds) == Set(EvilTests.atLoad.map(\.deed) + EvilTests.inUse.map(\.deed)))
    for deed in deeds { #expect(source.contains("== \(deed)") || source.contains("!= \(deed)") || source.contains("case \(deed):"), "\(deed)") }
  }

  /// A folder with libevil.so.
  private func built(_ deed: String) throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    let path = folder.path + "/libevil.so"
    try Tool("cc").run(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-DEVIL_DEED=" + deed, "-shared", "-fPIC", "-fvisibility=hidden",
                        "-I", packageFolder + "/Sources/BackplaneABI/include", "evil.c", "-o", path, "-lm", "-lpthread"], in: packageFolder + "/Plugins/Evil")
    return folder
  }

  private func entry(_ deed: String) throws -> PluginEntry {
    let folder = try built(deed)
    let path = folder.path + "/libevil.so"
    let timeout: Duration = deed.hasPrefix("hang") ? .seconds(1) : .seconds(20)
    let probe = try #require(PluginProbe.installed(timeout: timeout), "backplane-probe does not lie beside the test")
    let registry = PluginRegistry(host: .minimal(), search: .only([path]), policy: .always, probe: probe, cachePath: nil)
    return try #require(registry.entries.first)
  }
}
