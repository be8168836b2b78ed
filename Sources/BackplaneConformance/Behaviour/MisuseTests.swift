import BackplaneABI
import BackplaneCore
import BackplaneRegistry

/// Arguments that break the contract of a call: `BP_E_INVALID`, and nothing has happened.
///
/// What the ABI leaves undefined is not tried: a handle that is destroyed twice, or used after that.
extension BehaviourTests {
  static let misuseTests: [(name: String, body: Body)] = [
    ("short-binding", shortBinding), ("binding-count", bindingCount), ("binding-range", bindingRange), ("null-handle", nullHandle),
    ("read-only", readOnly), ("map-range", mapRange), ("workspace", missingWorkspace),
  ]

  private static func shortBinding(_ device: Device) throws {
    for test in try prepared(device, 12) {
      var bindings = test.prepared.bindings
      bindings[bindings.count - 1].bytes -= 1
      try expect(.invalid, when: "\(test.id) with an output that is a byte too short") { try test.prepared.run(bindings) }
      try test.run()
    }
  }

  private static func bindingCount(_ device: Device) throws {
    let test = try doubling(device)
    try expect(.invalid, when: "a dispatch without its last binding") { try test.run(Array(test.bindings.dropLast())) }
    try expect(.invalid, when: "a dispatch with a binding too many") { try test.run(test.bindings + [test.bindings[0]]) }
    try expect(.invalid, when: "a dispatch without bindings") { try test.run([]) }
    try test.run()
    try expectDoubled(test, "a run after some that were refused")
  }

  private static func bindingRange(_ device: Device) throws {
    let test = try doubling(device)
    for (offset, bytes) in [(UInt64(1) << 40, UInt64(128)), (UInt64.max - 64, 128), (0, UInt64.max)] {
      var bindings = test.bindings
      (bindings[1].offset, bindings[1].bytes) = (offset, bytes)
      try expect(.invalid, when: "an output at byte \(offset) with \(bytes) bytes") { try test.run(bindings) }
    }
    try test.run()
    try expectDoubled(test, "a run after some that were refused")
  }

  private static func nullHandle(_ device: Device) throws {
    let test = try doubling(device)
    for i in test.bindings.indices {
      var bindings = test.bindings
      bindings[i].buffer = nil
      try expect(.invalid, when: "binding \(i) without a buffer") { try test.run(bindings) }
    }
    func submit(_ change: (inout bp_dispatch) -> Void) throws {
      let bindings = test.bindings
      try bindings.withUnsafeBufferPointer { bindings in
        var dispatch = bp_dispatch()
        dispatch.h = head(bp_dispatch.self, BP_ST_DISPATCH)
        dispatch.program = test.program.handle
        dispatch.bindings = bp_array(ptr: UnsafeRawPointer(bindings.baseAddress), count: UInt32(bindings.count), stride: UInt32(MemoryLayout<bp_binding>.stride))
        change(&dispatch)
        try withUnsafePointer(to: dispatch) { dispatch in
          var submission = bp_submission()
          submission.h = head(bp_submission.self, BP_ST_SUBMISSION)
          submission.dispatches = bp_array(ptr: UnsafeRawPointer(dispatch), count: 1, stride: UInt32(MemoryLayout<bp_dispatch>.stride))
          try device.execute(&submission)
        }
      }
    }
    try expect(.invalid, when: "a dispatch without a program") { try submit { $0.program = nil } }
    try expect(.invalid, when: "a dispatch of an entry that does not exist") { try submit { $0.entry = 7 } }
    let functions = device.functions.pointee
    func expectInvalid(_ what: String, _ call: (UnsafeMutablePointer<bp_error>) -> bp_status) throws {
      try expect(.invalid, when: what) { try checked(what, device.id, call) }
    }
    try expectInvalid("execute without a submission") { functions.execute(device.handle, nil, $0) }
    try expectInvalid("query without a graph") { functions.query(device.handle, nil, nil, 0, 0, $0) }
    try expectInvalid("program_create without a description") { functions.program_create(device.handle, nil, nil, $0) }
    try expectInvalid("buffer_create without a description") { functions.buffer_create(device.handle, nil, nil, nil, $0) }
    try test.run()
    try expectDoubled(test, "a run after some that were refused")
  }

  private static func readOnly(_ device: Device) throws {
    guard device.info.memoryTypes.contains(where: { $0.flags.contains(.importsHostMemory) }) else { throw NotApplicable(text: "the device does not import host memory") }
    let test = try doubling(device)
    let memory = GuardedMemory(byteCount: 128, alignment: 64)
    let buffer: DeviceBuffer
    do { buffer = try device.importBuffer(memory.bytes, alignment: 64, usage: .output, memoryType: CasePlace.memoryType(device), access: [.read], owner: memory) } catch {
      guard error.kind == .unsupported else { throw error }
      throw NotApplicable(text: "the device does not import memory read-only: \(error.message)")
    }
    memory.bytes.initializeMemory(as: UInt8.self, repeating: 7)
    var bindings = test.bindings
    bindings[1] = buffer.binding()
    try expect(.invalid, when: "an output in memory that was imported read-only") { try test.run(bindings) }
    try expect(.invalid, when: "mapping memory that was imported read-only for writing") { _ = try buffer.map(access: [.write]) }
    guard memory.bytes.allSatisfy({ $0 == 7 }) else { throw Fault(text: "memory that was imported read-only was written") }
  }

  private static func mapRange(_ device: Device) throws {
    guard device.info.memoryTypes.contains(where: { $0.index == CasePlace.memoryType(device) && $0.flags.contains(.hostVisible) }) else {
      throw NotApplicable(text: "the device has no memory that the host sees")
    }
    let buffer = try device.makeBuffer(byteCount: 64, usage: .input, memoryType: CasePlace.memoryType(device))
    let functions = device.functions.pointee
    for (offset, length): (UInt64, UInt64) in [(0, 65), (65, 0), (64, 1), (32, 33), (8, .max), (.max, 8)] {
      var address: UnsafeMutableRawPointer?
      try expect(.invalid, when: "mapping \(length) bytes at \(offset) of a buffer of 64") {
        try checked("buffer_map", device.id) { functions.buffer_map(device.handle, buffer.handle, offset, length, BP_ACCESS_READ, &address, $0) }
      }
    }
    _ = try buffer.map(offset: 32, byteCount: 32)
    try buffer.unmap()
  }

  private static func missingWorkspace(_ device: Device) throws {
    let test = try doubling(device, 3, [64])
    guard test.workspaceBinding != nil else { throw NotApplicable(text: "a chain of additions needs no workspace here") }
    try expect(.invalid, when: "a program without the workspace it needs") { try test.program.run(test.bindings) }
    var short = test.workspaceBinding!
    short.bytes = UInt64(test.program.info.workspaceByteCount - 1)
    try expect(.invalid, when: "a workspace that is a byte too short") { try test.program.run(test.bindings, workspace: short) }
    try test.run()
    try expectDoubled(test, "a run after some that were refused", factor: 8)
  }
}
