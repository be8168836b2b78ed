import BackplaneCore
import BackplaneReference
import Testing

private func int(_ name: String, _ value: Int) -> Attribute { Attribute(name, .int(value)) }
private func string(_ name: String, _ value: String) -> Attribute { Attribute(name, .string(value)) }
private func i8(_ shape: [Int], _ values: [Double]) -> Memory { Memory(.i8, shape, values) }
private func u8(_ shape: [Int], _ values: [Double]) -> Memory { Memory(.u8, shape, values) }

/// Results computed by hand, and where another rounding is let pass.
@Suite struct QuantizationTests {
  @Test func linearQuantizationRoundsToEvenAndSaturates() throws {
    let x = f32([2, 4], [1, 3, 5, -1, 1000, -1000, .nan, -0.9])
    #expect(try values("quantize_linear", [x, f32([], [2])]) == [0, 2, 2, 0, 127, -128, 0, 0])
    // One scale a row; zero points broadcast.
    #expect(try values("quantize_linear", [x, f32([2, 1], [2, 10]), u8([1], [3])], [string("to", "u8")]) == [3, 5, 5, 3, 103, 0, 3, 3])
    #expect(try values("quantize_linear", [x, f32([4], [1, 1, 1, 0.5]), Memory(.i32, [], [-1])]) == [0, 2, 4, -3, 127, -128, -1, -3])
  }

  @Test func aTieIsLeftOpenOnlyWhereTheDivisionIsNotExact() throws {
    #expect(judge(try evaluate("quantize_linear", [f32([5]), f32([], [2])])[0]!, i8([1], [3])).passed == false)
    // 0.25 / 0.1 is 2.5 but for the rounding of 0.1.
    for y in [2.0, 3] { #expect(judge(try evaluate("quantize_linear", [f32([0.25]), f32([], [0.1])])[0]!, i8([1], [y])).passed) }
    #expect(!judge(try evaluate("quantize_linear", [f32([0.26]), f32([], [0.1])])[0]!, i8([1], [2])).passed)
  }

  @Test func linearDequantizationBroadcasts() throws {
    let x = u8([2, 2], [0, 128, 130, 255])
    #expect(try values("dequantize_linear", [x, f32([], [0.5]), u8([], [128])]) == [-64, 0, 1, 63.5])
    #expect(try values("dequantize_linear", [x, f32([2, 1], [1, 2]), u8([2], [0, 100])], [string("to", "f16")]) == [0, 28, 260, 310])
    #expect(try values("dequantize_linear", [i32([-70000]), f32([], [0.25])]) == [-17500])
  }

  @Test func rowsAreQuantizedSymmetrically() throws {
    let result = try evaluate("dynamic_quantize", [f32([3, 2], [127, -2.5, 0, 0, -254, 100])])
    #expect(result[0]!.values == [127, -2, 0, 0, -127, 50])
    #expect(result[1]!.values == [1, 1, 2])
    #expect(result[2]!.values == [0, 0, 0])
  }

  @Test func aTensorIsQuantizedAsymmetrically() throws {
    // ONNX's own example: scale 0.0196078438, zero point 153.
    let result = try evaluate("dynamic_quantize", [f32([0, 2, -3, -2.5, 1.34, 0.5])], [string("to", "u8")])
    #expect(result[0]!.values == [153, 255, 0, 26, 221, 179])
    #expect(result[1]!.values.isClose(to: [0.0196078438]))
    #expect(result[2]!.values == [153])
    let zeros = try evaluate("dynamic_quantize", [f32([0, 0])], [string("to", "u8")])
    #expect(zeros[1]!.values == [1])
  }

  @Test func blocksAreThoseOfACache() throws {
    let row = f32([1, 32], (0..<32).map { Double($0) - 10 })
    let blocks = try evaluate("dynamic_quantize", [row], [string("to", "q8_0")])[0]!
    let cache = try evaluate("tensor_scatter", [Memory(.q8_0, [1, 32], bytes: [UInt8](repeating: 0, count: 34)), row, i32([0])])[0]!
    #expect(try blocks.encoded() == cache.encoded())
  }

  @Test func aBlockWhoseScaleHasNoReciprocalIsZeros() throws {
    // d = 2^-129 / -8: 1 / d overflows, and every quotient is infinite or NaN.
    let row = f32([1, 32], (0..<32).map { $0 == 3 ? 0x1p-129 : $0 == 5 ? 0 : 0x1p-131 })
    for (format, size) in [(ElementFormat.q4_0, 18), (.q8_0, 34)] {
      let cache = try evaluate("tensor_scatter", [Memory(format, [1, 32], bytes: [UInt8](repeating: 0xFF, count: size)), row, i32([0])])[0]!
      #expect(try cache.encoded().dropFirst(2).allSatisfy { $0 == 0 })
    }
  }

  @Test func integerProductsSubtractZeroPoints() throws {
    // ONNX's example: a - 12 times b.
    let a = u8([4, 3], [11, 7, 3, 10, 6, 2, 9, 5, 1, 8, 4, 0])
    let b = u8([3, 2], [1, 4, 2, 5, 3, 6])
    #expect(try values("matmul_integer", [a, b, u8([1], [12])], [int("transpose_b", 0)]) == [-38, -83, -44, -98, -50, -113, -56, -128])
    let c = i8([2, 2], [1, -2, 3, 4])
    #expect(try values("matmul_integer", [c, i8([1, 2], [-128, 127]), i8([2], [1, 0]), i8([1], [-1])]) == [-384, 131])
  }

  @Test func quantizedProductsAreRequantized() throws {
    // Sums 10 and -6; times 0.5 * 0.5 / 2.
    let y = try values("qlinear_matmul", [i8([1, 2], [2, 4]), i8([2, 2], [1, 2, 1, -2]), f32([0.5]), f32([0.5]), f32([2]), nil, nil, i8([1], [10])])
    #expect(y == [11, 9])
    // A sum of -2^31 has no magnitude in 32 bits.
    let lowest = Memory(.i32, [1], [-2147483648])
    #expect(try values("qlinear_matmul", [i8([1, 1], [0]), i8([1, 1], [1]), f32([1]), f32([1]), f32([1]), lowest]) == [-128])
    #expect(try values("qlinear_matmul", [u8([1, 1], [255]), u8([1, 1], [255]), f32([1]), f32([1]), f32([1])], [string("to", "u8")]) == [255])
  }
}
