import BackplaneCore
import BackplaneSpecs

/// A case as one word that says all of it: operator, operands, attributes, data, memory. What it says is enough to run it again, bit
/// for bit, without any list.
///
///     matmul/a=f32.7x64/b=q4_0.33x64/activation=silu/data=outlier/mem=plain
public struct CaseID: Hashable, Sendable {
  public struct Tensor: Hashable, Sendable {
    public var format: ElementFormat
    public var shape: [Int]
    var count: Int { shape.reduce(1, *) }

    public init(format: ElementFormat, shape: [Int]) { (self.format, self.shape) = (format, shape) }
  }

  /// How operands are given to the device.
  public enum Memory: String, Sendable, CaseIterable {
    /// All as inputs.
    case plain
    /// All but the first as constants.
    case constant
    /// What an output may update in place is a state.
    case state
    /// One extent is known at run time only.
    case symbolic
    /// Rows lie apart. A device may refuse it.
    case strided
    /// The outermost dimension has stride 0. A device may refuse it.
    case repeated

    var mayBeRefused: Bool { self == .strided || self == .repeated }
  }

  public var op: String
  /// By the spec's inputs: none where an optional one is absent, several for a variadic one.
  public var inputs: [[Tensor]]
  /// Those that differ from their default, in the spec's order.
  public var attributes: [Attribute]
  /// Optional outputs that are wanted.
  public var outputs: [String]
  public var data: String
  public var memory: Memory

  /// Decides every number of the case's data.
  public var seed: UInt64 { Identifier(description).value }
  public var spec: OperatorSpec { OperatorSpec.named(op)! }

  public init(_ spec: OperatorSpec, inputs: [[Tensor]], attributes: [Attribute], outputs: [String] = [], data: String, memory: Memory = .plain) {
    op = spec.name
    self.inputs = inputs
    self.attributes = spec.attributes.compactMap { known in
      attributes.first { $0.name == known.name }.flatMap { $0.value == known.defaultValue && !known.isRequired ? nil : $0 }
    }
    self.outputs = outputs
    self.data = data
    self.memory = memory
  }

  /// The text of an attribute's value, default or not.
  func text(of attribute: String) -> String? {
    let value = attributes.first { $0.name == attribute }?.value ?? spec.attributes.first { $0.name == attribute }?.defaultValue
    return value.map(CaseID.text)
  }
}

extension CaseID: CustomStringConvertible {
  public var description: String {
    var words = [op]
    for (operand, tensors) in zip(spec.inputs, inputs) where !tensors.isEmpty {
      words.append(operand.name + "=" + tensors.map { tensor in
        tensor.format.name + (tensor.shape.isEmpty ? "" : "." + tensor.shape.map(String.init).joined(separator: "x"))
      }.joined(separator: "+"))
    }
    words += attributes.map { "\($0.name)=\(CaseID.text($0.value))" }
    if !outputs.isEmpty { words.append("out=" + outputs.joined(separator: "+")) }
    words.append("data=\(data)")
    words.append("mem=\(memory.rawValue)")
    return words.joined(separator: "/")
  }

  static func text(_ value: AttributeValue) -> String {
    switch value {
    case .int(let i): "\(i)"
    case .float(let f): "\(f)"
    case .string(let s): s
    case .ints(let v): v.isEmpty ? "-" : v.map(String.init).joined(separator: ",")
    case .floats(let v): v.map { "\($0)" }.joined(separator: ",")
    }
  }
}

extension CaseID {
  /// - Throws: ``BackplaneError`` (invalid): which word of `text` says nothing.
  public init(_ text: String) throws(BackplaneError) {
    let words = text.split(separator: "/").map(String.init)
    func wrong(_ what: String) -> BackplaneError { BackplaneError(.invalid, "\"\(text)\" is no case: \(what)", hint: "`backplane conform --list` prints them") }
    guard let name = words.first, let spec = OperatorSpec.named(name) else { throw wrong("no operator is called '\(words.first ?? "")'") }
    var inputs = [[Tensor]](repeating: [], count: spec.inputs.count)
    var attributes: [Attribute] = []
    var outputs: [String] = []
    var (data, memory): (String, Memory) = ("normal", .plain)
    for word in words.dropFirst() {
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard parts.count == 2 else { throw wrong("'\(word)' has no '='") }
      if let k = spec.inputIndex(parts[0]) {
        for part in parts[1].split(separator: "+") {
          let halves = part.split(separator: ".", maxSplits: 1).map(String.init)
          let extents = halves.count > 1 ? halves[1].split(separator: "x").map { Int($0) } : []
          guard let format = ElementFormat.named(halves.first ?? ""), !extents.contains(nil) else { throw wrong("'\(part)' is no tensor") }
          inputs[k].append(Tensor(format: format, shape: extents.compactMap { $0 }))
        }
      } else if let attribute = spec.attributes.first(where: { $0.name == parts[0] }) {
        guard let value = CaseID.value(parts[1], attribute.type) else { throw wrong("\(parts[0]) cannot be '\(parts[1])'") }
        attributes.append(Attribute(parts[0], value))
      } else if parts[0] == "out" {
        outputs = parts[1].split(separator: "+").map(String.init)
      } else if parts[0] == "data" {
        data = parts[1]
      } else if parts[0] == "mem", let known = Memory(rawValue: parts[1]) {
        memory = known
      } else {
        throw wrong("'\(parts[0])' is neither an operand nor an attribute of \(name)")
      }
    }
    self.init(spec, inputs: inputs, attributes: attributes, outputs: outputs, data: data, memory: memory)
  }

  private static func value(_ text: String, _ type: AttributeSpec.Kind) -> AttributeValue? {
    switch type {
    case .int: return Int(text).map { .int($0) }
    case .float: return Double(text).map { .float($0) }
    case .string: return .string(text)
    case .ints:
      if text == "-" { return .ints([]) }
      let numbers = text.split(separator: ",").map { Int($0) }
      return numbers.contains(nil) ? nil : .ints(numbers.compactMap { $0 })
    }
  }
}
