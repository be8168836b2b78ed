import BackplaneABI
@testable import BackplaneKernelKit
import BackplanePluginKit
import Testing

/// The store of compiled kernels: what is damaged or of another driver is not used.
@Suite(.serialized) struct ProgramCacheTests {
  /// A host with a store of one shelf.
  private final class Shelf: @unchecked Sendable {
    nonisolated(unsafe) static var blobs: [[UInt8]: [UInt8]] = [:]
    nonisolated(unsafe) static var warnings = 0
    static func host() throws -> Host {
      blobs = [:]
      warnings = 0
      var table = bp_host()
      table.h = bp_head(struct_size: UInt32(MemoryLayout<bp_host>.size), struct_type: BP_ST_HOST, next: nil)
      (table.abi_min, table.abi_max) = (UInt32(BP_ABI_1_0), UInt32(BP_ABI_1_0))
      table.log_enabled = { _, _, _ in 1 }
      table.log = { _, _, _, _, _ in Shelf.warnings += 1 }
      table.store_get = { _, _, key, out, _ in
        guard let blob = Shelf.blobs[Array(UnsafeRawBufferPointer(start: key.ptr, count: Int(key.len)))] else { return BP_E_INVALID }
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: blob.count, alignment: 16)
        copy.copyBytes(from: blob)
        out?.pointee = bp_span(ptr: copy.baseAddress, len: UInt64(blob.count))  // small: left to the test's end
        return BP_OK
      }
      table.store_put = { _, _, key, value, _ in
        Shelf.blobs[Array(UnsafeRawBufferPointer(start: key.ptr, count: Int(key.len)))] = Array(UnsafeRawBufferPointer(start: value.ptr, count: Int(value.len)))
        return BP_OK
      }
      return try withUnsafePointer(to: &table) { table throws(PluginError) in try Host(table, abi: UInt32(BP_ABI_1_0)...UInt32(BP_ABI_1_0)) }
    }
  }

  @Test func whatIsKeptIsFoundBySourceOptionsAndDriver() throws {
    let host = try Shelf.host()
    let cache = ProgramCache(host, environment: "driver 1")
    #expect(cache.isThere && cache.find("s", "o") == nil)
    cache.keep([1, 2, 3], "s", "o")
    #expect(cache.find("s", "o") == [1, 2, 3])
    #expect(cache.find("s", "p") == nil && cache.find("so", "") == nil)
    #expect(ProgramCache(host, environment: "driver 2").find("s", "o") == nil)
    #expect(Shelf.warnings == 0)
  }

  @Test func aDamagedEntryIsReportedAndNotUsed() throws {
    let cache = ProgramCache(try Shelf.host(), environment: "driver")
    cache.keep([UInt8](0..<100), "s", "o")
    let (key, value) = try #require(Shelf.blobs.first)
    for byte in [0, 9, 30, 41, 60, value.count - 1] {
      var damaged = value
      damaged[byte] ^= 1
      Shelf.blobs[key] = damaged
      #expect(cache.find("s", "o") == nil, "byte \(byte)")
    }
    Shelf.blobs[key] = Array(value.dropLast(5))
    #expect(cache.find("s", "o") == nil)
    #expect(Shelf.warnings == 7)
    Shelf.blobs[key] = value
    #expect(cache.find("s", "o") != nil)
  }
}
