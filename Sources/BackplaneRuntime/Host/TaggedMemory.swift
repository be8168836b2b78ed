import Glibc
import Synchronization

/// Host memory that plugins ask for, counted by tag. No locks.
public final class TaggedMemory: @unchecked Sendable {
  /// Tags share the counters of `tag % slotCount`; each slot shows the tag that came first.
  private static let slotCount = 64
  private struct Slot: ~Copyable {
    let bytes = Atomic<Int>(0)
    let peak = Atomic<Int>(0)
    let blocks = Atomic<Int>(0)
    /// The tag plus 1; 0 for a slot never used.
    let tagPlusOne = Atomic<UInt64>(0)
  }
  private let slots: UnsafeMutablePointer<Slot>
  private let total = Atomic<Int>(0)
  private let totalPeak = Atomic<Int>(0)

  public init() {
    slots = .allocate(capacity: TaggedMemory.slotCount)
    for i in 0..<TaggedMemory.slotCount { (slots + i).initialize(to: Slot()) }
  }

  deinit {
    slots.deinitialize(count: TaggedMemory.slotCount)
    slots.deallocate()
  }

  /// Nil when there is no such memory.
  ///
  /// - Parameter alignment: A power of two; less than 16 counts as 16.
  public func allocate(_ byteCount: Int, alignment: Int, tag: UInt32) -> UnsafeMutableRawPointer? {
    guard alignment & (alignment - 1) == 0 else { return nil }
    var memory: UnsafeMutableRawPointer?
    guard posix_memalign(&memory, max(alignment, 16), max(byteCount, 1)) == 0 else { return nil }
    let i = Int(tag) % TaggedMemory.slotCount
    _ = slots[i].tagPlusOne.compareExchange(expected: 0, desired: UInt64(tag) + 1, ordering: .relaxed)
    slots[i].blocks.add(1, ordering: .relaxed)
    raise(slots[i].peak, to: slots[i].bytes.add(byteCount, ordering: .relaxed).newValue)
    raise(totalPeak, to: total.add(byteCount, ordering: .relaxed).newValue)
    return memory
  }

  public func free(_ memory: UnsafeMutableRawPointer?, _ byteCount: Int, tag: UInt32) {
    guard let memory else { return }
    let i = Int(tag) % TaggedMemory.slotCount
    slots[i].bytes.subtract(byteCount, ordering: .relaxed)
    slots[i].blocks.subtract(1, ordering: .relaxed)
    total.subtract(byteCount, ordering: .relaxed)
    Glibc.free(memory)
  }

  private func raise(_ peak: borrowing Atomic<Int>, to bytes: Int) {
    if bytes > peak.load(ordering: .relaxed) { _ = peak.max(bytes, ordering: .relaxed) }
  }

  public struct Usage: Sendable, Equatable {
    public var tag: UInt32
    public var byteCount, peakByteCount, blockCount: Int
  }

  public var byteCount: Int { total.load(ordering: .relaxed) }
  public var peakByteCount: Int { totalPeak.load(ordering: .relaxed) }
  /// One a tag that was ever used, by tag.
  public var usage: [Usage] {
    (0..<TaggedMemory.slotCount).compactMap { i in
      let tag = slots[i].tagPlusOne.load(ordering: .relaxed)
      if tag == 0 { return nil }
      return Usage(tag: UInt32(tag - 1), byteCount: slots[i].bytes.load(ordering: .relaxed), peakByteCount: slots[i].peak.load(ordering: .relaxed),
                   blockCount: slots[i].blocks.load(ordering: .relaxed))
    }
  }
}
