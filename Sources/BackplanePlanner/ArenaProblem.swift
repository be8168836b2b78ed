/// The part of a problem that one arena sees. Storages of no bytes have no place and are left out.
struct ArenaProblem {
  let storages: [Storage]
  let timeline: ArenaTimeline
  private let own: [Int]

  /// - Parameter own: Indices into `storages` of those in this arena.
  init(_ own: [Int], _ storages: [Storage]) {
    self.own = own.filter { storages[$0].sizeInBytes > 0 }
    self.storages = storages
    timeline = ArenaTimeline(self.own.map { storages[$0] })
  }

  func bodies(_ links: InPlaceLinks) -> [Body] {
    own.filter { !links.hasPrevious[$0] }.map { Body(head: $0, links, storages, timeline) }
  }

  /// Names the two tensors that collide. Plain and slow: it only runs to explain an error.
  func pinnedOverlap(_ collision: PinCollision, _ links: InPlaceLinks, _ problem: PlanProblem, _ map: StorageMap)
    -> PlanError
  {
    let bodies = bodies(links)
    func label(_ member: Body.Member) -> String { problem.label(ofTensor: map.rootOfStorage[member.storage]) }
    for second in bodies[collision.body].members {
      for first in bodies[..<collision.body].filter({ $0.pinnedOffsetInBytes != nil }).flatMap(\.members)
      where storages[first.storage].collides(with: storages[second.storage]) {
        return .pinnedOverlap(first: label(first), second: label(second))
      }
    }
    preconditionFailure("a pin collided with nothing")
  }
}

extension Storage {
  fileprivate func collides(with other: Storage) -> Bool {
    guard let start = pinnedOffsetInBytes, let otherStart = other.pinnedOffsetInBytes else { return false }
    return firstStep < other.endStep && other.firstStep < endStep
      && start < otherStart + other.sizeInBytes && otherStart < start + sizeInBytes
  }
}

extension StorageMap {
  func storagesByArena(count: Int) -> [[Int]] {
    var result = [[Int]](repeating: [], count: count)
    for (index, storage) in storages.enumerated() { result[storage.arena].append(index) }
    return result
  }
}
