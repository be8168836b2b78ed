import BackplaneKernelKit
import BackplanePluginKit
import VulkanKernels

/// SPIR-V by path, and what the words of manifests mean in its constants. Immutable.
struct ShaderStore: Sendable {
  /// Four bytes a word.
  private let shaders: [String: [UInt32]]
  /// Manifests' texts, and for shaders their paths alone: what a kernel library must know.
  let texts: [(path: String, text: String)]
  private let words: [String: UInt32]
  private let user: UserShaders?

  init(_ host: Host, userFolder: String?) {
    var count = 0
    let files = bp_vulkan_files(&count)!
    var shaders: [String: [UInt32]] = [:], texts: [(path: String, text: String)] = [], includes = texts
    for i in 0..<count {
      let path = String(cString: files[i].path), bytes = UnsafeRawBufferPointer(start: files[i].bytes, count: files[i].count)
      if path.hasSuffix(".json") {
        texts.append((path, String(decoding: bytes, as: UTF8.self)))
      } else if path.contains("/") {
        includes.append((path, String(decoding: bytes, as: UTF8.self)))
      } else {
        shaders[path] = Array(bytes.bindMemory(to: UInt32.self))
        texts.append((path, ""))
      }
    }
    let list = bp_vulkan_words(&count)!
    words = Dictionary(uniqueKeysWithValues: (0..<count).map { (String(cString: list[$0].name), list[$0].number) })
    (self.shaders, self.texts, user) = (shaders, texts, userFolder.map { UserShaders($0, host, includes: includes) })
  }

  func code(_ path: String) throws(PluginError) -> [UInt32] {
    if path.hasPrefix("user/"), let user { return try user.code(path) }
    guard let code = shaders[path], code.count > 5, code[0] == 0x0723_0203 else { throw PluginError(BP_E_INTERNAL, "\(path) is no SPIR-V") }
    return code
  }

  /// The number that a definition's value stands for.
  func number(_ text: Substring, of name: Substring, _ path: String) throws(PluginError) -> UInt32 {
    if let value = Int32(text) { return UInt32(bitPattern: value) }
    if let word = words[String(text)] { return word }
    throw .invalid("\(path): \(name) is '\(text)', which is neither a number nor a word that kernels know")
  }
}

/// Numbers of a module's specialisation constants by name, from its debug names and decorations.
func specialisationConstants(_ code: [UInt32]) -> [String: UInt32] {
  var names: [UInt32: String] = [:], numbers: [UInt32: UInt32] = [:]
  var at = 5
  while at < code.count {
    let length = Int(code[at] >> 16), operation = code[at] & 0xffff
    if length == 0 || at + length > code.count { break }
    if operation == 5, length > 2 {  // OpName
      var bytes: [UInt8] = []
      for word in code[at + 2..<at + length] { for shift in stride(from: UInt32(0), to: 32, by: 8) { bytes.append(UInt8(truncatingIfNeeded: word >> shift)) } }
      names[code[at + 1]] = String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    } else if operation == 71, length == 4, code[at + 2] == 1 {  // OpDecorate SpecId
      numbers[code[at + 1]] = code[at + 3]
    } else if operation == 54 {  // OpFunction: declarations are over
      break
    }
    at += length
  }
  return Dictionary(numbers.compactMap { target, number in names[target].map { ($0, number) } }, uniquingKeysWith: { first, _ in first })
}

/// Compiled kernels of a device, each made once. Any thread.
final class PipelineStore: @unchecked Sendable {
  private let device: OpaquePointer
  private let shaders: ShaderStore
  private let monitor = Monitor()
  private var pipelines: [KernelKey: VkPipeline] = [:]
  private var codes: [String: (code: [UInt32], constants: [String: UInt32])] = [:]

  init(_ device: OpaquePointer, _ shaders: ShaderStore) { (self.device, self.shaders) = (device, shaders) }

  func release() { for pipeline in pipelines.values { bp_vk_pipeline_destroy(device, pipeline) } }

  /// The number of kernels so far.
  var count: Int { monitor.locked { pipelines.count } }

  private func code(_ path: String) throws(PluginError) -> (code: [UInt32], constants: [String: UInt32]) {
    if let known = codes[path] { return known }
    let code = try shaders.code(path)
    codes[path] = (code, specialisationConstants(code))
    return (code, codes[path]!.constants)
  }

  func pipeline(_ key: KernelKey) throws(PluginError) -> VkPipeline {
    try monitor.locked { () throws(PluginError) in
      if let known = pipelines[key] { return known }
      let (code, constants) = try self.code(key.source)
      var ids: [UInt32] = [], values: [UInt32] = []
      for define in key.defines {
        let parts = define.split(separator: "=", maxSplits: 1)
        guard parts.count == 2 else { throw .invalid("\(key.source): '\(define)' defines nothing") }
        // LOCAL is constant 0, the work-group's size, whether or not the shader has a name for it.
        let id = parts[0] == "LOCAL" ? 0 : constants[String(parts[0])]
        guard let id else { throw .invalid("\(key.source) has no specialisation constant '\(parts[0])' (they are found by name: its debug names must not be stripped)") }
        ids.append(id)
        values.append(try shaders.number(parts[1], of: parts[0], key.source))
      }
      var pipeline: VkPipeline?
      let status = bp_vk_pipeline(device, code, code.count * 4, ids, values, UInt32(ids.count), &pipeline)
      guard status >= 0, let pipeline else { throw failure(status, "vkCreateComputePipelines of \(key.source) \(key.defines.joined(separator: " "))") }
      pipelines[key] = pipeline
      return pipeline
    }
  }
}

/// What a VkResult means for the host.
func failure(_ code: VkResult, _ call: String) -> PluginError {
  let (status, name): (bp_status, String) = switch code {
  case VkResult(VK_ERROR_OUT_OF_HOST_MEMORY): (BP_E_OOM_HOST, "out of host memory")
  case VkResult(VK_ERROR_OUT_OF_DEVICE_MEMORY): (BP_E_OOM_DEVICE, "out of device memory")
  case VkResult(VK_ERROR_TOO_MANY_OBJECTS): (BP_E_OOM_DEVICE, "too many objects")
  case VkResult(VK_ERROR_DEVICE_LOST): (BP_E_DEVICE_LOST, "device lost")
  case VkResult(VK_TIMEOUT): (BP_E_TIMEOUT, "timeout")
  case VkResult(VK_ERROR_FEATURE_NOT_PRESENT): (BP_E_UNSUPPORTED, "feature not present")
  case VkResult(VK_ERROR_INVALID_EXTERNAL_HANDLE): (BP_E_UNSUPPORTED, "memory that cannot be imported")
  default: (BP_E_DRIVER, "error")
  }
  var failure = PluginError(status, "\(call) gave \(code) (\(name))")
  (failure.domain, failure.nativeCode) = (3, Int64(code))
  switch status {
  case BP_E_OOM_DEVICE, BP_E_OOM_HOST: (failure.reason, failure.retry) = (BP_REASON_MEMORY, BP_RETRY_AFTER_FREEING_MEMORY)
  case BP_E_DEVICE_LOST: (failure.deviceState, failure.retry) = (BP_HEALTH_LOST_RECOVERABLE, BP_RETRY_AFTER_RESET)
  case BP_E_UNSUPPORTED: failure.reason = BP_REASON_FEATURE
  default: break
  }
  return failure
}
