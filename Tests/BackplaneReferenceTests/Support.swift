import BackplaneCore
import BackplaneReference
import Foundation

/// Bytes of an operand, and the view of them that the oracle reads.
final class Memory {
  let view: TensorView
  private let bytes: UnsafeMutableRawBufferPointer

  init(_ format: ElementFormat, _ shape: [Int], bytes given: [UInt8]) {
    bytes = .allocate(byteCount: max(given.count, 1), alignment: 64)
    bytes.copyBytes(from: given)
    view = TensorView(bytes.baseAddress!, format, shape)
  }
  /// The same row again and again.
  init(_ format: ElementFormat, rows: Int, _ row: [UInt8]) {
    bytes = .allocate(byteCount: rows * row.count, alignment: 64)
    for i in 0..<rows { UnsafeMutableRawBufferPointer(rebasing: bytes[i * row.count..<(i + 1) * row.count]).copyBytes(from: row) }
    view = TensorView(bytes.baseAddress!, format, [rows, row.count / format.blockBytes * format.blockElements])
  }
  convenience init(_ format: ElementFormat, _ shape: [Int], _ values: [Double]) {
    try! self.init(format, shape, bytes: ReferenceTensor(format, shape, values: values).encoded())
  }
  deinit { bytes.deallocate() }

  func decoded() -> [Double] { withExtendedLifetime(self) { view.decoded() } }
}

func f32(_ shape: [Int], _ values: [Double]) -> Memory { Memory(.f32, shape, values) }
func f32(_ values: [Double]) -> Memory { Memory(.f32, [values.count], values) }
func f16(_ values: [Double]) -> Memory { Memory(.f16, [values.count], values) }
func i32(_ values: [Int]) -> Memory { Memory(.i32, [values.count], values.map(Double.init)) }

/// Evaluates an operator and keeps the operands' memory alive meanwhile.
func evaluate(_ op: String, _ inputs: [Memory?], _ attributes: [Attribute] = [], declared: Declared = .nothing, bounds: Bool = true) throws -> [ReferenceTensor?] {
  try withExtendedLifetime(inputs) {
    try ReferenceInterpreter().evaluate(op, inputs.map { $0?.view }, attributes, declared: declared, bounds: bounds)
  }
}

/// The first output's values, rounded to its format.
func values(_ op: String, _ inputs: [Memory?], _ attributes: [Attribute] = []) throws -> [Double] {
  try rounded(try evaluate(op, inputs, attributes)[0]!)
}

func rounded(_ tensor: ReferenceTensor) throws -> [Double] {
  Memory(tensor.format, tensor.shape, bytes: try tensor.encoded()).decoded()
}

/// What the judge says of a kernel's f32 result.
func judge(_ expected: ReferenceTensor, _ actual: [Float]) -> Judgement {
  actual.withUnsafeBytes { Judge.compare(expected: expected, actual: $0) }
}

func judge(_ expected: ReferenceTensor, _ actual: Memory) -> Judgement {
  withExtendedLifetime(actual) { Judge.compare(expected: expected, actual: actual.view) }
}

extension Array where Element == Double {
  /// The same numbers, NaN being equal to NaN, to about six digits.
  func isClose(to other: [Double], _ tolerance: Double = 1e-6) -> Bool {
    count == other.count && zip(self, other).allSatisfy { a, b in a == b || a.isNaN && b.isNaN || abs(a - b) <= tolerance * Swift.max(abs(b), 1e-3) }
  }
}

let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Fixtures/formats")
