import BackplaneCore

/// `shape` with 0 copied from x and -1 inferred. Symbols on both sides cancel; what -1 stands for is then a number or one symbol.
func reshapedShape(_ r: Resolver) throws(BackplaneError) -> Shape {
  let wanted = r.ints("shape")
  let x = r.x.shape
  if wanted.count > Shape.maximumRank { throw r.attributeError("shape", "has \(wanted.count) dimensions, 8 at most are possible") }
  var dimensions: [Dimension] = []
  var inferred: Int?
  for (i, extent) in wanted.enumerated() {
    switch extent {
    case 0:
      guard i < x.rank else { throw r.attributeError("shape", "copies dimension \(i) of x\(x), which has none") }
      dimensions.append(x[i])
    case -1:
      if inferred != nil { throw r.attributeError("shape", "has two extents of -1") }
      inferred = i
      dimensions.append(1)
    case 1...: dimensions.append(.fixed(extent))
    default: throw r.attributeError("shape", "has the extent \(extent)")
    }
  }
  if let inferred { dimensions[inferred] = try quotient(x.dimensions, dimensions, r) }
  return Shape(dimensions)
}

private func quotient(_ x: [Dimension], _ known: [Dimension], _ r: Resolver) throws(BackplaneError) -> Dimension {
  var symbols = x.filter { $0.fixed == nil }
  for dimension in known where dimension.fixed == nil {
    guard let at = symbols.firstIndex(where: { $0.isSame(as: dimension) }) else {
      throw r.error("S", "-1 cannot be inferred: \(dimension) is not among the extents of x\(r.x.shape)")
    }
    symbols.remove(at: at)
  }
  guard let total = Shape.product(x.compactMap(\.fixed)), let divisor = Shape.product(known.compactMap(\.fixed)) else {
    throw r.error("S", "x\(r.x.shape) has more elements than 64 bits can count")
  }
  guard divisor > 0, total % divisor == 0 else { throw r.error("S", "-1 cannot be inferred: x\(r.x.shape) does not divide by \(divisor)") }
  switch (symbols.count, total / divisor) {
  case (0, let n): return .fixed(n)
  case (1, 1): return symbols[0]
  default: throw r.error("S", "-1 cannot be inferred: it would be a product with a symbol, of x\(r.x.shape)", hint: "copy the symbolic extent with 0")
  }
}
