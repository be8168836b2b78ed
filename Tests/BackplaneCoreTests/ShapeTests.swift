import BackplaneCore
import Testing

@Suite struct ShapeTests {
  let tokens = Symbol(number: 1, name: "tokens", bounds: 1...512)
  let kv = Symbol(number: 2, name: "kv", bounds: 0...4096)

  @Test func extentsComeFromTheSymbolsValues() {
    let shape: Shape = [.symbol(tokens), 4, .symbol(kv)]
    #expect(shape.extents(in: [tokens: 7, kv: 9]) == [7, 4, 9])
    #expect(shape.extents(in: [tokens: 7]) == nil)
    #expect(shape.fixedExtents == nil && !shape.isFixed)
    #expect(Shape([2, 3]).fixedExtents == [2, 3])
    #expect(shape.maximumElementCount == 512 * 4 * 4096)
    #expect(Shape([1 << 40, 1 << 40]).maximumElementCount == nil)
    #expect(Shape([Int]()).maximumElementCount == 1)
  }

  @Test func valuesStandAscendingByNumber() {
    var values: SymbolValues = [kv: 3, tokens: 1]
    #expect(values.ascending.map(\.number) == [1, 2])
    values[tokens] = nil
    #expect(values[tokens] == nil && values[kv] == 3)
    values[kv] = 4
    #expect(values == [kv: 4])
  }

  @Test func aShapeReadsAsAPersonWouldWriteIt() {
    let shape: Shape = [.symbol(tokens), 4]
    #expect("\(shape)" == "[tokens∈1…512, 4]")
  }

  @Test func bytesAreCountedAtTheUpperBounds() {
    let tensor = TensorDescription(name: "t", format: .q8_0, shape: [.symbol(tokens), 64], role: .state)
    #expect(tensor.maximumBytes == 512 * 68)
    #expect(tensor.bytes(in: [tokens: 2]) == 136)
    #expect(tensor.bytes(in: [:]) == nil)
    let odd = TensorDescription(name: "t", format: .q8_0, shape: [32, 33], role: .input)
    #expect(odd.maximumBytes == nil)
  }
}
