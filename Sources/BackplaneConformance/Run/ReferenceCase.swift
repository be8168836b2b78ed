import BackplaneCore
import BackplaneReference
import BackplaneSpecs

/// A case with its data and what the oracle says of it, for as many devices as are to be judged by it. One thread at a time.
package final class ReferenceCase {
  let id: CaseID
  let made: CaseGraph
  let data: [[UInt8]]
  private var expected: [Declared: Expectation] = [:]

  package init(_ id: CaseID) throws(BackplaneError) {
    self.id = id
    made = try CaseGraph(id)
    data = DataGenerator(id: id).make()
  }

  /// What a kernel that declares this must come to; found once.
  func expectation(_ declared: Declared) throws(BackplaneError) -> Expectation {
    if let known = expected[declared] { return known }
    let made = try Expectation(id, made, data, declared)
    expected[declared] = made
    return made
  }
}
