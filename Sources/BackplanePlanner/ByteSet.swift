/// Occupied bytes as sorted borders: a start, an end, a start, an end, …
///
/// Runs that touch are one run, so a densely packed arena has few borders however many tensors it holds. A byte is
/// occupied when an odd number of borders is not above it.
struct ByteSet {
  private(set) var borders: [Int] = []

  var isEmpty: Bool { borders.isEmpty }

  /// Adds `start..<end`, which may overlap what is there.
  mutating func insert(_ start: Int, _ end: Int) {
    let low = countBelow(start)
    let high = countUpTo(end)
    switch (low & 1, high & 1) {
    case (0, 0) where low == high:
      borders.insert(end, at: low)
      borders.insert(start, at: low)
    case (0, 0): replace(low, high, start, end)
    case (0, _): borders[low] = start; borders.removeSubrange(low + 1..<high)
    case (_, 0): borders[high - 1] = end; borders.removeSubrange(low..<high - 1)
    default: if low < high { borders.removeSubrange(low..<high) }
    }
  }

  private mutating func replace(_ low: Int, _ high: Int, _ start: Int, _ end: Int) {
    borders[low] = start
    borders[high - 1] = end
    if high - low > 2 { borders.removeSubrange(low + 1..<high - 1) }
  }

  /// The first byte, at or above `byte`, that is free.
  func firstFree(from byte: Int) -> Int {
    let count = countUpTo(byte)
    return count & 1 == 0 ? byte : borders[count]
  }

  /// The first byte above the free `byte` that is occupied; `Int.max` if there is none.
  func firstOccupied(after byte: Int) -> Int {
    let count = countUpTo(byte)
    return count < borders.count ? borders[count] : .max
  }

  /// The lowest start, at or above `byte`, of `size` free bytes.
  func firstFit(from byte: Int, size: Int) -> Int {
    var count = countUpTo(byte)
    var start = byte
    if count & 1 == 1 {
      start = borders[count]
      count += 1
    }
    while count < borders.count, borders[count] - start < size {
      start = borders[count + 1]
      count += 2
    }
    return start
  }

  /// How many borders are less than `byte`.
  private func countBelow(_ byte: Int) -> Int { byte == .min ? 0 : countUpTo(byte - 1) }

  /// How many borders are not above `byte`.
  private func countUpTo(_ byte: Int) -> Int {
    var low = 0
    var high = borders.count
    while low < high {
      let middle = (low + high) >> 1
      if borders[middle] <= byte { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
