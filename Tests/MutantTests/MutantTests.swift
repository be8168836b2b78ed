import Foundation
import Testing
import _TestSupport

/// The mutant is right without a fault, and each of its faults shows.
@Suite struct MutantTests {
  /// Those that the mutant has.
  static let operators = Set(((try? Mutant.faults.get()) ?? []).map(\.op)).subtracting(["device"]).sorted()

  @Test(arguments: operators) func withoutAFaultItIsRight(op: String) throws {
    let device = try MutantDevice(fault: 0)
    for (number, trial) in trials(of: op).enumerated() {
      if let finding = try trial.finding(device) { Issue.record("\(op) case \(number): \(finding)") }
    }
  }

  @Test(arguments: operators) func itsFaultsShowAndItsVariantsPass(op: String) throws {
    let faults = try Mutant.faults.get().filter { $0.op == op }
    #expect(faults.filter { !$0.isVariant }.count >= 3)
    let all = trials(of: op)
    for fault in faults where !needsGuardPages.contains(fault.id) {
      let device = try MutantDevice(fault: fault.id)
      var findings: [String] = []
      for (number, trial) in all.enumerated() {
        guard let finding = try trial.finding(device) else { continue }
        findings.append("case \(number): \(finding)")
        if !fault.isVariant { break }
      }
      if fault.isVariant { #expect(findings.isEmpty, "\(fault.id) \(fault.op) \(fault.name): \(findings.prefix(3))") }
      else { #expect(!findings.isEmpty, "\(fault.id) \(fault.op) \(fault.name) survives") }
    }
  }
  /// Reads that change nothing: only memory that ends at a guard page shows them, and it ends the process.
  private let needsGuardPages: Set<Int> = [308]

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
    #expect(faults.filter { $0.op == "matmul" && !$0.isVariant }.count >= 8)
    #expect(faults.filter { $0.op == "attention" && !$0.isVariant }.count >= 8)
    let known = Set(Self.operators + ["device"])
    for fault in faults { #expect(known.contains(fault.op), "\(fault.id) is of \(fault.op)") }
  }

  @Test func anUnknownFaultIsRefused() throws {
    let failure = #expect(throws: Failure.self) { try MutantDevice(fault: 9999) }
    #expect(failure?.message == "mutant.fault '9999' is no fault of the mutant")
  }
}
