import BackplaneCore

/// before[d] + extent + after[d]. A symbolic extent takes no padding.
func paddedShape(_ r: Resolver) throws(BackplaneError) -> Shape {
  let x = r.x.shape
  let (before, after) = (r.ints("before"), r.ints("after"))
  for (name, amounts) in [("before", before), ("after", after)] {
    if amounts.count != x.rank { throw r.attributeError(name, "has \(amounts.count) numbers for \(x.rank) dimensions") }
    if let negative = amounts.first(where: { $0 < 0 }) { throw r.attributeError(name, "has the negative amount \(negative)") }
  }
  var dimensions: [Dimension] = []
  for d in 0..<x.rank {
    guard before[d] > 0 || after[d] > 0 else { dimensions.append(x[d]); continue }
    guard let extent = x[d].fixed else { throw r.error("S", "the symbolic extent \(x[d]) of x\(x) cannot be padded") }
    let (lower, over1) = extent.addingReportingOverflow(before[d])
    let (sum, over2) = lower.addingReportingOverflow(after[d])
    if over1 || over2 { throw r.error("S", "dimension \(d) of y overflows") }
    dimensions.append(.fixed(sum))
  }
  return Shape(dimensions)
}
