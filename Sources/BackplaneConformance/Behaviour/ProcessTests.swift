import BackplaneABI
import BackplaneCore
import BackplaneRegistry
import Glibc

/// What a plugin must leave alone in the process that it is a guest of.
extension BehaviourTests {
  static let processTests: [(name: String, body: Body)] = [("process", process), ("host-calls", hostCalls)]

  /// Whatever a plugin could change behind the host's back, in words.
  private static func state() -> [(what: String, value: String)] {
    var state: [(what: String, value: String)] = []
    // Done in f32 by the processor, not by the compiler.
    let tiny = opaque(Float.leastNormalMagnitude) * opaque(0.5)
    state.append(("the treatment of subnormal numbers", tiny == 0 ? "flushed" : "kept"))
    state.append(("the rounding mode", "\(fegetround())"))
    state.append(("the current folder", String(cString: getcwd(nil, 0))))
    state.append(("the locale", String(cString: setlocale(LC_ALL, nil))))
    var variables: [String] = []
    var entry = environ
    while let text = entry.pointee { variables.append(String(cString: text)); entry += 1 }
    state.append(("the environment", variables.sorted().joined(separator: "\n")))
    for signal in 1...31 where signal != SIGKILL && signal != SIGSTOP {
      var action = sigaction()
      _ = withUnsafeMutablePointer(to: &action) { sigaction(Int32(signal), nil, $0) }
      let bytes = withUnsafeBytes(of: action) { $0.prefix(8).map { String($0, radix: 16) }.joined() }
      state.append(("the handler of \(ChildRunner.name(ofSignal: Int32(signal)))", bytes))
    }
    return state
  }

  @inline(never) private static func opaque(_ x: Float) -> Float { x }

  private static func threadIDs() -> Set<String> {
    guard let folder = opendir("/proc/self/task") else { return [] }
    defer { closedir(folder) }
    var ids: Set<String> = []
    while let entry = readdir(folder) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) } }
      if !name.hasPrefix(".") { ids.insert(name) }
    }
    return ids
  }

  /// As the process was before the first case. Cases that came earlier may have done the harm.
  static let initialState = state()

  private static func process(_ device: Device) throws {
    // The host's pool and this process begin what threads they need.
    try doubling(device).run()
    let threads = threadIDs()
    try watch(device) { other, _ in
      let test = try doubling(other)
      for _ in 0..<4 { try test.run() }
      for (old, new) in zip(initialState, state()) where old.value != new.value {
        fesetround(FE_TONEAREST)
        throw Fault(text: "the plugin has changed \(old.what)\(old.value.count < 100 && new.value.count < 100 ? " from \(old.value) to \(new.value)" : "")")
      }
      guard !other.plugin.hasOwnThreads else { return }
      try expectNoNewThreads(threads, "runs while the device is open, and the plugin does not declare threads (BP_PLUGIN_OWN_THREADS)")
    }
    try expectNoNewThreads(threads, "still runs after instance_destroy")
  }

  /// A thread that ends by itself within a moment is somebody else's.
  private static func expectNoNewThreads(_ known: Set<String>, _ what: String) throws {
    var new = threadIDs().subtracting(known)
    for _ in 0..<20 where !new.isEmpty {
      usleep(10_000)
      new.formIntersection(threadIDs())
    }
    if !new.isEmpty { throw Fault(text: "\(new.count == 1 ? "a thread" : "\(new.count) threads") of the plugin \(what)") }
  }

  /// The host is called from inside a call only: not any more when the instance is gone. A fault is reported once, and only when there is one.
  private static func hostCalls(_ device: Device) throws {
    let monitor = HostMonitor(device.instance.host)
    do {
      let test = try doubling(try open(device, monitor))
      for _ in 0..<2 { try test.run() }
    }
    try checkGone(monitor)
    if !monitor.faults.isEmpty { throw Fault(text: "report_fault was called \(monitor.faults.count) times (\(monitor.faults)), though every call was answered with OK") }
    for _ in 0..<10 where monitor.lateCalls == 0 { usleep(10_000) }
    if monitor.lateCalls > 0 { throw Fault(text: "the host is called after instance_destroy") }
  }
}
