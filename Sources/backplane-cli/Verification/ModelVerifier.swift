import Backplane
import BackplaneModels
import BackplaneReference

/// Judges a device on a model: each node alone on the device's own inputs, then the logits of the whole.
struct ModelVerifier {
  /// What the logits of the whole model are held to.
  enum Standard: String {
    /// The cosine similarity to the oracle's is 0.9999 at least, at each position.
    case float
    /// A device rounds activations to 8 bits (property `activations`): the next-token distributions differ by a mean of 0.05 nats at most.
    case int8

    static let leastCosine = 0.9999, mostMeanKL = 0.05

    /// A token that both like about as much may be the other's second, never more.
    func isMet(by end: EndToEnd) -> Bool {
      end.disagreements == 0 && (self == .float ? end.cosine >= Standard.leastCosine : end.meanKL <= Standard.mostMeanKL)
    }
    var text: String { self == .float ? "cosine \(Standard.leastCosine) at least" : "int8 activations: mean KL \(Standard.mostMeanKL) at most" }
  }
  var standard: Standard { devices.contains { $0.info[property: "activations"] == .string("int8") } ? .int8 : .float }

  struct OperatorResult {
    var nodes = 0
    var elements = 0
    /// Largest error as a fraction of its bound.
    var worst = 0.0
    var failed = 0
  }
  struct Failure {
    var node: Int
    var op: String
    var name: String
    var text: String
  }

  let model: LanguageModel
  let ids: [Int32]
  let runtime: Runtime
  let devices: [Device]
  var device: Device { devices[0] }
  let compiled: CompiledGraph
  private let constants: [TensorID: ConstantSource]
  private(set) var byOperator: [String: OperatorResult] = [:]
  private(set) var failures: [Failure] = []
  private(set) var nodeCount = 0

  init(_ model: LanguageModel, _ ids: [Int32], _ runtime: Runtime, _ devices: [Device]) throws {
    self.model = model
    self.ids = ids
    self.runtime = runtime
    self.devices = devices
    // One run of the prompt: where shapes must be static, they are the run's.
    let isStatic = devices.contains { $0.info[property: "static_shapes"] != nil }
    let graph = isStatic ? try model.graph.specialised(ModelVerifier.symbols(model, ids)) : model.graph
    compiled = try runtime.compile(graph, CompileOptions(devices: devices, fallback: devices.count == 1 ? .forbid : .allow))
    constants = try model.constantSources()
  }

  private static func symbols(_ model: LanguageModel, _ ids: [Int32]) -> SymbolValues {
    [model.tokens: ids.count, model.kv: ids.count, model.outputs: ids.count]
  }
  private var symbols: SymbolValues { ModelVerifier.symbols(model, ids) }
  var deviceNames: String { devices.map(\.id).joined(separator: ", ") }
  private var rows: [Int32] { ids.indices.map(Int32.init) }

  /// Runs the graph as it was fused for the device, one node at a time, and replays each node with the oracle.
  mutating func judgeNodes(progress: (String) -> Void) throws {
    let graph = compiled.graph
    let runner = try NodeByNodeRunner(runtime, device, graph, constants: constants)
    try runner.setInput(model.tokenIDs, ids)
    try runner.setInput(model.positions, rows)
    try runner.setInput(model.outputRows, rows)
    let verdicts = try device.query(try ABIGraph(graph))
    let oracle = ReferenceInterpreter()
    nodeCount = graph.nodes.count
    let values = symbols
    var results = byOperator
    var found = failures
    try runner.run(symbols: values) { index, node, inputs, outputs throws(BackplaneError) in
      progress("node \(index + 1) of \(graph.nodes.count): \(node.op)")
      func view(_ operand: NodeByNodeRunner.Operand?) -> TensorView? {
        guard let operand, let shape = operand.tensor.shape.extents(in: values) else { return nil }
        return TensorView(operand.bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 64)!, operand.tensor.format, shape)
      }
      let declared = Declared(verdicts[index].declares.map { Attribute($0.name, $0.value) })
      let expected = try oracle.evaluate(node: node, inputs: inputs.map(view), declared: declared, bounds: true)
      for (k, output) in outputs.enumerated() {
        guard let output, k < expected.count, let want = expected[k] else { continue }
        let judgement = Judge.compare(expected: want, actual: output.bytes)
        var result = results[node.op] ?? OperatorResult()
        result.nodes += k == 0 ? 1 : 0
        result.elements += judgement.count
        result.worst = max(result.worst, judgement.maxRatio)
        result.failed += judgement.passed ? 0 : 1
        results[node.op] = result
        if !judgement.passed { found.append(Failure(node: index, op: node.op, name: output.tensor.name, text: "\(judgement)")) }
      }
    }
    byOperator = results
    failures = found
  }

  /// How the device's logits compare with the oracle's, at every position of the prompt.
  struct EndToEnd {
    /// Least over the positions.
    var cosine = 1.0
    /// Kullback-Leibler divergence of the next-token distributions in nats: mean and largest.
    var meanKL = 0.0, maximumKL = 0.0
    /// Positions where both prefer the same token.
    var top1Agreement = 1.0
    /// Positions where they do not although the oracle's best two are further apart than the logits differ.
    var disagreements = 0
  }

  func compareEndToEnd(progress: (String) -> Void) throws -> EndToEnd {
    progress("running the model on \(deviceNames)")
    let got = try logits(on: compiled)
    progress("running the model on the oracle")
    let oracle = try runtime.compile(model.graph, CompileOptions(devices: [runtime.device("reference")]))
    return EndToEnd(expected: try logits(on: oracle), got: got, width: model.configuration.vocabularySize)
  }

  private func logits(on compiled: CompiledGraph) throws -> [Float] {
    let session = try Session(compiled, constants: constants)
    session.write(ids, to: model.tokenIDs)
    session.write(rows, to: model.positions)
    session.write(rows, to: model.outputRows)
    try session.run(symbols: symbols)
    return session.read(model.logits, as: Float.self, count: ids.count * model.configuration.vocabularySize)
  }
}
