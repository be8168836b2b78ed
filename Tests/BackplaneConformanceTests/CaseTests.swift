import BackplaneCore
import BackplaneSpecs
import Testing
@testable import BackplaneConformance

@Suite struct CoveringArrayTests {
  @Test(arguments: [[2, 2], [3, 4, 5], [16, 3, 2, 2, 7, 9, 10, 4, 5], [1, 3, 1, 2], [15, 15, 3, 5]])
  func everyPairOfLevelsIsThere(levels: [Int]) {
    let rows = CoveringArray.pairwise(levels: levels, seed: 7)
    for i in levels.indices {
      for j in levels.indices where j > i {
        let pairs = Set(rows.map { $0[i] * 1000 + $0[j] })
        #expect(pairs.count == levels[i] * levels[j])
      }
    }
    // Not much more than the two largest factors need at least.
    let largest = levels.sorted(by: >)
    #expect(rows.count <= largest[0] * largest[1] * 2 + 10)
  }

  @Test func theSameSeedGivesTheSameRows() {
    #expect(CoveringArray.pairwise(levels: [4, 5, 6, 3], seed: 1) == CoveringArray.pairwise(levels: [4, 5, 6, 3], seed: 1))
    #expect(CoveringArray.pairwise(levels: [4, 5, 6, 3], seed: 1) != CoveringArray.pairwise(levels: [4, 5, 6, 3], seed: 2))
  }
}

@Suite struct CaseIDTests {
  @Test(arguments: ["matmul", "attention", "concat", "reshape", "slice", "softmax", "tensor_scatter", "cast"])
  func anIDSaysAllOfItsCase(op: String) throws {
    let spec = try #require(OperatorSpec.named(op))
    let cases = CaseList.cases(of: spec, size: .quick)
    #expect(cases.count >= 5)
    for id in cases {
      let read = try CaseID(id.description)
      #expect(read.description == id.description)
      #expect(read == id)
      #expect(DataGenerator(id: read).make() == DataGenerator(id: id).make())
      _ = try CaseGraph(id)
    }
  }

  @Test func casesHaveTheirOwnData() throws {
    let a = try CaseID("exp/x=f32.7/data=normal/mem=plain"), b = try CaseID("exp/x=f32.7/data=normal/mem=constant")
    #expect(a.seed != b.seed)
    #expect(DataGenerator(id: a).make() != DataGenerator(id: b).make())
  }

  @Test func dataIsTheSameForEver() throws {
    // A change here makes every report of the past impossible to repeat: Suite.version must change with it.
    let id = try CaseID("exp/x=f32.3/data=normal/mem=plain")
    #expect(id.seed == Identifier("exp/x=f32.3/data=normal/mem=plain").value)
    let values = DataGenerator(id: id).make()[0].withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
    #expect(values == [-1.449594, -1.1940576, 0.83793324])
  }

  @Test(arguments: ["", "nothing/x=f32.3", "exp/x", "exp/x=f99.3", "exp/x=f32.3y4", "exp/z=f32.3", "clip/x=f32.3/minimum=much", "exp/x=f32.3/mem=attic"])
  func nonsenseIsNoCase(text: String) {
    #expect(throws: BackplaneError.self) { try CaseID(text) }
  }

  @Test func everyOperatorHasCasesOfEachSize() {
    for spec in CaseList.operators(level: .vision) {
      let quick = CaseList.cases(of: spec, size: .quick)
      #expect(quick.count >= 5, "\(spec.name)")
      #expect(Set(quick).count == quick.count)
      for name in spec.conformance.metamorphic { #expect(MetamorphicTests.relations[name] != nil, "\(spec.name): \(name)") }
    }
  }

  @Test func thereAreEmptyTensorsAndAllFormats() throws {
    let cases = CaseList.cases(of: try #require(OperatorSpec.named("matmul")), size: .standard)
    #expect(cases.contains { $0.inputs.joined().contains { $0.shape.contains(0) } })
    #expect(Set(cases.map { $0.inputs[1][0].format }).count == 18)
    #expect(Set(cases.map(\.memory)).count == 5)
  }

  @Test func whatASpecCrossesOccursInEveryCombination() throws {
    let cases = CaseList.cases(of: try #require(OperatorSpec.named("cast")), size: .standard)
    #expect(Set(cases.map { "\($0.inputs[0][0].format) \($0.text(of: "to")!) \($0.data)" }).count == 8 * 8 * 11)
    for spec in OperatorSpec.all {
      let generator = ShapeGenerator(spec)
      for name in spec.conformance.cross { #expect(generator.factor(named: name) != nil, "\(spec.name): \(name)") }
    }
  }

  @Test(arguments: OperatorSpec.all.map(\.name)) func floatAttributesAreTriedWithNumbersThatNo16BitFormatHas(op: String) throws {
    let spec = try #require(OperatorSpec.named(op))
    for attribute in spec.attributes where attribute.type == .float && attribute.minimum != 0 {
      let tried = spec.conformance.attributes.first { $0.name == attribute.name }?.values ?? [attribute.defaultValue]
      #expect(tried.contains { value in
        guard case .float(let x) = value, abs(x) < 60_000 else { return false }
        return Double(Float16(x)) != x && Float(x).bitPattern & 0xFFFF != 0
      }, "\(op): \(attribute.name)")
    }
  }

  @Test func repeatedRowsLieInOnePlace() throws {
    let made = DataGenerator(id: try CaseID("exp/x=f32.3x2/data=normal/mem=repeated")).make()[0]
    #expect(made.count == 24 && made[0..<8] == made[8..<16] && made[8..<16] == made[16..<24])
  }
}
