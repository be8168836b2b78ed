import BackplaneKernelKit
import BackplanePluginKit
import OpenCLKernels

/// Compiles device code once for a device, and keeps the result in the host's store: a second start compiles nothing. Any thread.
final class Compiler: @unchecked Sendable {
  private let api: OpenCL
  private let context: cl_context
  private let device: cl_device_id
  private let library: KernelLibrary
  private let host: Host
  private let baseOptions: String
  /// nil: the driver has one of its own.
  private let cache: ProgramCache?
  private let monitor = Monitor()
  /// By source and defines. Guarded by `monitor`.
  private var programs: [String: cl_program] = [:]

  init(_ api: OpenCL, _ context: cl_context, _ device: cl_device_id, _ library: KernelLibrary, _ host: Host, _ traits: DeviceTraits) {
    (self.api, self.context, self.device, self.library, self.host) = (api, context, device, library, host)
    baseOptions = "-cl-std=CL1.2" + (traits.features.contains("correct_divide") ? " -cl-fp32-correctly-rounded-divide-sqrt" : "")
      + (traits.features.contains("fp64") ? " -DHAS_FP64=1" : "") + traits.defines.map { " -D" + $0 }.joined()
    let driver = [BP_CL_DEVICE_NAME, BP_CL_DEVICE_VERSION, BP_CL_DRIVER_VERSION].map { api.text(device, $0) }.joined(separator: "|")
    cache = !traits.features.contains("binaries") ? nil : ProgramCache(host, environment: "opencl \(pluginVersion)|\(driver)")
  }

  func release() { for program in programs.values { _ = api.table.clReleaseProgram(program) } }

  /// A new kernel object, the caller's.
  func kernel(_ key: KernelKey) throws(PluginError) -> cl_kernel {
    let program = try program(key)
    var code: Int32 = 0
    guard let kernel = api.table.clCreateKernel(program, key.entry, &code) else {
      throw api.failure(code, "clCreateKernel '\(key.entry)' of \(key.source)")
    }
    return kernel
  }

  private func program(_ key: KernelKey) throws(PluginError) -> cl_program {
    let options = ([baseOptions] + key.defines.map { "-D" + $0 }).joined(separator: " ")
    let name = key.source + " " + options
    if let known = monitor.locked({ programs[name] }) { return known }
    let text = try library.expanded(key.source)
    let made: cl_program
    if let binary = cache?.find(text, options), let loaded = load(binary, options) { made = loaded } else {
      made = try compile(text, options, key)
      if let binary = binary(made) { cache?.keep(binary, text, options) }
    }
    return monitor.locked {
      if let other = programs[name] {  // another thread was first
        _ = api.table.clReleaseProgram(made)
        return other
      }
      programs[name] = made
      return made
    }
  }

  private func compile(_ text: String, _ options: String, _ key: KernelKey) throws(PluginError) -> cl_program {
    var code: Int32 = 0
    let program = text.withCString { source in
      var pointer: UnsafePointer<CChar>? = source
      return api.table.clCreateProgramWithSource(context, 1, &pointer, nil, &code)
    }
    guard let program else { throw api.failure(code, "clCreateProgramWithSource") }
    var id: cl_device_id? = device
    code = api.table.clBuildProgram(program, 1, &id, options, nil, nil)
    if code == 0 { return program }
    let log = buildLog(program)
    _ = api.table.clReleaseProgram(program)
    guard code == BP_CL_BUILD_PROGRAM_FAILURE || code == -43 else { throw api.failure(code, "clBuildProgram of \(key.source)") }
    host.log(BP_LOG_ERROR, "kernels", "\(([key.source] + key.defines.map { "-D" + $0 }).joined(separator: " ")) does not compile:\n\(log)")
    var failure = api.failure(code, "\(key.source), \(key.entry): it does not compile: \(Compiler.firstError(log)); clBuildProgram")
    failure.status = BP_E_DRIVER
    throw failure
  }

  private func buildLog(_ program: cl_program) -> String {
    var size = 0
    guard api.table.clGetProgramBuildInfo(program, device, BP_CL_PROGRAM_BUILD_LOG, 0, nil, &size) == 0, size > 0 else { return "" }
    var bytes = [UInt8](repeating: 0, count: size)
    guard api.table.clGetProgramBuildInfo(program, device, BP_CL_PROGRAM_BUILD_LOG, size, &bytes, nil) == 0 else { return "" }
    return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
  }

  /// The first line that names an error (it has file and line, as `#line` says), with what follows it.
  private static func firstError(_ log: String) -> String {
    let lines = log.split(separator: "\n")
    guard let at = lines.firstIndex(where: { $0.contains("error") }) else { return lines.first.map(String.init) ?? "the driver gave no log" }
    return lines[at..<min(at + 3, lines.count)].map { $0.trimming(" ") }.joined(separator: " | ")
  }

  // MARK: Binaries

  private func binary(_ program: cl_program) -> [UInt8]? {
    guard let cache, cache.isThere else { return nil }
    var size = 0
    guard api.table.clGetProgramInfo(program, BP_CL_PROGRAM_BINARY_SIZES, MemoryLayout<Int>.size, &size, nil) == 0, size > 0 else { return nil }
    var bytes = [UInt8](repeating: 0, count: size)
    let code = bytes.withUnsafeMutableBytes { raw in
      var pointer: UnsafeMutableRawPointer? = raw.baseAddress
      return api.table.clGetProgramInfo(program, BP_CL_PROGRAM_BINARIES, MemoryLayout<UnsafeMutableRawPointer?>.size, &pointer, nil)
    }
    return code == 0 ? bytes : nil
  }

  /// nil when the driver does not want it: then the source is compiled.
  private func load(_ binary: [UInt8], _ options: String) -> cl_program? {
    var id: cl_device_id? = device, size = binary.count, code: Int32 = 0, status: Int32 = 0
    let program = binary.withUnsafeBufferPointer { bytes in
      var pointer = bytes.baseAddress
      return api.table.clCreateProgramWithBinary(context, 1, &id, &size, &pointer, &status, &code)
    }
    guard let program else { return nil }
    if status == 0, api.table.clBuildProgram(program, 1, &id, options, nil, nil) == 0 { return program }
    _ = api.table.clReleaseProgram(program)
    host.log(BP_LOG_WARNING, "kernels", "the driver refuses a compiled kernel of the store: it is compiled anew")
    return nil
  }
}

extension Substring {
  fileprivate func trimming(_ character: Character) -> Substring { drop { $0 == character } }
}
