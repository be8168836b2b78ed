/// Merges neighbours in a text, best pair first, until no pair may be merged.
///
/// The heart of both tokenizers: they differ in what a pair is worth. Reuse one merger for many texts; it keeps its memory.
struct PairMerger {
  /// A run of bytes that has become one symbol; empty once it has been merged into its left neighbour.
  private struct Symbol {
    var start: Int32
    var count: Int32
    var previous: Int32
    var next: Int32
  }
  private var symbols: [Symbol] = []
  private var queue = MergeQueue()

  /// Appends a symbol to the text.
  mutating func append(start: Int, count: Int) {
    let index = Int32(truncatingIfNeeded: symbols.count)
    if index > 0 { symbols[Int(index) - 1].next = index }
    symbols.append(Symbol(start: Int32(truncatingIfNeeded: start), count: Int32(truncatingIfNeeded: count), previous: index - 1, next: -1))
  }

  mutating func removeAll() {
    symbols.removeAll(keepingCapacity: true)
    queue.removeAll()
  }

  /// Merges, then hands over what is left, first to last.
  ///
  /// - Parameter cost: Of merging the symbols at bytes `start ..< middle` and `middle ..< end`: lower merges first, ties from the left; nil
  ///   when the two may not be merged.
  @inline(__always)
  mutating func merge(cost: (_ start: Int, _ middle: Int, _ end: Int) -> UInt32?, emit: (_ start: Int, _ end: Int) -> Void) {
    var queue = queue
    self.queue = MergeQueue()  // moved out, not copied
    symbols.withUnsafeMutableBufferPointer { symbols in
      func consider(_ left: Int32, _ right: Int32) {
        if left < 0 || right < 0 { return }
        let a = symbols[Int(left)], b = symbols[Int(right)]
        guard let cost = cost(Int(a.start), Int(b.start), Int(b.start + b.count)) else { return }
        queue.push(MergeQueue.Item(key: UInt64(cost) << 32 | UInt64(left), right: right, count: a.count + b.count))
      }
      var i: Int32 = 1
      while i < symbols.count {
        consider(i - 1, i)
        i += 1
      }
      while let item = queue.pop() {
        let left = Int32(truncatingIfNeeded: item.key & 0xffff_ffff), right = item.right
        let a = symbols[Int(left)], b = symbols[Int(right)]
        // One of the two has been merged with another neighbour since.
        if a.count == 0 || b.count == 0 || a.count + b.count != item.count { continue }
        symbols[Int(left)].count = item.count
        symbols[Int(left)].next = b.next
        symbols[Int(right)].count = 0
        if b.next >= 0 { symbols[Int(b.next)].previous = left }
        consider(a.previous, left)
        consider(left, b.next)
      }
      for symbol in symbols where symbol.count > 0 { emit(Int(symbol.start), Int(symbol.start + symbol.count)) }
    }
    self.queue = queue
  }
}

/// A binary heap of candidate merges, lowest key first.
struct MergeQueue {
  struct Item {
    /// Cost in the upper half, index of the left symbol in the lower: ties go to the left.
    var key: UInt64
    var right: Int32
    /// Bytes of both symbols when the item was made.
    var count: Int32
  }
  private var items: [Item] = []

  mutating func removeAll() { items.removeAll(keepingCapacity: true) }

  mutating func push(_ item: Item) {
    items.append(item)
    items.withUnsafeMutableBufferPointer { items in
      var at = items.count - 1
      while at > 0 {
        let parent = (at - 1) / 2
        if items[parent].key <= item.key { break }
        items[at] = items[parent]
        at = parent
      }
      items[at] = item
    }
  }

  mutating func pop() -> Item? {
    guard let last = items.popLast() else { return nil }
    if items.isEmpty { return last }
    return items.withUnsafeMutableBufferPointer { items in
      let top = items[0]
      var at = 0
      while true {
        var child = 2 * at + 1
        if child >= items.count { break }
        if child + 1 < items.count, items[child + 1].key < items[child].key { child += 1 }
        if last.key <= items[child].key { break }
        items[at] = items[child]
        at = child
      }
      items[at] = last
      return top
    }
  }
}
