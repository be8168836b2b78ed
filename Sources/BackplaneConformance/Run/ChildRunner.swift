import BackplaneCore
import Foundation

/// Runs cases in a child process, which is allowed to die of one.
///
/// The child gets a case's ID on a line and answers with a line of JSON. When it crashes or takes too long, that one case is CRASHED
/// or HUNG, and the next case gets a new child. One thread at a time.
public final class ChildRunner: CaseExecutor {
  private let executable: String
  private let arguments: [String]
  private let timeout: Duration
  private var child: Child?
  /// How many children were started.
  public private(set) var startCount = 0

  private struct Child {
    let process: pid_t
    let input, output: Int32
    var pending: [UInt8] = []
  }

  /// - Parameters:
  ///   - executable: A program that behaves as ``ChildLoop`` does when it is given `arguments`.
  ///   - timeout: For one case.
  public init(executable: String, arguments: [String], timeout: Duration = .seconds(20)) {
    (self.executable, self.arguments, self.timeout) = (executable, arguments, timeout)
  }

  deinit { stop() }

  public func run(_ id: String) -> CaseResult {
    var result = runOnce(id)
    guard result.outcome == .pass, let digest = result.digest else { return result }
    // Once more in another process.
    stop()
    let again = runOnce(id)
    if again.outcome == .pass, again.digest != digest {
      (result.outcome, result.fault, result.message) = (.fail, "behaviour", "another process computes other bits")
    }
    return again.outcome == .pass ? result : again
  }

  private func runOnce(_ id: String) -> CaseResult {
    do throws(BackplaneError) {
      if child == nil { try start() }
    } catch {
      return CaseResult(id: id, outcome: .error, message: "\(error)")
    }
    guard send(id) else { return lost(id) }
    switch receive(within: timeout) {
    case .line(let line):
      guard let result = try? JSONDecoder().decode(CaseResult.self, from: Data(line)) else {
        stop()
        return CaseResult(id: id, outcome: .error, message: "the child answered \(String(decoding: line.prefix(200), as: UTF8.self))")
      }
      return result
    case .closed: return lost(id)
    case .late:
      stop()
      var result = CaseResult(id: id, outcome: .hung, message: "no answer within \(timeout)")
      result.milliseconds = Double(timeout.components.seconds) * 1000
      return result
    }
  }

  private func lost(_ id: String) -> CaseResult {
    let ending = stop()
    return CaseResult(id: id, outcome: .crashed, message: ending)
  }

  // MARK: The process

  /// - Throws: What the child says when it cannot begin.
  private func start() throws(BackplaneError) {
    startCount += 1
    var (to, from): ([Int32], [Int32]) = ([-1, -1], [-1, -1])
    guard pipe(&to) == 0, pipe(&from) == 0 else { throw BackplaneError(.internal, "no pipe for a child process") }
    for end in to + from { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    var files = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&files)
    defer { posix_spawn_file_actions_destroy(&files) }
    posix_spawn_file_actions_adddup2(&files, to[0], STDIN_FILENO)
    posix_spawn_file_actions_adddup2(&files, from[1], STDOUT_FILENO)
    posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
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
    var words = strings([executable] + arguments)
    var variables = strings(environment.map { "\($0.key)=\($0.value)" })
    defer { for p in words + variables { free(p) } }
    var process: pid_t = 0
    let status = posix_spawn(&process, executable, &files, &attributes, &words, &variables)
    close(to[0])
    close(from[1])
    guard status == 0 else {
      close(to[1])
      close(from[0])
      throw BackplaneError(.internal, "cannot be started: \(String(cString: strerror(status)))", subject: executable)
    }
    child = Child(process: process, input: to[1], output: from[0])
    switch receive(within: .seconds(60)) {
    case .line(let line) where line.elementsEqual(ChildLoop.ready.utf8): return
    case .line(let line):
      stop()
      throw BackplaneError(.unsupported, String(decoding: line, as: UTF8.self))
    case .closed: throw BackplaneError(.unsupported, "the child process ended before the device was open: \(stop())")
    case .late:
      stop()
      throw BackplaneError(.timeout, "the device was not open after a minute")
    }
  }

  /// Ends the child. What became of it, in words.
  @discardableResult
  private func stop() -> String {
    guard let child else { return "there was none" }
    self.child = nil
    close(child.input)
    var status: Int32 = 0
    var ended = false
    // One that has crashed is gone at once; one that waits for a line ends when its input does.
    for attempt in 0..<400 {
      if waitpid(child.process, &status, WNOHANG) == child.process { ended = true; break }
      if attempt == 100 { kill(-child.process, SIGKILL) }
      usleep(1000)
    }
    if !ended { waitpid(child.process, &status, 0) }
    kill(-child.process, SIGKILL)
    close(child.output)
    let signal = status & 0x7f
    return signal == 0 ? "the process ended with exit(\(status >> 8 & 0xff))" : "the process died of \(ChildRunner.name(ofSignal: signal))"
  }

  static func name(ofSignal number: Int32) -> String {
    let names: [Int32: String] = [SIGSEGV: "SIGSEGV", SIGABRT: "SIGABRT", SIGILL: "SIGILL", SIGBUS: "SIGBUS", SIGFPE: "SIGFPE", SIGKILL: "SIGKILL", SIGTRAP: "SIGTRAP"]
    return names[number] ?? "signal \(number)"
  }

  private func send(_ line: String) -> Bool {
    let bytes = Array((line + "\n").utf8)
    var at = 0
    while at < bytes.count {
      let count = bytes[at...].withUnsafeBytes { write(child!.input, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      if count <= 0 { return false }
      at += count
    }
    return true
  }

  /// What the child's threads have computed so far.
  private func processorTime() -> Duration {
    guard let text = try? String(contentsOfFile: "/proc/\(child!.process)/stat", encoding: .utf8), let name = text.lastIndex(of: ")") else { return .zero }
    let fields = text[name...].split(separator: " ")  // from the third on
    guard fields.count > 13, let user = Int(fields[12]), let system = Int(fields[13]) else { return .zero }
    return .milliseconds((user + system) * 1000 / sysconf(Int32(_SC_CLK_TCK)))
  }

  private enum Received { case line([UInt8]), closed, late }

  /// A child is late when it has computed for as long as `limit`, or after `limit` computes nothing: on a busy machine one that
  /// works is not taken for one that hangs. Six times `limit` is the end in any case.
  private func receive(within limit: Duration) -> Received {
    let clock = ContinuousClock(), start = clock.now, before = processorTime()
    var end = start + limit, last = before
    var buffer = [UInt8](repeating: 0, count: 65536)
    while true {
      if let newline = child!.pending.firstIndex(of: 10) {
        let line = Array(child!.pending[..<newline])
        child!.pending.removeSubrange(...newline)
        return .line(line)
      }
      let left = clock.now.duration(to: end)
      guard left > .zero else {
        let now = processorTime()
        guard now > last, now - before < limit, start.duration(to: clock.now) < limit * 6 else { return .late }
        (last, end) = (now, clock.now + .seconds(2))
        continue
      }
      var wait = pollfd(fd: child!.output, events: Int16(POLLIN), revents: 0)
      let ready = poll(&wait, 1, Int32(clamping: left.components.seconds * 1000 + left.components.attoseconds / 1_000_000_000_000_000 + 1))
      if ready < 0 && errno != EINTR { return .closed }
      guard ready > 0 else { continue }
      let count = read(child!.output, &buffer, buffer.count)
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return .closed }
      child!.pending += buffer.prefix(count)
    }
  }
}

/// The inside of the child.
public enum ChildLoop {
  static let ready = "ready"

  /// Answers each case on standard input with a line of JSON on standard output, until the input ends.
  ///
  /// - Parameter open: Makes the executor; what it throws is told to the parent.
  public static func run(_ open: () throws -> any CaseExecutor) {
    // What a plugin prints must not get into the answers.
    let answers = dup(STDOUT_FILENO)
    dup2(STDERR_FILENO, STDOUT_FILENO)
    for number in [SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP] { signal(number, SIG_DFL) }
    var none = rlimit(rlim_cur: 0, rlim_max: 0)
    setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &none)
    endWithParent()
    let executor: any CaseExecutor
    do { executor = try open() } catch {
      answer(Array("\(error)".split(separator: "\n").joined(separator: " ").utf8), answers)
      return
    }
    answer(Array(ready.utf8), answers)
    let encoder = JSONEncoder()
    while let line = readLine() {
      let result = executor.run(line)
      answer([UInt8]((try? encoder.encode(result)) ?? Data("{}".utf8)), answers)
    }
  }

  /// Who was killed cannot end its children: one that hangs in a kernel would run on for ever.
  private static func endWithParent() {
    let parent = getppid()
    Thread.detachNewThread {
      while getppid() == parent { usleep(500_000) }
      _exit(1)
    }
  }

  private static func answer(_ line: [UInt8], _ descriptor: Int32) {
    let bytes = line + [10]
    var at = 0
    while at < bytes.count {
      let count = bytes[at...].withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
      if count <= 0 { return }
      at += count
    }
  }
}
