import BackplaneCore
@testable import BackplaneSpecs
import Foundation
import Testing

private let checkout = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

/// A definition with pieces replaced.
private func definition(_ name: String, _ changes: [(String, String)] = []) throws -> String {
  var text = """
    {"op": "\(name)", "version": 1, "summary": "Takes one from the other.",
     "inputs": [{"name": "a", "formats": ["@float"], "shape": "..."}, {"name": "b", "formats": ["=a"], "shape": "..."}],
     "outputs": [{"name": "y", "formats": ["=a"], "shape": "..."}],
     "semantics": ["y = a - b"],
     "composition": [{"op": "neg", "inputs": ["b"], "outputs": ["c"]}, {"op": "add", "inputs": ["a", "c"], "outputs": ["y"]}],
     "numerics": {"bound": "composition"}}
    """
  for (old, new) in changes {
    try #require(text.contains(old), "the definition has no \(old)")
    text = text.replacing(old, with: new)
  }
  return text
}

private let noComposition = ("\"composition\": [{\"op\": \"neg\", \"inputs\": [\"b\"], \"outputs\": [\"c\"]}, {\"op\": \"add\", \"inputs\": [\"a\", \"c\"], \"outputs\": [\"y\"]}],", "")
private let rounding = ("\"bound\": \"composition\"", "\"bound\": \"rounding\", \"roundings\": 1")

@Suite struct CustomOperatorTests {
  /// What is registered at run time and what is generated are read from the same form, and say the same.
  @Test func filesOfTheCatalogueReadAtRunTimeAreTheGeneratedCatalogue() throws {
    let folder = checkout.appendingPathComponent("Specs/operators")
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".json") }
    #expect(names.count == OperatorSpec.all.count)
    func said(_ spec: OperatorSpec) -> [String] {
      ["\(spec.name) \(spec.version) \(spec.level) \(spec.tier) \(spec.summary)", "\(spec.inputs)", "\(spec.outputs)", "\(spec.attributes)", "\(spec.constraints)", "\(spec.semantics)",
       "\(String(describing: spec.shapeRule))", "\(spec.composition)", "\(spec.numerics)", "\(spec.specialValues.sorted { $0.key < $1.key })", "\(spec.notes)", "\(spec.conformance)"]
    }
    for name in names {
      let text = try String(contentsOf: folder.appendingPathComponent(name), encoding: .utf8)
      let read = try OperatorSpec(OperatorFile(JSON.parse(text), file: name))
      #expect(try said(read) == said(#require(OperatorSpec.named(read.name))), "\(name)")
    }
  }

  @Test func aRegisteredOperatorIsKnownByNameAndNumber() throws {
    let text = try definition("specs.known")
    let spec = try OperatorSpec.register(text)
    #expect(spec.level == .custom && spec.isFused)
    #expect(OperatorSpec.named("specs.known")?.id == spec.id)
    #expect(OperatorSpec.with(id: Identifier("specs.known"))?.name == "specs.known")
    #expect(OperatorSpec.registered.contains { $0.name == "specs.known" })
    #expect(!OperatorSpec.all.contains { $0.name == "specs.known" }, "the catalogue stays what it is")
    // The same again, in other words of JSON, is the same.
    #expect(try OperatorSpec.register(text.replacing("\n", with: " ")).id == spec.id)
    var builder = GraphBuilder()
    let (a, b) = (builder.input("a", .f16, [2, 3]), builder.input("b", .f16, [2, 3]))
    let y = try builder.apply("specs.known", [a, b])[0]!
    #expect(builder[y].shape == [2, 3] && builder[y].format == .f16)
    builder.output(y)
    try builder.graph.check()
    // It crosses the ABI and comes back.
    #expect(try ABIGraph(builder.graph).withPointer { try Graph(abi: $0) }.nodes[0].op == "specs.known")
  }

  @Test(arguments: [
    ([("specs.bad", "swish")], "no name for an operator of your own"), ([("specs.bad", "Specs.bad")], "no name"), ([("specs.bad", "specs..bad")], "no name"),
    ([("specs.bad", "specs.a_name_that_is_longer_than_any_error_has_room_for")], "bytes at most"),
    ([("\"version\": 1,", "\"version\": 1, \"level\": \"core\",")], "'level' 'core' is the catalogue's"),
    ([("\"neg\"", "\"negate\"")], "there is no such operator"), ([("\"neg\"", "\"specs.bad\"")], "there is no such operator"),
    ([("[\"b\"]", "[\"z\"]")], "'z' is no operand"), ([("\"outputs\": [\"y\"]", "\"outputs\": [\"x\"]")], "does not make 'y'"),
    ([("@float", "f31")], "the format 'f31' is unknown"), ([("\"semantics\": [\"y = a - b\"]", "\"semantics\": []")], "'semantics' is missing"),
    ([("\"shape\": \"...\"}],\n \"sem", "\"shape\": \"?\"}],\n \"sem")], "or a shape function"),
    ([noComposition, rounding], "neither a composition nor a reference function"), ([("\"version\": 1,", "\"version\": 1, \"tools\": 1,")], "'tools' is not a known field"),
  ] as [([(String, String)], String)]) func badDefinitionsAreRefusedWithAReason(changes: [(String, String)], words: String) throws {
    do {
      try OperatorSpec.register(definition("specs.bad", changes), file: "bad.json")
      Issue.record("it was registered")
    } catch let error as BackplaneError {
      #expect(error.description.contains(words), "\(error)")
      #expect(error.subject == "bad.json")
    }
    #expect(OperatorSpec.named("specs.bad") == nil)
    #expect(throws: BackplaneError.self) { try OperatorSpec.register("{", file: "bad.json") }
  }

  @Test func aNameThatIsTakenIsRefused() throws {
    try OperatorSpec.register(definition("specs.taken"))
    #expect { try OperatorSpec.register(definition("specs.taken", [("from the other", "away")])) } throws: { "\($0)".contains("registered already, with another definition") }
    let functions = OperatorFunctions { inputs, _, outputs in outputs.map { OperatorValues(format: $0.format, shape: $0.shape, values: inputs[0]!.values) } }
    try OperatorSpec.register(definition("specs.function", [noComposition, rounding]), functions: functions)
    #expect { try OperatorSpec.register(definition("specs.function", [noComposition, rounding]), functions: functions) } throws: { "\($0)".contains("registered already") }
    #expect { try OperatorSpec.register(definition("specs.both"), functions: functions) } throws: { "\($0)".contains("no room for a function") }
    #expect { try OperatorSpec.register(definition("specs.bound", [noComposition, ("composition", "dot")]), functions: functions) } throws: { "\($0)".contains("'dot'") }
  }

  @Test func shapesComeFromAFunctionAndItsErrorsAreClear() throws {
    struct Odd: Error {}
    let spread = [noComposition, rounding, ("\"shape\": \"...\"}],\n \"sem", "\"shape\": \"?\"}],\n \"sem")]
    func register(_ name: String, _ shapes: @escaping OperatorFunctions.Shapes) throws {
      try OperatorSpec.register(definition(name, spread), functions: OperatorFunctions(shapes: shapes, reference: { _, _, outputs in outputs }))
    }
    try register("specs.pairs") { inputs, _ in [Shape([.fixed(2)] + inputs[0]!.shape.dimensions)] }
    try register("specs.many") { inputs, _ in [inputs[0]!.shape, inputs[0]!.shape] }
    try register("specs.deep") { _, _ in [Shape([Int](repeating: 1, count: 8)), ].map { Shape($0.dimensions) } }
    try register("specs.fails") { _, _ in throw Odd() }
    try register("specs.minds") { _, _ in throw BackplaneError.constraint("specs.minds", "S", "the moon is full") }
    var builder = GraphBuilder()
    let rows = builder.symbol("rows", 0...9)
    let (a, b) = (builder.input("a", .f32, Shape([.symbol(rows), .fixed(4)])), builder.input("b", .f32, Shape([.symbol(rows), .fixed(4)])))
    let y = try builder.apply("specs.pairs", [a, b])[0]!
    #expect(builder[y].shape == Shape([.fixed(2), .symbol(rows), .fixed(4)]))
    #expect(throws: Never.self) { var copy = builder; try copy.apply("specs.deep", [a, b]) }
    for (op, words) in [("specs.many", "gave 2 shapes, the operator has 1 outputs"), ("specs.fails", "the shape function failed: Odd()"), ("specs.minds", "the moon is full")] {
      #expect { var copy = builder; try copy.apply(op, [a, b]) } throws: { "\($0)".contains(words) && "\($0)".contains(op) }
    }
  }
}

extension OperatorFunctions {
  fileprivate init(_ reference: @escaping Reference) { self.init(shapes: nil, reference: reference) }
}
