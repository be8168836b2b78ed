import BackplanePluginKit
import Glibc
import NPUStubEngine

extension Device {
  /// The copies and dispatches of a submission, in order.
  func run(_ submission: bp_submission) throws(PluginError) {
    try checkAlive()
    for copy in try submission.copies.records(zero: bp_copy(), named: "copies") { try move(copy) }
    let dispatches = try submission.dispatches.records(zero: bp_dispatch(), named: "dispatches")
    let stamps = submission.timestamps == nil ? nil : try timestamps(submission, dispatches.count)
    for (i, dispatch) in dispatches.enumerated() {
      let span = try run(dispatch, submission)
      stamps?[i].begin_ticks = span.begin
      stamps?[i].end_ticks = span.end
    }
  }

  private func run(_ dispatch: bp_dispatch, _ submission: bp_submission) throws(PluginError) -> (begin: UInt64, end: UInt64) {
    guard let handle = dispatch.program else { throw .invalid("execute: a dispatch has no program") }
    guard dispatch.entry == 0 else { throw .invalid("execute: entry \(dispatch.entry) does not exist, there is 1") }
    let program = object(handle, as: PluginProgram.self) as! Program
    let places = try places(of: dispatch, program.content)
    switch faults.nextDispatch() {
    case .lost: throw lose(forGood: false)
    case .gone: throw lose(forGood: true)
    case .timeout: throw PluginError(BP_E_TIMEOUT, "the device did not answer in time", retry: BP_RETRY_SAME_CALL)
    case .none: break
    }
    let arrived = ticks(host.now)
    let (commands, views) = (program.content.commands, program.content.views)
    try withScratchpad { pad throws(PluginError) in
      for (i, command) in commands.enumerated() {
        if i % 64 == 0 { try checkTime(submission, Int(command.node)) }
        let status = withUnsafePointer(to: command) { command in
          views.withUnsafeBufferPointer { views in
            places.withUnsafeBufferPointer { places in
              npu_run_command(command, views.baseAddress, UInt32(views.count), places.baseAddress, UInt32(places.count),
                              pad.assumingMemoryBound(to: CChar.self), UInt32(chip.scratchpadBytes))
            }
          }
        }
        guard status == Int32(NPU_FINE) else {
          let what = status == Int32(NPU_OUTSIDE_SCRATCHPAD) ? "leaves the scratchpad" : status == Int32(NPU_OUTSIDE_TENSOR) ? "leaves its tensor" : "is not known"
          throw PluginError(BP_E_INTERNAL, "command \(i) (operation \(command.operation)) \(what): the program is wrong", node: Int(command.node))
        }
      }
    }
    return occupy(program.content.cost, from: arrived)
  }

  private func checkTime(_ submission: bp_submission, _ node: Int) throws(PluginError) {
    try host.checkTime(submission, node: node)
    try checkAlive()
  }

  /// Where each tensor lies, once bindings and workspace are checked.
  private func places(of dispatch: bp_dispatch, _ content: Program.Content) throws(PluginError) -> [npu_place] {
    let bindings = try dispatch.bindings.records(zero: bp_binding(), named: "bindings")
    guard bindings.count == content.bounds.count else {
      throw .invalid("the program has \(content.bounds.count) inputs and outputs, but \(bindings.count) bindings are given")
    }
    var addresses: [UnsafeMutableRawPointer] = []
    for (i, (binding, bound)) in zip(bindings, content.bounds).enumerated() {
      addresses.append(try address(binding, "binding \(i)", needed: bound.bytes, align: UInt64(bound.align)))
    }
    var workspace: UnsafeMutableRawPointer?
    if content.workspaceBytes > 0 {
      guard let given = dispatch.workspace else { throw .invalid("the program needs a workspace of \(content.workspaceBytes) bytes") }
      workspace = try address(readRecord(given, zero: bp_binding()), "the workspace", needed: content.workspaceBytes, align: content.workspaceAlign)
    }
    return try content.places.map { place throws(PluginError) in
      var result = npu_place()
      switch place.kind {
      case 0:
        guard Int(place.binding) < addresses.count else { throw BlobReader.stale("a tensor's binding does not exist") }
        result.data = addresses[Int(place.binding)].assumingMemoryBound(to: CChar.self)
      case 1:
        guard let workspace, place.offset + place.bytes <= content.workspaceBytes else { throw BlobReader.stale("a tensor leaves the workspace") }
        result.data = (workspace + Int(place.offset)).assumingMemoryBound(to: CChar.self)
      default: return result
      }
      result.bytes = Int64(place.bytes)
      return result
    }
  }

  private func address(_ binding: bp_binding, _ name: String, needed: UInt64, align: UInt64) throws(PluginError) -> UnsafeMutableRawPointer {
    guard let handle = binding.buffer else { throw .invalid("\(name) has no buffer") }
    let buffer = object(handle, as: Buffer.self)
    guard buffer.contains(binding.offset, binding.bytes) else {
      throw .invalid("\(name) ends at byte \(binding.offset &+ binding.bytes) of a buffer of \(buffer.bytes) bytes")
    }
    guard binding.bytes >= needed else { throw .invalid("\(name) has \(binding.bytes) bytes, its tensor needs \(needed)") }
    let address = buffer.data + Int(binding.offset)
    let odd = UInt64(UInt(bitPattern: address)) % max(align, 1)
    guard odd == 0 || needed == 0 else { throw .invalid("\(name) is \(odd) bytes past a multiple of \(align), which it needs") }
    return address
  }

  private func timestamps(_ submission: bp_submission, _ count: Int) throws(PluginError) -> UnsafeMutablePointer<bp_timestamp> {
    let stride = UInt64(MemoryLayout<bp_timestamp>.stride)
    let binding = readRecord(submission.timestamps!, zero: bp_binding())
    return try address(binding, "the timestamps", needed: UInt64(count) * stride, align: 8).assumingMemoryBound(to: bp_timestamp.self)
  }

  /// Bytes, or rows of bytes, from one binding to another.
  private func move(_ copy: bp_copy) throws(PluginError) {
    guard let from = copy.src, let to = copy.dst else { throw .invalid("copy: source or destination is missing") }
    let rows = UInt64(max(copy.rows, 1))
    var (source, target) = (readRecord(from, zero: bp_binding()), readRecord(to, zero: bp_binding()))
    let bytes = source.bytes
    func span(_ pitch: UInt64) throws(PluginError) -> UInt64 {
      let (size, overflow) = pitch.multipliedReportingOverflow(by: rows - 1)
      guard !overflow, size < 1 << 48 else { throw .invalid("copy: \(rows) rows, \(pitch) bytes apart") }
      return size + bytes
    }
    (source.bytes, target.bytes) = (try span(copy.src_pitch), try span(copy.dst_pitch))
    let (input, output) = (try address(source, "copy: the source", needed: source.bytes, align: 1), try address(target, "copy: the destination", needed: target.bytes, align: 1))
    for row in 0..<Int(rows) { memmove(output + row * Int(copy.dst_pitch), input + row * Int(copy.src_pitch), Int(bytes)) }
  }
}
