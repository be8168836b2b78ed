import BackplaneCore
import BackplaneSpecs

/// A fused operator's composition, ready to be looked for. Nothing here knows any operator by name.
struct FusionPattern: Sendable {
  struct Step: Sendable {
    var op: String
    var spec: OperatorSpec
    /// Indices into `names`.
    var inputs: [Int]
    var outputs: [Int]
    /// One an attribute of the step's operator: what it must be, or which attribute of the fused one it gives.
    var attributes: [Wanted]
  }
  enum Wanted: Sendable {
    case value(AttributeValue)
    case attribute(Int)
  }

  var spec: OperatorSpec
  var steps: [Step]
  /// The fused operator's inputs, then its outputs, then what only lies between steps.
  var names: [String]
  var internalNames: Range<Int> { spec.inputs.count + spec.outputs.count..<names.count }

  /// Every fused operator, of the catalogue or registered, whose steps hang together below the last one; most steps first.
  static var all: [FusionPattern] {
    let custom = OperatorSpec.registered
    return custom.isEmpty ? catalogue : sorted(catalogue + custom.compactMap { FusionPattern($0) })
  }

  private static let catalogue = sorted(OperatorSpec.all.compactMap { FusionPattern($0) })

  private static func sorted(_ patterns: [FusionPattern]) -> [FusionPattern] {
    patterns.sorted { ($0.steps.count, $1.spec.name) > ($1.steps.count, $0.spec.name) }
  }

  init?(_ spec: OperatorSpec) {
    // A step that may be left out has no one pattern.
    guard spec.composition.count > 1, spec.composition.allSatisfy({ $0.ifPresent == nil }), !(spec.inputs.last?.isVariadic ?? false) else { return nil }
    self.spec = spec
    names = spec.inputs.map(\.name) + spec.outputs.map(\.name)
    steps = []
    for composed in spec.composition {
      guard let step = OperatorSpec.named(composed.op) else { return nil }
      func index(_ name: String) -> Int {
        if let known = names.firstIndex(of: name) { return known }
        names.append(name)
        return names.count - 1
      }
      var attributes: [Wanted] = []
      for attribute in step.attributes {
        switch composed.attributes.first(where: { $0.name == attribute.name })?.value {
        case nil: attributes.append(.value(attribute.defaultValue))
        case .value(.int(let i)) where attribute.type == .float: attributes.append(.value(.float(Double(i))))
        case .value(let value): attributes.append(.value(value))
        case .attribute(let name):
          guard let own = spec.attributeIndex(name) else { return nil }
          attributes.append(.attribute(own))
        }
      }
      steps.append(Step(op: composed.op, spec: step, inputs: composed.inputs.map(index), outputs: composed.outputs.map(index),
                        attributes: attributes))
    }
    // From the last step back, every step must make something that a later one takes.
    var taken = Set(steps.last!.inputs)
    for step in steps.dropLast().reversed() {
      if taken.isDisjoint(with: step.outputs) { return nil }
      taken.formUnion(step.inputs)
    }
  }
}
