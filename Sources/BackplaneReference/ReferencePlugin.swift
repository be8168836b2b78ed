import BackplaneABI
import BackplaneCore
import BackplaneHostPlugin

/// The oracle behind the plugin ABI, for a host to register in its own process.
///
/// It takes every operator of the catalogue in every format, and registered ones; computes in double precision and rounds each node's output once. Slow.
public enum ReferencePlugin {
  /// Valid for the life of the process; callable from any thread.
  public static var table: UnsafePointer<bp_plugin> { plugin.table }

  private static let plugin: HostPlugin = HostPlugin(name: "reference", evaluator: Oracle()) { host, out, error in ReferencePlugin.plugin.createInstance(host, out, error) }
}

private struct Oracle: NodeEvaluator {
  func refusal(of graph: Graph, node: Int) -> BackplaneError? {
    let op = graph.nodes[node].op
    if ReferenceInterpreter.knows(op) { return nil }
    var error = BackplaneError(.unsupported, "the oracle does not know \(op)")
    error.reason = BP_REASON_OP_UNKNOWN
    return error
  }

  func run(_ graph: Graph, _ tensors: [TensorID: BoundTensor], _ symbols: SymbolValues, _ isCancelled: () -> Bool) throws(BackplaneError) {
    let views = tensors.mapValues { TensorView($0.base, $0.format, $0.shape, strides: $0.strides) }
    _ = try ReferenceInterpreter().write(graph, views, symbols, isCancelled)
  }
}
