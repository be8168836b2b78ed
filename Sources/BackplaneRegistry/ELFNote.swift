import BackplaneABI
import BackplaneCore
import Glibc

/// What a plugin's ELF file says before any of its code runs: the ABI range and layout hashes of `.note.backplane`.
public struct ELFNote: Sendable, Equatable {
  public var minimumABI, maximumABI: ABIVersion
  /// The layout hash of each minor version of the ABI that the plugin states one for.
  public var layoutHashes: [UInt16: UInt64]
  /// "x86_64", "aarch64", or "machine 40".
  public var architecture: String

  #if arch(x86_64)
  public static let hostArchitecture = "x86_64"
  #elseif arch(arm64)
  public static let hostArchitecture = "aarch64"
  #else
  public static let hostArchitecture = "unknown"
  #endif

  /// Reads the note from a file, trusting nothing in it.
  ///
  /// - Throws: ``BackplaneError`` (file): not an ELF file, not a 64-bit little-endian shared library, truncated, no note.
  public static func read(_ path: String) throws(BackplaneError) -> ELFNote {
    let file = try ReadOnlyFile(path)
    return try read(file, subject: path)
  }

  static func read(_ file: ReadOnlyFile, subject: String) throws(BackplaneError) -> ELFNote {
    func refuse(_ message: String, hint: String? = nil) -> BackplaneError { BackplaneError(.file, message, subject: subject, hint: hint) }
    guard let ident = file.bytes(at: 0, count: 16), ident.prefix(4) == [0x7f, 0x45, 0x4c, 0x46] else { throw refuse("not an ELF file") }
    guard ident[4] == 2 else { throw refuse("a 32-bit ELF file; 64-bit is needed") }
    guard ident[5] == 1 else { throw refuse("a big-endian ELF file; little-endian is needed") }
    guard let header = file.bytes(at: 0, count: 64) else { throw refuse("truncated: the ELF header does not fit in \(file.size) bytes") }
    guard header.integer(at: 16, as: UInt16.self) == 3 else { throw refuse("an ELF file, but not a shared library") }
    let machine = header.integer(at: 18, as: UInt16.self)
    let architecture = machine == 62 ? "x86_64" : machine == 183 ? "aarch64" : "machine \(machine)"

    var versions: (UInt32, UInt32)?
    var hashes: [UInt16: UInt64] = [:]
    func take(_ descriptor: ArraySlice<UInt8>) {
      guard descriptor.count >= 24 else { return }
      let d = Array(descriptor.prefix(24))
      if versions == nil { versions = (d.integer(at: 0, as: UInt32.self), d.integer(at: 4, as: UInt32.self)) }
      hashes[UInt16(truncatingIfNeeded: d.integer(at: 8, as: UInt32.self))] = d.integer(at: 16, as: UInt64.self)
    }
    // Segments first: they survive `strip`. Then sections, for a library whose linker made no note segment.
    var sawTable = false
    for kind in [NoteTable.segments, .sections] where versions == nil {
      let (start, entrySize, count) = kind.location(in: header)
      guard count > 0, start > 0 else { continue }
      guard entrySize >= kind.minimumEntrySize, entrySize * count <= 1 << 24,
            let table = file.bytes(at: start, count: entrySize * count) else { throw refuse("truncated: a \(kind) table of \(count) entries does not fit in \(file.size) bytes") }
      sawTable = true
      for i in 0..<count {
        let entry = Array(table[i * entrySize..<i * entrySize + kind.minimumEntrySize])
        guard let (offset, size, alignment) = kind.note(entry) else { continue }
        guard size <= 1 << 20, let notes = file.bytes(at: offset, count: Int(size)) else { throw refuse("truncated: a note of \(size) bytes at \(offset) does not fit in \(file.size) bytes") }
        forEachNote(in: notes, alignment: alignment == 8 ? 8 : 4, take)
      }
    }
    guard let versions else {
      throw refuse(sawTable ? "no .note.backplane: not a Backplane plugin" : "truncated: neither segments nor sections",
                   hint: sawTable ? "a plugin in C defines BP_EMIT_NOTE before including backplane_plugin.h in one file" : nil)
    }
    return ELFNote(minimumABI: ABIVersion(number: versions.0), maximumABI: ABIVersion(number: versions.1), layoutHashes: hashes, architecture: architecture)
  }

  /// Calls `body` with the descriptor of each note named "Backplane" of type 1.
  private static func forEachNote(in notes: [UInt8], alignment: Int, _ body: (ArraySlice<UInt8>) -> Void) {
    func up(_ n: Int) -> Int { (n + alignment - 1) / alignment * alignment }
    var at = 0
    while at + 12 <= notes.count {
      let nameSize = Int(notes.integer(at: at, as: UInt32.self)), size = Int(notes.integer(at: at + 4, as: UInt32.self))
      let type = notes.integer(at: at + 8, as: UInt32.self)
      let name = at + 12, descriptor = up(name + nameSize), end = descriptor + size
      guard end <= notes.count else { return }
      // The record in the header counts its 12 bytes of name, padding included.
      if type == 1, notes[name..<name + nameSize].prefix(while: { $0 != 0 }).elementsEqual("Backplane".utf8) { body(notes[descriptor..<end]) }
      at = up(end)
    }
  }
}

private enum NoteTable: String {
  case segments = "segment", sections = "section"

  /// Where the table lies: file offset, bytes of an entry, entries.
  func location(in header: [UInt8]) -> (UInt64, Int, Int) {
    self == .segments
      ? (header.integer(at: 32, as: UInt64.self), Int(header.integer(at: 54, as: UInt16.self)), Int(header.integer(at: 56, as: UInt16.self)))
      : (header.integer(at: 40, as: UInt64.self), Int(header.integer(at: 58, as: UInt16.self)), Int(header.integer(at: 60, as: UInt16.self)))
  }
  var minimumEntrySize: Int { self == .segments ? 56 : 64 }

  /// (file offset, bytes, alignment) when the entry is one of notes.
  func note(_ e: [UInt8]) -> (UInt64, UInt64, UInt64)? {
    if self == .segments {
      guard e.integer(at: 0, as: UInt32.self) == 4 else { return nil }  // PT_NOTE
      return (e.integer(at: 8, as: UInt64.self), e.integer(at: 32, as: UInt64.self), e.integer(at: 48, as: UInt64.self))
    }
    guard e.integer(at: 4, as: UInt32.self) == 7 else { return nil }  // SHT_NOTE
    return (e.integer(at: 24, as: UInt64.self), e.integer(at: 32, as: UInt64.self), e.integer(at: 48, as: UInt64.self))
  }
}

extension NoteTable: CustomStringConvertible { var description: String { rawValue } }

extension [UInt8] {
  /// The little-endian integer at `offset`, which the caller has checked.
  func integer<T: FixedWidthInteger>(at offset: Int, as _: T.Type) -> T {
    withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: T.self) }
  }
}

/// A regular file, open for reading.
final class ReadOnlyFile {
  let descriptor: Int32
  let size: Int
  let status: stat

  init(_ path: String) throws(BackplaneError) {
    descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw BackplaneError(.file, "cannot be opened: \(String(cString: strerror(errno)))", subject: path) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw BackplaneError(.file, "not a regular file", subject: path)
    }
    self.status = status
    size = Int(status.st_size)
  }

  deinit { close(descriptor) }

  /// Exactly `count` bytes; nil when the file does not have them.
  func bytes(at offset: UInt64, count: Int) -> [UInt8]? {
    guard count >= 0, offset <= UInt64(size), UInt64(count) <= UInt64(size) - offset else { return nil }
    if count == 0 { return [] }
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      while initialized < count {
        let got = pread(descriptor, buffer.baseAddress! + initialized, count - initialized, off_t(offset) + off_t(initialized))
        if got <= 0 { break }
        initialized += got
      }
    }
    return bytes.count == count ? bytes : nil
  }
}
