import BackplaneCore

/// Whether a is equal to, less or greater than b, with broadcasting. NaN compares false.
struct Compare: ReferenceOperator {
  enum Relation: String, CaseIterable { case equal, less, greater }
  let relation: Relation

  static let operators: [String: any ReferenceOperator] =
    Dictionary(uniqueKeysWithValues: Relation.allCases.map { ($0.rawValue, Compare(relation: $0)) })

  func evaluate(_ call: Call) throws(BackplaneError) -> [ReferenceTensor?] {
    let (x, y, output) = (call.input(0), call.input(1), call.outputs[0])
    let (ia, ib) = (broadcastIndices(x.shape, to: output.shape), broadcastIndices(y.shape, to: output.shape))
    func compare<T: Comparable>(_ a: [T], _ b: [T]) -> [Double] {
      (0..<output.count).map { i in
        let (p, q) = (a[ia?[i] ?? i], b[ib?[i] ?? i])
        let holds = switch relation { case .equal: p == q; case .less: p < q; case .greater: p > q }
        return holds ? 1 : 0
      }
    }
    return [call.exact(x.format.kind == .float ? compare(x.values(), y.values()) : compare(x.integers(), y.integers()))]
  }
}
