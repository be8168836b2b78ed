import Foundation
import Synchronization

/// Shares cases among executors, each on a thread of its own.
public final class ParallelRun: Sendable {
  private struct State {
    var next = 0
    var results: [CaseResult?]
    var isStopped = false
  }
  private let ids: [String]
  private let state: Mutex<State>

  public init(_ ids: [String]) {
    self.ids = ids
    state = Mutex(State(results: Array(repeating: nil, count: ids.count)))
  }

  /// - Parameters:
  ///   - jobs: Threads, each with an executor that `make` gives it.
  ///   - onResult: Told each result as it comes, one at a time.
  /// - Returns: The results in the order of the cases; those that were not run are missing.
  public func run(jobs: Int, stopAtFirstFailure: Bool = false, make: @escaping @Sendable () -> any CaseExecutor,
                  onResult: @escaping @Sendable (CaseResult) -> Void = { _ in }) -> [CaseResult] {
    let group = DispatchGroup()
    for _ in 0..<max(jobs, 1) {
      group.enter()
      Thread.detachNewThread { [self] in
        let executor = make()
        while let i = take() {
          let result = executor.run(ids[i])
          state.withLock { state in
            state.results[i] = result
            if stopAtFirstFailure, result.isBad { state.isStopped = true }
            onResult(result)
          }
        }
        group.leave()
      }
    }
    group.wait()
    return state.withLock { $0.results.compactMap { $0 } }
  }

  private func take() -> Int? {
    state.withLock { state in
      guard !state.isStopped, state.next < ids.count else { return nil }
      defer { state.next += 1 }
      return state.next
    }
  }
}
