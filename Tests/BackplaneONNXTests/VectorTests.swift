import BackplaneConformance
import BackplaneCore
import BackplaneReference
import BackplaneRegistry
import Foundation
import Testing
import _TestSupport

/// ONNX's tests as cases: what passes, what is refused, what differs. The device is the oracle.
@Suite struct VectorTests {
  private let folder: TemporaryFolder
  private let device: Device

  init() throws {
    folder = try TemporaryFolder()
    device = try Device(try PluginInstance(try PluginLibrary(inProcess: ReferencePlugin.table), host: .minimal()), index: 0)
  }

  /// Runs a test of one data set that is written here.
  private func run(_ model: Message, _ inputs: [Message], _ outputs: [Message], name: String = "test_it") throws -> CaseResult {
    let set = "\(folder.path)/\(name)/test_data_set_0"
    try? FileManager.default.removeItem(atPath: "\(folder.path)/\(name)")
    try FileManager.default.createDirectory(atPath: set, withIntermediateDirectories: true)
    func write(_ message: Message, _ path: String) throws { try Data(message.bytes).write(to: URL(fileURLWithPath: path)) }
    try write(model, "\(folder.path)/\(name)/model.onnx")
    for (i, input) in inputs.enumerated() { try write(input, "\(set)/input_\(i).pb") }
    for (i, output) in outputs.enumerated() { try write(output, "\(set)/output_\(i).pb") }
    return ONNXVectors(folder: folder.path).run("onnx/\(name)", device)
  }

  private func one(_ op: String, _ x: [Float], _ shape: [Int], _ y: [Float], _ result: [Int]? = nil, ints: [String: Int] = [:], opset: Int = 23) throws -> CaseResult {
    try run(Onnx.model([Onnx.node(op, ["x"], ["y"], ints: ints)], inputs: [Onnx.value("x", 1, shape)], outputs: [Onnx.value("y", 1, result ?? shape)], opset: opset),
            [Onnx.floats("x", shape, x)], [Onnx.floats("y", result ?? shape, y)])
  }

  @Test func aResultLikeONNXsPasses() throws {
    let result = try one("Relu", [-1, 2, -3, 4], [4], [0, 2, 0, 4])
    #expect(result.outcome == .pass, "\(result.message ?? "")")
    #expect(result.vector?.nodes == ["relu"])
    #expect(result.vector?.accepted == "package")
    #expect(result.vector?.byBound == 0)
  }

  @Test func aResultUnlikeONNXsFailsAndSaysWhere() throws {
    let result = try one("Relu", [-1, 2, -3, 4], [4], [0, 2, 0, 4.5])
    #expect(result.outcome == .fail)
    #expect(result.fault == "onnx")
    #expect(result.message?.contains("y[3] is 4.0, ONNX's 4.5") == true || result.message?.contains("[3] is 4.0, ONNX's 4.5") == true, "\(result.message ?? "")")
    #expect(try one("Relu", [1], [1], [.nan]).outcome == .fail)
    #expect(try one("Relu", [1, 1], [2], [1, 1], [2, 1]).message?.contains("[2, 1]") == true)
  }

  @Test func theOperatorSetDecides() throws {
    // Before version 13 softmax runs over all dimensions from the axis on.
    let quarter = [Float](repeating: 0.25, count: 4), half = [Float](repeating: 0.5, count: 4)
    #expect(try one("Softmax", [1, 1, 1, 1], [1, 2, 2], quarter, ints: ["axis": 1], opset: 12).outcome == .pass)
    #expect(try one("Softmax", [1, 1, 1, 1], [1, 2, 2], half, ints: ["axis": 1], opset: 13).outcome == .pass)
    #expect(try one("Softmax", [1, 1, 1, 1], [1, 2, 2], quarter, ints: ["axis": 1], opset: 13).outcome == .fail)
  }

  @Test func whatIsNotMappedSaysWhy() throws {
    let pool = try one("LpPool", [1, 2], [1, 1, 2], [1, 2])
    #expect(pool.outcome == .unmapped)
    #expect(pool.message == "no operator for LpPool")
    #expect(!pool.isBad)
    let own = try run(Onnx.model([Onnx.node("Relu", ["x"], ["y"], domain: "com.example")], inputs: [Onnx.value("x", 1, [1])], outputs: [Onnx.value("y", 1, [1])]),
                      [Onnx.floats("x", [1], [1])], [Onnx.floats("y", [1], [1])])
    #expect(own.message == "no operator for com.example.Relu")
    let wide = try run(Onnx.model([Onnx.node("Add", ["x", "x"], ["y"])], inputs: [Onnx.value("x", 13, [1])], outputs: [Onnx.value("y", 13, [1])]),
                       [Onnx.tensor("x", 13, [1], raw: [UInt8](repeating: 1, count: 8))], [Onnx.tensor("y", 13, [1], raw: [UInt8](repeating: 2, count: 8))])
    #expect(wide.message == "no format for uint64")
  }

  @Test func operandsThatAreAttributesHereAreTakenFromTheTest() throws {
    let model = Onnx.model([Onnx.node("ReduceSum", ["x", "axes"], ["y"], ints: ["keepdims": 0])], inputs: [Onnx.value("x", 1, [2, 3]), Onnx.value("axes", 7, [1])],
                           outputs: [Onnx.value("y", 1, [2])])
    let result = try run(model, [Onnx.floats("x", [2, 3], [1, 2, 3, 4, 5, 6]), Onnx.ints("axes", [1], [-1])], [Onnx.floats("y", [2], [6, 15])])
    #expect(result.outcome == .pass, "\(result.message ?? "")")
    // An operand that a node computes is none.
    let computed = Onnx.model([Onnx.node("Abs", ["a"], ["axes"]), Onnx.node("ReduceSum", ["x", "axes"], ["y"])], inputs: [Onnx.value("x", 1, [2, 3]), Onnx.value("a", 1, [1])],
                              outputs: [Onnx.value("y", 1, [2, 1])])
    #expect(try run(computed, [Onnx.floats("x", [2, 3], [1, 2, 3, 4, 5, 6]), Onnx.floats("a", [1], [1])], [Onnx.floats("y", [2, 1], [6, 15])]).message
      == "ReduceSum: operand 1 must be known, and is computed")
  }

  @Test func shapesAreComputedWhileImporting() throws {
    // y = reshape(x, concat(slice(shape(x), 0, 1), [-1])), as functions that ONNX writes out have it.
    let nodes = [Onnx.node("Shape", ["x"], ["s"]), Onnx.node("Slice", ["s", "zero", "one"], ["first"]), Onnx.node("Concat", ["first", "free"], ["shape"], ints: ["axis": 0]),
                 Onnx.node("Reshape", ["x", "shape"], ["r"]), Onnx.node("Neg", ["r"], ["y"])]
    let model = Onnx.model(nodes, inputs: [Onnx.value("x", 1, [2, 3, 1])], outputs: [Onnx.value("y", 1, [2, 3])],
                           initializers: [Onnx.ints("zero", [1], [0]), Onnx.ints("one", [1], [1]), Onnx.ints("free", [1], [-1])])
    let result = try run(model, [Onnx.floats("x", [2, 3, 1], [1, 2, 3, 4, 5, 6])], [Onnx.floats("y", [2, 3], [-1, -2, -3, -4, -5, -6])])
    #expect(result.outcome == .pass, "\(result.message ?? "")")
    #expect(result.vector?.nodes == ["reshape", "neg"])
  }

  @Test func foldersThatAreNoTestsAreNamed() throws {
    #expect(throws: BackplaneError.self) { try ONNXVectors(folder: folder.path).ids() }
    #expect(throws: BackplaneError.self) { try ONNXVectors(folder: folder.path + "/absent").ids() }
    let result = try run(ReaderTests.softmax, [], [])
    #expect(result.outcome == .error)
    #expect(result.message?.contains("input_0.pb") == true, "\(result.message ?? "")")
  }

  private static let package = ProcessInfo.processInfo.environment["BACKPLANE_TEST_ONNX"]

  /// Every test of ONNX's package that can be said in our operators gives ONNX's result on the oracle: the specs mean what ONNX means.
  @Test(.enabled(if: package != nil, "set BACKPLANE_TEST_ONNX to the folder of ONNX's node tests (.ci/fetch-onnx prints it)"))
  func theOracleAgreesWithONNX() throws {
    let vectors = ONNXVectors(folder: VectorTests.package!)
    var counts: [CaseResult.Outcome: Int] = [:]
    for id in try vectors.ids() {
      let result = vectors.run(id, device)
      counts[result.outcome, default: 0] += 1
      #expect([.pass, .unmapped].contains(result.outcome), "\(id): \(result.message ?? "")")
    }
    #expect(counts[.pass, default: 0] > 900, "\(counts)")
  }
}
