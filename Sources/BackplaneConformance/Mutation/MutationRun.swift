import BackplaneSpecs
import Foundation
import Synchronization

/// Shows each fault to the suite and notes whether it is found, and whether the suite rejects what is correct.
///
/// The unit of work is an operator: case by case, all of its faults that are not found yet run the case, so data and oracle are evaluated once for
/// all of them. A fault is found by the first case that fails with it and passes without. A variant must pass every case.
public final class MutationRun: Sendable {
  /// Something that is run with the cases of some operators.
  struct Subject: Sendable {
    enum Kind: Sendable { case handwritten, generated, variant }
    let kind: Kind
    let title: String
    let library: String
    let fault: Int
    /// In the order in which their cases are tried.
    let ops: [String]
  }

  /// An operator with those that are tried on its cases first of all.
  private struct Unit: Sendable {
    let op: String
    let subjects: [Int]
    let ids: [String]
    let variants: Int
    /// Executions, roughly: most faults are found by the first few cases, variants run all. Tests of behaviour take longer.
    var work: Double { op == MutationRun.device ? 1e4 : Double(ids.count * (1 + variants) + 40 * subjects.count) }
  }

  /// What became of a subject under one judge.
  struct Finding: Sendable {
    let subject: Int
    let judge: String
    let id: String
    let message: String
  }

  public struct Progress: Sendable {
    /// Faults and variants, and how many of them are through.
    public var total = 0, done = 0
    public var killed = 0, falseAlarms = 0
    /// Of the work, as far as it can be told before.
    public var fraction = 0.0
    public var op = ""
  }

  static let suite = "suite"
  private static let device = "device"
  let faults: [MutantFault]
  let subjects: [Subject]
  private let library: String
  private let size: CaseList.Size
  private let withRules: Bool
  private let make: @Sendable (Duration) -> any CaseExecutor
  private let state: Mutex<(findings: [Finding], plain: [String: String], progress: Progress, work: Double)>
  private let onProgress: @Sendable (Progress) -> Void

  /// - Parameters:
  ///   - library: The mutant plugin, `faults` what it has (those that are wanted).
  ///   - generated: Mutants with their libraries.
  ///   - make: Makes what answers lines of ``MutationCase``; given the time that a case may take.
  public init(library: String, faults: [MutantFault], generated: [(mutant: GeneratedMutant, library: String)] = [], size: CaseList.Size = .standard, withRules: Bool = true,
              make: @escaping @Sendable (Duration) -> any CaseExecutor, onProgress: @escaping @Sendable (Progress) -> Void = { _ in }) {
    (self.library, self.faults, self.size, self.withRules, self.make, self.onProgress) = (library, faults, size, withRules, make, onProgress)
    subjects = faults.map { Subject(kind: $0.isVariant ? .variant : .handwritten, title: $0.title, library: library, fault: $0.id, ops: [$0.op]) }
      + generated.map { Subject(kind: .generated, title: $0.mutant.key, library: $0.library, fault: 0, ops: $0.mutant.ops) }
    var progress = Progress()
    progress.total = subjects.count
    state = Mutex(([], [:], progress, 0))
  }

  /// Runs everything.
  ///
  /// - Parameter jobs: Operators at a time, each with an executor of its own.
  public func run(jobs: Int) -> MutationReport {
    let clock = ContinuousClock(), start = clock.now
    let members = Dictionary(grouping: subjects.indices, by: { subjects[$0].ops[0] })
    let units = members.map { Unit(op: $0, subjects: $1, ids: ids($0), variants: $1.count { subjects[$0].kind == .variant }) }
      .sorted { $0.work == $1.work ? $0.op < $1.op : $0.work > $1.work }
    let all = units.map(\.work).reduce(0, +)
    concurrently(units.count, jobs) { [self] i in
      let unit = units[i]
      let executor = make(unit.op == MutationRun.device ? .seconds(60) : .seconds(10))
      tell { $0.op = unit.op }
      examine(unit.subjects, unit.ids, MutationRun.suite, executor)
      if withRules, unit.op != MutationRun.device { rules(unit.op, unit.subjects, executor) }
      tell { progress in
        progress.fraction += unit.work / all
        progress.done += unit.subjects.count { subjects[$0].kind != .generated }
      }
    }
    // Shared code: what one operator does not show, another may. Kernels that are short of memory are a matter of behaviour.
    let found = Set(state.withLock { $0.findings }.filter { $0.judge == MutationRun.suite }.map(\.subject))
    let rest = subjects.indices.filter { subjects[$0].kind == .generated && !found.contains($0) }
    tell { $0.done += self.subjects.indices.count { self.subjects[$0].kind == .generated && found.contains($0) } }
    concurrently(rest.count, jobs) { [self] i in
      let executor = make(.seconds(10))
      if !subjects[rest[i]].ops.dropFirst().contains(where: { op in examine([rest[i]], ids(op), MutationRun.suite, executor) }) {
        examine([rest[i]], ["behaviour/allocation-failure"], MutationRun.suite, executor)
      }
      tell { $0.done += 1 }
    }
    let elapsed = clock.now - start
    let (findings, plain) = state.withLock { ($0.findings, $0.plain) }
    return MutationReport(self, findings, plain: plain, size: size, withRules: withRules,
                          seconds: Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18)
  }

  /// What the unmutated plugin fails, by judge and case: no fault is found there.
  private func isPlainGood(_ judge: String, _ id: String, _ executor: any CaseExecutor) -> Bool {
    let key = judge + "\t" + id
    if let known = state.withLock({ $0.plain[key] }) { return known.isEmpty }
    let result = executor.run(MutationCase(judge: judge, path: library, fault: 0, id: id).line)
    let message = result.isBad ? result.message ?? result.outcome.rawValue : ""
    state.withLock { $0.plain[key] = message }
    return message.isEmpty
  }

  private func tell(_ change: (inout Progress) -> Void) {
    onProgress(state.withLock { state in
      change(&state.progress)
      return state.progress
    })
  }

  private func ids(_ op: String) -> [String] {
    if op == MutationRun.device { return BehaviourTests.ids }
    guard let spec = OperatorSpec.named(op) else { return [] }
    return CaseList.cases(of: spec, size: size).map(\.description) + MetamorphicTests.ids(of: spec)
  }

  private func rules(_ op: String, _ members: [Int], _ executor: any CaseExecutor) {
    guard let spec = OperatorSpec.named(op) else { return }
    let members = members.filter { subjects[$0].kind != .generated }
    for rule in SimpleRule.all { examine(members, rule.ids(spec, size: size), rule.name, executor) }
  }

  /// Runs cases with each subject until it has failed one; variants are asked the whole list, too.
  ///
  /// - Returns: Whether all have failed one.
  @discardableResult
  private func examine(_ members: [Int], _ ids: [String], _ judge: String, _ executor: any CaseExecutor) -> Bool {
    var open = members
    for id in ids {
      if open.isEmpty { break }
      // A rule's false alarms on the kernel without a fault are part of its figure.
      if judge != MutationRun.suite, !isPlainGood(judge, id, executor) { continue }
      open.removeAll { k in
        let subject = subjects[k]
        let result = executor.run(MutationCase(judge: judge, path: subject.library, fault: subject.fault, id: id).line)
        guard result.isBad, isPlainGood(judge, id, executor) else { return false }
        let message = [result.outcome.rawValue, result.fault, result.message].compactMap { $0 }.joined(separator: ", ")
        state.withLock { $0.findings.append(Finding(subject: k, judge: judge, id: id, message: message)) }
        if judge == MutationRun.suite { tell { if subject.kind == .variant { $0.falseAlarms += 1 } else { $0.killed += 1 } } }
        return true
      }
    }
    return open.isEmpty
  }
}
