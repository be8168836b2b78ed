/// The steps of one arena with all but the births left out, and its smallest alignment.
///
/// Two ranges of steps share a step only if one holds the other's first step, so the steps at which something is born
/// are all that matter. Numbering just those keeps the tree small whatever the step numbers are.
struct ArenaTimeline {
  /// Ascending, without repeats.
  private let births: [Int]
  /// Every offset is a multiple of this, so rounding sizes up to it loses nothing, and makes neighbours touch.
  let granuleInBytes: Int

  var stepCount: Int { births.count }

  init(_ storages: some Collection<Storage>) {
    var births: [Int] = []
    for first in storages.map(\.firstStep).sorted() where births.last != first { births.append(first) }
    self.births = births
    granuleInBytes = storages.lazy.map(\.alignmentInBytes).min() ?? 1
  }

  func rounded(_ sizeInBytes: Int) -> Int { (sizeInBytes + granuleInBytes - 1) & ~(granuleInBytes - 1) }

  func steps(of storage: Storage) -> Range<Int> {
    birth(atOrAfter: storage.firstStep)..<birth(atOrAfter: storage.endStep)
  }

  /// The number of births before `step`.
  func birth(atOrAfter step: Int) -> Int {
    var low = 0
    var high = births.count
    while low < high {
      let middle = (low + high) >> 1
      if births[middle] < step { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// See ``ArenaPlan/lowerBoundInBytes``.
  func lowerBoundInBytes(_ bodies: [Body], _ storages: [Storage]) -> Int {
    var changes = [Int](repeating: 0, count: stepCount + 1)
    for body in bodies {
      for (position, member) in body.members.enumerated() {
        let size = rounded(storages[member.storage].sizeInBytes)
        let steps = steps(of: storages[member.storage])
        changes[steps.lowerBound + (position == 0 ? 0 : 1)] += size
        changes[steps.upperBound] -= size
      }
    }
    var live = 0
    var most = 0
    for change in changes {
      live += change
      most = max(most, live)
    }
    return most
  }
}
