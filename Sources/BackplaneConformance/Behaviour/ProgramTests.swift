import BackplaneABI
import BackplaneCore
import BackplaneRegistry
import BackplaneSpecs
import Foundation
import Synchronization

/// What programs of more than one case's node do: intermediates, symbols, copies, several in flight.
extension BehaviourTests {
  static let programTests: [(name: String, body: Body)] = [
    ("intermediates", intermediates), ("symbols", symbols), ("copies", copies), ("in-flight", inFlight), ("device-lost", deviceLost),
  ]

  /// Intermediates that are live at the same time have places of their own.
  private static func intermediates(_ device: Device) throws {
    var builder = GraphBuilder()
    let x = builder.input("x", .f32, [4, 8]), y = builder.input("y", .f32, [4, 8])
    func add(_ a: TensorID, _ b: TensorID) throws -> TensorID { try builder.apply("add", [a, b])[0]! }
    let (a, b, c) = (try add(x, x), try add(x, y), try add(y, y))
    let ab = try add(a, b)
    builder.output(try add(ab, c))
    let test = try prepare(builder.graph, [x: bytes((0..<32).map { Float($0) }), y: bytes((0..<32).map { Float(100 * $0 + 7) })], device)
    try test.run()
    let result = floats(try test.outputs()[0])
    // (x + x) + (x + y) + (y + y)
    for i in 0..<32 where result[i] != Float(3 * i + 3 * (100 * i + 7)) {
      throw Fault(text: "(x + x) + (x + y) + (y + y) is \(result[i]) where x is \(i) and y is \(100 * i + 7): intermediates share a place")
    }
  }

  /// Two extents that are known at run time only, each with a value of its own.
  private static func symbols(_ device: Device) throws {
    var builder = GraphBuilder()
    let rows = builder.symbol("rows", 1...8), columns = builder.symbol("columns", 1...16)
    let x = builder.input("x", .f32, Shape([.symbol(rows), .symbol(columns)])), y = builder.input("y", .f32, Shape([.symbol(columns)]))
    builder.output(try builder.apply("add", [x, y])[0]!)
    for (r, c) in [(2, 5), (8, 16), (1, 3), (7, 1)] {
      var values = SymbolValues()
      (values[rows], values[columns]) = (r, c)
      let test = try prepare(builder.graph, [x: bytes((0..<r * c).map { Float($0) }), y: bytes((0..<c).map { Float(1000 * $0) })], symbols: values, device)
      do { try test.run() } catch { throw Fault(text: "[\(r), \(c)] under bounds of [8, 16]: \(error)") }
      let result = floats(try test.outputs()[0])
      for i in 0..<r * c where result[i] != Float(i + 1000 * (i % c)) {
        throw Fault(text: "[\(r), \(c)] under bounds of [8, 16]: element \(i) is \(result[i]), must be \(i + 1000 * (i % c))")
      }
    }
  }

  // MARK: Copies

  /// A submission's copies: runs of bytes and rows with a pitch, before its dispatches.
  private static func copies(_ device: Device) throws {
    let from = try place(device, (0..<64).map { UInt8($0) }), to = try place(device, [UInt8](repeating: 0xEE, count: 64))
    func copy(_ rows: UInt32, _ length: UInt64, _ sourcePitch: UInt64, _ pitch: UInt64, at offset: UInt64 = 0) throws {
      var (source, destination) = (from.binding, to.binding)
      source.bytes = length
      (destination.offset, destination.bytes) = (destination.offset + offset, length)
      try withUnsafePointer(to: source) { source in
        try withUnsafePointer(to: destination) { destination in
          let copy = bp_copy(h: head(bp_copy.self, BP_ST_COPY), src: source, dst: destination, rows: rows, flags: 0, src_pitch: sourcePitch, dst_pitch: pitch)
          try withUnsafePointer(to: copy) { copy in
            var submission = bp_submission()
            submission.h = head(bp_submission.self, BP_ST_SUBMISSION)
            submission.copies = bp_array(ptr: UnsafeRawPointer(copy), count: 1, stride: UInt32(MemoryLayout<bp_copy>.stride))
            try device.execute(&submission)
          }
        }
      }
    }
    for (rows, length, sourcePitch, pitch): (Int, Int, Int, Int) in [(0, 12, 0, 0), (1, 7, 0, 0), (3, 5, 8, 16), (4, 4, 4, 16), (4, 4, 16, 4), (2, 16, 0, 32)] {
      try to.fill(0xEE)
      try copy(UInt32(rows), UInt64(length), UInt64(sourcePitch), UInt64(pitch))
      var expected = [UInt8](repeating: 0xEE, count: 64)
      for row in 0..<max(rows, 1) { for i in 0..<length { expected[row * pitch + i] = UInt8(row * sourcePitch + i) } }
      let found = try to.read()
      if let i = expected.indices.first(where: { expected[$0] != found[$0] }) {
        throw Fault(text: "a copy of \(rows) rows of \(length) bytes, pitch \(sourcePitch) to \(pitch): byte \(i) is \(found[i]), must be \(expected[i])")
      }
    }
    try expect(.invalid, when: "a copy beyond the end of its destination") { try copy(2, 8, 8, 1 << 32) }
    try expect(.invalid, when: "a copy to a place beyond the end") { try copy(1, 8, 0, 0, at: 1 << 32) }
    guard try from.isIntact(), try to.isIntact() else { throw Fault(text: "a copy wrote beside its destination") }
  }

  static func place(_ device: Device, _ bytes: [UInt8]) throws -> CasePlace {
    let place = try CasePlace(device, byteCount: bytes.count, alignment: CasePlace.alignment(device), isGuarded: false, usage: [.input, .output])
    try place.write(bytes)
    return place
  }

  // MARK: In flight

  /// One program in flight twice, each run with operands and workspace of its own.
  private static func inFlight(_ device: Device) throws {
    struct Work: @unchecked Sendable { let tests: [PreparedGraph] }
    let first = try doubling(device, 3)
    let graph = first.graph
    let tests = try (0..<4).map { k in
      try PreparedGraph(graph, [graph.inputs[0]: bytes((0..<32).map { Float($0 + 1000 * k) })], device, sharing: first.program)
    }
    let work = Work(tests: tests)
    let failure = Mutex<String?>(nil)
    let group = DispatchGroup()
    for k in 0..<4 {
      group.enter()
      Thread.detachNewThread {
        defer { group.leave() }
        do {
          for _ in 0..<100 {
            try work.tests[k].clearOutputs()
            try work.tests[k].run()
            let result = floats(try work.tests[k].outputs()[0])
            for i in 0..<32 where result[i] != Float(8 * (i + 1000 * k)) { throw Fault(text: "element \(i) is \(result[i]), must be \(8 * (i + 1000 * k))") }
          }
        } catch { failure.withLock { $0 = (error as? Fault)?.text ?? "\(error)" } }
      }
    }
    group.wait()
    if let text = failure.withLock({ $0 }) { throw Fault(text: "a program in flight four times: \(text)") }
  }

  // MARK: A device that is lost

  /// A plugin may offer `extension("backplane.lose_device", 1)`: a function that makes a device behave as if it were lost.
  typealias LoseDevice = @convention(c) (bp_device?) -> Void

  /// Once lost, a device stays lost and says so, once to the host; what it made can still be destroyed; a new instance works.
  private static func deviceLost(_ device: Device) throws {
    guard device.instance.extension("backplane.lose_device", version: 1) != nil else {
      throw NotApplicable(text: "the plugin has no extension backplane.lose_device")
    }
    try watch(device) { other, monitor in
      let lose = unsafeBitCast(other.instance.extension("backplane.lose_device", version: 1), to: LoseDevice.self)
      let test = try doubling(other)
      try test.run()
      lose(other.handle)
      for _ in 0..<3 { try expect(.deviceLost, when: "execute on a lost device") { try test.run() } }
      try expect(.deviceLost, when: "buffer_create on a lost device") { _ = try other.makeBuffer(byteCount: 64, usage: .input, memoryType: CasePlace.memoryType(other)) }
      try expect(.deviceLost, when: "program_create on a lost device") { _ = try other.compile(try ABIGraph(test.graph)) }
      if other.info.groups.contains(.queues) {
        try expect(.deviceLost, when: "queue_create on a lost device") { _ = try DeviceQueue(other) }
      }
      if monitor.faults != [BP_E_DEVICE_LOST] { throw Fault(text: "report_fault was called \(monitor.faults.count) times with \(monitor.faults), must be once with \(BP_E_DEVICE_LOST)") }
    }
    try watch(device) { other, _ in
      let test = try doubling(other)
      try test.run()
      try expectDoubled(test, "a device opened again after a loss")
    }
  }
}
