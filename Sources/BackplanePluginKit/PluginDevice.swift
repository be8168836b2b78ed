public import BackplaneABI

/// A device of a plugin written in Swift. A plugin's own class overrides what its device does; the kit has the table of C functions, queues and
/// semaphores.
///
/// Every function may be called on any thread. Queues run their submissions on the host's pool, one after the other, with ``work(_:)``.
open class PluginDevice: @unchecked Sendable {
  public let host: Host
  /// Guards all semaphores and queues of the device.
  let monitor = Monitor()
  /// Guarded by `monitor`.
  var queues: [Unmanaged<Queue>] = []
  /// Something ended on a driver's thread, so that queues may have to be looked at. Guarded by `monitor`.
  var needsStart = false

  public init(host: Host) { self.host = host }

  open func info(_ out: UnsafeMutablePointer<bp_device_info>) throws(PluginError) { throw missing("info") }

  /// Ends threads of the device's own, before the last reference to it goes.
  open func close() {}

  // MARK: Capability

  /// Writes one `bp_verdict` a node, `stride` bytes apart.
  open func query(_ graph: UnsafePointer<bp_graph>?, _ out: UnsafeMutableRawPointer?, _ stride: UInt32, _ count: UInt32) throws(PluginError) {
    throw missing("query")
  }
  /// Writes what could run a node, best first; `BP_MORE` when there is not room for all.
  open func variants(_ graph: UnsafePointer<bp_graph>?, _ node: UInt32, _ out: UnsafeMutableRawPointer?, _ stride: UInt32,
                     _ count: UnsafeMutablePointer<UInt32>?) throws(PluginError) -> bp_status {
    throw missing("variants")
  }
  /// The bytes of workspace that a node alone needs with a choice that `createProgram` would take; throws when it would not.
  open func checkConfig(_ graph: UnsafePointer<bp_graph>?, _ node: UInt32, _ config: bp_config) throws(PluginError) -> UInt64 { throw missing("config_check") }
  open func link(_ mem: UInt32, _ peer: UnsafePointer<bp_device_info>?, _ peerMemory: UInt32, _ out: UnsafeMutablePointer<bp_link>?) throws(PluginError) {
    throw missing("link")
  }

  // MARK: Memory

  open func createBuffer(_ source: UnsafePointer<bp_buffer_desc>?, _ out: UnsafeMutablePointer<bp_buffer?>?,
                         _ info: UnsafeMutablePointer<bp_buffer_info>?) throws(PluginError) { throw missing("buffer_create") }
  open func destroyBuffer(_ handle: bp_buffer) {}
  open func map(_ handle: bp_buffer?, _ offset: UInt64, _ length: UInt64, _ access: UInt32,
                _ out: UnsafeMutablePointer<UnsafeMutableRawPointer?>?) throws(PluginError) { throw missing("buffer_map") }
  /// Nothing to do where memory stays mapped.
  open func unmap(_ handle: bp_buffer) throws(PluginError) {}

  // MARK: Programs

  open func createProgram(_ source: UnsafePointer<bp_compile>) throws(PluginError) -> PluginProgram { throw missing("program_create") }
  /// Runs the copies and dispatches of a submission, in order, and returns when they are done. Waits and signals are the kit's.
  open func work(_ submission: bp_submission) throws(PluginError) { throw missing("execute") }
  /// The API's own queue behind one of the ABI's; nil where submissions run with ``work(_:)``.
  open func makeLane(_ index: UInt32) throws(PluginError) -> PluginLane? { nil }
  /// Hands a submission to the API's own queue and returns without waiting for its end. One thread at a time for each lane, in order.
  ///
  /// - Parameters:
  ///   - tickets: What earlier calls, for any lane of the device, have returned and what must have ended before the submission begins.
  ///   - finished: To be called once, on any thread, in the lane's order, when memory of the submission is no longer used. Not called when this throws or
  ///     returns nil.
  /// - Returns: What the end can be waited for with; nil when this submission must run with ``work(_:)``.
  open func begin(_ submission: bp_submission, on lane: PluginLane, after tickets: [AnyObject],
                  finished: @escaping @Sendable (PluginError?) -> Void) throws(PluginError) -> AnyObject? { nil }
  /// Host and device time, read together. By default the device counts the host's nanoseconds.
  open func clock() throws(PluginError) -> bp_clock {
    var clock = bp_clock()
    let now = host.now
    (clock.host_ns, clock.device_ticks, clock.hz) = (now, now, 1_000_000_000)
    return clock
  }

  /// Waits, copies, dispatches, signals; returns when all is done. On failure the semaphores to be signalled are failed.
  final func execute(_ source: UnsafePointer<bp_submission>?) throws(PluginError) {
    guard let source else { throw .invalid("execute: no submission") }
    let submission = readRecord(source, zero: bp_submission())
    try checkChain(submission.h, of: "submission")
    guard submission.dispatches.count == 0 || submission.dispatches.ptr != nil else { throw .invalid("execute: dispatches are announced, but there are none") }
    do throws(PluginError) {
      if submission.waits.count > 0 { try wait(submission) }
      try work(submission)
    } catch {
      if submission.signals.count > 0 { fail(submission.signals, error.record) }
      throw error
    }
    if submission.signals.count > 0 { try signal(submission.signals) }
  }

  // MARK: Blobs, faults

  /// Judges a program that was exported once, by its first 4 KiB: 0 optimal, 1 usable, 2 recompile, 3 never.
  open func checkBlob(_ header: UnsafeRawBufferPointer) throws(PluginError) -> UInt32 { throw missing("blob_check") }
  /// After the device was lost, once its children are gone: makes it usable again.
  open func reset() throws(PluginError) { throw missing("reset") }

  /// Has one task run soon, on another thread: the host's pool, unless the device has threads of its own.
  open func post(_ task: @escaping @Sendable @convention(c) (UnsafeMutableRawPointer?) -> Void, _ context: UnsafeMutableRawPointer?) -> bp_status {
    host.table.pointee.post(host.table.pointee.ctx, task, context, 0)
  }

  /// What a peer says of its memory, for ``link(_:_:_:_:)``.
  public final func memoryType(_ index: UInt32, of peer: UnsafePointer<bp_device_info>?) throws(PluginError) -> bp_memory_type {
    guard let peer else { throw .invalid("link: an argument is missing") }
    let types = try readRecord(peer, zero: bp_device_info()).memory_types.records(zero: bp_memory_type(), named: "memory types")
    guard let type = types.first(where: { $0.index == index }) else { throw .invalid("link: the peer has no memory type \(index)") }
    return type
  }

  private func missing(_ name: String) -> PluginError {
    PluginError(BP_E_UNSUPPORTED, "\(name) is not implemented by this device", reason: BP_REASON_FEATURE)
  }
}

/// An API's own queue, as a device makes it for one of the ABI's queues.
open class PluginLane: @unchecked Sendable {
  public init() {}
  /// Nothing is on its way any more; when this returns no thread calls a `finished`.
  open func close() {}
}

/// What a program handle is: immutable, so that it may be in flight many times.
open class PluginProgram: @unchecked Sendable {
  public init() {}
  open func info(_ out: UnsafeMutablePointer<bp_program_info>) {}
  /// Gives the program's bytes to `sink`, in any number of pieces; throws what the sink answers.
  open func export(_ sink: (UnsafeRawBufferPointer) throws(PluginError) -> Void) throws(PluginError) {
    throw PluginError(BP_E_UNSUPPORTED, "program_export is not implemented by this device", reason: BP_REASON_FEATURE)
  }
}
