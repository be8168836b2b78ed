import BackplaneCore

extension OperatorSpec {
  /// Every operator of the catalogue, by name in alphabetical order; custom ones are in ``registered``.
  public static var all: [OperatorSpec] { Catalogue.all }

  /// The operator of that name, of the catalogue or registered; nil when there is none. O(1).
  public static func named(_ name: String) -> OperatorSpec? {
    catalogueOperator(name) ?? Registered.shared.withLock { state in state.byName[name].map { state.specs[$0] } }
  }

  /// The operator behind a number of the plugin ABI, of the catalogue or registered. O(1).
  public static func with(id: Identifier) -> OperatorSpec? {
    Catalogue.byID[id].map { Catalogue.all[$0] } ?? Registered.shared.withLock { state in state.byID[id].map { state.specs[$0] } }
  }

  static func catalogueOperator(_ name: String) -> OperatorSpec? { Catalogue.byName[name].map { Catalogue.all[$0] } }

  /// - Throws: ``BackplaneError`` (unsupported, reason OP_UNKNOWN) with the operator's name.
  static func required(_ name: String) throws(BackplaneError) -> OperatorSpec {
    guard let spec = named(name) else {
      var error = BackplaneError(.unsupported, "no operator is called '\(name)'", hint: "`backplane ops` lists them; one of your own is registered first")
      error.op = name
      error.reason = 1
      throw error
    }
    return spec
  }
}

/// Indexes of the generated list.
enum Catalogue {
  static let all = OperatorSpec.generated
  static let byName: [String: Int] = Dictionary(uniqueKeysWithValues: all.enumerated().map { ($1.name, $0) })
  static let byID: [Identifier: Int] = Dictionary(uniqueKeysWithValues: all.enumerated().map { ($1.id, $0) })
}
