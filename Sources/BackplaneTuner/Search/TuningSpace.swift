public import BackplaneCore
public import BackplaneRegistry

/// Every configuration that may compute a node: its variants with the legal values of their parameters. No device is needed to count them, to list them or
/// to draw from them.
public struct TuningSpace: Sendable {
  /// In the device's order: the first is used when nobody chooses.
  public let variants: [Variant]

  public init(variants: [Variant]) { self.variants = variants }

  /// What may be searched for a node of that class: outside `fast` nothing that rounds otherwise than what runs when nobody chooses, so that tuning makes
  /// results faster and never less accurate.
  public init(variants: [Variant], numerics: Numerics) {
    self.variants = variants.filter { numerics == .fast || $0.declares.isEmpty || $0.declares == variants.first?.declares }
  }

  /// What is used when nobody chooses; nil for a space without variants.
  public var standard: Configuration? { variants.first?.standard }

  public func variant(of configuration: Configuration) -> Variant? { variants.first { $0.name == configuration.variant } }

  public func isLegal(_ configuration: Configuration) -> Bool {
    guard let variant = variant(of: configuration), configuration.values.count == variant.parameters.count else { return false }
    return zip(variant.parameters, configuration.values).allSatisfy { $0.values.contains($1) } && variant.allows(configuration.values)
  }

  /// The legal configurations, variant after variant, the last parameter fastest.
  ///
  /// - Parameter limit: No more than that many are listed, and no more than a hundred times as many looked at.
  public func configurations(limit: Int = 200_000) -> [Configuration] {
    var found: [Configuration] = []
    for variant in variants {
      let total = variant.parameters.reduce(1) { $0.multipliedReportingOverflow(by: $1.values.count).partialValue }
      for number in 0..<min(max(total, 0), 100 * limit) {
        var (rest, values) = (number, variant.standard.values)
        for (i, parameter) in variant.parameters.enumerated().reversed() {
          values[i] = parameter.values[rest % parameter.values.count]
          rest /= parameter.values.count
        }
        if variant.allows(values) { found.append(Configuration(variant: variant.name, values: values)) }
        if found.count >= limit { return found }
      }
    }
    return found
  }

  /// Legal configurations that differ in one parameter: the nearest values of it first. Then those of other variants that agree in the parameters both have.
  public func neighbours(of configuration: Configuration) -> [Configuration] {
    guard let variant = variant(of: configuration) else { return [] }
    var found: [(distance: Int, configuration: Configuration)] = []
    for i in variant.free {
      let values = variant.parameters[i].values, at = values.firstIndex(of: configuration.values[i]) ?? 0
      for (k, value) in values.enumerated() where k != at {
        var other = configuration
        other.values[i] = value
        if variant.allows(other.values) { found.append((variant.parameters[i].kind == .number ? abs(k - at) : 1, other)) }
      }
    }
    found.sort { $0.distance < $1.distance }
    return found.map(\.configuration) + variants.filter { $0.name != variant.name }.compactMap { translate(configuration, to: $0) }
  }

  /// The configuration of another variant that is nearest in the parameters of the same name; nil when it is not legal there.
  private func translate(_ configuration: Configuration, to other: Variant) -> Configuration? {
    guard let own = variant(of: configuration) else { return nil }
    let given = Dictionary(zip(own.parameters.map(\.name), configuration.values)) { first, _ in first }
    let values = other.parameters.map { parameter in given[parameter.name].flatMap { parameter.values.contains($0) ? $0 : nil } ?? parameter.standard }
    return other.allows(values) ? Configuration(variant: other.name, values: values) : nil
  }

  /// The configuration that a request means here; nil when it is not one of this space.
  public func configuration(_ request: ConfigurationRequest) -> Configuration? { try? variants.configuration(request) }

  public func request(_ configuration: Configuration) -> ConfigurationRequest {
    variant(of: configuration)?.request(configuration) ?? ConfigurationRequest(variant: configuration.variant)
  }

  /// Changes when names, values or constraints of the space do.
  public var hash: UInt64 {
    Identifier(variants.map { v in "\(v.name) \(v.parameters.map { "\($0.name) \($0.values)" }) \(v.constraint?.text ?? "")" }.joined(separator: "\n")).value
  }
}
