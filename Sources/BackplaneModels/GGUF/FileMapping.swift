import Foundation

/// Bytes that stay where they are while the object lives: a file mapped read-only, or a copy on the heap.
final class FileMapping: @unchecked Sendable {
  let path: String
  let bytes: UnsafeRawBufferPointer
  private let descriptor: CInt  // -1: the bytes are ours
  private let stamp: Stamp

  /// What tells one version of a file from the next.
  private struct Stamp: Equatable {
    var size = 0
    var seconds = 0
    var nanoseconds = 0

    init() {}
    init(_ status: stat) {
      size = Int(status.st_size)
      seconds = Int(status.st_mtim.tv_sec)
      nanoseconds = Int(status.st_mtim.tv_nsec)
    }
  }

  /// Maps a regular file read-only.
  ///
  /// - Throws: `BackplaneError` (file) when it is missing, unreadable, a directory, not a regular file, or empty.
  init(path: String) throws(BackplaneError) {
    // Non-blocking: opening a FIFO must not wait for a writer. It means nothing for a regular file.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    if descriptor < 0 { throw FileMapping.openError(path, errno) }
    func fail(_ message: String, _ hint: String) -> BackplaneError {
      close(descriptor)
      return BackplaneError(.file, message, subject: path, hint: hint)
    }
    var status = stat()
    if fstat(descriptor, &status) != 0 { throw fail("cannot be examined: \(systemText(errno))", "check the disk") }
    switch status.st_mode & S_IFMT {
    case S_IFREG: break
    case S_IFDIR: throw fail("is a directory, not a file", "name a .gguf file inside it")
    default: throw fail("is not a regular file", "copy its contents into one: it has to be mapped into memory")
    }
    let size = Int(status.st_size)
    if size == 0 { throw fail("the file is empty (0 bytes)", "copy or download it again") }
    guard let base = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), base != MAP_FAILED else {
      throw fail("cannot be mapped into memory (\(size) bytes): \(systemText(errno))", "free address space, or raise the limit `ulimit -v`")
    }
    self.path = path
    self.descriptor = descriptor
    stamp = Stamp(status)
    bytes = UnsafeRawBufferPointer(start: base, count: size)
  }

  /// False for a copy on the heap.
  var isMapped: Bool { descriptor >= 0 }

  /// A copy of `contents` on the heap.
  init(contents: some Collection<UInt8>, path: String = "in memory") {
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: max(contents.count, 1), alignment: 16)
    copy.copyBytes(from: contents)
    self.path = path
    descriptor = -1
    stamp = Stamp()
    bytes = UnsafeRawBufferPointer(rebasing: copy[..<contents.count])
  }

  /// - Throws: `BackplaneError` (file) when the file's size or modification time is no longer what it was.
  func checkUnchanged() throws(BackplaneError) {
    if descriptor < 0 { return }
    var status = stat()
    if fstat(descriptor, &status) != 0 {
      throw BackplaneError(.file, "cannot be examined: \(systemText(errno))", subject: path, hint: "check the disk")
    }
    let now = Stamp(status)
    if now == stamp { return }
    let what = now.size == stamp.size ? "was written to" : "changed from \(stamp.size) to \(now.size) bytes"
    throw BackplaneError(.file, "\(what) while it was in use", subject: path,
                         hint: "load it again; replace model files by renaming a new one over them, not by writing into them")
  }

  deinit {
    if descriptor < 0 { return UnsafeMutableRawPointer(mutating: bytes.baseAddress!).deallocate() }
    munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress!), bytes.count)
    close(descriptor)
  }

  private static func openError(_ path: String, _ code: CInt) -> BackplaneError {
    switch code {
    case ENOENT, ENOTDIR: BackplaneError(.file, "no such file", subject: path, hint: "check the path")
    case EACCES, EPERM: BackplaneError(.file, "may not be read", subject: path, hint: "check its permissions: `ls -l`")
    default: BackplaneError(.file, "cannot be opened: \(systemText(code))", subject: path, hint: "check the path and the disk")
    }
  }
}

/// The system's words for an error number.
func systemText(_ code: CInt) -> String { String(cString: strerror(code)) }
