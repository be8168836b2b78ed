import BackplaneCore
import Foundation

/// Tries a plugin in a child process, which is allowed to die of it.
public struct PluginProbe: Sendable {
  public enum Answer: Sendable, Equatable {
    case report(ProbeReport)
    /// The child gave no answer, and why: "crashed with SIGSEGV in instance_create".
    case failed(String)
    /// There was no answer in time, or no child: a busy machine may be the cause, so this is not believed for long.
    case silent(String)
  }

  /// Long enough for a driver that compiles its canary on a busy machine; one that spins is ended by its processor time.
  public static let patience = Duration.seconds(30)

  /// `backplane-probe`.
  public var executable: String
  public var timeout: Duration

  public init(executable: String, timeout: Duration = PluginProbe.patience) {
    self.executable = executable
    self.timeout = timeout
  }

  /// The probe of this installation: beside the executable or the library that this code is in, or in `bin` or `libexec/backplane` beside
  /// their folder. Nil when there is none.
  public static func installed(executableFolder: String? = PluginSearch.executableFolder, libraryFolder: String? = PluginSearch.libraryFolder,
                               timeout: Duration = PluginProbe.patience) -> PluginProbe? {
    let places = [executableFolder, libraryFolder].compactMap { $0 }.flatMap { folder in
      let prefix = (folder as NSString).deletingLastPathComponent
      return [folder + "/backplane-probe", prefix + "/libexec/backplane/backplane-probe", prefix + "/bin/backplane-probe"]
    }
    return places.first { access($0, X_OK) == 0 }.map { PluginProbe(executable: $0, timeout: timeout) }
  }

  /// Runs the probe and waits for its answer, at most `timeout`.
  public func run(library path: String) -> Answer {
    var pipe: [Int32] = [-1, -1]
    guard Glibc.pipe(&pipe) == 0 else { return .silent("the probe could not be started: \(text(errno))") }
    for end in pipe { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    defer { close(pipe[0]) }
    var child: pid_t = 0
    let status = spawn(path, answer: pipe[1], &child)
    close(pipe[1])
    guard status == 0 else { return .silent("the probe \(executable) could not be started: \(text(status))") }
    let (output, timedOut) = collect(pipe[0], child)
    return judge(output, timedOut: timedOut, ending: reap(child))
  }

  private func spawn(_ path: String, answer: Int32, _ child: inout pid_t) -> Int32 {
    var files = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&files)
    defer { posix_spawn_file_actions_destroy(&files) }
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&files, answer, STDOUT_FILENO)
    posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // A group of its own, so that what the plugin starts dies with it; default signals, whatever the host ignores.
    var all = sigset_t(), none = sigset_t()
    sigfillset(&all)
    sigemptyset(&none)
    posix_spawnattr_setsigdefault(&attributes, &all)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setpgroup(&attributes, 0)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))
    var environment = ProcessInfo.processInfo.environment
    environment["SWIFT_BACKTRACE"] = "enable=no"
    func strings(_ list: [String]) -> [UnsafeMutablePointer<CChar>?] { list.map { strdup($0) } + [nil] }
    var arguments = strings(["backplane-probe", "--steps", path])
    var variables = strings(environment.map { "\($0.key)=\($0.value)" })
    defer { for p in arguments + variables { free(p) } }
    return posix_spawn(&child, executable, &files, &attributes, &arguments, &variables)
  }

  /// Reads until the child closes its end or time is up; then kills what is left.
  private func collect(_ descriptor: Int32, _ child: pid_t) -> (output: String, timedOut: Bool) {
    let clock = ContinuousClock(), end = clock.now + timeout
    var output: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    var timedOut = false
    while output.count < 4 << 20 {
      let left = clock.now.duration(to: end)
      guard left > .zero else { timedOut = true; break }
      var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      let ready = poll(&wait, 1, Int32(clamping: left.components.seconds * 1000 + left.components.attoseconds / 1_000_000_000_000_000 + 1))
      if ready < 0 && errno != EINTR { break }
      guard ready > 0 else { continue }
      let count = read(descriptor, &buffer, buffer.count)
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { break }
      output += buffer.prefix(count)
    }
    if timedOut { kill(-child, SIGKILL) }
    return (String(decoding: output, as: UTF8.self), timedOut)
  }

  private enum Ending { case exited(Int32), signalled(Int32), unknown }

  /// Waits for the child a moment, then kills it: it has closed its answer, so it has nothing left to say.
  private func reap(_ child: pid_t) -> Ending {
    var status: Int32 = 0
    for attempt in 0..<2000 {
      let result = waitpid(child, &status, WNOHANG)
      if result == child {
        kill(-child, SIGKILL)  // anything that the plugin started
        let signal = status & 0x7f
        return signal == 0 ? .exited(status >> 8 & 0xff) : .signalled(signal)
      }
      if result < 0 && errno != EINTR { return .unknown }  // the host ignores SIGCHLD
      if attempt == 1000 { kill(-child, SIGKILL) }
      usleep(attempt < 50 ? 200 : 1000)
    }
    return .unknown
  }

  private func judge(_ output: String, timedOut: Bool, ending: Ending) -> Answer {
    let lines = output.split(separator: "\n")
    let step = lines.last { $0.hasPrefix("step ") }.map { String($0.dropFirst(5)) }
    let place = step.map { $0 == "done" ? " after the last call" : " in \($0)" } ?? " before the plugin was loaded"
    if timedOut { return .silent("gave no answer within \(timeout)\(place)") }
    if case .signalled(let signal) = ending { return .failed("crashed with \(name(ofSignal: signal))\(place)") }
    if let line = lines.last, line.hasPrefix("{"), let report = try? JSONDecoder().decode(ProbeReport.self, from: Data(line.utf8)),
       report.format == ProbeReport.currentFormat { return .report(report) }
    if case .exited(let code) = ending { return .failed("ended the process with exit(\(code))\(place)") }
    return .failed("ended without an answer\(place)")
  }

  private func name(ofSignal number: Int32) -> String {
    let names: [Int32: String] = [SIGSEGV: "SIGSEGV", SIGABRT: "SIGABRT", SIGILL: "SIGILL", SIGBUS: "SIGBUS", SIGFPE: "SIGFPE", SIGKILL: "SIGKILL",
      SIGTRAP: "SIGTRAP", SIGXCPU: "SIGXCPU", SIGPIPE: "SIGPIPE", SIGTERM: "SIGTERM", SIGSYS: "SIGSYS"]
    return names[number] ?? "signal \(number)"
  }

  private func text(_ code: Int32) -> String { String(cString: strerror(code)) }
}
