import BackplaneCore
import BackplaneRegistry
import BackplaneSpecs

/// Whether one operator may run on two devices at once, a part on each.
public enum SplitPolicy: Sendable, Hashable {
  case never
  /// Where the devices' rates say that it is faster by a tenth at least, with the share that they give.
  case auto
  /// Wherever two devices take the parts; the second one gets this share, between 0 and 1.
  case share(Double)
}

/// A constant that is a part of another one's bytes.
struct ConstantPart {
  var whole: TensorID
  var offset: Int
  var byteCount: Int
}

/// Rewrites operators as two parts on two devices and a node that joins them: matmul by rows of the weight, which are columns of the result;
/// attention by ranges of keys, joined by their log-sum-exp.
struct Splitting {
  private let placing: Placing
  private let policy: SplitPolicy
  private(set) var graph: Graph
  private(set) var parts: [TensorID: ConstantPart] = [:]
  /// By node of the new graph.
  private(set) var pins: [Int: Int] = [:]
  private(set) var count = 0

  /// A node as two.
  private struct Halves {
    /// Slices and the like, to run anywhere.
    var before: [Node] = []
    /// On the second device, on the first.
    var second, first: Node
    var after: [Node]
  }

  /// - Parameter placing: Has asked the devices about all nodes.
  init(_ placing: Placing, _ policy: SplitPolicy) throws(BackplaneError) {
    (self.placing, self.policy, graph) = (placing, policy, placing.graph)
    graph.nodes = []
    for (i, node) in placing.graph.nodes.enumerated() {
      let before = (graph, parts)
      guard placing.pinned[i] == nil, node.op == "matmul" || node.op == "attention", let choice = choice(i, node),
            let halves = node.op == "matmul" ? try matmul(node, choice.share) : try attention(node, choice.share), try takes(halves, choice.first, choice.second) else {
        (graph, parts) = before
        graph.nodes.append(node)
        continue
      }
      graph.nodes += halves.before
      pins[graph.nodes.count] = choice.second
      graph.nodes.append(halves.second)
      pins[graph.nodes.count] = choice.first
      graph.nodes.append(halves.first)
      graph.nodes += halves.after
      count += 1
    }
  }

  /// Cuts matmuls whose weight has more than `limit` bytes into rows, to be run one after the other.
  init(_ placing: Placing, weightBytes limit: Int) throws(BackplaneError) {
    (self.placing, policy, graph) = (placing, .never, placing.graph)
    graph.nodes = []
    for node in placing.graph.nodes {
      let before = (graph, parts)
      let cut = node.op != "matmul" ? nil : try matmul(node) { rows, bytes in
        let step = max(1, limit / max(1, bytes / rows) / 32 * 32)
        return bytes <= limit ? [] : stride(from: 0, to: rows, by: step).map { $0..<min($0 + step, rows) }
      }
      guard let cut else {
        (graph, parts) = before
        graph.nodes.append(node)
        continue
      }
      graph.nodes += cut.parts + cut.after
      count += 1
    }
  }

  // MARK: Who, and how much

  private func choice(_ index: Int, _ node: Node) -> (first: Int, second: Int, share: Double)? {
    let able = placing.devices.indices.filter { placing.answers[$0][placing.signatures[index]].isUsable }
    guard able.count > 1 else { return nil }
    func time(_ d: Int) -> Double { Double(Placing.estimate(placing.answers[d][placing.signatures[index]], node, placing.graph)) }
    if case .share(let share) = policy { return (able[0], able[1], min(max(share, 0), 1)) }
    let (first, second) = (able.sorted { time($0) < time($1) }[0], able.sorted { time($0) < time($1) }[1])
    // The second device gets its operands from the first one and gives its part back; joining reads and writes the result.
    func bytes(_ ids: [TensorID?]) -> Double {
      Double(ids.compactMap { $0 }.filter { placing.graph[$0].role != .constant }.reduce(0) { $0 + (placing.graph[$1].maximumBytes ?? 0) })
    }
    func move(_ from: Int, _ to: Int, _ bytes: Double) -> Double { Double(placing.links[from][to].nanoseconds(forBytes: Int(bytes))) }
    let (given, made) = (bytes(node.inputs), bytes(node.outputs))
    func whole(_ share: Double) -> Double {
      max(time(first) * (1 - share), time(second) * share + move(first, second, given) + move(second, first, made * share))
        + 2 * Double(placing.options.switchNanoseconds) + 1000 + 2 * made / 10
    }
    let share = (1..<32).map { Double($0) / 32 }.min { whole($0) < whole($1) }!
    return whole(share) < 0.9 * time(first) ? (first, second, share) : nil
  }

  private func takes(_ halves: Halves, _ first: Int, _ second: Int) throws(BackplaneError) -> Bool {
    for (device, node) in [(first, halves.first), (second, halves.second)] {
      let alone = Graph(tensors: graph.tensors, nodes: [node]).isolating(node: 0)
      guard try placing.devices[device].query(try ABIGraph(alone))[0].isUsable else { return false }
    }
    return true
  }

  // MARK: Parts

  private mutating func tensor(_ like: TensorID, _ suffix: String, role: TensorRole = .intermediate, _ shape: Shape, format: ElementFormat? = nil) -> TensorID {
    graph.tensors.append(TensorDescription(name: "\(placing.graph[like].name).\(suffix)", format: format ?? placing.graph[like].format, shape: shape, role: role))
    let id = TensorID(graph.tensors.count - 1)
    if role == .constant { graph.constants.append(id) }
    return id
  }

  /// Rows `range` of a constant's outermost dimension, as a constant.
  private mutating func rows(_ id: TensorID, _ range: Range<Int>) -> TensorID? {
    let whole = placing.graph[id]
    guard whole.role == .constant, let extents = whole.shape.fixedExtents, let bytes = whole.maximumBytes, extents[0] > 0, bytes % extents[0] == 0 else { return nil }
    let row = bytes / extents[0]
    let part = tensor(id, "\(range.lowerBound)..<\(range.upperBound)", role: .constant, Shape([range.count] + extents.dropFirst()))
    parts[part] = ConstantPart(whole: id, offset: range.lowerBound * row, byteCount: range.count * row)
    return part
  }

  /// Where `count` is cut so that the second part is `share` of it: a multiple of 32 where there is room for it.
  private static func cut(_ count: Int, _ share: Double) -> Int {
    let wanted = Double(count) * (1 - share)
    let step = count >= 64 ? 32 : 1
    return min(max(Int((wanted / Double(step)).rounded()) * step, step), (count - 1) / step * step)
  }

  private func node(_ op: String, _ inputs: [TensorID?], _ outputs: [TensorID?], _ attributes: [Attribute] = [], _ model: Node) throws(BackplaneError) -> Node {
    guard let spec = OperatorSpec.named(op) else { throw BackplaneError(.internal, "the catalogue has no \(op)") }
    func filled(_ ids: [TensorID?], _ count: Int) -> [TensorID?] { ids + Array(repeating: nil, count: max(0, count - ids.count)) }
    let values = spec.attributes.map { own in attributes.first { $0.name == own.name } ?? Attribute(own.name, own.defaultValue) }
    return Node(op: op, version: spec.version, inputs: filled(inputs, op == "concat" ? 0 : spec.inputs.count), outputs: filled(outputs, spec.outputs.count),
                attributes: values, numerics: model.numerics)
  }

  /// A matmul with a constant weight, cut into rows of the weight; with what joins the parts. The activation belongs to the parts, the residual is added
  /// to the whole. Nil where it cannot be cut so.
  private mutating func matmul(_ node: Node, _ ranges: (_ rows: Int, _ bytes: Int) -> [Range<Int>]) throws(BackplaneError) -> (parts: [Node], after: [Node])? {
    guard node[attribute: "transpose_b"] == .int(1), let b = node.inputs[1], let y = node.outputs[0], placing.graph[b].role == .constant,
          let extents = placing.graph[b].shape.fixedExtents, extents.count == 2, extents[0] >= 2 else { return nil }
    let (bias, residual, shape) = (node.inputs[2], node.inputs[3], placing.graph[y].shape)
    if let bias, placing.graph[bias].role != .constant { return nil }
    var made: [(y: TensorID, node: Node)] = []
    for (k, range) in ranges(extents[0], placing.graph[b].maximumBytes ?? 0).enumerated() {
      guard let weight = rows(b, range) else { return nil }
      let own = tensor(y, "part\(k)", Shape(shape.dimensions.dropLast() + [.fixed(range.count)]))
      made.append((own, try self.node("matmul", [node.inputs[0], weight, bias.flatMap { rows($0, range) }], [own], node.attributes, node)))
    }
    if made.count < 2 { return nil }
    // Kernels join so many at once; more are joined in groups first.
    let most = 8, axis = [Attribute("axis", .int(shape.rank - 1))]
    var joined = made.map(\.y), after: [Node] = []
    while joined.count > most {
      joined = try stride(from: 0, to: joined.count, by: most).map { begin throws(BackplaneError) in
        let group = Array(joined[begin..<min(begin + most, joined.count)])
        if group.count == 1 { return group[0] }
        let columns = group.reduce(0) { $0 + graph[$1].shape.dimensions.last!.maximum }
        let id = tensor(y, "group\(graph.tensors.count)", Shape(shape.dimensions.dropLast() + [.fixed(columns)]))
        after.append(try self.node("concat", group, [id], axis, node))
        return id
      }
    }
    let whole = residual == nil ? y : tensor(y, "joined", shape)
    after.append(try self.node("concat", joined, [whole], axis, node))
    if let residual { after.append(try self.node("add", [whole, residual], [y], [], node)) }
    return (made.map(\.node), after)
  }

  private mutating func matmul(_ node: Node, _ share: Double) throws(BackplaneError) -> Halves? {
    try matmul(node) { rows, _ in let at = Splitting.cut(rows, share); return [0..<at, at..<rows] }.map { Halves(second: $0.parts[1], first: $0.parts[0], after: $0.after) }
  }

  /// A range of keys: of a constant a part of its bytes, of anything else a slice.
  private mutating func keys(_ id: TensorID, _ range: Range<Int>, _ axis: Int, _ before: inout [Node], _ model: Node) throws(BackplaneError) -> TensorID {
    if axis == 0, let part = rows(id, range) { return part }
    let shape = Shape(placing.graph[id].shape.dimensions.enumerated().map { $0 == axis ? .fixed(range.count) : $1 })
    let part = tensor(id, "\(range.lowerBound)..<\(range.upperBound)", shape)
    before.append(try node("slice", [id], [part], [Attribute("axis", .int(axis)), Attribute("start", .int(range.lowerBound)), Attribute("end", .int(range.upperBound))], model))
    return part
  }

  /// The second device gets the first keys, which every query sees; what depends on the last ones stays with the rest: causal masks and sinks.
  private mutating func attention(_ node: Node, _ share: Double) throws(BackplaneError) -> Halves? {
    guard let q = node.inputs[0], let k = node.inputs[1], let v = node.inputs[2], let y = node.outputs[0], node.inputs[3] == nil, node.inputs[5] == nil,
          placing.graph[k].role != .state, placing.graph[v].role != .state, let keys = placing.graph[k].shape.fixedExtents, placing.graph[v].shape.fixedExtents != nil,
          case .fixed(let queries) = placing.graph[q].shape.dimensions[placing.graph[q].shape.rank - 3] else { return nil }
    let axis = keys.count - 3, s = keys[axis]
    guard case .int(let window)? = node[attribute: "window"], window == 0 || window >= s, case .int(let causal)? = node[attribute: "causal"] else { return nil }
    // The second device's keys come first, so that its share is what lies before the cut.
    let at = min(Splitting.cut(s, 1 - share), causal == 1 ? s - queries + 1 : s - 1)
    guard s >= 2, at >= 1 else { return nil }
    var before: [Node] = []
    let lse = Shape(placing.graph[y].shape.dimensions.dropLast())
    var made: [(y: TensorID, lse: TensorID, node: Node)] = []
    for (number, keys) in [0..<at, at..<s].enumerated() {
      let own = tensor(y, "part\(number)", placing.graph[y].shape), ownLse = tensor(y, "lse\(number)", lse, format: .f32)
      let attributes = node.attributes.map { attribute in
        attribute.name == "window" || (attribute.name == "causal" && number == 0) ? Attribute(attribute.name, .int(0)) : attribute
      }
      let keysPart = try self.keys(k, keys, axis, &before, node), valuesPart = try self.keys(v, keys, axis, &before, node)
      let inputs = [q, keysPart, valuesPart, nil, number == 1 ? node.inputs[4] : nil]
      made.append((own, ownLse, try self.node("attention", inputs, [own, ownLse], attributes, node)))
    }
    let merge = try self.node("merge_attention", [made[0].y, made[0].lse, made[1].y, made[1].lse], [y, node.outputs.count > 1 ? node.outputs[1] : nil], [], node)
    return Halves(before: before, second: made[0].node, first: made[1].node, after: [merge])
  }
}
