import BackplanePlanner
import Foundation
import Testing

/// Prints the tables of Specs/decisions/0004-planner.md. No test: it takes long and claims nothing.
@Suite(.serialized, .enabled(if: ProcessInfo.processInfo.environment["BACKPLANE_MEASURE_PLANNER"] != nil))
struct PlannerMeasurement {
  static let count = Int(ProcessInfo.processInfo.environment["BACKPLANE_MEASURE_PLANNER"] ?? "") ?? 10_000
  static let seeds: Range<UInt64> = 1..<4

  // | family | orders | mean ratio | worst ratio | median ms | worst ms |
  @Test(arguments: ProblemFamily.allCases) func everyOrder(_ family: ProblemFamily) throws {
    for gapChoice in GapChoice.allCases {
      for order in PlacementOrder.allCases {
        try measure(family, "\(order.rawValue), \(gapChoice.rawValue)", Planner(orders: [order], gapChoices: [gapChoice]))
      }
    }
    try measure(family, "default", Planner())
    try measure(family, "all", Planner(gapChoices: GapChoice.allCases))
  }

  private func measure(_ family: ProblemFamily, _ name: String, _ planner: Planner) throws {
    var ratios: [Double] = []
    var milliseconds: [Double] = []
    // Thousands of tensors live together are a hopeless case, and slow in every order: fewer of them show it.
    let count = family == .anyRange ? Self.count / 5 : Self.count
    for seed in Self.seeds {
      let problem = family.makeProblem(tensorCount: count, seed: seed)
      let clock = ContinuousClock()
      var times: [Duration] = []
      for _ in 0..<3 {
        var plan: Plan?
        times.append(try clock.measure { plan = try planner.plan(problem) })
        if times.count == 1 { ratios.append(plan!.arenas[0].ratio) }
      }
      milliseconds.append(times.min()! / .milliseconds(1))
    }
    print(
      "| \(family.rawValue) | \(name) | "
        + String(format: "%.3f | %.3f | %.1f | %.1f |", ratios.reduce(0, +) / Double(ratios.count), ratios.max()!,
          milliseconds.sorted()[milliseconds.count / 2], milliseconds.max()!))
  }
}
