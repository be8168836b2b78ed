import BackplanePluginKit
import OpenCLKernels

/// The API, and what its codes mean. Any thread.
struct OpenCL: @unchecked Sendable {
  /// Lives as long as the process, as the loader does.
  private let pointer: UnsafeMutablePointer<bp_opencl>
  var table: bp_opencl { _read { yield pointer.pointee } }

  init(library: String) throws(PluginError) {
    pointer = .allocate(capacity: 1)
    pointer.initialize(to: bp_opencl())
    guard let missing = bp_opencl_open(library, pointer) else { return }
    let text = String(cString: missing)
    pointer.deallocate()
    throw PluginError(BP_E_UNSUPPORTED, "the OpenCL loader \(library) cannot be used (\(text)); install ocl-icd-libopencl1 and a driver such as pocl-opencl-icd",
                      reason: BP_REASON_FEATURE)
  }

  func check(_ code: Int32, _ call: String) throws(PluginError) { if code != 0 { throw failure(code, call) } }

  func failure(_ code: Int32, _ call: String) -> PluginError {
    let status: bp_status = switch code {
    case BP_CL_MEM_OBJECT_ALLOCATION_FAILURE, BP_CL_INVALID_BUFFER_SIZE, BP_CL_OUT_OF_RESOURCES: BP_E_OOM_DEVICE
    case BP_CL_OUT_OF_HOST_MEMORY: BP_E_OOM_HOST
    case BP_CL_DEVICE_NOT_AVAILABLE, BP_CL_INVALID_COMMAND_QUEUE: BP_E_DEVICE_LOST
    default: BP_E_DRIVER
    }
    var failure = PluginError(status, "\(call) gave \(code) (\(OpenCL.name(code)))")
    (failure.domain, failure.nativeCode) = (2, Int64(code))
    switch status {
    case BP_E_OOM_DEVICE, BP_E_OOM_HOST: (failure.reason, failure.retry) = (BP_REASON_MEMORY, BP_RETRY_AFTER_FREEING_MEMORY)
    case BP_E_DEVICE_LOST: (failure.deviceState, failure.retry) = (BP_HEALTH_LOST_RECOVERABLE, BP_RETRY_AFTER_RESET)
    default: break
    }
    return failure
  }

  private static func name(_ code: Int32) -> String {
    let known: [Int32: String] = [
      -1: "device not found", -2: "device not available", -3: "compiler not available", -4: "memory object allocation failure", -5: "out of resources",
      -6: "out of host memory", -7: "profiling info not available", -11: "build program failure", -12: "map failure", -30: "invalid value",
      -36: "invalid command queue", -38: "invalid memory object", -42: "invalid binary", -43: "invalid build options", -44: "invalid program",
      -45: "invalid program executable", -46: "invalid kernel name", -48: "invalid kernel", -49: "invalid argument index", -50: "invalid argument value",
      -51: "invalid argument size", -52: "invalid kernel arguments", -53: "invalid work dimension", -54: "invalid work group size",
      -55: "invalid work item size", -61: "invalid buffer size", -63: "invalid global work size", -1001: "no platform",
    ]
    return known[code] ?? "unknown code"
  }

  // MARK: Questions about a device

  func text(_ device: cl_device_id, _ what: UInt32) -> String {
    var size = 0
    guard table.clGetDeviceInfo(device, what, 0, nil, &size) == 0, size > 0 else { return "" }
    var bytes = [UInt8](repeating: 0, count: size)
    guard table.clGetDeviceInfo(device, what, size, &bytes, nil) == 0 else { return "" }
    return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
  }

  func platformName(of device: cl_device_id) -> String {
    guard let platform = OpaquePointer(bitPattern: UInt(number(device, BP_CL_DEVICE_PLATFORM, UInt.self))) else { return "" }
    var bytes = [UInt8](repeating: 0, count: 256)
    guard table.clGetPlatformInfo(platform, BP_CL_PLATFORM_NAME, bytes.count - 1, &bytes, nil) == 0 else { return "" }
    return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
  }

  /// 0 when the device does not tell.
  func number<T: FixedWidthInteger>(_ device: cl_device_id, _ what: UInt32, _: T.Type) -> UInt64 {
    var value = T.zero
    return table.clGetDeviceInfo(device, what, MemoryLayout<T>.size, &value, nil) == 0 ? UInt64(truncatingIfNeeded: value) : 0
  }
}
