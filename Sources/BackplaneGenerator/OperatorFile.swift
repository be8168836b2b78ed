import BackplaneCore

/// `Specs/operators/<op>.json` as it stands there, its fields known and typed; `validate` checks what they say.
struct OperatorFile {
  struct Operand {
    let name: String
    let formats: [String]
    let shape: String
    let isOptional, isVariadic: Bool
    let inPlace, formatAttribute: String?
    let shapeWhen: [(condition: String, shape: String)]
  }
  struct Attribute {
    let name: String
    let type: String
    let defaultValue: JSON
    let isRequired: Bool
    let values: [JSON]
    let minimum: Double?
    let text: String
  }
  struct Constraint {
    let label, formula, text: String
  }
  struct Step {
    let op: String
    let inputs, outputs: [String]
    let attributes: [JSON.Member]
    let ifPresent: String?
  }
  struct Numerics {
    let bound: String
    let ulp, roundings: Int?
    let accumulate, statistics: String?
    let declares: [String]
  }

  /// What the conformance suite tries beyond what follows from the signature.
  struct Conformance {
    /// What `...` and `..*` may stand for: extents.
    let leading: [[Int]]
    let extents: [(name: String, values: [Int])]
    /// For shapes that a rule makes: one list of extents an input (several for a variadic one).
    let shapes: [[[Int]]]
    let attributes: [(name: String, values: [JSON])]
    let data: [String]
    let operands: [(name: String, data: String)]
    let cross, exact, metamorphic, require: [String]
  }

  let file: String
  let name: String
  let version, tier: Int
  let level, summary: String
  let inputs, outputs: [Operand]
  let attributes: [Attribute]
  let constraints: [Constraint]
  let semantics, notes: [String]
  let shapeRule: String?
  let composition: [Step]
  let numerics: Numerics
  let specialValues: [(key: String, text: String)]
  let conformance: Conformance?

  init(_ json: JSON, file: String) throws(BackplaneError) {
    self.file = file
    let reader = try JSONReader(json, file: file, fields: [
      "$schema", "op", "version", "level", "tier", "summary", "inputs", "outputs", "attributes", "constraints", "semantics", "shape_rule", "composition",
      "numerics", "special_values", "notes", "conformance",
    ])
    name = try reader.string("op")
    version = try reader.int("version")
    tier = try reader.int("tier")
    level = try reader.string("level")
    summary = try reader.string("summary")
    semantics = try reader.strings("semantics")
    notes = try reader.strings("notes")
    shapeRule = try reader.optionalString("shape_rule")
    var inputs: [Operand] = []
    var outputs: [Operand] = []
    var attributes: [Attribute] = []
    var constraints: [Constraint] = []
    var composition: [Step] = []
    for (i, value) in try reader.array("inputs").enumerated() { inputs.append(try Operand(value, file, "input \(i)")) }
    for (i, value) in try reader.array("outputs").enumerated() { outputs.append(try Operand(value, file, "output \(i)")) }
    for (i, value) in try reader.array("attributes").enumerated() { attributes.append(try Attribute(value, file, "attribute \(i)")) }
    for (i, value) in try reader.array("constraints").enumerated() {
      let constraint = try JSONReader(value, file: file, place: "constraint \(i)", fields: ["id", "expression", "text"])
      constraints.append(Constraint(label: try constraint.string("id"), formula: try constraint.string("expression"), text: try constraint.string("text")))
    }
    for (i, value) in try reader.array("composition").enumerated() {
      let step = try JSONReader(value, file: file, place: "composition step \(i)", fields: ["op", "inputs", "outputs", "attributes", "if_present"])
      composition.append(Step(op: try step.string("op"), inputs: try step.strings("inputs"), outputs: try step.strings("outputs"),
                              attributes: try step.object("attributes"), ifPresent: try step.optionalString("if_present")))
    }
    let numerics = try JSONReader(try reader.required("numerics"), file: file, place: "numerics",
                                  fields: ["bound", "ulp", "roundings", "accumulate", "statistics", "declares"])
    self.numerics = Numerics(bound: try numerics.string("bound"), ulp: try numerics.optionalInt("ulp"), roundings: try numerics.optionalInt("roundings"),
                             accumulate: try numerics.optionalString("accumulate"), statistics: try numerics.optionalString("statistics"),
                             declares: try numerics.strings("declares"))
    var special: [(key: String, text: String)] = []
    for member in try reader.object("special_values") {
      guard case .string(let text) = member.value else { throw reader.wrong("special_values", "has '\(member.key)', which is no string") }
      special.append((member.key, text))
    }
    conformance = try reader.value("conformance").map { (json) throws(BackplaneError) in try Conformance(json, file) }
    (self.inputs, self.outputs, self.attributes, self.constraints, self.composition) = (inputs, outputs, attributes, constraints, composition)
    specialValues = special
  }
}

extension OperatorFile.Operand {
  init(_ json: JSON, _ file: String, _ place: String) throws(BackplaneError) {
    let reader = try JSONReader(json, file: file, place: place, fields: [
      "name", "formats", "shape", "optional", "variadic", "in_place", "format_attribute", "shape_when",
    ])
    name = try reader.string("name")
    formats = try reader.strings("formats")
    shape = try reader.string("shape")
    isOptional = try reader.bool("optional")
    isVariadic = try reader.bool("variadic")
    inPlace = try reader.optionalString("in_place")
    formatAttribute = try reader.optionalString("format_attribute")
    var when: [(condition: String, shape: String)] = []
    for member in try reader.object("shape_when") {
      guard case .string(let shape) = member.value else { throw reader.wrong("shape_when", "has '\(member.key)', which is no shape") }
      when.append((member.key, shape))
    }
    shapeWhen = when
  }
}

extension OperatorFile.Attribute {
  init(_ json: JSON, _ file: String, _ place: String) throws(BackplaneError) {
    let reader = try JSONReader(json, file: file, place: place, fields: ["name", "type", "default", "required", "values", "minimum", "text"])
    name = try reader.string("name")
    type = try reader.string("type")
    defaultValue = try reader.required("default")
    isRequired = try reader.bool("required")
    values = try reader.array("values")
    minimum = try reader.number("minimum")
    text = try reader.string("text")
  }
}

extension OperatorFile.Conformance {
  init(_ json: JSON, _ file: String) throws(BackplaneError) {
    let reader = try JSONReader(json, file: file, place: "conformance", fields: [
      "leading", "extents", "shapes", "attributes", "data", "operands", "cross", "exact", "metamorphic", "require",
    ])
    func whole(_ value: JSON, _ field: String) throws(BackplaneError) -> [Int] {
      guard case .array(let values) = value else { throw reader.wrong(field, "has something that is no list of whole numbers") }
      var numbers: [Int] = []
      for value in values {
        guard case .int(let n) = value, n >= 0 else { throw reader.wrong(field, "has \(value.text), which is no extent") }
        numbers.append(n)
      }
      return numbers
    }
    func list(_ value: JSON, _ field: String) throws(BackplaneError) -> [JSON] {
      guard case .array(let values) = value else { throw reader.wrong(field, "has \(value.text), which is no list") }
      return values
    }
    var leading: [[Int]] = []
    for value in try reader.array("leading") { leading.append(try whole(value, "leading")) }
    var extents: [(name: String, values: [Int])] = []
    for member in try reader.object("extents") { extents.append((member.key, try whole(member.value, "extents"))) }
    var shapes: [[[Int]]] = []
    for value in try reader.array("shapes") {
      var operands: [[Int]] = []
      for operand in try list(value, "shapes") { operands.append(try whole(operand, "shapes")) }
      shapes.append(operands)
    }
    var attributes: [(name: String, values: [JSON])] = []
    for member in try reader.object("attributes") { attributes.append((member.key, try list(member.value, "attributes"))) }
    var operands: [(name: String, data: String)] = []
    for member in try reader.object("operands") {
      guard case .string(let data) = member.value else { throw reader.wrong("operands", "has \(member.value.text), which is no name of data") }
      operands.append((member.key, data))
    }
    (self.leading, self.extents, self.shapes, self.attributes, self.operands) = (leading, extents, shapes, attributes, operands)
    data = try reader.strings("data")
    cross = try reader.strings("cross")
    exact = try reader.strings("exact")
    metamorphic = try reader.strings("metamorphic")
    require = try reader.strings("require")
  }
}
