import BackplaneConformance
import BackplaneCore
import BackplaneONNX
import BackplaneReference
import BackplaneRegistry
import Foundation
import Testing

/// Weights of few bits from other programs: Tests/Scripts/make_packed_vectors.py wrote them and what those programs make of them.
@Suite struct PackedWeightTests {
  private let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Fixtures/packed").path

  static let models = [
    ("nbits_plain", "q4_0"), ("nbits_zeros", "q4_z"), ("nbits_group_128", "q4_z"), ("nbits_float_zeros", "f32"), ("nbits_ragged", "f32"), ("nbits_8", "f32"),
    ("bnb4_128", "nf4"), ("bnb4_64", "nf4"),
  ]

  @Test(arguments: models) func productsAreOnnxruntimes(name: String, format: String) throws {
    let device = try Device(try PluginInstance(try PluginLibrary(inProcess: ReferencePlugin.table), host: .minimal()), index: 0)
    let result = ONNXVectors(folder: folder).run("onnx/test_\(name)", device)
    #expect(result.outcome == .pass, "\(result.message ?? "")")
    #expect(try imported(name).constants.map { $0.format.name } == (name == "nbits_group_128" ? [format, "f32"] : [format]))
  }

  private func imported(_ name: String) throws -> (graph: Graph, constants: [TensorDescription]) {
    let graph = try ONNXImport(ONNXModel(path: "\(folder)/test_\(name)/model.onnx")).graph
    return (graph, graph.constants.map { graph[$0] })
  }

  /// Operands and weights of a file in the order that the script gives them.
  private struct Case {
    let outputs, inputs, group: Int
    let qweight, qzeros: [Int32]
    let scales, weights: [Float]
    let index: [Int32]?

    init(_ path: String) throws {
      let words = try Data(contentsOf: URL(fileURLWithPath: path)).withUnsafeBytes { raw in (0..<raw.count / 4).map { raw.loadUnaligned(fromByteOffset: 4 * $0, as: Int32.self) } }
      (outputs, inputs, group) = (Int(words[0]), Int(words[1]), Int(words[2]))
      var rest = words[4...]
      func take(_ count: Int) -> [Int32] {
        defer { rest = rest.dropFirst(count) }
        return Array(rest.prefix(count))
      }
      let groups = inputs / group
      qweight = take(outputs * inputs / 8)
      qzeros = take(groups * outputs / 8)
      scales = take(groups * outputs).map { Float(bitPattern: UInt32(bitPattern: $0)) }
      index = words[3] == 0 ? nil : take(inputs)
      weights = take(outputs * inputs).map { Float(bitPattern: UInt32(bitPattern: $0)) }
    }

    /// Bit for bit, columns in the source's order.
    func expect(_ packed: FourBitWeights) {
      let decoded = packed.bytes.withUnsafeBytes { TensorView($0.baseAddress!, packed.format, [outputs, inputs]).decoded() }
      var found = [Float](repeating: .nan, count: weights.count)
      for n in 0..<outputs { for i in 0..<inputs { found[n * inputs + (packed.order?[i] ?? i)] = Float(decoded[n * inputs + i]) } }
      let different = found.indices.filter { found[$0].bitPattern != (weights[$0] + 0).bitPattern }
      #expect(different.isEmpty, "\(different.count) of \(found.count), first at \(different.first ?? 0)")
    }
  }

  @Test func gptqIsUnpackedAsAutoGPTQDoes() throws {
    let plain = try Case(folder + "/gptq_1.bin")
    let packed = try FourBitWeights.gptq(qweight: plain.qweight, qzeros: plain.qzeros, scales: plain.scales, outputs: plain.outputs, inputs: plain.inputs, group: plain.group)
    #expect(packed.order == nil && packed.format == .q4Z)
    plain.expect(packed)
    let ordered = try Case(folder + "/gptq_2_ordered.bin")
    let sorted = try FourBitWeights.gptq(qweight: ordered.qweight, qzeros: ordered.qzeros, scales: ordered.scales, groupIndex: ordered.index, outputs: ordered.outputs,
                                         inputs: ordered.inputs, group: ordered.group, zerosAreLessOne: false)
    #expect(sorted.order != nil)
    ordered.expect(sorted)
  }

  @Test func awqIsUnpackedAsAutoAWQDoes() throws {
    let awq = try Case(folder + "/awq.bin")
    awq.expect(try FourBitWeights.awq(qweight: awq.qweight, qzeros: awq.qzeros, scales: awq.scales, outputs: awq.outputs, inputs: awq.inputs, group: awq.group))
  }

  @Test func symmetricWeightsWithHalfPrecisionScalesAreQ4_0() throws {
    // Zero point 8 in each nibble: stored less one.
    let packed = try FourBitWeights.gptq(qweight: [Int32](repeating: 0x7654_3210, count: 8 * 8), qzeros: [0x7777_7777, 0x7777_7777], scales: [Float](repeating: 0.25, count: 16),
                                         outputs: 8, inputs: 64, group: 32)
    #expect(packed.format == .q4_0)
    let decoded = packed.bytes.withUnsafeBytes { TensorView($0.baseAddress!, .q4_0, [8, 64]).decoded() }
    let expected = (0..<512).map { (i: Int) -> Double in Double(i % 8 - 8) / 4 }
    #expect(decoded == expected)
  }

  @Test func wrongSizesAreRefusedByName() {
    func message(_ make: () throws -> FourBitWeights) -> String {
      do { return "\(try make())" } catch { return "\(error)" }
    }
    #expect(message { try .awq(qweight: [], qzeros: [], scales: [], outputs: 8, inputs: 128) }.contains("'qweight' has 0 elements, expected 128"))
    #expect(message { try .awq(qweight: [], qzeros: [], scales: [], outputs: 9, inputs: 128) }.contains("9 outputs"))
    #expect(message { try .nf4(codes: [], scales: [], outputs: 8, inputs: 48) }.contains("groups of 64 of 48 inputs"))
    #expect(message { try .matMulNBits(bits: 3, codes: [], scales: [], zeros: nil, outputs: 8, inputs: 64, group: 32) }.contains("3 bits"))
    #expect(message { try .gptq(qweight: [Int32](repeating: 0, count: 64), qzeros: [0, 0], scales: [Float](repeating: 1, count: 16), groupIndex: [Int32](repeating: 2, count: 64),
                                outputs: 8, inputs: 64, group: 32) }.contains("group 2 of 2"))
    #expect(message { try .gptq(qweight: [Int32](repeating: 0, count: 64), qzeros: [0, 0], scales: [Float](repeating: 1, count: 16), groupIndex: [Int32](repeating: 0, count: 64),
                                outputs: 8, inputs: 64, group: 32) }.contains("group 0 has 64 inputs"))
  }
}
