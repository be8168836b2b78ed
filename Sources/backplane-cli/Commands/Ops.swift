import Backplane
import Foundation

let opsCommand = Command(
  name: "ops", summary: "Show which device supports which operator and format, with reasons",
  positionals: ["[OPERATOR]"], options: [SharedOptions.device, SharedOptions.json] + SharedOptions.runtime
) { arguments in
  let runtime = try SharedOptions.makeRuntime(arguments)
  let devices = arguments["device"] == nil ? runtime.devices : try SharedOptions.devices(arguments, runtime)
  guard !devices.isEmpty else { throw BackplaneError(.unsupported, "no device can be used", hint: "`backplane devices` says why each plugin is not ready") }
  var specs = OperatorSpec.all + OperatorSpec.registered
  if let name = arguments.positionals.first {
    guard let spec = OperatorSpec.named(name) else {
      let near = specs.map(\.name).min { distance($0, name) < distance($1, name) }!
      throw UsageError("no operator '\(name)'; did you mean '\(near)'?")
    }
    specs = [spec]
  }
  let rows = try specs.map { spec in (spec, try devices.map { try SupportProbe.support(of: spec, on: $0) }) }
  if arguments.has("json") {
    print(try Terminal.json(["operators": rows.map { spec, cells in
      ["op": spec.name, "level": spec.level.rawValue, "devices": Dictionary(uniqueKeysWithValues: zip(devices.map(\.id), cells.map(\.json)))] as [String: Any]
    }]))
    return .success
  }
  if specs.count == 1 { for line in specs[0].lines { print(line) } }
  let width = (rows.map(\.0.name.count).max() ?? 0) + 2
  print(pad("", width) + devices.map { pad($0.id, 14) }.joined())
  for (spec, cells) in rows {
    print(pad(spec.name, width) + cells.map { pad($0.word, 14) }.joined())
    for (device, cell) in zip(devices, cells) {
      for refusal in cell.refusals where specs.count == 1 || cell.supported > 0 || devices.count == 1 {
        print(pad("", width) + Terminal.paint("\(device.id): \(refusal.text)", .dim))
      }
    }
  }
  return .success
}

/// Asks a device about small nodes of an operator: one for each format of each operand.
enum SupportProbe {
  struct Refusal { var operand: String; var format: String; var why: String; var text: String { "\(operand) \(format): \(why)" } }
  struct Cell {
    var supported = 0
    var refusals: [Refusal] = []
    var word: String { refusals.isEmpty ? "yes" : supported == 0 ? "no" : "\(supported)/\(supported + refusals.count)" }
    var json: [String: Any] { ["supported": supported, "refused": refusals.map { ["operand": $0.operand, "format": $0.format, "reason": $0.why] }] }
  }

  static func support(of spec: OperatorSpec, on device: Device) throws -> Cell {
    var cell = Cell()
    for (operand, format, graph) in samples(of: spec) {
      let verdict = try device.query(try ABIGraph(graph))[0]
      if verdict.isSupported { cell.supported += 1 } else {
        cell.refusals.append(Refusal(operand: operand, format: format.name, why: "\(verdict)"))
      }
    }
    return cell
  }

  /// One-node graphs that the spec allows: each operand in each of its formats, the others in their first.
  static func samples(of spec: OperatorSpec) -> [(operand: String, format: ElementFormat, graph: Graph)] {
    var result: [(String, ElementFormat, Graph)] = []
    for (k, operand) in spec.inputs.enumerated() where operand.formatOf == nil && !operand.isOptional {
      for format in operand.formats {
        if result.contains(where: { _ in k > 0 }), format == operand.formats.first { continue }  // seen with the operand before
        if let graph = sample(spec, varying: k, as: format) { result.append((operand.name, format, graph)) }
      }
    }
    return result
  }

  /// Tries extents and required attributes until the spec accepts them: 256, which is whole blocks of every format, and 4 for one
  /// or two of the names.
  private static func sample(_ spec: OperatorSpec, varying k: Int, as format: ElementFormat) -> Graph? {
    let required = spec.inputs.indices.filter { !spec.inputs[$0].isOptional }
    let attributes: [[Attribute]] = [[], spec.attributes.filter(\.isRequired).map { Attribute($0.name, .ints([0, 0])) }]
    var names: [String] = []
    for i in required { for name in spec.inputs[i].shape.extentNames where !names.contains(name) { names.append(name) } }
    let few = [[]] + names.map { [$0] } + names.indices.flatMap { i in names[(i + 1)...].map { [names[i], $0] } }
    // What a spread stands for: nothing beside named extents, else the whole shape.
    let whole = names.isEmpty ? [4, 256] : []
    for small in few {
      for given in attributes {
        var builder = GraphBuilder()
        var inputs = [TensorID?](repeating: nil, count: spec.inputs.count)
        for i in required {
          let operand = spec.inputs[i]
          let chosen = i == k ? format : operand.formatOf.flatMap { spec.inputIndex($0) }.map { $0 == k ? format : spec.inputs[$0].formats[0] } ?? operand.formats[0]
          let shape = Shape(extents(operand.shape, small, whole))
          inputs[i] = chosen.isBlock ? builder.constant(operand.name, chosen, shape) : builder.input(operand.name, chosen, shape)
        }
        if let made = try? builder.apply(spec.name, inputs, given) {
          for case let id? in made { builder.output(id) }
          return builder.graph
        }
      }
    }
    return nil
  }

  private static func extents(_ pattern: ShapePattern, _ small: [String], _ whole: [Int]) -> [Int] {
    if pattern.isRuled { return [4, 256] }
    if pattern.spread != .none, (pattern.prefix + pattern.suffix).isEmpty { return whole }
    return (pattern.prefix + pattern.suffix).map { word in
      switch word {
      case .extent(let name): small.contains(name) ? 4 : 256
      case .number(let n): n
      case .formula: 256
      }
    }
  }
}

extension OperatorSpec {
  /// What an operator takes, gives and means, for people.
  var lines: [String] {
    func operand(_ o: Operand) -> String {
      let formats = o.formatOf.map { "as \($0)" } ?? o.formatAttribute.map { "as attribute \($0) says" } ?? o.formats.map(\.name).joined(separator: " ")
      return "  \(pad(o.name, 16))[\(o.shape)]  \(formats)" + (o.isOptional ? "  (optional)" : "") + (o.isVariadic ? "  (one or more)" : "")
    }
    return ["\(name): \(summary)"] + ["inputs"] + inputs.map(operand) + ["outputs"] + outputs.map(operand)
      + (attributes.isEmpty ? [] : ["attributes"]) + attributes.map { "  \(pad($0.name, 16))\($0.type.rawValue)" + ($0.isRequired ? ", required" : "") }
      + ["meaning"] + semantics.map { "  " + $0 } + constraints.map { "  \($0.label): \($0.text)" } + [""]
  }
}
