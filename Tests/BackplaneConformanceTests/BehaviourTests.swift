import BackplaneABI
import BackplaneCore
import BackplaneReference
import BackplaneRegistry
import BackplaneRuntime
import BackplaneSpecs
import Foundation
import Testing
import _TestSupport
@testable import BackplaneConformance

/// The behaviour tests against `Plugins/Mutant`, whose faults of the device they must find, and against devices that behave.
@Suite(.serialized) struct BehaviourTestsTests {
  /// Faults of the mutant's device, and the test that finds each.
  static let finders: [(fault: String, test: String)] = [
    ("scratch_kept", "allocation-failure"), ("buffer_handle_kept", "reopen"), ("program_kept", "reopen"), ("error_path", "allocation-failure"),
    ("missing_binding_accepted", "binding-count"), ("small_binding_accepted", "short-binding"), ("unknown_node_accepted", "unknown-operator"),
    ("error_not_filled", "error-record"), ("cancel_ignored", "cancel"), ("deadline_ignored", "deadline"), ("map_beyond_end", "map-range"),
    ("no_reason", "unknown-operator"), ("verdict_of_neighbour", "query-context"), ("older_record_overwritten", "struct-size"),
    ("record_stride_ignored", "record-stride"), ("no_memory_is_ok", "allocation-failure"), ("first_symbol_for_all", "symbols"), ("copy_pitch_ignored", "copies"),
    ("extension_ignored", "chain"), ("read_only_written", "read-only"), ("call_in_program", "in-flight"), ("workspace_overlaps", "intermediates"),
    ("bounds_for_values", "symbols"), ("node_not_named", "error-record"),
  ]

  private static let mutant: Result<TemporaryFolder, any Error> = Result {
    let folder = try TemporaryFolder(removedAtExit: true)
    let sources = try FileManager.default.contentsOfDirectory(atPath: packageFolder + "/Plugins/Mutant").filter { $0.hasSuffix(".c") }.sorted()
    try Tool("cc").run(["-std=gnu11", "-O2", "-ffp-contract=off", "-shared", "-fPIC", "-fvisibility=hidden", "-I", packageFolder + "/Sources/BackplaneABI/include"]
                       + sources + ["-o", folder.path + "/libmutant.so", "-lm"], in: packageFolder + "/Plugins/Mutant")
    return folder
  }

  /// In a child process: a fault may take it along.
  private func run(_ test: String, fault: Int) throws -> CaseResult {
    let library = try BehaviourTestsTests.mutant.get().path + "/libmutant.so"
    return ChildRunner(executable: buildFolder + "/backplane", arguments: ["conform-child", library, "--threads", "2", "--set", "mutant.fault=\(fault)"], timeout: .seconds(60)).run("behaviour/\(test)")
  }

  @Test func eachFaultOfTheDeviceIsFound() throws {
    let faults = try MutationExecutor().faults(of: try BehaviourTestsTests.mutant.get().path + "/libmutant.so").filter { $0.op == "device" }
    #expect(Set(faults.map(\.name)) == Set(BehaviourTestsTests.finders.map(\.fault)))
    for (name, test) in BehaviourTestsTests.finders {
      guard let fault = faults.first(where: { $0.name == name }) else { continue }
      let result = try run(test, fault: fault.id)
      #expect([.fail, .crashed].contains(result.outcome), "\(name) survives \(test): \(result.outcome)")
    }
  }

  @Test func theMutantWithoutAFaultBehaves() throws {
    for test in Set(BehaviourTestsTests.finders.map(\.test)).sorted() + ["device-lost", "processes"] {
      let result = try run(test, fault: 0)
      #expect(result.outcome == .pass, "\(test): \(result.message ?? "")")
    }
  }

  /// The oracle's plugin: what does not apply says so, the rest passes.
  @Test func theOracleBehaves() throws {
    let pool = ThreadPool(workers: 2)
    defer { pool.stop() }
    let host = PluginHost(pool: pool, logLevel: .error)
    let device = try Device(try PluginInstance(try PluginLibrary(inProcess: ReferencePlugin.table), host: host.services), index: 0)
    // Threads of other tests run beside this one: what watches the process is for child processes.
    for id in BehaviourTests.ids where !["process", "leak"].contains(id.dropFirst("behaviour/".count)) {
      let result = InProcessExecutor(device).run(id)
      #expect(!result.isBad, "\(id): \(result.message ?? "")")
      if result.outcome == .unsupported { #expect(result.message?.hasPrefix("does not apply: ") == true) }
    }
  }

  @Test func anotherAnswerInAnotherProcessIsSeen() {
    let script = "echo ready; while read id; do echo '{\"id\":\"'$id'\",\"outcome\":\"pass\",\"required\":true,\"maxRatio\":0,\"elements\":1,\"declares\":[],\"milliseconds\":1,\"digest\":\"'$$'\"}'; done"
    let runner = ChildRunner(executable: "/bin/sh", arguments: ["-c", script])
    let result = runner.run(BehaviourTests.acrossProcesses)
    #expect(result.outcome == .fail)
    #expect(result.message?.contains("another process") == true)
    #expect(runner.startCount == 2)
  }
}
