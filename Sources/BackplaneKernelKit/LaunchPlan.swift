import BackplaneCore
import BackplanePluginKit

/// One argument of a kernel with its value.
public enum LaunchArgument: Sendable {
  /// Bytes from `offset` on of a tensor's or a scratch memory's storage.
  case buffer(storage: Int, offset: Int64)
  case noBuffer
  case int(Int32), long(Int64), float(Float)
  case extents(SIMD8<Int32>), steps(SIMD8<Int64>)
}

/// A kernel to run with all its arguments.
public struct Launch: Sendable {
  /// Index in ``KernelProgram/kernels``.
  public let kernel: Int
  public let node: Int
  public var arguments: [LaunchArgument]
  /// Work items in each dimension, a multiple of `local`.
  public var global: SIMD3<Int>
  public var local: SIMD3<Int>
  public let dimensions: Int
  /// Positions of two buffer arguments: nothing is launched when they are the same place.
  var same: (LaunchArgument, LaunchArgument)?
}

/// Device code to be compiled.
public struct KernelKey: Hashable, Sendable {
  /// Path in the library.
  public let source: String
  public let entry: String
  /// `NAME=VALUE`, in the manifest's order.
  public let defines: [String]
}

/// A launch whose numbers are formulas until the symbols have values.
final class LaunchPlan: @unchecked Sendable {
  enum Argument {
    case buffer(Int?)
    case int(BoundFormula), long(BoundFormula), float(BoundFormula)
    case extents, steps(Int), innerExtents, innerSteps(Int)
    /// Steps through an operand that is absent.
    case noSteps
  }
  struct WalkPlan {
    let views: [Int]
    let dropped: [Int]
    let axes: [Int]
  }
  let kernel: Int
  let node: Int
  /// Of the node's choices, the one that this launch belongs to.
  var alternative = 0
  var condition: BoundFormula?
  var same: (Int, Int)?
  var walk: WalkPlan?
  /// Slots 0 … 2 are the walk's; these fill the rest, in order.
  var values: [BoundFormula] = []
  var arguments: [Argument] = []
  var global: [BoundFormula] = []
  var local: [BoundFormula] = []
  static let walkSlots = ["outer": 0, "inner": 1, "run": 2]
  /// The launch, when it is the same for all symbols.
  private(set) var fixed: Launch??

  init(kernel: Int, node: Int) { (self.kernel, self.node) = (kernel, node) }

  /// Works the launch out once when nothing in it hangs on a symbol.
  func fix(_ table: ShapeTable) throws(PluginError) {
    var slots = [Bool](repeating: walk.map { $0.views.allSatisfy { table.isStatic[$0] } } ?? true, count: LaunchPlan.walkSlots.count)
    for value in values { slots.append(value.isStatic(table, slots)) }
    var formulas = global + local + [condition].compactMap { $0 }
    var isStatic = slots[0]
    for argument in arguments {
      switch argument {
      case .int(let f), .long(let f), .float(let f): formulas.append(f)
      case .buffer(let view): isStatic = isStatic && view.map { table.isStatic[$0] } ?? true
      default: break
      }
    }
    if isStatic, formulas.allSatisfy({ $0.isStatic(table, slots) }) { fixed = .some(try evaluate(table.bounds)) }
  }

  /// - Returns: nil when there is nothing to do.
  func launch(_ views: [OperandView]) throws(PluginError) -> Launch? {
    if let fixed { return fixed }
    return try evaluate(views)
  }

  private func evaluate(_ views: [OperandView]) throws(PluginError) -> Launch? {
    let walked = walk.map { plan in Walk(plan.views.map { views[$0] }, dropped: plan.dropped, axes: plan.axes) }
    var slots: [Formula.Value] = [.int(1), .int(1), .int(1)]
    if let walked {
      slots = [.int(Int(walked.outer.count)), .int(Int(walked.inner.count)), .int(Int(walked.outer.extents[7]))]
    }
    for value in values { slots.append(try value.evaluate(views, slots)) }
    if let condition, try !condition.isTrue(views, slots) { return nil }
    var size = SIMD3(1, 1, 1), group = SIMD3(1, 1, 1)
    for d in global.indices {
      group[d] = max(try local[d].integer(views, slots), 1)
      size[d] = (try global[d].integer(views, slots) + group[d] - 1) / group[d] * group[d]
      if size[d] <= 0 { return nil }
    }
    var list: [LaunchArgument] = []
    list.reserveCapacity(arguments.count)
    for argument in arguments {
      switch argument {
      case .buffer(nil): list.append(.noBuffer)
      case .buffer(let view?): list.append(.buffer(storage: views[view].storage, offset: views[view].byteOffset))
      case .int(let formula):
        let value = try formula.integer(views, slots)
        guard let small = Int32(exactly: value) else { throw .invalid("'\(formula.formula.text)' is \(value), too large for 32 bits") }
        list.append(.int(small))
      case .long(let formula): list.append(.long(Int64(try formula.integer(views, slots))))
      case .float(let formula): list.append(.float(try formula.float(views, slots)))
      case .extents: list.append(.extents(walked?.outer.extents ?? SIMD8(repeating: 1)))
      case .steps(let k): list.append(.steps(walked?.outer.steps[k] ?? SIMD8()))
      case .innerExtents: list.append(.extents(walked?.inner.extents ?? SIMD8(repeating: 1)))
      case .innerSteps(let k): list.append(.steps(walked?.inner.steps[k] ?? SIMD8()))
      case .noSteps: list.append(.steps(SIMD8()))
      }
    }
    var pair: (LaunchArgument, LaunchArgument)?
    if let same {
      func place(_ view: Int) -> LaunchArgument { .buffer(storage: views[view].storage, offset: views[view].byteOffset) }
      pair = (place(same.0), place(same.1))
    }
    return Launch(kernel: kernel, node: node, arguments: list, global: size, local: group, dimensions: global.count, same: pair)
  }
}
