import BackplaneSpecs
import Foundation
import Testing
import _TestSupport
@testable import BackplaneConformance

/// The mutant is right without a fault, and the conformance suite finds each of its faults.
@Suite struct MutantTests {
  static let operators = OperatorSpec.all.map(\.name)

  /// What the suite finds of these.
  private func report(_ faults: [MutantFault], _ size: CaseList.Size) throws -> MutationReport {
    // In child processes: some faults end them.
    let make: @Sendable (Duration) -> any CaseExecutor = { _ in ChildRunner(executable: buildFolder + "/backplane", arguments: ["mutation-child"], timeout: .seconds(60)) }
    return MutationRun(library: try Mutant.path.get(), faults: faults, size: size, withRules: false, make: make).run(jobs: 1)
  }

  @Test(arguments: operators) func theSuiteFindsItsFaults(op: String) throws {
    let faults = try Mutant.faults.get().filter { $0.op == op && !$0.isVariant }
    let isHeavy = ["matmul", "attention", "merge", "qkv"].contains { op.contains($0) }
    #expect(faults.count >= (isHeavy ? 8 : 3), "\(op) has \(faults.count) faults")
    let report = try report(faults, .standard)
    #expect(report.handwritten.survivors == [])
    #expect(report.rejected.isEmpty, "\(report.rejected)")
  }

  @Test(arguments: operators) func withoutAFaultAndWithEachVariantItIsRight(op: String) throws {
    let plain = MutantFault(id: 0, op: op, class: "variant", name: "plain", text: "no fault")
    let report = try report([plain] + Mutant.faults.get().filter { $0.op == op && $0.isVariant }, .quick)
    #expect(report.falseAlarms.names == [])
  }

  @Test func eachFaultStandsOnceInTheSourcesAndOnceInTheTable() throws {
    let folder = packageFolder + "/Plugins/Mutant"
    var places: [Int: Int] = [:]
    for file in try FileManager.default.contentsOfDirectory(atPath: folder) where file.hasSuffix(".c") {
      let text = try String(contentsOfFile: folder + "/" + file, encoding: .utf8)
      for match in text.matches(of: /FAULT\((\d+)\)/) { places[Int(match.1)!, default: 0] += 1 }
    }
    let faults = try Mutant.faults.get()
    #expect(Set(faults.map(\.id)).count == faults.count)
    #expect(Set(places.keys) == Set(faults.map(\.id)))
    #expect(places.filter { $0.value != 1 }.isEmpty)
  }

  @Test func thereAreEnoughOfEverything() throws {
    let faults = try Mutant.faults.get()
    #expect(faults.filter { !$0.isVariant }.count >= 120)
    #expect(faults.filter(\.isVariant).count >= 25)
    let known = Set(Self.operators + ["device"])
    for fault in faults { #expect(known.contains(fault.op), "\(fault.id) is of \(fault.op)") }
  }

  @Test func anUnknownFaultIsRefused() throws {
    let failure = #expect(throws: Failure.self) { try MutantDevice(fault: 9999) }
    #expect(failure?.message == "mutant.fault '9999' is no fault of the mutant")
  }
}
