import Foundation
import Testing
import _TestSupport
@testable import BackplaneConformance

@Suite struct MutationSitesTests {
  private func labels(_ text: String) -> [String] { MutationSites(CSource(text), types: ["view"]).sites.map { "\($0.function) \($0.label)" } }

  @Test func operatorsConstantsLoopsAndConditionsAreMutated() {
    let found = labels("""
      static float f(const view *v, int64_t n) {
        float sum = -1.5f; // a comment + 1
        for (int64_t i = 0; i < n; i++) if (v->x[i] > sum) sum += (float)v->x[i] * 2;
        return fmaxf(sum, *v->y);
      }
      """)
    let expected = ["f sign removed", "f 1.5f to 1.51f", "f 0 to 1", "f \"<\" to \"<=\"", "f loop end - 1", "f \">\" to \">=\"", "f condition negated",
                    "f \"+=\" to \"-=\"", "f \"*\" to \"/\"", "f 2 to 3", "f 2 to 1", "f fmaxf to fminf"]
    #expect(Set(found) == Set(expected), "\(found)")
    #expect(found.count == expected.count)
  }

  @Test func whatIsThereForAFaultIsLeftAlone() {
    #expect(labels("""
      static int lost(void) { return FAULT(1) + 1; }
      void run_f(call *c) {
        if (FAULT(2) && c->n > 4) { c->n = c->n - 3; c->m *= 2; }
        int late = c->b && FAULT(3);
        if (late || lost()) c->n += 9;
        float x = FAULT(4) ? c->a / 7 : c->a;
        for (;;) y = FAULT(5) ? 1 + 2 : c->z;
      }
      """) == [])
    // The branch that is taken without a fault stays.
    #expect(labels("void f(call *c) { if (!FAULT(1)) g(3); else g(8); if (FAULT(2)) g(5); else g(6); }") == ["f 3 to 4", "f 3 to 2", "f 8 to 9", "f 8 to 7", "f 6 to 7", "f 6 to 5"])
  }

  @Test func aMutantsTextIsTheSourceWithOneChange() throws {
    let source = CSource("int f(int a) { if (a < 3) return a; return 0; }")
    let negated = try #require(MutationSites(source, types: []).sites.first { $0.label == "condition negated" })
    #expect(source.replacing(negated.edits) == "int f(int a) { if (!(a < 3)) return a; return 0; }")
  }

  @Test func aKeyStaysWhenOtherCodeChanges() {
    let kernel = "void run_exp(call *c) { y[i] = a + b + 3; }\n"
    func keys(_ text: String) -> [String] { MutationGenerator(files: [("a.c", text)], headers: []).candidates.map(\.key).filter { $0.contains("run_exp") } }
    let before = keys(kernel)
    #expect(before == ["a/run_exp \"+\" to \"-\" #1", "a/run_exp \"+\" to \"-\" #2", "a/run_exp 3 to 4 #1", "a/run_exp 3 to 2 #1"])
    #expect(keys("void run_abs(call *c) { y[i] = a + b + 3; }\n\n" + kernel.replacing("y[i]", with: "if (FAULT(9)) a = 3 + b;\n y[i]")) == before)
  }
}

@Suite struct MutationGeneratorTests {
  @Test func theSameSourcesGiveTheSameMutantsOfManyKernels() throws {
    let builder = try MutantBuilder(root: packageFolder)
    let (one, two) = (try builder.generator().choose(110), try builder.generator().choose(110))
    #expect(one.map(\.key) == two.map(\.key))
    #expect(Set(one.map(\.key)).count == one.count)
    #expect((90...140).contains(one.count), "\(one.count)")
    #expect(Set(one.flatMap(\.ops)).count >= 20)
    for mutant in one { #expect(!mutant.ops.isEmpty) }
  }

  @Test func mutantsCompile() throws {
    let builder = try MutantBuilder(root: packageFolder)
    let chosen = try builder.generator().choose(110)
    let sample = stride(from: 0, to: chosen.count, by: 20).map { chosen[$0] }
    var libraries = 0
    for (mutant, built) in zip(sample, try builder.build(sample, jobs: 2)) {
      switch built {
      case .library(let path): libraries += FileManager.default.fileExists(atPath: path) ? 1 : 0
      case .identical: break
      case .refused(let why): Issue.record("\(mutant.key): \(why)")
      }
    }
    #expect(libraries > 0)
  }

  @Test func everyEquivalentMutantExistsAndIsExplained() throws {
    let known = try MutationEquivalents(file: packageFolder + "/Specs/mutation-equivalents.json").equivalents
    let candidates = Set(try MutantBuilder(root: packageFolder).generator().candidates.map(\.key))
    for entry in known {
      #expect(candidates.contains(entry.mutant), "\(entry.mutant) is no place in the kernels any more")
      #expect(entry.why.count > 15, "\(entry.mutant)")
    }
    #expect(Set(known.map(\.mutant)).count == known.count)
  }

  @Test func aFolderWithoutSourcesIsNamed() {
    let error = #expect(throws: (any Error).self) { try MutantBuilder(root: "/nowhere") }
    #expect("\(error!)".contains("/nowhere") && "\(error!)".contains("--plugin"), "\(error!)")
  }
}

@Suite struct MutationRunTests {
  /// A run with a fault that is none, and a fault that claims to be a correct variant: one survives, one is a false alarm.
  @Test func aSurvivorAndAFalseAlarmAreNamed() throws {
    let builder = try MutantBuilder(root: packageFolder)
    defer { withExtendedLifetime(builder) {} }
    let library = try builder.plugin()
    let known = try MutationExecutor().faults(of: library)
    #expect(known.contains { $0.op == "device" } && known.contains(where: \.isVariant))
    let planted = [MutantFault(id: 0, op: "exp", class: "precision", name: "nothing", text: "no fault at all"),
                   MutantFault(id: 7, op: "relu", class: "variant", name: "nan_becomes_zero", text: "a fault that claims to be right")]
    let run = MutationRun(library: library, faults: known.filter { ["exp", "relu"].contains($0.op) && $0.id != 7 } + planted, size: .quick, make: { _ in MutationExecutor() })
    var report = run.run(jobs: 2)
    let exp = known.count { $0.op == "exp" && !$0.isVariant }, relu = known.count { $0.op == "relu" && $0.id != 7 }
    #expect(report.handwritten.total == exp + relu + 1)
    // The quick cases of exp do not show each of its faults.
    let survivors = report.handwritten.survivors
    #expect(survivors.contains("0 exp/nothing") && survivors.allSatisfy { $0.contains("exp/") } && report.handwritten.killed > relu)
    #expect(report.handwritten.killed + survivors.count == report.handwritten.total)
    #expect(report.falseAlarms.names == ["7 relu/nan_becomes_zero"])
    #expect(report.falseAlarms.variants == 1 + known.count { $0.op == "exp" && $0.isVariant })
    #expect(!report.isGood)
    #expect(report.rejected.isEmpty, "\(report.rejected)")
    // Simple rules see a wrong constant, and no NaN.
    #expect(report.rules.map(\.name) == ["nmse", "allclose", "fp16"])
    #expect(report.rules.allSatisfy { $0.total == report.handwritten.total && $0.killed < report.handwritten.killed })

    let json = try #require(try JSONSerialization.jsonObject(with: report.json()) as? [String: Any])
    let handwritten = try #require(json["handwritten"] as? [String: Any]), alarms = try #require(json["false_alarms"] as? [String: Any])
    let generated = try #require(json["generated"] as? [String: Any])
    #expect(Set(handwritten.keys) == ["total", "killed", "survivors"])
    #expect(Set(generated.keys) == ["total", "killed", "survivors"])
    #expect(Set(alarms.keys) == ["variants", "count", "names"])
    #expect(try MutationReport(json: report.json()).handwritten.survivors == survivors)
    #expect(MutationHTML.page(report).contains("0 exp/nothing"))

    // A proof takes a generated survivor out of the count, and nothing else.
    report.generated = .init(total: 2, killed: 1, survivors: ["x"])
    report.apply(MutationEquivalents([.init(mutant: "x", why: "y"), .init(mutant: "0 exp/nothing", why: "z")]))
    #expect(report.generated.total == 1 && report.generated.survivors.isEmpty && report.equivalents.count == 1)
    #expect(report.handwritten.survivors == survivors)
  }

  @Test func aPluginThatIsNoMutantIsRefused() {
    let result = MutationExecutor().run(MutationCase(judge: "suite", path: "/nowhere/libx.so", fault: 1, id: "exp/x=f32.3/data=normal/mem=plain").line)
    #expect(result.outcome == .error)
    #expect(result.message?.contains("/nowhere/libx.so") == true)
    #expect(MutationExecutor().run("exp/x=f32.3").outcome == .error)
  }
}
