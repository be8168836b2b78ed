import BackplaneCore
import Glibc

/// A file as read-only memory.
///
/// The mapping lives as long as the object. Any thread. A file that somebody cuts short while it is mapped cannot be read past its
/// new end (the process gets SIGBUS): ``checkUnchanged()`` finds that out before.
public final class MappedFile: @unchecked Sendable {
  public let path: String
  public let bytes: UnsafeRawBufferPointer
  private let descriptor: Int32
  private let identity: Identity

  public enum Access: Sendable {
    /// Pages soon to be read from front to back.
    case sequential
    case random
    /// Pages wanted soon: the system may begin to read.
    case willNeed
    /// Pages not wanted for now: they leave memory, and come back from the file when they are read.
    case dontNeed
  }

  private struct Identity: Equatable {
    var device: UInt, inode: UInt, size: Int, seconds: Int, nanoseconds: Int
    init(_ status: stat) {
      device = UInt(status.st_dev)
      inode = UInt(status.st_ino)
      size = Int(status.st_size)
      (seconds, nanoseconds) = (status.st_mtim.tv_sec, status.st_mtim.tv_nsec)
    }
  }

  /// - Throws: ``BackplaneError`` (file): what the system says, or that it is no regular file.
  public init(_ path: String) throws(BackplaneError) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw MappedFile.error("cannot be opened", path) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      defer { close(descriptor) }
      throw MappedFile.error("cannot be examined", path)
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw BackplaneError(.file, "is no regular file", subject: path)
    }
    let size = Int(status.st_size)
    if size == 0 {
      bytes = UnsafeRawBufferPointer(start: nil, count: 0)
    } else {
      guard let address = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), address != MAP_FAILED else {
        defer { close(descriptor) }
        throw MappedFile.error("cannot be mapped (\(size) bytes)", path)
      }
      bytes = UnsafeRawBufferPointer(start: address, count: size)
    }
    self.path = path
    self.descriptor = descriptor
    identity = Identity(status)
  }

  deinit {
    if let address = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: address), bytes.count) }
    close(descriptor)
  }

  public var byteCount: Int { bytes.count }

  /// A part of the file.
  ///
  /// - Throws: ``BackplaneError`` (file) when the file is too short.
  public func range(offset: Int, byteCount: Int) throws(BackplaneError) -> UnsafeRawBufferPointer {
    guard offset >= 0, byteCount >= 0, offset <= bytes.count, byteCount <= bytes.count - offset else {
      throw BackplaneError(.file, "bytes \(offset)..<\(offset &+ byteCount) are wanted, but the file has \(bytes.count)", subject: path,
                           hint: "is it cut short?")
    }
    return UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + byteCount])
  }

  /// A hint to the system about whole pages of the range; it may be ignored.
  public func advise(_ access: Access, offset: Int = 0, byteCount: Int? = nil) {
    guard let start = bytes.baseAddress else { return }
    let page = sysconf(Int32(_SC_PAGESIZE))
    let end = min(bytes.count, offset + (byteCount ?? bytes.count - offset))
    // Of pages to be dropped only whole ones; of others all that are touched.
    let first = access == .dontNeed ? (offset + page - 1) / page * page : offset / page * page
    let last = access == .dontNeed && end < bytes.count ? end / page * page : end
    guard first < last else { return }
    let advice: Int32 = switch access {
    case .sequential: MADV_SEQUENTIAL
    case .random: MADV_RANDOM
    case .willNeed: MADV_WILLNEED
    case .dontNeed: MADV_DONTNEED
    }
    madvise(UnsafeMutableRawPointer(mutating: start + first), last - first, advice)
  }

  /// - Throws: ``BackplaneError`` (file) when size or time of the file differ from when it was mapped.
  public func checkUnchanged() throws(BackplaneError) {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw MappedFile.error("cannot be examined", path) }
    guard Identity(status) == identity else {
      throw BackplaneError(.file, "has changed since it was mapped (\(identity.size) bytes then, \(status.st_size) now)", subject: path,
                           hint: "load it again")
    }
  }

  private static func error(_ what: String, _ path: String) -> BackplaneError {
    let code = errno
    var error = BackplaneError(.file, "\(what): \(String(cString: strerror(code)))", subject: path)
    error.nativeCode = Int64(code)
    return error
  }
}
