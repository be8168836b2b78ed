import BackplaneCore

/// x's shape broadcast with the attribute's; -1 keeps x's own extent, also a symbolic one.
func expandedShape(_ r: Resolver) throws(BackplaneError) -> Shape {
  let x = r.x.shape
  let wanted = r.ints("shape")
  if wanted.contains(where: { $0 < -1 }) || max(wanted.count, x.rank) > Shape.maximumRank { throw r.attributeError("shape", "\(wanted) is no shape") }
  let target = wanted.map { $0 == -1 ? Dimension.fixed(1) : .fixed($0) }
  guard let joined = Resolver.broadcast(x.dimensions, target) else {
    throw r.error("S", "x\(x) does not broadcast with \(wanted)", hint: "extents must be equal or 1")
  }
  return Shape(joined)
}
