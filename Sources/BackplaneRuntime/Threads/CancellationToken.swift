import Synchronization

/// Set once, from any thread, to end what was begun with it: a compilation, a run.
public final class CancellationToken: @unchecked Sendable {
  /// What crosses the plugin ABI. Valid as long as its token.
  public struct Flag: @unchecked Sendable {
    public let raw: UnsafeMutableRawPointer
    init(raw: UnsafeMutableRawPointer) { self.raw = raw }
    @inline(__always) public var isSet: Bool { raw.assumingMemoryBound(to: Atomic<UInt32>.self).pointee.load(ordering: .relaxed) != 0 }
  }

  public let flag: Flag

  public init() {
    let memory = UnsafeMutablePointer<Atomic<UInt32>>.allocate(capacity: 1)
    memory.initialize(to: Atomic<UInt32>(0))
    flag = Flag(raw: UnsafeMutableRawPointer(memory))
  }

  deinit { flag.raw.assumingMemoryBound(to: Atomic<UInt32>.self).deallocate() }

  public func cancel() { flag.raw.assumingMemoryBound(to: Atomic<UInt32>.self).pointee.store(1, ordering: .relaxed) }
  public var isCancelled: Bool { flag.isSet }
  /// Makes the token usable again. Nothing may be running with it.
  public func reset() { flag.raw.assumingMemoryBound(to: Atomic<UInt32>.self).pointee.store(0, ordering: .relaxed) }
}
