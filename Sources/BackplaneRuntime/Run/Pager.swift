import BackplaneCore
import Glibc

/// Pages the weights of a session: before a program runs, its mapped file pages are asked for; when it has run, those that are not kept are dropped.
///
/// Dropped pages leave this process's memory and come back from the file, or from the system's cache of it, when they are read again.
/// Belongs to a session, whose lock guards it.
final class Pager: @unchecked Sendable {
  private struct Range: Sendable {
    var start: UInt
    var byteCount: Int
    func advise(_ advice: Int32) {
      let page = UInt(sysconf(Int32(_SC_PAGESIZE)))
      let first = start / page * page
      madvise(UnsafeMutableRawPointer(bitPattern: first), Int(start - first) + byteCount, advice)
    }
  }
  /// For each program what it reads, and what of that must not stay.
  private let reads, parts: [[Range]]
  private var drops: [[Range]] = []
  /// The most that a program reads, and how much of all weights stays in memory.
  let windowBytes: Int
  private(set) var keptBytes = 0
  /// Weights that this pager does not page, with the device that copied them.
  let copiedBytes: Int

  /// - Parameters:
  ///   - sources: The constants that each program reads as a whole, and those of which it reads parts; nil where its device works on a copy.
  init(_ programs: [(whole: [ConstantSource?], parts: [ConstantSource?])], copiedBytes: Int) {
    func range(_ source: ConstantSource) -> Range? { source.isMapped ? source.bytes.baseAddress.map { Range(start: UInt(bitPattern: $0), byteCount: source.byteCount) } : nil }
    reads = programs.map { $0.whole.compactMap { $0.flatMap(range) } }
    parts = programs.map { $0.parts.compactMap { $0.flatMap(range) } }
    windowBytes = reads.map { $0.reduce(0) { $0 + $1.byteCount } }.max() ?? 0
    self.copiedBytes = copiedBytes
    keep(within: 0)
  }

  /// Keeps what is over when the largest program has its room, in the programs' order.
  ///
  /// - Parameter budget: Bytes of weights in memory at most.
  func keep(within budget: Int) {
    var kept: Set<UInt> = []
    keptBytes = 0
    for ranges in reads { for range in ranges where !kept.contains(range.start) && keptBytes + range.byteCount <= budget - windowBytes {
      kept.insert(range.start)
      keptBytes += range.byteCount
    } }
    drops = zip(reads, parts).map { reads, parts in reads.filter { !kept.contains($0.start) } + parts }
  }

  /// The system may begin to read what the program will need.
  func prefetch(_ p: Int) { if reads.indices.contains(p) { for range in reads[p] { range.advise(MADV_WILLNEED) } } }
  func drop(after p: Int) { for range in drops[p] { range.advise(MADV_DONTNEED) } }
}
