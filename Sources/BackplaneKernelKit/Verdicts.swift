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
  private let records = VariantRecords()

  /// - Parameter flushesSubnormals: The device does so in f32; then every verdict declares it.
  public init(_ library: KernelLibrary, _ traits: DeviceTraits, flushesSubnormals: Bool) {
    (self.library, self.traits) = (library, traits)
    for variant in library.variants.values.joined() where declares[variant.name] == nil {
      var list = variant.declares
      if flushesSubnormals { list.append(("ftz", .int(1))) }
      declares[variant.name] = memory.list(list.map { record($0.name, $0.value) })
      names[variant.name] = memory.text(variant.name)
    }
  }

  private func record(_ name: String, _ value: Formula.Value) -> bp_attr {
    switch value {
    case .int(let i): return memory.attribute(name, i)
    case .string(let s): return memory.attribute(name, s)
    default:
      var record = memory.attribute(name, 0)
      record.kind = 0
      return record
    }
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
    guard Int(node) < graph.nodes.count else { throw .invalid("variants: node \(node) of \(graph.nodes.count)") }
    var offered: [OfferedVariant] = []
    for variant in NodeLowering(graph, library, traits).all(Int(node)) {
      // Lowered by itself: what its launches ask for is what its parameters can change.
      let lowering = NodeLowering(graph, library, traits)
      guard (try? lowering.choose(Int(node), variant: identifier(variant.name))) != nil, (try? lowering.lower(Int(node), variant)) != nil else { continue }
      offered.append(OfferedVariant(
        name: variant.name, numerics: variant.declares.isEmpty ? BP_NUMERICS_STRICT : BP_NUMERICS_STANDARD, declares: declares[variant.name] ?? bp_array(),
        parameters: variant.parameters.map { parameter in
          let standard = traits.value(of: parameter, variant), isUsed = lowering.usedParameters.contains(parameter.name)
          let values = isUsed ? Set(parameter.choices).union([standard]).sorted() : [standard]
          return .init(name: parameter.name, kind: values == [0, 1] ? BP_PARAM_SWITCH : BP_PARAM_NUMBER, affects: BP_AFFECTS_BUILD | BP_AFFECTS_RESULT,
                       standard: standard, values: values)
        },
        constraints: lowering.constraints(Int(node), variant), kernelHash: lowering.codeHash(variant)))
    }
    return try records.write(offered, out, stride, count)
  }

  /// See ``PluginDevice/checkConfig(_:_:_:)``.
  public func check(_ graph: UnsafePointer<bp_graph>?, _ node: UInt32, _ config: bp_config) throws(PluginError) -> UInt64 {
    let graph = try GraphReader(graph)
    guard Int(node) < graph.nodes.count else { throw .invalid("config_check: node \(node) of \(graph.nodes.count)") }
    let lowering = NodeLowering(graph, library, traits), choice = try ChosenVariant(config), variant: VariantTemplate
    do throws(Refusal) { variant = try lowering.choose(Int(node), variant: choice.variant == 0 ? nil : choice.variant, values: choice.values) } catch {
      throw PluginError(BP_E_UNSUPPORTED, "config_check: the variant does not take node \(node) with \(choice.values)", reason: error.reason, node: Int(node),
                        operand: Int(error.operand))
    }
    for plan in try lowering.lower(Int(node), variant) {
      guard let launch = plan.fixed ?? nil, let most = traits.values["group_limit"] else { continue }
      let items = launch.local[0] * launch.local[1] * launch.local[2]
      if items > most {
        throw PluginError(BP_E_UNSUPPORTED, "config_check: a work-group of \(items) items, the device takes \(most)", reason: BP_REASON_WORKGROUP_MEMORY, node: Int(node))
      }
    }
    return lowering.scratch.reduce(0) { $0 + UInt64((lowering.table.bounds[$1.view].span + 127) / 128 * 128) }
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
