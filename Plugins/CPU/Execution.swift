import BackplaneABI
import BackplanePluginKit
import CPUKernels

extension Device {
  /// The copies and dispatches of a submission, in order. Allocates nothing and takes no lock.
  func run(_ submission: bp_submission) throws(PluginError) {
    for i in 0..<Int(submission.copies.count) {
      try copy((submission.copies.ptr + i * Int(submission.copies.stride)).assumingMemoryBound(to: bp_copy.self))
    }
    let stamps = submission.timestamps == nil ? nil : try timestamps(submission)
    for i in 0..<Int(submission.dispatches.count) {
      let begin = stamps == nil ? 0 : host.now
      try run(submission.dispatches.ptr + i * Int(submission.dispatches.stride), submission)
      stamps?[i].begin_ticks = begin
      stamps?[i].end_ticks = host.now
    }
  }

  private func run(_ source: UnsafeRawPointer, _ submission: bp_submission) throws(PluginError) {
    var dispatch = readRecord(source, zero: bp_dispatch())
    guard let handle = dispatch.program else { throw .invalid("execute: a dispatch has no program") }
    guard dispatch.entry == 0 else { throw .invalid("execute: entry \(dispatch.entry) does not exist, there is 1") }
    let program = object(handle, as: Program.self)
    var execution = bp_cpu_execution(), fault = bp_cpu_fault(), compiled = program.compiled
    execution.host = host.table
    execution.cancel = submission.cancel
    execution.deadline_ns = submission.deadline_ns
    execution.workers = UInt32(workers)
    let status = withUnsafePointer(to: &dispatch) { dispatch in
      withUnsafePointer(to: &compiled) { compiled in
        execution.dispatch = dispatch
        execution.program = compiled
        let status = bp_cpu_check_dispatch(&execution, &fault)
        return status == BP_OK ? bp_cpu_run_steps(&execution, &fault) : status
      }
    }
    if status != BP_OK { throw PluginError(status, fault) }
  }

  private func timestamps(_ submission: bp_submission) throws(PluginError) -> UnsafeMutablePointer<bp_timestamp>? {
    guard let binding = submission.timestamps?.pointee, let handle = binding.buffer else { throw .invalid("execute: timestamps have no buffer") }
    let buffer = UnsafePointer<bp_cpu_buffer>(handle).pointee
    let needed = UInt64(submission.dispatches.count) * UInt64(MemoryLayout<bp_timestamp>.stride)
    guard buffer.writable != 0, binding.offset <= buffer.bytes, needed <= min(binding.bytes, buffer.bytes - binding.offset) else {
      throw .invalid("execute: timestamps need \(needed) writable bytes")
    }
    return (UnsafeMutableRawPointer(buffer.data) + Int(binding.offset)).assumingMemoryBound(to: bp_timestamp.self)
  }
}

extension PluginError {
  /// What a fault of the step loop means, in words.
  init(_ status: bp_status, _ fault: bp_cpu_fault) {
    let binding = "binding \(fault.index)"
    let message = switch fault.kind {
    case BP_CPU_FAULT_BINDING_COUNT: "the program has \(fault.limit) inputs and outputs, but \(fault.actual) bindings are given"
    case BP_CPU_FAULT_BINDING_STRIDE: "records of \(fault.actual) bytes are too small, \(fault.limit) are needed"
    case BP_CPU_FAULT_NO_BUFFER: "\(binding) has no buffer"
    case BP_CPU_FAULT_RANGE: "\(binding) ends at byte \(fault.actual) of a buffer of \(fault.limit) bytes"
    case BP_CPU_FAULT_TOO_SMALL: "\(binding) has \(fault.actual) bytes, its tensor needs \(fault.limit)"
    case BP_CPU_FAULT_ALIGN: "\(binding) is \(fault.actual) bytes past a multiple of \(fault.limit), which its format needs"
    case BP_CPU_FAULT_READ_ONLY: "\(binding) is written, but its buffer was imported read-only"
    case BP_CPU_FAULT_STATE_RANGE: "\(binding) must be the range of binding \(fault.limit): both are one state tensor"
    case BP_CPU_FAULT_SYMBOL_MISSING: "symbol \(fault.index) has no value"
    case BP_CPU_FAULT_SYMBOL_BOUNDS: "symbol \(fault.index) is \(fault.actual), beyond its bound \(fault.limit)"
    case BP_CPU_FAULT_WORKSPACE: "the workspace has \(fault.actual) usable bytes, the program needs \(fault.limit)"
    case BP_CPU_FAULT_WORKSPACE_ALIGN: "the workspace is \(fault.actual) bytes past a multiple of \(fault.limit)"
    case BP_CPU_FAULT_SCRATCH: "the kernel of node \(Int(fault.node_plus_1) - 1) wants \(fault.actual) bytes of scratch memory, beyond its own bound \(fault.limit)"
    default: status == BP_E_CANCELLED ? "cancelled" : status == BP_E_TIMEOUT ? "the deadline has passed" : "the host's pool answered \(status)"
    }
    self.init(status, message, node: fault.node_plus_1 == 0 ? nil : Int(fault.node_plus_1) - 1)
  }
}
