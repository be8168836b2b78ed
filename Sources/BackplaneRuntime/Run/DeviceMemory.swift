import BackplaneABI
import BackplaneCore
import BackplaneRegistry

/// Which of a device's memory types is used for what.
struct DeviceMemory: Sendable {
  /// Inputs and outputs, which the host writes and reads.
  var io: UInt32 = 0
  /// The host's address of `io` memory stays valid, and no flush is needed.
  var isIOMapped = false
  /// Weights, states, and what lies between programs.
  var main: UInt32 = 0
  var isMainMapped = false
  /// Where host memory can be used as it is; nil nowhere.
  var importType: UInt32?
  var alignment = 64

  init(_ device: Device) {
    let types = device.info.memoryTypes
    func isMapped(_ type: MemoryType?) -> Bool { type?.flags.isSuperset(of: [.hostVisible, .coherent]) ?? false }
    let main = types.first { $0.flags.contains(.deviceLocal) } ?? types.first
    let io = isMapped(main) ? main : types.first { isMapped($0) && $0.flags.contains(.cached) } ?? types.first { isMapped($0) } ?? main
    self.main = main?.index ?? 0
    self.io = io?.index ?? 0
    isMainMapped = isMapped(main)
    isIOMapped = isMapped(io)
    importType = types.first { $0.flags.contains(.importsHostMemory) }?.index
    alignment = max(64, types.map { Int(clamping: $0.alignment) }.filter { $0 > 0 && $0 & ($0 - 1) == 0 && $0 <= 1 << 20 }.max() ?? 0)
  }
}

/// Fills a buffer from its beginning; by mapping it, else through memory that the host can write.
func upload(_ bytes: UnsafeRawBufferPointer, to buffer: DeviceBuffer, offset: Int = 0, _ memory: DeviceMemory) throws(BackplaneError) {
  if bytes.isEmpty { return }
  do throws(BackplaneError) {
    let target = try buffer.map(offset: offset, byteCount: bytes.count, access: [.write])
    target.copyMemory(from: bytes)
    try buffer.unmap()
    return
  } catch where error.kind == .unsupported {}
  let device = buffer.device
  let staging = try device.makeBuffer(byteCount: bytes.count, alignment: memory.alignment, usage: .staging, memoryType: memory.io)
  try staging.map(access: [.write]).copyMemory(from: bytes)
  try staging.unmap()
  try copy(from: staging.binding(), to: buffer.binding(offset: offset, byteCount: bytes.count), on: device)
}

/// Has the device copy from one of its buffers to another.
func copy(from source: bp_binding, to target: bp_binding, on device: Device) throws(BackplaneError) {
  try withUnsafePointer(to: source) { source throws(BackplaneError) in
    try withUnsafePointer(to: target) { target throws(BackplaneError) in
      var record = bp_copy()
      record.h = head(bp_copy.self, BP_ST_COPY)
      (record.src, record.dst) = (source, target)
      try withUnsafePointer(to: record) { record throws(BackplaneError) in
        var submission = bp_submission()
        submission.h = head(bp_submission.self, BP_ST_SUBMISSION)
        submission.copies = bp_array(ptr: UnsafeRawPointer(record), count: 1, stride: UInt32(MemoryLayout<bp_copy>.stride))
        try device.execute(&submission)
      }
    }
  }
}
