public import BackplaneABI
public import BackplanePluginKit
import BackplaneCore

/// Memory as programs see it. A handle of a buffer is one of these.
open class PluginBuffer: @unchecked Sendable {
  public let bytes: UInt64
  public let isWritable: Bool
  /// Where it begins for the host, to check alignment; 0 when the device places it.
  public let address: UInt

  /// What the device has set aside; 0 for memory of others.
  public let allocatedBytes: UInt64
  /// The API's own handle.
  public let native: UInt64

  public init(bytes: UInt64, isWritable: Bool, address: UInt, allocatedBytes: UInt64, native: UInt64) {
    (self.bytes, self.isWritable, self.address, self.allocatedBytes, self.native) = (bytes, isWritable, address, allocatedBytes, native)
  }
}

/// Where a launch's storage lies: a buffer and bytes from its beginning.
public struct StoragePlace {
  public let buffer: PluginBuffer
  public let offset: UInt64
}

/// A compiled graph as launches of kernels; what an API's own program adds is the compiled kernels.
open class KernelProgram: PluginProgram, @unchecked Sendable {
  /// What must be compiled; ``Launch/kernel`` is an index in it.
  public let kernels: [KernelKey]
  private let table: ShapeTable
  private let plans: [LaunchPlan]
  /// By node: where its alternatives but the last hold, by the symbol's index.
  private let ranges: [Int: [(symbol: Int, values: ClosedRange<Int64>)]]
  private let workspace: WorkspacePlan
  /// Of scratch memory in the workspace, by storage number less the tensors.
  private let scratchOffsets: [UInt64]
  private let bindings: [Binding]
  private let memory = RecordMemory()
  private let aliases: bp_array
  private let placements: bp_array
  private let tensorCount: Int

  private struct Binding {
    let tensor: Int
    let isWritten: Bool
    /// The earlier binding of the same tensor.
    let sameAs: Int?
  }

  public init(_ device: KernelDevice, _ request: bp_compile) throws(PluginError) {
    let host = device.host
    let graph = try GraphReader(request.graph)
    try graph.checkOrder()
    let lowering = NodeLowering(graph, device.library, device.traits)
    let choices = try request.choices(), strict = request.numerics == BP_NUMERICS_STRICT
    var plans: [LaunchPlan] = [], ranges: [Int: [(symbol: Int, values: ClosedRange<Int64>)]] = [:]
    var inPlace: [(node: Int, input: Int, output: Int)] = [], views: [(tensor: Int, base: Int)] = []
    for (index, node) in graph.nodes.enumerated() {
      if index % 64 == 0, host.isCancelled(request.cancel) {
        throw PluginError(BP_E_CANCELLED, "program_create was cancelled at node \(index) of \(graph.nodes.count)", node: index)
      }
      if graph.isView(node) { views.append((tensor: Int(node.outputs[0]), base: Int(node.inputs[0]))) }
      // Those that hold for some values of a symbol, then the one that holds otherwise.
      let chosen = choices[UInt32(index)] ?? []
      var pairs: [(input: Int, output: Int)?] = []
      for choice in chosen.filter({ $0.range != nil }).map(Optional.some) + [chosen.first { $0.range == nil }] {
        let variant: VariantTemplate
        do throws(Refusal) { variant = try lowering.choose(index, variant: choice?.variant, values: choice?.values ?? [], strict: strict) } catch {
          throw PluginError(
            BP_E_UNSUPPORTED,
            "node \(index), \(host.name(of: node.op)): no kernel takes it (reason \(error.reason), operand \(error.operand), limit \(error.limit), actual \(error.actual))",
            reason: error.reason, node: index, operand: Int(error.operand))
        }
        if graph.isView(node) { continue }
        do throws(PluginError) {
          let lowered = try lowering.lower(index, variant)
          for plan in lowered { plan.alternative = pairs.count }
          plans += lowered
        } catch {
          var failure = error
          failure.node = index
          failure.message = "variant \(variant.name) of \(variant.file): \(error.message)"
          throw failure
        }
        pairs.append(variant.inPlace.flatMap { variant.pair(node, output: $0.output, input: $0.input) })
      }
      if pairs.count > 1 { ranges[index] = try chosen.compactMap(\.range).map { range throws(PluginError) in try lowering.table.indexed(range, node: index) } }
      if let pair = pairs.first ?? nil, pairs.allSatisfy({ $0.map { $0 == pair } ?? false }), pair.input != pair.output,
         graph.tensors[pair.input].hasSameShape(as: graph.tensors[pair.output]) {
        inPlace.append((node: index, input: pair.input, output: pair.output))
      }
    }
    (table, kernels, self.plans, self.ranges, tensorCount) = (lowering.table, lowering.kernels, plans, ranges, graph.tensors.count)
    var plan = WorkspaceRequest(graph: graph, bytes: (0..<graph.tensors.count).map { Int(lowering.table.bounds[$0].span) })
    plan.alignment = 128  // the largest vector type of device code
    (plan.views, plan.inPlace) = (views, inPlace)
    var within: [UInt64] = []
    for piece in lowering.scratch {
      within.append(UInt64(plan.scratch[piece.node]))
      plan.scratch[piece.node] += (Int(lowering.table.bounds[piece.view].span) + 127) / 128 * 128
    }
    workspace = try WorkspacePlan(plan)
    scratchOffsets = zip(lowering.scratch, within).map { [workspace] in UInt64(workspace.scratchOffsets[$0.node]) + $1 }
    let written = Set(graph.nodes.flatMap(\.outputs))
    let first = Dictionary(graph.inputs.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
    bindings = graph.inputs.map { Binding(tensor: Int($0), isWritten: written.contains($0), sameAs: nil) }
      + graph.outputs.map { Binding(tensor: Int($0), isWritten: written.contains($0), sameAs: first[$0]) }
    placements = memory.list(workspace.placements)
    aliases = memory.list(workspace.aliases.map { bp_alias(h: head(bp_alias.self, BP_ST_ALIAS), input: UInt32($0.input), output: UInt32($0.output)) })
    super.init()
  }

  open override func info(_ out: UnsafeMutablePointer<bp_program_info>) {
    var info = bp_program_info()
    (info.workspace_bytes, info.workspace_align) = (UInt64(workspace.bytes), UInt64(workspace.alignment))
    info.resident_bytes = UInt64(memory.bytes)
    (info.aliases, info.placements) = (aliases, placements)
    info.n_kernels = UInt32(plans.count)
    writeRecord(info, to: out)
  }

  // MARK: Dispatch

  /// Checks a dispatch and hands each launch to `body` with a function that finds its storage (nil: it has no bytes). Nothing is handed over when a
  /// check fails.
  public func dispatch(_ dispatch: bp_dispatch, _ body: (Launch, (Int) throws(PluginError) -> StoragePlace?) throws(PluginError) -> Void) throws(PluginError) {
    guard dispatch.entry == 0 else { throw .invalid("execute: entry \(dispatch.entry) does not exist, there is 1") }
    let values = try symbols(dispatch), views = try table.evaluate(values)
    let selected = ranges.mapValues { list in list.firstIndex { $0.values.contains(values[$0.symbol]) } ?? list.count }
    let bound = try bound(dispatch, views), work = try workspace(dispatch)
    func inWorkspace(_ offset: UInt64) -> StoragePlace? { work.map { StoragePlace(buffer: $0.buffer, offset: $0.offset + offset) } }
    func place(_ storage: Int) throws(PluginError) -> StoragePlace? {
      if storage >= tensorCount { return inWorkspace(scratchOffsets[storage - tensorCount]) }
      switch workspace.places[storage] {
      case .binding(let number): return bound[number]
      case .workspace(let offset): return inWorkspace(UInt64(offset))
      case .nowhere: throw PluginError(BP_E_INTERNAL, "tensor \(storage) lies nowhere")
      }
    }
    for plan in plans where selected.isEmpty || plan.alternative == selected[plan.node] ?? 0 {
      let launch: Launch?
      do throws(PluginError) { launch = try plan.launch(views) } catch {
        var failure = error
        failure.node = plan.node
        throw failure
      }
      guard let launch else { continue }
      if case (.buffer(let a, let aOffset), .buffer(let b, let bOffset))? = launch.same {
        if let first = try place(a), let second = try place(b), first.buffer === second.buffer,
           Int64(first.offset) + aOffset == Int64(second.offset) + bOffset { continue }
      }
      try body(launch, place)
    }
  }

  private func symbols(_ dispatch: bp_dispatch) throws(PluginError) -> [Int64] {
    let given = try dispatch.symbols.records(zero: bp_symbol_value(), named: "symbols")
    return try table.symbols.map { symbol throws(PluginError) in
      guard let value = given.first(where: { $0.symbol == symbol.number })?.value else { throw .invalid("symbol \(symbol.number) has no value") }
      for (limit, isWrong) in [(symbol.minimum, value < symbol.minimum), (symbol.maximum, value > symbol.maximum)] where isWrong {
        throw .invalid("symbol \(symbol.number) is \(value), beyond its bound \(limit)")
      }
      return value
    }
  }

  private func bound(_ dispatch: bp_dispatch, _ views: [OperandView]) throws(PluginError) -> [StoragePlace] {
    let given = dispatch.bindings
    guard Int(given.count) == bindings.count, given.count == 0 || given.ptr != nil else {
      throw .invalid("the program has \(bindings.count) inputs and outputs, but \(given.count) bindings are given")
    }
    guard given.count == 0 || Int(given.stride) >= MemoryLayout<bp_binding>.size else {
      throw .invalid("records of \(given.stride) bytes are too small, \(MemoryLayout<bp_binding>.size) are needed")
    }
    var places: [StoragePlace] = []
    places.reserveCapacity(bindings.count)
    for (i, wanted) in bindings.enumerated() {
      let binding = given.record(i, zero: bp_binding()), name = "binding \(i)", view = views[wanted.tensor]
      let place = try KernelProgram.place(binding, name)
      let needed = UInt64(max(view.span, 0))
      guard binding.bytes >= needed else { throw .invalid("\(name) has \(binding.bytes) bytes, its tensor needs \(needed)") }
      let align = UInt(max(view.format.alignment, 1)), odd = (place.buffer.address + UInt(place.offset)) & (align - 1)
      guard odd == 0 || needed == 0 else { throw .invalid("\(name) is \(odd) bytes past a multiple of \(align), which its format needs") }
      guard !wanted.isWritten || place.buffer.isWritable else { throw .invalid("\(name) is written, but its buffer was imported read-only") }
      if let other = wanted.sameAs, places[other].buffer !== place.buffer || places[other].offset != place.offset {
        throw .invalid("\(name) must be the range of binding \(other): both are one state tensor")
      }
      places.append(place)
    }
    return places
  }

  private func workspace(_ dispatch: bp_dispatch) throws(PluginError) -> StoragePlace? {
    if workspace.bytes == 0 { return nil }
    guard let binding = dispatch.workspace, binding.pointee.buffer != nil else { throw .invalid("the program needs a workspace of \(workspace.bytes) bytes") }
    let place = try KernelProgram.place(binding.pointee, "the workspace")
    guard binding.pointee.bytes >= UInt64(workspace.bytes), place.buffer.isWritable else {
      throw .invalid("the workspace has \(binding.pointee.bytes) usable bytes, the program needs \(workspace.bytes)")
    }
    let odd = (place.buffer.address + UInt(place.offset)) & UInt(workspace.alignment - 1)
    guard odd == 0 else { throw .invalid("the workspace is \(odd) bytes past a multiple of \(workspace.alignment)") }
    return place
  }

  /// The range that a binding names, checked against its buffer.
  public static func place(_ binding: bp_binding, _ name: String) throws(PluginError) -> StoragePlace {
    guard let handle = binding.buffer else { throw .invalid("\(name) has no buffer") }
    let buffer = object(handle, as: PluginBuffer.self)
    guard binding.offset <= buffer.bytes, binding.bytes <= buffer.bytes - binding.offset else {
      throw .invalid("\(name) ends at byte \(binding.offset &+ binding.bytes) of a buffer of \(buffer.bytes) bytes")
    }
    return StoragePlace(buffer: buffer, offset: binding.offset)
  }
}

extension VariantTemplate {
  /// Tensor numbers of two operands of a node; nil when one is absent.
  func pair(_ node: GraphNode, output: String, input: String) -> (input: Int, output: Int)? {
    guard let i = inputs.firstIndex(where: { $0.name == input }), let o = outputs.firstIndex(where: { $0.name == output }),
          i < node.inputs.count, o < node.outputs.count, node.inputs[i] != BP_NO_TENSOR, node.outputs[o] != BP_NO_TENSOR else { return nil }
    return (Int(node.inputs[i]), Int(node.outputs[o]))
  }
}
