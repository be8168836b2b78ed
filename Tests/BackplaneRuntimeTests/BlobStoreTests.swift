import BackplaneABI
import BackplaneCore
@testable import BackplaneRuntime
import Foundation
import Synchronization
import Testing

@Suite struct BlobStoreTests {
  private let folder = FileManager.default.temporaryDirectory.path + "/backplane-blobs-\(UUID().uuidString)"

  private func value(_ seed: Int, _ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: ($0 &* 31) ^ ($0 >> 8) ^ seed) } }

  private func put(_ store: BlobStore, _ key: String, _ value: [UInt8]) throws {
    try Array(key.utf8).withUnsafeBytes { key in try value.withUnsafeBytes { try store.put(key, $0) } }
  }

  private func get(_ store: BlobStore, _ key: String) -> [UInt8]? { Array(key.utf8).withUnsafeBytes { store.get($0).map { Array($0.bytes) } } }

  private func withStore(limit: Int = 1 << 30, _ body: (BlobStore, @escaping () -> [String]) throws -> Void) rethrows {
    let reports = ReportList()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try body(BlobStore(directory: folder, limit: limit) { text in reports.texts.withLock { $0.append(text) } }, { reports.texts.withLock { $0 } })
  }

  private func files() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: folder) }

  private final class ReportList: Sendable { let texts = Mutex<[String]>([]) }

  @Test func aValueIsReadBackByAnotherStore() throws {
    try withStore { store, reports in
      for count in [0, 1, 31, 32, 33, 4096, 100_001] {
        try put(store, "program \(count)", value(count, count))
        #expect(get(BlobStore(directory: folder), "program \(count)") == value(count, count))
      }
      #expect(get(store, "another") == nil)
      #expect(store.entries().count == 7 && store.damaged().isEmpty && reports().isEmpty)
      #expect(store.label(of: store.entries()[0]).hasPrefix("program "))
      try put(store, "program 33", [1, 2])
      #expect(get(store, "program 33") == [1, 2])
      #expect((try FileManager.default.attributesOfItem(atPath: folder)[.posixPermissions] as? Int) == 0o700)
    }
  }

  @Test func valuesBeginAtAPage() throws {
    try withStore { store, _ in
      try put(store, String(repeating: "k", count: 5000), [7, 8, 9])
      let blob = Array(String(repeating: "k", count: 5000).utf8).withUnsafeBytes { store.get($0) }
      #expect(UInt(bitPattern: try #require(blob).bytes.baseAddress) % 4096 == 0)
    }
  }

  /// Each byte of a small file, and each length: never a wrong value.
  @Test func damageIsFoundReportedAndDeleted() throws {
    try withStore { store, reports in
      let right = value(5, 40)
      try put(store, "key", right)
      let path = store.entries()[0].path, whole = try Data(contentsOf: URL(fileURLWithPath: path))
      // What lies between key and value is looked at by nobody.
      let places = Array(0..<48) + Array(64..<67) + Array(4096..<whole.count)
      for at in places {
        var broken = whole
        broken[at] ^= 0x10
        try broken.write(to: URL(fileURLWithPath: path))
        #expect(store.damaged().count == 1, "byte \(at)")
        #expect(get(store, "key") == nil, "byte \(at)")
        #expect(!FileManager.default.fileExists(atPath: path), "byte \(at)")
      }
      #expect(reports().count == places.count)
      #expect(reports()[0].contains(path))
      for length in [0, 1, 63, 64, 66, 4095, 4096, whole.count - 1] {
        try whole.prefix(length).write(to: URL(fileURLWithPath: path))
        #expect(get(store, "key") == nil, "\(length) bytes")
      }
      try (whole + [0]).write(to: URL(fileURLWithPath: path))
      #expect(get(store, "key") == nil)
      try put(store, "key", right)
      #expect(get(store, "key") == right)
    }
  }

  @Test func whatWasUsedLongestAgoGoesFirst() throws {
    try withStore(limit: 60_000) { store, _ in
      for i in 0..<5 {
        try put(store, "\(i)", value(i, 6000))  // 10,096 bytes of file each
        let date = Date(timeIntervalSince1970: Double(1_000_000 + i))
        for entry in store.entries() where entry.lastUsed > Date(timeIntervalSince1970: 2_000_000) {
          try FileManager.default.setAttributes([.modificationDate: date], ofItemAtPath: entry.path)
        }
      }
      #expect(get(store, "0") != nil)  // now the one used last
      let pinned = Array("1".utf8).withUnsafeBytes { store.get($0) }
      try FileManager.default.setAttributes([.modificationDate: Date(timeIntervalSince1970: 1)], ofItemAtPath: store.entries().last!.path)
      try put(store, "5", value(5, 6000))
      #expect(get(store, "1") == nil && get(store, "2") != nil && get(store, "0") != nil && get(store, "5") != nil)
      #expect(Array(try #require(pinned).bytes) == value(1, 6000), "what is mapped stays")
      #expect(throws: BackplaneError.self) { try put(store, "big", value(0, 60_001)) }
      #expect(store.prune(to: 0).count == 5 && store.entries().isEmpty)
    }
  }

  @Test func aFullDiskLeavesTheStoreAsItWas() throws {
    try withStore { store, _ in
      try put(store, "a", value(1, 5000))
      store.room.withLock { $0 = 6000 }
      let error = #expect(throws: BackplaneError.self) { try put(store, "a", value(2, 5000)) }
      #expect(error?.nativeCode == Int64(ENOSPC))
      #expect(get(store, "a") == value(1, 5000))
      #expect(try files().count == 1, "nothing half written stays")
    }
  }

  @Test func aPluginIsToldAndTheRunGoesOn() {
    withStore { store, _ in
      let messages = ReportList()
      let host = PluginHost(pool: ThreadPool(workers: 1), blobs: store, log: { message in messages.texts.withLock { $0.append(message.text) } })
      let table = host.services.table.pointee
      func put(_ kind: UInt32, _ bytes: [UInt8]) -> bp_status {
        bytes.withUnsafeBytes { table.store_put(table.ctx, kind, bp_span(ptr: $0.baseAddress, len: 3), bp_span(ptr: $0.baseAddress, len: UInt64(bytes.count)), 0) }
      }
      func get(_ kind: UInt32, _ bytes: [UInt8]) -> [UInt8]? {
        var out = bp_span(), pin: UnsafeMutableRawPointer?
        guard bytes.withUnsafeBytes({ table.store_get(table.ctx, kind, bp_span(ptr: $0.baseAddress, len: 3), &out, &pin) }) == BP_OK else { return nil }
        defer { table.store_unpin(table.ctx, pin) }
        return Array(UnsafeRawBufferPointer(start: out.ptr, count: Int(out.len)))
      }
      for kind in [BP_STORE_BLOB, BP_STORE_TUNING] {
        #expect(get(kind, [1, 2, 3]) == nil)
        #expect(put(kind, [1, 2, 3, 4]) == BP_OK)
        #expect(get(kind, [1, 2, 3]) == [1, 2, 3, 4])
      }
      #expect(store.entries().count == 1, "tuning records are no blobs")
      store.room.withLock { $0 = 0 }
      #expect(put(BP_STORE_BLOB, [9, 9, 9]) == BP_E_OOM_HOST)
      #expect(put(BP_STORE_BLOB, [8, 8, 8]) == BP_E_OOM_HOST)
      #expect(messages.texts.withLock { $0 }.count == 1)
    }
  }

  /// Eight threads with stores of their own write, read and delete in one folder.
  @Test func storesShareAFolder() throws {
    try withStore { _, _ in
      DispatchQueue.concurrentPerform(iterations: 8) { thread in
        let store = BlobStore(directory: folder, limit: 200_000)
        for round in 0..<40 {
          let key = "\((thread + round) % 10)", bytes = value((thread + round) % 10, 9000 + (thread + round) % 10)
          try? put(store, key, bytes)
          if let found = get(store, key) { #expect(found == bytes) }
          if round % 13 == 12 { store.prune(to: 30_000) }
        }
      }
      #expect(BlobStore(directory: folder).damaged().isEmpty)
      let left = try files()
      #expect(left.allSatisfy { !$0.hasSuffix(".tmp") })
    }
  }

  /// A file left by a process that is gone is deleted at the next start, one of a living process is not.
  @Test func whatAKilledProcessLeftIsSwept() throws {
    try withStore { store, _ in
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      let dead = Process()
      dead.executableURL = URL(fileURLWithPath: "/bin/true")
      try dead.run()
      dead.waitUntilExit()
      for process in [dead.processIdentifier, getpid()] {
        _ = FileManager.default.createFile(atPath: "\(folder)/.\(process)-77.tmp", contents: Data([1]))
      }
      try put(store, "a", [1])
      #expect(try files().filter { $0.hasSuffix(".tmp") } == [".\(getpid())-77.tmp"])
    }
  }
}
