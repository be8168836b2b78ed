public import BackplaneABI
public import BackplanePluginKit
import BackplaneCore

/// Answers of `query` and `variants` from a library. Declarations and names live as long as this object.
public final class VerdictMaker: @unchecked Sendable {
  private let library: KernelLibrary
  private let traits: DeviceTraits
  private let memory = RecordMemory()
  /// By variant and whether subnormals are flushed.
  private var declares: [String: bp_array] = [:]
  private var names: [String: bp_str] = [:]
  private var parameters: [String: bp_array] = [:]

  /// - Parameter flushesSubnormals: The device does so in f32; then every verdict declares it.
  public init(_ library: KernelLibrary, _ traits: DeviceTraits, flushesSubnormals: Bool) {
    (self.library, self.traits) = (library, traits)
    for variant in library.variants.values.joined() where declares[variant.name] == nil {
      var list = variant.declares
      if flushesSubnormals { list.append(("ftz", .int(1))) }
      let records = list.map { record($0.name, $0.value) }
      declares[variant.name] = bp_array(ptr: records.isEmpty ? nil : UnsafeRawPointer(memory.copy(records)), count: UInt32(records.count),
                                        stride: UInt32(MemoryLayout<bp_attr>.stride))
      names[variant.name] = text(variant.name)
      parameters[variant.name] = self.parameters(of: variant)
    }
  }

  private func parameters(of variant: VariantTemplate) -> bp_array {
    let records = variant.parameters.map { parameter in
      var record = bp_param()
      record.h = head(bp_param.self, BP_ST_PARAM)
      record.name = identifier(parameter.name)
      record.def = Int64(traits.value(of: parameter, variant))
      let choices = parameter.choices.isEmpty ? [record.def] : parameter.choices.map { Int64($0) }
      (record.choices, record.count, record.lo, record.hi) = (UnsafePointer(memory.copy(choices)), UInt32(choices.count), choices.min()!, choices.max()!)
      return record
    }
    return bp_array(ptr: records.isEmpty ? nil : UnsafeRawPointer(memory.copy(records)), count: UInt32(records.count), stride: UInt32(MemoryLayout<bp_param>.stride))
  }

  private func text(_ string: String) -> bp_str {
    bp_str(ptr: UnsafePointer(memory.copy(string.utf8.map { CChar(bitPattern: $0) })), len: UInt64(string.utf8.count))
  }

  private func record(_ name: String, _ value: Formula.Value) -> bp_attr {
    var record = bp_attr()
    record.h = head(bp_attr.self, BP_ST_ATTR)
    record.name = identifier(name)
    switch value {
    case .int(let i): (record.kind, record.i) = (BP_ATTR_I64, Int64(i))
    case .string(let s):
      let stored = text(s)
      (record.kind, record.data, record.count) = (BP_ATTR_STR, UnsafeRawPointer(stored.ptr), UInt32(stored.len))
    default: break
    }
    return record
  }

  public func query(_ graph: UnsafePointer<bp_graph>?, _ out: UnsafeMutableRawPointer?, _ stride: UInt32, _ count: UInt32,
                    nanoseconds: (_ bytes: Double, _ multiplyAdds: Double) -> Double) throws(PluginError) {
    let graph = try GraphReader(graph)
    guard Int(count) <= graph.nodes.count else { throw .invalid("query: \(count) verdicts are asked for \(graph.nodes.count) nodes") }
    guard count == 0 || (out != nil && stride >= UInt32(MemoryLayout<bp_head>.size)) else { throw .invalid("query: no room for verdicts") }
    let lowering = NodeLowering(graph, library, traits)
    for index in 0..<Int(count) {
      var verdict = bp_verdict()
      verdict.node_index = UInt32(index)
      let node = graph.nodes[index]
      do throws(Refusal) {
        let variant = try lowering.choose(index)
        let bytes = (node.inputs + node.outputs).reduce(0.0) { $1 == BP_NO_TENSOR ? $0 : $0 + Double(lowering.table.bounds[Int($1)].span) }
        verdict.support = BP_SUPPORT_YES
        verdict.est_ns = UInt64(min(nanoseconds(bytes, multiplyAdds(node, lowering.table)), 1e18))
        verdict.est_bytes = UInt64(min(bytes, 1e18))
        verdict.est_confidence = 5
        verdict.declares = declares[variant.name] ?? bp_array()
        verdict.detail = names[variant.name] ?? bp_str()
      } catch {
        (verdict.reason, verdict.operand, verdict.limit, verdict.actual) = (error.reason, error.operand, error.limit, error.actual)
      }
      writeRecord(verdict, to: (out! + index * Int(stride)).assumingMemoryBound(to: bp_verdict.self))
    }
  }

  public func variants(_ graph: UnsafePointer<bp_graph>?, _ node: UInt32, _ out: UnsafeMutableRawPointer?, _ stride: UInt32,
                       _ count: UnsafeMutablePointer<UInt32>?) throws(PluginError) -> bp_status {
    let graph = try GraphReader(graph)
    guard let count, Int(node) < graph.nodes.count else { throw .invalid("variants: node \(node) of \(graph.nodes.count)") }
    let list = NodeLowering(graph, library, traits).all(Int(node)), room = out == nil ? 0 : Int(count.pointee)
    for (i, variant) in list.prefix(room).enumerated() {
      var record = bp_variant()
      record.name = identifier(variant.name)
      record.numerics_class = variant.declares.isEmpty ? BP_NUMERICS_STRICT : BP_NUMERICS_STANDARD
      record.accumulate = identifier("f32")
      record.params = parameters[variant.name] ?? bp_array()
      writeRecord(record, to: (out! + i * Int(stride)).assumingMemoryBound(to: bp_variant.self))
    }
    count.pointee = UInt32(list.count)
    return list.count > room ? BP_MORE : BP_OK
  }

  /// 0 for nodes whose time is their memory traffic.
  private func multiplyAdds(_ node: GraphNode, _ table: ShapeTable) -> Double {
    func view(_ i: Int) -> OperandView? { i < node.inputs.count && node.inputs[i] != BP_NO_TENSOR ? table.bounds[Int(node.inputs[i])] : nil }
    guard let out = node.outputs.first, out != BP_NO_TENSOR, let a = view(0), a.rank > 0 else { return 0 }
    let results = Double(table.bounds[Int(out)].elements), inner = Double(a.extent[a.rank - 1])
    switch node.op {
    case matmul, normMatmul, matmulInteger, qlinearMatmul: return results * inner
    case matmulGated: return 2 * results * inner
    case attention: return view(1).map { $0.rank >= 3 ? 2 * Double(a.elements) * Double($0.extent[$0.rank - 3]) : 0 } ?? 0
    default: return 0
    }
  }
}

private let matmul = identifier("matmul"), normMatmul = identifier("norm_matmul"), matmulGated = identifier("matmul_gated")
private let matmulInteger = identifier("matmul_integer"), qlinearMatmul = identifier("qlinear_matmul"), attention = identifier("attention")
