import BackplaneCore

/// From `start` to `end` by `step` along one dimension. A symbolic extent can only be taken whole; blocks stay whole.
func slicedShape(_ r: Resolver) throws(BackplaneError) -> Shape {
  let x = r.x.shape
  let axis = try r.normalized(r.int("axis"), rank: x.rank, "axis")
  let (start, end, step) = (r.int("start"), r.int("end"), r.int("step"))
  guard let extent = x[axis].fixed else {
    guard start == 0, step == 1, end >= x[axis].maximum else {
      throw r.error("S", "the symbolic extent \(x[axis]) of x\(x) can only be taken whole")
    }
    return x
  }
  // Saturating: an index far below the start must not overflow.
  func limited(_ index: Int) -> Int { min(max(index < 0 ? index + extent : index, 0), extent) }
  let (first, last) = (limited(start), limited(end))
  let count = last > first ? (last - first - 1) / max(step, 1) + 1 : 0
  let block = r.x.format.blockElements
  if block > 1, axis == x.rank - 1, step != 1 || first % block != 0 || count % block != 0 {
    throw r.error("S", "elements \(first) ..< \(last) by \(step) of x\(x) cut through blocks of \(r.x.format)'s \(block)")
  }
  var dimensions = x.dimensions
  dimensions[axis] = .fixed(count)
  return Shape(dimensions)
}
