extension Array {
  /// `count` elements, each of which `fill` initialises.
  ///
  /// Of no elements it is `[]`, and `fill` is not called: `init(unsafeUninitializedCapacity:)` writes its count even into the empty array that the
  /// whole process shares, which ThreadSanitizer takes for a race with whoever reads one.
  @inlinable
  public init(filling count: Int, _ fill: (UnsafeMutableBufferPointer<Element>) -> Void) {
    if count == 0 {
      self = []
    } else {
      self.init(unsafeUninitializedCapacity: count) { buffer, initialized in
        fill(buffer)
        initialized = count
      }
    }
  }
}
