import BackplaneKernelKit
import BackplanePluginKit
import Glibc

/// SPIR-V of the user's folder: `.spv` files as they are, `.comp` files by a compiler that is installed. Any thread.
final class UserShaders: Sendable {
  /// Paths that begin with `user/` are its files.
  let folder: String
  private let host: Host
  /// What sources may include: paths and texts.
  private let includes: [(path: String, text: String)]

  init(_ folder: String, _ host: Host, includes: [(path: String, text: String)]) { (self.folder, self.host, self.includes) = (folder, host, includes) }

  /// - Throws: `BP_E_INVALID` for a file that is no SPIR-V, `BP_E_DRIVER` for a source that does not compile, with the compiler's words.
  func code(_ path: String) throws(PluginError) -> [UInt32] {
    let file = folder + "/" + path.dropFirst("user/".count)
    if path.hasSuffix(".comp") { return try compile(file) }
    guard let bytes = readFile(file) else { throw .invalid("\(file) cannot be read, or has more than 4 MiB") }
    let code = try words(bytes, file)
    let temporary = try temporaryFolder()
    defer { remove(temporary) }
    let check = try run(["spirv-val", "--target-env", "vulkan1.2", "--scalar-block-layout", file], in: temporary)
    if check.status != 0, check.status != notFound { throw .invalid("\(file) is no valid SPIR-V: \(firstLine(check.output))") }
    return code
  }

  /// SPIR-V as words, when its structure is right: a driver need not check, and may crash.
  private func words(_ bytes: [UInt8], _ file: String) throws(PluginError) -> [UInt32] {
    guard bytes.count % 4 == 0, bytes.count > 20 else { throw .invalid("\(file) is no SPIR-V: it has \(bytes.count) bytes") }
    let code = bytes.withUnsafeBytes { Array($0.bindMemory(to: UInt32.self)) }
    guard code[0] == 0x0723_0203 else { throw .invalid("\(file) is no SPIR-V: it begins with \(hex(code[0])), not \(hex(0x0723_0203))") }
    guard code[1] <= 0x0001_0500 else { throw .invalid("\(file) is SPIR-V of version \(code[1] >> 16).\(code[1] >> 8 & 255); compile it for Vulkan 1.2 (SPIR-V 1.5 at most)") }
    var at = 5, isKernel = false, begun = 0, ended = 0
    while at < code.count {
      let length = Int(code[at] >> 16)
      guard length > 0, at + length <= code.count else { throw .invalid("\(file) is no SPIR-V: the instruction at word \(at) has \(length) words, \(code.count - at) are left") }
      if code[at] & 0xffff == 15, length > 4, code[at + 1] == 5, code[at + 3] == 0x6e69_616d, code[at + 4] & 0xff == 0 { isKernel = true }  // GLCompute "main"
      if code[at] & 0xffff == 54 { begun += 1 }  // OpFunction
      if code[at] & 0xffff == 56 { ended += 1 }  // OpFunctionEnd
      at += length
    }
    guard begun == ended, begun > 0 else { throw .invalid("\(file) is no whole SPIR-V: of \(begun) functions \(ended) end") }
    guard isKernel else { throw .invalid("\(file) has no compute entry point 'main'") }
    return code
  }

  // MARK: Compilers

  private func compile(_ source: String) throws(PluginError) -> [UInt32] {
    let folder = try temporaryFolder()
    defer { remove(folder) }
    for name in ["shared", "host"] { mkdir(folder + "/" + name, 0o700) }
    for file in includes { try write(file.text, folder + "/" + file.path) }
    let out = folder + "/out.spv", own = String(source[..<(source.lastIndex(of: "/") ?? source.startIndex)])
    let named = host.setting("vulkan.compiler")
    for compiler in named.map({ [$0] }) ?? ["glslc", "glslangValidator", "glslang"] {
      let words = compiler.split(separator: "/").last == "glslc"
        ? ["--target-env=vulkan1.2", "-fshader-stage=compute", "-I", folder, "-I", own, source, "-o", out]
        : ["-V", "--target-env", "vulkan1.2", "--quiet", "-S", "comp", "-I" + folder, "-I" + own, "-P#extension GL_GOOGLE_include_directive : require", source, "-o", out]
      let result = try run([compiler] + words, in: folder)
      if result.status == notFound { continue }
      guard result.status == 0, let bytes = readFile(out) else {
        host.log(BP_LOG_ERROR, "kernels", "\(source) does not compile:\n\(result.output)")
        throw PluginError(BP_E_DRIVER, "\(source) does not compile (\(compiler)): \(firstLine(result.output))")
      }
      return try self.words(bytes, source)
    }
    throw PluginError(BP_E_UNSUPPORTED, "\(source): \(named ?? "a compiler") is not installed; install glslc or glslang-tools, or put a compiled .spv there", reason: BP_REASON_FEATURE)
  }

  private func temporaryFolder() throws(PluginError) -> String {
    let folder = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    var path = Array((folder + "/backplane-shader-XXXXXX").utf8CString)
    guard mkdtemp(&path) != nil else { throw PluginError(BP_E_INTERNAL, "no temporary folder can be made in \(folder) (errno \(errno))") }
    return String(decoding: path.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  private func write(_ text: String, _ path: String) throws(PluginError) {
    let file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
    var text = text
    let isWritten = text.withUTF8 { file >= 0 && Glibc.write(file, $0.baseAddress, $0.count) == $0.count }
    if file >= 0 { close(file) }
    if !isWritten { throw PluginError(BP_E_INTERNAL, "\(path) cannot be written (errno \(errno))") }
  }

  private func remove(_ folder: String) {
    for file in includes.map(\.path) + ["out.spv", "log"] { unlink(folder + "/" + file) }
    for name in ["/shared", "/host", ""] { rmdir(folder + name) }
  }

  private let notFound: Int32 = 127

  /// Runs a program and waits; its output and errors together. Status 127: it is not there.
  private func run(_ words: [String], in folder: String) throws(PluginError) -> (status: Int32, output: String) {
    let log = folder + "/log"
    var actions = posix_spawn_file_actions_t(), child: pid_t = 0
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    posix_spawn_file_actions_adddup2(&actions, 1, 2)
    var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    guard posix_spawnp(&child, words[0], &actions, nil, &arguments, environ) == 0 else { return (notFound, "") }
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0 {
      if errno == EINTR { continue }
      status = 0  // the host lets nobody wait; what was written tells
      break
    }
    let output = readFile(log).map { String(decoding: $0, as: UTF8.self) } ?? ""
    return (status & 0x7f == 0 ? status >> 8 & 0xff : 128, output)
  }

  private func firstLine(_ text: String) -> String {
    let lines = text.split(separator: "\n")
    return String(lines.first { $0.contains("error") || $0.contains("ERROR") } ?? lines.first ?? "it says nothing")
  }
}

private func hex(_ number: UInt32) -> String { "0x" + String(number, radix: 16) }
