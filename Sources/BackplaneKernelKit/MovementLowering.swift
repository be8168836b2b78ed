import BackplaneABI
import BackplaneCore
import BackplanePluginKit

// Operators that only move elements are copies between views: transpose, slice, concat, pad, expand, reshape.

private let reshape = identifier("reshape"), transpose = identifier("transpose"), slice = identifier("slice")
private let concat = identifier("concat"), pad = identifier("pad"), expand = identifier("expand")

extension OperandView {
  /// The same bytes with blocks as elements.
  fileprivate var inUnits: OperandView {
    var view = self
    if rank > 0 { view.extent[rank - 1] = units(rank - 1) }
    view.format = FormatSize(name: format.name, blockElements: 1, blockBytes: format.blockBytes)
    return view
  }
}

extension NodeLowering {
  func checkMovement(_ node: GraphNode) throws(Refusal) {
    let known = [reshape, transpose, slice, concat, pad, expand]
    guard known.contains(node.op), let output = node.outputs.first, output != BP_NO_TENSOR else { throw Refusal(reason: BP_REASON_OP_UNKNOWN) }
    if node.op == reshape, !table.bounds[Int(output)].isDense, !table.bounds[Int(node.inputs[0])].isDense {
      throw Refusal(reason: BP_REASON_LAYOUT, operand: 1)
    }
    if node.op == pad, fillBits(node) == nil { throw Refusal(reason: BP_REASON_DTYPE, operand: 0) }
  }

  /// Copies, after a fill where not everything is written. `copy` has the formal operands x and y, `fill` has y and the value `bits`.
  func lowerMovement(_ index: Int, copy: String, fill: String?, _ outside: FormulaScope) throws(PluginError) -> [LaunchPlan] {
    let node = graph.nodes[index], output = Int(node.outputs[0])
    var plans: [LaunchPlan] = []
    var scope = outside
    func launch(_ kernel: String, x: Int?, y: Int) throws(PluginError) {
      scope.operands = ["x": x, "y": y]
      let plan = try plan(kernel: kernel, scope, index)
      try plan.fix(table)
      plans.append(plan)
    }
    func view(of tensors: [Int], _ make: @escaping @Sendable ([OperandView]) throws(PluginError) -> OperandView) throws(PluginError) -> Int {
      try table.derive(isStatic: tensors.allSatisfy { table.isStatic[$0] }) { views throws(PluginError) in try make(views) }
    }
    let whole = try view(of: [output]) { views throws(PluginError) in views[output].inUnits }
    if node.op == pad, let fill, let bits = fillBits(node) {
      scope.constants["bits"] = .int(bits)
      try launch(fill, x: nil, y: whole)
    }
    let axis = node.attributes.integers("axis")?.first ?? 0
    for (position, tensor) in node.inputs.enumerated() where tensor != BP_NO_TENSOR {
      let input = Int(tensor), earlier = node.inputs[..<position].map { Int($0) }
      var x = try view(of: [input]) { views throws(PluginError) in views[input].inUnits }
      var y = whole
      switch node.op {
      case reshape:
        let isDense = table.bounds[input].isDense
        let (from, to) = isDense ? (input, output) : (output, input)  // the dense side takes the other's shape
        let reshaped = try view(of: [input, output]) { views throws(PluginError) in
          let other = views[to].inUnits
          var view = views[from].inUnits
          (view.rank, view.extent) = (other.rank, other.extent)
          view.makeDense()
          return view
        }
        if isDense { x = reshaped } else { y = reshaped }
      case transpose:
        let given = node.attributes.integers("permutation") ?? []
        let rank = table.bounds[input].rank, order = given.isEmpty ? Array((0..<rank).reversed()) : given
        x = try view(of: [input]) { views throws(PluginError) in
          let from = views[input].inUnits
          var view = from
          for (i, d) in order.enumerated() { (view.extent[i], view.stride[i]) = (from.extent[d], from.stride[d]) }
          return view
        }
      case slice:
        let start = node.attributes.integers("start")?.first ?? 0, step = node.attributes.integers("step")?.first ?? 1
        x = try view(of: [input, output]) { views throws(PluginError) in
          let from = views[input], to = views[output].inUnits
          let d = axis < 0 ? axis + from.rank : axis, extent = Int(from.extent[d])
          let first = min(max(start < 0 ? start.addingReportingOverflow(extent).partialValue : start, 0), extent)
          let unit = d == from.rank - 1 ? from.format.blockElements : 1
          var view = from.inUnits
          view.byteOffset += Int64(first / unit) * view.stride[d]
          (view.extent[d], view.stride[d]) = (to.extent[d], to.extent[d] > 1 ? view.stride[d] * Int64(step) : view.stride[d])
          return view
        }
      case concat:
        y = try view(of: [output, input] + earlier) { views throws(PluginError) in
          var view = views[output].inUnits
          let d = axis < 0 ? axis + view.rank : axis
          view.byteOffset += earlier.reduce(0) { $0 + views[$1].inUnits.extent[d] } * view.stride[d]
          view.extent[d] = views[input].inUnits.extent[d]
          return view
        }
      case pad:
        let before = node.attributes.integers("before") ?? []
        y = try view(of: [output, input]) { views throws(PluginError) in
          var view = views[output].inUnits
          for (d, count) in before.enumerated() where d < view.rank { view.byteOffset += Int64(count) * view.stride[d] }
          view.extent = views[input].extent
          return view
        }
      default: break  // expand: the walk broadcasts
      }
      try launch(copy, x: x, y: y)
    }
    return plans
  }

  /// The bits of `pad`'s value in the output's format; nil where that is not known.
  private func fillBits(_ node: GraphNode) -> Int? {
    let value = node.attributes.float("value") ?? 0
    switch table.bounds[Int(node.outputs[0])].format.name {
    case "f64": return Int(bitPattern: UInt(value.bitPattern))
    case "f32": return Int(Float(value).bitPattern)
    case "f16": return Int(halfBits(value))
    case "bf16": return Int(bfloatBits(value))
    case "i8": return Int(saturated(value, Int8.self))
    case "u8": return Int(saturated(value, UInt8.self))
    case "i16": return Int(saturated(value, Int16.self))
    case "i32": return Int(saturated(value, Int32.self))
    case "i64": return Int(saturated(value, Int64.self))
    case "bool": return value != 0 ? 1 : 0
    default: return nil
    }
  }
}

private func saturated<T: FixedWidthInteger>(_ value: Double, _: T.Type) -> T {
  value.isNaN ? 0 : value >= Double(T.max) ? T.max : value <= Double(T.min) ? T.min : T(value)
}

/// To nearest, ties to even.
private func bfloatBits(_ value: Double) -> UInt16 {
  let bits = Float(value).bitPattern
  if bits & 0x7fff_ffff > 0x7f80_0000 { return UInt16(bits >> 16) | 0x40 }
  return UInt16((UInt64(bits) + 0x7fff + UInt64(bits >> 16 & 1)) >> 16)
}

/// To nearest, ties to even, without relying on the processor's half type.
private func halfBits(_ value: Double) -> UInt16 {
  let sign: UInt16 = value.sign == .minus ? 0x8000 : 0, size = abs(value)
  if value.isNaN { return sign | 0x7e00 }
  if size >= 65520 { return sign | 0x7c00 }
  let exponent = size < 0x1p-14 ? -14 : Int(size.exponent)
  let steps = (size * Double(sign: .plus, exponent: 10 - exponent, significand: 1)).rounded(.toNearestOrEven)
  // Of a normal number the leading bit is implied; a carry moves into the exponent by itself.
  return sign | (size < 0x1p-14 ? UInt16(steps) : UInt16((exponent + 15) << 10) + UInt16(steps) - 1024)
}
