import BackplaneABI
import BackplaneCore
import Foundation
import Testing

@Suite struct QueueTests {
  private final class Setup {
    let device: TestDevice, program: TestProgram, input: TestBuffer, output: TestBuffer, workspace: TestBuffer
    var queue: bp_queue?, semaphore: bp_sem?
    var functions: bp_device_fns { device.functions.pointee }

    init() throws {
      device = try TestDevice()
      program = try TestProgram(device, single("scale", [(.f32, [4])], [Attribute("factor", .float(2)), Attribute("offset", .float(0))], to: [(.f32, [4])]))
      (input, output, workspace) = (try device.buffer(bytes: 16), try device.buffer(bytes: 16), try program.makeWorkspace())
      for i in 0..<4 { input.address.storeBytes(of: Float(i), toByteOffset: 4 * i, as: Float.self) }
      memset(output.address, 0, 16)
      try checked { functions.queue_create(device.handle, 0, &queue, $0) }
      try checked { functions.sem_create(device.handle, 0, &semaphore, $0) }
    }
    deinit {
      functions.queue_destroy(queue)
      functions.sem_destroy(semaphore)
    }

    func point(_ value: UInt64) -> bp_sem_point { bp_sem_point(h: head(bp_sem_point.self, BP_ST_SEM_POINT), sem: semaphore, value: value) }
    func submit(wait: UInt64, signal: UInt64) throws {
      var waits = [point(wait)], signals = [point(signal)]
      try waits.withUnsafeMutableBufferPointer { waits in
        try signals.withUnsafeMutableBufferPointer { signals in
          try program.run([input.binding(), output.binding()], workspace: workspace, change: {
            $0.waits = bp_array(ptr: UnsafeRawPointer(waits.baseAddress), count: 1, stride: UInt32(MemoryLayout<bp_sem_point>.stride))
            $0.signals = bp_array(ptr: UnsafeRawPointer(signals.baseAddress), count: 1, stride: UInt32(MemoryLayout<bp_sem_point>.stride))
          }, submit: { self.functions.submit(self.queue, $0, $1) })
        }
      }
    }
    func wait(_ value: UInt64, milliseconds: UInt64 = 5000) throws {
      var points = point(value)
      try checked { functions.sem_wait(device.handle, &points, UInt32(MemoryLayout<bp_sem_point>.stride), 1, 0, milliseconds * 1_000_000, $0) }
    }
  }

  @Test func aSubmissionWaitsForItsSemaphore() throws {
    let s = try Setup()
    try s.submit(wait: 1, signal: 2)
    let early = #expect(throws: Failure.self) { try s.wait(2, milliseconds: 20) }
    #expect(early?.status == BP_E_TIMEOUT)
    #expect(s.output.address.load(fromByteOffset: 12, as: Float.self) == 0)
    try checked { s.functions.sem_signal(s.semaphore, 1, $0) }
    try s.wait(2)
    #expect(s.output.address.load(fromByteOffset: 12, as: Float.self) == 6)
    let backwards = #expect(throws: Failure.self) { try checked { s.functions.sem_signal(s.semaphore, 1, $0) } }
    #expect(backwards?.status == BP_E_INVALID)
  }

  @Test func submissionsRunInOrder() throws {
    let s = try Setup()
    for i in 0..<50 { try s.submit(wait: UInt64(i), signal: UInt64(i + 1)) }
    try s.wait(50)
    var value: UInt64 = 0
    try checked { s.functions.sem_query(s.semaphore, &value, $0) }
    #expect(value == 50)
  }

  @Test func aFullQueueSaysSo() throws {
    let s = try Setup()
    for _ in 0..<64 { try s.submit(wait: 1, signal: 2) }
    let full = #expect(throws: Failure.self) { try s.submit(wait: 1, signal: 2) }
    #expect(full?.status == BP_WOULD_BLOCK)
  }

  @Test func aFailurePoisonsWhatWaits() throws {
    let s = try Setup()
    var failure = bp_error()
    failure.h = head(bp_error.self, BP_ST_ERROR)
    failure.code = BP_E_DEVICE_LOST
    try s.submit(wait: 1, signal: 2)
    #expect(s.functions.sem_fail(s.semaphore, &failure) == BP_OK)
    let error = #expect(throws: Failure.self) { try s.wait(2) }
    #expect(error?.status == BP_E_POISONED)
  }
}
