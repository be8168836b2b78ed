import BackplaneABI
import BackplaneCore

/// The smallest program that shows that a device computes: `add` of 64 small whole numbers, exact in every float format.
enum Canary {
  enum Outcome: Equatable {
    case passed
    /// The device says that it has no such kernel.
    case notRun(String)
    /// The device said yes and broke its word.
    case failed(String)
  }

  static func run(on device: Device, step: (String) -> Void = { _ in }) -> Outcome {
    let count = 64
    do throws(BackplaneError) {
      var builder = GraphBuilder()
      let a = builder.input("a", .f32, [64]), b = builder.input("b", .f32, [64])
      let y = builder.intermediate("y", .f32, [64])
      builder.append(Node(op: "add", inputs: [a, b], outputs: [y]))
      builder.output(y)
      let graph = try ABIGraph(builder.graph)
      step("query")
      guard let verdict = try device.query(graph).first else { return .failed("query gave no verdict") }
      guard verdict.isSupported else { return .notRun("add f32: \(verdict)") }
      let program = try device.compile(graph, step: step)
      step("buffer_create")
      let buffers = try [Float(1), 2, 0].map { (scale: Float) throws(BackplaneError) in
        let buffer = try device.makeBuffer(byteCount: count * 4, usage: scale == 0 ? .output : .input)
        let memory = try buffer.map(access: .write)
        for i in 0..<count { memory.storeBytes(of: scale == 0 ? -1 : Float(i) * scale, toByteOffset: i * 4, as: Float.self) }
        try buffer.unmap()
        return buffer
      }
      let workspace = program.info.workspaceByteCount == 0 ? nil
        : try device.makeBuffer(byteCount: program.info.workspaceByteCount, alignment: program.info.workspaceAlignment, usage: .workspace)
      step("execute")
      try execute(program, buffers, workspace)
      step("buffer_map")
      let result = try buffers[2].map(access: .read)
      let wrong = (0..<count).first { result.load(fromByteOffset: $0 * 4, as: Float.self) != Float($0) * 3 }
      let value = wrong.map { result.load(fromByteOffset: $0 * 4, as: Float.self) }
      try buffers[2].unmap()
      if let wrong, let value { return .failed("add gave \(value) for \(wrong) + \(2 * wrong)") }
      return .passed
    } catch {
      return .failed("said yes to add f32, then \(error.message)")
    }
  }

  private static func execute(_ program: DeviceProgram, _ buffers: [DeviceBuffer], _ workspace: DeviceBuffer?) throws(BackplaneError) {
    var bindings = buffers.map { $0.binding() }
    var scratch = workspace.map { [$0.binding()] } ?? []
    let result: Result<Void, BackplaneError> = bindings.withUnsafeMutableBufferPointer { bindings in
      scratch.withUnsafeMutableBufferPointer { scratch in
        var dispatch = bp_dispatch()
        dispatch.h = head(bp_dispatch.self, BP_ST_DISPATCH)
        dispatch.program = program.handle
        dispatch.bindings = bp_array(ptr: UnsafeRawPointer(bindings.baseAddress), count: UInt32(bindings.count), stride: UInt32(MemoryLayout<bp_binding>.stride))
        dispatch.workspace = scratch.isEmpty ? nil : UnsafePointer(scratch.baseAddress)
        return withUnsafePointer(to: &dispatch) { dispatch in
          var submission = bp_submission()
          submission.h = head(bp_submission.self, BP_ST_SUBMISSION)
          submission.dispatches = bp_array(ptr: UnsafeRawPointer(dispatch), count: 1, stride: UInt32(MemoryLayout<bp_dispatch>.stride))
          do throws(BackplaneError) {
            try program.device.execute(&submission)
            return .success(())
          } catch { return .failure(error) }
        }
      }
    }
    try result.get()
  }
}
