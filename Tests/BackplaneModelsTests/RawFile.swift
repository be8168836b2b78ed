import BackplaneModels
import Foundation

/// Writes GGUF headers field by field, right or wrong.
struct RawFile {
  var bytes: [UInt8] = []

  init(magic: String = "GGUF", version: UInt32 = 3, tensors: UInt64 = 0, pairs: UInt64 = 0) {
    bytes = Array(magic.utf8)
    u32(version)
    u64(tensors)
    u64(pairs)
  }

  mutating func u32(_ value: UInt32) { bytes += withUnsafeBytes(of: value, Array.init) }
  mutating func u64(_ value: UInt64) { bytes += withUnsafeBytes(of: value, Array.init) }
  mutating func text(_ text: String) {
    u64(UInt64(text.utf8.count))
    bytes += text.utf8
  }
  mutating func pad(to alignment: Int = 32, extra: Int = 0) { bytes += repeatElement(0, count: -bytes.count & (alignment - 1) + extra) }

  /// A tensor record; `extents` as in the file, innermost first.
  mutating func tensor(_ name: String, rank: UInt32? = nil, _ extents: [UInt64], type: UInt32 = 0, offset: UInt64 = 0) {
    text(name)
    u32(rank ?? UInt32(extents.count))
    for extent in extents { u64(extent) }
    u32(type)
    u64(offset)
  }

  /// A file with one pair of type u8.
  static func pair(_ key: String, type: UInt32, _ value: (inout RawFile) -> Void = { _ in }) -> RawFile {
    var file = RawFile(pairs: 1)
    file.text(key)
    file.u32(type)
    value(&file)
    return file
  }

  /// A file with one tensor and 64 KiB of data.
  static func tensor(_ extents: [UInt64], rank: UInt32? = nil, type: UInt32 = 0, offset: UInt64 = 0) -> RawFile {
    var file = RawFile(tensors: 1)
    file.tensor("w", rank: rank, extents, type: type, offset: offset)
    file.pad(extra: 65_536)
    return file
  }
}

/// A folder that goes away with the test.
final class TemporaryFolder {
  let path: String
  init() {
    path = FileManager.default.temporaryDirectory.appendingPathComponent("backplane-models-\(UUID().uuidString)").path
    try! FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }
  deinit { try? FileManager.default.removeItem(atPath: path) }
  func file(_ name: String) -> String { path + "/" + name }
  func write(_ name: String, _ bytes: some Sequence<UInt8>) -> String {
    try! Data(bytes).write(to: URL(fileURLWithPath: file(name)))
    return file(name)
  }
}

/// The bytes of each synthetic model, made once.
enum Synthetic {
  static let contents: [SyntheticModel.Architecture: [UInt8]] = Dictionary(
    uniqueKeysWithValues: SyntheticModel.Architecture.allCases.map { ($0, SyntheticModel.writer($0).encoded()) })

  static func file(_ architecture: SyntheticModel.Architecture) throws -> GGUFFile {
    try GGUFFile(contents: contents[architecture]!, name: "\(architecture.rawValue).gguf")
  }
}

/// `Tests/Fixtures`, found from this file.
let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Fixtures")
