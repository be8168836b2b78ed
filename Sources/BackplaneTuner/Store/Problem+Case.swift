public import BackplaneConformance
public import BackplaneCore
import BackplaneSpecs

extension Problem {
  /// Operands whose extents are those of weights: they do not vary from run to run.
  private static let weights: Set<String> = ["b", "gate", "up", "wq", "wk", "wv", "table", "weight", "norm_weight", "bias", "frequencies"]

  /// Whether an extent takes part in the key as it is: those of weights, and the last of each operand. Others stand for their bucket.
  private static func isExact(_ operand: String, of spec: OperatorSpec, dimension: Int, of shape: [Int]) -> Bool {
    dimension == shape.count - 1 || (weights.contains(operand) && operand != spec.inputs.first?.name)
  }

  /// The case with the smallest and the largest extents of its buckets, where they differ from its own and its operator allows them.
  public static func edges(of id: CaseID) -> [CaseID] {
    var (exact, free) = (Set<Int>(), Set<Int>())
    for (operand, tensors) in zip(id.spec.inputs, id.inputs) {
      for shape in tensors.map(\.shape) {
        for (i, extent) in shape.enumerated() { if isExact(operand.name, of: id.spec, dimension: i, of: shape) { exact.insert(extent) } else { free.insert(extent) } }
      }
    }
    // An extent that is also a weight's may be tied to it.
    free.subtract(exact)
    return [{ Bucket.start(of: Bucket.of($0)) }, Bucket.of].compactMap { (edge: (Int) -> Int) -> CaseID? in
      var copy = id
      for k in copy.inputs.indices { for i in copy.inputs[k].indices { copy.inputs[k][i].shape = copy.inputs[k][i].shape.map { free.contains($0) ? edge($0) : $0 } } }
      return copy != id && (try? CaseGraph(copy)) != nil ? copy : nil
    }
  }

  /// - Parameter numerics: What is fastest under one class may be forbidden under another: each has its own choices.
  public init(_ id: CaseID, numerics: Numerics = .standard) {
    var formats: [String] = [], extents: [String] = []
    for (operand, tensors) in zip(id.spec.inputs, id.inputs) where !tensors.isEmpty {
      formats.append(operand.name + "=" + tensors.map(\.format.name).joined(separator: "+"))
      extents.append(operand.name + "=" + tensors.map { tensor in
        tensor.shape.enumerated().map { i, extent in String(Problem.isExact(operand.name, of: id.spec, dimension: i, of: tensor.shape) ? extent : Bucket.of(extent)) }.joined(separator: "x")
      }.joined(separator: "+"))
    }
    let attributes = id.attributes.map { "\($0.name)=\($0.value)" }, others = id.outputs.map { "out=\($0)" } + (numerics == .standard ? [] : ["numerics=\(numerics)"])
    self.init(op: id.op, signature: (formats + attributes + others).joined(separator: " "), bucket: extents.joined(separator: " "))
  }
}

/// Ranges of an extent that share a choice: 1, 2, 3, 4, 5…8, then up to each power of two and each half between.
public enum Bucket {
  /// The largest extent of the bucket that `extent` is in.
  public static func of(_ extent: Int) -> Int {
    if extent <= 4 { return extent }
    var top = 8
    while top < extent, top < 1 << 40 {
      if top + top / 2 >= extent { return top + top / 2 }
      top *= 2
    }
    return top
  }

  /// The smallest extent of the bucket that ends at `top`.
  public static func start(of top: Int) -> Int {
    var least = top
    while least > 1, of(least - 1) == top { least = of(least / 2) == top ? least / 2 : least - 1 }
    return least
  }

  /// The buckets that meet a range.
  public static func covering(_ range: ClosedRange<Int>) -> [ClosedRange<Int>] {
    var buckets: [ClosedRange<Int>] = [], at = max(range.lowerBound, 1)
    while at <= range.upperBound, buckets.count < 64 {
      let top = min(of(at), range.upperBound)
      buckets.append(at...top)
      at = top + 1
    }
    return buckets
  }
}

extension CaseID {
  /// The case that a node is under values of its graph's symbols, on ordinary data; nil when a symbol has no value, or the node is not as its spec says.
  public init?(_ node: Node, in graph: Graph, _ symbols: SymbolValues) {
    guard let spec = OperatorSpec.named(node.op) else { return nil }
    func tensor(_ id: TensorID) -> Tensor? { graph[id].shape.extents(in: symbols).map { Tensor(format: graph[id].format, shape: $0) } }
    var inputs = [[Tensor]](repeating: [], count: spec.inputs.count)
    for (position, id) in node.inputs.enumerated() {
      guard let id else { continue }
      let operand = min(position, spec.inputs.count - 1)
      guard operand >= 0, position < spec.inputs.count || spec.inputs[operand].isVariadic, let tensor = tensor(id) else { return nil }
      inputs[operand].append(tensor)
    }
    let outputs = zip(spec.outputs, node.outputs).filter { $0.isOptional && $1 != nil }.map(\.0.name)
    self.init(spec, inputs: inputs, attributes: node.attributes, outputs: outputs, data: "normal")
  }
}
