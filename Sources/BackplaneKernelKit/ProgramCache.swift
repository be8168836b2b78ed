import BackplaneABI
public import BackplanePluginKit

/// Compiled device code in the host's blob store, by content and driver. An entry that is damaged or of another build is reported and left.
public struct ProgramCache: Sendable {
  private let host: Host
  private let environment: String
  private static let magic: [UInt8] = Array("BPKERNEL".utf8)
  private static let headerBytes = 8 + 16 + 16 + 8

  /// - Parameter environment: All that the compiled form depends on beside source and options: plugin, driver, device.
  public init(_ host: Host, environment: String) { (self.host, self.environment) = (host, environment) }

  /// Whether the host has a store at all.
  public var isThere: Bool {
    var out = bp_span(), pin: UnsafeMutableRawPointer?
    let status = with([0]) { host.table.pointee.store_get(host.table.pointee.ctx, BP_STORE_BLOB, $0, &out, &pin) }
    if status == BP_OK { host.table.pointee.store_unpin(host.table.pointee.ctx, pin) }
    return status != BP_E_UNSUPPORTED
  }

  private func with<T>(_ bytes: [UInt8], _ body: (bp_span) -> T) -> T {
    bytes.withUnsafeBytes { body(bp_span(ptr: $0.baseAddress, len: UInt64($0.count))) }
  }

  private func key(_ source: String, _ options: String) -> [UInt8] { contentHash([environment, options, source].map { Array($0.utf8) }) }

  public func find(_ source: String, _ options: String) -> [UInt8]? {
    let key = key(source, options)
    var out = bp_span(), pin: UnsafeMutableRawPointer?
    guard with(key, { host.table.pointee.store_get(host.table.pointee.ctx, BP_STORE_BLOB, $0, &out, &pin) }) == BP_OK else { return nil }
    defer { host.table.pointee.store_unpin(host.table.pointee.ctx, pin) }
    let bytes = out.ptr.map { Array(UnsafeRawBufferPointer(start: $0, count: Int(out.len))) } ?? []
    guard bytes.count > ProgramCache.headerBytes, Array(bytes[0..<8]) == ProgramCache.magic, Array(bytes[8..<24]) == key,
          Array(bytes[24..<40]) == contentHash([Array(bytes[ProgramCache.headerBytes...])]),
          bytes[40..<48].enumerated().reduce(0, { $0 | Int($1.element) << (8 * $1.offset) }) == bytes.count - ProgramCache.headerBytes else {
      host.log(BP_LOG_WARNING, "kernels", "an entry of the blob store (\(bytes.count) bytes) is damaged or stale: the kernel is compiled anew")
      return nil
    }
    return Array(bytes[ProgramCache.headerBytes...])
  }

  public func keep(_ binary: [UInt8], _ source: String, _ options: String) {
    let key = key(source, options)
    let value = ProgramCache.magic + key + contentHash([binary]) + (0..<8).map { UInt8(truncatingIfNeeded: binary.count >> (8 * $0)) } + binary
    _ = with(key) { key in with(value) { host.table.pointee.store_put(host.table.pointee.ctx, BP_STORE_BLOB, key, $0, 0) } }
  }
}

/// 128 bits of FNV-1a over pieces and their lengths.
func contentHash(_ pieces: [[UInt8]]) -> [UInt8] {
  var hash: UInt128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d
  func add(_ byte: UInt8) { hash = (hash ^ UInt128(byte)) &* 0x0000_0000_0100_0000_0000_0000_0000_013b }
  for piece in pieces {
    for i in 0..<8 { add(UInt8(truncatingIfNeeded: piece.count >> (8 * i))) }
    for byte in piece { add(byte) }
  }
  return (0..<16).map { UInt8(truncatingIfNeeded: hash >> (8 * UInt128($0))) }
}
