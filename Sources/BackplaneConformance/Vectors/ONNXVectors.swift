import BackplaneCore
import BackplaneONNX
import BackplaneReference
import BackplaneRegistry
import Foundation

/// ONNX's own operator tests: folders with a model, inputs, and the outputs that ONNX computed. Cases are called `onnx/FOLDER`.
///
/// A model is said in our operators, which run one at a time; each is judged by the oracle's bound, so a wrong kernel shows as always.
/// Then the result is compared with ONNX's: by the package's own rule, |a - b| <= 1e-7 + 1e-3 |b|; where that is too strict for one node's
/// format, by its derived bound around the oracle's value plus one rounding of ONNX's.
public struct ONNXVectors: Sendable {
  public static let relative = 1e-3, absolute = 1e-7
  /// Bytes of a tensor, at most: a file can ask for any number.
  static let largest = 256 << 20

  /// How a result compares with ONNX's.
  public struct Comparison: Codable, Sendable {
    /// Our operators, in order.
    public var nodes: [String]
    /// Largest |a - b| / (1e-7 + 1e-3 |b|).
    public var byPackageRule: Double
    /// Largest |ONNX - oracle| / (bound + rounding), for a test that is one node.
    public var byBound: Double?
    /// `package` or `bound`: what it was accepted by.
    public var accepted: String?
  }

  public let folder: String

  public init(folder: String) { self.folder = folder }

  /// The IDs of the tests, in order.
  ///
  /// - Throws: ``BackplaneError`` (file) when there are none.
  public func ids() throws(BackplaneError) -> [String] {
    guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder) else {
      throw BackplaneError(.file, "is no folder that can be read", subject: folder)
    }
    let tests = names.filter { FileManager.default.fileExists(atPath: "\(folder)/\($0)/model.onnx") }.sorted()
    guard !tests.isEmpty else {
      throw BackplaneError(.file, "holds no tests: folders with model.onnx and test_data_set_0 are needed", subject: folder,
                           hint: "those of the Python package onnx lie in onnx/backend/test/data/node")
    }
    return tests.map { "onnx/\($0)" }
  }

  public func run(_ id: String, _ device: Device) -> CaseResult {
    let clock = ContinuousClock(), start = clock.now
    var result = CaseResult(id: id, outcome: .pass)
    do throws(BackplaneError) { try run("\(folder)/\(id.dropFirst("onnx/".count))", device, &result) } catch {
      (result.outcome, result.message) = (.error, "\(error)")
    }
    let elapsed = clock.now - start
    result.milliseconds = Double(elapsed.components.seconds) * 1000 + Double(elapsed.components.attoseconds) / 1e15
    result.makeFinite()
    return result
  }

  private func run(_ test: String, _ device: Device, _ result: inout CaseResult) throws(BackplaneError) {
    let model = try ONNXModel(path: test + "/model.onnx")
    let sets = ((try? FileManager.default.contentsOfDirectory(atPath: test)) ?? []).filter { $0.hasPrefix("test_data_set_") }.sorted()
    if sets.isEmpty { throw BackplaneError(.file, "has no test_data_set_0", subject: test) }
    for set in sets where result.outcome == .pass { try run(model, "\(test)/\(set)", device, &result) }
  }

  private func run(_ model: ONNXModel, _ set: String, _ device: Device, _ result: inout CaseResult) throws(BackplaneError) {
    var given: [String: ONNXTensor] = [:]
    let unset = model.graph.inputs.filter { input in !model.graph.initializers.contains { $0.name == input.name } }
    // What is no tensor stays away: the importer says so.
    for (i, input) in unset.enumerated() {
      if case .tensor? = input.type { given[input.name] = try ONNXTensor(path: "\(set)/input_\(i).pb") }
    }
    let imported: ONNXImport
    do { imported = try ONNXImport(model, given: given) } catch where error.kind == .unsupported || error.kind == .constraint {
      (result.outcome, result.message) = (.unmapped, error.message)
      return
    }
    let largest = imported.graph.tensors.map { $0.maximumBytes ?? .max }.max() ?? 0
    if largest > ONNXVectors.largest {
      (result.outcome, result.message) = (.unmapped, "a tensor of more than \(ONNXVectors.largest >> 20) MiB")
      return
    }
    var bytes = imported.constants
    for (name, id) in imported.inputs { bytes[id] = given[name]!.bytes }
    var run = NodeRun(device, imported.graph, bytes)
    var comparison = Comparison(nodes: imported.graph.nodes.map(\.op), byPackageRule: 0)
    result.vector = comparison
    var expected: NodeRun.Expected?
    for i in imported.graph.nodes.indices {
      expected = try run.run(i, &result)
      if result.outcome != .pass { return }
    }
    for (k, output) in imported.outputs.enumerated() {
      let want = try ONNXTensor(path: "\(set)/output_\(k).pb"), tensor = imported.graph[output.id], shape = tensor.shape.fixedExtents ?? []
      guard want.type.format == tensor.format, want.shape == shape else {
        (result.outcome, result.fault) = (.fail, "onnx")
        result.message = "\(output.name) is \(tensor.format)\(shape), ONNX's is \(want.type)\(want.shape)"
        return
      }
      func decoded(_ bytes: [UInt8]) -> [Double] { bytes.withUnsafeBytes { TensorView($0.baseAddress ?? UnsafeRawPointer(bitPattern: 8)!, tensor.format, shape).decoded() } }
      let (actual, theirs) = (decoded(run.bytes[output.id]!), decoded(want.bytes))
      var worst: Int?
      for i in theirs.indices {
        let ratio = ONNXVectors.ratio(actual[i], theirs[i], ONNXVectors.absolute + ONNXVectors.relative * abs(theirs[i]))
        if ratio > 1, worst == nil { worst = i }
        comparison.byPackageRule = max(comparison.byPackageRule, ratio)
      }
      if imported.graph.nodes.count == 1, let reference = imported.graph.nodes[0].outputs.firstIndex(of: output.id).flatMap({ expected?[$0] }) {
        let unit = switch tensor.format { case .f16: 0x1p-11; case .bf16: 0x1p-8; case .f32: 0x1p-24; default: 0.0 }
        let values = reference.values
        comparison.byBound = theirs.indices.reduce(comparison.byBound ?? 0) { most, i in
          let bound = reference.error?[i] ?? 0
          // Where the oracle promises nothing, this rule does not decide.
          return bound.isFinite ? max(most, ONNXVectors.ratio(theirs[i], values[i], bound + unit * abs(values[i]))) : .infinity
        }
      }
      if let worst, comparison.byBound ?? .infinity > 1 {
        (result.outcome, result.fault) = (.fail, "onnx")
        result.firstBad = .init(output: output.name, index: worst, expected: theirs[worst], actual: actual[worst], bound: ONNXVectors.absolute + ONNXVectors.relative * abs(theirs[worst]))
        result.message = "\(output.name)[\(worst)] is \(actual[worst]), ONNX's \(theirs[worst]); every node is within its bound, so the operators' meanings differ"
      }
    }
    if result.outcome == .pass { comparison.accepted = comparison.byPackageRule <= 1 ? "package" : "bound" }
    func finite(_ x: Double) -> Double { x.isFinite ? x : 1e308 }
    (comparison.byPackageRule, comparison.byBound) = (finite(comparison.byPackageRule), comparison.byBound.map(finite))
    result.vector = comparison
  }

  /// |a - b| / tolerance; equal numbers, infinities and two NaN are 0 apart.
  private static func ratio(_ a: Double, _ b: Double, _ tolerance: Double) -> Double {
    if a == b || (a.isNaN && b.isNaN) { return 0 }
    let distance = abs(a - b)
    return distance.isFinite ? distance / tolerance : .infinity
  }
}
