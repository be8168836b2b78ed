import BackplaneABI
import BackplaneCore
import BackplaneReference
import BackplaneRegistry
import Synchronization

/// The oracle's plugin with a fault after each execution, for a suite that must find it.
enum FaultyPlugin {
  enum Fault: Int, CaseIterable, Sendable {
    case none, lastElement, beyondTheEnd, changesInput, accumulates, wrongStatus, oneElementNaN
  }

  /// One at a time: tests that use it run in a serialized suite.
  private static let fault = Atomic<Int>(0)
  static func device(_ fault: Fault) throws(BackplaneError) -> Device {
    self.fault.store(fault.rawValue, ordering: .relaxed)
    return try Device(try PluginInstance(try PluginLibrary(inProcess: storage.table), host: .minimal()), index: 0)
  }

  private struct Storage: @unchecked Sendable {
    let table: UnsafeMutablePointer<bp_plugin>
    let functions: UnsafeMutablePointer<bp_device_fns>
    let original: UnsafeMutablePointer<bp_device_fns>
  }
  private static let storage: Storage = {
    let table = UnsafeMutablePointer<bp_plugin>.allocate(capacity: 1)
    table.initialize(to: ReferencePlugin.table.pointee)
    table.pointee.device_open = { instance, index, out, functions, error in
      var original: UnsafePointer<bp_device_fns>?
      let status = ReferencePlugin.table.pointee.device_open(instance, index, out, &original, error)
      guard status == BP_OK, let original else { return status }
      FaultyPlugin.storage.original.pointee = original.pointee
      FaultyPlugin.storage.functions.pointee = original.pointee
      FaultyPlugin.storage.functions.pointee.execute = FaultyPlugin.execute
      functions?.pointee = UnsafePointer(FaultyPlugin.storage.functions)
      return status
    }
    let functions = UnsafeMutablePointer<bp_device_fns>.allocate(capacity: 2)
    functions.initialize(repeating: bp_device_fns(), count: 2)
    return Storage(table: table, functions: functions, original: functions + 1)
  }()

  private static let execute: @convention(c) (bp_device?, UnsafePointer<bp_submission>?, UnsafeMutablePointer<bp_error>?) -> bp_status = { device, submission, error in
    let original = storage.original.pointee
    let fault = Fault(rawValue: FaultyPlugin.fault.load(ordering: .relaxed))!
    let dispatch = submission!.pointee.dispatches.ptr!.assumingMemoryBound(to: bp_dispatch.self).pointee
    let bindings = UnsafeBufferPointer(start: dispatch.bindings.ptr!.assumingMemoryBound(to: bp_binding.self), count: Int(dispatch.bindings.count))
    func address(_ binding: bp_binding) -> UnsafeMutablePointer<Float>? {
      var memory: UnsafeMutableRawPointer?
      guard binding.bytes >= 4, original.buffer_map(device, binding.buffer, binding.offset, binding.bytes, BP_ACCESS_READ | BP_ACCESS_WRITE, &memory, nil) == BP_OK else { return nil }
      return memory?.assumingMemoryBound(to: Float.self)
    }
    let output = address(bindings.last!)
    let (count, before) = (Int(bindings.last!.bytes / 4), output?.pointee ?? 0)
    let status = original.execute(device, submission, error)
    guard status == BP_OK, let output, count > 0 else { return status }
    switch fault {
    case .none: break
    case .lastElement: output[count - 1] = output[count - 1] * 1.01 + 1
    case .beyondTheEnd: UnsafeMutableRawPointer(output).storeBytes(of: 7, toByteOffset: -1, as: UInt8.self)
    case .changesInput: address(bindings[0])?.pointee += 1
    case .accumulates: output[0] += before
    case .wrongStatus: return BP_E_INTERNAL
    case .oneElementNaN: output[count / 2] = .nan
    }
    return status
  }
}
