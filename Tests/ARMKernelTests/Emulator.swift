import _TestSupport
import Foundation

/// The kernels compiled for 64-bit Arm, run by the emulator of user programs.
///
/// Needs the packages qemu-user-static, libc6-dev-arm64-cross and libgcc-12-dev-arm64-cross, and the toolchain's clang and lld.
struct Emulator {
  private let qemu: Tool
  private let program: String
  private let folder: TemporaryFolder

  private static let gcc = "/usr/lib/gcc-cross/aarch64-linux-gnu"
  private static let library = "/usr/aarch64-linux-gnu"

  /// What is missing here; nil when nothing is.
  static let missing: String? = {
    #if arch(arm64)
    return nil
    #else
    if (try? Tool("qemu-aarch64-static", "qemu-aarch64")) == nil { return "qemu-aarch64 (package qemu-user-static)" }
    if !FileManager.default.fileExists(atPath: library + "/lib/libc.a") { return "an Arm C library (package libc6-dev-arm64-cross)" }
    if (try? FileManager.default.contentsOfDirectory(atPath: gcc))?.isEmpty != false { return "an Arm libgcc (package libgcc-12-dev-arm64-cross)" }
    return nil
    #endif
  }()

  /// Compiles all kernels and the driver. Takes some seconds.
  init() throws {
    let clang = try Tool("clang"), root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../..").standardized.path
    qemu = try Tool("qemu-aarch64-static", "qemu-aarch64")
    folder = try TemporaryFolder()
    program = folder.path + "/driver"
    var sources = [root + "/Tests/_ARMKernelDriver/driver.c"]
    let kernels = root + "/Kernels/CPU"
    for case let name as String in FileManager.default.enumerator(atPath: kernels)! where name.hasSuffix(".c") { sources.append(kernels + "/" + name) }
    let objects = sources.indices.map { "\(folder.path)/\($0).o" }
    let target = ["--target=aarch64-linux-gnu", "-isystem", Emulator.library + "/include"]
    let flags = ["-O1", "-std=gnu2x", "-fno-math-errno", "-Wall", "-Wextra", "-Wno-missing-field-initializers", "-Werror", "-I\(root)/Sources/BackplaneABI/include", "-I\(kernels)/include"]
    let failures = Failures()
    let jobs = Array(zip(sources, objects))
    DispatchQueue.concurrentPerform(iterations: jobs.count) { i in
      do { try clang.run(target + flags + ["-c", jobs[i].0, "-o", jobs[i].1]) } catch { failures.add("\(error)") }
    }
    if let first = failures.all.first { throw Tool.Failure(description: first) }
    let version = try FileManager.default.contentsOfDirectory(atPath: Emulator.gcc).sorted().last ?? ""
    let libgcc = "\(Emulator.gcc)/\(version)"
    try clang.run(target + ["-static", "-fuse-ld=lld", "-B\(libgcc)", "-L\(libgcc)", "-L\(Emulator.library)/lib"] + objects + ["-lm", "-o", program])
  }

  private final class Failures: @unchecked Sendable {
    private let lock = NSLock()
    private(set) var all: [String] = []
    func add(_ text: String) { lock.withLock { all.append(text) } }
  }

  /// What the driver answers to `calls`, all in one process.
  func run(_ calls: Data) throws -> Data {
    let input = folder.path + "/calls", output = folder.path + "/answers"
    try calls.write(to: URL(fileURLWithPath: input))
    _ = FileManager.default.createFile(atPath: output, contents: nil)
    let process = Process()
    process.executableURL = URL(fileURLWithPath: qemu.path)
    process.arguments = [program]
    process.standardInput = FileHandle(forReadingAtPath: input)
    process.standardOutput = FileHandle(forWritingAtPath: output)
    try process.run()
    process.waitUntilExit()
    let answers = try Data(contentsOf: URL(fileURLWithPath: output))
    // What came before a crash is judged all the same.
    guard process.terminationStatus == 0 || !answers.isEmpty else {
      throw Tool.Failure(description: "the driver ended with \(process.terminationStatus) (\(process.terminationReason == .uncaughtSignal ? "a signal" : "exit"))")
    }
    return answers
  }
}
