import BackplaneCore
@testable import BackplaneSpecs
import Testing

@Suite struct ResolutionTests {
  @Test(arguments: Accepted.all) func outputsAreInferred(test: Case) throws {
    let resolution = try test.resolve()
    #expect(resolution.outputs.map(\.format) == test.outputs.map(\.format))
    #expect(resolution.outputs.map(\.shape) == test.outputs.map(\.shape))
  }

  @Test(arguments: Refused.constraints + Refused.others) func aRefusalNamesItsLabel(test: Case) {
    #expect(throws: BackplaneError.constraint(test.op, test.label)) { try test.resolve() }
  }

  @Test func everyOperatorHasAnAcceptedCase() {
    #expect(Set(Accepted.all.map(\.op)) == Set(OperatorSpec.all.map(\.name)))
  }

  @Test func everyConstraintIsBrokenByACase() {
    let wanted = OperatorSpec.all.flatMap { spec in spec.constraints.map { "\(spec.name) \($0.label)" } }
    #expect(Set(Refused.constraints.map { "\($0.op) \($0.label)" }) == Set(wanted))
  }

  @Test func attributesAreCompletedInTheSpecsOrder() throws {
    let spec = OperatorSpec.named("attention")!
    let inputs = [T([1, 2, 8]), T([4, 2, 8]), T([4, 2, 8])].map(\.tensor)
    let resolution = try spec.resolve(inputs: inputs, attributes: [Attribute("window", .int(4)), Attribute("scale", .int(2))])
    #expect(resolution.attributes == [Attribute("scale", .float(2)), Attribute("causal", .int(0)), Attribute("window", .int(4)), Attribute("softcap", .float(0))])
  }

  @Test func anAttributeGivenTwiceIsRefused() {
    #expect(throws: BackplaneError.constraint("softmax", "A_scale")) {
      try OperatorSpec.named("softmax")!.resolve(inputs: [T([2]).tensor], attributes: [Attribute("scale", .float(1)), Attribute("scale", .float(1))])
    }
  }

  @Test func extentsAreBoundByName() throws {
    let resolution = try Case("matmul", [T([tokens, 64]), T(.q4_0, [100, 64])], gives: []).resolve()
    #expect(resolution.extents == ["M": .symbol(T.symbols[0]), "K": .fixed(64), "N": .fixed(100)])
  }

  @Test func storageIsSharedOnlyByEqualShapes() throws {
    #expect(try Case("add", [T([2, 3]), T([3])], gives: []).resolve().inPlace == [0])
    #expect(try Case("add", [T([3]), T([2, 3])], gives: []).resolve().inPlace == [nil])
    #expect(try Case("matmul", [T([2, 2]), T([2, 2])], gives: []).resolve().inPlace == [nil])
  }

  @Test func aMessageSaysWhatAndWithWhichValues() {
    let error = #expect(throws: BackplaneError.self) { try Case("matmul", [T([2, 33]), T(.q4_0, [5, 33])], gives: []).resolve() }
    #expect(error?.description == "matmul C2: K = 33 is not a multiple of q4_0's 32; K is whole blocks of b's format")
    let division = #expect(throws: BackplaneError.self) { try Case("attention", [T([1, 3, 8]), T([4, 0, 8]), T([4, 0, 8])], gives: []).resolve() }
    #expect(division?.description.contains("H = 3, G = 0: 3 % 0 is a division by zero") == true)
    let format = #expect(throws: BackplaneError.self) { try Case("rms_norm", [T(.q4_0, [32])], gives: []).resolve() }
    #expect(format?.description == "rms_norm I0: x is q4_0, supported are f32, f16, bf16")
  }

  @Test func aConstraintHoldsAtBothEndsOfASymbol() {
    // kv is 32 … 4096: both ends are multiples of 32, what lies between is not.
    #expect(throws: BackplaneError.constraint("gather", "C1")) { try Case("gather", [T(.q8_0, [4, kv]), T(.i32, [1])], gives: []).resolve() }
    let empty = Symbol(number: 9, name: "n", bounds: 0...4)
    let x = TensorDescription(name: "x", format: .f32, shape: Shape([.fixed(2), .symbol(empty)]), role: .input)
    #expect(throws: BackplaneError.constraint("softmax", "C1")) { try OperatorSpec.named("softmax")!.resolve(inputs: [x], attributes: []) }
  }

  @Test func theCatalogueFindsByNameAndNumber() {
    #expect(OperatorSpec.named("matmul")?.id == Identifier("matmul"))
    #expect(OperatorSpec.with(id: Identifier("rms_norm"))?.name == "rms_norm")
    #expect(OperatorSpec.named("mutmal") == nil)
    #expect(OperatorSpec.all.map(\.name) == OperatorSpec.all.map(\.name).sorted())
  }
}
