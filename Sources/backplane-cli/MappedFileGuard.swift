import Glibc

/// Turns the signal that a shrunken mapped file causes into one line of text and exit code 1.
///
/// A page of a mapped file that lies behind the file's new end cannot be read: the kernel sends SIGBUS to whoever touches it. The library cannot
/// catch that for an application (its documentation says so); the tool can.
enum MappedFileGuard {
  static func install() {
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { _ in
      // Only calls that are safe in a signal handler.
      let text: StaticString = "\nbackplane: error: a mapped file shrank or its disk failed while it was in use (load it again; replace model files by renaming a new one over them)\n"
      _ = write(STDERR_FILENO, text.utf8Start, text.utf8CodeUnitCount)
      _exit(1)
    }
    sigaction(SIGBUS, &action, nil)
  }
}
