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

  @Test(arguments: 1...300) func dynamicProgrammingFindsWhatTryingEverythingFinds(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let problem = problem(&random)
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
    let (solution, _) = problem.solve()
    #expect(solution?.cost == best, "seed \(seed)")
    if let solution {
      #expect(solution.isExact)
      #expect(problem.cost(of: solution.devices) == solution.cost, "seed \(seed)")
    }
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
