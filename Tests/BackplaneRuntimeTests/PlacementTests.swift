import BackplaneRuntime
import Testing
import _TestSupport

@Suite struct PlacementTests {
  /// A problem small enough to try every choice.
  private func problem(_ random: inout SeededGenerator) -> PlacementProblem {
    let devices = Int.random(in: 2...3, using: &random)
    var tensors: [PlacementProblem.Tensor] = []
    var ready: [Int] = []
    for _ in 0..<Int.random(in: 1...2, using: &random) {
      ready.append(tensors.count)
      tensors.append(.init(bytes: Int.random(in: 0...5000, using: &random), present: 1 << UInt32(devices)))
    }
    let state = tensors.count
    tensors.append(.init(bytes: 100, isPinned: true))
    let nodes = (0..<Int.random(in: 1...7, using: &random)).map { _ in
      var costs: [UInt64?] = (0..<devices).map { _ in Int.random(in: 0..<5, using: &random) == 0 ? nil : UInt64.random(in: 0...40, using: &random) }
      if costs.allSatisfy({ $0 == nil }) { costs[0] = 1 }
      var inputs = (0..<Int.random(in: 1...2, using: &random)).map { _ in ready.randomElement(using: &random)! }
      if Int.random(in: 0..<6, using: &random) == 0 { inputs.append(state) }
      let made = tensors.count
      tensors.append(.init(bytes: Int.random(in: 0...5000, using: &random), endsAtHost: Bool.random(using: &random)))
      ready.append(made)
      return PlacementProblem.Node(costs: costs, inputs: inputs, outputs: [made])
    }
    let links = (0...devices).map { from in (0...devices).map { to in
      from == to ? LinkCost.free : LinkCost(latencyNanoseconds: UInt64.random(in: 0...20, using: &random), nanosecondsPerKibibyte: UInt64.random(in: 0...8, using: &random))
    } }
    return PlacementProblem(deviceCount: devices, nodes: nodes, tensors: tensors, links: links, switchCost: UInt64.random(in: 0...15, using: &random))
  }

  /// The cheapest of all choices, by trying them.
  private func exhaustive(_ problem: PlacementProblem) -> UInt64? {
    var best: UInt64?
    var choice = Array(repeating: 0, count: problem.nodes.count)
    func tryAll(_ node: Int) {
      if node == choice.count {
        if let cost = problem.cost(of: choice) { best = min(best ?? .max, cost) }
        return
      }
      for device in 0..<problem.deviceCount {
        choice[node] = device
        tryAll(node + 1)
      }
    }
    tryAll(0)
    return best
  }

  /// Each node on the first device that says yes; all that touch a state on the first device that takes them all.
  private func firstYes(_ problem: PlacementProblem) -> UInt64? {
    var states: [Int: [Int]] = [:]
    for (i, node) in problem.nodes.enumerated() { for t in Set(node.inputs + node.outputs) where problem.tensors[t].isPinned { states[t, default: []].append(i) } }
    var choice = problem.nodes.map { node in node.costs.firstIndex { $0 != nil }! }
    for (_, nodes) in states {
      guard let device = (0..<problem.deviceCount).first(where: { d in nodes.allSatisfy { problem.nodes[$0].costs[d] != nil } }) else { return nil }
      for node in nodes { choice[node] = device }
    }
    return problem.cost(of: choice)
  }

  @Test(arguments: 1...300) func dynamicProgrammingFindsWhatTryingEverythingFinds(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let problem = problem(&random)
    let (solution, _) = problem.solve()
    #expect(solution?.cost == exhaustive(problem), "seed \(seed)")
    if let solution {
      #expect(solution.isExact)
      #expect(problem.cost(of: solution.devices) == solution.cost, "seed \(seed)")
    }
  }

  @Test(arguments: 1...300) func withinMemoryBudgetsToo(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    var problem = problem(&random)
    // A weight a node, some of them shared.
    for i in problem.nodes.indices {
      if i > 0, Int.random(in: 0..<4, using: &random) == 0 { problem.nodes[i].residents = problem.nodes[i - 1].residents } else {
        problem.nodes[i].residents = [problem.tensors.count]
        problem.tensors.append(.init(bytes: Int.random(in: 1...9, using: &random)))
      }
    }
    for d in 0..<problem.deviceCount where Bool.random(using: &random) { problem.budgets[d] = Int.random(in: 0...20, using: &random) }
    let best = exhaustive(problem)
    let (solution, _) = problem.solve()
    #expect(solution?.cost == best, "seed \(seed)")
    if let solution { #expect(problem.cost(of: solution.devices) == solution.cost, "seed \(seed)") }
    // With too few states to be exact: what is found keeps the budgets.
    problem.stateLimit = 2
    if let rough = problem.solve().solution { #expect(problem.cost(of: rough.devices) == rough.cost && rough.cost >= best!, "seed \(seed)") }
  }

  /// 400 layers, each of which pays to move to the second device, which holds half of them.
  @Test func aBudgetOfALargeGraphIsKeptByAPriceForBytes() throws {
    let count = 400
    let tensors = [PlacementProblem.Tensor(bytes: 64, present: 0b100)] + (0..<count).map { _ in PlacementProblem.Tensor(bytes: 64) } + (0..<count).map { .init(bytes: 1000 + $0) }
    let nodes = (0..<count).map { PlacementProblem.Node(costs: [1000, 100 + UInt64($0)], inputs: [$0], outputs: [$0 + 1], residents: [count + 1 + $0]) }
    let free = LinkCost(latencyNanoseconds: 10, nanosecondsPerKibibyte: 1)
    let links = (0..<3).map { from in (0..<3).map { from == $0 ? LinkCost.free : free } }
    let bytes = tensors.suffix(count).reduce(0) { $0 + $1.bytes }
    let problem = PlacementProblem(deviceCount: 2, nodes: nodes, tensors: tensors, links: links, switchCost: 5, budgets: [nil, bytes / 2])
    let solution = try #require(problem.solve().solution)
    let used = problem.residentBytes(of: solution.devices)[1]
    #expect(used <= bytes / 2 && used > bytes * 2 / 5, "\(used) of \(bytes / 2)")
    #expect(!solution.isExact && problem.cost(of: solution.devices) == solution.cost)
  }

  /// A greedy choice is never cheaper, and often much dearer.
  @Test func firstYesIsNeverBetterAndOftenMuchWorse() throws {
    var (compared, worse, muchWorse) = (0, 0, 0)
    var worst = 1.0
    for seed in UInt64(1)...2000 {
      var random = SeededGenerator(seed: seed)
      let problem = problem(&random)
      guard let greedy = firstYes(problem), let best = problem.solve().solution?.cost else { continue }
      #expect(best <= greedy, "seed \(seed)")
      compared += 1
      if greedy > best { worse += 1 }
      if Double(greedy) >= 1.5 * Double(best) { muchWorse += 1 }
      if best > 0 { worst = max(worst, Double(greedy) / Double(best)) }
    }
    print("first yes against dynamic programming, \(compared) random problems: dearer in \(worse), by 1.5 or more in \(muchWorse), at worst \(worst)")
    #expect(compared > 1000 && muchWorse > 100)
  }

  /// An accelerator that lacks every second node: first yes goes there and back each time.
  @Test func aNodeThatIsMissingCostsFirstYesTwoMovesEachTime() throws {
    let count = 20
    let tensors = (0...count).map { PlacementProblem.Tensor(bytes: 1 << 20, present: $0 == 0 ? 0b100 : 0, endsAtHost: $0 == count) }
    let nodes = (0..<count).map { PlacementProblem.Node(costs: [$0 % 2 == 0 ? 10_000 : nil, 20_000], inputs: [$0], outputs: [$0 + 1]) }
    let link = LinkCost(latencyNanoseconds: 1000, nanosecondsPerKibibyte: 100)
    let links = [[LinkCost.free, link, link], [link, .free, .free], [link, .free, .free]]
    let problem = PlacementProblem(deviceCount: 2, nodes: nodes, tensors: tensors, links: links, switchCost: 5000)
    let solution = try #require(problem.solve().solution)
    #expect(solution.devices == Array(repeating: 1, count: count))
    let ratio = Double(firstYes(problem)!) / Double(solution.cost)
    #expect(ratio >= 1.5, "\(ratio)")
  }

  @Test(arguments: 1...30) func withFewStatesTheAnswerIsStillPossibleAndItsCostIsTrue(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    var problem = problem(&random)
    problem.stateLimit = 2
    guard let solution = problem.solve().solution else { return }  // the two cheapest may both run into a wall
    #expect(problem.cost(of: solution.devices) == solution.cost, "seed \(seed)")
  }

  @Test func aStateKeepsItsNodesTogether() {
    let nodes = [PlacementProblem.Node(costs: [1, 100], inputs: [0], outputs: []), PlacementProblem.Node(costs: [nil, 1], inputs: [0], outputs: [])]
    let problem = PlacementProblem(deviceCount: 2, nodes: nodes, tensors: [.init(bytes: 1, isPinned: true)],
                                   links: Array(repeating: Array(repeating: .free, count: 3), count: 3), switchCost: 0)
    #expect(problem.solve().solution?.devices == [1, 1])
  }
}
