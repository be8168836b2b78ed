import BackplanePluginKit
import NPUStubEngine

/// The first bytes of an exported program: enough to judge it without reading further.
struct BlobHeader {
  static let magicNumber: UInt64 = 0x424c_4250_5550_4e42  // "BNPUPBLB" in memory
  static let layoutVersion: UInt32 = 1

  var magic = BlobHeader.magicNumber
  var version = BlobHeader.layoutVersion
  var headerBytes = UInt32(MemoryLayout<BlobHeader>.size)
  var pluginBuild = buildNumber
  var driverMajor = driverVersion.major
  var driverMinor = driverVersion.minor
  var uuid = SIMD2<UInt64>()
  /// Changes with the chip description.
  var capsEpoch: UInt64 = 0
  var graphHash: UInt64 = 0
  var payloadBytes: UInt64 = 0
  var payloadChecksum: UInt64 = 0
  /// Of the header with 0 here.
  var headerChecksum: UInt64 = 0

  private var ownChecksum: UInt64 {
    var copy = self
    copy.headerChecksum = 0
    return withUnsafeBytes(of: &copy) { npu_checksum($0.baseAddress, UInt64($0.count)) }
  }

  /// For a program of this device.
  init(_ device: Device, graphHash: UInt64, payload: [UInt8]) {
    (uuid, capsEpoch, self.graphHash) = (device.uuid, device.chip.hash, graphHash)
    payloadBytes = UInt64(payload.count)
    payloadChecksum = npu_checksum(payload, payloadBytes)
    headerChecksum = ownChecksum
  }

  /// nil when the bytes do not begin with a whole header of ours.
  init?(_ bytes: UnsafeRawBufferPointer) {
    guard bytes.count >= MemoryLayout<BlobHeader>.size else { return nil }
    self = bytes.loadUnaligned(as: BlobHeader.self)
    guard magic == BlobHeader.magicNumber, ownChecksum == headerChecksum else { return nil }
  }

  enum Fitness: UInt32 { case optimal, usable, recompile, never }

  static func judge(_ bytes: UnsafeRawBufferPointer, _ device: Device) -> Fitness {
    guard let header = BlobHeader(bytes) else { return .never }
    guard header.version == layoutVersion, header.pluginBuild == buildNumber, header.driverMajor == driverVersion.major, header.uuid == device.uuid,
          header.capsEpoch == device.chip.hash else { return .recompile }
    return header.driverMinor == driverVersion.minor ? .optimal : .usable
  }
}

/// Trivial values one behind the other.
struct BlobWriter {
  var bytes: [UInt8] = []

  mutating func add<T: BitwiseCopyable>(_ values: [T]) {
    withUnsafeBytes(of: UInt64(values.count)) { bytes.append(contentsOf: $0) }
    values.withUnsafeBytes { bytes.append(contentsOf: $0) }
  }
}

struct BlobReader {
  let bytes: UnsafeRawBufferPointer
  private var at = 0

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  mutating func read<T: BitwiseCopyable>(_: T.Type) throws(PluginError) -> [T] {
    guard bytes.count - at >= 8 else { throw BlobReader.stale("it ends too early") }
    let count = bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self)
    at += 8
    guard count <= UInt64((bytes.count - at) / MemoryLayout<T>.stride) else { throw BlobReader.stale("it ends too early") }
    defer { at += Int(count) * MemoryLayout<T>.stride }
    return (0..<Int(count)).map { bytes.loadUnaligned(fromByteOffset: at + $0 * MemoryLayout<T>.stride, as: T.self) }
  }

  static func stale(_ why: String) -> PluginError {
    PluginError(BP_E_STALE_BLOB, "the compiled program cannot be used: \(why)")
  }
}
