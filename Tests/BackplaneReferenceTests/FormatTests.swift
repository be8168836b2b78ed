import BackplaneCore
import BackplaneReference
import Foundation
import Testing

private let blockFormats = ElementFormat.all.filter(\.isBlock)

@Suite struct FormatTests {
  /// The fixtures come from the gguf package, those of q4_z and nf4 from NumPy: Tests/Scripts/make_format_vectors.py.
  @Test(arguments: blockFormats) func blocksDecodeBitForBitAsTheFixturesSay(format: ElementFormat) throws {
    let data = [UInt8](try Data(contentsOf: fixtures.appendingPathComponent("\(format.name).bin")))
    let count = Int(data[0]) | Int(data[1]) << 8
    let elements = count * format.blockElements
    let memory = Memory(format, [count, format.blockElements], bytes: Array(data[4..<4 + count * format.blockBytes]))
    let expected = data[(4 + count * format.blockBytes)...].withUnsafeBytes { raw in
      (0..<elements).map { raw.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self) }
    }
    let decoded = memory.decoded().map { Float($0).bitPattern }
    #expect(decoded.count == expected.count)
    let different = decoded.indices.filter { decoded[$0] != expected[$0] }
    #expect(different.isEmpty, "first at \(different.first ?? -1) of \(elements)")
  }

  @Test(arguments: [ElementFormat.q8_0, .q4_0]) func quantizersWriteTheBytesOfTheGgufPackage(format: ElementFormat) throws {
    let data = [UInt8](try Data(contentsOf: fixtures.appendingPathComponent("quantize_\(format.name).bin")))
    let count = Int(data[0])
    let values = data[4..<4 + count * 128].withUnsafeBytes { raw in (0..<count * 32).map { Double(raw.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self)) } }
    let encoded = try ReferenceTensor(format, [count, 32], values: values).encoded()
    #expect(encoded == Array(data[(4 + count * 128)...]))
  }

  @Test func everyBlockFormatHasAFixture() {
    #expect(blockFormats.count == 15)
    for format in blockFormats { #expect(FileManager.default.fileExists(atPath: fixtures.appendingPathComponent("\(format.name).bin").path)) }
  }

  @Test func plainFormatsRoundToNearestTiesToEven() throws {
    func encoded(_ format: ElementFormat, _ value: Double) throws -> Double { try rounded(ReferenceTensor(format, [1], values: [value]))[0] }
    #expect(try encoded(.f32, 1 + 0x1p-24) == 1)
    #expect(try encoded(.f32, 1 + 0x1.8p-23) == 1 + 0x1p-22)
    #expect(try encoded(.f16, 1 + 0x1p-11) == 1)
    #expect(try encoded(.f16, 1 + 0x3p-11) == 1 + 0x1p-9)
    // In one step: by way of an f32 this would look like a tie and round down.
    #expect(try encoded(.f16, 1 + 0x1p-11 + 0x1p-40) == 1 + 0x1p-10)
    #expect(try encoded(.bf16, 1 + 0x1p-8) == 1)
    #expect(try encoded(.bf16, 1 + 0x1p-8 + 0x1p-40) == 1 + 0x1p-7)
    #expect(try encoded(.bf16, 1 + 0x3p-8 - 0x1p-40) == 1 + 0x1p-7)
    #expect(try encoded(.f16, 65519.9) == 65504)
    #expect(try encoded(.f16, 65520) == .infinity)
    #expect(try encoded(.bf16, -3.4e38) == -.infinity)
    #expect(try encoded(.f16, 0x1p-25) == 0)
    #expect(try encoded(.f16, 0x1.8p-25) == 0x1p-24)
    #expect(try encoded(.bf16, .nan).isNaN)
    #expect(try encoded(.f16, .nan).isNaN)
  }

  @Test func integersTruncateAndSaturate() throws {
    func encoded(_ format: ElementFormat, _ values: [Double]) throws -> [Double] { try rounded(ReferenceTensor(format, [values.count], values: values)) }
    #expect(try encoded(.i8, [-1.9, 127.9, 300, -300, .nan]) == [-1, 127, 127, -128, 0])
    #expect(try encoded(.u8, [-1, 255.9, 256, .infinity]) == [0, 255, 255, 255])
    #expect(try encoded(.i32, [2147483647.9, -1e30]) == [2147483647, -2147483648])
    #expect(try encoded(.bool, [0, -0.0, 0.1, .nan]) == [0, 0, 1, 1])
  }

  @Test func viewsFollowTheirStrides() {
    // Every second column of a 2 x 4 matrix, rows swapped by a negative stride.
    let memory = f32([2, 4], [0, 1, 2, 3, 10, 11, 12, 13])
    let view = TensorView(memory.view.base + 16, .f32, [2, 2], strides: [-16, 8])
    #expect(view.decoded() == [10, 12, 0, 2])
    #expect(TensorView(memory.view.base, .f32, [3, 2], strides: [0, 4]).decoded() == [0, 1, 0, 1, 0, 1])
    #expect(TensorView(memory.view.base, .f32, []).decoded() == [0])
    #expect(TensorView(memory.view.base, .f32, [0, 4]).decoded() == [])
    withExtendedLifetime(memory) {}
  }

  @Test func blocksFollowTheirStrides() {
    // Two q8_0 blocks with 6 bytes between them, read as two rows and as one.
    var bytes = [UInt8](repeating: 0, count: 80)
    for block in 0..<2 {
      (bytes[40 * block], bytes[40 * block + 1]) = (0, 0x3C)  // d = 1
      for j in 0..<32 { bytes[40 * block + 2 + j] = UInt8(32 * block + j) }
    }
    let memory = Memory(.u8, [80], bytes: bytes)
    let expected = (0..<64).map(Double.init)
    #expect(TensorView(memory.view.base, .q8_0, [2, 32], strides: [40, 34]).decoded() == expected)
    #expect(TensorView(memory.view.base, .q8_0, [64], strides: [40]).decoded() == expected)
    withExtendedLifetime(memory) {}
  }
}
