public import BackplaneABI
public import BackplanePluginKit

/// Rows to be copied, within their buffers.
public struct CopyPlan {
  public let input, output: StoragePlace
  public let bytes: Int
  /// Where row after row begins, from the beginnings of the buffers.
  public let rows: [(from: UInt64, to: UInt64)]

  /// - Throws: When a side is missing, too long, read-only, or leaves its buffer.
  public init(_ copy: bp_copy) throws(PluginError) {
    guard let from = copy.src, let to = copy.dst else { throw .invalid("copy: source or destination is missing") }
    let count = UInt64(max(copy.rows, 1)), bytes = from.pointee.bytes
    func range(_ binding: bp_binding, _ pitch: UInt64) throws(PluginError) -> StoragePlace {
      let (span, tooLong) = pitch.multipliedReportingOverflow(by: count - 1)
      let (end, tooFar) = span.addingReportingOverflow(bytes)
      var whole = binding
      whole.bytes = end
      guard !tooLong, !tooFar else { throw .invalid("copy: \(count) rows, \(pitch) bytes apart, are too long") }
      return try KernelProgram.place(whole, "copy: a binding of \(count) rows of \(bytes) bytes")
    }
    let (input, output) = (try range(from.pointee, copy.src_pitch), try range(to.pointee, copy.dst_pitch))
    guard output.buffer.isWritable else { throw .invalid("copy: the destination was imported read-only") }
    (self.input, self.output, self.bytes) = (input, output, Int(bytes))
    rows = bytes == 0 ? [] : (0..<count).map { (input.offset + $0 * copy.src_pitch, output.offset + $0 * copy.dst_pitch) }
  }
}

extension KernelProgram {
  /// The program of a dispatch.
  public static func of(_ dispatch: bp_dispatch) throws(PluginError) -> KernelProgram {
    guard let handle = dispatch.program else { throw .invalid("execute: a dispatch has no program") }
    return unsafeDowncast(object(handle, as: PluginProgram.self), to: KernelProgram.self)
  }

  /// Gives each kernel to `body`, in order, until the host wants the program no more.
  public func compileKernels(_ host: Host, _ request: bp_compile, _ body: (KernelKey) throws(PluginError) -> Void) throws(PluginError) {
    for key in kernels {
      if host.isCancelled(request.cancel) { throw PluginError(BP_E_CANCELLED, "program_create was cancelled while kernels were compiled") }
      try body(key)
    }
  }
}

extension bp_submission {
  /// Where the times of dispatch `index` go; nil when none are wanted.
  public func timestampPlace(_ index: Int) throws(PluginError) -> StoragePlace? {
    guard let binding = timestamps?.pointee else { return nil }
    let size = UInt64(MemoryLayout<bp_timestamp>.stride), needed = UInt64(dispatches.count) * size
    let place = try KernelProgram.place(binding, "the timestamps")
    guard place.buffer.isWritable, needed <= binding.bytes else { throw .invalid("execute: timestamps need \(needed) writable bytes") }
    return StoragePlace(buffer: place.buffer, offset: place.offset + UInt64(index) * size)
  }
}
