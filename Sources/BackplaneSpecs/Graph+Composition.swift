import BackplaneCore

extension Graph {
  /// The graph with some of its fused operators replaced by the operators that they are composed of.
  ///
  /// - Parameter numbers: Of the nodes to be replaced.
  /// - Returns: The graph, whose tensors are those of this one and others behind them; for each of its nodes the number of the node here that it is
  ///   or is a part of.
  /// - Throws: ``BackplaneError``; `node` is the number of the node that cannot be replaced: a primitive operator, or an optional output that its
  ///   composition does not make.
  public func composing(_ numbers: Set<Int>) throws(BackplaneError) -> (graph: Graph, origins: [Int]) {
    var bare = self
    bare.nodes = []
    var builder = GraphBuilder(continuing: bare)
    var origins: [Int] = []
    var renamed: [TensorID: TensorID] = [:]
    for (number, node) in nodes.enumerated() {
      if numbers.contains(number) {
        do throws(BackplaneError) {
          builder.numerics = node.numerics
          let made = try builder.applyComposition(of: node.op, node.inputs, node.attributes, name: node.outputs.lazy.compactMap { $0 }.first.map { self[$0].name })
          for (wanted, own) in zip(node.outputs, made) {
            guard let wanted else { continue }
            guard let own else { throw .constraint(node.op, "O", "the composition does not make \(self[wanted].name)") }
            renamed[own] = wanted
          }
        } catch {
          var located = error
          located.node = number
          throw located
        }
      } else {
        builder.append(node)
      }
      origins += Array(repeating: number, count: builder.graph.nodes.count - origins.count)
    }
    var graph = builder.graph
    for n in graph.nodes.indices {
      graph.nodes[n].inputs = graph.nodes[n].inputs.map { $0.map { renamed[$0] ?? $0 } }
      graph.nodes[n].outputs = graph.nodes[n].outputs.map { $0.map { renamed[$0] ?? $0 } }
    }
    return (graph, origins)
  }
}
