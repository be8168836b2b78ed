import BackplaneABI
public import BackplaneCore

/// One way in which a device computes a node, and what may be chosen for it.
public struct Variant: Sendable, Equatable {
  /// A number that may be chosen when a program is made.
  public struct Parameter: Sendable, Equatable {
    /// Numbers have neighbours; choices have none; a switch is 0 or 1.
    public enum Kind: UInt32, Sendable { case number, choice, `switch` }

    public var name: String
    public var kind: Kind
    /// The value when nobody chooses.
    public var standard: Int
    /// The legal ones, ascending.
    public var values: [Int]

    public init(name: String, kind: Kind = .number, standard: Int, values: [Int]) {
      (self.name, self.kind, self.standard, self.values) = (name, kind, standard, values)
    }
  }

  public var name: String
  /// Only strict ones may run strict nodes.
  public var numerics: Numerics
  /// What its kernels do to accuracy beyond f32 arithmetic.
  public var declares: [NamedValue]
  /// All it has, in the order of the ABI. One that changes nothing for this node has one value.
  public var parameters: [Parameter]
  /// What a legal choice makes true, over the parameters' names; nil: every choice is legal.
  public var constraint: Formula?
  /// Of the variant's own device code; 0 unknown.
  public var kernelHash: UInt64

  public init(name: String, numerics: Numerics = .standard, declares: [NamedValue] = [], parameters: [Parameter], constraint: Formula? = nil, kernelHash: UInt64 = 0) {
    (self.name, self.numerics, self.declares) = (name, numerics, declares)
    (self.parameters, self.constraint, self.kernelHash) = (parameters, constraint, kernelHash)
  }

  /// - Throws: ``BackplaneError`` (abi) for what no host could use: no name, a parameter without values, a standard that is none of them, a
  ///   constraint that cannot be read.
  init(_ record: bp_variant, subject: String) throws(BackplaneError) {
    let name = String(record.name)
    func wrong(_ what: String) -> BackplaneError { BackplaneError(.abi, "variants: \(name.isEmpty ? "a variant without a name" : "variant '\(name)'"): \(what)", subject: subject) }
    if name.isEmpty { throw wrong("stored choices could not name it") }
    numerics = record.numerics_class == BP_NUMERICS_STRICT ? .strict : record.numerics_class == BP_NUMERICS_FAST ? .fast : .standard
    declares = record.declares.elements(bp_attr()).map { NamedValue($0) }
    var parameters: [Parameter] = []
    for parameter in record.params.elements(bp_param()) {
      let label = String(parameter.name), count = Int(min(parameter.count, 1 << 16))
      let values = parameter.values == nil ? [] : (0..<count).map { Int(parameter.values[$0]) }
      guard !label.isEmpty, values.contains(Int(parameter.standard)), zip(values, values.dropFirst()).allSatisfy({ $0 < $1 }) else {
        throw wrong("parameter '\(label)' has the values \(values) and the standard \(parameter.standard), which must be one of them; they must ascend")
      }
      parameters.append(Parameter(name: label, kind: .init(rawValue: parameter.kind) ?? .number, standard: Int(parameter.standard), values: values))
    }
    let text = String(record.constraints)
    (self.name, self.parameters) = (name, parameters)
    do { constraint = text.isEmpty ? nil : try Formula(text) } catch { throw wrong("constraint '\(text)': \(error.message)") }
    kernelHash = record.kernel_hash
  }

  /// The choice that is made when nobody chooses.
  public var standard: Configuration { Configuration(variant: name, values: parameters.map(\.standard)) }

  /// Those that there is something to choose for, by index in ``parameters``.
  public var free: [Int] { parameters.indices.filter { parameters[$0].values.count > 1 } }

  /// Whether the constraint holds. One that cannot be worked out does not.
  public func allows(_ values: [Int]) -> Bool {
    guard values.count == parameters.count else { return false }
    guard let constraint else { return true }
    let numbers = constraint.references.map { reference in parameters.firstIndex { reference.function == nil && $0.name == reference.name } }
    switch (try? constraint.evaluate { i in numbers[i].map { .int(values[$0]) } }) ?? nil {
    case .bool(let b): return b
    case .int(let i): return i != 0
    default: return false
    }
  }
}

/// A variant with a value for each of its parameters, in their order.
public struct Configuration: Sendable, Hashable {
  public var variant: String
  public var values: [Int]

  public init(variant: String, values: [Int]) { (self.variant, self.values) = (variant, values) }
}

/// What a person or a file asks for: a variant by name, some of its parameters by name and value, such as `matmul_gemm:depth=64,vectors=2`.
public struct ConfigurationRequest: Sendable, Hashable, CustomStringConvertible {
  public var variant: String
  /// By name.
  public var values: [String: Int]

  public init(variant: String, values: [String: Int] = [:]) { (self.variant, self.values) = (variant, values) }

  /// - Throws: ``BackplaneError`` (invalid) that shows the form.
  public init(_ text: String) throws(BackplaneError) {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    self.init(variant: parts[0])
    for word in parts.count > 1 ? parts[1].split(separator: ",").map(String.init) : [] {
      let halves = word.split(separator: "=", maxSplits: 1).map(String.init)
      guard halves.count == 2, let value = Int(halves[1]) else {
        throw BackplaneError(.invalid, "'\(word)' of '\(text)' is no PARAMETER=NUMBER", hint: "VARIANT:PARAMETER=NUMBER,PARAMETER=NUMBER")
      }
      values[halves[0]] = value
    }
    if variant.isEmpty { throw BackplaneError(.invalid, "'\(text)' names no variant", hint: "VARIANT:PARAMETER=NUMBER,PARAMETER=NUMBER") }
  }

  public var description: String {
    variant + (values.isEmpty ? "" : ":" + values.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ","))
  }
}

extension Variant {
  /// By names and values, those that there is nothing to choose for left out: what is shown and kept.
  public func request(_ configuration: Configuration) -> ConfigurationRequest {
    ConfigurationRequest(variant: name, values: Dictionary(uniqueKeysWithValues: free.map { (parameters[$0].name, configuration.values[$0]) }))
  }
}

extension [Variant] {
  /// The configuration that a request means here: what it does not name has its standard.
  ///
  /// - Throws: ``BackplaneError`` (invalid): which variant, parameter or value there is not, and which there are; or the constraint that is broken.
  public func configuration(_ request: ConfigurationRequest) throws(BackplaneError) -> Configuration {
    guard let variant = first(where: { $0.name == request.variant }) else {
      throw BackplaneError(.invalid, "there is no variant '\(request.variant)' for this node", hint: isEmpty ? "the device offers none" : "one of \(map(\.name).joined(separator: ", "))")
    }
    var values = variant.standard.values
    for (name, value) in request.values.sorted(by: { $0.key < $1.key }) {
      guard let index = variant.parameters.firstIndex(where: { $0.name == name }) else {
        throw BackplaneError(.invalid, "variant '\(variant.name)' has no parameter '\(name)'", hint: "it has \(variant.parameters.map(\.name).joined(separator: ", "))")
      }
      // One that changes nothing here takes any value.
      if variant.parameters[index].values.count == 1 { continue }
      guard variant.parameters[index].values.contains(value) else {
        throw BackplaneError(.invalid, "\(variant.name): \(name) cannot be \(value)", hint: "it is one of \(variant.parameters[index].values.map(String.init).joined(separator: ", "))")
      }
      values[index] = value
    }
    guard variant.allows(values) else {
      throw BackplaneError(.invalid, "\(variant.request(Configuration(variant: variant.name, values: values))) breaks the constraint \(variant.constraint?.text ?? "")")
    }
    return Configuration(variant: variant.name, values: values)
  }
}

extension Device {
  /// Every variant that takes node `node`, the one used without a choice first. Empty when the device does not serve group Tuning.
  public func variants(_ graph: ABIGraph, node: Int) throws(BackplaneError) -> [Variant] {
    guard info.groups.contains(.tuning) else { return [] }
    var count: UInt32 = 0
    try checked("variants", id) { functions.pointee.variants(handle, graph.pointer, UInt32(node), nil, 0, &count, $0) }
    guard count > 0 else { return [] }
    guard count <= 4096 else { throw BackplaneError(.abi, "variants announces \(count) of them for one node", subject: id) }
    var records = [bp_variant](repeating: bp_variant(), count: Int(count))
    for i in records.indices { records[i].h = head(bp_variant.self, BP_ST_VARIANT) }
    try checked("variants", id) { functions.pointee.variants(handle, graph.pointer, UInt32(node), &records, UInt32(MemoryLayout<bp_variant>.stride), &count, $0) }
    var variants: [Variant] = []
    for record in records.prefix(Int(count)) { variants.append(try Variant(record, subject: id)) }
    return variants
  }

  /// Whether the device would compile node `node` so; the bytes of workspace that the node alone then needs.
  ///
  /// - Throws: ``BackplaneError``: why not.
  @discardableResult
  public func check(_ configuration: Configuration, _ graph: ABIGraph, node: Int) throws(BackplaneError) -> Int {
    var workspace: UInt64 = 0
    try ChosenConfigurations([.init(node: node, configuration)]).withRecords { (records) throws(BackplaneError) in
      _ = try checked("config_check", id) { functions.pointee.config_check(handle, graph.pointer, UInt32(node), records.baseAddress, &workspace, $0) }
    }
    return Int(clamping: workspace)
  }
}

/// What is chosen for nodes of a graph, as the ABI takes it.
public struct ChosenConfigurations: Sendable {
  public struct Choice: Sendable, CustomStringConvertible {
    public var node: Int
    public var configuration: Configuration
    /// Number and values of the symbol under which it holds; nil: always. Of those of one node the first that holds is used.
    public var symbol: Int?
    public var range: ClosedRange<Int>
    /// The configuration for people, with the names of its parameters.
    public var text: String

    public init(node: Int, _ configuration: Configuration, symbol: Int? = nil, range: ClosedRange<Int> = 0...0, text: String? = nil) {
      (self.node, self.configuration, self.symbol, self.range) = (node, configuration, symbol, range)
      self.text = text ?? "\(configuration.variant):\(configuration.values.map(String.init).joined(separator: ","))"
    }

    public var description: String { text + (symbol == nil ? "" : " at \(range.lowerBound)...\(range.upperBound)") }
  }
  public var choices: [Choice]

  public init(_ choices: [Choice] = []) { self.choices = choices }
  public var isEmpty: Bool { choices.isEmpty }

  /// Hands over records that are valid for the call.
  func withRecords(_ body: (UnsafeBufferPointer<bp_config>) throws(BackplaneError) -> Void) throws(BackplaneError) {
    let values = choices.flatMap { $0.configuration.values.map { Int64($0) } }
    let memory = UnsafeMutableBufferPointer<Int64>.allocate(capacity: max(values.count, 1))
    defer { memory.deallocate() }
    _ = memory.initialize(from: values)
    var at = 0
    let records = choices.map { choice in
      var record = bp_config()
      record.h = head(bp_config.self, BP_ST_CONFIG)
      (record.node, record.symbol) = (UInt32(choice.node), UInt32(choice.symbol ?? 0))
      (record.lo, record.hi) = (Int64(choice.range.lowerBound), Int64(choice.range.upperBound))
      record.variant = Identifier(choice.configuration.variant).value
      (record.values, record.n_values) = (UnsafePointer(memory.baseAddress! + at), UInt32(choice.configuration.values.count))
      at += choice.configuration.values.count
      return record
    }
    let result: Result<Void, BackplaneError> = records.withUnsafeBufferPointer { records in
      do throws(BackplaneError) { return .success(try body(records)) } catch { return .failure(error) }
    }
    try result.get()
  }
}

extension Device {
  /// Compiles a graph with choices made for some of its nodes.
  public func compile(_ graph: ABIGraph, choosing choices: ChosenConfigurations, numerics: Numerics = .standard, cancel: UnsafeMutableRawPointer? = nil) throws(BackplaneError) -> DeviceProgram {
    guard !choices.isEmpty else { return try compile(graph, numerics: numerics, cancel: cancel) }
    var program: DeviceProgram?
    try choices.withRecords { (records) throws(BackplaneError) in program = try compile(graph, numerics: numerics, configs: records, cancel: cancel) }
    return program!
  }
}
