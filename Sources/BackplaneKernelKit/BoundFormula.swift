import BackplaneABI
import BackplaneCore
import BackplanePluginKit

/// What of an operand a formula may ask for.
enum OperandProperty {
  case extent(Int), stride(Int)
  case elements, rows, length, pitch, isDense, isContiguous

  /// `extent1(x)` is the last extent, `stride2(x)` the bytes between neighbours of the last dimension but one, `length(x)` and `pitch(x)` the
  /// same of the first.
  init?(_ function: String) {
    switch function {
    case "elements": self = .elements
    case "rows": self = .rows
    case "length": self = .length
    case "pitch": self = .pitch
    case "dense": self = .isDense
    case "contiguous": self = .isContiguous
    default:
      guard let digit = function.last?.wholeNumberValue, (1...8).contains(digit) else { return nil }
      switch function.dropLast() {
      case "extent": self = .extent(digit)
      case "stride": self = .stride(digit)
      default: return nil
      }
    }
  }

  func value(of view: OperandView) -> Formula.Value {
    switch self {
    case .extent(let k): .int(k <= view.rank ? Int(view.extent[view.rank - k]) : 1)
    case .stride(let k): .int(k <= view.rank ? Int(view.stride[view.rank - k]) : 0)
    case .elements: .int(Int(view.elements))
    case .rows: .int((0..<max(view.rank - 1, 0)).reduce(1) { $0 * Int(view.extent[$1]) })  // also of rows without elements
    case .length: .int(view.rank == 0 ? 1 : Int(view.extent[0]))
    case .pitch: .int(view.rank == 0 ? 0 : Int(view.stride[0]))
    case .isDense: .bool(view.isDense)
    case .isContiguous: .bool(view.rank == 0 || view.stride[view.rank - 1] == Int64(view.format.blockBytes) || view.extent[view.rank - 1] <= 1)
    }
  }
}

/// A formula whose names stand for something.
struct BoundFormula: @unchecked Sendable {
  enum Source {
    case constant(Formula.Value)
    case property(view: Int, OperandProperty)
    /// A value worked out earlier in the same launch.
    case slot(Int)
  }
  let formula: Formula
  let sources: [Source]

  /// Whether it gives the same under all symbols, `slots` saying it of slots.
  func isStatic(_ table: ShapeTable, _ slots: [Bool]) -> Bool {
    sources.allSatisfy { source in
      switch source {
      case .constant: true
      case .property(let view, _): table.isStatic[view]
      case .slot(let i): slots[i]
      }
    }
  }

  /// What the formula's reference number `index` stands for.
  func value(of index: Int, _ views: [OperandView], _ slots: [Formula.Value]) -> Formula.Value {
    switch sources[index] {
    case .constant(let value): value
    case .property(let view, let property): property.value(of: views[view])
    case .slot(let i): slots[i]
    }
  }

  func evaluate(_ views: [OperandView], _ slots: [Formula.Value]) throws(PluginError) -> Formula.Value {
    let value: Formula.Value?
    do { value = try formula.evaluate { self.value(of: $0, views, slots) } } catch {
      throw .invalid("'\(formula.text)': \(error.message)")
    }
    guard let value else { throw .invalid("'\(formula.text)' has no value") }
    return value
  }

  func integer(_ views: [OperandView], _ slots: [Formula.Value]) throws(PluginError) -> Int {
    switch try evaluate(views, slots) {
    case .int(let i): return i
    case .bool(let b): return b ? 1 : 0
    case .float(let f) where f.rounded() == f && abs(f) < 0x1p62: return Int(f)
    case let other: throw .invalid("'\(formula.text)' is \(other), no whole number")
    }
  }

  func float(_ views: [OperandView], _ slots: [Formula.Value]) throws(PluginError) -> Float {
    switch try evaluate(views, slots) {
    case .int(let i): return Float(i)
    case .float(let f): return Float(f)
    case .bool(let b): return b ? 1 : 0
    case let other: throw .invalid("'\(formula.text)' is \(other), no number")
    }
  }

  func isTrue(_ views: [OperandView], _ slots: [Formula.Value]) throws(PluginError) -> Bool { try integer(views, slots) != 0 }
}

/// Names of constants that formulas have asked for.
final class AskedNames {
  var names: Set<String> = []
}

/// What names mean where a node's variant is bound.
struct FormulaScope {
  /// Views by operand name; nil: absent.
  var operands: [String: Int?]
  var constants: [String: Formula.Value]
  var slots: [String: Int] = [:]
  let table: ShapeTable
  let features: Set<String>
  let attributes: [GraphNode.Attribute]
  /// Told what is asked for.
  var asked: AskedNames?

  /// - Throws: `BP_E_INVALID` for a name that means nothing.
  func bind(_ formula: Formula) throws(PluginError) -> BoundFormula {
    var sources: [BoundFormula.Source] = []
    for reference in formula.references { sources.append(try source(reference, formula)) }
    return BoundFormula(formula: formula, sources: sources)
  }

  private func source(_ reference: Formula.Reference, _ formula: Formula) throws(PluginError) -> BoundFormula.Source {
    let name = reference.name
    guard let function = reference.function else {
      if let slot = slots[name] { return .slot(slot) }
      asked?.names.insert(name)
      if let value = constants[name] ?? attribute(name) { return .constant(value) }
      throw .invalid("'\(formula.text)': '\(name)' is no parameter, attribute or value here")
    }
    if function == "has" { return .constant(.bool(features.contains(name))) }
    guard let operand = operands[name] else { throw .invalid("'\(formula.text)': '\(name)' is no operand here") }
    if function == "present" { return .constant(.bool(operand != nil)) }
    guard let view = operand else { return .constant(function == "format" ? .string("none") : .int(0)) }  // absent: nothing of anything
    let format = table.bounds[view].format
    switch function {
    case "format": return .constant(.string(format.name))
    case "block": return .constant(.int(format.blockElements))
    case "bytes": return .constant(.int(format.blockBytes))
    case "rank": return .constant(.int(table.bounds[view].rank))
    default:
      guard let property = OperandProperty(function) else { throw .invalid("'\(formula.text)': there is no function '\(function)'") }
      return .property(view: view, property)
    }
  }

  private func attribute(_ name: String) -> Formula.Value? {
    let id = identifier(name)
    guard let record = attributes.first(where: { $0.record.name == id })?.record else { return nil }
    switch record.kind {
    case BP_ATTR_I64: return .int(Int(record.i))
    case BP_ATTR_F64: return .float(record.f)
    case BP_ATTR_STR: return record.data.map { .string(String(decoding: UnsafeRawBufferPointer(start: $0, count: Int(record.count)), as: UTF8.self)) }
    default: return nil
    }
  }
}

extension Array where Element == GraphNode.Attribute {
  /// A whole number or a list of them; nil when the attribute is neither or is not there.
  func integers(_ name: String) -> [Int]? {
    let id = identifier(name)
    guard let record = first(where: { $0.record.name == id })?.record else { return nil }
    switch record.kind {
    case BP_ATTR_I64: return [Int(record.i)]
    case BP_ATTR_I64S:
      guard let data = record.data else { return [] }
      return UnsafeBufferPointer(start: data.assumingMemoryBound(to: Int64.self), count: Int(record.count)).map { Int($0) }
    default: return nil
    }
  }
  func float(_ name: String) -> Double? {
    let id = identifier(name)
    return first { $0.record.name == id }?.record.f
  }
}
