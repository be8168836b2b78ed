import BackplaneCore

extension KernelManifest {
  /// - Parameter folder: Before the names of sources that begin with no other folder.
  /// - Throws: ``BackplaneError`` (file) that names file, place and what is wrong.
  init(text: String, file: String, isUsers: Bool) throws(BackplaneError) {
    (self.file, self.isUsers) = (file, isUsers)
    let json: JSON
    do { json = try JSON.parse(text) } catch {
      throw BackplaneError(.file, error.message, subject: file)
    }
    let reader = try JSONReader(json, file: file, fields: ["format", "kernels", "parameters", "variants"])
    let format = try reader.int("format")
    if format != 1 { throw reader.wrong("format", "is \(format); this build reads 1") }
    for member in try reader.object("kernels") { kernels[member.key] = try KernelTemplate(member, file) }
    for (number, value) in try reader.array("variants").enumerated() {
      variants.append(try VariantTemplate(value, "variants[\(number)]", file, shared: reader.object("parameters"), isUsers: isUsers))
    }
  }
}

extension KernelTemplate {
  fileprivate init(_ member: JSON.Member, _ file: String) throws(BackplaneError) {
    name = member.key
    let reader = try JSONReader(member.value, file: file, place: "kernel '\(name)'",
                                fields: ["source", "entry", "let", "walk", "axes", "defines", "arguments", "global", "local"])
    source = try reader.string("source")
    entry = try reader.optionalString("entry") ?? name
    lets = try reader.formulas("let")
    if let words = try reader.optionalString("walk") {
      walk = Walk(operands: try words.split(separator: " ").map { word throws(BackplaneError) in
        let parts = word.split(separator: "/")
        guard parts.count <= 2, let dropped = parts.count == 2 ? Int(parts[1]) : 0 else { throw reader.wrong("walk", "has '\(word)'; expected OPERAND or OPERAND/DROPPED") }
        return (String(parts[0]), dropped)
      }, axes: try reader.optionalString("axes"))
    }
    defines = try reader.formulas("defines")
    for text in try reader.strings("arguments") { arguments.append(try KernelTemplate.argument(text, reader)) }
    global = try reader.formulaList("global")
    local = try reader.formulaList("local")
    guard (1...3).contains(global.count), local.count == global.count else {
      throw reader.wrong("global", "and 'local' must have the same number of dimensions, 1 to 3, not \(global.count) and \(local.count)")
    }
  }

  /// `buffer x`, `int n`, `long row = stride2(x)`, `float epsilon`, `extents`, `steps x`, `inner extents`, `inner steps x`.
  private static func argument(_ text: String, _ reader: JSONReader) throws(BackplaneError) -> Argument {
    let parts = text.split(separator: "=", maxSplits: 1)
    let words = parts.first?.split(separator: " ").map(String.init) ?? []
    func formula() throws(BackplaneError) -> Formula {
      guard words.count == 2 else { throw reader.wrong("arguments", "has '\(text)': expected a type and a name") }
      let formula = parts.count == 2 ? String(parts[1]) : words[1]
      do { return try Formula(formula.trimmedSpaces) } catch { throw reader.wrong("arguments", error.message) }
    }
    switch (words.first, words.count) {
    case ("buffer", 2): return .buffer(words[1])
    case ("int", 2): return .int(try formula())
    case ("long", 2): return .long(try formula())
    case ("float", 2): return .float(try formula())
    case ("extents", 1): return .extents
    case ("steps", 2): return .steps(words[1])
    case ("inner", 2) where words[1] == "extents": return .innerExtents
    case ("inner", 3) where words[1] == "steps": return .innerSteps(words[2])
    default: throw reader.wrong("arguments", "has '\(text)'", hint: "buffer x, int n, long n = FORMULA, float f, extents, steps x, inner extents, inner steps x")
    }
  }
}

extension VariantTemplate {
  /// - Parameter shared: Parameters of every variant of the file.
  fileprivate init(_ json: JSON, _ place: String, _ file: String, shared: [JSON.Member], isUsers: Bool) throws(BackplaneError) {
    let fields = ["name", "operators", "inputs", "outputs", "require", "features", "parameters", "views", "scratch", "launches", "copy", "fill",
                  "in_place", "declares"]
    let unnamed = try JSONReader(json, file: file, place: place, fields: fields)
    name = try unnamed.string("name")
    let reader = try JSONReader(json, file: file, place: "variant '\(name)'", fields: fields)
    (self.file, self.isUsers) = (file, isUsers)
    operators = try reader.strings("operators")
    if operators.isEmpty { throw reader.wrong("operators", "names none") }
    inputs = try reader.strings("inputs").map { text throws(BackplaneError) in try Operand(text, reader) }
    outputs = try reader.strings("outputs").map { text throws(BackplaneError) in try Operand(text, reader) }
    features = try reader.strings("features")
    for value in try reader.array("require") {
      let condition = try JSONReader(value, file: file, place: "variant '\(name)', require", fields: ["that", "reason", "operand"])
      let word = try condition.string("reason")
      guard let reason = ReasonCatalogue.all.first(where: { $0.name == word })?.code else {
        throw condition.wrong("reason", "is '\(word)'", hint: "one of \(ReasonCatalogue.all.map(\.name).joined(separator: ", "))")
      }
      conditions.append(Condition(formula: try condition.formula("that"), reason: reason, operand: try condition.optionalString("operand")))
    }
    for member in shared + (try reader.object("parameters")) {
      let parameter = try JSONReader(member.value, file: file, place: "variant '\(name)', parameter '\(member.key)'", fields: ["cpu", "gpu", "choices"])
      var choices: [Int] = []
      for case .int(let choice) in try parameter.array("choices") { choices.append(choice) }
      let cpu = try parameter.int("cpu")
      parameters.append(Parameter(name: member.key, onCPU: cpu, onGPU: try parameter.optionalInt("gpu") ?? cpu, choices: choices))
    }
    for (field, isView) in [("scratch", false), ("views", true)] {  // views may be of scratch memory
      for member in try reader.object(field) {
        let local = try JSONReader(member.value, file: file, place: "variant '\(name)', \(field) '\(member.key)'", fields: ["of", "format", "shape"])
        let of = isView ? try local.string("of") : nil
        locals.append(LocalTensor(name: member.key, format: isView ? try Formula("format(\(of!))") : try local.formula("format"),
                                  shape: try local.formulaList("shape"), of: of))
      }
    }
    for value in try reader.array("launches") {
      let launch = try JSONReader(value, file: file, place: "variant '\(name)', launches", fields: ["kernel", "bind", "when", "unless_same", "let"])
      var bind: [String: String] = [:]
      for member in try launch.object("bind") {
        guard case .string(let actual) = member.value else { throw launch.wrong("bind", "binds '\(member.key)' to no name") }
        bind[member.key] = actual
      }
      let same = try launch.optionalString("unless_same")?.split(separator: " ").map(String.init)
      guard same == nil || same!.count == 2 else { throw launch.wrong("unless_same", "is not two operands") }
      launches.append(Launch(kernel: try launch.string("kernel"), bind: bind, condition: launch.value("when") == nil ? nil : try launch.formula("when"),
                             unlessSame: same.map { ($0[0], $0[1]) }, values: try launch.formulas("let")))
    }
    copyKernel = try reader.optionalString("copy")
    fillKernel = try reader.optionalString("fill")
    if launches.isEmpty == (copyKernel == nil) { throw reader.wrong("launches", "or 'copy' must say what runs, and not both") }
    if let pair = try reader.optionalString("in_place")?.split(separator: " ").map(String.init) {
      guard pair.count == 2 else { throw reader.wrong("in_place", "is not an output and an input") }
      inPlace = (pair[0], pair[1])
    }
    for member in try reader.object("declares") {
      switch member.value {
      case .int(let i): declares.append((member.key, .int(i)))
      case .string(let s): declares.append((member.key, .string(s)))
      default: throw reader.wrong("declares", "gives '\(member.key)' neither a number nor a text")
      }
    }
  }
}

extension VariantTemplate.Operand {
  /// `a: f32 f16`, `bias?: f32`, `inputs*`, `y: =a`.
  fileprivate init(_ text: String, _ reader: JSONReader) throws(BackplaneError) {
    let parts = text.split(separator: ":", maxSplits: 1).map { $0.trimmedSpaces }
    guard let first = parts.first, !first.isEmpty else { throw reader.wrong("inputs", "or 'outputs' has an operand without a name") }
    isOptional = first.hasSuffix("?")
    isVariadic = first.hasSuffix("*")
    name = isOptional || isVariadic ? String(first.dropLast()) : first
    var formats: [String] = []
    var same: String?
    for word in parts.count == 2 ? parts[1].split(separator: " ").map(String.init) : [] {
      if word.hasPrefix("=") { same = String(word.dropFirst()) } else if let group = formatGroups[word] { formats += group } else { formats.append(word) }
    }
    (self.formats, sameAs) = (formats, same)
  }
}

private let formatGroups = [
  "@float": ["f32", "f16", "bf16"],
  "@block": ["q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "q2_K", "q3_K", "q4_K", "q5_K", "q6_K", "iq4_nl", "mxfp4", "tq2_0", "q4_z", "nf4"],
]

extension JSONReader {
  fileprivate func formula(_ field: String) throws(BackplaneError) -> Formula { try formula(of: required(field), field) }

  private func formula(of value: JSON, _ field: String) throws(BackplaneError) -> Formula {
    let text: String
    switch value {
    case .int(let i): text = "\(i)"
    case .float(let f): text = "\(f)"
    case .bool(let b): text = b ? "1" : "0"
    case .string(let s): text = s
    default: throw wrong(field, "is no formula")
    }
    do { return try Formula(text) } catch { throw wrong(field, error.message) }
  }

  fileprivate func formulas(_ field: String) throws(BackplaneError) -> [(name: String, formula: Formula)] {
    var list: [(name: String, formula: Formula)] = []
    for member in try object(field) { list.append((member.key, try formula(of: member.value, field))) }
    return list
  }

  fileprivate func formulaList(_ field: String) throws(BackplaneError) -> [Formula] {
    var list: [Formula] = []
    for value in try array(field) { list.append(try formula(of: value, field)) }
    return list
  }
}

extension StringProtocol {
  var trimmedSpaces: String { String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()) }
}
