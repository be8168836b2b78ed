import BackplaneCore

/// The file of one blob: a header, the key, and the value from a page boundary on, so that it can be used where it is mapped.
///
///     0  "BPBLOB", 0, 1        16  offset of the value      32  checksum of the value
///     8  bytes of the key      24  bytes of the value       40  checksum of bytes 0..<40 and the key
///     64 the key
///
/// All numbers little-endian, 64 bits. A file is written once, under another name, and never changed.
struct BlobFile {
  static let headerBytes = 64, alignment = 4096, longestKey = 1 << 20
  private static let magic: UInt64 = 0x0100_424F_4C42_5042

  let key: UnsafeRawBufferPointer
  let value: UnsafeRawBufferPointer
  private let valueSum: UInt64

  /// What is written before a value.
  static func front(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) -> [UInt8] {
    let offset = (headerBytes + key.count + alignment - 1) / alignment * alignment
    var bytes = [UInt8](repeating: 0, count: offset)
    bytes.withUnsafeMutableBytes { bytes in
      for (i, number) in [magic, UInt64(key.count), UInt64(offset), UInt64(value.count), checksum(value)].enumerated() {
        bytes.storeBytes(of: number.littleEndian, toByteOffset: i * 8, as: UInt64.self)
      }
      bytes.storeBytes(of: sum(ofFront: UnsafeRawBufferPointer(bytes), key: key).littleEndian, toByteOffset: 40, as: UInt64.self)
      UnsafeMutableRawBufferPointer(rebasing: bytes[headerBytes..<headerBytes + key.count]).copyMemory(from: key)
    }
    return bytes
  }

  /// - Throws: ``BackplaneError`` (file) when header or key are not what was written, or the file has another length.
  init(_ bytes: UnsafeRawBufferPointer, path: String) throws(BackplaneError) {
    func broken(_ what: String) -> BackplaneError { BackplaneError(.file, "is no whole blob: \(what)", subject: path, hint: "backplane cache verify") }
    guard bytes.count >= BlobFile.headerBytes else { throw broken("\(bytes.count) bytes are too few") }
    func number(_ i: Int) -> UInt64 { UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: i * 8, as: UInt64.self)) }
    guard number(0) == BlobFile.magic else { throw broken("the magic number is 0x\(String(number(0), radix: 16))") }
    guard let keyBytes = Int(exactly: number(1)), keyBytes <= BlobFile.longestKey, let offset = Int(exactly: number(2)), let valueBytes = Int(exactly: number(3)),
          offset >= BlobFile.headerBytes + keyBytes, offset <= bytes.count, valueBytes == bytes.count - offset
    else { throw broken("it has \(bytes.count) bytes, the header says \(number(2)) + \(number(3))") }
    key = UnsafeRawBufferPointer(rebasing: bytes[BlobFile.headerBytes..<BlobFile.headerBytes + keyBytes])
    value = UnsafeRawBufferPointer(rebasing: bytes[offset...])
    valueSum = number(4)
    guard BlobFile.sum(ofFront: bytes, key: key) == number(5) else { throw broken("the header's checksum differs") }
  }

  /// Reads all of the value.
  var isWhole: Bool { BlobFile.checksum(value) == valueSum }

  private static func sum(ofFront bytes: UnsafeRawBufferPointer, key: UnsafeRawBufferPointer) -> UInt64 {
    checksum(UnsafeRawBufferPointer(rebasing: bytes[0..<40])) &* 3 &+ checksum(key)
  }

  /// Finds damage, not malice: four lanes of FNV-1a over 64-bit words (each step of a lane is one to one, so one wrong word always
  /// shows), joined with the length.
  static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    let prime: UInt64 = 0x100_0000_01B3
    var a: UInt64 = 0xCBF2_9CE4_8422_2325, b = a &+ 1, c = a &+ 2, d = a &+ 3
    var i = 0
    while i + 32 <= bytes.count {
      a = (a ^ bytes.loadUnaligned(fromByteOffset: i, as: UInt64.self)) &* prime
      b = (b ^ bytes.loadUnaligned(fromByteOffset: i + 8, as: UInt64.self)) &* prime
      c = (c ^ bytes.loadUnaligned(fromByteOffset: i + 16, as: UInt64.self)) &* prime
      d = (d ^ bytes.loadUnaligned(fromByteOffset: i + 24, as: UInt64.self)) &* prime
      i += 32
    }
    while i < bytes.count {
      a = (a ^ UInt64(bytes[i])) &* prime
      i += 1
    }
    var all = UInt64(bytes.count)
    for lane in [a, b, c, d] { all = (all ^ lane ^ (lane >> 29)) &* prime }
    return all ^ (all >> 32)
  }
}
