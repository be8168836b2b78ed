import BackplanePluginKit
import OpenCLKernels

/// A command queue behind one of the ABI's queues, and a thread that waits for the ends of its submissions.
///
/// The thread is the plugin's own rather than a callback of the driver's: it can be joined, so that nothing runs any more when the queue is gone.
final class Lane: PluginLane, @unchecked Sendable {
  /// An event that other submissions may wait for.
  final class Ticket: @unchecked Sendable {
    let event: cl_event
    private let api: OpenCL

    /// Takes over one reference.
    init(_ api: OpenCL, _ event: cl_event) { (self.api, self.event) = (api, event) }
    deinit { _ = api.table.clReleaseEvent(event) }
  }

  let queue: QueuePool.Queue
  private let api: OpenCL
  private let pool: QueuePool
  private let thread = SerialThread()

  init(_ api: OpenCL, _ pool: QueuePool, _ queue: QueuePool.Queue) {
    (self.api, self.pool, self.queue) = (api, pool, queue)
    super.init()
  }

  /// Has `finished` called when the event is complete. Starts the thread at the first call.
  ///
  /// - Returns: False when there is no thread to do it.
  func watch(_ ticket: Ticket, _ finished: @escaping @Sendable (PluginError?) -> Void) -> Bool {
    thread.post { [api] in
      var event: cl_event? = ticket.event
      let code = api.table.clWaitForEvents(1, &event)
      finished(code == 0 ? nil : api.failure(code, "clWaitForEvents"))
    }
  }

  override func close() {
    thread.join()
    pool.give(queue)
  }
}

extension Device {
  /// Enqueues a submission behind what it waits for, and leaves its end to the lane's thread.
  func start(_ submission: bp_submission, _ lane: Lane, _ tickets: [AnyObject], _ finished: @escaping @Sendable (PluginError?) -> Void) throws(PluginError) -> AnyObject? {
    guard submission.timestamps == nil else { return nil }  // read on the host, from a queue that takes times
    try checkLoss()
    let queue = lane.queue
    do throws(PluginError) {
      do throws(PluginError) {
        if !tickets.isEmpty {
          var events = tickets.map { Optional(unsafeDowncast($0, to: Lane.Ticket.self).event) }
          try api.check(api.table.clEnqueueBarrierWithWaitList(queue.handle, UInt32(events.count), &events, nil), "clEnqueueBarrierWithWaitList")
        }
        try enqueue(submission, queue)
        var end: cl_event?
        try api.check(api.table.clEnqueueMarkerWithWaitList(queue.handle, 0, nil, &end), "clEnqueueMarkerWithWaitList")
        let ticket = Lane.Ticket(api, end!)
        try api.check(api.table.clFlush(queue.handle), "clFlush")
        // A driver's failure is remembered; the host hears of it from the next call.
        if lane.watch(ticket, { [unowned self] failure in finished(failure.map { self.remember($0) }) }) { return ticket }
        throw PluginError(BP_E_OOM_HOST, "no thread can be started to wait for a command queue", reason: BP_REASON_MEMORY, retry: BP_RETRY_AFTER_FREEING_MEMORY)
      } catch {
        _ = api.table.clFinish(queue.handle)  // what was enqueued still uses the caller's memory
        throw error
      }
    } catch { throw note(error) }
  }
}
