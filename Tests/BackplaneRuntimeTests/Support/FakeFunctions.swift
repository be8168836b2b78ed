import BackplaneABI
import BackplaneCore
import Glibc

/// The fake device's function table: group Base, synchronous.
enum FakeFunctions {
  struct Table: @unchecked Sendable { let pointer: UnsafeMutablePointer<bp_device_fns> }
  static let table: Table = {
    let table = UnsafeMutablePointer<bp_device_fns>.allocate(capacity: 1)
    table.initialize(to: bp_device_fns())
    table.pointee.h = record(bp_device_fns.self, BP_ST_DEVICE_FNS)
    table.pointee.info = { handle, out, _ in
      let device = object(handle, FakeDevice.self)
      out!.pointee.kind = BP_KIND_OTHER
      out!.pointee.index = UInt32(device.index)
      out!.pointee.name = literal("fake device")
      out!.pointee.groups = BP_GROUP_BASE
      out!.pointee.memory_types = bp_array(ptr: UnsafeRawPointer(device.memoryType), count: 1, stride: UInt32(MemoryLayout<bp_memory_type>.stride))
      return BP_OK
    }
    table.pointee.query = { handle, graph, out, stride, count, _ in
      let device = object(handle, FakeDevice.self)
      device.log.queriedNodes.add(Int(count), ordering: .relaxed)
      for i in 0..<Int(count) {
        let verdict = (UnsafeMutableRawPointer(out!) + i * Int(stride)).assumingMemoryBound(to: bp_verdict.self)
        let node = (graph!.pointee.nodes.ptr + i * Int(graph!.pointee.nodes.stride)).assumingMemoryBound(to: bp_node.self).pointee
        verdict.pointee.node_index = UInt32(i)
        let tensors = graph!.pointee.tensors
        let operands = (0..<Int(node.n_in)).map { node.in[$0] }
        func dtype(_ tensor: UInt32) -> bp_id {
          (tensors.ptr + Int(tensor) * Int(tensors.stride)).assumingMemoryBound(to: bp_tensor.self).pointee.dtype
        }
        if !device.supports(node.op) {
          verdict.pointee.support = BP_SUPPORT_NO
          verdict.pointee.reason = BP_REASON_OP_UNKNOWN
          verdict.pointee.detail = device.detail
        } else if let bad = operands.firstIndex(where: { $0 != BP_NO_TENSOR && dtype($0) == ElementFormat.f16.id.value }) {
          verdict.pointee.support = BP_SUPPORT_NO
          verdict.pointee.reason = BP_REASON_DTYPE
          verdict.pointee.operand = UInt32(bad)
        } else {
          verdict.pointee.support = BP_SUPPORT_YES
          verdict.pointee.est_ns = device.options.costs.first { Identifier($0.key).value == node.op }?.value ?? device.options.cost
        }
      }
      return BP_OK
    }
    table.pointee.buffer_create = { handle, description, out, info, error in
      let device = object(handle, FakeDevice.self)
      let want = description!.pointee
      let buffer: FakeBuffer
      if want.source == BP_SOURCE_HOST_POINTER {
        if !device.options.importsHostMemory { return fail(error, BP_E_UNSUPPORTED, "no host memory here") }
        device.log.imports.add(1, ordering: .relaxed)
        buffer = FakeBuffer(want.host_ptr, isImported: true, device.log)
      } else {
        var memory: UnsafeMutableRawPointer?
        guard posix_memalign(&memory, max(64, Int(want.align)), max(1, Int(want.bytes))) == 0 else { return fail(error, BP_E_OOM_DEVICE, "no memory") }
        memset(memory!, 0xA5, Int(want.bytes))
        buffer = FakeBuffer(memory!, isImported: false, device.log)
      }
      device.log.buffers.add(1, ordering: .relaxed)
      (info!.pointee.bytes, info!.pointee.actual_bytes) = (want.bytes, want.bytes)
      out?.pointee = OpaquePointer(Unmanaged.passRetained(buffer).toOpaque())
      return BP_OK
    }
    table.pointee.buffer_destroy = { _, buffer in Unmanaged<FakeBuffer>.fromOpaque(UnsafeRawPointer(buffer!)).release() }
    table.pointee.buffer_map = { _, buffer, offset, _, _, out, _ in
      out?.pointee = object(buffer, FakeBuffer.self).memory + Int(offset)
      return BP_OK
    }
    table.pointee.buffer_unmap = { _, _, _ in BP_OK }
    table.pointee.program_create = { handle, request, out, error in
      let device = object(handle, FakeDevice.self)
      let graph = request!.pointee.graph!
      if Int(graph.pointee.nodes.count) > device.options.mostNodes {
        return fail(error, BP_E_UNSUPPORTED, "too many nodes", reason: BP_REASON_GRAPH_LIMIT, node: UInt32(device.options.mostNodes) + 1)
      }
      device.log.programs.add(1, ordering: .relaxed)
      out?.pointee = OpaquePointer(Unmanaged.passRetained(FakeProgram(graph, device)).toOpaque())
      return BP_OK
    }
    table.pointee.program_info = { program, out, _ in
      let program = object(program, FakeProgram.self)
      out!.pointee.workspace_bytes = UInt64(program.workspaceBytes)
      out!.pointee.workspace_align = 64
      out!.pointee.n_kernels = UInt32(program.nodes.count)
      out!.pointee.placements = bp_array(ptr: UnsafeRawPointer(program.placements.baseAddress), count: UInt32(program.placements.count),
                                         stride: UInt32(MemoryLayout<bp_placement>.stride))
      return BP_OK
    }
    table.pointee.program_destroy = { Unmanaged<FakeProgram>.fromOpaque(UnsafeRawPointer($0!)).release() }
    table.pointee.execute = { handle, submission, error in
      let device = object(handle, FakeDevice.self)
      let number = device.log.executions.add(1, ordering: .relaxed).newValue
      if let meets = device.options.meets, number <= meets.count { meets.at.meet() }
      if device.log.failures.load(ordering: .relaxed) > 0 {
        device.log.failures.subtract(1, ordering: .relaxed)
        return fail(error, BP_E_DRIVER, "the fake driver failed as it was told to")
      }
      let list = submission!.pointee
      for i in 0..<Int(list.dispatches.count) {
        let dispatch = (list.dispatches.ptr + i * Int(list.dispatches.stride)).assumingMemoryBound(to: bp_dispatch.self)
        object(dispatch.pointee.program, FakeProgram.self).run(dispatch, device.host)
      }
      return BP_OK
    }
    return Table(pointer: table)
  }()
}
