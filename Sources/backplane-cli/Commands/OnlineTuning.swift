import Backplane
import Foundation
#if canImport(Glibc)
import Glibc
#endif

/// `--tuning online`: while this process works, a child tunes what it noted as wanted, in three hundredths of the time and at the lowest priority. What the child finds is
/// used by the next compilation, so no run changes under way; the child ends with this process, and goes on with the next.
enum OnlineTuning {
  static let share = 0.03

  static func start(_ arguments: Arguments) throws {
    var words = ["tune", "--wanted", "--effort", "quick", "--share", "\(share)", "--until-parent-ends", "--tuning", "off", "--device", arguments["device"] ?? "auto"]
    if let threads = arguments["threads"] { words += ["--threads", threads] }
    words += SharedOptions.forwarded(arguments)
    let child = Process()
    child.executableURL = URL(fileURLWithPath: try ConformVerbs.ownPath())
    child.arguments = words
    (child.standardInput, child.standardOutput, child.standardError) = (FileHandle.nullDevice, FileHandle.nullDevice, FileHandle.nullDevice)
    try child.run()
  }

  /// The lowest priority, here and in what is started from here; with the parent this process ends, too.
  static func becomeSecondary() {
    #if canImport(Glibc)
    _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 19)
    let parent = getppid()
    let watch = Thread {
      while getppid() == parent { usleep(200_000) }
      exit(0)
    }
    watch.start()
    #endif
  }
}
