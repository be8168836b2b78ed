import BackplaneCore
import Testing

@Suite struct ElementFormatTests {
  @Test func bytesAreOfWholeBlocks() {
    #expect(ElementFormat.f32.bytes(forElements: 3) == 12)
    #expect(ElementFormat.q4_0.bytes(forElements: 64) == 36)
    #expect(ElementFormat.q4_0.bytes(forElements: 0) == 0)
    #expect(ElementFormat.q4_0.bytes(forElements: 33) == nil)
    #expect(ElementFormat.q6K.bytes(forElements: 256) == 210)
    #expect(ElementFormat.f32.bytes(forElements: -1) == nil)
    #expect(ElementFormat.f64.bytes(forElements: .max) == nil)
  }

  @Test(arguments: ElementFormat.all) func everyFormatIsFoundByNameNumberAndType(format: ElementFormat) {
    #expect(ElementFormat.named(format.name) == format)
    #expect(ElementFormat.with(id: format.id) == format)
    if let type = format.ggmlType { #expect(ElementFormat.with(ggmlType: type) == format) }
    #expect(format.isBlock == (format.blockElements > 1))
  }

  @Test func unknownFormatsAreNil() {
    #expect(ElementFormat.named("q9_9") == nil)
    #expect(ElementFormat.with(id: Identifier(value: 0)) == nil)
    #expect(ElementFormat.with(ggmlType: -1) == nil)
  }

  @Test func identifiersAreFNV1a64() {
    #expect(Identifier("").value == 0xcbf2_9ce4_8422_2325)
    #expect(Identifier("a").value == 0xaf63_dc4c_8601_ec8c)
    #expect(Identifier("foobar").value == 0x8594_4171_f739_67e8)
  }

  @Test func reasonsAreFoundByCode() {
    #expect(ReasonCatalogue.with(code: 7)?.name == "DIM_MULTIPLE")
    #expect(ReasonCatalogue.with(code: 4)?.hint == "make it contiguous")
    #expect(ReasonCatalogue.with(code: 9999) == nil)
    #expect(ReasonCatalogue.all.indices.allSatisfy { ReasonCatalogue.all[$0].code == UInt32($0) })
  }
}
