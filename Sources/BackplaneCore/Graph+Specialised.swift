extension Graph {
  /// The graph with some symbols replaced by numbers: for devices that take static shapes only.
  ///
  /// Tensors and nodes keep their numbers.
  ///
  /// - Throws: ``BackplaneError`` (invalid) for a value outside the symbol's bounds.
  public func specialised(_ values: SymbolValues) throws(BackplaneError) -> Graph {
    var graph = self
    for i in tensors.indices {
      for d in 0..<tensors[i].shape.rank {
        guard case .symbol(let symbol) = tensors[i].shape[d], let value = values[symbol] else { continue }
        guard symbol.bounds.contains(value) else {
          throw BackplaneError(.invalid, "symbol \(symbol.name) cannot be \(value), its bounds are \(symbol.bounds.lowerBound)…\(symbol.bounds.upperBound)")
        }
        graph.tensors[i].shape.dimensions[d] = .fixed(value)
      }
    }
    return graph
  }
}
