import BackplaneKernelKit
import BackplanePluginKit
import OpenCLKernels

/// Command queues that submissions take while they run. Any thread.
final class QueuePool: @unchecked Sendable {
  struct Queue {
    let handle: cl_command_queue
    let isProfiling: Bool
  }
  private let api: OpenCL
  private let context: cl_context
  private let device: cl_device_id
  private let monitor = Monitor()
  private var free: [Queue] = []

  init(_ api: OpenCL, _ context: cl_context, _ device: cl_device_id) { (self.api, self.context, self.device) = (api, context, device) }

  func locked<T>(_ body: () -> T) -> T { monitor.locked(body) }

  func take(profiling: Bool = false) throws(PluginError) -> Queue {
    let known = monitor.locked { free.lastIndex { $0.isProfiling == profiling }.map { free.remove(at: $0) } }
    if let known { return known }
    var code: Int32 = 0
    guard let handle = api.table.clCreateCommandQueue(context, device, profiling ? UInt64(BP_CL_QUEUE_PROFILING_ENABLE) : 0, &code) else {
      throw api.failure(code, "clCreateCommandQueue")
    }
    return Queue(handle: handle, isProfiling: profiling)
  }
  func give(_ queue: Queue) { monitor.locked { free.append(queue) } }

  func release() {
    for queue in monitor.locked({ free }) { _ = api.table.clReleaseCommandQueue(queue.handle) }
  }
}

extension Device {
  /// Enqueues copies and launches in order, and waits for the last.
  func run(_ submission: bp_submission) throws(PluginError) {
    try checkLoss()
    let queue = try queues.take(profiling: submission.timestamps != nil)
    defer { queues.give(queue) }
    do throws(PluginError) {
      do throws(PluginError) { try enqueue(submission, queue) } catch {
        _ = api.table.clFinish(queue.handle)  // what was enqueued still uses the caller's memory
        throw error
      }
      try api.check(api.table.clFinish(queue.handle), "clFinish")
    } catch { throw note(error) }
  }

  func enqueue(_ submission: bp_submission, _ queue: QueuePool.Queue) throws(PluginError) {
    for i in 0..<Int(submission.copies.count) { try copy(submission.copies.record(i, zero: bp_copy()), queue) }
    for i in 0..<Int(submission.dispatches.count) {
      let dispatch = submission.dispatches.record(i, zero: bp_dispatch())
      let span = try unsafeDowncast(KernelProgram.of(dispatch), to: Program.self).enqueue(dispatch, submission, queue)
      if let place = try submission.timestampPlace(i) { try write(span, to: place, queue) }
    }
  }

  private func copy(_ copy: bp_copy, _ queue: QueuePool.Queue) throws(PluginError) {
    let plan = try CopyPlan(copy)
    for row in plan.rows {
      try api.check(api.table.clEnqueueCopyBuffer(
        queue.handle, unsafeDowncast(plan.input.buffer, to: Buffer.self).memory, unsafeDowncast(plan.output.buffer, to: Buffer.self).memory,
        Int(row.from), Int(row.to), plan.bytes, 0, nil, nil), "clEnqueueCopyBuffer")
    }
  }

  private func write(_ span: Span, to place: StoragePlace, _ queue: QueuePool.Queue) throws(PluginError) {
    var stamp = bp_timestamp()
    stamp.h = head(bp_timestamp.self, BP_ST_TIMESTAMP)
    (stamp.begin_ticks, stamp.end_ticks) = try times(of: span, queue)
    let size = MemoryLayout<bp_timestamp>.stride
    try api.check(api.table.clEnqueueWriteBuffer(queue.handle, unsafeDowncast(place.buffer, to: Buffer.self).memory, 1, Int(place.offset), size,
                                                 &stamp, 0, nil, nil), "clEnqueueWriteBuffer")
  }

  /// Events of the first and the last command of a dispatch.
  struct Span { var first, last: cl_event? }

  /// In the device's nanoseconds; releases the events.
  private func times(of span: Span, _ queue: QueuePool.Queue) throws(PluginError) -> (UInt64, UInt64) {
    var span = span
    if span.first == nil {  // nothing was launched: a command that does nothing says when
      try api.check(api.table.clEnqueueMarkerWithWaitList(queue.handle, 0, nil, &span.first), "clEnqueueMarkerWithWaitList")
    }
    try api.check(api.table.clFinish(queue.handle), "clFinish")
    var begin: UInt64 = 0, end: UInt64 = 0
    let first = api.table.clGetEventProfilingInfo(span.first, BP_CL_PROFILING_COMMAND_START, 8, &begin, nil)
    let last = api.table.clGetEventProfilingInfo(span.last ?? span.first, BP_CL_PROFILING_COMMAND_END, 8, &end, nil)
    for event in [span.first, span.last] { if let event { _ = api.table.clReleaseEvent(event) } }
    try api.check(first, "clGetEventProfilingInfo")
    try api.check(last, "clGetEventProfilingInfo")
    return (begin, end)
  }

  func readClock() throws(PluginError) -> bp_clock {
    let queue = try queues.take(profiling: true)
    defer { queues.give(queue) }
    let before = host.now
    let (_, ticks) = try times(of: Span(), queue)
    let after = host.now
    var clock = bp_clock()
    (clock.host_ns, clock.device_ticks, clock.hz, clock.max_deviation_ns) = (before + (after - before) / 2, ticks, 1_000_000_000, (after - before) / 2 + 1)
    return clock
  }
}
