@testable import BackplaneModels
import Foundation
import Testing

@Suite struct GGUFWriterTests {
  @Test func everyKindOfValueComesBack() throws {
    var writer = GGUFWriter(alignment: 64)
    let values: [(String, GGUFValue)] = [
      ("u8", .uint8(200)), ("i8", .int8(-100)), ("u16", .uint16(60_000)), ("i16", .int16(-30_000)), ("u32", .uint32(4_000_000_000)),
      ("i32", .int32(-2_000_000_000)), ("u64", .uint64(1 << 63)), ("i64", .int64(.min)), ("f32", .float32(1.5)), ("f64", .float64(-0.1)),
      ("yes", .bool(true)), ("no", .bool(false)), ("text", .string("ünïcode\\0")), ("empty", .string("")),
    ]
    for (key, value) in values { writer.set(key, value) }
    writer.set("texts", .array(GGUFArray(["a", "", "日本"])))
    writer.set("floats", .array(GGUFArray([1.5, -2] as [Float])))
    writer.set("bools", .array(GGUFArray([true, false])))
    writer.set("none", .array(GGUFArray([] as [Int32])))
    writer.set("nested", .array(GGUFArray([GGUFArray([1, 2] as [Int32]), GGUFArray(["x"])])))
    let m = try GGUFFile(contents: writer.encoded(), name: "values").metadata
    #expect(m.keys == ["general.alignment"] + values.map(\.0) + ["texts", "floats", "bools", "none", "nested"])
    for (key, value) in values {
      #expect(m[key]?.type == value.type)
      #expect(m[key]?.description == value.description)
    }
    #expect(try m.int("i32") == -2_000_000_000 && m.float("f64") == -0.1 && m.bool("yes") == true && m.string("empty") == "")
    #expect(try m.strings("texts") == ["a", "", "日本"])
    #expect(try m.floats("floats") == [1.5, -2])
    #expect(m["bools"]?.array?.bools() == [true, false])
    #expect(try m.ints("none") == [])
    let nested = try #require(m["nested"]?.array?.arrays())
    #expect(nested[0].ints() == [1, 2] && nested[1].strings() == ["x"])
  }

  @Test func tensorsComeBackOutermostFirst() throws {
    var writer = GGUFWriter()
    let bytes = (0..<24).flatMap { withUnsafeBytes(of: Float($0), Array.init) }
    writer.add("w", .f32, [2, 3, 4], bytes: bytes)
    writer.add("scalar", .f32, [], bytes: Array(bytes[..<4]))
    writer.add("blocks", .q8_0, [2, 32], bytes: [UInt8](0..<68))
    let file = try GGUFFile(contents: writer.encoded(), name: "tensors")
    let w = try #require(file.tensor("w"))
    #expect(w.shape == [2, 3, 4] && w.format == .f32 && w.byteCount == 96 && w.offset % 32 == 0)
    #expect(Array(file.bytes(of: w)) == bytes)
    #expect(file.tensor("scalar")?.shape == [])
    let blocks = try #require(file.tensor("blocks"))
    #expect(Array(file.bytes(of: blocks)) == [UInt8](0..<68))
    #expect(file.tensor("absent") == nil)
  }

  @Test func theMappedFileIsTheWrittenOne() throws {
    let folder = TemporaryFolder()
    let path = folder.file("model.gguf")
    try SyntheticModel.write(to: path, architecture: .llama)
    let mapped = try GGUFFile(path: path)
    let held = try Synthetic.file(.llama)
    #expect(mapped.tensors == held.tensors && mapped.metadata.keys == held.metadata.keys)
    for tensor in mapped.tensors { #expect(Array(mapped.bytes(of: tensor)) == Array(held.bytes(of: tensor))) }
    try mapped.checkUnchanged()
  }

  @Test func aFolderThatIsNotThereIsAnError() {
    #expect(throws: BackplaneError(.file, "")) { try GGUFWriter().write(to: "/nonexistent/folder/x.gguf") }
  }

  @Test func aValueOfTheWrongTypeIsAnError() throws {
    var writer = GGUFWriter()
    writer.set("a", .string("text"))
    let m = try GGUFFile(contents: writer.encoded(), name: "types").metadata
    #expect(throws: BackplaneError(.file, "")) { try m.int("a") }
    #expect(throws: BackplaneError(.file, "")) { try m.requiredString("b") }
    #expect(try m.int("b") == nil)
  }
}

@Suite struct SyntheticModelTests {
  @Test(arguments: SyntheticModel.Architecture.allCases) func aSeedGivesAModel(architecture: SyntheticModel.Architecture) throws {
    let contents = Synthetic.contents[architecture]!
    #expect((1_500_000..<5_000_000).contains(contents.count))
    #expect(SyntheticModel.writer(architecture, seed: 1).encoded() == contents)
    #expect(SyntheticModel.writer(architecture, seed: 2).encoded() != contents)
  }

  @Test func blocksAreEncodedAsByHand() {
    let ramp = (0..<32).map { Float($0 - 16) }
    // Scale -16/-16 = 1: element i has level i. Its fifth bit is set from 16 on.
    #expect(BlockEncoder.encode(ramp, as: .q5_0) == [0x00, 0x3c, 0, 0, 0xff, 0xff] + (0..<16).map { $0 | $0 << 4 })
    // Scale -16/-8 = 2: levels x/2 + 8, halves up, 15 at most.
    let levels = ramp.map { min(UInt8($0 / 2 + 8.5), 15) }
    #expect(BlockEncoder.encode(ramp, as: .q4_0) == [0x00, 0x40] + (0..<16).map { levels[$0] | levels[$0 + 16] << 4 })
    // Scale 127/127 = 1.
    let exact = [127, -127, 1.4, -1.6] + [Float](repeating: 0, count: 28)
    #expect(BlockEncoder.encode(exact, as: .q8_0) == [0x00, 0x3c, 127, 129, 1, 254] + [UInt8](repeating: 0, count: 28))
    #expect(BlockEncoder.encode([Float](repeating: 0, count: 32), as: .q4_0) == [0, 0x80] + [UInt8](repeating: 0x88, count: 16))
    #expect(BlockEncoder.encode([1, -2], as: .f16) == [0, 0x3c, 0, 0xc0])
    #expect(BlockEncoder.encode([1, -2], as: .bf16) == [0x80, 0x3f, 0, 0xc0])
  }
}
