import BackplaneABI
import BackplaneCore
import BackplaneRegistry
import BackplaneRuntime
import BackplaneSpecs
import Glibc

/// Memory: none is lost, none is missing without a word.
extension BehaviourTests {
  static let memoryTests: [(name: String, body: Body)] = [("leak", leak), ("allocation-failure", allocationFailure), ("reopen", reopen)]

  /// 200 rounds of compiling, running and failing leave as much memory in use as three.
  private static func leak(_ device: Device) throws {
    try watch(device) { other, monitor in
      let tests = try PreparedCase.samples.filter { ["add", "matmul", "rms_norm", "softmax"].contains($0.op) }.compactMap { try PreparedCase($0, other) }
      defer { withExtendedLifetime(tests) {} }  // what they hold is counted to the end
      let unknown = try ABIGraph(try unknownSecondNode())
      let token = CancellationToken()
      func once() throws {
        for test in tests {
          let again = try test.prepared.again(on: other)
          try again.run()
          _ = try? again.run(Array(again.bindings.dropLast()))
          token.cancel()
          _ = try? again.run(cancel: token.flag.raw)
          token.reset()
        }
        _ = try? other.makeBuffer(byteCount: 64, usage: .input, memoryType: 77)
        _ = try? other.compile(unknown)
      }
      for _ in 0..<3 { try once() }
      let (blocks, bytes, resident, device) = (monitor.blockCount, monitor.byteCount, residentBytes(), deviceBytes(other))
      for _ in 0..<200 { try once() }
      if monitor.blockCount != blocks || monitor.byteCount != bytes {
        throw Fault(text: "after 200 rounds the plugin holds \(monitor.byteCount) bytes of the host in \(monitor.blockCount) blocks, before \(bytes) in \(blocks)")
      }
      // Coarse, because other threads of the process take memory, too.
      let growth = residentBytes() - resident
      if growth > 24 << 20 { throw Fault(text: "the process grew by \(growth >> 20) MiB in 200 rounds, behind the host's accounts") }
      if deviceBytes(other) > device + 16 << 20 { throw Fault(text: "the device's memory in use grew by \(deviceBytes(other) - device) bytes in 200 rounds") }
    }
  }

  private static func residentBytes() -> Int {
    guard let file = fopen("/proc/self/statm", "r") else { return 0 }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 128)
    guard fgets(&line, Int32(line.count), file) != nil else { return 0 }
    let words = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self).split(separator: " ")
    return (words.dropFirst().first.flatMap { Int($0) } ?? 0) * 4096
  }

  /// What the device says is in use now.
  private static func deviceBytes(_ device: Device) -> Int {
    var record = bp_device_info()
    record.h = head(bp_device_info.self, BP_ST_DEVICE_INFO)
    guard device.functions.pointee.info(device.handle, &record, nil) == BP_OK, let types = record.memory_types.ptr else { return 0 }
    return (0..<Int(record.memory_types.count)).reduce(0) { sum, i in
      let type = types + i * Int(record.memory_types.stride)
      guard type.load(as: UInt32.self) >= MemoryLayout<bp_memory_type>.size else { return sum }
      return sum + Int(clamping: type.assumingMemoryBound(to: bp_memory_type.self).pointee.in_use)
    }
  }

  /// Whichever of the first 50 allocations fails: the status says so or the result is right, and nothing is lost.
  private static func allocationFailure(_ device: Device) throws {
    for op in ["matmul", "softmax", "attention", "add"] {
      guard let id = PreparedCase.samples.first(where: { $0.op == op }), let whole = try PreparedCase(id, device) else { continue }
      try whole.run()
      let expected = try whole.outputs()
      for n in 1...50 {
        let monitor = HostMonitor(device.instance.host)
        monitor.failAllocation(n)
        do {
          let other = try open(device, monitor)
          if let test = try PreparedCase(id, other) {
            try test.run()
            if try test.outputs() != expected { throw Fault(text: "\(id): allocation \(n) fails, the answer is OK, and the result is wrong") }
          }
        } catch let error as BackplaneError {
          guard monitor.hasFailed else { throw error }
          guard [.outOfHostMemory, .outOfDeviceMemory].contains(error.kind) else {
            throw Fault(text: "\(id): when allocation \(n) fails, the status is \(error.kind) (\(error.message)), not out of memory")
          }
        }
        do { try checkGone(monitor) } catch let fault as Fault { throw Fault(text: "\(id), allocation \(n) fails: \(fault.text)") }
        if !monitor.hasFailed { break }
      }
    }
  }

  /// Instances come and go 20 times.
  private static func reopen(_ device: Device) throws {
    for _ in 0..<20 {
      try watch(device) { other, _ in
        let test = try doubling(other)
        try test.run()
        try expectDoubled(test, "an instance opened again")
      }
    }
  }
}
