import BackplaneCore

/// The sum along the axis; all other extents equal. A symbolic extent along the axis has no sum unless the rest of it is empty.
func concatenatedShape(_ r: Resolver) throws(BackplaneError) -> Shape {
  let first = r.x.shape
  if first.rank == 0 { return first }  // refused by C1
  let axis = try r.normalized(r.int("axis"), rank: first.rank, "axis")
  var sum = 0
  var symbolic: Dimension?
  for (k, input) in r.inputs.enumerated() {
    guard let shape = input?.shape else { continue }
    guard shape.rank == first.rank, (0..<first.rank).allSatisfy({ $0 == axis || shape[$0].isSame(as: first[$0]) }) else {
      throw r.error("S", "\(r.name(k))\(shape) does not fit \(first) outside dimension \(axis)")
    }
    if let extent = shape[axis].fixed {
      let (next, overflow) = sum.addingReportingOverflow(extent)
      if overflow { throw r.error("S", "the sum along dimension \(axis) overflows") }
      sum = next
    } else if symbolic == nil {
      symbolic = shape[axis]
    } else {
      throw r.error("S", "two symbolic extents along dimension \(axis) have no sum that could be named")
    }
  }
  if symbolic != nil, sum > 0 { throw r.error("S", "a symbolic extent and \(sum) along dimension \(axis) have no sum that could be named") }
  var dimensions = first.dimensions
  dimensions[axis] = symbolic ?? .fixed(sum)
  return Shape(dimensions)
}
