/// What is placed as a whole: one storage, or a chain of storages each of which takes the place of the one before.
///
/// A chain may shrink on the way; then it is a staircase, and the bytes that a smaller member gives up are free again.
struct Body {
  /// A storage and where it starts in the body.
  struct Member {
    var storage: Int
    var start: Int
    /// The in-place pair by which it joined the chain; `nil` for the head.
    var pair: Int?
  }
  /// Bytes relative to the body, taken during a range of compressed steps (see ``ArenaTimeline``).
  struct Slab {
    var start: Int
    var size: Int
    var steps: Range<Int>
  }
  var members: [Member]
  /// Neighbouring members of the same place and size make one slab, so most chains are one slab.
  var slabs: [Slab]
  var alignmentInBytes: Int
  var pinnedOffsetInBytes: Int?

  var sizeInBytes: Int { slabs.reduce(0) { max($0, $1.start + $1.size) } }
  var firstStep: Int { slabs[0].steps.lowerBound }
  /// Bytes times steps.
  var area: Double { slabs.reduce(0) { $0 + Double($1.size) * Double($1.steps.count) } }

  /// The chain that starts with storage `head`.
  init(head: Int, _ links: InPlaceLinks, _ storages: [Storage], _ timeline: ArenaTimeline) {
    members = []
    slabs = []
    alignmentInBytes = 1
    pinnedOffsetInBytes = storages[head].pinnedOffsetInBytes
    var member = Member(storage: head, start: 0, pair: nil)
    while true {
      let storage = storages[member.storage]
      members.append(member)
      alignmentInBytes = max(alignmentInBytes, storage.alignmentInBytes)
      add(Slab(start: member.start, size: timeline.rounded(storage.sizeInBytes), steps: timeline.steps(of: storage)))
      guard let link = links.next[member.storage] else { return }
      member = Member(storage: link.storage, start: member.start + link.startInInput, pair: link.pair)
    }
  }

  private mutating func add(_ slab: Slab) {
    if let last = slabs.last, last.start == slab.start, last.size == slab.size {
      slabs[slabs.count - 1].steps = last.steps.lowerBound..<slab.steps.upperBound
    } else {
      slabs.append(slab)
    }
  }
}
