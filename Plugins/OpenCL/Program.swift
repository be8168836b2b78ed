import BackplaneKernelKit
import BackplanePluginKit
import OpenCLKernels

/// A graph as compiled kernels. Kernel objects hold arguments, so one thread at a time sets them and enqueues.
final class Program: KernelProgram, @unchecked Sendable {
  private let device: Device
  private var compiled: [cl_kernel] = []
  private let monitor = Monitor()

  init(_ device: Device, _ request: bp_compile) throws(PluginError) {
    self.device = device
    try super.init(device, request)
    try compileKernels(device.host, request) { (key) throws(PluginError) in compiled.append(try device.compiler.kernel(key)) }
  }
  deinit { for kernel in compiled { _ = device.api.table.clReleaseKernel(kernel) } }

  /// - Returns: With a profiling queue the events of the first and the last launch, to be released.
  func enqueue(_ dispatch: bp_dispatch, _ submission: bp_submission, _ queue: QueuePool.Queue) throws(PluginError) -> Device.Span {
    let api = device.api.table
    var span = Device.Span()
    try monitor.locked { () throws(PluginError) in
      var count = 0
      try self.dispatch(dispatch) { (launch, place: (Int) throws(PluginError) -> StoragePlace?) throws(PluginError) in
        if count % 16 == 0 { try device.host.checkTime(submission, node: launch.node) }
        count += 1
        let kernel = compiled[launch.kernel]
        try set(launch, kernel, place)
        var global = launch.global, local = launch.local, event: cl_event?
        let code = withUnsafeBytes(of: &global) { global in
          withUnsafeBytes(of: &local) { local in
            withUnsafeMutablePointer(to: &event) { event in
              api.clEnqueueNDRangeKernel(queue.handle, kernel, UInt32(launch.dimensions), nil, global.baseAddress!.assumingMemoryBound(to: Int.self),
                                         local.baseAddress!.assumingMemoryBound(to: Int.self), 0, nil, queue.isProfiling ? event : nil)
            }
          }
        }
        if code != 0 {
          var failure = device.api.failure(code, "clEnqueueNDRangeKernel of \(kernels[launch.kernel].entry), \(launch.global) work items in groups of \(launch.local)")
          failure.node = launch.node
          throw failure
        }
        if let event {
          if span.first == nil { span.first = event } else {
            if let last = span.last { _ = api.clReleaseEvent(last) }
            span.last = event
          }
        }
      }
    }
    if submission.dispatches.count > 0 { _ = api.clFlush(queue.handle) }
    return span
  }

  private func set(_ launch: Launch, _ kernel: cl_kernel, _ place: (Int) throws(PluginError) -> StoragePlace?) throws(PluginError) {
    let api = device.api
    var index: UInt32 = 0
    func pass<T>(_ value: T) throws(PluginError) {
      let code = withUnsafeBytes(of: value) { api.table.clSetKernelArg(kernel, index, $0.count, $0.baseAddress) }
      if code != 0 { throw api.failure(code, "clSetKernelArg \(index) of \(kernels[launch.kernel].entry)") }
      index += 1
    }
    for argument in launch.arguments {
      switch argument {
      case .buffer(let storage, let offset):
        let found = try place(storage)
        try pass(found.map { unsafeDowncast($0.buffer, to: Buffer.self).memory })
        try pass(found.map { UInt64(bitPattern: Int64(bitPattern: $0.offset) + offset) } ?? 0)
      case .noBuffer:
        try pass(Optional<cl_mem>.none)
        try pass(UInt64(0))
      case .int(let value): try pass(value)
      case .long(let value): try pass(value)
      case .float(let value): try pass(value)
      case .extents(let value): try pass(value)
      case .steps(let value): try pass(value)
      }
    }
  }
}
