import BackplaneCore
import BackplaneRegistry
import Foundation
import Synchronization

/// What plugins and the host keep on disk between runs, by key: compiled programs, packed weights.
///
/// One file a blob, named by the SHA-256 of its key, in one folder that belongs to the user. A blob is written under another name and
/// then renamed, so readers in other processes see all of it or nothing, and a process that is killed leaves at most a file that the next
/// one deletes. Least recently used blobs go when the folder grows beyond its limit; what is mapped stays readable. A blob that is damaged
/// is reported, deleted and absent from then on. Any thread, any number of processes.
public final class BlobStore: Sendable {
  /// A value, mapped as long as the object lives.
  public final class Blob: Sendable {
    private let file: MappedFile
    private let range: Range<Int>
    init(_ file: MappedFile, _ range: Range<Int>) { (self.file, self.range) = (file, range) }
    /// Begins at a page boundary.
    public var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: file.bytes[range]) }
  }

  public struct Entry: Sendable {
    public var path: String
    public var byteCount: Int
    public var lastUsed: Date
  }

  public let directory: String
  /// Bytes of files that the folder holds at most.
  public let limit: Int
  /// Values up to this size are checked each time that they are read, larger ones by ``damaged()``.
  public static let checkedBytes = 64 << 20
  private let report: @Sendable (String) -> Void
  /// Bytes in the folder as far as this object knows; nil before the first look.
  private let known = Mutex<Int?>(nil)
  private let counter = Atomic<Int>(0)
  /// Bytes that can be written until the disk counts as full: a fault for tests.
  let room = Mutex<Int?>(nil)

  /// - Parameters:
  ///   - directory: Made when it is first needed, readable by its owner only.
  ///   - report: Told of blobs that are damaged.
  public init(directory: String, limit: Int = 4 << 30, report: @escaping @Sendable (String) -> Void = { _ in }) {
    (self.directory, self.limit, self.report) = (directory, limit, report)
  }

  /// `$XDG_CACHE_HOME/backplane/blobs`, or under `~/.cache`; nil where there is no home.
  public static func standardDirectory(_ environment: [String: String]) -> String? { PluginRegistry.cacheFolder(environment).map { $0 + "/blobs" } }

  private func name(_ key: UnsafeRawBufferPointer) -> String {
    var sha = SHA256()
    sha.update(key)
    return SHA256.hexadecimal(sha.finish())
  }

  private func path(_ key: UnsafeRawBufferPointer) -> String { "\(directory)/\(name(key)).blob" }

  // MARK: Reading and writing

  /// - Returns: Nil when there is no such blob, or it is damaged.
  public func get(_ key: UnsafeRawBufferPointer) -> Blob? {
    let path = path(key)
    guard access(path, R_OK) == 0 else { return nil }
    do throws(BackplaneError) {
      let file = try MappedFile(path), blob = try BlobFile(file.bytes, path: path)
      guard blob.key.elementsEqual(key) else { throw BackplaneError(.file, "holds another key", subject: path) }
      guard blob.value.count > BlobStore.checkedBytes || blob.isWhole else { throw BackplaneError(.file, "is damaged: its checksum differs", subject: path) }
      utimensat(AT_FDCWD, path, nil, 0)
      return Blob(file, file.byteCount - blob.value.count..<file.byteCount)
    } catch {
      // Another process may have evicted it just now: nothing to report.
      if access(path, F_OK) == 0 {
        unlink(path)
        report("\(error); deleted, it will be made again")
      }
      return nil
    }
  }

  /// Keeps a value; one of the same key is replaced. Others may go to make room.
  ///
  /// - Throws: ``BackplaneError`` (file): what the system says, such as a full disk. The store is as it was.
  public func put(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws(BackplaneError) {
    guard key.count <= BlobFile.longestKey else { throw BackplaneError(.invalid, "a key of \(key.count) bytes; \(BlobFile.longestKey) at most", subject: directory) }
    guard value.count <= limit else {
      throw BackplaneError(.file, "\(value.count) bytes are more than the store may hold (\(limit))", subject: directory, hint: "set cache.limit")
    }
    if known.withLock({ $0 == nil }) {
      makeDirectory()
      sweep()
      let total = entries().reduce(0) { $0 + $1.byteCount }
      known.withLock { $0 = total }
    }
    let path = path(key), temporary = "\(directory)/.\(getpid())-\(counter.add(1, ordering: .relaxed).newValue).tmp"
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw failure("cannot be written", errno) }
    let front = BlobFile.front(key: key, value: value)
    var code = front.withUnsafeBytes { write($0, descriptor) }
    if code == 0 { code = write(value, descriptor) }
    if code == 0, fsync(descriptor) != 0 { code = errno }
    if close(descriptor) != 0, code == 0 { code = errno }
    if code == 0, rename(temporary, path) != 0 { code = errno }
    guard code == 0 else {
      unlink(temporary)
      throw failure("a blob of \(value.count) bytes cannot be kept", code)
    }
    let total = known.withLock { known -> Int in
      known = (known ?? 0) + front.count + value.count
      return known ?? 0
    }
    if total > limit { prune(to: limit / 10 * 9) }
  }

  private func failure(_ what: String, _ code: Int32) -> BackplaneError {
    var error = BackplaneError(.file, "\(what): \(String(cString: strerror(code)))", subject: directory,
                               hint: code == ENOSPC ? "free disk space, or set cache.limit and run: backplane cache prune" : "set cache.directory to a folder that can be written")
    error.nativeCode = Int64(code)
    return error
  }

  /// An errno, 0 when all is written.
  private func write(_ bytes: UnsafeRawBufferPointer, _ descriptor: Int32) -> Int32 {
    var done = 0
    while done < bytes.count {
      let wanted = min(bytes.count - done, 1 << 24)
      let full = room.withLock { room in
        guard let left = room else { return false }
        room = left - wanted
        return left < wanted
      }
      if full { return ENOSPC }
      let n = Glibc.write(descriptor, bytes.baseAddress! + done, wanted)
      if n < 0, errno == EINTR { continue }
      if n <= 0 { return n < 0 ? errno : EIO }
      done += n
    }
    return 0
  }

  private func makeDirectory() {
    // What fails here shows when a file is opened.
    try? FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
  }

  // MARK: Housekeeping

  /// Blobs, least recently used first.
  public func entries() -> [Entry] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
    return names.filter { $0.hasSuffix(".blob") }.compactMap { name in
      var status = stat()
      let path = "\(directory)/\(name)"
      guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
      return Entry(path: path, byteCount: Int(status.st_size), lastUsed: Date(timeIntervalSince1970: Double(status.st_mtim.tv_sec) + Double(status.st_mtim.tv_nsec) / 1e9))
    }.sorted { ($0.lastUsed, $0.path) < ($1.lastUsed, $1.path) }
  }

  /// The printable part of a blob's key: plugins begin theirs with a few words.
  public func label(of entry: Entry) -> String {
    guard let file = try? MappedFile(entry.path), let blob = try? BlobFile(file.bytes, path: entry.path) else { return "(damaged)" }
    return String(decoding: blob.key.prefix(48).prefix { (32..<127).contains($0) }, as: UTF8.self)
  }

  /// Reads every blob.
  ///
  /// - Returns: Those that are damaged, with what is wrong. They are still there.
  public func damaged() -> [(entry: Entry, why: String)] {
    entries().compactMap { entry in
      do throws(BackplaneError) {
        let blob = try MappedFile(entry.path), file = try BlobFile(blob.bytes, path: entry.path)
        guard path(file.key) == entry.path else { return (entry, "its name is not that of its key") }
        return file.isWhole ? nil : (entry, "its checksum differs")
      } catch {
        return access(entry.path, F_OK) == 0 ? (entry, error.message) : nil
      }
    }
  }

  /// Deletes blobs, least recently used first, until `bytes` are left. One process at a time does this; others go on.
  ///
  /// - Returns: How many went, and their bytes.
  @discardableResult public func prune(to bytes: Int) -> (count: Int, byteCount: Int) {
    let lock = open("\(directory)/.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard lock >= 0 else { return (0, 0) }
    defer { close(lock) }
    guard flock(lock, LOCK_EX | LOCK_NB) == 0 else { return (0, 0) }
    sweep()
    let all = entries()
    var total = all.reduce(0) { $0 + $1.byteCount }, count = 0, freed = 0
    for entry in all where total > bytes {
      guard unlink(entry.path) == 0 else { continue }
      (total, count, freed) = (total - entry.byteCount, count + 1, freed + entry.byteCount)
    }
    let left = total
    known.withLock { $0 = left }
    return (count, freed)
  }

  public func remove(_ entry: Entry) { unlink(entry.path) }

  /// Deletes what processes that are gone left half written.
  private func sweep() {
    for name in (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? [] where name.hasPrefix(".") && name.hasSuffix(".tmp") {
      guard let process = pid_t(name.dropFirst().prefix { $0 != "-" }), kill(process, 0) != 0, errno == ESRCH else { continue }
      unlink("\(directory)/\(name)")
    }
  }
}
