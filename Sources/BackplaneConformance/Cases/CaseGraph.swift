import BackplaneCore
import BackplaneSpecs

/// The graph of one node that a case describes.
package struct CaseGraph {
  package let graph: Graph
  /// By the node's inputs, variadic ones one after the other; nil where absent.
  package let inputs: [(id: TensorID, tensor: CaseID.Tensor)?]
  let node: Node
  package let symbols: SymbolValues
  let resolution: Resolution

  /// - Throws: What the spec has against it.
  package init(_ id: CaseID, numerics: Numerics = .standard) throws(BackplaneError) {
    let spec = id.spec
    let isWritten = Set(spec.outputs.compactMap(\.inPlace))
    let resolution = try CaseGraph.resolve(id)
    self.resolution = resolution
    func build(_ symbol: (name: String, extent: Int)?) throws(BackplaneError) -> (Graph, [(TensorID, CaseID.Tensor)?], SymbolValues) {
      var builder = GraphBuilder()
      builder.numerics = numerics
      var placed: [(TensorID, CaseID.Tensor)?] = []
      var values = SymbolValues()
      let dynamic = symbol.map { _ in builder.symbol("s", 1...Swift.max(2 * symbol!.extent + 1, 2)) }
      if let dynamic { values[dynamic] = symbol!.extent }
      for (k, (operand, tensors)) in zip(spec.inputs, id.inputs).enumerated() {
        if tensors.isEmpty, !(operand.isVariadic) { placed.append(nil); continue }
        for (i, tensor) in tensors.enumerated() {
          let name = tensors.count == 1 ? operand.name : "\(operand.name)\(i)"
          var shape = Shape(tensor.shape)
          if let dynamic, let symbol {
            for (d, word) in CaseGraph.names(operand.shape, rank: tensor.shape.count).enumerated() where word == symbol.name && tensor.shape[d] == symbol.extent { shape.dimensions[d] = .symbol(dynamic) }
          }
          let made: TensorID = switch id.memory {
          case .constant where k > 0: builder.constant(name, tensor.format, shape)
          case .state where isWritten.contains(operand.name): builder.state(name, tensor.format, shape)
          default: builder.input(name, tensor.format, shape)
          }
          placed.append((made, tensor))
        }
      }
      let outputs = try builder.apply(id.op, placed.map { $0?.0 }, id.attributes, optionalOutputs: Set(id.outputs))
      for case let output? in outputs where builder[output].role == .intermediate { builder.output(output) }
      return (builder.graph, placed, values)
    }
    var symbol: (name: String, extent: Int)?
    if id.memory == .symbolic {
      // Begin with another extent from case to case.
      let candidates = CaseGraph.candidates(id)
      let start = candidates.isEmpty ? 0 : Int(id.seed % UInt64(candidates.count))
      for i in candidates.indices {
        let candidate = candidates[(start + i) % candidates.count]
        if (try? build(candidate)) != nil { symbol = candidate; break }
      }
      if symbol == nil { throw BackplaneError(.unsupported, "\(id.op): no extent of this case may be symbolic") }
    }
    let (graph, placed, values) = try build(symbol)
    self.graph = graph
    inputs = placed.map { $0.map { (id: $0.0, tensor: $0.1) } }
    symbols = values
    node = graph.nodes[0]
  }

  private static func resolve(_ id: CaseID) throws(BackplaneError) -> Resolution {
    var descriptions: [TensorDescription?] = []
    for (operand, tensors) in zip(id.spec.inputs, id.inputs) {
      if tensors.isEmpty { if !operand.isVariadic { descriptions.append(nil) } }
      for tensor in tensors { descriptions.append(TensorDescription(name: operand.name, format: tensor.format, shape: Shape(tensor.shape), role: .input)) }
    }
    return try id.spec.resolve(inputs: descriptions, attributes: id.attributes)
  }

  /// Most multiply-adds (or elements) of a case: the oracle has to repeat them.
  static let largestWork = 6_000_000

  /// Whether the spec allows the case and the oracle can do it in a moment.
  package static func isAllowed(_ id: CaseID) -> Bool {
    guard id.inputs.allSatisfy({ $0.allSatisfy { $0.shape.count <= Shape.maximumRank && $0.format.bytes(forElements: $0.count) != nil } }),
          let resolution = try? resolve(id) else { return false }
    let elements = id.inputs.joined().reduce(0) { $0 + $1.count }
    guard elements <= 400_000, work(id, resolution) <= largestWork else { return false }
    if id.memory == .symbolic || id.memory == .state { return (try? CaseGraph(id)) != nil && (id.memory == .symbolic || !(try! CaseGraph(id)).graph.states.isEmpty) }
    return true
  }

  /// Outputs times the extents that are summed over.
  package static func work(_ id: CaseID, _ resolution: Resolution) -> Int {
    let outputs = resolution.outputs.first?.shape.fixedExtents?.reduce(1, *) ?? 0
    return outputs * max(1, terms(id, resolution))
  }

  /// How many numbers an element of the result is the sum of, as far as the shapes tell.
  static func terms(_ id: CaseID, _ resolution: Resolution) -> Int {
    let outputs = resolution.outputs.first?.shape.fixedExtents?.reduce(1, *) ?? 0
    switch id.spec.numerics.bound {
    case .sum: return outputs == 0 ? 1 : id.inputs[0].reduce(0) { $0 + $1.count } / outputs
    case .softmax, .rmsNorm, .layerNorm: return id.inputs[0].first?.shape.last ?? 1
    default:
      let kept = Set(id.spec.outputs.flatMap(\.shape.extentNames))
      return resolution.extents.filter { !kept.contains($0.key) }.reduce(0) { $0 + ($1.value.fixed ?? 0) }
    }
  }

  /// The name of each dimension of an operand of that rank; dimensions of a spread are "...0" from the right.
  private static func names(_ pattern: ShapePattern, rank: Int) -> [String] {
    func name(_ word: ShapePattern.Word) -> String { if case .extent(let name) = word { name } else { "" } }
    if pattern.isRuled { return (0..<rank).map { "?\($0)" } }
    let middle = rank - pattern.prefix.count - pattern.suffix.count
    guard middle >= 0 else { return [String](repeating: "", count: rank) }
    return pattern.prefix.map(name) + (0..<middle).map { "...\(middle - 1 - $0)" } + pattern.suffix.map(name)
  }

  private static func candidates(_ id: CaseID) -> [(name: String, extent: Int)] {
    var found: [(name: String, extent: Int)] = []
    for (operand, tensors) in zip(id.spec.inputs, id.inputs) {
      for tensor in tensors {
        for (name, extent) in zip(names(operand.shape, rank: tensor.shape.count), tensor.shape) where !name.isEmpty && extent > 0 {
          if !found.contains(where: { $0.name == name }) { found.append((name, extent)) }
        }
      }
    }
    return found
  }
}
