import BackplaneCore
import Synchronization

extension OperatorSpec {
  /// Custom operators of this process, in the order in which they were registered.
  public static var registered: [OperatorSpec] { Registered.shared.withLock { $0.specs } }

  /// Adds an operator of an application's or a plugin's own to those of the catalogue, for the whole process and until its end.
  ///
  /// From here on graphs may use it, devices are asked about it, the oracle judges it, and where no device of a graph takes it, its composition or its
  /// reference function stands in. Any thread. Specs/custom-operators.md says more.
  ///
  /// - Parameters:
  ///   - definition: JSON in the form of `Specs/operators`: what the catalogue's operators have, without `level` and `tier`, and a name with a dot
  ///     in it, such as `acme.swish_bias`.
  ///   - file: Where it came from, for errors.
  ///   - functions: What the definition does not say: outputs' shapes of `?`, and the meaning where it has no `composition`.
  /// - Returns: The operator. One that was registered before from the same definition, without functions, is that one.
  /// - Throws: ``BackplaneError``: file for a definition that is none, with the place; invalid for a name that is taken.
  @discardableResult
  public static func register(_ definition: String, file: String = "the definition", functions: OperatorFunctions = OperatorFunctions()) throws(BackplaneError) -> OperatorSpec {
    let json: JSON
    do { json = try JSON.parse(definition) } catch { throw BackplaneError(.file, error.message, subject: file) }
    let spec = try OperatorSpec(custom: OperatorFile(json, file: file), functions)
    return try Registered.shared.withLock { (state) throws(BackplaneError) in try state.add(spec, json, file) }
  }

  private init(custom file: OperatorFile, _ functions: OperatorFunctions) throws(BackplaneError) {
    func wrong(_ message: String, hint: String? = nil) -> BackplaneError { BackplaneError(.file, "\(file.name): \(message)", subject: file.file, hint: hint) }
    try OperatorValidation(spec: file, formats: Set(ElementFormat.all.map(\.name)), isCustom: true, hasShapeFunction: functions.shapes != nil).run()
    if file.composition.isEmpty {
      guard functions.reference != nil else {
        throw wrong("there is neither a composition nor a reference function: nothing could judge it or stand in for it",
                    hint: "give the definition a 'composition' of the catalogue's operators, or register a function with it")
      }
      guard ["exact", "rounding", "ulp", "ulp_absolute"].contains(file.numerics.bound) else {
        throw wrong("the bound '\(file.numerics.bound)' is of one operator's own", hint: "exact, rounding, ulp and ulp_absolute go with a reference function, which may add errors")
      }
    } else {
      if functions.reference != nil { throw wrong("it has a composition, which is its reference: there is no room for a function") }
      try CompositionValidation(spec: file) { OperatorSpec.catalogueOperator($0)?.signature }.run()
    }
    try self.init(file, functions.isEmpty ? nil : functions)
  }
}

/// The custom operators of the process: operators cross the plugin ABI as numbers that mean the same to every runtime of a process, so there is one list.
struct Registered {
  static let shared = Mutex(Registered())

  private(set) var specs: [OperatorSpec] = []
  private var definitions: [JSON] = []
  private(set) var byName: [String: Int] = [:]
  private(set) var byID: [Identifier: Int] = [:]

  mutating func add(_ spec: OperatorSpec, _ definition: JSON, _ file: String) throws(BackplaneError) -> OperatorSpec {
    if let known = byName[spec.name] {
      if definitions[known] == definition, spec.functions == nil, specs[known].functions == nil { return specs[known] }
      throw BackplaneError(.invalid, "an operator called \(spec.name) is registered already" + (definitions[known] == definition ? "" : ", with another definition"), subject: file)
    }
    if let other = Catalogue.byID[spec.id].map({ Catalogue.all[$0] }) ?? byID[spec.id].map({ specs[$0] }) {
      throw BackplaneError(.invalid, "\(spec.name) has the same number as \(other.name)", subject: file, hint: "rename it")
    }
    byName[spec.name] = specs.count
    byID[spec.id] = specs.count
    specs.append(spec)
    definitions.append(definition)
    return spec
  }
}
