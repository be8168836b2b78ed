import BackplaneCore

/// Without the reduced dimensions, or with 1 in their place. Empty axes mean all.
func reducedShape(_ r: Resolver) throws(BackplaneError) -> Shape {
  let x = r.x.shape
  var reduced = Array(repeating: false, count: x.rank)
  for axis in r.ints("axes") {
    let d = try r.normalized(axis, rank: x.rank, "axes")
    if reduced[d] { throw r.attributeError("axes", "names dimension \(d) twice") }
    reduced[d] = true
  }
  if r.ints("axes").isEmpty { reduced = reduced.map { _ in true } }
  let keeps = r.int("keep_dims") == 1
  return Shape(zip(x.dimensions, reduced).compactMap { dimension, isReduced in isReduced ? (keeps ? .fixed(1) : nil) : dimension })
}
