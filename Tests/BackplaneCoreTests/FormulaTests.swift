import BackplaneCore
import Testing

@Suite struct FormulaTests {
  static let values: [(String, Formula.Value)] = [
    ("1 + 2 * 3", .int(7)), ("(1 + 2) * 3", .int(9)), ("7 - 2 - 1", .int(4)), ("-7 / 2", .int(-3)), ("7 % 4", .int(3)), ("-2 * -3", .int(6)),
    ("1.5 + 1", .float(2.5)), ("2e3", .float(2000)), ("1 < 2", .bool(true)), ("2 <= 1", .bool(false)), ("1 == 1.0", .bool(true)),
    ("1 == 1 && 2 != 2", .bool(false)), ("0 || 3 > 2", .bool(true)), ("!(1 > 2)", .bool(true)), ("'a' == \"a\"", .bool(true)),
    ("'a' != 'b'", .bool(true)), ("1 > 2 || 2 > 1 && 1 > 0", .bool(true)), ("(1 < 2) + 1", .int(2)), ("9223372036854775807", .int(.max)),
  ]

  @Test(arguments: values) func arithmeticFollowsTheUsualRules(text: String, value: Formula.Value) throws {
    #expect(try Formula(text).evaluate { _ in nil } == value)
  }

  @Test func namesAndFunctionsAreAskedForOnce() throws {
    let formula = try Formula("K % block(b) == 0 && K > block( b )")
    #expect(formula.references.map(\.description) == ["K", "block(b)"])
    #expect(try formula.evaluate { .int([64, 32][$0]) } == .bool(true))
    #expect(try formula.evaluate { .int([33, 32][$0]) } == .bool(false))
  }

  @Test func anUnknownValueMakesTheWholeUnknownUnlessItDoesNotMatter() throws {
    #expect(try Formula("a > 1").evaluate { _ in nil } == nil)
    #expect(try Formula("1 > 2 && a > 1").evaluate { _ in nil } == .bool(false))
    #expect(try Formula("2 > 1 || a > 1").evaluate { _ in nil } == .bool(true))
    #expect(try Formula("!a").evaluate { _ in nil } == nil)
  }

  @Test(arguments: ["", "1 +", "(1", "1)", "a b", "f(", "f()", "f(1)", "1 < 2 < 3", "'open", "a = 1", "#", "99999999999999999999", "1 & 2", "é"])
  func whatMakesNoSenseIsRefused(text: String) { #expect(throws: BackplaneError(.invalid, "")) { try Formula(text) } }

  @Test func theMessagePointsAtTheCharacter() {
    let error = #expect(throws: BackplaneError.self) { try Formula("K % == 0") }
    #expect(error?.message == "'K % == 0', character 5: expected a value, found '== 0'")
  }

  @Test func nestingAndLengthAreLimited() {
    #expect(throws: BackplaneError(.invalid, "")) { try Formula(String(repeating: "(", count: 1000) + "1" + String(repeating: ")", count: 1000)) }
    #expect(throws: BackplaneError(.invalid, "")) { try Formula(String(repeating: "!", count: 1000) + "1") }
    #expect(throws: BackplaneError(.invalid, "")) { try Formula("1" + String(repeating: "+1", count: 1000)) }
    #expect(throws: BackplaneError(.invalid, "")) { try Formula(String(repeating: "a", count: 5000)) }
  }

  @Test(arguments: ["9223372036854775807 + 1", "1 / 0", "1 % 0", "'a' < 'b'", "'a' + 1", "!'a'", "-9223372036854775807 * 2", "1.5 && 1"])
  func arithmeticThatFailsIsAnErrorNotATrap(text: String) throws {
    let formula = try Formula(text)
    #expect(throws: BackplaneError(.invalid, "")) { try formula.evaluate { _ in nil } }
  }

  @Test func conjunctsAndDivisibilityAreSeen() throws {
    let parts = try Formula("a % 2 == 0 && (b + 1) * 2 > 3").conjuncts
    #expect(parts.map(\.text) == ["a % 2 == 0", "(b + 1) * 2 > 3"])
    #expect(parts[0].divisibility?.dividend.text == "a")
    #expect(parts[1].divisibility == nil)
    #expect(parts[1].usedReferences == [1])
  }
}

@Suite struct ShapePatternTests {
  @Test func wordsAndSpreadsAreRead() throws {
    let pattern = try ShapePattern("... T H 4")
    #expect(pattern.prefix.isEmpty && pattern.spread == .same)
    #expect(pattern.suffix == [.extent("T"), .extent("H"), .number(4)])
    #expect(try ShapePattern("S ...").prefix == [.extent("S")])
    #expect(try ShapePattern("..* n").spread == .broadcast)
    #expect(try ShapePattern("?").isRuled)
    #expect(try ShapePattern("2*N").suffix.isEmpty)
  }

  @Test(arguments: ["... n ...", "n ..*", "n )", "+"]) func whatMakesNoSenseIsRefused(text: String) {
    #expect(throws: BackplaneError(.invalid, "")) { try ShapePattern(text) }
  }
}
