import Backplane

/// Keeps a process within a number of bytes by paging a session's weights.
struct MemoryBudget {
  /// Of weights that a program reads at most: small enough for small budgets, large enough that dropping pages costs little.
  static let programBytes = 8 << 20
  /// For what comes with running: threads' stacks, page tables, code that has not run yet.
  private static let slackBytes = 12 << 20

  let byteCount: Int
  init(_ byteCount: Int) { self.byteCount = byteCount }

  /// Gives the session what is left of the budget for its weights. Call when the session was made, before it runs.
  ///
  /// - Throws: `BackplaneError` (out of host memory) with the smallest budget that would work.
  func apply(to session: Session) throws(BackplaneError) {
    guard let paging = session.paging else { return }
    let now = MemoryReport.current()
    // The arenas are not written yet; all else that the session has is in memory.
    let arenas = session.compiled.memorySummaries.reduce(0) { $0 + $1.arenaBytes }
    let fixed = now.resident + arenas + MemoryBudget.slackBytes
    let smallest = max(fixed + paging.window, now.peakResident)
    guard byteCount >= smallest else {
      let states = session.compiled.memorySummaries.reduce(0) { $0 + $1.stateBytes }
      var parts = "\(MemoryBudget.text(now.resident)) are in memory already, caches of \(MemoryBudget.text(states)) among them; "
        + "\(MemoryBudget.text(arenas)) for what lies between operators, \(MemoryBudget.text(paging.window)) for the weights of one step"
      if paging.copied > 0 { parts += "; \(MemoryBudget.text(paging.copied)) of weights are copies on a device that cannot use the file's pages, and are not paged" }
      // What a process has beside the model differs by some percent from run to run.
      let named = smallest + smallest / 24
      throw BackplaneError(.outOfHostMemory, "a memory budget of \(MemoryBudget.text(byteCount)) is too small, the smallest that works is \(MemoryBudget.text(named)): \(parts)",
                           hint: "a larger budget, or a smaller context or batch")
    }
    session.keepWeights(within: byteCount - fixed)
  }

  /// In whole megabytes, rounded up.
  private static func text(_ bytes: Int) -> String { "\((bytes + 999_999) / 1_000_000) MB" }
}
