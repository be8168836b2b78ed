import BackplaneCore

/// Dimension i of y is dimension permutation[i] of x; an empty permutation reverses.
func transposedShape(_ r: Resolver) throws(BackplaneError) -> Shape {
  let x = r.x.shape
  let permutation = r.ints("permutation")
  if permutation.isEmpty { return Shape(x.dimensions.reversed()) }
  guard permutation.count == x.rank, permutation.sorted().elementsEqual(0..<x.rank) else {
    throw r.attributeError("permutation", "\(permutation) is no order of \(x.rank) dimensions")
  }
  return Shape(permutation.map { x[$0] })
}
