import BackplaneABI
import BackplaneCore
import Foundation

/// The inside of `backplane-probe`: loads a library, tries its devices, prints one line of JSON and ends.
///
/// It runs in a process of its own, because the library may crash, hang, exit or print.
public enum ProbeChild {
  /// Steps that have begun are printed as lines "step NAME" when the arguments say `--steps`: the last one is where a plugin died.
  public static func main(_ arguments: [String]) -> Never {
    guard let library = arguments.dropFirst().first(where: { !$0.hasPrefix("-") }) else {
      writeLine("usage: backplane-probe [--steps] /path/to/LIB.so", to: STDERR_FILENO)
      exit(64)
    }
    closeInheritedDescriptors()
    let answer = dup(STDOUT_FILENO)
    let capture = captureStandardOutput()
    let wantsSteps = arguments.contains("--steps")
    limitResources()
    // A crash must look like one, whatever handler the runtime or a sanitizer has installed.
    for number in [SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP] { signal(number, SIG_DFL) }
    var report = run(URL(fileURLWithPath: library).path) { if wantsSteps { writeLine("step \($0)", to: answer) } }
    fflush(nil)
    if let printed = read(capture), !printed.isEmpty, report.fault == nil {
      report.fault = "prints to standard output: \"\(printed)\""
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let json = (try? encoder.encode(report)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
    writeLine(json, to: answer)
    // No exit handlers: those of the plugin have no say in what was found.
    _exit(0)
  }

  static func run(_ path: String, host: HostServices = .minimal(), step: (String) -> Void = { _ in }) -> ProbeReport {
    var report = ProbeReport()
    do throws(BackplaneError) {
      let library = try PluginLibrary(loading: path, step: step)
      report.plugin = .init(name: library.name, vendor: library.vendor, version: library.version, buildID: library.buildID,
                            abiMinimum: "\(library.minimumABI)", abiMaximum: "\(library.maximumABI)", abiNegotiated: "\(library.negotiatedABI)",
                            debugBuild: library.isDebugBuild, ownThreads: library.hasOwnThreads)
      examine(library, host, &report, step)
    } catch {
      report.refused = error.message + (error.hint.map { " (\($0))" } ?? "")
    }
    return report
  }

  private static func examine(_ library: PluginLibrary, _ host: HostServices, _ report: inout ProbeReport, _ step: (String) -> Void) {
    var problems: [String] = []
    do throws(BackplaneError) {
      let instance = try PluginInstance(library, host: host, step: step)
      for index in 0..<min(instance.deviceCount, 64) {
        do throws(BackplaneError) {
          let device = try Device(instance, index: index, step: step)
          var summary = DeviceSummary(device)
          switch Canary.run(on: device, step: step) {
          case .passed: summary.canary = "passed"
          case .notRun(let why): summary.canary = why
          case .failed(let why):
            summary.canary = "failed: \(why)"
            if report.fault == nil { report.fault = "device \(index): \(why)" }
          }
          report.devices.append(summary)
          step("device_close")
        } catch {
          if error.kind == .abi { report.refused = error.message } else { problems.append("device \(index): \(error.message)") }
        }
      }
      if instance.deviceCount == 0 { problems.append("it finds no devices") }
      step("instance_destroy")
    } catch {
      problems.append(error.message)
    }
    step("done")
    if report.devices.isEmpty, report.refused == nil, !problems.isEmpty { report.unavailable = problems.joined(separator: "; ") }
  }

  /// Whatever the host had open is no business of the plugin.
  private static func closeInheritedDescriptors() {
    for name in (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? [] {
      if let descriptor = Int32(name), descriptor > STDERR_FILENO { close(descriptor) }
    }
  }

  /// No core files, no endless loop, no more address space than any driver could want.
  private static func limitResources() {
    var none = rlimit(rlim_cur: 0, rlim_max: 0)
    setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &none)
    var processor = rlimit(rlim_cur: 60, rlim_max: 60)
    setrlimit(__rlimit_resource_t(RLIMIT_CPU.rawValue), &processor)
    var addresses = rlimit(rlim_cur: 64 << 40, rlim_max: 64 << 40)
    setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &addresses)
  }

  /// Points standard output at an unnamed file, so that what a plugin prints neither disturbs the answer nor is lost.
  private static func captureStandardOutput() -> Int32 {
    var template = Array("/tmp/backplane-probe-XXXXXX".utf8CString)
    let file = mkstemp(&template)
    if file >= 0 {
      unlink(template)
      dup2(file, STDOUT_FILENO)
    } else {
      dup2(STDERR_FILENO, STDOUT_FILENO)
    }
    return file
  }

  /// The first 200 bytes of what was printed, on one line.
  private static func read(_ file: Int32) -> String? {
    guard file >= 0 else { return nil }
    var bytes = [UInt8](repeating: 0, count: 200)
    let count = pread(file, &bytes, bytes.count, 0)
    guard count > 0 else { return nil }
    return String(decoding: bytes.prefix(count), as: UTF8.self).split(whereSeparator: \.isNewline).joined(separator: " ")
  }

  private static func writeLine(_ line: String, to descriptor: Int32) {
    let bytes = Array((line + "\n").utf8)
    var at = 0
    while at < bytes.count {
      let written = bytes[at...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if written <= 0 { return }
      at += written
    }
  }
}
