/// What changed between two runs.
public struct ReportDiff: Sendable {
  /// Cases that were good and are bad, and the other way round.
  public var broken: [CaseResult] = []
  public var mended: [CaseResult] = []
  public var added = 0, removed = 0
  /// Passed in both, with an error that grew to more than twice.
  public var worse: [(id: String, before: Double, after: Double)] = []

  public init(_ before: Report, _ after: Report) {
    let old = Dictionary(before.results.map { ($0.id, $0) }, uniquingKeysWith: { a, _ in a })
    let new = Set(after.results.map(\.id))
    removed = before.results.count { !new.contains($0.id) }
    for result in after.results {
      guard let earlier = old[result.id] else { added += 1; if result.isBad { broken.append(result) }; continue }
      if result.isBad, !earlier.isBad { broken.append(result) }
      if !result.isBad, earlier.isBad { mended.append(result) }
      if result.outcome == .pass, earlier.outcome == .pass, result.maxRatio > 2 * earlier.maxRatio, result.maxRatio > 0.1 {
        worse.append((result.id, earlier.maxRatio, result.maxRatio))
      }
    }
  }
}
