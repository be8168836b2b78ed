import BackplaneConformance
public import BackplaneCore

/// Which cases of an operator judge its configurations.
public enum JudgingCases {
  /// Most multiply-adds of a case that a winner is judged by, once.
  public static let winnerLimit = 4e8

  /// What judges every candidate: the case itself where the oracle repeats it in a moment, else the same with its large extents cut; the same with every
  /// extent another, odd number; a few of the suite with the same formats.
  public static func ids(for case: String) throws(BackplaneError) -> [String] {
    let id = try CaseID(`case`)
    var chosen: [CaseID] = []
    func add(_ candidate: CaseID) { if !chosen.contains(candidate), CaseGraph.isAllowed(candidate) { chosen.append(candidate) } }
    add(id)
    for most in [256, 128, 64] where chosen.isEmpty { if let cut = cut(id, to: most) { add(cut) } }
    let count = chosen.count
    for targets in [[61, 67, 71, 73], [33, 37, 41, 43]] {
      for data in ["normal", "allpos"] {
        if let odd = withOddExtents(id, targets) { var copy = odd; copy.data = data; add(copy) }
      }
      if chosen.count > count { break }
    }
    let formats = id.inputs.map { $0.map(\.format) }
    for known in CaseList.cases(of: id.spec, size: .standard) where chosen.count < 5 && known.inputs.map({ $0.map(\.format) }) == formats && known.memory == .plain { add(known) }
    if chosen.isEmpty { add(id) }
    return chosen.map(\.description)
  }

  /// Extents beyond `most` become that and what they are beyond a multiple of 64: as aligned as they were.
  private static func cut(_ id: CaseID, to most: Int) -> CaseID? {
    renamed(id) { extent, block in extent <= most ? extent : block > 1 ? max(most / block * block, block) : most + extent % 64 }
  }

  /// Equal extents stay equal; those of blocks become a few blocks.
  private static func withOddExtents(_ id: CaseID, _ targets: [Int]) -> CaseID? {
    var next = 0
    return renamed(id) { extent, block in
      if block > 1 { return min(extent, block * 3) }
      defer { next += 1 }
      return extent == 1 ? 1 : min(extent, targets[next % targets.count])
    }
  }

  private static func renamed(_ id: CaseID, _ rule: (_ extent: Int, _ block: Int) -> Int) -> CaseID? {
    var names: [Int: Int] = [:], copy = id
    for tensor in id.inputs.joined() where tensor.format.isBlock { if let last = tensor.shape.last { names[last] = rule(last, tensor.format.blockElements) } }
    for extent in Set(id.inputs.joined().flatMap(\.shape)).sorted() where names[extent] == nil { names[extent] = rule(extent, 1) }
    for k in copy.inputs.indices { for i in copy.inputs[k].indices { copy.inputs[k][i].shape = copy.inputs[k][i].shape.map { names[$0] ?? $0 } } }
    return CaseGraph.isAllowed(copy) ? copy : nil
  }
}

extension CaseWork {
  /// What the oracle has to do, in multiply-adds.
  var size: Double { max(multiplyAdds, bytes / 4) }
}
