import Foundation
import Testing
import _TestSupport

@Suite struct LayoutTests {
  static let textPath = packageFolder + "/Specs/abi/layout-1.0.txt"

  /// With BACKPLANE_UPDATE_LAYOUT=1 this writes the text and the header's hash instead of comparing: before 1.0 is released, the
  /// way to take a deliberate change. After it, a difference is a mistake.
  @Test func theLayoutHashIsThatOfTheHeader() throws {
    let header = try Header()
    let text = Layout.text(header)
    let hash = Layout.hash(text)
    if ProcessInfo.processInfo.environment["BACKPLANE_UPDATE_LAYOUT"] == "1" {
      try text.write(toFile: Self.textPath, atomically: true, encoding: .utf8)
      let source = try String(contentsOfFile: Header.path, encoding: .utf8)
      let digits = String(hash, radix: 16)
      let updated = source.replacing(/#define BP_ABI_LAYOUT_HASH_1_0 0x[0-9a-f]{16}ull/,
                                     with: "#define BP_ABI_LAYOUT_HASH_1_0 0x" + String(repeating: "0", count: 16 - digits.count) + digits + "ull")
      if updated != source { try updated.write(toFile: Header.path, atomically: true, encoding: .utf8) }
      return
    }
    let recorded = try String(contentsOfFile: Self.textPath, encoding: .utf8).split(separator: "\n")
    for change in text.split(separator: "\n").difference(from: recorded) {
      switch change {
      case .insert(_, let line, _): Issue.record("the header has, Specs/abi/layout-1.0.txt has not: \(line)")
      case .remove(_, let line, _): Issue.record("Specs/abi/layout-1.0.txt has, the header has not: \(line)")
      }
    }
    let stated = header.macros["BP_ABI_LAYOUT_HASH_1_0"] ?? ""
    #expect(stated == "0x" + String(hash, radix: 16).leftPadded(16) + "ull", "run this test with BACKPLANE_UPDATE_LAYOUT=1 if the change is meant")
  }

  @Test(arguments: [
    ("uint32_t src_line;", "uint64_t src_line;"),  // a type, and every offset after it
    ("uint32_t retry;", "uint32_t again;"),  // a name
    ("uint64_t bytes_per_s, latency_ns;", "uint64_t latency_ns, bytes_per_s;"),  // an order
    ("#define BP_E_TIMEOUT (-6)", "#define BP_E_TIMEOUT (-16)"),  // a number
    ("bp_status (*buffer_unmap)(bp_device, bp_buffer, bp_error *);", "bp_status (*buffer_unmap)(bp_buffer, bp_error *);"),  // a signature
    ("void (*sem_destroy)(bp_sem);", ""),  // a missing function
    ("typedef int32_t bp_status;", "typedef int64_t bp_status;"),
  ])
  func aChangeChangesTheHash(_ text: String, _ replacement: String) throws {
    let changed = try ChangedHeader(replacing: text, by: replacement)
    #expect(try Layout.hash(Layout.text(Header(changed.path))) != Layout.hash(Layout.text(Header())))
  }

  @Test(arguments: [
    ("uint64_t bytes, align, chunk;", "uint64_t bytes, align, chunk, pieces;"),  // a record of packing
    ("bp_status (*pack)", "bp_status (*arrange)"),  // a slot of packing
    ("/* 0 done;", "/* zero done;"),  // a comment
    ("#define BP_PACK_SHAREABLE 8u", "#define BP_PACK_SHAREABLE 16u"),
  ])
  func aChangeOfPackingOrAComment_leavesTheHash(_ text: String, _ replacement: String) throws {
    let changed = try ChangedHeader(replacing: text, by: replacement)
    #expect(try Layout.hash(Layout.text(Header(changed.path))) == Layout.hash(Layout.text(Header())))
  }

  @Test func theRegistryFileAndTheHeaderHaveTheSameNumbers() throws {
    let header = try Header()
    let folder = packageFolder + "/Specs/abi/"
    func json(_ name: String) throws -> [String: Any] {
      try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: folder + name))) as! [String: Any]
    }
    let registry = try json("registry.json")
    var expected: [String: Int64] = [:]
    for status in registry["status"] as! [[String: Any]] { expected[status["name"] as! String] = Int64(status["value"] as! Int) }
    for (i, name) in (registry["struct_types"] as! [String]).enumerated() { expected[name] = Int64(i) }
    for (prefix, names) in registry["flags"] as! [String: [String]] { for (i, name) in names.enumerated() { expected["\(prefix)_\(name)"] = 1 << Int64(i) } }
    for (prefix, names) in registry["sets"] as! [String: [String]] { for (i, name) in names.enumerated() { expected["\(prefix)_\(name)"] = Int64(i) } }
    for reason in try json("reasons.json")["reasons"] as! [[String: Any]] { expected["BP_REASON_\(reason["name"] as! String)"] = Int64(reason["code"] as! Int) }
    for (name, value) in expected { #expect(header.macros[name].flatMap(Layout.number) == value, "\(name)") }
  }
}

extension String {
  func leftPadded(_ count: Int) -> String { String(repeating: "0", count: max(0, count - self.count)) + self }
}
