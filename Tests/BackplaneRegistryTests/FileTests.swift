import BackplaneABI
import BackplaneCore
@testable import BackplaneRegistry
import Foundation
import Testing
import _TestSupport

@Suite struct SHA256Tests {
  @Test(arguments: [
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"),
  ])
  func theStandardsVectorsHold(_ text: String, _ digest: String) {
    #expect(SHA256.hexadecimal(SHA256.hash(Array(text.utf8))) == digest)
  }

  @Test func aMillionLettersInUnevenPiecesGiveTheStandardsDigest() {
    var sha = SHA256()
    var left = 1_000_000, piece = 1
    while left > 0 {
      let count = min(piece, left)
      sha.update([UInt8](repeating: 0x61, count: count))
      left -= count
      piece = piece * 7 % 1009 + 1
    }
    #expect(SHA256.hexadecimal(sha.finish()) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
  }
}

@Suite struct ELFNoteTests {
  @Test func theNoteOfAPluginIsRead() throws {
    let note = try ELFNote.read(Fixtures.library("quiet"))
    #expect(note.minimumABI == ABIVersion(major: 1, minor: 0))
    #expect(note.maximumABI == ABIVersion.hostMaximum)
    #expect(note.layoutHashes == [0: BP_ABI_LAYOUT_HASH_1_0])
    #expect(note.architecture == ELFNote.hostArchitecture)
  }

  @Test func everyTruncationAndAThousandDamagedFilesAreReadWithoutHarm() throws {
    let whole = try Data(contentsOf: URL(fileURLWithPath: Fixtures.library("quiet")))
    let folder = try TemporaryFolder()
    let path = folder.path + "/damaged.so"
    var generator = SeededGenerator(seed: 7)
    for length in stride(from: 0, to: whole.count, by: 97) {
      try whole.prefix(length).write(to: URL(fileURLWithPath: path))
      // The note lies early in the file: a cut behind it may go unseen, any other is an error and no more.
      _ = try? ELFNote.read(path)
    }
    for _ in 0..<1000 {
      var bytes = whole
      for _ in 0..<Int.random(in: 1...24, using: &generator) {
        // Mostly in the headers, where the offsets and counts are.
        let at = Bool.random(using: &generator) ? Int.random(in: 0..<1024, using: &generator) : Int.random(in: 0..<bytes.count, using: &generator)
        bytes[at] = UInt8.random(in: 0...255, using: &generator)
      }
      try bytes.write(to: URL(fileURLWithPath: path))
      _ = try? ELFNote.read(path)
    }
  }

  @Test func aDamagedFileIsRefusedWithWhatIsWrong() throws {
    let whole = try Data(contentsOf: URL(fileURLWithPath: Fixtures.library("quiet")))
    let folder = try TemporaryFolder()
    func message(_ change: (inout Data) -> Void) throws -> String {
      var bytes = whole
      change(&bytes)
      let path = folder.path + "/x.so"
      try bytes.write(to: URL(fileURLWithPath: path))
      let error = #expect(throws: BackplaneError.self) { try PluginLibrary.check(note: ELFNote.read(path), subject: path) }
      return error?.message ?? ""
    }
    #expect(try message { $0[0] = 0 } == "not an ELF file")
    #expect(try message { $0[4] = 1 } == "a 32-bit ELF file; 64-bit is needed")
    #expect(try message { $0[5] = 2 } == "a big-endian ELF file; little-endian is needed")
    #expect(try message { $0[16] = 2 } == "an ELF file, but not a shared library")
    #expect(try message { $0 = $0.prefix(40) } == "truncated: the ELF header does not fit in 40 bytes")
    #expect(try message { $0 = $0.prefix(100) }.hasPrefix("truncated: a segment table"))
    #expect(try message { $0[18] = ELFNote.hostArchitecture == "x86_64" ? 183 : 62 }.hasPrefix("built for "))
    let missing = #expect(throws: BackplaneError.self) { try ELFNote.read(folder.path + "/none.so") }
    #expect(missing?.message == "cannot be opened: No such file or directory")
  }
}

@Suite struct NegotiationTests {
  @Test func theLowerMaximumIsUsed() throws {
    func version(_ low: UInt32, _ high: UInt32, host: ClosedRange<UInt32>) throws -> UInt32 {
      try ABIVersion.negotiate(pluginMinimum: low, pluginMaximum: high, hostMinimum: ABIVersion(number: host.lowerBound),
                               hostMaximum: ABIVersion(number: host.upperBound), subject: "x").number
    }
    #expect(try version(0x10000, 0x10003, host: 0x10000...0x10001) == 0x10001)
    #expect(try version(0x10000, 0x10000, host: 0x10000...0x10001) == 0x10000)
    #expect(throws: BackplaneError.self) { try version(0x10002, 0x10003, host: 0x10000...0x10001) }
    #expect(throws: BackplaneError.self) { try version(0x10000, 0x10000, host: 0x10001...0x10001) }
    #expect(throws: BackplaneError.self) { try version(0, 0x10000, host: 0x10000...0x10001) }
    #expect(throws: BackplaneError.self) { try version(0x10001, 0x10000, host: 0x10000...0x10001) }
  }

  @Test func aShortTableIsCompletedWithStubs() {
    var table = bp_device_fns()
    table.h.struct_size = UInt32(MemoryLayout<bp_device_fns>.offset(of: \.query)! + 4)  // info, and half of query
    table.info = { _, _, _ in BP_OK }
    table.query = { _, _, _, _, _, _ in BP_OK }
    table.execute = { _, _, _ in BP_OK }  // beyond struct_size: not read
    let copy = withUnsafePointer(to: &table) { copyOfTable($0, zero: bp_device_fns()) }
    #expect(DeviceFunctions.missing(from: copy, for: .base) == Array(DeviceFunctions.names[1..<10]))
    let whole = copy.filledWithStubs()
    #expect(whole.info(nil, nil, nil) == BP_OK)
    #expect(whole.execute(nil, nil, nil) == BP_E_UNSUPPORTED)
    #expect(DeviceFunctions.missing(from: whole, for: [.base, .queues, .blobs, .tuning]) == [])
    whole.sem_destroy(nil)
  }

  @Test func theNamesOfTheSlotsAreThoseOfTheHeader() throws {
    let header = try String(contentsOfFile: packageFolder + "/Sources/BackplaneABI/include/backplane_plugin.h", encoding: .utf8)
    let start = try #require(header.range(of: "typedef struct bp_device_fns {")), end = try #require(header.range(of: "} bp_device_fns;"))
    let names = header[start.upperBound..<end.lowerBound].matches(of: /(?m)^  (?:bp_status|void) \(\*(\w+)\)/).map { String($0.1) }
    #expect(names == DeviceFunctions.names)
    #expect(MemoryLayout<bp_device_fns>.size == MemoryLayout<bp_head>.size + 8 * names.count)
  }

  @Test func theReasonsAreThoseOfTheCatalogue() throws {
    struct Catalogue: Decodable {
      struct Entry: Decodable { var code: Int, text: String }
      var reasons: [Entry]
    }
    let catalogue = try JSONDecoder().decode(Catalogue.self, from: Data(contentsOf: URL(fileURLWithPath: packageFolder + "/Specs/abi/reasons.json")))
    #expect(catalogue.reasons.map(\.text) == catalogue.reasons.map { Reason(code: UInt32($0.code)).description })
    #expect(catalogue.reasons.count == ReasonCatalogue.all.count)
    #expect(Reason(code: 99).description == "reason 99")
  }

  @Test func anInProcessPluginIsRegisteredAndServesItsDevice() throws {
    let library = try PluginLibrary(loading: Fixtures.template())
    let plugin = UnsafeMutablePointer<bp_plugin>.allocate(capacity: 1)  // static data, as far as the registry goes
    plugin.initialize(to: library.table)
    let registry = PluginRegistry(host: .minimal(), search: .only([]), inProcess: [plugin], probe: nil, cachePath: nil)
    #expect(registry.entries.map(\.probing) == [.inProcess])
    #expect(try registry.device("template:0") === registry.device("TEMPLATE"))
    #expect(throws: BackplaneError.self) { try registry.register(plugin) }  // the name is taken
    let error = #expect(throws: BackplaneError.self) { try registry.device("nvidia") }
    #expect(error?.description == "there is no plugin for device \"nvidia\" (there are: template)")
    #expect(throws: BackplaneError.self) { try registry.device("template:1") }
  }
}
