import BackplaneCore
import BackplaneReference
import BackplaneRegistry
import BackplaneSpecs
import Testing
@testable import BackplaneConformance

/// Serialized: the fault of the faulty plugin is one for the process.
@Suite(.serialized) struct RunnerTests {
  @Test func theOraclePassesItsOwnCases() throws {
    let summary = Suite.run(device: try FaultyPlugin.device(.none), ops: ["matmul", "softmax", "attention", "gather", "add", "concat", "tensor_scatter"], size: .quick)
    #expect(summary.isConformant, "\(summary.bad.map { "\($0.id): \($0.message ?? "")" })")
    #expect(summary.total > 40)
  }

  @Test(arguments: FaultyPlugin.Fault.allCases.dropFirst()) func aFaultIsFound(fault: FaultyPlugin.Fault) throws {
    let runner = CaseRunner(try FaultyPlugin.device(fault))
    let result = runner.run(try CaseID("add/a=f32.3x5/b=f32.3x5/data=normal/mem=plain"))
    #expect(result.outcome == .fail)
    let expected: [FaultyPlugin.Fault: String] = [
      .lastElement: "values", .beyondTheEnd: "canary", .changesInput: "input", .accumulates: "values", .wrongStatus: "status", .oneElementNaN: "values",
    ]
    #expect(result.fault == expected[fault], "\(result.message ?? "")")
  }

  @Test func oneFaultIsEnoughWhenAsked() throws {
    let summary = Suite.run(device: try FaultyPlugin.device(.oneElementNaN), ops: ["exp"], size: .standard, stopAtFirstFailure: true)
    #expect(summary.bad.count == 1)
  }

  @Test func wholeNumbersMustBeExact() throws {
    let runner = CaseRunner(try FaultyPlugin.device(.none))
    for id in ["matmul/a=f32.7x257/b=f32.33x257/data=int/mem=plain", "matmul/a=f32.2x512/b=q4_K.5x512/data=int/mem=plain",
               "matmul/a=f16.3x64/b=q8_0.5x64/activation=relu/data=int/mem=plain", "attention/q=f32.7x4x32/k=f32.31x2x32/v=f32.31x2x32/causal=1/data=saturate/mem=plain"] {
      let result = runner.run(try CaseID(id))
      #expect(result.outcome == .pass, "\(id): \(result.message ?? "")")
    }
  }

  /// The rounding of an f16 result is not the sum's: the oracle, which rounds once, is graded A in every format.
  @Test(arguments: ["f32", "f16", "bf16"]) func roundingTheResultCostsNoGrade(format: String) throws {
    let result = CaseRunner(try FaultyPlugin.device(.none)).run(try CaseID("matmul/a=\(format).7x257/b=\(format).33x257/data=normal/mem=plain"))
    #expect(result.outcome == .pass)
    #expect(try #require(result.q) < 1)
  }

  @Test func relationsHoldForTheOracle() throws {
    let device = try FaultyPlugin.device(.none)
    for spec in CaseList.operators(level: .llm) {
      for id in MetamorphicTests.ids(of: spec) {
        let result = MetamorphicTests.run(id, device)
        #expect(result.outcome == .pass, "\(id): \(result.message ?? "")")
      }
    }
  }

  @Test func aBrokenRelationIsSeen() throws {
    let result = MetamorphicTests.run("metamorphic/softmax/shift", try FaultyPlugin.device(.oneElementNaN))
    #expect(result.outcome == .fail)
  }
}

@Suite struct ChildRunnerTests {
  private func shell(_ script: String, timeout: Duration = .seconds(20)) -> ChildRunner {
    ChildRunner(executable: "/bin/sh", arguments: ["-c", script], timeout: timeout)
  }

  @Test func aCrashCostsOneCase() {
    let runner = shell("echo ready; while read id; do case $id in bad) kill -SEGV $$;; *) echo '{\"id\":\"'$id'\",\"outcome\":\"pass\",\"required\":false,\"maxRatio\":0,\"elements\":1,\"declares\":[],\"milliseconds\":1}';; esac; done")
    #expect(runner.run("good").outcome == .pass)
    let crashed = runner.run("bad")
    #expect(crashed.outcome == .crashed)
    #expect(crashed.message?.contains("SIGSEGV") == true)
    #expect(runner.run("good").outcome == .pass)
    #expect(runner.startCount == 2)
  }

  @Test func aHangCostsOneCase() {
    let runner = shell("echo ready; read id; sleep 60", timeout: .milliseconds(300))
    #expect(runner.run("slow").outcome == .hung)
    #expect(runner.run("slow").outcome == .hung)
    #expect(shell("echo ready; read id; while :; do :; done", timeout: .milliseconds(300)).run("busy").outcome == .hung)
  }

  @Test func aChildThatCannotBeginSaysWhy() {
    let result = shell("echo there is no such device").run("any")
    #expect(result.outcome == .error)
    #expect(result.message?.contains("no such device") == true)
  }

  @Test func resultsComeInTheOrderOfTheCases() {
    let ids = (0..<20).map { "case\($0)" }
    final class Echo: CaseExecutor { func run(_ id: String) -> CaseResult { CaseResult(id: id, outcome: .pass) } }
    #expect(ParallelRun(ids).run(jobs: 4, make: { Echo() }).map(\.id) == ids)
  }
}
