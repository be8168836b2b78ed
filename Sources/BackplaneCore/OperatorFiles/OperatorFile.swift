/// `Specs/operators/<op>.json`, or the file of a custom operator, as it stands there, its fields known and typed; `OperatorValidation` checks what they say.
package struct OperatorFile {
  package struct Operand {
    package let name: String
    package let formats: [String]
    package let shape: String
    package let isOptional, isVariadic: Bool
    package let inPlace, formatAttribute: String?
    package let shapeWhen: [(condition: String, shape: String)]
  }
  package struct Attribute {
    package let name: String
    package let type: String
    package let defaultValue: JSON
    package let isRequired: Bool
    package let values: [JSON]
    package let minimum: Double?
    package let text: String
  }
  package struct Constraint {
    package let label, formula, text: String
  }
  package struct Step {
    package let op: String
    package let inputs, outputs: [String]
    package let attributes: [JSON.Member]
    package let ifPresent: String?
  }
  package struct Numerics {
    package let bound: String
    package let ulp, roundings: Int?
    package let accumulate, statistics: String?
    package let declares: [String]
  }

  /// What the conformance suite tries beyond what follows from the signature.
  package struct Conformance {
    /// What `...` and `..*` may stand for: extents.
    package let leading: [[Int]]
    package let extents: [(name: String, values: [Int])]
    /// For shapes that a rule makes: one list of extents an input (several for a variadic one).
    package let shapes: [[[Int]]]
    package let attributes: [(name: String, values: [JSON])]
    package let data: [String]
    package let operands: [(name: String, data: String)]
    package let cross, exact, metamorphic, require: [String]
  }

  package let file: String
  package let name: String
  package let version, tier: Int
  package let level, summary: String
  package let inputs, outputs: [Operand]
  package let attributes: [Attribute]
  package let constraints: [Constraint]
  package let semantics, notes: [String]
  package let shapeRule: String?
  package let composition: [Step]
  package let numerics: Numerics
  package let specialValues: [(key: String, text: String)]
  package let conformance: Conformance?

  package init(_ json: JSON, file: String) throws(BackplaneError) {
    self.file = file
    let reader = try JSONReader(json, file: file, fields: [
      "$schema", "op", "version", "level", "tier", "summary", "inputs", "outputs", "attributes", "constraints", "semantics", "shape_rule", "composition",
      "numerics", "special_values", "notes", "conformance",
    ])
    name = try reader.string("op")
    version = try reader.int("version")
    tier = try reader.optionalInt("tier") ?? 1
    level = try reader.optionalString("level") ?? "custom"
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
        guard case .int(let n) = value, n >= 0 else { throw reader.wrong(field, "has \(value.inWords), which is no extent") }
        numbers.append(n)
      }
      return numbers
    }
    func list(_ value: JSON, _ field: String) throws(BackplaneError) -> [JSON] {
      guard case .array(let values) = value else { throw reader.wrong(field, "has \(value.inWords), which is no list") }
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
      guard case .string(let data) = member.value else { throw reader.wrong("operands", "has \(member.value.inWords), which is no name of data") }
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
