public import BackplaneABI
import BackplaneCore
import BackplanePluginKit

/// What formulas and variants may know about a device.
public struct DeviceTraits: Sendable {
  /// Processors get parameters' `cpu` values, everything else the `gpu` ones.
  public var isCPU: Bool
  /// Such as `fp16`, `fp64`, `subgroups`: what `features` and `has(…)` ask for.
  public var features: Set<String>
  /// Such as `compute_units`, `local_memory`.
  public var values: [String: Int]
  /// Parameters that the user has set, as `VARIANT.PARAMETER`.
  public var overrides: [String: Int]
  /// Operators for which the user wants one variant and no other.
  public var forced: [bp_id: bp_id]
  // What quirks of the driver say.
  /// Features that the device is taken not to have.
  public internal(set) var withheld: Set<String> = []
  /// Names of variants that are not used, unless the user demands one.
  public internal(set) var avoided: Set<String> = []
  /// Values of parameters, by `PARAMETER` or `VARIANT.PARAMETER`.
  public internal(set) var defaults: [String: Int] = [:]
  /// For the compiler of device code, `NAME=VALUE`.
  public internal(set) var defines: [String] = []
  /// Names of those that apply.
  public internal(set) var quirks: [String] = []

  public init(isCPU: Bool, features: Set<String>, values: [String: Int], overrides: [String: Int] = [:], forced: [bp_id: bp_id] = [:]) {
    (self.isCPU, self.features, self.values, self.overrides, self.forced) = (isCPU, features, values, overrides, forced)
  }

  /// A parameter's value where the caller gives none: the user's, a quirk's, or the manifest's for this kind of device.
  func value(of parameter: VariantTemplate.Parameter, _ variant: VariantTemplate) -> Int {
    let name = "\(variant.name).\(parameter.name)"
    return overrides[name] ?? defaults[name] ?? defaults[parameter.name] ?? (isCPU ? parameter.onCPU : parameter.onGPU)
  }
}

/// Turns a graph's nodes into launches of a library's kernels.
final class NodeLowering {
  let graph: GraphReader
  let table: ShapeTable
  let library: KernelLibrary
  let traits: DeviceTraits
  private(set) var kernels: [KernelKey] = []
  private var indexOfKernel: [KernelKey: Int] = [:]
  /// Parameters of the node at hand that the caller has chosen.
  private var chosen: [String: Int] = [:]
  /// Bytes of scratch memory at the bounds, by storage number; and the node that needs it.
  private(set) var scratch: [(storage: Int, view: Int, node: Int)] = []

  init(_ graph: GraphReader, _ library: KernelLibrary, _ traits: DeviceTraits) {
    (self.graph, self.library, self.traits) = (graph, library, traits)
    table = ShapeTable(graph)
  }

  // MARK: Choosing

  /// The best variant that takes the node, or the one that is named.
  ///
  /// - Parameter values: The named variant's parameters in order; fewer leave the rest as it is.
  func choose(_ index: Int, variant given: bp_id? = nil, values: [Int] = [], strict: Bool = false) throws(Refusal) -> VariantTemplate {
    let node = graph.nodes[index], name = given ?? traits.forced[node.op]
    guard let list = library.variants[node.op] else { throw Refusal(reason: BP_REASON_OP_UNKNOWN) }
    chosen = [:]
    var last: Refusal?  // the most general variant's reason says most
    for variant in list where name == nil || identifier(variant.name) == name {
      for (parameter, value) in zip(variant.parameters, values) {
        guard parameter.choices.isEmpty || parameter.choices.contains(value) else { throw Refusal(reason: BP_REASON_ATTRIBUTE, actual: Int64(value)) }
        chosen[parameter.name] = value
      }
      do throws(Refusal) {
        try check(variant, node, strict: strict)
        return variant
      } catch {
        last = error
      }
    }
    throw last ?? Refusal(reason: BP_REASON_FEATURE)
  }

  /// Every variant that takes the node, best first.
  func all(_ index: Int) -> [VariantTemplate] {
    (library.variants[graph.nodes[index].op] ?? []).filter { variant in (try? check(variant, graph.nodes[index], strict: false)) != nil }
  }

  private func check(_ variant: VariantTemplate, _ node: GraphNode, strict: Bool) throws(Refusal) {
    guard node.version <= 1 else { throw Refusal(reason: BP_REASON_OP_VERSION, limit: 1, actual: Int64(node.version)) }
    if let missing = variant.features.first(where: { !traits.features.contains($0) }) {
      throw Refusal(reason: traits.withheld.contains(missing) ? BP_REASON_QUIRK : BP_REASON_FEATURE)
    }
    guard !traits.avoided.contains(variant.name) || traits.forced[node.op] == identifier(variant.name) else { throw Refusal(reason: BP_REASON_QUIRK) }
    if !variant.declares.isEmpty, strict || node.numerics == BP_NUMERICS_STRICT { throw Refusal(reason: BP_REASON_NUMERICS) }
    var names: [String: Int] = [:]
    for (declared, given, first) in [(variant.inputs, node.inputs, 0), (variant.outputs, node.outputs, node.inputs.count)] {
      for (i, tensor) in given.enumerated() {
        let number = UInt32(first + i)
        let position = min(i, declared.count - 1)
        guard position >= 0, i < declared.count || declared[position].isVariadic else {
          if tensor == BP_NO_TENSOR { continue }
          throw Refusal(reason: BP_REASON_OPERAND_UNEXPECTED, operand: number, limit: Int64(declared.count), actual: Int64(given.count))
        }
        let operand = declared[position]
        guard tensor != BP_NO_TENSOR else {
          if operand.isOptional { continue }
          throw Refusal(reason: BP_REASON_OPERAND_MISSING, operand: number)
        }
        do throws(Refusal) { try table.check(Int(tensor)) } catch {
          throw Refusal(reason: error.reason, operand: number, limit: error.limit, actual: error.actual)
        }
        let format = table.bounds[Int(tensor)].format.name
        guard operand.formats.isEmpty || operand.formats.contains(format) else { throw Refusal(reason: BP_REASON_DTYPE, operand: number) }
        if let other = operand.sameAs, let like = names[other], table.bounds[like].format.name != format {
          throw Refusal(reason: BP_REASON_DTYPE, operand: number)
        }
        if names[operand.name] == nil { names[operand.name] = Int(tensor) }
      }
      for (i, operand) in declared.enumerated() where i >= given.count && !operand.isOptional && !operand.isVariadic {
        throw Refusal(reason: BP_REASON_OPERAND_MISSING, operand: UInt32(first + i))
      }
    }
    try checkConditions(variant, node)
  }

  private func checkConditions(_ variant: VariantTemplate, _ node: GraphNode) throws(Refusal) {
    let scope = scope(variant, node)
    for condition in variant.conditions {
      let order = variant.inputs.map(\.name) + variant.outputs.map(\.name)
      let position = condition.operand.flatMap { name in order.firstIndex(of: name) } ?? 0
      let operand = position < variant.inputs.count ? position : node.inputs.count + position - variant.inputs.count
      let refusal = Refusal(reason: condition.reason, operand: UInt32(operand))
      // One that cannot be judged does not hold.
      guard (try? scope.bind(condition.formula).isTrue(table.bounds, [])) ?? false else { throw refusal }
    }
    for view in variant.locals where view.of != nil {
      if let operand = scope.operands[view.of!] ?? nil, !table.bounds[operand].isDense {
        throw Refusal(reason: BP_REASON_LAYOUT, operand: UInt32(variant.inputs.firstIndex { $0.name == view.of } ?? 0))
      }
    }
    if variant.copyKernel != nil { try checkMovement(node) }
  }

  /// Names of a variant for one node.
  private func scope(_ variant: VariantTemplate, _ node: GraphNode) -> FormulaScope {
    var operands: [String: Int?] = [:]
    for (declared, given) in [(variant.inputs, node.inputs), (variant.outputs, node.outputs)] {
      for (i, operand) in declared.enumerated() {
        operands[operand.name] = .some(i < given.count && given[i] != BP_NO_TENSOR ? Int(given[i]) : nil)
      }
    }
    var constants: [String: Formula.Value] = traits.values.mapValues { .int($0) }
    for parameter in variant.parameters {
      constants[parameter.name] = .int(chosen[parameter.name] ?? traits.value(of: parameter, variant))
    }
    let name = variant.operators.first { identifier($0) == node.op } ?? ""
    constants["operator"] = .string(name)
    constants["own_operator"] = .string("op_" + name)
    constants["cpu"] = .int(traits.isCPU ? 1 : 0)
    return FormulaScope(operands: operands, constants: constants, table: table, features: traits.features, attributes: node.attributes)
  }

  // MARK: Launches

  func lower(_ index: Int, _ variant: VariantTemplate) throws(PluginError) -> [LaunchPlan] {
    let node = graph.nodes[index]
    var scope = scope(variant, node)
    for local in variant.locals { scope.operands[local.name] = .some(try add(local, scope, index)) }
    if let kernel = variant.copyKernel { return try lowerMovement(index, copy: kernel, fill: variant.fillKernel, scope) }
    var plans: [LaunchPlan] = []
    for launch in variant.launches {
      if let plan = try plan(launch, scope, index) { plans.append(plan) }
    }
    return plans
  }

  private func add(_ local: VariantTemplate.LocalTensor, _ scope: FormulaScope, _ node: Int) throws(PluginError) -> Int? {
    var base: Int?
    if let of = local.of {
      guard let operand = scope.operands[of] ?? nil else { return nil }
      base = operand
    }
    guard case .string(let name) = try scope.bind(local.format).evaluate(table.bounds, []), let format = FormatSize.of(identifier(name)) else {
      throw .invalid("'\(local.name)' has no known format")
    }
    var extents: [BoundFormula] = []
    for formula in local.shape { extents.append(try scope.bind(formula)) }
    let isStatic = extents.allSatisfy { $0.isStatic(table, []) } && base.map { table.isStatic[$0] } ?? true
    let storage = base == nil ? table.addScratch() : 0
    let view = try table.derive(isStatic: isStatic) { [extents, base] views throws(PluginError) in
      var view = OperandView(format: format, rank: extents.count, storage: base.map { views[$0].storage } ?? storage)
      if let base { view.byteOffset = views[base].byteOffset }
      for (i, extent) in extents.enumerated() { view.extent[i] = Int64(try extent.integer(views, [])) }
      view.makeDense()
      return view
    }
    if base == nil { scratch.append((storage, view, node)) }
    return view
  }

  /// - Returns: nil when its condition can never hold.
  private func plan(_ launch: VariantTemplate.Launch, _ outside: FormulaScope, _ node: Int) throws(PluginError) -> LaunchPlan? {
    var scope = outside
    for (formal, actual) in launch.bind {
      guard let operand = actual == "none" ? .some(nil) : outside.operands[actual] else { throw .invalid("'\(actual)' is no operand of '\(formal)'", node: node) }
      scope.operands[formal] = .some(operand)
    }
    var values: [BoundFormula] = []
    for (name, formula) in launch.values {
      values.append(try outside.withSlots(scope.slots).bind(formula))
      scope.slots[name] = LaunchPlan.walkSlots.count + values.count - 1
    }
    var condition: BoundFormula?
    if let formula = launch.condition {
      let bound = try scope.bind(formula)
      if bound.isStatic(table, [Bool](repeating: false, count: LaunchPlan.walkSlots.count + values.count)), try !bound.isTrue(table.bounds, []) { return nil }
      condition = bound
    }
    let plan = try plan(kernel: launch.kernel, scope, node, values: values)
    plan.condition = condition
    if let (a, b) = launch.unlessSame {
      guard let first = outside.operands[a] ?? nil, let second = outside.operands[b] ?? nil else { throw .invalid("unless_same: '\(a)' or '\(b)' is absent", node: node) }
      plan.same = (first, second)
    }
    try plan.fix(table)
    return plan
  }

  /// A kernel bound to the operands of a scope.
  func plan(kernel name: String, _ given: FormulaScope, _ node: Int, values: [BoundFormula] = []) throws(PluginError) -> LaunchPlan {
    let template = try library.kernel(name)
    var scope = given
    var lets = values
    if template.walk != nil { scope.slots.merge(LaunchPlan.walkSlots) { old, _ in old } }
    for (name, formula) in template.lets {
      if scope.slots[name] != nil { continue }  // given by the launch
      lets.append(try scope.bind(formula))
      scope.slots[name] = LaunchPlan.walkSlots.count + lets.count - 1
    }
    func view(_ name: String) throws(PluginError) -> Int? {
      guard let operand = scope.operands[name] else { throw .invalid("kernel '\(template.name)': '\(name)' is no operand", node: node) }
      return operand
    }
    var defines: [String] = []
    for (name, formula) in template.defines {
      let bound = try scope.bind(formula)
      switch try bound.evaluate(table.bounds, lets.isEmpty ? [] : staticSlots(lets)) {
      case .int(let i): defines.append("\(name)=\(i)")
      case .float(let f): defines.append("\(name)=\(Float(f))f")
      case .string(let s): defines.append("\(name)=\(s)")
      case .bool(let b): defines.append("\(name)=\(b ? 1 : 0)")
      }
    }
    let plan = LaunchPlan(kernel: index(of: KernelKey(source: template.source, entry: template.entry, defines: defines)), node: node)
    plan.values = lets
    var walked: [String] = []
    if let walk = template.walk {
      var views: [Int] = [], dropped: [Int] = []
      for (name, count) in walk.operands {
        guard let number = try view(name) else { continue }
        views.append(number)
        dropped.append(count)
        walked.append(name)
      }
      var axes: [Int] = []
      if let attribute = walk.axes, let first = views.first {
        let rank = table.bounds[first].rank
        axes = scope.attributes.integers(attribute) ?? []
        axes = axes.isEmpty ? Array(0..<rank) : axes.map { $0 < 0 ? $0 + rank : $0 }
      }
      plan.walk = .init(views: views, dropped: dropped, axes: axes)
    }
    func position(_ name: String) -> Int? { walked.firstIndex(of: name) }
    for argument in template.arguments {
      switch argument {
      case .buffer(let name): plan.arguments.append(.buffer(try view(name)))
      case .int(let formula): plan.arguments.append(.int(try scope.bind(formula)))
      case .long(let formula): plan.arguments.append(.long(try scope.bind(formula)))
      case .float(let formula): plan.arguments.append(.float(try scope.bind(formula)))
      case .extents: plan.arguments.append(.extents)
      case .innerExtents: plan.arguments.append(.innerExtents)
      case .steps(let name): plan.arguments.append(position(name).map { .steps($0) } ?? .noSteps)
      case .innerSteps(let name): plan.arguments.append(position(name).map { .innerSteps($0) } ?? .noSteps)
      }
    }
    for formula in template.global { plan.global.append(try scope.bind(formula)) }
    for formula in template.local { plan.local.append(try scope.bind(formula)) }
    return plan
  }

  /// Values at the bounds, for defines that use them.
  private func staticSlots(_ values: [BoundFormula]) throws(PluginError) -> [Formula.Value] {
    var slots: [Formula.Value] = [.int(1), .int(1), .int(1)]
    for value in values { slots.append(try value.evaluate(table.bounds, slots)) }
    return slots
  }

  private func index(of key: KernelKey) -> Int {
    if let known = indexOfKernel[key] { return known }
    indexOfKernel[key] = kernels.count
    kernels.append(key)
    return kernels.count - 1
  }
}

extension FormulaScope {
  func withSlots(_ slots: [String: Int]) -> FormulaScope {
    var copy = self
    copy.slots = slots
    return copy
  }
}
