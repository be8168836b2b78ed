import BackplanePluginKit

/// Dimensions that operands share, as few as their strides allow, in slots 8 - n … 7; unused slots have extent 1 and step 0.
struct Walk {
  struct Group {
    var extents = SIMD8<Int32>(repeating: 1)
    /// One an operand, in bytes.
    var steps: [SIMD8<Int64>]
    var count: Int64 = 1

    /// Joins neighbours that every operand steps through as through one, and leaves out what has extent 1.
    init(_ dimensions: [(extent: Int64, steps: [Int64])], operands: Int) {
      steps = [SIMD8<Int64>](repeating: SIMD8(), count: operands)
      var kept: [(extent: Int64, steps: [Int64])] = []
      for dimension in dimensions where dimension.extent != 1 {
        if let last = kept.last, last.extent * dimension.extent <= Int64(Int32.max),
           (0..<operands).allSatisfy({ last.steps[$0] == dimension.steps[$0] * dimension.extent }) {
          kept[kept.count - 1] = (last.extent * dimension.extent, dimension.steps)
        } else {
          kept.append(dimension)
        }
      }
      for (i, dimension) in kept.enumerated() {
        let slot = 8 - kept.count + i
        extents[slot] = Int32(truncatingIfNeeded: dimension.extent)
        for k in 0..<operands { steps[k][slot] = dimension.steps[k] }
        count *= dimension.extent
      }
    }
  }

  let outer: Group
  let inner: Group

  /// - Parameters:
  ///   - views: The first one's dimensions are walked; the others' are equal or 1, right-aligned, or missing.
  ///   - dropped: Trailing dimensions of each that are left out; leading ones where negative.
  ///   - axes: Dimensions of the first that form the inner group. An operand of lower rank has only the others, in order.
  init(_ given: [OperandView], dropped: [Int], axes: [Int] = []) {
    let views = zip(given, dropped).map { $1 < 0 ? $0.droppingLeading(-$1) : $0 }, dropped = dropped.map { max($0, 0) }
    let first = views[0], rank = max(first.rank - dropped[0], 0)
    var outer: [(extent: Int64, steps: [Int64])] = [], inner = outer
    for d in 0..<rank {
      let isInner = axes.contains(d)
      let steps = views.indices.map { k -> Int64 in
        let view = views[k], own = view.rank - dropped[k]
        var at = d - rank + own
        if !axes.isEmpty, own < rank { at = isInner ? -1 : (0..<d).count { !axes.contains($0) } }
        guard at >= 0, at < own else { return 0 }
        return view.extent[at] == 1 && first.extent[d] != 1 ? 0 : view.stride[at]
      }
      if isInner { inner.append((first.units(d), steps)) } else { outer.append((first.units(d), steps)) }
    }
    self.outer = Group(outer, operands: views.count)
    self.inner = Group(inner, operands: views.count)
  }
}

extension OperandView {
  fileprivate func droppingLeading(_ count: Int) -> OperandView {
    var view = self
    view.rank = max(rank - count, 0)
    for d in 0..<view.rank { (view.extent[d], view.stride[d]) = (extent[d + count], stride[d + count]) }
    return view
  }
}
