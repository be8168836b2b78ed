public import BackplaneABI

// The device's functions as the ABI's table: each finds the object behind its handle and turns what it throws into a record.

/// The table of every ``PluginDevice``; it lives as long as the process.
public func deviceFunctionTable() -> UnsafePointer<bp_device_fns> { withUnsafePointer(to: &deviceFunctions) { $0 } }  // a global's address is stable

/// Written once, when the first device is opened.
nonisolated(unsafe) private var deviceFunctions: bp_device_fns = {
  var table = bp_device_fns()
  table.h = head(bp_device_fns.self, BP_ST_DEVICE_FNS)
  table.addBase()
  table.addQueues()
  table.addBlobs()
  table.addTuning()
  return table
}()

extension bp_device_fns {
  fileprivate mutating func addBase() {
    info = { device, out, error in withError(error) { () throws(PluginError) in
      guard let out else { throw .invalid("info: no place for the answer") }
      try PluginDevice.behind(device).info(out)
    } }
    query = { device, graph, out, stride, count, error in withError(error) { () throws(PluginError) in
      try PluginDevice.behind(device).query(graph, UnsafeMutableRawPointer(out), stride, count)
    } }
    buffer_create = { device, desc, out, info, error in withError(error) { () throws(PluginError) in
      try PluginDevice.behind(device).createBuffer(desc, out, info)
    } }
    buffer_destroy = { device, buffer in if let device, let buffer { object(device, as: PluginDevice.self).destroyBuffer(buffer) } }
    buffer_map = { device, buffer, offset, length, access, out, error in withError(error) { () throws(PluginError) in
      try PluginDevice.behind(device).map(buffer, offset, length, access, out)
    } }
    buffer_unmap = { device, buffer, error in withError(error) { () throws(PluginError) in
      guard let buffer else { throw .invalid("buffer_unmap: no buffer") }
      try PluginDevice.behind(device).unmap(buffer)
    } }
    program_create = { device, compile, out, error in withError(error) { () throws(PluginError) in
      guard let compile, let out else { throw .invalid("program_create: an argument is NULL") }
      out.pointee = makeHandle(try PluginDevice.behind(device).createProgram(compile))
    } }
    program_info = { program, out, error in withError(error) { () throws(PluginError) in
      guard let program, let out else { throw .invalid("program_info: an argument is NULL") }
      object(program, as: PluginProgram.self).info(out)
    } }
    program_destroy = { if let program = $0 { _ = take(program, as: PluginProgram.self) } }
    execute = { device, submission, error in withError(error) { () throws(PluginError) in try PluginDevice.behind(device).execute(submission) } }
  }

  fileprivate mutating func addQueues() {
    queue_create = { device, index, out, error in withError(error) { () throws(PluginError) in
      guard let out else { throw .invalid("queue_create: no place for the queue") }
      out.pointee = makeHandle(try Queue(try PluginDevice.behind(device), index: index))
    } }
    queue_destroy = { if let queue = $0 { take(queue, as: Queue.self).close() } }
    submit = { queue, submission, error in
      var status = BP_OK
      let failed = withError(error) { () throws(PluginError) in
        guard let queue, let submission else { throw .invalid("submit: an argument is NULL") }
        status = try object(queue, as: Queue.self).submit(submission)
      }
      return failed == BP_OK ? status : failed
    }
    sem_create = { device, initial, out, error in withError(error) { () throws(PluginError) in
      guard let out else { throw .invalid("sem_create: no place for the semaphore") }
      out.pointee = makeHandle(Semaphore(try PluginDevice.behind(device), initial: initial))
    } }
    sem_destroy = { if let semaphore = $0 { _ = take(semaphore, as: Semaphore.self) } }
    sem_query = { semaphore, value, failure in withError(failure) { () throws(PluginError) in
      guard let semaphore, let value else { throw .invalid("sem_query: an argument is NULL") }
      let state = object(semaphore, as: Semaphore.self)
      if state.device.monitor.locked({ state.device.needsStart }) { state.device.startQueues() }
      let (now, failed) = state.device.monitor.locked { (state.value, state.failure) }
      value.pointee = now
      if let failed { throw poisoned(failed) }
    } }
    sem_signal = { semaphore, value, error in withError(error) { () throws(PluginError) in
      guard let semaphore else { throw .invalid("sem_signal: no semaphore") }
      let state = object(semaphore, as: Semaphore.self)
      try state.device.signal(state, value)
    } }
    sem_fail = { semaphore, failure in
      guard let semaphore else { return BP_E_INVALID }
      let state = object(semaphore, as: Semaphore.self)
      state.device.fail(state, failure.map { readRecord($0, zero: bp_error()) } ?? bp_error())
      return BP_OK
    }
    sem_wait = { device, points, stride, count, any, timeout, error in withError(error) { () throws(PluginError) in
      try PluginDevice.behind(device).wait(bp_array(ptr: UnsafeRawPointer(points), count: count, stride: stride), any: any != 0, nanoseconds: timeout)
    } }
    link = { device, memory, peer, peerMemory, out, error in withError(error) { () throws(PluginError) in
      try PluginDevice.behind(device).link(memory, peer, peerMemory, out)
    } }
  }

  fileprivate mutating func addBlobs() {
    program_export = { program, sink, context, error in withError(error) { () throws(PluginError) in
      guard let program, let sink else { throw .invalid("program_export: an argument is NULL") }
      try object(program, as: PluginProgram.self).export { bytes throws(PluginError) in
        let status = sink(context, bp_span(ptr: bytes.baseAddress, len: UInt64(bytes.count)))
        if status != BP_OK { throw PluginError(status, "program_export: the sink answered \(status)") }
      }
    } }
    blob_check = { device, header, out, error in withError(error) { () throws(PluginError) in
      guard let out else { throw .invalid("blob_check: no place for the answer") }
      out.pointee = try PluginDevice.behind(device).checkBlob(UnsafeRawBufferPointer(start: header.ptr, count: header.ptr == nil ? 0 : Int(clamping: header.len)))
    } }
  }

  fileprivate mutating func addTuning() {
    variants = { device, graph, node, out, stride, count, error in
      var status = BP_OK
      let failed = withError(error) { () throws(PluginError) in
        status = try PluginDevice.behind(device).variants(graph, node, UnsafeMutableRawPointer(out), stride, count)
      }
      return failed == BP_OK ? status : failed
    }
    clock = { device, out, error in withError(error) { () throws(PluginError) in
      guard let out else { throw .invalid("clock: no place for the answer") }
      writeRecord(try PluginDevice.behind(device).clock(), to: out)
    } }
    reset = { device, error in withError(error) { () throws(PluginError) in try PluginDevice.behind(device).reset() } }
  }
}

extension PluginDevice {
  static func behind(_ handle: bp_device?) throws(PluginError) -> PluginDevice {
    guard let handle else { throw .invalid("no device") }
    return object(handle, as: PluginDevice.self)
  }
}
